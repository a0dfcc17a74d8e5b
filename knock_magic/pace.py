"""`Pace`: when a loop was where; from that, how long it still takes, and how slow its slowest step was. No clock here."""

from __future__ import annotations

import math
from typing import List, Optional, Tuple

MOST_SAMPLES = 256  # beyond it, every second one of them goes
FEWEST = 3  # places that a rate is made of, with where it began: of one step nobody can say that it was like the others
# The rate is that of the latest part of the way: what was first is compiled, cached and warmed up, and no guide.
# By the way and not by the time, for a minute of compiling would count as long as a thousand steps.
LATEST = 0.5


class Pace:
    """Positions over time, for one loop. A loop that goes back begins anew."""

    def __init__(self) -> None:
        self._samples: List[Tuple[float, float]] = []  # (seconds, position), both growing
        self._left_out_s, self._is_left_out = 0.0, False
        self.slowest_s = 0.0  # the longest that a position stood, once it had moved
        self.moved = 0  # how often it has moved

    def add(self, seconds: float, position: float) -> None:
        """At `seconds` the loop was at `position`."""
        if not (math.isfinite(position) and math.isfinite(seconds)):
            return
        if not self._samples or position < self._samples[-1][1]:
            self._samples = [(seconds, position)]
            self._left_out_s, self._is_left_out = 0.0, False
            return
        seconds -= self._left_out_s
        before, there = self._samples[-1]
        if position == there:
            return
        if self._is_left_out:
            longer, self._is_left_out = max(0.0, seconds - before - self._step_s()), False
            self._left_out_s += longer
            seconds -= longer
        self.moved += 1
        self.slowest_s = max(self.slowest_s, seconds - before)
        self._samples.append((seconds, position))
        if len(self._samples) > MOST_SAMPLES:
            del self._samples[1:-1:2]

    def leave_out(self) -> None:
        """Count the step that goes on as an ordinary one, however long it takes: something holds it up."""
        self._is_left_out = True

    def _step_s(self) -> float:
        """What a step took so far, on the average."""
        return (self._samples[-1][0] - self._samples[0][0]) / max(1, len(self._samples) - 1)

    def left_s(self, total: Optional[float], now: float) -> Optional[float]:
        """Seconds until `total`, as of `now`; None while that can't be told."""
        if total is None or len(self._samples) < FEWEST or not math.isfinite(total):
            return None
        (_, first), (last, position) = self._samples[0], self._samples[-1]
        if position >= total:
            return 0.0
        since, start = self._samples[self._at(position - (position - first) * LATEST)]
        each = (last - since) / (position - start)
        left, stood = (total - position) * each, max(0.0, now - self._left_out_s - last)
        # The step that goes on has taken some of it already, but no more than one step takes.
        return max(left - stood, left - self._step_s(), 0.0)

    def _at(self, position: float) -> int:
        """The last sample at or before `position`, but never the last of all."""
        low, high = 0, len(self._samples) - 2
        while low < high:
            middle = (low + high + 1) // 2
            if self._samples[middle][1] <= position:
                low = middle
            else:
                high = middle - 1
        return low
