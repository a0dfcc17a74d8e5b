"""XGBoost: ``xgboost.train(..., callbacks=[KnockCallback()])`` or ``XGBClassifier(callbacks=[KnockCallback()])``."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional

from knock_magic.guard import guarded
from knock_magic.training import Training, missing, no_better, of_the_loop, one_with

try:
    import xgboost
except ImportError as error:
    raise missing(error, "xgboost", "xgboost") from error


class KnockCallback(xgboost.callback.TrainingCallback):  # type: ignore[misc,unused-ignore]
    """Tell of a training: ``KnockCallback("trees", to="slack", every="30m")``; all can be left out.

    XGBoost does not tell callbacks of an error. In a notebook the cell's end does; in a script, its end.
    """

    def __init__(self, name: Optional[str] = None, **options: Any) -> None:
        super().__init__()
        self._training = Training(name, options)
        self._total: Optional[int] = None
        self._early: Any = None
        self._round = 0

    def before_training(self, model: Any) -> Any:
        self._begin()
        return model

    def after_iteration(self, model: Any, epoch: int, evals_log: Mapping[str, Any]) -> bool:
        self._report(epoch, evals_log)
        return False

    def after_training(self, model: Any) -> Any:
        self._end(model)
        return model

    @guarded
    def _begin(self) -> None:
        self._total = of_the_loop("num_boost_round", "xgboost")
        self._early = one_with(
            getattr(of_the_loop("self", "xgboost"), "callbacks", ()), "rounds", "current_rounds", "stopping_history"
        )
        self._training.begin("XGBoost", first=xgboost.collective.get_rank() == 0)

    @guarded
    def _report(self, epoch: int, evals_log: Mapping[str, Any]) -> None:
        self._round = epoch + 1
        self._training.progress(self._round, self._total, _latest(evals_log))

    @guarded
    def _end(self, model: Any) -> None:
        early, self._early = self._early, None
        metrics: Dict[str, Any] = {}
        if early is not None and early.stopping_history:
            data, scores = next(iter(early.stopping_history.items()))
            monitor = next(iter(scores))
            best = early.best_scores[data][monitor][-1]
            best = best[0] if isinstance(best, tuple) else best
            at = int(model.best_iteration) + 1  # counted from 1, as its progress is
            metrics = {f"best_{data}-{monitor}": best, "best_round": at}
            if early.maximize is not None:
                for name in (f"{data}-{monitor}", f"best_{data}-{monitor}"):
                    self._training.lower(name, not early.maximize)
            if early.current_rounds >= early.rounds:
                self._training.stopped(no_better(f"{data}-{monitor}", early.rounds, "round", best, at))
        self._training.end(metrics=metrics)


def _latest(evals_log: Mapping[str, Any]) -> Dict[str, Any]:
    """The last value of each metric, named as XGBoost prints it; of a cross-validation, the mean."""
    latest = {f"{data}-{name}": values[-1] for data, scores in evals_log.items() for name, values in scores.items()}
    return {name: value[0] if isinstance(value, tuple) else value for name, value in latest.items()}
