"""scikit-learn's search: ``KnockCallback().fit(GridSearchCV(model, grid), x, y)``."""

from __future__ import annotations

import contextlib
from typing import Any, Callable, Dict, Iterator, Optional

from knock_magic.guard import guarded
from knock_magic.training import Training, missing

try:
    from sklearn import model_selection
    from sklearn.base import is_classifier
    from sklearn.model_selection import _search
except ImportError as error:
    raise missing(error, "sklearn", "scikit-learn") from error


class KnockCallback:
    """Tell of a search: ``KnockCallback("grid", to="slack", every="30m")``; all can be left out."""

    def __init__(self, name: Optional[str] = None, **options: Any) -> None:
        self._training = Training(name, options)

    def fit(self, search: Any, x: Any, y: Any = None, **others: Any) -> Any:
        """``search.fit(x, y, **others)``, told of; gives the search."""
        estimator = getattr(search, "estimator", None)
        self._training.begin(" ".join(type(each).__name__ for each in (search, estimator) if each is not None))
        total = _total(search, x, y, others.get("groups"))
        try:
            with _counted(lambda done: self._training.progress(done, total)):
                search.fit(x, y, **others)
        except BaseException as error:
            self._training.end(error)
            raise
        self._training.end(metrics=_best(search))
        return search


@guarded
def _total(search: Any, x: Any, y: Any, groups: Any) -> Optional[int]:
    """How many models it will fit, where that is known before."""
    if hasattr(search, "factor"):  # a halving search
        return None
    if hasattr(search, "param_grid"):
        candidates = len(model_selection.ParameterGrid(search.param_grid))
    elif hasattr(search, "param_distributions"):
        candidates = len(
            list(model_selection.ParameterSampler(search.param_distributions, search.n_iter, random_state=0))
        )
    else:
        return None
    folds = model_selection.check_cv(search.cv, y, classifier=is_classifier(search.estimator))
    return candidates * int(folds.get_n_splits(x, y, groups))


@contextlib.contextmanager
def _counted(tell: Callable[[int], None]) -> Iterator[None]:
    """Within, `tell` gets the number of models that have been fitted.

    A search has no callbacks before scikit-learn 1.9. It works through joblib, which calls `print_progress` after each
    model, in whichever process that was fitted.
    """
    plain = getattr(_search, "Parallel", None)
    if plain is None:
        yield
        return
    before, latest = 0, 0

    class Counting(plain):  # type: ignore[misc,valid-type]
        def print_progress(self) -> None:
            nonlocal before, latest
            if self.n_completed_tasks < latest:  # a halving search's next round
                before, latest = before + latest, 0
            latest = self.n_completed_tasks
            tell(before + latest)
            super().print_progress()

    _search.Parallel = Counting
    try:
        yield
    finally:
        _search.Parallel = plain


@guarded
def _best(search: Any) -> Dict[str, Any]:
    told: Dict[str, Any] = {}
    results = search.cv_results_
    if hasattr(search, "best_score_"):
        params = ", ".join(f"{name}={value}" for name, value in search.best_params_.items())
        told = {"best_score": search.best_score_, "best_params": params}
    told["candidates"] = len(results["params"])
    bad = sum(1 for score in results.get("mean_test_score", ()) if score != score)
    return {**told, "failed_candidates": bad} if bad else told
