"""`Curves`: how a run's metrics went, thinned to what a small picture can show.

They travel as text, written number by number on the way: a cell must not wait at its end until a list is written.
"""

from __future__ import annotations

import math
from typing import Dict, List, Mapping, Sequence

from knock_magic import verdict

MOST_POINTS = 48
MOST_CURVES = 4
BARS = "▁▂▃▄▅▆▇█"
FALLS, RISES = "falls", "rises"  # before the points of a metric whose direction is known
NOTHING: Mapping[str, bool] = {}
TELLING = ("val", "test", "acc", "score", "f1")  # names with these say how good a run is
ASIDE = ("lr", "learning_rate", "grad_norm", "momentum")  # and these, how it goes about it
WIDTH = 24  # characters of a small curve


class Curves:
    """Numbers as they come, a curve for each metric; beyond 48 points every second one goes."""

    def __init__(self, metric: str = "") -> None:
        self._metric = metric  # the one that counts
        self._points: Dict[str, List[str]] = {}
        self._strides: Dict[str, int] = {}  # of how many numbers one is kept
        self._skipped: Dict[str, int] = {}

    def add(self, name: str, value: float) -> None:
        """One more of `name`; what is no finite number has no place on a curve."""
        if not math.isfinite(value) or (name not in self._points and not self._has_room(name)):
            return
        points = self._points.setdefault(name, [])
        stride = self._strides.setdefault(name, 1)
        self._skipped[name] = (self._skipped.get(name, -1) + 1) % stride
        if self._skipped[name]:
            return
        points.append(f"{value:.5g}")
        if len(points) > MOST_POINTS:
            del points[1::2]
            self._strides[name] = 2 * stride
            self._skipped[name] = 0

    def _has_room(self, name: str) -> bool:
        """Whether `name` may have a curve; where there are enough, one that says less goes for it."""
        if len(self._points) < MOST_CURVES:
            return True
        least = max(reversed(list(self._points)), key=self._place)
        if self._place(name) >= self._place(least):
            return False
        for kept in (self._points, self._strides, self._skipped):
            kept.pop(least)
        return True

    def _place(self, name: str) -> int:
        """How much `name` says of how good a run is: 0 says most."""
        if name == self._metric:
            return 0
        words = name.lower()
        if any(word in words for word in ASIDE) or words in ("epoch", "step"):
            return 3
        return 1 if any(word in words for word in TELLING) else 2

    def written(self, lower: Mapping[str, bool] = NOTHING) -> Dict[str, str]:
        """The curves so far, for `read`; one point is none. Those in `lower` say that they are to fall, or to rise."""
        words = {name: [FALLS if lower[name] else RISES] for name in self._points if name in lower}
        return {
            name: " ".join([*words.get(name, ()), *points]) for name, points in self._points.items() if len(points) > 1
        }


def read(curves: Mapping[str, str]) -> Dict[str, List[float]]:
    """The curves that `Curves.written` gave.

    Raises:
        AttributeError, ValueError: they are none.
    """
    return {
        name: [float(point) for point in points.split() if point not in (FALLS, RISES)]
        for name, points in curves.items()
    }


def lower(curves: Mapping[str, str]) -> Dict[str, bool]:
    """Of the curves that say so: whether their metric is to fall."""
    words = {name: points.partition(" ")[0] for name, points in curves.items()}
    return {name: word == FALLS for name, word in words.items() if word in (FALLS, RISES)}


def sparkline(points: Sequence[float], width: int = WIDTH) -> str:
    """The curve in a line of blocks, from its lowest to its highest point."""
    if not points:
        return ""
    largest = max(map(abs, points)) or 1.0  # or the difference of two huge ones would be infinite
    points = [point / largest for point in points]
    groups = min(width, len(points))
    means = []
    for at in range(groups):
        group = points[at * len(points) // groups : (at + 1) * len(points) // groups]
        means.append(sum(group) / len(group))
    low, high = min(means), max(means)
    if high == low:
        return BARS[len(BARS) // 2] * groups
    return "".join(BARS[round((mean - low) / (high - low) * (len(BARS) - 1))] for mean in means)


def best(points: Sequence[float], name: str, lower: Mapping[str, bool] = NOTHING) -> float:
    """The best point, by the direction that is known of the metric, else by the one that its `name` tells."""
    return min(points) if lower.get(name, verdict.is_lower_better(name)) else max(points)


def chosen(curves: Mapping[str, Sequence[float]], metric: str = "") -> str:
    """The name of the one curve that is shown where there is room for one: `metric`, else one that says how good it is."""
    if metric in curves:
        return metric
    telling = [name for name in curves if any(word in name.lower() for word in TELLING)]
    return next(iter(telling or curves), "")
