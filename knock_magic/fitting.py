"""Text cut to what a channel takes, in the channel's own unit, and never inside a character.

A character is what a reader sees as one: a Hangul syllable however it is spelled, a flag, a family emoji.
Its borders follow the grapheme rules of Unicode (UAX #29) as far as `unicodedata` knows them; where it does
not, two characters are held together rather than one cut in two.
"""

from __future__ import annotations

import unicodedata
from typing import Callable, Dict, Iterator, List, Sequence

from knock_magic.cleaning import ELLIPSIS

Measure = Callable[[str], int]

UNITS: Dict[str, Measure] = {
    "characters": len,
    "utf16": lambda text: len(text.encode("utf-16-le", "surrogatepass")) // 2,
    "bytes": lambda text: len(text.encode("utf-8", "surrogatepass")),
}

# A heap of accents on one letter is mischief, and cut; a family of four with skin tones has 11 code points.
LONGEST_CHARACTER = 64

_ZERO_WIDTH_JOINER = "\u200d"
_SKIN_TONES = ("\U0001f3fb", "\U0001f3ff")
_REGIONAL = ("\U0001f1e6", "\U0001f1ff")  # two of them are a flag
_VIRAMA = 9  # its combining class: it joins the consonants of an Indic syllable


def fit(text: str, limit: int, measure: Measure = len, keep: Sequence[str] = ()) -> str:
    """`text` in at most `limit` by `measure`, which adds up over characters.

    The first line stays, then each last line that has one of the words in `keep`; the other lines fill
    what is left, in their order. Where something had to go stands ``…``.
    """
    if measure(text) <= limit:
        return text
    lines = text.split("\n")
    newline = measure("\n")
    vital = _vital(lines, keep)
    room = limit - newline * (len(vital) - 1)
    if room <= 0:
        return cut(lines[0], limit, measure)
    shares = _share(room, {at: measure(lines[at]) for at in vital})
    shown = {at: cut(lines[at], share, measure) for at, share in shares.items()}
    room -= sum(map(measure, shown.values()))
    others = [at for at in range(len(lines)) if at not in shown]
    for at in others:
        room -= newline
        spare = 0 if at == others[-1] else newline + measure(ELLIPSIS)  # to say that lines are missing
        if measure(lines[at]) + spare > room:
            part = cut(lines[at] + 2 * ELLIPSIS, room, measure)
            shown.update({at: part} if part else {})
            break
        shown[at] = lines[at]
        room -= measure(lines[at])
    return "\n".join(shown[at] for at in sorted(shown))


def cut(text: str, limit: int, measure: Measure = len) -> str:
    """`text` if it fits, else as many of its characters as do, and ``…``."""
    if measure(text) <= limit:
        return text
    room = limit - measure(ELLIPSIS)
    if room < 0:
        return ""
    kept: List[str] = []
    for character in characters(text):
        room -= measure(character)
        if room < 0:
            break
        kept.append(character)
    return "".join(kept).rstrip() + ELLIPSIS


def characters(text: str) -> Iterator[str]:
    """`text` in pieces that must not be cut."""
    start, flags = 0, 0
    for at in range(1, len(text)):
        before, after = text[at - 1], text[at]
        flags = flags + 1 if _is_between(before, _REGIONAL) else 0
        if at - start < LONGEST_CHARACTER and _belongs(before, after, flags):
            continue
        yield text[start:at]
        start = at
    if text:
        yield text[start:]


def _vital(lines: Sequence[str], keep: Sequence[str]) -> List[int]:
    found = {0}
    for words in keep:
        found.update([at for at, line in enumerate(lines) if words and words in line][-1:])
    return sorted(found)


def _share(room: int, wants: Dict[int, int]) -> Dict[int, int]:
    """`room` dealt out: who wants little gets it all, who wants much gets an equal part of the rest."""
    shares: Dict[int, int] = {}
    for served, at in enumerate(sorted(wants, key=lambda at: wants[at])):
        shares[at] = max(0, min(wants[at], room // (len(wants) - served)))
        room -= shares[at]
    return shares


def _belongs(before: str, after: str, flags: int) -> bool:
    """Whether `after` is of one character with `before`; `flags` counts the flag letters up to `before`."""
    if before == "\r" and after == "\n":
        return True
    kind, next_kind = unicodedata.category(before), unicodedata.category(after)
    if kind in ("Cc", "Zl", "Zp") or next_kind in ("Cc", "Zl", "Zp"):
        return False
    # Accents, variation selectors, keycaps (marks); joiners and flag tags (formats); skin tones.
    if next_kind in ("Mn", "Me", "Mc", "Cf") or _is_between(after, _SKIN_TONES) or after in "\uff9e\uff9f":
        return True
    if before == _ZERO_WIDTH_JOINER or unicodedata.combining(before) == _VIRAMA or _is_number_sign(before):
        return True
    if _is_between(before, _REGIONAL) and _is_between(after, _REGIONAL):
        return flags % 2 == 1
    return _hangul(after) in _JAMO_AFTER.get(_hangul(before), "")


def _is_number_sign(letter: str) -> bool:
    """Whether `letter` is one of the Arabic signs that enclose the digits after them."""
    return unicodedata.category(letter) == "Cf" and unicodedata.bidirectional(letter) in ("AL", "AN")


# What of Hangul may follow what: L a leading consonant, V a vowel, T a final one, LV and LVT whole syllables.
_JAMO_AFTER = {"L": ("L", "V", "LV", "LVT"), "V": ("V", "T"), "LV": ("V", "T"), "T": ("T",), "LVT": ("T",)}
_JAMO = (
    ("L", 0x1100, 0x115F),
    ("L", 0xA960, 0xA97C),
    ("V", 0x1160, 0x11A7),
    ("V", 0xD7B0, 0xD7C6),
    ("T", 0x11A8, 0x11FF),
    ("T", 0xD7CB, 0xD7FB),
)


def _hangul(letter: str) -> str:
    code = ord(letter)
    if 0xAC00 <= code <= 0xD7A3:
        return "LVT" if (code - 0xAC00) % 28 else "LV"
    return next((kind for kind, first, last in _JAMO if first <= code <= last), "-")


def _is_between(letter: str, ends: Sequence[str]) -> bool:
    return ends[0] <= letter <= ends[1]
