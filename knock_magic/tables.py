"""Tables and cards: plain in a terminal, whose letters are one or two columns wide; quiet HTML in a notebook."""

from __future__ import annotations

import dataclasses
import html
import unicodedata
from typing import Iterable, Optional, Tuple

from knock_magic import fitting
from knock_magic.cleaning import ELLIPSIS

GAP = "  "
NARROWEST = 12  # columns that a shortened cell keeps

# No colours of our own but greys that are seen on light and dark alike; what came from a cell is escaped.
_LINE = "1px solid rgba(128,128,128,.35)"
_BOX = f"display:inline-block;max-width:100%;overflow-x:auto;border:{_LINE};border-radius:6px;padding:4px 10px"
_TABLE = "border-collapse:collapse;margin:0;font-size:90%;color:inherit"
_EACH = "text-align:left;vertical-align:baseline;padding:2px 14px 2px 0;background:none"
_HEAD = f"{_EACH};font-weight:normal;opacity:.65;white-space:nowrap"
_FIXED = f"{_EACH};white-space:nowrap"
_CELL = f"{_EACH};white-space:pre-line;word-break:keep-all;overflow-wrap:anywhere"


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows of text under `heads`; those in `flexible` (by number) are shortened where a screen is too narrow."""

    heads: Tuple[str, ...]
    rows: Tuple[Tuple[str, ...], ...]
    flexible: Tuple[int, ...] = ()

    def as_text(self, width: Optional[int] = None) -> str:
        """Aligned, in at most `width` columns if that can be; None: as wide as it is."""
        lines = [self.heads, *self.rows]
        lines = [tuple(_first_line(cell) for cell in line) for line in lines]
        widths = [max(map(columns, cells)) for cells in zip(*lines)]
        for at in self.flexible if width else ():
            spare = sum(widths) + len(GAP) * (len(widths) - 1) - (width or 0)
            widths[at] = max(min(NARROWEST, widths[at]), widths[at] - max(0, spare))
        return "\n".join(GAP.join(padded(cell, size) for cell, size in zip(line, widths)).rstrip() for line in lines)

    def as_html(self) -> str:
        """A table of HTML."""
        heads = "".join(f'<th style="{_HEAD}">{html.escape(head)}</th>' for head in self.heads)
        rows = "".join(f"<tr>{self._cells(row)}</tr>" for row in self.rows)
        return _boxed(f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody>")

    def _cells(self, row: Iterable[str]) -> str:
        styles = (_CELL if at in self.flexible else _FIXED for at in range(len(self.heads)))
        return "".join(f'<td style="{style}">{html.escape(cell)}</td>' for style, cell in zip(styles, row))


@dataclasses.dataclass(frozen=True)
class Card:
    """Names and what is to be said of each, one below the other."""

    pairs: Tuple[Tuple[str, str], ...]

    def as_text(self, width: Optional[int] = None) -> str:
        """One line each; more lines of one are put below its first. A terminal breaks what is wider than it."""
        size = max((columns(name) for name, _ in self.pairs), default=0)
        lines = []
        for name, said in self.pairs:
            for at, line in enumerate(said.split("\n")):
                lines.append((padded("" if at else name, size) + GAP + line).rstrip())
        return "\n".join(lines)

    def as_html(self) -> str:
        """A small table of HTML."""
        rows = (
            f'<tr><th style="{_HEAD}">{html.escape(name)}</th><td style="{_CELL}">{html.escape(said)}</td></tr>'
            for name, said in self.pairs
        )
        return _boxed(f"<tbody>{''.join(rows)}</tbody>")


def _boxed(inside: str) -> str:
    return f'<div style="{_BOX}"><table style="{_TABLE}">{inside}</table></div>'


def _first_line(cell: str) -> str:
    first, more, _ = cell.partition("\n")
    return f"{first} {ELLIPSIS}" if more else first


# Widths.


def columns(text: str) -> int:
    """How many columns of a terminal `text` takes."""
    return sum(map(_width, fitting.characters(text)))


def padded(text: str, size: int) -> str:
    """`text` in exactly `size` columns, shortened if need be."""
    text = fitting.cut(text, size, columns)
    return text + " " * (size - columns(text))


def _width(character: str) -> int:
    """Two for what is wide (Unicode's East Asian Width), and for a sign that a selector makes a picture."""
    if "\ufe0f" in character:
        return 2
    return 2 if any(unicodedata.east_asian_width(letter) in "WF" for letter in character) else 1
