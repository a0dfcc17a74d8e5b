"""`Training`: what a framework's callback drives. It reports into the run around it, else it is a run of its own."""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from types import FrameType
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Union

from knock_magic import knocker, loose, options, runs
from knock_magic.armed import begun, here, is_due, tell_progress
from knock_magic.endings import tell_end
from knock_magic.errors import MissingPackage
from knock_magic.event import Metric
from knock_magic.guard import guarded
from knock_magic.language import pick
from knock_magic.metrics import MOST_METRICS, as_metric
from knock_magic.runs import Run
from knock_magic.wording import became

Texts = Mapping[str, str]
Lazy = Callable[[], Mapping[str, Any]]

STOPPED = "early stopping"  # the metric that says why it stopped before its end
LEFT = "left"  # the note of what ended without a word
LOOK_S = 1.0
DEEPEST = 20  # frames between a callback and the loop that calls it

# How many of what: "5 epochs" and "epoch 12", in each language.
UNITS: Mapping[str, Mapping[str, Tuple[str, str]]] = {
    "epoch": {"en": ("{} epochs", "epoch {}"), "ko": ("{}에포크", "{}에포크")},
    "round": {"en": ("{} rounds", "round {}"), "ko": ("{}라운드", "{}라운드")},
    "evaluation": {"en": ("{} evaluations", "evaluation {}"), "ko": ("평가 {}번", "{}번째 평가")},
    "step": {"en": ("{} steps", "step {}"), "ko": ("{}스텝", "{}스텝")},
}


class Training:
    """One framework's trainings, one after the other.

    Within an armed cell, `knock.run` or a ``knock run`` it reports there, and that run knocks. Elsewhere each training is a run of
    its own, with the options of `knock.run`. It never raises but for wrong options, where they are written.
    A copy, also a pickled one, is as new: nothing of a run travels.
    """

    def __init__(self, name: Optional[str], given: Mapping[str, Any]) -> None:
        self._given = (name, dict(given))
        self._asked = options.from_values(name or "", given)
        self.lock = threading.RLock()  # for frameworks that call from several threads at once
        self.thread = threading.get_ident()  # that it was made in; a framework may call from others
        self._made_in = here()
        self._run: Optional[Run] = None
        self._rules: Mapping[str, Any] = {}
        self._is_own = False
        self._ends_well: Callable[[], bool] = _never
        self._why: Mapping[str, Metric] = {}
        self._looked_mono = -math.inf

    def __reduce__(self) -> Tuple[Any, ...]:
        return type(self), self._given

    @property
    def is_open(self) -> bool:
        """Whether one is going on that is told of."""
        return self._run is not None and not self._run.ended

    @guarded
    def begin(
        self,
        name: str,
        *,
        first: bool = True,
        ends_well: Optional[Callable[[], bool]] = None,
        thread: Optional[int] = None,
    ) -> None:
        """A training begins, called `name` where the options have no name.

        Args:
            name: what it is called.
            first: whether this process is the first of its job, for launchers that set no variable with its rank.
            ends_well: whether what ended without a word and without an error has ended well, for a framework that
                tells of no end at all; else it has not.
            thread: whose cell it is in, if not this thread's.
        """
        self._leave(None)
        self._run, self._is_own, self._ends_well, self._why = None, False, ends_well or _never, {}
        door = knocker.current()
        if door.settings.disable or not (first or runs.rank(os.environ) is not None):
            return
        outer, rules = here()
        if outer is None and self._made_in[0] is not None and not self._made_in[0].ended:
            outer, rules = self._made_in
        if outer is not None:
            self._run, self._rules = outer, rules
            return
        self._is_own = True
        self._rules = door.rules(self._asked, min_s=0.0)
        self._run = begun(door, self._asked.name or name, self._rules)
        loose.hold(self._leave, thread)

    @guarded
    def progress(self, step: Any, total: Any = None, metrics: Union[Mapping[str, Any], Lazy, None] = None) -> None:
        """Say how far it is.

        A number that is still on a GPU is left there until a message needs it. Metrics that are given by a function
        are asked for then, and once a second, for some frameworks take a millisecond to say them.
        """
        if self._run is None or self._run.ended:
            return
        if callable(metrics):
            now = time.monotonic()
            look = now - self._looked_mono >= LOOK_S or is_due(self._run, self._rules)
            self._looked_mono = now if look else self._looked_mono
            metrics = metrics() if look else None
        tell_progress(self._run, self._rules, step, total, metrics or {})

    @guarded
    def lower(self, metric: str, is_lower_better: bool) -> None:
        """The framework says whether less of `metric` is better, where its owner does not."""
        if self._run is not None and metric not in self._run.lower:
            self._run.lower = {**self._run.lower, metric: is_lower_better}

    @guarded
    def stopped(self, why: Texts) -> None:
        """It ends before its planned end, and that is why."""
        self._why = {STOPPED: pick(why, self._rules.get("lang"))}

    @guarded
    def end(self, error: Optional[BaseException] = None, metrics: Optional[Mapping[str, Any]] = None) -> None:
        """It is over, by `error` or well."""
        run, own = self._run, self._is_own
        self._run, self._is_own = None, False
        loose.let_go(self._leave)
        if run is None:
            return
        run.note({**told(metrics or {}), **self._why})
        if own:
            tell_end(run, error, with_source=self._rules["with_source"])
            door = knocker.current()
            if door.cells:
                door.cells.spoke()

    def _leave(self, error: Optional[BaseException]) -> None:
        """What it was in is over, and it said nothing."""
        if not self._is_own or self._run is None:
            return
        if error is not None or self._ends_well():
            self.end(error)
        else:  # somebody caught the error, so it is not known how it ended; but not well
            run = self._run
            run.interrupt(note=LEFT)
            self.end()


def _never() -> bool:
    return False


def told(metrics: Mapping[str, Any]) -> Dict[str, Metric]:
    """`metrics` as a message has them; what has no value is left out."""
    return {str(name): as_metric(value) for name, value in list(metrics.items())[:MOST_METRICS] if value is not None}


# Why it stopped.


def no_better(
    monitor: str, count: int, unit: str, best: Any = None, at: Optional[int] = None, in_unit: str = ""
) -> Texts:
    """`monitor` did not improve for `count` of `unit`; the `best` value was seen `at` that number of `in_unit`."""
    value = as_metric(best) if best is not None else None
    shown = f"{value:.4g}" if isinstance(value, float) else str(value)
    texts = {}
    for lang, said in _NO_BETTER.items():
        where = UNITS[in_unit or unit][lang][1].format(at) if at is not None else ""
        text = said["why"].format(monitor=monitor, span=UNITS[unit][lang][0].format(count))
        if value is not None:
            text += said["best at" if where else "best"].format(best=shown, where=where)
        texts[lang] = text
    return texts


_NO_BETTER = {
    "en": {
        "why": "{monitor} did not improve for {span}",
        "best": ", best {best}",
        "best at": ", best {best} at {where}",
    },
    "ko": {
        "why": "{span} 동안 {monitor} 값이 나아지지 않았어요",
        "best": "(가장 좋은 값 {best})",
        "best at": "(가장 좋은 값 {best}, {where})",
    },
}


def not_a_number(monitor: str, value: Any) -> Texts:
    """`monitor` is NaN or infinite."""
    return became(monitor, str(as_metric(value)))


# Frameworks.


def missing(error: ImportError, module: str, package: str) -> ImportError:
    """What to raise where `module` can't be imported, by `error`."""
    name = f"knock_magic.integrations.{module}"
    return MissingPackage(
        f"{name} needs {package}, which can't be imported here ({error}). Install it with: pip install {package}",
        f"{name}에는 {package} 패키지가 필요한데 불러올 수 없어요({error}). 설치: pip install {package}",
    )


def of_the_loop(name: str, module: str) -> Any:
    """The local variable `name` of the innermost function of the package `module` that has one and calls us; else None.

    Some loops tell their callbacks neither how long they are nor who else is called.
    """
    frame: Optional[FrameType] = sys._getframe(1)
    for _ in range(DEEPEST):
        if frame is None:
            return None
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] == module and name in frame.f_locals:
            return frame.f_locals[name]
        frame = frame.f_back
    return None


def one_with(found: Any, *attributes: str) -> Any:
    """The first of `found` (a collection, or nothing) that has all `attributes`; else None."""
    members: List[Any] = list(found) if isinstance(found, (list, tuple, set)) else []
    return next((each for each in members if all(hasattr(each, name) for name in attributes)), None)
