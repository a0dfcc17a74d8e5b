"""Values of a user's own become numbers or short texts, whatever they are."""

from __future__ import annotations

import decimal
import enum
import fractions
import json
import math
from typing import Any

import pytest
from hypothesis import given, strategies as st

from knock_magic.metrics import TEXT_LIMIT, as_metric, as_result


class Scalar:
    """What numpy's and torch's 0-d values have in common."""

    def __init__(self, value: Any, shape: Any = ()) -> None:
        self.value = value
        self.shape = shape

    def item(self) -> Any:
        if isinstance(self.value, Exception):
            raise self.value
        return self.value

    def __str__(self) -> str:
        return "as text"


class Level(enum.IntEnum):
    HIGH = 3


class Odd(int):
    def __int__(self) -> int:
        raise ValueError

    def bit_length(self) -> int:
        raise ValueError

    def __str__(self) -> str:
        raise ValueError


class Rough(float):
    def __float__(self) -> float:
        raise ValueError

    def __str__(self) -> str:
        raise ValueError


class Pretender:
    """Says that it is a number, and is none."""

    @property
    def __class__(self) -> Any:  # type: ignore[override]
        return float

    def __str__(self) -> str:
        return "pretender"


VALUES = [
    (3, 3),
    (-0.5, -0.5),
    (True, "True"),
    (None, "None"),
    (Level.HIGH, 3),
    (Odd(7), 7),
    (Rough(0.5), 0.5),
    (float("nan"), "nan"),
    (float("inf"), "inf"),
    (float("-inf"), "-inf"),
    (2**62, 2**62),
    (10**400, "about 1e400"),
    (-(10**400), "about -1e400"),
    (Scalar(0.25), 0.25),
    (Scalar(float("nan")), "nan"),
    (Scalar(ValueError("on another device")), "as text"),
    (Scalar(1, (2, 3)), "as text"),
    (Scalar(1, None), "as text"),
    (decimal.Decimal("0.91"), "0.91"),
    (fractions.Fraction(1, 3), "1/3"),
    ("two\nlines \x1b[31mred", "two lines red"),
    (Pretender(), "pretender"),
]


@pytest.mark.parametrize(("value", "expected"), VALUES, ids=[type(value).__name__ for value, _ in VALUES])
def test_numbers_stay_and_all_else_is_text(value: Any, expected: Any) -> None:
    metric = as_metric(value)

    assert (metric, type(metric)) == (expected, type(expected))


def test_a_long_text_is_cut() -> None:
    assert len(str(as_metric("x" * 50_000_000))) == TEXT_LIMIT


def test_only_single_numbers_are_results() -> None:
    values = [3, 0.5, True, Scalar(0.25), "3", None, [1], Scalar(1, (1,)), Pretender()]

    assert [as_result(value) for value in values] == [3, 0.5, "True", 0.25, None, None, None, None, None]


anything = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters()), st.binary(), st.decimals(),
        st.complex_numbers(), st.datetimes(), st.builds(object), st.integers().map(lambda exponent: 10 ** abs(exponent % 9999)),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(st.text(max_size=5), inner, max_size=5), inner.map(Scalar)),
    max_leaves=20,
)  # fmt: skip


@given(anything)
def test_anything_becomes_json(value: Any) -> None:
    metric = as_metric(value)

    assert json.loads(json.dumps(metric, allow_nan=False)) == metric
    assert type(metric) in (int, float, str)
    assert not isinstance(metric, float) or math.isfinite(metric)
    assert not isinstance(metric, str) or (len(metric) <= TEXT_LIMIT and "\n" not in metric)
