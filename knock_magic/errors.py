"""What can go wrong, as a tree; each error says what failed, what was seen and what to do.

KnockError
├── UsageError      something typed can't be understood
│   └── MissingPackage  a package that is needed is not installed; an ImportError, too
├── SettingsError   a setting is missing or malformed
└── DeliveryError   a channel did not take a message
"""

from __future__ import annotations

from typing import Iterable, Mapping, Optional, Tuple, Union

from knock_magic import language


class KnockError(Exception):
    """An error with its text in every language we speak."""

    def __init__(self, en: str, ko: str) -> None:
        super().__init__(en)
        self.texts: Mapping[str, str] = {"en": en, "ko": ko}

    def __str__(self) -> str:
        return language.pick(self.texts)


class UsageError(KnockError):
    """A command, option or value that can't be understood."""


class MissingPackage(UsageError, ImportError):
    """A package that is needed is not installed."""


class SettingsError(KnockError):
    """A setting that is missing or malformed."""


class DeliveryError(KnockError):
    """A channel did not take a message.

    Args:
        reason: what the provider answered and what to do, in one text or in each language.
        permanent: trying again unchanged can't help.
        retry_after: seconds the provider asked us to wait, if it did.
        revoked: the address or key itself is no longer good, so nothing else will get through either.
        maybe_sent: the message may have arrived all the same (a time-out after it was written).
        digest: a day's quota is used up, so whatever waits for this address meanwhile is told by one message then.
    """

    def __init__(
        self,
        reason: Union[str, Mapping[str, str]],
        *,
        permanent: bool = False,
        retry_after: Optional[float] = None,
        maybe_sent: bool = False,
        revoked: bool = False,
        digest: bool = False,
    ) -> None:
        texts = {"en": reason, "ko": reason} if isinstance(reason, str) else reason
        super().__init__(texts["en"], texts["ko"])
        self.permanent = permanent
        self.retry_after = retry_after
        self.maybe_sent = maybe_sent
        self.revoked = revoked
        self.digest = digest


def a_kind(value: object) -> str:
    """What kind of thing `value` is, with its article: ``a str``, ``an int``."""
    kind = type(value).__name__
    return f"{'an' if kind[:1].lower() in 'aeiou' else 'a'} {kind}"


def seen(text: str) -> Tuple[str, str]:
    """What was typed, to end an error with, in English and in Korean."""
    if not text.strip():
        return "; nothing was given", ""
    return f", got {text[:40]!r}", f" 받은 값: {text[:40]!r}"


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The one of `known` that `word` may mean; empty where none is near."""
    import difflib  # who makes no mistakes does not pay for it

    return next(iter(difflib.get_close_matches(word[:80], list(known), n=1, cutoff=cutoff)), "")


def did_you_mean(word: str, known: Iterable[str], cutoff: float = 0.6) -> Tuple[str, str]:
    """The likely one of `known`, as a sentence to add in English and in Korean; nothing where none is near."""
    return perhaps(nearest(word, known, cutoff))


def perhaps(likely: str) -> Tuple[str, str]:
    """That `likely` may have been meant, as such a sentence; nothing where that is empty."""
    return (f" Did you mean {likely}?", f" 혹시 {likely}인가요?") if likely else ("", "")
