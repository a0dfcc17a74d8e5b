"""When to try again: arithmetic only, so that a table of tests can hold it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

FIRST_S = 2.0
LONGEST_S = 15 * 60.0
LONGEST_ASKED_S = 6 * 3600.0  # what a provider may ask of us at most
EXPIRES_S = 24 * 3600.0
LATE_S = 30.0  # a first try within this is on time: starting a process and finding a server take a while


def next_delay(attempts: int, asked_s: Optional[float], chance: float) -> float:
    """Seconds to wait after the failed try number `attempts` (1 is the first).

    Exponential backoff with full jitter: somewhere between nothing and the doubled ceiling, by `chance` in
    [0, 1), so that many senders do not come back at once; at least half a second, and what the provider asked.
    """
    ceiling = min(LONGEST_S, FIRST_S * 2.0 ** min(attempts - 1, 30))
    delay = max(0.5, ceiling * chance)
    return delay if asked_s is None else max(delay, min(asked_s, LONGEST_ASKED_S))


def late(happened_at: float, planned_at: float, now: float, attempts: int) -> float:
    """Seconds that a knock is late: how long ago it happened, unless its first try came within half a minute of plan."""
    return max(0.0, now - happened_at) if attempts > 1 or now - planned_at > LATE_S else 0.0
