"""Hugging Face's Trainer: ``Trainer(..., callbacks=[KnockCallback()])``."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional

from knock_magic.guard import guarded
from knock_magic.training import Training, missing, no_better, of_the_loop, one_with

try:
    import transformers
except ImportError as error:
    raise missing(error, "transformers", "transformers") from error

# What the Trainer logs of its own speed; the message has its own time.
_OF_SPEED = ("runtime", "per_second", "flos", "num_input_tokens_seen", "jit_compilation_time")


class KnockCallback(transformers.TrainerCallback):  # type: ignore[misc,unused-ignore]
    """Tell of a `train`: ``KnockCallback("bert", to="slack", every="30m")``; all can be left out.

    The Trainer does not tell callbacks of an error. In a notebook the cell's end does; in a script, its end.
    """

    def __init__(self, name: Optional[str] = None, **options: Any) -> None:
        self._training = Training(name, options)
        self._early: Any = None

    @guarded
    def on_train_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        self._early = one_with(of_the_loop("self", "transformers").callbacks, "early_stopping_patience_counter")
        name = type(others.get("model")).__name__ if others.get("model") is not None else "Trainer"
        self._training.begin(name, first=state.is_world_process_zero)

    @guarded
    def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        self._training.progress(state.global_step, state.max_steps)

    @guarded
    def on_log(
        self, args: Any, state: Any, control: Any, logs: Optional[Mapping[str, Any]] = None, **others: Any
    ) -> None:
        self._training.progress(state.global_step, state.max_steps, _told(logs or {}, args))

    @guarded
    def on_train_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        early, self._early = self._early, None
        monitor = str(args.metric_for_best_model or "")
        if early is not None and early.early_stopping_patience_counter >= early.early_stopping_patience:
            at = getattr(state, "best_global_step", None)
            count = early.early_stopping_patience_counter
            self._training.stopped(no_better(monitor, count, "evaluation", state.best_metric, at, "step"))
        best = {f"best_{monitor}": state.best_metric} if monitor else {}
        for name in best if args.greater_is_better is not None else ():
            self._training.lower(name, not args.greater_is_better)
        self._training.end(metrics={"step": f"{state.global_step}/{state.max_steps}", **best})


def _told(logs: Mapping[str, Any], args: Any) -> Dict[str, Any]:
    kept = {name: value for name, value in logs.items() if not name.endswith(_OF_SPEED)}
    if "epoch" in kept:
        kept["epoch"] = f"{kept['epoch']:.4g}" + (f"/{args.num_train_epochs:.4g}" if args.max_steps <= 0 else "")
    return kept
