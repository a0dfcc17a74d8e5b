"""`Draft`: the settings of one channel while a person fills them in, before anything of it is saved."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, List, Mapping, Optional

from traitlets import TraitError, TraitType

from knock_magic import language
from knock_magic.channels.base import Channel
from knock_magic.errors import KnockError
from knock_magic.event import Event
from knock_magic.knocker import FALLBACK, Knocker
from knock_magic.language import pick
from knock_magic.pasted import cleaned
from knock_magic.redaction import Redactor
from knock_magic.settings import Explained, Secret, expected_of, from_text


@dataclasses.dataclass(frozen=True)
class Taken:
    """What became of something typed: what to say beside its field, and whether that is a fault."""

    said: str = ""
    is_fault: bool = False
    hide: bool = False  # what was typed must not stay where it can be read


class Draft:
    """What was typed for the channel `name`, on top of what is set; only `keep` saves it."""

    def __init__(self, knocker: Knocker, name: str) -> None:
        self._knocker = knocker
        self._configuration = knocker.configuration
        self.name = name
        self.typed: Dict[str, Any] = {}
        self.faults: Dict[str, str] = {}

    @property
    def channel(self) -> Channel:
        """The channel as it would be."""
        return self._configuration.drafted(self.name, self.typed)

    @property
    def fields(self) -> Mapping[str, TraitType]:
        """Its settings by name, in their order."""
        return self.channel.fields()

    def set_by(self, name: str) -> str:
        """What sets the setting now, as it is written there, where that is not the settings file; else nothing."""
        written = [where for each, where, _ in self.channel.written(self._configuration.sources) if each == name]
        return written[-1] if written and not written[-1].startswith(self._configuration.file_name) else ""

    def is_stored(self, name: str) -> bool:
        """Whether any source has a value for the setting."""
        return any(each == name for each, _, _ in self.channel.written(self._configuration.sources))

    def take(self, name: str, text: str) -> Taken:
        """Take `text` for the setting `name`; what is wrong with it is said, and then it is not taken."""
        trait = self.fields[name]
        self.faults.pop(name, None)
        self.typed.pop(name, None)
        value, was_wrapped = cleaned(trait, text)
        if isinstance(trait, Secret) and not value:  # such a field looks empty anyway: a space takes back what it took
            return Taken(pick(_TAKEN_BACK))
        if not isinstance(trait, Secret) and _is_secret(value):
            said = pick(_SECRET)
            self.faults[name] = said
            return Taken(said, is_fault=True, hide=True)
        said = self._fault(name, trait, value)
        if said:
            self.faults[name] = said
            return Taken(said, is_fault=True)
        self.typed[name] = value
        return Taken(pick(_UNWRAPPED) if was_wrapped else "")

    def _fault(self, name: str, trait: TraitType, text: str) -> str:
        """What is wrong with `text`, as a sentence to stand beside the field."""
        if not text:
            return ""
        channel = type(self.channel)()
        try:
            setattr(channel, name, from_text(trait, text))
        except Explained as problem:
            texts = problem.texts
            return pick({"en": f"This {texts['en']}", "ko": texts["ko"]})
        except (TraitError, ValueError):
            expected = expected_of(trait)
            return pick({"en": f"This must be {expected['en']}.", "ko": f"{expected['ko']} 형식으로 써 주세요."})
        return ""

    def missing(self) -> List[str]:
        """The settings that are still needed."""
        channel = self.channel
        by_variable = {channel.env_name(name): name for name in channel.fields()}
        return [by_variable[variable] for variable in channel.missing() if variable in by_variable]

    # Trying.

    def try_out(self) -> Event:
        """Send a test knock with what was typed; `outcome` tells what became of it."""
        self._configuration.try_out(self.channel)
        return self._knocker.send("", [self.name], kind="test")

    def outcome(self, event: Event, seconds: float) -> Optional[Mapping[str, Any]]:
        """What became of the test knock, after `seconds` at most; None: not known yet."""
        return self._knocker.results(event, [self.name], seconds)[self.name]

    def withdraw(self) -> None:
        """Go by what is saved again."""
        self._knocker.reread(self.name)

    # Saving.

    def keep(self) -> List[str]:
        """Save what was typed, and knock on the channel from here on; what wins over the settings file.

        Raises:
            KnockError: it can't be saved.
        """
        channel = self.channel
        values = {name: getattr(channel, name) for name in self.typed}
        stronger = self._configuration.save_channel(self.name, values) if values else {}
        self.typed.clear()
        self._knocker.reread(self.name)
        return list(stronger)

    def forget(self) -> None:
        """Take what is saved out of the settings file, and knock there no more.

        Raises:
            KnockError: it can't be changed.
        """
        self.typed.clear()
        self.faults.clear()
        self._configuration.forget_channel(self.name)
        if self.name in in_use(self._knocker):
            switch(self._knocker, self.name, False)
        self._knocker.reread(self.name)


def in_use(knocker: Knocker) -> List[str]:
    """The channels that the person chose, or that are used as the only ones set up; not the embedded default."""
    return [name for name in knocker.settings.to or knocker.in_use() if name != FALLBACK]


def switch(knocker: Knocker, name: str, on: bool) -> List[str]:
    """Knock on the channel `name`, or no more, here and in every later kernel; what wins over the settings file.

    Raises:
        KnockError: it can't be saved, or the channel can't be used yet.
    """
    chosen = [each for each in in_use(knocker) if each != name] + ([name] if on else [])
    usable = [each for each in chosen if each == name or _is_usable(knocker, each)]
    if usable:
        knocker.use(usable)
    else:
        knocker.settings.to = []
        knocker.announce()
    return knocker.configuration.save("to", chosen)


def _is_usable(knocker: Knocker, name: str) -> bool:
    try:
        knocker.ready(name)
    except KnockError:
        return False
    return True


def _is_secret(text: str) -> bool:
    """Whether `text` looks like a key: someone had the wrong field."""
    return len(text) > 12 and Redactor({}).text(text) != text


_SECRET: language.Texts = {
    "en": "This looks like a key, so it was taken out: it belongs into one of the hidden fields.",
    "ko": "비밀 키처럼 보여서 지웠어요. 가려지는 칸에 넣어 주세요.",
}
_TAKEN_BACK: language.Texts = {"en": "Nothing is typed here now.", "ko": "입력한 값이 없어요."}
_UNWRAPPED: language.Texts = {
    "en": "Only the part that belongs here was taken.",
    "ko": "붙여 넣은 것에서 필요한 부분만 가져왔어요.",
}
