"""PyTorch Ignite: ``KnockCallback().attach(trainer, evaluator)``."""

from __future__ import annotations

from typing import Any, Dict, Optional

from knock_magic.guard import guarded
from knock_magic.training import Training, missing, no_better

try:
    import ignite.distributed as idist
    from ignite.engine import Engine, Events
except ImportError as error:
    raise missing(error, "ignite", "pytorch-ignite") from error


class KnockCallback:
    """Tell of a trainer's run: ``KnockCallback("resnet", to="slack", every="30m")``; all can be left out."""

    def __init__(self, name: Optional[str] = None, **options: Any) -> None:
        self._training = Training(name, options)
        self._evaluator: Optional[Engine] = None

    def attach(self, trainer: Engine, evaluator: Optional[Engine] = None) -> KnockCallback:
        """Listen to `trainer`; the metrics of `evaluator` are shown too, and why its early stopping stopped."""
        self._evaluator = evaluator
        trainer.add_event_handler(Events.STARTED, self._begin)
        trainer.add_event_handler(Events.ITERATION_COMPLETED, self._report)
        trainer.add_event_handler(Events.COMPLETED, self._end)
        trainer.add_event_handler(Events.EXCEPTION_RAISED, self._fail)
        return self

    @guarded
    def _begin(self, engine: Engine) -> None:
        self._training.begin("Ignite", first=idist.get_rank() == 0)

    @guarded
    def _report(self, engine: Engine) -> None:
        state = engine.state
        total = state.max_epochs * state.epoch_length if state.max_epochs and state.epoch_length else None
        self._training.progress(state.iteration, total, lambda: self._metrics(engine))

    @guarded
    def _end(self, engine: Engine) -> None:
        early = _early_stopping(self._evaluator, engine)
        if early is not None and early.counter >= early.patience:
            self._training.stopped(no_better("score", early.patience, "evaluation", early.best_score))
        self._training.end(metrics=self._metrics(engine))

    def _fail(self, engine: Engine, error: BaseException) -> None:
        self._tell(engine, error)
        if _is_alone(engine):  # Ignite raises it only where nobody listens; with us it is to be as without
            raise error

    @guarded
    def _tell(self, engine: Engine, error: BaseException) -> None:
        self._training.end(error, self._metrics(engine))

    def _metrics(self, engine: Engine) -> Dict[str, Any]:
        """What was computed; a loss that is still on a GPU is fetched, so this is for messages."""
        state = engine.state
        epoch = f"{state.epoch}/{state.max_epochs}" if state.max_epochs else state.epoch
        told: Dict[str, Any] = {"epoch": epoch, **_numbers(state.output), **state.metrics}
        if self._evaluator is not None:
            told.update({f"val_{name}": value for name, value in self._evaluator.state.metrics.items()})
        return told


def _numbers(output: Any) -> Dict[str, Any]:
    """What a step returned, where that is a loss or names its numbers."""
    if isinstance(output, dict):
        return {str(name): value for name, value in output.items() if _is_number(value)}
    return {"loss": output} if _is_number(output) else {}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) or tuple(getattr(value, "shape", "?")) == ()


def _handlers(engine: Optional[Engine], event: Any) -> Any:
    """Who listens to `event`; Ignite names them nowhere in public."""
    return [entry[0] for entry in getattr(engine, "_event_handlers", {}).get(event, ())]


def _is_alone(engine: Engine) -> bool:
    return len(_handlers(engine, Events.EXCEPTION_RAISED)) <= 1


def _early_stopping(*engines: Optional[Engine]) -> Any:
    everybody = [
        each
        for engine in engines
        for event in (Events.COMPLETED, Events.EPOCH_COMPLETED)
        for each in _handlers(engine, event)
    ]
    return next((each for each in everybody if hasattr(each, "counter") and hasattr(each, "patience")), None)
