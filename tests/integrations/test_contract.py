"""What holds for the callback of every framework, each with the real framework and a small real model."""

from __future__ import annotations

import copy
import pickle
import sys
from typing import Any, Callable, List

import pytest
from phone import Phone

import knock_magic as knock
from knock_magic import loose, training
from knock_magic.errors import UsageError
from knock_magic.event import Progress
from knock_magic.knocker import Knocker

from .trainings import PACKAGES, TRAININGS, Broken, must_be_there, train

pytestmark = pytest.mark.filterwarnings("default")  # the frameworks' own; ours are not raised there either

# What a small training tells at its end: these metrics, and this for its default name.
TOLD = {
    "keras": ("tiny", {"epoch": "3/3"}, {"loss", "accuracy", "val_loss", "val_accuracy"}),
    "optuna": ("tune", {"best_trial": 0}, {"best_value", "best_params"}),
    "xgboost": ("XGBoost", {}, {"val-logloss"}),
    "lightgbm": ("LightGBM", {}, {"val-binary_logloss"}),
    "sklearn": ("GridSearchCV SVC", {"candidates": 3}, {"best_score", "best_params"}),
    "lightning": ("Tiny", {"epoch": "3/3", "val_loss": 1.0}, {"loss"}),
    "transformers": (
        "BertForSequenceClassification",
        {"epoch": "3/3", "step": "6/6"},
        {"loss", "eval_loss", "learning_rate", "train_loss"},
    ),
    "ignite": ("Ignite", {"epoch": "3/3", "val_score": 1.0}, {"loss"}),
}
STEPS = {
    "keras": 9,
    "optuna": 3,
    "xgboost": 3,
    "lightgbm": 3,
    "sklearn": 6,
    "lightning": 6,
    "transformers": 6,
    "ignite": 6,
}
every_framework = pytest.mark.parametrize("framework", TRAININGS)


@every_framework
def test_it_tells_of_the_end_with_the_frameworks_own_words(framework: str, door: Knocker, phone: Phone) -> None:
    name, exactly, also = TOLD[framework]

    train(framework)

    told = phone.wait_for(event="finished")
    assert told["name"] == name
    assert {key: told["metrics"].get(key) for key in exactly} == exactly
    assert also <= set(told["metrics"])
    assert phone.expect_only(door.send) == [("finished", name)]


@every_framework
def test_it_tells_on_the_way_as_often_as_asked(
    framework: str, door: Knocker, phone: Phone, steps: Callable[[], List[Progress]]
) -> None:
    train(framework, name="mine", to="webhook", every=0.001)

    phone.wait_for(event="finished", name="mine")
    assert steps()
    assert {progress.total for progress in steps()} == {STEPS[framework]}
    assert all(0 <= progress.step <= STEPS[framework] for progress in steps())


@every_framework
def test_within_a_run_it_reports_there_and_does_not_knock_twice(framework: str, door: Knocker, phone: Phone) -> None:
    must_be_there(framework)

    with knock.run("whole"):
        train(framework, name="mine")
        train(framework, rounds=2)

    told = phone.wait_for(event="finished")
    assert set(TOLD[framework][2]) <= set(told["metrics"])
    assert phone.expect_only(door.send) == [("finished", "whole")]


@every_framework
def test_an_error_passes_as_it_is_and_is_told_as_a_failure(framework: str, door: Knocker, phone: Phone) -> None:
    error = Broken("in the user's own code")

    with pytest.raises(Broken) as raised:
        train(framework, error=error)
    loose.end_all(error)  # as at the end of a cell, for those that are not told of errors

    assert raised.value is error
    told = phone.wait_for(event="failed")
    assert told["error"]["type"] == "Broken"
    assert phone.expect_only(door.send) == [("failed", TOLD[framework][0])]


@every_framework
def test_what_was_left_without_a_word_does_not_claim_to_have_finished(
    framework: str, door: Knocker, phone: Phone
) -> None:
    if framework == "optuna":
        pytest.skip("tells of no end, so it ends as its cell does")
    with pytest.raises(Broken):
        train(framework, error=Broken())
    loose.end_all(None)  # somebody caught the error

    (told,) = phone.expect_only(door.send)
    assert told[0] in ("failed", "interrupted")


@every_framework
def test_an_interrupt_is_one(framework: str, door: Knocker, phone: Phone) -> None:
    if framework == "lightning":
        pytest.skip("ends the process on an interrupt")
    with pytest.raises(KeyboardInterrupt):
        train(framework, error=KeyboardInterrupt())
    loose.end_all(KeyboardInterrupt())

    assert phone.expect_only(door.send) == [("interrupted", TOLD[framework][0])]


@every_framework
def test_a_fault_of_ours_stays_ours(
    framework: str, door: Knocker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    must_be_there(framework)

    def fault(*_: Any, **__: Any) -> None:
        raise ValueError("a fault of knock_magic")

    with monkeypatch.context() as broken:
        for method in ("progress", "stopped", "end"):
            broken.setattr(training.Training, method, training.guarded(fault) if framework == "sklearn" else fault)
        train(framework)

    assert "a fault of knock_magic" in caplog.text


@every_framework
def test_it_keeps_still_where_it_is_not_the_first_of_its_job(
    framework: str, door: Knocker, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    must_be_there(framework)
    monkeypatch.setitem(door._sources.environ, "RANK", "1")

    train(framework)

    phone.expect_none(door.send)


@every_framework
def test_a_copy_is_as_new(framework: str, door: Knocker, phone: Phone) -> None:
    """Frameworks copy and pickle what they are given, also while it is at work."""
    made = must_be_there(framework).KnockCallback("mine", to="webhook")
    made._training.begin("one")

    for double in (copy.deepcopy(made), pickle.loads(pickle.dumps(made._training))):
        its = getattr(double, "_training", double)
        assert not its.is_open
        assert its._asked == made._training._asked
    made._training.end()


@every_framework
def test_wrong_options_are_told_where_they_are_written(framework: str, door: Knocker) -> None:
    made = must_be_there(framework).KnockCallback

    with pytest.raises(UsageError, match="no option every_so_often"):
        made(every_so_often="1h")


@every_framework
def test_it_names_the_package_that_is_missing(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where none of them is installed."""
    hidden: List[str] = [name for name in sys.modules if name.partition(".")[0] in (framework, "pytorch_lightning")]
    for name in [*hidden, framework, "pytorch_lightning"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, f"knock_magic.integrations.{framework}", raising=False)

    with pytest.raises(ImportError) as raised:
        __import__(f"knock_magic.integrations.{framework}")

    assert isinstance(raised.value, UsageError)
    package = PACKAGES.get(framework, framework)
    assert f"pip install {package}" in raised.value.texts["en"]
    assert f"pip install {package}" in raised.value.texts["ko"]
