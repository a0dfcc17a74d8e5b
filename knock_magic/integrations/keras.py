"""Keras: ``model.fit(..., callbacks=[KnockCallback()])``, with any backend."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional

from knock_magic.guard import guarded
from knock_magic.training import Training, missing, no_better, not_a_number, of_the_loop, one_with

try:
    import keras
except ImportError as error:
    raise missing(error, "keras", "keras") from error


class KnockCallback(keras.callbacks.Callback):
    """Tell of a `fit`: ``KnockCallback("resnet", to="slack", every="30m")``; all can be left out.

    Keras does not tell callbacks of an error. In a notebook the cell's end does; in a script, its end.
    """

    def __init__(self, name: Optional[str] = None, **options: Any) -> None:
        super().__init__()
        self._training = Training(name, options)
        self._epoch = 0
        self._logs: Mapping[str, Any] = {}
        self._others: Any = ()

    @guarded
    def on_train_begin(self, logs: Optional[Mapping[str, Any]] = None) -> None:
        self._epoch, self._logs = 0, {}
        self._others = getattr(of_the_loop("self", "keras"), "callbacks", ())
        self._training.begin(str(getattr(self.model, "name", "") or "keras"))

    # The beginning of a batch, not its end: Keras hands out the numbers of a batch by waiting for them.
    @guarded
    def on_train_batch_begin(self, batch: int, logs: Optional[Mapping[str, Any]] = None) -> None:
        steps = self.params.get("steps")
        if steps:
            self._training.progress(self._epoch * steps + batch, steps * self._epochs, lambda: self._logs)

    @guarded
    def on_epoch_begin(self, epoch: int, logs: Optional[Mapping[str, Any]] = None) -> None:
        self._epoch = epoch

    @guarded
    def on_epoch_end(self, epoch: int, logs: Optional[Mapping[str, Any]] = None) -> None:
        steps = self.params.get("steps") or 1
        self._epoch = epoch + 1
        self._logs = {"epoch": f"{epoch + 1}/{self._epochs}", **(logs or {})}
        self._training.progress((epoch + 1) * steps, steps * self._epochs, self._logs)

    @guarded
    def on_train_end(self, logs: Optional[Mapping[str, Any]] = None) -> None:
        self._say_why()
        others, self._others = self._others, ()
        self._training.end(metrics={**self._logs, **_best(others)})

    @property
    def _epochs(self) -> int:
        return int(self.params.get("epochs") or 1)

    def _say_why(self) -> None:
        early = _early_stopping(self._others)
        if early is not None and early.stopped_epoch:
            at = getattr(early, "best_epoch", None)
            at = at + 1 if at is not None else None
            self._training.stopped(no_better(early.monitor, early.patience, "epoch", early.best, at))
        elif self._epoch < self._epochs and any(type(each).__name__ == "TerminateOnNaN" for each in self._others):
            loss = self._logs.get("loss", "nan")
            if loss != loss or loss in ("nan", "inf"):
                self._training.stopped(not_a_number("loss", loss))


def _early_stopping(others: Any) -> Any:
    return one_with(others, "stopped_epoch", "patience", "monitor", "best")


def _best(others: Any) -> Dict[str, Any]:
    """What its early stopping or its checkpoints hold for the best."""
    keeper = _early_stopping(others) or one_with(others, "save_best_only", "monitor", "best")
    best = getattr(keeper, "best", None)
    if best is None or best in (float("inf"), float("-inf")):
        return {}
    return {f"best_{keeper.monitor}": best}
