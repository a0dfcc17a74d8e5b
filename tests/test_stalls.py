"""When a run has stalled: the decisions, in tables. Seconds throughout."""

from __future__ import annotations

from typing import Optional

import pytest

from knock_magic import stalls
from knock_magic.courier import _hangs
from knock_magic.event import Event
from knock_magic.life import has_worked
from knock_magic.stalls import Pulse
from knock_magic.template import render

MINUTE, HOUR = 60.0, 3600.0


@pytest.mark.parametrize(
    ("asked", "slowest", "steps", "limit"),
    [
        (900.0, 0.0, 0, 900.0),  # as asked, whatever the loop does
        (900.0, 4000.0, 100, 900.0),
        (1.0, 0.0, 0, 1.0),
        (None, 0.0, 0, None),  # without a pace of its own nothing is too long
        (None, 500.0, 2, None),
        (None, 0.1, 1000, 5 * MINUTE),  # never under some minutes
        (None, 20 * MINUTE, 3, 100 * MINUTE),  # several times its slowest step
    ],
)
def test_what_is_too_long(asked: Optional[float], slowest: float, steps: int, limit: Optional[float]) -> None:
    assert stalls.limit_s(asked, slowest, steps) == limit


@pytest.mark.parametrize(
    ("still", "idle", "limit", "stalled"),
    [
        (10 * MINUTE, 10 * MINUTE, 5 * MINUTE, True),
        (5 * MINUTE, 5 * MINUTE, 5 * MINUTE, True),
        (4 * MINUTE, 10 * MINUTE, 5 * MINUTE, False),  # it printed, or took a step
        (3 * HOUR, 0.0, 5 * MINUTE, False),  # a validation of three hours: it computes
        (3 * HOUR, 4 * MINUTE, 5 * MINUTE, False),  # a checkpoint that was written until a moment ago
        (10 * MINUTE, None, 5 * MINUTE, True),  # nobody can look into the process: steps and output have to do
        (4 * MINUTE, None, 5 * MINUTE, False),
        (24 * HOUR, 24 * HOUR, None, False),  # nothing was asked, and nothing is known of its pace
    ],
)
def test_what_has_stalled(still: float, idle: Optional[float], limit: Optional[float], stalled: bool) -> None:
    assert stalls.has_stalled(still, idle, limit) is stalled


@pytest.mark.parametrize(
    ("silent", "idle", "limit", "hung"),
    [
        (10 * MINUTE, 10 * MINUTE, 10 * MINUTE, True),
        (10 * MINUTE, 0.0, 10 * MINUTE, False),  # one long call that computes
        (29 * MINUTE, 0.0, 10 * MINUTE, False),
        (30 * MINUTE, 0.0, 10 * MINUTE, True),  # but not for ever
        (9 * MINUTE, 9 * MINUTE, 10 * MINUTE, False),
        (10 * MINUTE, None, 10 * MINUTE, False),  # nobody can look into it: then later
        (30 * MINUTE, None, 10 * MINUTE, True),
    ],
)
def test_what_does_not_respond(silent: float, idle: Optional[float], limit: float, hung: bool) -> None:
    assert stalls.is_unresponsive(silent, idle, limit) is hung


def test_time_in_which_nobody_could_look_does_not_count() -> None:
    """The machine slept, or a container was frozen."""
    assert stalls.passed(101.0, 100.0, 1.0) == 1.0
    assert stalls.passed(3700.0, 100.0, 1.0) == 2.0
    assert stalls.passed(99.0, 100.0, 1.0) == 0.0


@pytest.mark.parametrize(
    ("before", "after", "worked"),
    [
        ({1: (5.0, 0.0)}, {1: (5.0, 0.0)}, False),
        ({1: (5.0, 0.0)}, {1: (5.1, 0.0)}, False),  # a hundredth of a processor: what any kernel uses that waits
        ({1: (5.0, 0.0)}, {1: (5.3, 0.0)}, True),
        ({1: (5.0, 0.0)}, {1: (5.0, 4096.0)}, False),
        ({1: (5.0, 0.0)}, {1: (5.0, 1e6)}, True),  # a checkpoint that is written
        ({1: (5.0, 0.0), 2: (1.0, 0.0)}, {1: (5.0, 0.0), 2: (3.0, 0.0)}, True),  # a worker that loads data
        ({1: (5.0, 0.0)}, {1: (5.0, 0.0), 2: (0.0, 0.0)}, True),  # a worker that begins
        ({1: (5.0, 0.0), 2: (0.0, 0.0)}, {1: (5.0, 0.0)}, True),
    ],
)
def test_what_is_work(before: object, after: object, worked: bool) -> None:
    assert has_worked(before, after, 10.0) is worked  # type: ignore[arg-type]


# The pulse.


def test_silence_is_told_once_and_its_end_too() -> None:
    pulse = Pulse()
    assert pulse.beat(0.0, 2.0) is False

    news = [pulse.look(0.5 * number, False) for number in range(1, 10)]

    assert news == [False, False, False, True, False, False, False, False, False]
    assert pulse.beat(5.0, 2.0) is True
    assert pulse.beat(5.5, 2.0) is False


def test_a_suspended_machine_is_no_silence() -> None:
    pulse = Pulse()
    pulse.beat(0.0, 600.0)

    assert [pulse.look(now, False) for now in (30.0, 8 * HOUR, 8 * HOUR + 30)] == [False] * 3


def test_a_busy_interpreter_is_told_of_late() -> None:
    pulse = Pulse()
    pulse.beat(0.0, 2.0)

    news = [pulse.look(0.5 * number, True) for number in range(1, 13)]

    assert news.index(True) == 11


def test_a_courier_looks_seldom_where_nothing_was_asked() -> None:
    assert stalls.beat_s(None) == 30.0
    assert stalls.beat_s(900.0) == 30.0
    assert stalls.beat_s(2.0) == 0.5


def test_a_script_that_hangs_is_not_called_a_kernel() -> None:
    said = {
        (lang, is_script): render(Event("stalled", "train", 0.0, note=_hangs({"script": is_script})), lang=lang).title
        for lang in ("en", "ko")
        for is_script in (True, False)
    }

    assert "its Python does not respond" in said["en", True]
    assert "파이썬이 응답하지 않아요" in said["ko", True]
    assert "its kernel does not respond" in said["en", False]
