"""When a run has stalled. Decisions only: kernel and courier count the seconds, each of what it sees."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

TIMES_ITS_SLOWEST = 5.0
LEAST_S = 300.0  # no loop is told of sooner, unless its owner asked for it
KNOWN_AFTER = 3  # steps; before them a loop has no pace of its own
UNASKED_BEATS_S = 600.0  # of silence, where the pace is not known: whoever holds the interpreter that long has hung
BUSY_TIMES = 3.0  # a call that computes may hold the interpreter for long, but not for ever
MOST_BEAT_S = 30.0
LEAST_BEAT_S = 0.1


def limit_s(asked_s: Optional[float], slowest_s: float, steps: int) -> Optional[float]:
    """How long nothing may happen: as asked, else by the loop's own pace; None while it has none."""
    if asked_s is not None:
        return asked_s
    return max(LEAST_S, TIMES_ITS_SLOWEST * slowest_s) if steps >= KNOWN_AFTER else None


def has_stalled(still_s: float, idle_s: Optional[float], limit: Optional[float]) -> bool:
    """Whether there was no step and no output for `still_s`, no CPU and I/O for `idle_s`, and that is too long.

    `idle_s` is None where a process can't be looked into. What computes, reads or writes has not stalled, however
    long its step takes: a validation, a checkpoint.
    """
    return limit is not None and still_s >= limit and (idle_s is None or idle_s >= limit)


def is_unresponsive(silent_s: float, idle_s: Optional[float], limit: float) -> bool:
    """Whether an interpreter that gave no beat for `silent_s` has hung.

    At once where its process does nothing besides; later where it computes, for a single call may do that.
    """
    if silent_s >= BUSY_TIMES * limit:
        return True
    return idle_s is not None and silent_s >= limit and idle_s >= limit


def beat_s(limit: Optional[float]) -> float:
    """How often the interpreter shows that it is alive, for silence of `limit` to be noticed."""
    return max(LEAST_BEAT_S, min(MOST_BEAT_S, (limit or UNASKED_BEATS_S) / 4))


def passed(now: float, before: float, interval: float) -> float:
    """Seconds from `before` to `now` that count, of who looks every `interval`.

    Not those in which it could not look itself: then the machine slept, or a container was frozen.
    """
    return min(max(0.0, now - before), 2 * interval)


class Pulse:
    """The beats of one run's interpreter, as the courier hears them."""

    def __init__(self) -> None:
        self.told = False  # that it is unresponsive
        self.limit = UNASKED_BEATS_S
        self.silent_s = 0.0
        self._idle_s = 0.0
        self._knows_work = True
        self._looked = 0.0

    def beat(self, now: float, limit: float) -> bool:
        """It is alive; gives whether its silence had been told of."""
        was_told, self.told = self.told, False
        self.limit, self._looked = limit, now
        self.silent_s = self._idle_s = 0.0
        return was_told

    @property
    def interval(self) -> float:
        """Seconds between looks."""
        return beat_s(self.limit)

    @property
    def next_look(self) -> float:
        """When to look again, by the clock that `beat` and `look` are given."""
        return self._looked + self.interval

    def look(self, now: float, worked: Optional[bool]) -> bool:
        """Count what has passed since; `worked` says if the process did anything. Gives whether that is news."""
        span = passed(now, self._looked, self.interval)
        self._looked = now
        self.silent_s += span
        self._idle_s = 0.0 if worked else self._idle_s + span
        self._knows_work = worked is not None
        is_news = not self.told and is_unresponsive(
            self.silent_s, self._idle_s if self._knows_work else None, self.limit
        )
        self.told = self.told or is_news
        return is_news
