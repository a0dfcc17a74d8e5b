"""Spans of time as people type them (``1h30m``) and as they say them (``2 h 13 min``)."""

from __future__ import annotations

import math
import re

from knock_magic import language
from knock_magic.errors import UsageError

_SECONDS = (86400, 3600, 60, 1)
_NUMBER = r"(?:(\d+(?:\.\d+)?)"
# A bare number has to stand alone: in 1h30 it could be minutes or seconds.
_BARE = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_TYPED = re.compile(rf"{_NUMBER}(?:d|일))?{_NUMBER}(?:h|시간))?{_NUMBER}(?:min|m|분))?{_NUMBER}(?:s|초))?", re.ASCII)
_UNITS = {
    "en": ((86400, " d"), (3600, " h"), (60, " min"), (1, " s")),
    "ko": ((86400, "일"), (3600, "시간"), (60, "분"), (1, "초")),
}
LONGEST_TYPED = 40  # characters
LONGEST_S = 3653 * 86400.0


def parse_duration(text: str) -> float:
    """Seconds in `text`: ``90``, ``90s``, ``1.5h``, ``1h30m``, ``2d``, ``1시간30분``; a bare number is seconds.

    Raises:
        UsageError: `text` is something else.
    """
    typed = text.strip().lower()
    if 0 < len(typed) <= LONGEST_TYPED:
        match = _TYPED.fullmatch(typed)
        if _BARE.fullmatch(typed):
            return _possible(float(typed), typed)
        if match:
            seconds = sum(float(number) * size for number, size in zip(match.groups(), _SECONDS) if number)
            return _possible(seconds, typed)
    shown = repr(text[:LONGEST_TYPED])
    raise UsageError(
        f"a duration looks like 90s, 15m or 1h30m, got {shown}.",
        f"시간은 90s, 15m, 1h30m, 30분처럼 적어 주세요. 받은 값: {shown}",
    )


def _possible(seconds: float, typed: str) -> float:
    if seconds <= LONGEST_S:
        return seconds
    raise UsageError(
        f"a duration can be ten years at most, got {typed!r}.", f"시간은 10년까지 적을 수 있어요. 받은 값: {typed!r}"
    )


def say_duration(seconds: float, lang: str = "") -> str:
    """`seconds` in the two largest units that matter: ``2 h 13 min``, ``2시간 13분``, ``0.4 s``."""
    units = _UNITS[lang or language.current()]
    seconds = max(0.0, seconds) if math.isfinite(seconds) else 0.0
    if seconds < 9.95:
        shown = f"{max(seconds, 0.1):.1f}" if seconds else "0"
        return f"{shown[:-2] if shown.endswith('.0') else shown}{units[-1][1]}"
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
