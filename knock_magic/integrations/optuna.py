"""Optuna: ``study.optimize(objective, n_trials=100, callbacks=[KnockCallback()])``."""

from __future__ import annotations

import datetime
from typing import Any, Dict, Optional

from knock_magic.durations import say_duration
from knock_magic.guard import guarded
from knock_magic.training import Texts, Training, missing, of_the_loop

try:
    from optuna.study import StudyDirection
    from optuna.trial import FrozenTrial, TrialState
except ImportError as error:
    raise missing(error, "optuna", "optuna") from error


class KnockCallback:
    """Tell of a study: ``KnockCallback("tune", to="slack", every="30m")``; all can be left out.

    Optuna tells callbacks of each trial that has ended, and of nothing else. So the knock comes with the last trial
    where their number is known, else with the end of the cell or script. `n_trials` tells it where several run at once.
    It goes last in the list, behind those that may call ``study.stop()``: else the knock comes with the end of the
    cell or script, and without the reason.
    """

    def __init__(self, name: Optional[str] = None, *, n_trials: Optional[int] = None, **options: Any) -> None:
        self._training = Training(name, options)
        self._n_trials = n_trials
        self._done = 0
        self._total: Optional[int] = None
        self._deadline: Optional[datetime.datetime] = None
        self._counts = dict.fromkeys(_COUNTED.values(), 0)

    @guarded
    def __call__(self, study: Any, trial: FrozenTrial) -> None:
        at_once = bool(of_the_loop("reseed_sampler_rng", "optuna"))  # so it is where several trials run at once
        total = self._n_trials or (None if at_once else of_the_loop("n_trials", "optuna"))
        deadline = None if at_once else _deadline()
        why = None if at_once else _why_no_more(study, deadline)
        with self._training.lock:
            self._total, self._deadline = total, deadline
            if not self._training.is_open:
                self._done, self._counts = 0, dict.fromkeys(_COUNTED.values(), 0)
                thread = self._training.thread if at_once else None
                self._training.begin(study.study_name, ends_well=lambda: self._ended_well(study), thread=thread)
            if len(study.directions) == 1:
                self._training.lower("best_value", study.direction == StudyDirection.MINIMIZE)
            self._count(trial, total, why, _best(study))

    def _ended_well(self, study: Any) -> bool:
        """Whether it may have ended here as it was to: not where trials are missing, and nothing else ends it."""
        is_over = self._deadline is not None and datetime.datetime.now() >= self._deadline
        return self._total is None or is_over or bool(getattr(study, "_stop_flag", False))

    def _count(self, trial: FrozenTrial, total: Optional[int], why: Optional[Texts], best: Dict[str, Any]) -> None:
        self._done += 1
        if trial.state in _COUNTED:
            self._counts[_COUNTED[trial.state]] += 1
        metrics = {**best, **{word: count for word, count in self._counts.items() if count}}
        if why and self._done != total:
            self._training.stopped(why)
        if why or self._done == total:
            self._training.end(metrics=metrics)
        else:
            self._training.progress(self._done, total, metrics)


_COUNTED = {TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}


def _deadline() -> Optional[datetime.datetime]:
    """When its timeout is over."""
    limit, began = of_the_loop("timeout", "optuna"), of_the_loop("time_start", "optuna")
    return None if limit is None or began is None else began + datetime.timedelta(seconds=limit)


def _why_no_more(study: Any, deadline: Optional[datetime.datetime]) -> Optional[Texts]:
    """Why the loop ends after this trial, if it does."""
    if getattr(study, "_stop_flag", False):
        return {"en": "study.stop() was called", "ko": "study.stop()을 호출했어요"}
    if deadline is None or datetime.datetime.now() < deadline:
        return None
    limit = of_the_loop("timeout", "optuna")
    return {
        "en": f"its timeout of {say_duration(limit, 'en')} is over",
        "ko": f"제한 시간 {say_duration(limit, 'ko')}이 지났어요",
    }


def _best(study: Any) -> Dict[str, Any]:
    try:
        if len(study.directions) > 1:
            return {"best_trials": len(study.best_trials)}
        best = study.best_trial
    except ValueError:  # no trial was completed yet
        return {}
    params = ", ".join(f"{name}={_short(value)}" for name, value in best.params.items())
    return {"best_value": best.value, "best_trial": best.number, "best_params": params}


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
