"""The ``%%knock`` line of a cell: found, read, and taken out so that the rest runs as if it had not been there."""

from __future__ import annotations

import re
from typing import List, Optional, Tuple

MARK = "%%knock"
LINE_MARK = MARK[1:]

_HEAD = re.compile(r"%%knock(?:[ \t]+(.*))?\Z", re.DOTALL)
_COMMAND = re.compile(r"%knock(?:\s|\?|\Z)|%(?:re)?load_ext\s+knock(?:_magic)?\Z")
# Magics that hand their cell to `transform_cell`, where our line would go unseen: they are looked through.
_SEEN_THROUGH = re.compile(r"%%(?:time|timeit|prun)\b")


def find(source: str) -> Optional[str]:
    """What stands behind ``%%knock`` at the head of the cell `source`; None if it does not begin so."""
    if MARK not in source:
        return None
    index, options = _find(_dedented(source.splitlines()))
    return options if index >= 0 else None


def body(source: str) -> str:
    """The cell `source` without its head line."""
    return "".join(strip(_dedented(source.splitlines(keepends=True))))


def is_ours(source: str) -> bool:
    """Whether the cell `source` only has commands of ours: who types them waits for no knock."""
    if LINE_MARK not in source:
        return False
    lines = (line.strip() for line in source.splitlines())
    return all(_COMMAND.match(line) for line in lines if line and not line.startswith("#"))


def _dedented(lines: List[str]) -> List[str]:
    """`lines` without the indentation of the first that is not empty, as IPython runs them."""
    first = next((line for line in lines if line.strip()), "")
    indent = first[: len(first) - len(first.lstrip())]
    return [line[len(indent) :] if line.startswith(indent) else line for line in lines] if indent else lines


def _find(lines: List[str], *, through: bool = True) -> Tuple[int, str]:
    """The number of the head line, and what stands behind the mark; -1 if there is none."""
    for index, line in enumerate(lines):
        text = line.strip()
        match = _HEAD.match(text) if not line[:1].isspace() else None
        if match:
            return index, (match.group(1) or "").strip()
        if text and not text.startswith("#") and not (through and _SEEN_THROUGH.match(text)):
            break
    return -1, ""


def strip(lines: List[str]) -> List[str]:
    """An input transformer: `lines` without the head line, every other line keeping its number.

    It is pure, for ipykernel transforms each cell a second time by itself.
    """
    index, _ = _find(lines, through=False)
    if index < 0:
        return lines
    rest = lines[index + 1 :]
    code = next((line for line in rest if line.strip() and not line.lstrip().startswith("#")), "")
    if code.startswith("%%"):
        # A cell magic has to be the first line of its cell, so everything above it goes.
        return rest[rest.index(code) :]
    return [*lines[:index], "#\n", *rest]


# Terminal IPython runs a cell at once if its transformed text is complete; without this mark it would do so
# with a lone `%%knock`, before the body is typed.
strip.has_side_effects = True  # type: ignore[attr-defined]
