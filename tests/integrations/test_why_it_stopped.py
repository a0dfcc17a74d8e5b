"""Why a training ended before its planned end, in the framework's own numbers; and what it held for the best."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, List

import pytest
from phone import Phone

from knock_magic import loose
from knock_magic.event import Progress
from knock_magic.knocker import Knocker
from knock_magic.training import STOPPED, no_better, not_a_number

from .trainings import TRAININGS, Broken, must_be_there

Steps = Callable[[], List[Progress]]

pytestmark = pytest.mark.filterwarnings("default")  # the frameworks' own


def ended(framework: str, phone: Phone, rounds: int, *others: Any, **options: Any) -> Dict[str, Any]:
    """What the phone gets of a training, and what that gave, as ``gave``."""
    made = must_be_there(framework).KnockCallback("it")
    gave = TRAININGS[framework](made, rounds, None, *others, **options)
    told = phone.wait_for(event="finished")
    return {**told["metrics"], "text": told["text"], "gave": gave}


def test_keras_did_not_improve(door: Knocker, phone: Phone) -> None:
    must_be_there("keras")
    import keras

    early = keras.callbacks.EarlyStopping("val_accuracy", patience=2, min_delta=1.0)
    told = ended("keras", phone, 20, early)

    assert told["epoch"] == "3/20"
    assert (
        f"early stopping: val_accuracy did not improve for 2 epochs, best {early.best:.4g} at epoch 1" in told["text"]
    )
    assert told["best_val_accuracy"] == pytest.approx(early.best)


def test_keras_met_a_nan(door: Knocker, phone: Phone) -> None:
    must_be_there("keras")
    import keras

    told = ended("keras", phone, 20, keras.callbacks.TerminateOnNaN(), scale=float("nan"))

    assert told[STOPPED] == "loss became nan"


def test_keras_names_the_best_of_its_checkpoints(door: Knocker, phone: Phone, tmp_path: Any) -> None:
    must_be_there("keras")
    import keras

    keeper = keras.callbacks.ModelCheckpoint(str(tmp_path / "best.keras"), save_best_only=True)
    told = ended("keras", phone, 2, keeper)

    assert told["best_val_loss"] == pytest.approx(keeper.best)
    assert STOPPED not in told


def test_lightgbm_did_not_improve(door: Knocker, phone: Phone) -> None:
    """The knock comes before its own early stopping is called, and says what that will say."""
    must_be_there("lightgbm")
    import lightgbm

    told = ended("lightgbm", phone, 300, lightgbm.early_stopping(5, verbose=False))

    best, score = told["gave"].best_iteration, told["gave"].best_score["val"]["binary_logloss"]
    assert best < 290
    assert told[STOPPED] == f"val-binary_logloss did not improve for 5 rounds, best {score:.4g} at round {best}"
    assert told["best_iteration"] == best
    assert phone.expect_only(door.send) == [("finished", "it")]


def test_lightgbm_that_goes_to_its_end_has_its_best_and_no_reason(door: Knocker, phone: Phone) -> None:
    must_be_there("lightgbm")
    import lightgbm

    told = ended("lightgbm", phone, 3, lightgbm.early_stopping(50, verbose=False))

    assert told["best_iteration"] == told["gave"].best_iteration
    assert STOPPED not in told


def test_lightgbm_with_several_metrics_names_them(door: Knocker, phone: Phone) -> None:
    must_be_there("lightgbm")
    import lightgbm

    told = ended("lightgbm", phone, 300, lightgbm.early_stopping(5, verbose=False), metric=["auc", "binary_logloss"])

    assert told["gave"].best_iteration == told["best_iteration"]
    assert told[STOPPED].endswith("did not improve for 5 rounds")
    assert {"val-auc", "val-binary_logloss"} <= set(told)


def test_xgboost_did_not_improve(door: Knocker, phone: Phone) -> None:
    told = ended("xgboost", phone, 300, early_stopping_rounds=5)

    best, score = told["gave"].best_iteration, told["gave"].best_score
    assert told[STOPPED] == f"val-logloss did not improve for 5 rounds, best {score:.4g} at round {best + 1}"
    assert told["best_round"] == best + 1
    assert told["best_val-logloss"] == pytest.approx(score)


def test_xgboost_cross_validates(door: Knocker, phone: Phone, steps: Steps) -> None:
    made = must_be_there("xgboost").KnockCallback("it", every=0.001)
    import xgboost

    from .trainings import table

    x, y = table()
    params = {"objective": "binary:logistic", "nthread": 1}
    xgboost.cv(params, xgboost.DMatrix(x, y), 5, nfold=2, callbacks=[made])

    told = phone.wait_for(event="finished")["metrics"]
    assert {"train-logloss", "test-logloss"} <= set(told)
    assert {progress.total for progress in steps()} == {5}


def test_lightning_did_not_improve(door: Knocker, phone: Phone) -> None:
    must_be_there("lightning")
    from lightning.pytorch.callbacks import EarlyStopping

    told = ended("lightning", phone, 20, EarlyStopping("val_loss", patience=2))

    assert told[STOPPED] == "val_loss did not improve for 2 epochs, best 1 at epoch 1"
    assert told["epoch"] == "3/20"


def test_lightning_says_itself_why(door: Knocker, phone: Phone) -> None:
    must_be_there("lightning")
    from lightning.pytorch.callbacks import EarlyStopping

    told = ended("lightning", phone, 20, EarlyStopping("val_loss", stopping_threshold=2.0))

    assert "Stopping threshold reached: val_loss = 1.0 < 2.0" in told[STOPPED]


def test_lightning_is_told_of_an_interrupt(door: Knocker, phone: Phone) -> None:
    """Lightning ends the process on a Ctrl-C, after it has told its callbacks."""
    made = must_be_there("lightning").KnockCallback("it")

    class Trainer:
        callback_metrics = {"loss": 0.5}
        current_epoch, max_epochs = 1, 3

    made._training.begin("it")
    made.on_exception(Trainer(), None, KeyboardInterrupt())

    assert phone.wait_for(event="interrupted")["metrics"] == {"epoch": "2/3", "loss": 0.5}


def test_the_trainer_did_not_improve(door: Knocker, phone: Phone) -> None:
    must_be_there("transformers")
    import transformers

    told = ended("transformers", phone, 20, transformers.EarlyStoppingCallback(2))

    assert "loss did not improve for 2 evaluations, best 0.6" in told[STOPPED]
    assert told[STOPPED].endswith("at step 2")
    assert told["step"] == "6/40"


def test_ignite_did_not_improve(door: Knocker, phone: Phone) -> None:
    told = ended("ignite", phone, 20, patience=2)

    assert told[STOPPED] == "score did not improve for 2 evaluations, best 1"
    assert told["epoch"] == "3/20"


def test_optuna_was_stopped(door: Knocker, phone: Phone) -> None:
    made = must_be_there("optuna").KnockCallback("it")

    def enough(study: Any, trial: Any) -> None:
        if trial.number == 1:
            study.stop()

    import optuna

    study = optuna.create_study()
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=9, callbacks=[enough, made])

    told = phone.wait_for(event="finished")["metrics"]
    assert told[STOPPED] == "study.stop() was called"


def test_optuna_ran_out_of_time(door: Knocker, phone: Phone) -> None:
    made = must_be_there("optuna").KnockCallback("it")

    import optuna

    study = optuna.create_study()
    study.optimize(lambda trial: time.sleep(0.06) or 1.0, timeout=0.05, callbacks=[made])

    assert "its timeout of" in phone.wait_for(event="finished")["metrics"][STOPPED]


def test_optuna_counts_what_was_pruned_and_what_failed(door: Knocker, phone: Phone) -> None:
    made = must_be_there("optuna").KnockCallback("it")
    import optuna

    def objective(trial: Any) -> float:
        if trial.number == 0:
            raise optuna.TrialPruned
        if trial.number == 1:
            raise ValueError
        return float(trial.suggest_float("x", 0.25, 0.25))

    optuna.create_study().optimize(objective, n_trials=4, catch=(ValueError,), callbacks=[made])

    told = phone.wait_for(event="finished")["metrics"]
    assert told == {"best_value": 0.25, "best_trial": 2, "best_params": "x=0.25", "pruned": 1, "failed": 1}


@pytest.mark.parametrize(
    ("framework", "others", "lower"),
    [
        ("optuna", {}, {"best_value": True}),
        ("lightgbm", {"metric": "auc"}, {"val-auc": False, "best_val-auc": False}),
        ("xgboost", {"early_stopping_rounds": 9}, {"val-logloss": True, "best_val-logloss": True}),
    ],
)
def test_the_framework_says_which_way_is_better(
    framework: str, others: Dict[str, Any], lower: Dict[str, bool], door: Knocker
) -> None:
    TRAININGS[framework](must_be_there(framework).KnockCallback("it"), 3, None, **others)

    assert door.told[-1].lower == lower  # type: ignore[attr-defined]


def test_a_study_whose_error_was_caught_has_not_finished(door: Knocker, phone: Phone) -> None:
    made = must_be_there("optuna").KnockCallback("it")

    with pytest.raises(Broken):
        TRAININGS["optuna"](made, 5, Broken())
    loose.end_all(None)  # as at the end of a cell that went on

    assert "stopped before its end" in phone.wait_for(name="it")["title"]


def test_a_study_that_somebody_stopped_after_us_has_finished(door: Knocker, phone: Phone) -> None:
    made = must_be_there("optuna").KnockCallback("it")
    import optuna

    optuna.create_study().optimize(lambda trial: 1.0, n_trials=9, callbacks=[made, lambda study, trial: study.stop()])
    loose.end_all(None)

    assert phone.wait_for(name="it")["event"] == "finished"


def test_optuna_with_several_jobs_knocks_once(door: Knocker, phone: Phone) -> None:
    made = must_be_there("optuna").KnockCallback("it", n_trials=6)
    import optuna

    study = optuna.create_study()
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=6, n_jobs=2, callbacks=[made])

    phone.wait_for(event="finished")
    assert phone.expect_only(door.send) == [("finished", "it")]


def test_a_search_counts_what_is_fitted_side_by_side(door: Knocker, phone: Phone, steps: Steps) -> None:
    made = must_be_there("sklearn").KnockCallback("it", every=0.001)
    import joblib

    with joblib.parallel_config("threading"):  # that of processes takes five seconds to begin and end
        TRAININGS["sklearn"](made, 3, None, 2)

    assert {progress.total for progress in steps()} == {6}
    assert phone.wait_for(event="finished")["metrics"]["candidates"] == 3


def test_a_random_search_is_counted_too(door: Knocker, phone: Phone) -> None:
    module = must_be_there("sklearn")
    from sklearn.model_selection import KFold, RandomizedSearchCV
    from sklearn.svm import SVC

    search = RandomizedSearchCV(SVC(), {"C": [1.0, 2.0]}, n_iter=2, cv=KFold(3))

    assert module._total(search, [[0]] * 6, [0, 1] * 3, None) == 6


@pytest.mark.parametrize(
    ("texts", "en", "ko"),
    [
        (
            no_better("val_loss", 5, "epoch", 0.2134, 12),
            "val_loss did not improve for 5 epochs, best 0.2134 at epoch 12",
            "5에포크 동안 val_loss 값이 나아지지 않았어요(가장 좋은 값 0.2134, 12에포크)",
        ),
        (
            no_better("eval_loss", 3, "evaluation", 0.3, 400, "step"),
            "eval_loss did not improve for 3 evaluations, best 0.3 at step 400",
            "평가 3번 동안 eval_loss 값이 나아지지 않았어요(가장 좋은 값 0.3, 400스텝)",
        ),
        (
            no_better("auc", 50, "round"),
            "auc did not improve for 50 rounds",
            "50라운드 동안 auc 값이 나아지지 않았어요",
        ),
        (not_a_number("loss", float("nan")), "loss became nan", "loss 값이 nan이 됐어요"),
    ],
)
def test_it_is_said_in_both_languages(texts: Dict[str, str], en: str, ko: str) -> None:
    assert texts == {"en": en, "ko": ko}
