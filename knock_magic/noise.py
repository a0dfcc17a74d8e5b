"""When many knocks come at once: which of them wait, and for whom, so that one message can tell of all.

Decisions only; the outbox keeps what waits, and merges what shares a grouping.
"""

from __future__ import annotations

import collections

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Deque, Dict, Mapping, Tuple

WINDOW_S = 60.0
MOST_IN_WINDOW = 300  # knocks of one kernel, whatever they are; no hand starts more
RANKS_WAIT_S = 3.0  # ranks of one job fail within moments of each other
BATCH_WAIT_S = 1.0  # the next cell of a Run All begins at once
BATCH_LONGEST_S = 300.0  # then what ended is told, though the batch goes on

_NEVER_HELD = ("message", "test", "warning")


class Noise:
    """What one kernel knocked with lately."""

    def __init__(self, kernel: str) -> None:
        self._kernel = kernel
        self._until: Dict[Tuple[str, str], float] = {}
        self._recent: Deque[float] = collections.deque(maxlen=MOST_IN_WINDOW)

    def place(self, event: Mapping[str, Any], rules: Mapping[str, Any], now: float) -> Tuple[str, float]:
        """The grouping of `event` and when it may go: at once and alone, or with those of its kind."""
        kind = event["event"]
        if kind in _NEVER_HELD:
            return "", now
        if rules.get("rank") is not None and kind in ("failed", "died"):
            return f"rank {rules.get('job')}", now + RANKS_WAIT_S
        if kind == "failed":
            key = (event["name"], (event.get("error") or {}).get("type", ""))
            if now < self._until.get(key, 0.0):
                return f"again {self._kernel} {key}", self._until[key]
            self._until = {known: until for known, until in self._until.items() if until > now}
            self._until[key] = now + WINDOW_S
        if rules.get("unasked") and kind == "finished":
            return f"batch {self._kernel}", now + BATCH_WAIT_S
        return self._flood(now)

    def _flood(self, now: float) -> Tuple[str, float]:
        if len(self._recent) == MOST_IN_WINDOW and now - self._recent[0] < WINDOW_S:
            return f"flood {self._kernel}", self._recent[0] + WINDOW_S
        self._recent.append(now)
        return "", now


def goes_on(grouping: str, waited_s: float, cells_run: bool) -> bool:
    """Whether what waits in `grouping` waits on: the batch it belongs to is still running."""
    return grouping.startswith("batch ") and cells_run and waited_s < BATCH_LONGEST_S


def merged(latest: Dict[str, Any], before: Any) -> Dict[str, Any]:
    """The event `latest`, speaking for the events `before` it too."""
    ranks = sorted({each["rank"] for each in (*before, latest) if each.get("rank") is not None})
    names = list(dict.fromkeys(each["name"] for each in before if each["name"] != latest["name"]))
    return dict(
        latest,
        more=latest.get("more", 0) + sum(1 + each.get("more", 0) for each in before),
        among=[f"rank {rank}" for rank in ranks] or names[-5:],
    )
