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
    kind = type(scalar)  # not isinstance, which believes what the value says of itself
    if issubclass(kind, int) and kind is not bool:
        return _whole(int.__int__(scalar))
    if issubclass(kind, float):
        number = float.__float__(scalar)
        return number if math.isfinite(number) else str(number)
    return one_line(safe_str(scalar), TEXT_LIMIT)


def as_result(value: Any) -> Optional[Metric]:
    """`value` as a metric if it is one number, also in a 0-d array or tensor, or a truth value; else None."""
    scalar = _scalar(value)
    return as_metric(scalar) if issubclass(type(scalar), (int, float)) else None


def _whole(number: int) -> Metric:
    """`number`, or its size where it is too long to be a number to a reader of JSON, and slow to print."""
    return number if number.bit_length() <= 63 else float_text(number)


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
