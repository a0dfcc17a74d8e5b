"""Spans of time as people type them (``1h30m``) and as they say them (``2 h 13 min``)."""

from __future__ import annotations

import math
import re

from knock_magic import language
from knock_magic.errors import UsageError

_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_TYPED = re.compile(r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?")
_UNITS = {
    "en": ((86400, " d"), (3600, " h"), (60, " min"), (1, " s")),
    "ko": ((86400, "일"), (3600, "시간"), (60, "분"), (1, "초")),
}


def parse_duration(text: str) -> float:
    """Seconds in `text`: ``90``, ``90s``, ``1.5h``, ``1h30m``, ``2d``; a bare number is seconds.

    Raises:
        UsageError: `text` is something else.
    """
    typed = text.strip().lower()
    match = _TYPED.fullmatch(typed)
    if typed and match:
        seconds = sum(float(n) * unit for n, unit in zip(match.groups(), _SECONDS.values()) if n)
        if math.isfinite(seconds):
            return seconds
    shown = text[:40]
    raise UsageError(
        f"a duration looks like 90s, 15m or 1h30m, got {shown!r}.",
        f"시간은 90s, 15m, 1h30m처럼 적어 주세요. 받은 값: {shown!r}",
    )


def say_duration(seconds: float, lang: str = "") -> str:
    """`seconds` in the two largest units that matter: ``2 h 13 min``, ``2시간 13분``, ``0.4 s``."""
    units = _UNITS[lang or language.current()]
    seconds = max(0.0, seconds)
    if seconds < 9.95:
        return f"{max(seconds, 0.1):.1f}{units[-1][1]}" if seconds else f"0{units[-1][1]}"
    whole = round(seconds)
    for at, (size, word) in enumerate(units):
        if whole < size:
            continue
        parts = [f"{whole // size}{word}"]
        if at + 1 < len(units):
            next_size, next_word = units[at + 1]
            rest = whole % size // next_size
            parts += [f"{rest}{next_word}"] if rest else []
        return " ".join(parts)
    return f"0{units[-1][1]}"
