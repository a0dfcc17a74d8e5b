"""Small real trainings, one for each framework: a model of a few numbers, on data made by chance."""

from __future__ import annotations

import importlib
import os
from typing import Any, Callable, Dict, Optional

import pytest

# `.ci/run` sets it: there, a framework that is missing is a failure. "all" asks for those that need PyTorch, too.
ASKED = os.environ.get("KNOCK_TEST_FRAMEWORKS", "")
NEED_TORCH = ("ignite", "lightning", "transformers")
PACKAGES = {"ignite": "pytorch-ignite", "sklearn": "scikit-learn"}


class Broken(Exception):
    """What a training fails of, in tests."""


def must_be_there(framework: str) -> Any:
    """The module of our callback for `framework`; skips, or fails in CI, where that is not installed."""
    try:
        return importlib.import_module(f"knock_magic.integrations.{framework}")
    except ImportError as problem:
        if ASKED == "all" or (ASKED and framework not in NEED_TORCH):
            raise
        pytest.skip(f"needs {PACKAGES.get(framework, framework)}: {problem}")


def train(framework: str, rounds: int = 3, error: Optional[BaseException] = None, **options: Any) -> Any:
    """Train for `rounds` with our callback; `error` is raised on the way, by the user's own code."""
    made = must_be_there(framework).KnockCallback(**options)
    return TRAININGS[framework](made, rounds, error)


def raising(error: Optional[BaseException], at: int = 2) -> Callable[[], None]:
    """Something of the user's that is called again and again, and raises `error` the second time."""
    calls = iter(range(1, 1000))

    def call() -> None:
        if next(calls) == at and error is not None:
            raise error

    return call


def table(rows: int = 120) -> Any:
    import numpy as np

    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 4)).astype("float32")
    return x, (x[:, 0] + 0.1 * rng.normal(size=rows) > 0).astype("float32")


def keras(made: Any, rounds: int, error: Optional[BaseException], *others: Any, scale: float = 1.0) -> Any:
    import keras

    keras.utils.set_random_seed(0)
    x, y = table()
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, activation="sigmoid")], name="tiny")
    model.compile("sgd", "mse", metrics=["accuracy"])
    step = raising(error)
    own = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: step())
    model.fit(
        scale * x, y, validation_data=(x, y), epochs=rounds, batch_size=40, verbose=0, callbacks=[made, own, *others]
    )
    return model


def optuna(made: Any, rounds: int, error: Optional[BaseException], **others: Any) -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    step = raising(error)

    def objective(trial: Any) -> float:
        step()
        return float(trial.suggest_float("lr", 0.0, 1.0))

    study = optuna.create_study(study_name="tune", sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective, callbacks=[made], **{"n_trials": rounds, **others})
    return study


def xgboost(made: Any, rounds: int, error: Optional[BaseException], **others: Any) -> Any:
    import xgboost

    x, y = table()
    step = raising(error)

    def own_metric(*_: Any) -> Any:
        step()
        return "own", 1.0

    data, seen = xgboost.DMatrix(x[:80], y[:80]), xgboost.DMatrix(x[80:], y[80:])
    params = {"objective": "binary:logistic", "max_depth": 2, "eta": 0.9, "nthread": 1}
    own = {"custom_metric": own_metric} if error is not None else {}
    return xgboost.train(
        params, data, rounds, evals=[(seen, "val")], verbose_eval=False, callbacks=[made], **own, **others
    )


def lightgbm(made: Any, rounds: int, error: Optional[BaseException], *others: Any, **params: Any) -> Any:
    import lightgbm

    x, y = table()
    step = raising(error)

    def own(env: Any) -> None:
        step()

    params = {"objective": "binary", "verbose": -1, "num_threads": 1, "learning_rate": 0.9, **params}
    data = lightgbm.Dataset(x[:80], y[:80])
    seen = lightgbm.Dataset(x[80:], y[80:], reference=data)
    return lightgbm.train(params, data, rounds, valid_sets=[seen], valid_names=["val"], callbacks=[made, own, *others])


def sklearn(made: Any, rounds: int, error: Optional[BaseException], jobs: Optional[int] = None) -> Any:
    from sklearn import svm
    from sklearn.model_selection import GridSearchCV

    x, y = table()
    step = raising(error)

    class SVC(svm.SVC):
        def fit(self, *data: Any) -> Any:
            step()
            return super().fit(*data)

    model = svm.SVC() if error is None else SVC()
    grid = {"C": [10.0**power for power in range(rounds)]}
    return made.fit(GridSearchCV(model, grid, cv=2, n_jobs=jobs, error_score="raise"), x, y)


def lightning(made: Any, rounds: int, error: Optional[BaseException], *others: Any) -> Any:
    import lightning
    import torch

    step = raising(error)

    class Tiny(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(4, 1)

        def training_step(self, batch: Any, at: int) -> Any:
            step()
            loss = self.layer(batch[0]).pow(2).mean()
            self.log("loss", loss)
            return loss

        def validation_step(self, batch: Any, at: int) -> None:
            self.log("val_loss", 1.0)

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), 0.01)

    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(8, 4)), batch_size=4)
    trainer = lightning.Trainer(
        max_epochs=rounds,
        callbacks=[made, *others],
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Tiny(), loader, loader)
    return trainer


def transformers(made: Any, rounds: int, error: Optional[BaseException], *others: Any) -> Any:
    import tempfile

    import torch
    import transformers

    step = raising(error)
    config = transformers.BertConfig(
        vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
    )
    model = transformers.BertForSequenceClassification(config)

    class Own(transformers.TrainerCallback):
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            step()

    rows = [{"input_ids": torch.arange(6), "labels": torch.tensor(number % 2)} for number in range(8)]
    best = {"load_best_model_at_end": True, "save_strategy": "epoch", "metric_for_best_model": "loss"} if others else {}
    with tempfile.TemporaryDirectory() as folder:
        arguments = transformers.TrainingArguments(
            output_dir=folder,
            num_train_epochs=rounds,
            per_device_train_batch_size=4,
            learning_rate=0.0,
            eval_strategy="epoch",
            logging_steps=1,
            report_to=[],
            disable_tqdm=True,
            use_cpu=True,
            **{"save_strategy": "no", **best},
        )
        trainer = transformers.Trainer(
            model=model, args=arguments, train_dataset=rows, eval_dataset=rows, callbacks=[made, Own(), *others]
        )
        trainer.train()
    return trainer


def ignite(made: Any, rounds: int, error: Optional[BaseException], patience: int = 0) -> Any:
    import torch
    from ignite.engine import Engine, Events
    from ignite.handlers import EarlyStopping
    from ignite.metrics import Average

    step = raising(error)
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)

    def update(engine: Any, batch: Any) -> float:
        step()
        loss = model(batch).pow(2).mean()
        loss.backward()
        optimizer.step()
        return float(loss)

    data = [torch.randn(4, 4), torch.randn(4, 4)]
    trainer, evaluator = Engine(update), Engine(lambda engine, batch: 1.0)
    Average().attach(evaluator, "score")
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run(data))
    if patience:
        evaluator.add_event_handler(
            Events.COMPLETED, EarlyStopping(patience, lambda engine: engine.state.metrics["score"], trainer)
        )
    made.attach(trainer, evaluator)
    trainer.run(data, max_epochs=rounds)
    return trainer


TRAININGS: Dict[str, Callable[..., Any]] = {
    each.__name__: each for each in (keras, optuna, xgboost, lightgbm, sklearn, lightning, transformers, ignite)
}
