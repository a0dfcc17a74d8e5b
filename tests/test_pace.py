"""How long a loop still takes: by the pace of late, in numbers that can be checked by hand."""

from __future__ import annotations

import math
from typing import Iterable, Optional

import pytest

from knock_magic.pace import MOST_SAMPLES, Pace


def pace_of(spans: Iterable[float], start: float = 0.0) -> Pace:
    """A loop that stands at 0, and then takes each of `spans` seconds for a step."""
    pace, now = Pace(), start
    pace.add(now, 0)
    for step, span in enumerate(spans, 1):
        now += span
        pace.add(now, step)
    return pace


def test_a_steady_loop_takes_what_is_left_of_it() -> None:
    assert pace_of([2.0] * 10).left_s(25, 20.0) == pytest.approx(30.0)


def test_a_minute_of_compiling_is_no_guide() -> None:
    assert pace_of([60.0] + [1.0] * 9).left_s(20, 69.0) == pytest.approx(10.0)


def test_a_slow_first_epoch_is_no_guide() -> None:
    assert pace_of([30.0] * 10 + [10.0] * 10).left_s(40, 400.0) == pytest.approx(200.0)


def test_the_pauses_of_an_uneven_loop_count() -> None:
    """Validations between steps take time too; a median of the steps would not see them."""
    pace = pace_of([1.0, 1.0, 1.0, 1.0, 6.0] * 20)

    assert pace.left_s(200, 200.0) == pytest.approx(200.0, rel=0.05)


def test_the_step_that_goes_on_has_begun_already() -> None:
    pace = pace_of([10.0] * 4)

    assert pace.left_s(6, 44.0) == pytest.approx(16.0)
    assert pace.left_s(6, 1000.0) == pytest.approx(10.0), "but takes no more off than a step"


@pytest.mark.parametrize(
    ("pace", "total"),
    [
        (Pace(), 10),
        (pace_of([]), 10),
        (pace_of([1.0]), 10),
        (pace_of([1.0] * 5), None),
        (pace_of([1.0] * 5), math.inf),
        (pace_of([1.0] * 5), math.nan),
    ],
)
def test_what_nobody_can_know_is_not_told(pace: Pace, total: Optional[float]) -> None:
    assert pace.left_s(total, 10.0) is None


def test_nothing_is_left_of_what_is_done() -> None:
    assert pace_of([1.0] * 5).left_s(5, 9.0) == 0.0
    assert pace_of([1.0] * 5).left_s(3, 9.0) == 0.0


def test_a_loop_that_goes_back_begins_anew() -> None:
    pace = pace_of([100.0] * 5)
    for second in range(4):
        pace.add(600.0 + second, second)

    assert pace.left_s(10, 603.0) == pytest.approx(7.0)


def test_what_is_no_position_is_left_out() -> None:
    pace = pace_of([1.0] * 4)
    pace.add(4.5, math.nan)
    pace.add(math.inf, 7)

    assert pace.left_s(10, 4.0) == pytest.approx(6.0)


def test_a_million_steps_are_kept_in_a_few() -> None:
    pace = pace_of([0.5] * 20_000)

    assert len(pace._samples) <= MOST_SAMPLES
    assert pace.left_s(40_000, 10_000.0) == pytest.approx(10_000.0, rel=0.01)


def test_what_held_it_up_is_not_its_pace() -> None:
    pace = pace_of([2.0] * 10)
    pace.leave_out()
    assert pace.left_s(25, 3620.0) == pytest.approx(28.0)

    pace.add(3620.0, 11)
    pace.add(3622.0, 12)

    assert pace.left_s(25, 3622.0) == pytest.approx(26.0)
