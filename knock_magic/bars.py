"""Live tqdm bars, seen from outside: nothing is imported or patched, and nothing is called that the loop waits for.

tqdm keeps its open bars in one weak set, ``tqdm.std.tqdm._instances`` (4.62 to 4.70), which its variants share. Attributes
are read rather than `format_dict`, which measures the screen and writes the size found into the bar.
"""

from __future__ import annotations

import math
import re
import sys
from typing import Any, Dict, List, NamedTuple, Optional

MOST = 20  # bars that are looked at
MOST_NUMBERS = 20  # of a bar's postfix
TRIES = 5  # the set may change while it is copied

# What `set_postfix(loss=0.3)` shows: ``loss=0.3, acc=0.91``. A number is taken whole or not at all: of ``0.25s``,
# ``99.97%`` and ``1,234.5`` the first digits are no value.
_NUMBER = re.compile(
    r"(?<![\w./@=:-])(?=[\w./@-]*[^\W\d])([\w./@-]{1,80})\s?[=:]\s?([-+]?(?:\d[\d.]{0,30}(?:e[-+]?\d{1,3})?|nan|inf))(?=$|[\s;)\]}|]|,(?!\d))",
    re.IGNORECASE,
)


class Bar(NamedTuple):
    """Where a bar stood."""

    at: float
    total: Optional[float]
    started_at: float
    called: str
    numbers: Dict[str, float]

    @property
    def is_full(self) -> bool:
        """Whether it has come to its end, and was only not closed."""
        return self.total is not None and self.at >= self.total

    @property
    def share(self) -> float:
        """How much of it is done, from 0 to 1; 0 where nobody knows how long it is."""
        return min(max(self.at / self.total, 0.0), 1.0) if self.total else 0.0


def seen(since: float) -> List[Bar]:
    """The bars that began at `since` (seconds since the epoch) or later, the outermost first.

    What is open and not full stands before what is full; of two loops the outer one began first.
    """
    found = [bar for bar in map(_read, _instances()) if bar is not None and bar.started_at >= since]
    return sorted(found, key=lambda bar: (bar.is_full, bar.started_at))[:MOST]


def _instances() -> List[Any]:
    std = sys.modules.get("tqdm.std")
    bars = getattr(getattr(std, "tqdm", None), "_instances", None)  # none before the first bar
    for _ in range(TRIES if bars else 0):
        try:
            return list(bars)  # type: ignore[arg-type]
        except RuntimeError:
            continue
    return []


def _read(bar: Any) -> Optional[Bar]:
    try:
        at, total = float(bar.n), bar.total
        total = None if total is None else float(total)
        whole = total if total is not None and math.isfinite(total) and total > 0 else None
        return (
            Bar(at, whole, float(bar.start_t), str(bar.desc or "")[:80], numbers(bar.postfix))
            if math.isfinite(at)
            else None
        )
    except Exception:  # a bar that is being made, or somebody's own kind
        return None


def numbers(postfix: Any) -> Dict[str, float]:
    """The numbers in what a bar shows behind itself."""
    if not isinstance(postfix, str) or not postfix:
        return {}
    found = {}
    for name, value in _NUMBER.findall(postfix[:2000])[:MOST_NUMBERS]:
        try:
            found[name] = float(value)
        except ValueError:  # 1.2.3
            pass
    return found
