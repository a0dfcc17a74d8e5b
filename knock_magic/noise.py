"""When many knocks come at once: which of them wait, and for whom, so that one message can tell of all.

Decisions only; the outbox keeps what waits, and merges what shares a grouping.
"""

from __future__ import annotations

import collections

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Deque, Dict, List, Mapping, Optional, Tuple

WINDOW_S = 60.0
LONGEST_WINDOW_S = 900.0
MOST_IN_WINDOW = 300  # knocks of one kernel, whatever they are; no hand starts more
RANKS_WAIT_S = 3.0  # ranks of one job fail within moments of each other
BATCH_WAIT_S = 1.0  # the next cell of a Run All begins at once
BATCH_LONGEST_S = 300.0  # then what ended is told, though the batch goes on

MOST_NAMES = 5
MOST_DIGESTED = 20
SHORT_ERROR = 60  # characters; in a digest the others need room too

DIGEST = "digest"
_WRONG = ("failed", "died", "stalled")

_LIVE = "live "
_NEVER_HELD = ("message", "test", "warning")


class Window:
    """A time in which failures of one kind are gathered."""

    def __init__(self, now: float, span_s: float) -> None:
        self.until = now + span_s
        self.span_s = span_s
        self.has_more = False


class Noise:
    """What one kernel knocked with lately."""

    def __init__(self, kernel: str) -> None:
        self._kernel = kernel
        self._windows: Dict[Tuple[str, str], Window] = {}
        self._recent: Deque[float] = collections.deque(maxlen=MOST_IN_WINDOW)

    def place(self, event: Mapping[str, Any], rules: Mapping[str, Any], now: float) -> Tuple[str, float]:
        """The grouping of `event` and when it may go: at once and alone, or with those of its kind."""
        kind = event["event"]
        if kind in _NEVER_HELD:
            return "", now
        if kind == "progress" and not event.get("note"):  # with a note it is news: it is going again
            return live(event["run"]), now
        if rules.get("rank") is not None and kind in ("failed", "died"):
            return f"rank {rules.get('job')}", now + RANKS_WAIT_S
        if kind == "failed":
            key = (event["name"], (event.get("error") or {}).get("type", ""))
            until = self._again(key, now)
            if until is not None:
                return f"again {self._kernel} {key}", until
        if rules.get("unasked") and kind == "finished":
            return f"batch {self._kernel}", now + BATCH_WAIT_S
        return self._flood(now)

    def _again(self, key: Tuple[str, str], now: float) -> Optional[float]:
        """Until when a failure of this kind waits for more of them; None for the first, which goes at once.

        While they go on, each window is twice as long as the one before: a loop that fails all night sends a few.
        """
        self._windows = {known: each for known, each in self._windows.items() if now < each.until + each.span_s}
        window = self._windows.get(key)
        if window is None or (now >= window.until and not window.has_more):
            self._windows[key] = Window(now, WINDOW_S)
            return None
        if now >= window.until:
            window = self._windows[key] = Window(now, min(2 * window.span_s, LONGEST_WINDOW_S))
        window.has_more = True
        return window.until

    def _flood(self, now: float) -> Tuple[str, float]:
        if len(self._recent) == MOST_IN_WINDOW and now - self._recent[0] < WINDOW_S:
            return f"flood {self._kernel}", self._recent[0] + WINDOW_S
        self._recent.append(now)
        return "", now


def live(run: str) -> str:
    """The grouping of a run's progress, of which only the newest is worth sending."""
    return f"{_LIVE}{run}"


def is_live(grouping: str) -> bool:
    """Whether it is some run's progress that is grouped so."""
    return grouping.startswith(_LIVE)


def goes_on(grouping: str, waited_s: float, cells_run: bool) -> bool:
    """Whether what waits in `grouping` waits on: the batch it belongs to is still running."""
    return grouping.startswith("batch ") and cells_run and waited_s < BATCH_LONGEST_S


def speaker(events: List[Dict[str, Any]]) -> Tuple[int, Dict[str, Any]]:
    """Which of `events`, the oldest first, speaks for all of them, and what it tells of the others.

    The last one; of ranks that failed the first, which is more often the cause than the ones that follow it.
    """
    ranks = sorted({rank for each in events for rank in _ranks(each)})
    index = 0 if len(ranks) > 1 else len(events) - 1
    others = [each for each in events if each is not events[index]]
    names = [name for each in others for name in (*each.get("among", ()), each["name"])]
    own = events[index]["name"]
    return index, {
        "more": events[index].get("more", 0) + sum(1 + each.get("more", 0) for each in others),
        "among": [f"rank {rank}" for rank in ranks]
        if len(ranks) > 1
        else list(dict.fromkeys(name for name in names if name != own))[-MOST_NAMES:],
    }


def digest(events: List[Dict[str, Any]]) -> Tuple[int, Dict[str, Any]]:
    """Which of `events` speaks for all that waited for a new day: the last one that went wrong, else the last.

    The others are told by outcome and name, what went wrong before all else, and more of them than elsewhere.
    """
    wrong = [at for at, each in enumerate(events) if each["event"] in _WRONG]
    index = wrong[-1] if wrong else len(events) - 1
    others = [each for each in events if each is not events[index]]
    told = [line for each in others for line in (*_digested(each), f"{each['event']} {each['name']}")]
    if not told:
        return index, {"more": events[index].get("more", 0), "among": list(events[index].get("among", ()))}
    told = [*_digested(events[index]), *told]
    told.sort(key=lambda line: line.partition(" ")[0] not in _WRONG)  # the order stays otherwise
    error = events[index].get("error")
    return index, {
        "note": DIGEST,
        "more": events[index].get("more", 0) + sum(1 + each.get("more", 0) for each in others),
        "among": told[:MOST_DIGESTED],
        "error": error and dict(error, message=error["message"][:SHORT_ERROR], traceback=None),
    }


def _digested(event: Mapping[str, Any]) -> List[str]:
    """What `event` tells of others since an earlier digest."""
    return list(event.get("among", ())) if event.get("note") == DIGEST else []


def _ranks(event: Mapping[str, Any]) -> List[int]:
    told = [int(each[5:]) for each in event.get("among", ()) if each.startswith("rank ") and each[5:].isdigit()]
    return told if event.get("rank") is None else [*told, event["rank"]]
