"""Whether a run came out better than what it is compared with. The courier compares too, so no heavy imports here."""

from __future__ import annotations

import math
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Mapping, Optional

    Verdict = Dict[str, Any]

BEST = "best"

# Parts of a name, between what separates words in one: ``val_loss``, ``rmse/test``, ``trainLoss``; with the names that
# XGBoost (https://xgboost.readthedocs.io/en/stable/parameter.html) and LightGBM
# (https://lightgbm.readthedocs.io/en/stable/Parameters.html#metric) give theirs.
_LESS_IS_MORE = (
    " loss losses error errors err rmse mse mae mape smape msle rmsle perplexity ppl nll bpc bpd wer cer ter fid kid lpips "
    "brier ece latency cost regret divergence kl distance eer hamming crossentropy bce ce deviance residual "
    "logloss mlogloss merror nloglik mphe huber chamfer hinge pinball quantile poisson tweedie kullback kld xent "
    "l1 l2 nrmse wape mase crps mpjpe epe "
)
_LESS_IS_MORE_KO = ("손실", "오차", "오류", "에러")
_WORD = re.compile(r"[Ll][12](?![^\W_])|[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_PHRASE = re.compile(r"neg(?:ative)?[\W_]*log[\W_]*likelihood|cross[\W_]*entropy", re.IGNORECASE)
_NO_METRIC = " scale weight weights coef norm "  # behind the name of one: ``loss_scale``


def is_lower_better(name: str) -> bool:
    """Whether less of the metric `name` is better: its name says loss, error, rmse, perplexity or the like."""
    if _PHRASE.search(name) or any(word in name for word in _LESS_IS_MORE_KO):
        return True
    words = [f" {word.lower()} " for word in _WORD.findall(name)]
    if not words or words[-1] in _NO_METRIC or " neg " in words:  # scikit-learn's scorers are all to rise
        return False
    return any(word in _LESS_IS_MORE for word in words)


def number(value: Any) -> Optional[float]:
    """`value` as a finite number, also from a text; else None."""
    if isinstance(value, bool):
        return None
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None


def against(
    metrics: Mapping[str, Any],
    rules: Mapping[str, Any],
    earlier: Optional[Mapping[str, Any]],
    lower: Optional[Mapping[str, bool]] = None,
) -> Optional[Verdict]:
    """The verdict that `rules` ask for, with what is known of `earlier` runs; None where they ask for none.

    Also where those are asked for and not known. `lower` says of which metrics less, or more, is known to be better.
    """
    metric, baseline = rules.get("metric"), rules.get("baseline")
    if not metric:
        return None
    is_lower = (lower or {}).get(metric, is_lower_better(metric))
    if number(metrics.get(metric)) is None:
        return {"metric": metric, "value": None, "seen": str(metrics.get(metric, ""))[:40]}
    if baseline != BEST:
        return of(metrics, metric, number(baseline), is_lower=is_lower)
    if earlier is None:
        return None
    best = earlier["lowest" if is_lower else "highest"]
    if best is None:
        return {"metric": metric, "value": number(metrics[metric]), "baseline": None, "runs": 0}
    return of(metrics, metric, best, earlier["best_of"], is_lower=is_lower)


def of(
    metrics: Mapping[str, Any], metric: str, baseline: Optional[float], runs: int = 0, *, is_lower: bool
) -> Optional[Verdict]:
    """The verdict on `metrics`, as an event carries it; None where there is nothing to compare.

    Args:
        metrics: what the run reported.
        metric: the name of the one that counts.
        baseline: what it is compared with; None: there is nothing yet.
        runs: of how many earlier runs the baseline is the best; 0: it was given.
        is_lower: whether less of it is better.
    """
    value = number(metrics.get(metric))
    if value is None or baseline is None:
        return None
    return {
        "metric": metric,
        "value": value,
        "baseline": baseline,
        "by": abs(value - baseline),
        "better": None if value == baseline else (value < baseline) == is_lower,
        "lower": is_lower,
        "runs": runs,
    }


def best_of(values: Any) -> Dict[str, Any]:
    """The `lowest` and `highest` of the numbers in `values`, None where there is none; and `best_of` how many.

    Both, for when a run begins nobody may have said yet which of them is the best.
    """
    found = [each for each in map(number, values) if each is not None]
    return {"lowest": min(found, default=None), "highest": max(found, default=None), "best_of": len(found)}
