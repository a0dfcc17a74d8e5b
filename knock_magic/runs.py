"""`Run`: one timed piece of work. It changes state, and hands an `Event` to whom it was given."""

from __future__ import annotations

import functools
import getpass
import os
import platform
import sys
import threading
import time
import uuid
from typing import Any, Callable, Dict, Mapping, Optional

from knock_magic.event import ErrorInfo, Event, Metric, Progress
from knock_magic.rules import ENDINGS

Tell = Callable[[Event], None]


class Run:
    """One piece of work, from `start` to exactly one of `finish`, `fail`, `interrupt` and `die`.

    >>> run = Run("train", tell=events.append)
    >>> run.start()
    >>> run.finish({"acc": 0.91})

    What is called after the end is ignored, so a callback that comes late does no harm.
    """

    def __init__(
        self,
        name: str,
        tell: Tell,
        *,
        notebook: Optional[str] = None,
        execution_count: Optional[int] = None,
        started_at: Optional[float] = None,
        started_mono: Optional[float] = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.id = str(uuid.uuid4())
        self.ended = False
        self._pid = os.getpid()
        self._tell = tell
        self._clock = clock
        self.started_mono = self._said_mono = clock() if started_mono is None else started_mono
        self._latest: Mapping[str, Metric] = {}
        self._told: Mapping[str, Metric] = {}  # the numbers as progress told them last
        self._first = Event(
            event="started",
            name=name,
            run=self.id,
            started_at=wall() if started_at is None else started_at,
            host=host(),
            user=user(),
            notebook=notebook,
            execution_count=execution_count,
            rank=rank(os.environ),
        )
        self.lower: Dict[str, bool] = {}  # whether less of a metric is better, where somebody knows it
        self.track: Any = None  # what is seen of it from outside, where somebody looks (`signs`)
        self.adds: Callable[[str], Optional[Mapping[str, Any]]] = lambda event: None  # facts for what is told next
        # The end is told by the loop's thread, and what is seen of it on the way by another one.
        self._telling = threading.RLock()
        self._suspended_before = suspended_s()
        self.measure(peak_bytes)

    @property
    def started_at(self) -> float:
        """When it began, in seconds since the epoch."""
        return self._first.started_at

    def start(self) -> None:
        """Say that it begins."""
        self._tell(self._first)

    def measure(self, peak: Callable[[], int]) -> None:
        """Take the most memory that was held so far from `peak`, which also counts what was before this run."""
        self._peak, self._peak_before = peak, peak()

    def is_quiet_for(self, seconds: float) -> bool:
        """Whether nothing was said of it for `seconds`."""
        return self._clock() - self._said_mono >= seconds

    def knows(self, metric: str) -> bool:
        """Whether something was reported as `metric`."""
        if self.track:
            self.track.settle()
        return metric in self._latest

    def note(self, metrics: Mapping[str, Metric]) -> None:
        """Keep its latest metrics, for what is said next and for its end."""
        self._latest = {**self._latest, **metrics}

    def progress(
        self,
        progress: Optional[Progress],
        metrics: Optional[Mapping[str, Metric]] = None,
        *,
        note: Optional[str] = None,
    ) -> None:
        """Say how far it is; None: only that it goes on."""
        self._said_mono = self._clock()
        self._say("progress", progress=progress, metrics=metrics, note=note)

    def stall(self, still_s: float, progress: Optional[Progress]) -> None:
        """Say that nothing has happened for `still_s`."""
        self._say("stalled", progress=progress, still_s=still_s)

    def warn(self, note: str, progress: Optional[Progress], about: str = "") -> None:
        """Say that something is wrong with it, though it goes on; `note` says what, and `about` with which metric."""
        self._say("warning", progress=progress, note=note, text=about or None)

    def finish(self, metrics: Optional[Mapping[str, Metric]] = None, *, note: Optional[str] = None) -> None:
        """Say that it is done."""
        self._say("finished", metrics=metrics, note=note)

    def fail(self, error: ErrorInfo, metrics: Optional[Mapping[str, Metric]] = None) -> None:
        """Say that it ended by an error."""
        self._say("failed", error=error, metrics=metrics)

    def interrupt(self, metrics: Optional[Mapping[str, Metric]] = None, *, note: Optional[str] = None) -> None:
        """Say that someone stopped it."""
        self._say("interrupted", metrics=metrics, note=note)

    def die(self, error: ErrorInfo, *, note: Optional[str] = None) -> None:
        """Say that it was killed; for who runs it in a process of its own, and lives on."""
        self._say("died", error=error, note=note)

    def _say(
        self,
        event: str,
        *,
        error: Optional[ErrorInfo] = None,
        progress: Optional[Progress] = None,
        metrics: Optional[Mapping[str, Metric]] = None,
        note: Optional[str] = None,
        still_s: float = 0.0,
        text: Optional[str] = None,
    ) -> None:
        if os.getpid() != self._pid:  # a forked child never speaks for its parent
            return
        with self._telling:
            if self.ended:
                return
            more = self.adds(event) or {}
            self.ended = event in ENDINGS
            metrics = {**self._latest, **(metrics or {})}
            before = self._told if event == "progress" else {}
            if event == "progress":
                self._told = {name: value for name, value in metrics.items() if not isinstance(value, str)}
            duration = self._clock() - self.started_mono
            slept, peak = suspended_s() - self._suspended_before, self._peak()
            facts: Dict[str, Any] = {
                "id": str(uuid.uuid4()),
                "event": event,
                "duration_s": duration,
                # Not a second reading of the wall clock: it may have been set meanwhile.
                "ended_at": self._first.started_at + duration + slept if self.ended else None,
                "slept_s": slept,
                "error": error,
                "progress": progress,
                "metrics": metrics,
                "before": before,
                "note": note,
                "still_s": still_s,
                "text": text,
                "lower": self.lower,
                # One that is no higher than before may be of another piece of work.
                "peak_bytes": peak if peak > self._peak_before else None,
                **more,
            }
            self._tell(self._first.but(**facts))


@functools.lru_cache(maxsize=1)
def host() -> str:
    """This machine's name."""
    return platform.node()


@functools.lru_cache(maxsize=1)
def user() -> str:
    """Who runs this; the number where the name is unknown, as in many containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return str(os.getuid()) if hasattr(os, "getuid") else ""


# What launchers of distributed jobs set (torchrun, Slurm, Open MPI), the one that counts over all machines first.
_RANKS = ("RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "LOCAL_RANK")
_JOBS = ("TORCHELASTIC_RUN_ID", "SLURM_JOB_ID", "PMIX_NAMESPACE", "MASTER_PORT")


def rank(environ: Mapping[str, str]) -> Optional[int]:
    """This process's rank in its distributed job; None outside of one."""
    found = next((environ[name] for name in _RANKS if environ.get(name, "").isdecimal()), None)
    return None if found is None else int(found)


def job(environ: Mapping[str, str]) -> str:
    """A name that the ranks of one job on this machine share: the launcher's, else its process."""
    named = next((f"{name}={environ[name]}" for name in _JOBS if environ.get(name, "") not in ("", "none")), "")
    return named or f"parent={os.getppid()}"


def suspended_s() -> float:
    """Seconds this machine has been suspended since it started, which the monotonic clock leaves out (Linux)."""
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return 0.0
    slept = time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
    return round(slept, 1)


def peak_bytes(*, of_children: bool = False) -> int:
    """The most memory that this process, or the largest that it has waited for, ever held; 0 where nobody tells."""
    try:
        import resource  # there is none on Windows
    except ImportError:
        return 0
    used = resource.getrusage(resource.RUSAGE_CHILDREN if of_children else resource.RUSAGE_SELF)
    return used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)  # getrusage(2): kilobytes, on macOS bytes


def peak_bytes_of_children() -> int:
    """The same of the largest process that this one has waited for."""
    return peak_bytes(of_children=True)
