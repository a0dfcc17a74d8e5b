"""The reader's language: texts are ``{"en": ..., "ko": ...}``, and one of them is picked here."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Mapping, Optional

    Texts = Mapping[str, str]

LANGUAGES = ("en", "ko")

_chosen: Optional[str] = None


def use(lang: Optional[str]) -> None:
    """Speak `lang` from here on; None or an unknown one goes back to the environment's."""
    global _chosen
    _chosen = lang if lang in LANGUAGES else None


def current() -> str:
    """The language of this process's reader: ``"en"`` or ``"ko"``."""
    return _chosen or from_environment(os.environ)


def from_environment(environ: Mapping[str, str]) -> str:
    """``KNOCK_LANG`` if it names a language we speak, else the locale's, else English."""
    asked = environ.get("KNOCK_LANG", "").strip().lower()[:2]
    if asked in LANGUAGES:
        return asked
    # The first of these that is set decides, as POSIX says for messages.
    for name in ("LC_ALL", "LC_MESSAGES", "LANG", "LANGUAGE"):
        value = environ.get(name, "")
        if value:
            return "ko" if value.lower().startswith("ko") else "en"
    return "en"


def pick(texts: Texts, lang: Optional[str] = None) -> str:
    """The one of `texts` that the reader reads."""
    return texts.get(lang or current()) or texts["en"]
