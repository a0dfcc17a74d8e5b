from __future__ import annotations

import pytest

from knock_magic import retry


@pytest.mark.parametrize(
    ("attempts", "asked", "chance", "seconds"),
    [
        (1, None, 0.0, 0.5),  # never at once
        (1, None, 0.5, 1.0),
        (2, None, 0.5, 2.0),
        (4, None, 0.5, 8.0),
        (40, None, 0.5, 450.0),  # a quarter of an hour is the longest
        (1, 30.0, 0.0, 30.0),  # what the provider asked
        (8, 1.0, 0.5, 128.0),  # but not sooner than our own
        (1, 1e9, 0.0, 6 * 3600.0),  # and not for ever
        (10_000, None, 0.0, 0.5),
    ],
)
def test_it_backs_off_with_jitter(attempts: int, asked: float | None, chance: float, seconds: float) -> None:
    assert retry.next_delay(attempts, asked, chance) == seconds


def test_a_first_try_soon_after_is_on_time() -> None:
    assert retry.late(happened_at=100.0, now=110.0, attempts=1) == 0.0


def test_a_second_try_is_late() -> None:
    assert retry.late(happened_at=100.0, now=103.0, attempts=2) == 3.0


def test_a_first_try_after_a_long_wait_is_late() -> None:
    assert retry.late(happened_at=100.0, now=4000.0, attempts=1) == 3900.0


def test_a_clock_set_back_is_no_lateness() -> None:
    assert retry.late(happened_at=100.0, now=50.0, attempts=3) == 0.0
