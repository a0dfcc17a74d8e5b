"""Clocks that jump: the wall clock is set while something runs or waits, and the machine sleeps."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Callable, Iterator, List

import pytest
from conftest import Home, Kernel, linux_only
from phone import Phone
from road import ANY_NAME, Road, boot

from knock_magic import launch, runs
from knock_magic.event import Event
from knock_magic.runs import Run
from knock_magic.template import render

HOUR = 3600.0


class WallClock:
    """The wall clock of couriers: the real one, set by what stands in a file."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.set(0.0)

    def set(self, seconds: float) -> None:
        fresh = self._file.with_suffix(".new")
        fresh.write_text(repr(seconds))
        fresh.replace(self._file)

    @property
    def lines(self) -> List[str]:
        """What makes a process go by it."""
        return [
            "import time as clocks",
            f"clocks.time = lambda real=clocks.time: real() + float(open({str(self._file)!r}).read())",
        ]


@pytest.fixture
def clock(tmp_path: Path) -> WallClock:
    return WallClock(tmp_path)


@pytest.fixture
def road(tmp_path: Path, clock: WallClock, phone: Phone, monkeypatch: pytest.MonkeyPatch) -> Iterator[Road]:
    monkeypatch.setattr(launch, "_BOOT", boot(*ANY_NAME, *clock.lines))
    road = Road(tmp_path)
    road.teach("phone", phone.url)
    yield road
    road.kill()


@pytest.mark.parametrize("jump", [-10 * HOUR, 10 * HOUR])
def test_a_run_lasts_as_long_as_it_did_though_the_wall_clock_is_set(jump: float) -> None:
    told: List[Event] = []
    mono, wall = [100.0], [1_000_000.0]
    run = Run("train", told.append, clock=lambda: mono[0], wall=lambda: wall[0])
    run.start()

    mono[0] += 90.0
    wall[0] += 90.0 + jump
    run.finish()

    assert told[-1].duration_s == 90.0
    assert told[-1].ended_at == told[-1].started_at + 90.0


def test_what_the_machine_slept_is_told_and_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    slept = iter([5.0, 5.0 + 2 * HOUR])
    monkeypatch.setattr(runs, "suspended_s", lambda: next(slept))
    told: List[Event] = []
    mono = [100.0]
    run = Run("train", told.append, clock=lambda: mono[0], wall=lambda: 1_000_000.0)

    mono[0] += 90.0
    run.finish()

    assert (told[-1].duration_s, told[-1].slept_s) == (90.0, 2 * HOUR)
    assert told[-1].ended_at == told[-1].started_at + 90.0 + 2 * HOUR
    assert "The machine slept for 2 h" in render(told[-1], lang="en").text


@linux_only
def test_the_suspended_time_is_that_between_the_two_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's own two clocks: one goes on while the machine sleeps, the other doesn't (clock_gettime(2))."""
    real = time.clock_gettime
    asleep = [0.0]
    monkeypatch.setattr(time, "clock_gettime", lambda of: real(of) + (asleep[0] if of == time.CLOCK_BOOTTIME else 0.0))
    before = runs.suspended_s()

    asleep[0] = HOUR

    assert runs.suspended_s() - before == pytest.approx(HOUR, abs=0.2)


def test_what_waits_is_not_held_up_by_a_clock_that_is_set_back(road: Road, clock: WallClock, phone: Phone) -> None:
    phone.answer(503, {"Retry-After": "2"})
    told = road.tell("train")
    road.hear("result", id=told, ok=False)

    clock.set(-10 * HOUR)
    road.tell("news", ["nobody"])  # wakes it, as any line of a kernel does, and at the latest its next minute

    assert road.hear("result", id=told, ok=True, timeout=20)


def test_what_is_on_its_way_is_not_sent_again_by_a_clock_that_is_set_forward(
    road: Road, clock: WallClock, phone: Phone
) -> None:
    """Its lease has ended by the wall clock, but it is still being delivered, which the courier knows."""
    phone.answer(200, delay=1.5)
    told = road.tell("train")
    phone.wait_for_request()

    clock.set(2 * HOUR)
    other = road.tell("another")
    road.hear("result", id=told, ok=True)
    road.hear("result", id=other, ok=True)

    assert [knock["name"] for knock in phone.knocks] == ["train", "another"]


def test_a_cell_lasts_as_long_as_it_did_though_the_wall_clock_is_set(
    home: Home, phone: Phone, start_kernel: Callable[..., Kernel]
) -> None:
    kernel = start_kernel(home.knocking_at(phone)).load()

    kernel.run("%%knock train\nimport time\ntime.time = lambda real=time.time: real() - 36000")

    assert 0 <= phone.wait_for(name="train")["duration_s"] < 60
