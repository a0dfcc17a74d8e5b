"""Values of a user's own, made fit for a message: numbers stay numbers, all else is short text."""

from __future__ import annotations

import math
from typing import Any, Optional

from knock_magic.cleaning import one_line, safe_str
from knock_magic.event import Metric

TEXT_LIMIT = 200  # characters
MOST_METRICS = 50


def as_metric(value: Any) -> Metric:
    """`value` as a finite number, also from a 0-d array or tensor, or as text of at most 200 characters.

    JSON has no NaN and no infinity, so these are the texts ``nan``, ``inf`` and ``-inf``.
    """
    scalar = _scalar(value)
    if isinstance(scalar, bool) or not isinstance(scalar, (int, float)):
        return one_line(safe_str(scalar), TEXT_LIMIT)
    if isinstance(scalar, int):
        # A long integer is no number to any reader of JSON, and slow to print.
        return int(scalar) if scalar.bit_length() <= 63 else f"{float_text(scalar)}"
    return float(scalar) if math.isfinite(scalar) else str(float(scalar))


def as_result(value: Any) -> Optional[Metric]:
    """`value` as a metric if it is one number, also in a 0-d array or tensor, or a truth value; else None."""
    scalar = _scalar(value)
    return as_metric(scalar) if isinstance(scalar, (bool, int, float)) else None


def float_text(number: int) -> str:
    """A huge integer in powers of ten."""
    digits = int(number.bit_length() * math.log10(2))
    return f"about 1e{digits}" if number > 0 else f"about -1e{digits}"


def _scalar(value: Any) -> Any:
    """The Python number in a 0-d array, tensor or numpy scalar; `value` itself otherwise."""
    try:
        return value.item() if tuple(value.shape) == () else value
    except Exception:  # whatever it is, it is not ours, and its text will do
        return value
