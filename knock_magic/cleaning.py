"""Text that came from a cell, made fit to travel: capped, readable, free of control characters."""

from __future__ import annotations

import codecs
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Terminal colours, cursor moves, titles and links (ECMA-48), bounded so that no input is slow.
_ANSI = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,8}[@-~]"  # CSI
    r"|\x1b\][^\x07\x1b]{0,512}(?:\x07|\x1b\\)?"  # OSC
    r"|\x1b[PX^_][^\x1b]{0,512}(?:\x1b\\)?"  # DCS, SOS, PM, APC
    r"|\x1b[ -/]{0,4}[0-~]"
)
# C0 and C1 controls but tab and newline, the Unicode controls that turn text around (UAX #9), and the mark
# that begins files.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")

ELLIPSIS = "…"

_name_of_type = type.__dict__["__name__"].__get__


def clean(text: str, limit: int) -> str:
    """`text` cut to `limit` characters, without what a phone can't show or a terminal would obey."""
    # Cut before looking: one expression over 50 MB costs 80 ms, over this much nothing.
    head = beginning(text, 4 * limit)
    return _cut(_readable(head), limit, str.__len__(text) > len(head))


TAIL_LINES = 20
TAIL_CHARACTERS = 2000


def last_lines(text: str) -> str:
    """The last 20 lines of what was printed, as they looked in the end; from the last traceback on, if there is one."""
    # A bar is drawn over and over in one line; what stood there last is what there was to see.
    seen = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    last = [line for line in (clean(line, TAIL_CHARACTERS).rstrip() for line in seen) if line][-TAIL_LINES:]
    starts = [at for at, line in enumerate(last) if line.startswith("Traceback (most recent call last)")]
    return "\n".join(last[starts[-1] if starts else 0 :])[-TAIL_CHARACTERS:]


def one_line(text: str, limit: int) -> str:
    """`text` cleaned, on one line."""
    head = beginning(text, 4 * limit)
    return _cut(_readable(" ".join(head.split())), limit, str.__len__(text) > len(head))


QUOTED = "Traceback (most recent call last)"


def both_ends(text: str, limit: int) -> str:
    """`text` as `clean` gives it; of one that quotes a traceback also its end is kept, where the cause stands."""
    if str.__len__(text) <= limit or QUOTED not in text:
        return clean(text, limit)
    end = limit // 3
    return f"{clean(text, limit - end - 3)}\n\n{clean(str.__getitem__(text, slice(-end, None)), end)}"


def quoted_cause(text: str) -> str:
    """What stands below the last traceback that `text` quotes: the real error; "" where it quotes none.

    DataLoader's workers and scikit-learn's searches raise such texts.
    """
    lines = text.rpartition(QUOTED)[2].splitlines()[1:] if QUOTED in text else []
    starts = [at for at, line in enumerate(lines) if line.strip() and not line[0].isspace()]
    cause = "\n".join(lines[starts[0] :]).strip() if starts else ""
    return re.sub(r"\A(?:\w+\.)+(?=\w+(?::|\Z))", "", cause)  # without the module of its type


def beginning(text: str, characters: int) -> str:
    """The first `characters` of `text`, as a plain `str`: a subclass may have methods of its own."""
    return str.__getitem__(text, slice(characters))


def _readable(text: str) -> str:
    if text.isprintable():  # nearly always, and 50 times as fast to find out
        return text
    text = _ANSI.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return _paired(_CONTROLS.sub("", text))


def _paired(text: str) -> str:
    """`text` with each pair of surrogates as its character; a lone one would stop every encoder later."""
    # Not `str.encode`, which reads a module for this encoding at its first use: there may be no descriptor left.
    return codecs.utf_16_le_decode(codecs.utf_16_le_encode(text, "surrogatepass")[0], "replace", True)[0]


def _cut(text: str, limit: int, is_more: bool) -> str:
    return text if len(text) <= limit and not is_more else text[: limit - 1] + ELLIPSIS


def safe_str(value: Any) -> str:
    """``str(value)`` as a plain `str`, or what stopped it: a ``__str__`` may return something else, or raise anything."""
    try:
        return str.__str__(str(value))
    except BaseException as error:  # also SystemExit, and the interrupt of who won't wait for it any longer
        return f"<{type_name(value)}: str() raised {type_name(error)}>"


def type_name(value: Any) -> str:
    """The name of `value`'s class, whatever the class says of itself."""
    return clean(_name_of_type(type(value)), 200)
