"""How well the time that is left is told, beside tqdm's own estimate, over simulated runs."""

from __future__ import annotations

import io
import random
from typing import Callable, Dict, Iterator, List, Tuple

from figures import Figure
from stage import LeftOut, Stage

from knock_magic.pace import Pace

ASKED_AT = (0.10, 0.25, 0.50, 0.75)  # of the time that the run takes in the end
STEPS = 1000
LOOK_S = 1.0  # how often we look at a bar

Kind = Callable[[random.Random], Tuple[List[float], int]]  # seconds of each step, and how many were announced


def measure(stage: Stage) -> Iterator[Figure]:
    try:
        import tqdm
    except ImportError:
        raise LeftOut("tqdm is not installed") from None
    ours_all, theirs_all = [], []
    for kind in KINDS:
        ours, theirs = errors(kind, stage.pick(10, 50), tqdm.tqdm)
        ours_all.append(ours)
        theirs_all.append(theirs)
        yield figure(f"time left, {kind.__name__}", ours, theirs)
    average = [
        [sum(each[at] for each in all_) / len(all_) for at in range(len(ASKED_AT))] for all_ in (ours_all, theirs_all)
    ]
    yield figure("time left, all of them", *average, main=True)


def figure(what: str, ours: List[float], theirs: List[float], *, main: bool = False) -> Figure:
    return Figure(
        what, shown(ours), "not worse than tqdm's", mean(ours) <= mean(theirs), f"tqdm: {shown(theirs)}", main=main
    )


def shown(shares: List[float]) -> str:
    """Of the length of the whole run, when a tenth, a quarter, half and three quarters of it are over."""
    return " / ".join(f"{share:.1%}" for share in shares)


def mean(values: List[float]) -> float:
    return sum(values) / len(values)


# Runs.


def steady(chance: random.Random) -> Tuple[List[float], int]:
    return [chance.lognormvariate(0, 0.3) for _ in range(STEPS)], STEPS


def warm_up(chance: random.Random) -> Tuple[List[float], int]:
    """The first step compiles for as long as a hundred others, the next fifty still warm up."""
    steps, _ = steady(chance)
    warming = [step * (1 + 3 * max(0, 50 - at) / 50) for at, step in enumerate(steps)]
    return [100.0, *warming[1:]], STEPS


def slow_first_epoch(chance: random.Random) -> Tuple[List[float], int]:
    """Ten epochs; in the first one the data is read from a slow disk."""
    steps, _ = steady(chance)
    return [step * (3 if at < STEPS // 10 else 1) for at, step in enumerate(steps)], STEPS


def slowing(chance: random.Random) -> Tuple[List[float], int]:
    """In the end each step takes twice as long as in the beginning."""
    steps, _ = steady(chance)
    return [step * (1 + at / STEPS) for at, step in enumerate(steps)], STEPS


def bursty(chance: random.Random) -> Tuple[List[float], int]:
    """After every hundredth step comes a validation as long as fifty of them; and some steps wait for data."""
    steps, _ = steady(chance)
    waits = [10.0 if chance.random() < 0.02 else 0.0 for _ in steps]
    return [step + wait + (50 if at % 100 == 99 else 0) for at, (step, wait) in enumerate(zip(steps, waits))], STEPS


def early_stopping(chance: random.Random) -> Tuple[List[float], int]:
    """It is over after 60 to 100 % of what was announced, which nobody can know."""
    steps, _ = steady(chance)
    return steps[: chance.randrange(6 * STEPS // 10, STEPS)], STEPS


KINDS: Tuple[Kind, ...] = (steady, warm_up, slow_first_epoch, slowing, bursty, early_stopping)


# Estimates.


def errors(kind: Kind, runs: int, tqdm: Callable) -> Tuple[List[float], List[float]]:
    """The mean absolute error of each, as a share of the run's length, at each of `ASKED_AT`."""
    found: Dict[str, List[List[float]]] = {"ours": [], "theirs": []}
    for number in range(runs):
        steps, total = kind(random.Random(number))
        for who, (told, length) in (("ours", by_us(steps, total)), ("theirs", by_tqdm(steps, total, tqdm))):
            found[who].append([abs(left - length * (1 - at)) / length for at, left in zip(ASKED_AT, told)])
    return tuple([mean(list(column)) for column in zip(*found[who])] for who in ("ours", "theirs"))  # type: ignore[return-value]


def by_us(steps: List[float], total: int) -> Tuple[List[float], float]:
    """We look every second, at where it is then."""
    ends = running_sum(steps)
    pace, done, told, now = Pace(), 0, [], 0.0
    wanted = [ends[-1] * at for at in ASKED_AT]
    while len(told) < len(wanted):
        while done < len(ends) and ends[done] <= now:
            done += 1
        pace.add(now, done)
        if now >= wanted[len(told)]:
            told.append(pace.left_s(total, now) or 0.0)
        now += LOOK_S
    return told, ends[-1]


def by_tqdm(steps: List[float], total: int, tqdm: Callable) -> Tuple[List[float], float]:
    """A bar of tqdm's own, with a clock of ours."""
    ends = running_sum(steps)
    clock = [0.0]
    bar = tqdm(total=total, file=io.StringIO(), mininterval=0.1)
    bar._time = lambda: clock[0]
    bar.start_t = bar.last_print_t = 0.0
    told: List[float] = []
    wanted = [ends[-1] * at for at in ASKED_AT]
    for end in ends:
        while len(told) < len(wanted) and end > wanted[len(told)]:
            said = bar.format_dict
            rate = said["rate"] or (said["n"] / wanted[len(told)])
            told.append((total - said["n"]) / rate if rate else 0.0)
        clock[0] = end
        bar.update(1)
    bar.close()
    return told, ends[-1]


def running_sum(steps: List[float]) -> List[float]:
    ends, now = [], 0.0
    for step in steps:
        now += step
        ends.append(now)
    return ends
