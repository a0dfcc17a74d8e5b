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


@pytest.mark.parametrize(
    ("planned_at", "now", "attempts", "seconds"),
    [
        (100.0, 110.0, 1, 0.0),  # the first try takes a moment
        (100.0, 103.0, 2, 3.0),  # the first one failed
        (100.0, 4000.0, 1, 3900.0),  # nobody was there to try
        (160.0, 165.0, 1, 0.0),  # it was meant to wait for others of its kind
        (100.0, 50.0, 3, 0.0),  # the clock was set back
    ],
)
def test_it_is_late_only_against_its_plan(planned_at: float, now: float, attempts: int, seconds: float) -> None:
    assert retry.late(100.0, planned_at, now, attempts) == seconds
