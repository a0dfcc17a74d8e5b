"""LightGBM: ``lightgbm.train(..., callbacks=[KnockCallback()])``, or its scikit-learn classes' `fit`."""

from __future__ import annotations

import copy
from typing import Any, Dict, Optional

from knock_magic.guard import guarded
from knock_magic.training import Training, missing, no_better, of_the_loop, one_with

try:
    import lightgbm
except ImportError as error:
    raise missing(error, "lightgbm", "lightgbm") from error


class KnockCallback:
    """Tell of a training: ``KnockCallback("trees", to="slack", every="30m")``; all can be left out.

    LightGBM does not tell callbacks of an error. In a notebook the cell's end does; in a script, its end.
    """

    # Before its early stopping (30), after which nobody is called any more once that has decided to stop.
    order = 25
    before_iteration = False

    def __init__(self, name: Optional[str] = None, **options: Any) -> None:
        self._training = Training(name, options)
        self._early: Any = None

    @guarded
    def __call__(self, env: Any) -> None:
        if env.iteration == env.begin_iteration or not self._training.is_open:
            self._early = one_with(
                of_the_loop("callbacks_after_iter", "lightgbm"), "stopping_rounds", "best_score_list"
            )
            self._training.begin("LightGBM")
            for data, metric, _, is_higher_better, *_ in env.evaluation_result_list or ():
                for name in (f"{data}-{metric}", f"best_{data}-{metric}"):
                    self._training.lower(name, not is_higher_better)
        metrics = {f"{each[0]}-{each[1]}": each[2] for each in env.evaluation_result_list or ()}
        done, total = env.iteration + 1 - env.begin_iteration, env.end_iteration - env.begin_iteration
        self._training.progress(done, total, metrics)
        verdict = _verdict(self._early, env)
        if verdict is None and done < total:
            return
        early, self._early = self._early, None
        best = self._best(early, env, verdict, is_last=done >= total) if verdict else {}
        self._training.end(metrics={**metrics, **best})

    def _best(self, early: Any, env: Any, verdict: Any, *, is_last: bool) -> Dict[str, Any]:
        at = verdict.best_iteration + 1
        scores = {f"{each[0]}-{each[1]}": each[2] for each in verdict.best_score or ()}
        if not scores:
            return {}
        # It stops by the first metric that has not improved, and does not tell which one that is.
        monitor = next(iter(scores)) if len(scores) == 1 else " / ".join(scores)
        if env.iteration - verdict.best_iteration >= early.stopping_rounds:
            best = next(iter(scores.values())) if len(scores) == 1 else None
            self._training.stopped(
                no_better(monitor, early.stopping_rounds, "round", best, at if best is not None else None)
            )
        return {**{f"best_{name}": value for name, value in scores.items()}, "best_iteration": at}


def _verdict(early: Any, env: Any) -> Optional[lightgbm.callback.EarlyStopException]:
    """What its early stopping will say next, asked of a copy, which keeps the thing itself as it is."""
    if early is None:
        return None
    double = copy.deepcopy(early)
    double.verbose = False
    try:
        double(env)
    except lightgbm.callback.EarlyStopException as verdict:
        return verdict
    return None
