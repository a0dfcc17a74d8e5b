"""`Figure`: one line of the table, with its aim beside it; and how the table is printed."""

from __future__ import annotations

import statistics
from typing import List, NamedTuple, Optional, Sequence

HEADER = ("", "figure", "aim", "met", "beside it, in the same run")


class Figure(NamedTuple):
    """What was measured, and what it is to be judged by. `main` ones stand in the README."""

    what: str
    figure: str
    aim: str = ""
    met: Optional[bool] = None
    beside: str = ""
    main: bool = False

    def cells(self) -> List[str]:
        return [self.what, self.figure, self.aim, {None: "", True: "yes", False: "NO"}[self.met], self.beside]


def left_out(what: str, why: object) -> Figure:
    return Figure(what, "left out", beside=str(why))


def plain(figures: Sequence[Figure]) -> str:
    rows = [list(HEADER), *(figure.cells() for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def markdown(figures: Sequence[Figure]) -> str:
    rows = [list(HEADER), ["---"] * len(HEADER), *(figure.cells() for figure in figures)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


# Numbers.


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of `values` do not exceed; with few of them, the largest."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


median = statistics.median


# How they are written: three digits, in the unit that a reader expects.


def seconds(value: float) -> str:
    for factor, unit in ((1.0, "s"), (1e3, "ms")):
        if value * factor >= 1:
            return f"{_three(value * factor)} {unit}"
    return f"{_three(value * 1e6)} µs"


def times(value: float) -> str:
    return f"{value:.2f} ×"


def spread(values: Sequence[float]) -> str:
    """The quantiles that the aims speak of."""
    return " / ".join(seconds(quantile(values, share)) for share in (0.5, 0.99, 0.999))


def _three(value: float) -> str:
    return f"{value:.0f}" if value >= 99.95 else f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"
