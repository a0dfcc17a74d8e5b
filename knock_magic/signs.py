"""What can be seen of a run from outside: its steps, how long it still takes, and whether it still lives.

One daemon thread, the sampler, looks at each open run about once a second; while none is open it sleeps, and it is
not there before the first one. In the loop itself nothing is done for it, but for what `knock.progress` is given.
"""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from knock_magic import bars, stalls, verdict
from knock_magic.curves import Curves
from knock_magic.event import Metric, Progress
from knock_magic.guard import guarded
from knock_magic.knocker import Knocker
from knock_magic.life import Work
from knock_magic.metrics import MOST_METRICS, as_metric
from knock_magic.output import output
from knock_magic.pace import Pace
from knock_magic.rules import ENDINGS
from knock_magic.runs import Run

TICK_S = 1.0
LEAST_TICK_S = 0.02
AT_ONCE_S = 0.01  # metrics that come faster than this are looked at when someone wants to know
NOT_FINITE = ("nan", "inf", "-inf")
LOOKS_FOR_WORK = 20  # in the time after which a run has stalled

Where = Tuple[int, Optional[int], float]  # step, total, and the place of the loop between two steps


class Track:
    """What is seen of one run.

    Args:
        run: the run.
        rules: its rules: how often to tell of it (`every_s`), and after how long it has stalled (`stall_s`).
        beat: tells the courier that this interpreter answers; None where it is not this one that works.
        heard: counts what the run has printed.
        helpers: gives the processes that are ours, and no part of the run.
    """

    def __init__(
        self,
        run: Run,
        rules: Mapping[str, Any],
        *,
        beat: Optional[Callable[[float, Optional[Progress]], None]] = None,
        heard: Callable[[], int] = lambda: output.count,
        helpers: Callable[[], List[int]] = list,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.run = run
        self._pid = os.getpid()
        self.rules = rules
        self._beat = beat
        self._heard = heard
        self._helpers = helpers
        self._clock = clock
        self._every_s: Optional[float] = rules.get("every_s") if "progress" in rules["on"] else None
        self._stalls = "stalled" in rules["on"]
        self._lock = threading.RLock()
        self._steps = Steps(run.started_at)
        self._curves = Curves(rules.get("metric") or "")
        self._pending: Dict[str, Any] = {}
        self._far: Dict[str, Any] = {}  # values that may take time to be looked at, for they are on a GPU
        self._known: Dict[str, Metric] = {}
        self._looked_at = 0.0
        self._warned = False
        self.inner: List[Track] = []  # of runs that began within this one
        self._stillness = Stillness(rules.get("stall_s"), Work(os.getpid()), clock())
        self._printed = heard()
        self._beaten = -math.inf
        self._looked = clock()
        run.adds = guarded(self._adds)
        if rules.get("metric") and rules.get("lower") is not None:
            run.lower = {rules["metric"]: rules["lower"]}

    @property
    def tick_s(self) -> float:
        """How often to look."""
        asked = [span / 8 for span in (self._every_s, self.rules.get("stall_s")) if span]
        return max(LEAST_TICK_S, min([TICK_S, *asked]))

    # What is reported.

    def report(self, step: Any, total: Any, metrics: Mapping[str, Any], due: bool) -> None:
        """The loop says where it is; this is called in it, so it is quick, and no GPU is waited for but when it is `due`.

        Then it is told as well, where it can be.
        """
        if os.getpid() != self._pid:  # a forked child speaks for nobody, and the lock may be held for ever there
            return
        now = self._clock()
        with self._lock:
            self._steps.report(now, step, total)
            self._pending.update(metrics)
            if due or now - self._looked_at >= AT_ONCE_S:
                self._looked_at = now
                self._steps.follow_report()
                self._look_at_metrics()
        if due and whole(step) is not None:
            self._tell(now)

    def _look_at_metrics(self) -> None:
        pending, self._pending = self._pending, {}
        found: Dict[str, Metric] = {}
        for name, value in list(pending.items())[: 2 * MOST_METRICS]:
            if name not in self._known and len(self._known) + len(found) >= MOST_METRICS:
                continue
            if is_at_hand(value):
                found[name] = self._taken(name, value)
                self._far.pop(name, None)
            elif name in self._far or len(self._far) < MOST_METRICS:
                self._far[name] = detached(value)
        self._note(found)

    def _look_far(self) -> None:
        """Look at what is on a GPU, for it has to be told now; not in the loop's thread, and outside the lock."""
        far, self._far = self._far, {}
        found = {name: self._taken(name, value) for name, value in far.items()}
        with self._lock:
            self._note(found)

    def _taken(self, name: str, value: Any) -> Metric:
        metric = value if type(value) is int and -(2**53) < value < 2**53 else as_metric(value)
        if isinstance(metric, (int, float)):
            self._curves.add(name, float(metric))
        return metric

    def _note(self, found: Dict[str, Metric]) -> None:
        if found:
            self._known.update(found)
            self.run.note(found)
            self._warn_of(found)

    def _warn_of(self, found: Mapping[str, Metric]) -> None:
        """Once in a run: a loss that is no number will not become one again."""
        wrong = {name: value for name, value in found.items() if value in NOT_FINITE and is_trouble(name, str(value))}
        if wrong and not self._warned and not self.rules.get("rank"):
            self._warned = True
            self.run.warn("nan", self._progress(self._clock(), with_eta=False), next(iter(wrong)))

    # What is seen.

    def look(self) -> bool:
        """Look at everything, and tell what has to be told; False once its run has ended."""
        if self.run.ended:
            return False
        now = self._clock()
        span, self._looked = stalls.passed(now, self._looked, self.tick_s), now
        with self._lock:
            moved = self._steps.look(now)
            self._look_at_metrics()
            self._take_numbers()
        printed, self._printed = self._printed, self._heard()
        if self._stalls:
            self._look_for_life(now, span, moved, printed != self._printed)
        # What has stalled is not on its way, and how long it still takes nobody knows.
        if (
            self._every_s
            and not self._stillness.told
            and self.run.is_quiet_for(self._every_s + self._patience(self._every_s))
        ):
            self._tell(now)
        return True

    def _patience(self, every_s: float) -> float:
        """A loop that reports is told of when it does, with where it is then; unless it is late with that."""
        return max(min(every_s, TICK_S), every_s / 10 if self._steps.reports else 0.0)

    def tell(self) -> None:
        """Tell now where it is, and all that is known of it."""
        self._tell(self._clock())

    def _tell(self, now: float) -> None:
        self._look_far()
        self.run.progress(self._progress(now))

    def _take_numbers(self) -> None:
        """What the bars show behind themselves counts as reported."""
        for name, value in self._steps.new_numbers():
            if name in self._known or len(self._known) < MOST_METRICS:
                self._note({name: self._taken(name, value)})

    def can_stall(self) -> bool:
        """Whether it will be told of, should nothing happen any more."""
        return not self.run.ended and self._stalls and self._stillness.limit_s is not None

    def _look_for_life(self, now: float, span: float, moved: bool, printed: bool) -> None:
        news = self._stillness.look(now, span, moved, printed, self._helpers)
        self.inner = [track for track in self.inner if not track.run.ended]
        if any(track.can_stall() for track in self.inner):  # one stall is told of once, and where it is
            self._stillness.start_again()
            self._stop_beating(now)
            return
        if news == STALLED:
            with self._lock:
                self._steps.stood()
            self.run.stall(self._stillness.still_s, self._progress(now, with_eta=False))
        elif news == AGAIN:
            self.run.progress(self._progress(now), note=AGAIN)
        limit = self._stillness.limit_s
        if self._beat and now - self._beaten >= stalls.beat_s(limit) - self.tick_s / 2:
            self._beaten = now
            self._beat(stalls.UNASKED_BEATS_S if limit is None else limit, self._progress(now, with_eta=False))

    def _stop_beating(self, now: float) -> None:
        if self._beat and self._beaten > -math.inf:
            self._beaten = -math.inf
            self._beat(0.0, self._progress(now, with_eta=False))

    def _progress(self, now: float, *, with_eta: bool = True) -> Optional[Progress]:
        with self._lock:
            progress = self._steps.progress(now)
        return progress if with_eta or progress is None else Progress(progress.step, progress.total)

    def settle(self) -> None:
        """Have the run know all that was reported to it."""
        with self._lock:
            self._look_at_metrics()

    # What is added when something is told.

    def _adds(self, event: str) -> Dict[str, Any]:
        with self._lock:
            self._look_at_metrics()
            curves = self._curves.written(self.run.lower)
        if event in ENDINGS:
            self._far.clear()  # it would keep memory of the GPU
        return {"curves": curves, "may_draw": "matplotlib" in sys.modules} if curves else {}


STALLED, AGAIN = "stalled", "again"


class Stillness:
    """How long a run has done nothing that can be seen."""

    def __init__(self, asked_s: Optional[float], work: Work, now: float) -> None:
        self._asked_s = asked_s
        self._work = work
        self._worked_at = now  # when we looked for work
        self._busy_looks = 0
        self._steps, self._slowest_s, self._step_s = 0, 0.0, 0.0
        self._idle_s: Optional[float] = None
        self.told = False  # that it has stalled
        self.still_s = 0.0

    @property
    def limit_s(self) -> Optional[float]:
        """How long is too long."""
        return stalls.limit_s(self._asked_s, self._slowest_s, self._steps)

    def look(
        self, now: float, span: float, moved: bool, printed: bool, helpers: Callable[[], List[int]]
    ) -> Optional[str]:
        """Count `span` seconds in which it `moved` or `printed`, or not; gives what is news."""
        self._step_s += span
        self.still_s = 0.0 if moved or printed else self.still_s + span
        if moved:
            if self._steps and not self.told:  # what came before the first step was no step
                self._slowest_s = max(self._slowest_s, self._step_s)
            self._steps, self._step_s = self._steps + 1, 0.0
        limit = self.limit_s
        if limit is None:
            return None
        self._look_for_work(now, limit, helpers)
        if self.told and (moved or printed or self._busy_looks > 1):  # once may be a hiccup of what hangs
            self.told, self._idle_s, self._step_s = False, 0.0, 0.0
            return AGAIN
        if not self.told and stalls.has_stalled(self.still_s, self._idle_s, limit):
            self.told, self._busy_looks = True, 0
            return STALLED
        return None

    def start_again(self) -> None:
        """Count from now."""
        self.told, self.still_s, self._idle_s = False, 0.0, None

    def _look_for_work(self, now: float, limit: float, helpers: Callable[[], List[int]]) -> None:
        interval = max(limit / LOOKS_FOR_WORK, min(TICK_S, limit / 4))
        if now - self._worked_at < interval and self._idle_s is not None:
            return
        worked = self._work.since_last(now, helpers())
        span, self._worked_at = stalls.passed(now, self._worked_at, max(interval, TICK_S)), now
        self._busy_looks = self._busy_looks + 1 if worked else 0
        self._idle_s = None if worked is None else 0.0 if worked else (self._idle_s or 0.0) + span


class Steps:
    """Where the loop is: as it says itself, else as its bars show."""

    def __init__(self, started_at: float) -> None:
        self._started_at = started_at
        self._pace = Pace()
        self._reported: Optional[Tuple[float, Any, Any]] = None
        self.reports = 0  # how often it has said so
        self._signs: Any = None  # what stands still while the loop does
        self._where: Optional[Where] = None
        self._outer: Optional[bars.Bar] = None
        self._is_repeated = False  # one bar after the other: of the whole nobody knows how long it is
        self._numbers: List[Tuple[str, float]] = []

    def report(self, now: float, step: Any, total: Any) -> None:
        """The loop says that it is at `step` of `total`."""
        self._reported = (now, step, total)
        self.reports += 1

    def stood(self) -> None:
        """It has stalled, which says nothing of how fast it goes."""
        self._pace.leave_out()

    def look(self, now: float) -> bool:
        """Find out where it is; gives whether it has moved."""
        before = self._signs
        if self._reported is not None:
            self._signs = self.reports
            self.follow_report()
        else:
            found = bars.seen(self._started_at)
            self._signs = [(bar.started_at, bar.at) for bar in found]
            if found:
                self._follow(now, found)
        return bool(self._signs) and self._signs != before

    def follow_report(self) -> None:
        """Take what it said last as where it is."""
        if self._reported is None:
            return
        now, step, total = self._reported
        at = whole(step)
        if at is not None:
            self._where = (at, whole(total), float(at))
            self._pace.add(now, float(at))

    def _follow(self, now: float, found: List[bars.Bar]) -> None:
        outer, before = found[0], self._outer
        if before is not None and outer.started_at > before.started_at:
            self._is_repeated = outer.total == before.total
            self._pace = Pace()
        self._outer = outer
        inner = next((bar for bar in found[1:] if not bar.is_full), None)
        at = outer.at + (inner.share if inner and inner.started_at >= outer.started_at else 0.0)
        if before is not None and before.started_at == outer.started_at and before.at == outer.at and self._where:
            at = max(at, self._where[2])  # training, then validation: the second bar of an epoch goes back to nothing
        self._where = (int(outer.at), whole(outer.total), at)
        self._pace.add(now, at)
        self._numbers = [pair for bar in found for pair in bar.numbers.items()]

    def new_numbers(self) -> List[Tuple[str, float]]:
        """What the bars showed behind themselves when they were looked at, once."""
        numbers, self._numbers = self._numbers, []
        return numbers

    def progress(self, now: float) -> Optional[Progress]:
        """How far it is; None while nothing tells."""
        if self._where is None:
            return None
        step, total, _ = self._where
        return Progress(step, total, None if self._is_repeated else self._pace.left_s(total, now))


# Values.


def is_at_hand(value: Any) -> bool:
    """Whether looking at `value` makes nobody wait: a tensor on a GPU would stop the loop until it is computed."""
    try:
        return type(value) in (int, float, str) or "cpu" in str(getattr(value, "device", "cpu")).lower()
    except Exception:  # somebody's own kind
        return False


def detached(value: Any) -> Any:
    """`value` without the graph that it was computed by, which would keep the memory of a whole step."""
    try:
        return value.detach()
    except Exception:  # it has none
        return value


def is_trouble(name: str, value: str) -> bool:
    """Whether it is bad news that the metric `name` is `value`: the best loss so far may well begin as infinite."""
    return value == "nan" or (
        verdict.is_lower_better(name) and not any(word in name.lower() for word in ("best", "min"))
    )


def whole(number: Any) -> Optional[int]:
    """`number` as a whole one; None where it is none, or one that no loop ever comes to."""
    try:
        found = int(number)
    except Exception:  # the loop must not end because of a step that is none
        return None
    return found if abs(found) < 2**63 else None


# The thread.


class Sampler:
    """The thread that looks."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._tracks: List[Track] = []
        self._thread: Optional[threading.Thread] = None
        self._news = threading.Event()
        self._tick_s: Optional[float] = None  # until it looks again; None: it sleeps

    def add(self, track: Track) -> None:
        """Look at one more, until its run has ended. Where no thread can be started, what is reported has to do."""
        if self._pid != os.getpid():  # a forked child has no thread of ours
            self._forget()
        with self._lock:
            output.put_in()
            # Not each time: to be woken costs the cell that begins more than all else here.
            is_news = self._tick_s is None or track.tick_s < self._tick_s
            self._tracks.append(track)
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="knock-signs", daemon=True)
                try:
                    self._thread.start()
                except RuntimeError:
                    self._thread = None
        if is_news:
            self._news.set()

    def only(self) -> Optional[Track]:
        """The run that is open, where it is just one."""
        found = [track for track in list(self._tracks) if not track.run.ended]
        return found[0] if len(found) == 1 else None

    def close(self) -> None:
        """Let the thread end, and leave the streams as they were."""
        with self._lock:
            self._thread = None
            self._tracks.clear()
            output.take_out()
        self._news.set()

    def _serve(self) -> None:
        news, looked = self._news, time.monotonic()
        while self._thread is threading.current_thread():
            self._drop_ended()
            with self._lock:
                self._tick_s = min((track.tick_s for track in self._tracks), default=None)
            if self._tick_s is None:
                news.wait()
                looked = time.monotonic()
            elif not news.wait(max(0.0, looked + self._tick_s - time.monotonic())):
                looked = time.monotonic()
                self._look()
            news.clear()

    def _look(self) -> None:
        for track in list(self._tracks):
            if not look(track):  # it has ended; or a fault of ours was logged, and once is enough
                self._drop(track)

    def _drop_ended(self) -> None:
        for track in list(self._tracks):
            if track.run.ended:
                self._drop(track)

    def _drop(self, track: Track) -> None:
        with self._lock:
            if track in self._tracks:
                self._tracks.remove(track)
            if not self._tracks and not output.keeps:
                output.take_out()


look = guarded(Track.look)
sampler = Sampler()


@guarded
def watch(
    door: Knocker, run: Run, rules: Mapping[str, Any], *, here: bool = True, outer: Optional[Run] = None, **options: Any
) -> None:
    """Look at `run` from here on, until it ends.

    Args:
        door: through which it is told.
        run: the run, started.
        rules: its rules.
        here: whether it is this interpreter that works on it.
        outer: the run that it is part of.
        options: more of `Track`.
    """

    def beat(limit: float, progress: Optional[Progress]) -> None:
        door.sidecar.beat(run.id, limit, progress)

    def helpers() -> List[int]:
        return [pid for pid in (door.sidecar.courier_pid,) if pid]

    run.track = Track(run, rules, beat=beat if here else None, helpers=helpers, **options)
    if outer and outer.track:
        outer.track.inner.append(run.track)
    sampler.add(run.track)
