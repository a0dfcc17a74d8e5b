"""Lightning: ``Trainer(callbacks=[KnockCallback()])``, of the package ``lightning`` as of ``pytorch_lightning``."""

from __future__ import annotations

import sys
from typing import Any, Dict, Optional

from knock_magic.guard import guarded
from knock_magic.training import Training, missing, no_better, one_with

# Two packages hold the same classes twice, and a Trainer takes only its own: the one the program has imported counts.
try:
    if "pytorch_lightning" in sys.modules and "lightning.pytorch" not in sys.modules:
        from pytorch_lightning.callbacks import Callback
    else:
        try:
            from lightning.pytorch.callbacks import Callback
        except ModuleNotFoundError:
            from pytorch_lightning.callbacks import Callback
except ImportError as error:
    raise missing(error, "lightning", "lightning") from error


class KnockCallback(Callback):  # type: ignore[misc,unused-ignore]
    """Tell of a `fit`: ``KnockCallback("resnet", to="slack", every="30m")``; all can be left out."""

    def __init__(self, name: Optional[str] = None, **options: Any) -> None:
        super().__init__()
        self._training = Training(name, options)
        self._total: Optional[int] = None

    @guarded
    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        self._total = None
        self._training.begin(type(pl_module).__name__, first=trainer.is_global_zero)

    @guarded
    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        total = trainer.estimated_stepping_batches
        self._total = int(total) if total not in (float("inf"), -1) else None

    @guarded
    def on_train_batch_end(self, trainer: Any, pl_module: Any, *about: Any) -> None:
        self._training.progress(trainer.global_step, self._total, lambda: _metrics(trainer))

    @guarded
    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        self._training.end(exception, _metrics(trainer))

    @guarded
    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        self._say_why(trainer)
        best = _best(trainer)
        for name in best:
            self._training.lower(name, trainer.checkpoint_callback.mode == "min")
        self._training.end(metrics={**_metrics(trainer, trainer.current_epoch), **best})

    def _say_why(self, trainer: Any) -> None:
        early = one_with(trainer.callbacks, "stopped_epoch", "wait_count", "patience", "monitor")
        if early is None or not trainer.should_stop:
            return
        if early.wait_count >= early.patience:
            once_an_epoch = trainer.val_check_interval == 1.0 and trainer.check_val_every_n_epoch == 1
            at = early.stopped_epoch + 1 - early.wait_count if once_an_epoch else None
            unit = "epoch" if once_an_epoch else "evaluation"
            self._training.stopped(no_better(early.monitor, early.wait_count, unit, early.best_score, at))
        elif getattr(early, "stopping_reason_message", None):
            self._training.stopped({"en": early.stopping_reason_message, "ko": early.stopping_reason_message})


def _metrics(trainer: Any, epoch: Optional[int] = None) -> Dict[str, Any]:
    """What was logged, and the epoch that goes on; its tensors are left where they are."""
    epoch, most = trainer.current_epoch + 1 if epoch is None else epoch, trainer.max_epochs
    return {"epoch": f"{epoch}/{most}" if most and most > 0 else epoch, **trainer.callback_metrics}


def _best(trainer: Any) -> Dict[str, Any]:
    keeper = trainer.checkpoint_callback
    monitor = getattr(keeper, "monitor", None)
    return {f"best_{monitor}": keeper.best_model_score} if monitor else {}
