"""Whether a run came out better: by direction, by how much, and than what."""

from __future__ import annotations

from typing import Any, Callable, Dict, Optional

import pytest
from conftest import Home, Kernel
from phone import Phone

from knock_magic import verdict
from knock_magic.event import Event
from knock_magic.template import render


@pytest.mark.parametrize(
    "name",
    [
        *("loss", "val_loss", "train/loss", "trainLoss", "Loss", "LOSS", "rmse", "test-RMSE", "mae@10", "perplexity"),
        *("eval_ppl", "top1_error", "WER", "fid", "nll", "val_ce", "latency"),
        *("val-logloss", "eval-mlogloss", "merror", "test-cox-nloglik", "gamma-nloglik", "tweedie-nloglik@1.5", "mphe"),
        *("valid-binary_logloss", "multi_logloss", "valid_0-l1", "l2", "huber", "quantile", "cross_entropy_lambda"),
        *("cross_entropy", "crossEntropy", "negative_log_likelihood", "neg_log_likelihood", "chamfer", "val_손실"),
        *("평균오차", "오류율", "loss_1", "l1_loss"),
    ],
)
def test_less_of_it_is_better(name: str) -> None:
    assert verdict.is_lower_better(name)


@pytest.mark.parametrize(
    "name",
    [
        *("acc", "val_acc", "f1", "auc", "mAP", "glossary", "lossless_share", "terms", "reward"),
        *("neg_mean_squared_error", "neg_log_loss", "mean_test_neg_root_mean_squared_error", "loss_scale"),
        *("loss/weight", "l2_norm", "log_likelihood", "level1", "entropy", "정확도"),
    ],
)
def test_more_of_it_is_better(name: str) -> None:
    assert not verdict.is_lower_better(name)


BEFORE = {"lowest": 0.2, "highest": 0.5, "best_of": 7}


@pytest.mark.parametrize(
    ("metrics", "rules", "earlier", "said"),
    [
        (
            {"acc": 0.9},
            {"metric": "acc", "baseline": "0.83"},
            None,
            "acc 0.9 is 0.07 better than 0.83 (higher is better)",
        ),
        (
            {"acc": 0.8},
            {"metric": "acc", "baseline": "0.83"},
            None,
            "acc 0.8 is 0.03 worse than 0.83 (higher is better)",
        ),
        ({"loss": 0.8}, {"metric": "loss", "baseline": "1"}, None, "loss 0.8 is 0.2 better than 1 (lower is better)"),
        ({"loss": 2}, {"metric": "loss", "baseline": "1"}, None, "loss 2 is 1 worse than 1 (lower is better)"),
        ({"acc": 0.83}, {"metric": "acc", "baseline": "0.83"}, None, "acc 0.83 is the same as 0.83"),
        (
            {"acc": 0.6},
            {"metric": "acc", "baseline": "best"},
            BEFORE,
            "acc 0.6 is 0.1 better than the best of 7 runs before, 0.5 (higher is better)",
        ),
        (
            {"acc": 0.6},
            {"metric": "acc", "baseline": "best"},
            {"lowest": 0.5, "highest": 0.5, "best_of": 1},
            "acc 0.6 is 0.1 better than the run before, 0.5 (higher is better)",
        ),
        (
            {"acc": 0.6},
            {"metric": "acc", "baseline": "best"},
            {"lowest": None, "highest": None, "best_of": 0},
            "acc 0.6: no earlier run to compare it with",
        ),
        ({"loss": 1}, {"metric": "acc", "baseline": "0.83"}, None, "no number was reported as acc"),
        ({"acc": "nan"}, {"metric": "acc", "baseline": "0.83"}, None, "acc is nan, so it can't be compared"),
        ({"acc": 0.6}, {"metric": "acc", "baseline": "best"}, None, ""),  # the courier knows what was before
        ({"acc": 0.6}, {"metric": "acc", "baseline": None}, None, ""),
        ({"acc": 0.6}, {}, None, ""),
    ],
)
def test_what_is_said_of_it(
    metrics: Dict[str, Any], rules: Dict[str, Any], earlier: Optional[Dict[str, Any]], said: str
) -> None:
    found = verdict.against(metrics, rules, earlier)
    event = Event("finished", "resnet", 0.0, metrics=metrics, verdict=found)

    lines = render(event, lang="en").text.splitlines()

    assert lines[2:] == ([said] if said else [])


def test_it_is_said_in_korean_and_in_one_line() -> None:
    found = verdict.against(
        {"val_acc": 0.913}, {"metric": "val_acc", "baseline": "best"}, {"lowest": 0.1, "highest": 0.9, "best_of": 3}
    )
    event = Event("finished", "resnet", 0.0, duration_s=60, metrics={"val_acc": 0.913}, verdict=found)

    assert render(event, "short", lang="ko").text == (
        "✅ resnet 끝났어요 · 1분 · val_acc 0.913 · val_acc 0.913: 이전 3번 중 가장 좋은 값 0.9보다 0.013 좋아졌어요(높을수록 좋음)"
    )


@pytest.mark.parametrize(
    ("values", "best"),
    [
        ([1, 3, 2], {"lowest": 1, "highest": 3, "best_of": 3}),
        ([None, "nan", True, "0.5"], {"lowest": 0.5, "highest": 0.5, "best_of": 1}),
        ([], {"lowest": None, "highest": None, "best_of": 0}),
    ],
)
def test_the_best_of_earlier_runs(values: Any, best: Dict[str, Any]) -> None:
    assert verdict.best_of(values) == best


@pytest.mark.parametrize("baseline", ["0.5", "best"])
def test_a_direction_that_is_known_counts_more_than_a_name(baseline: str) -> None:
    rules = {"metric": "best_value", "baseline": baseline}

    found = verdict.against({"best_value": 0.1}, rules, BEFORE, {"best_value": True})

    assert found is not None
    assert (found["better"], found["lower"]) == (True, True)
    assert found["baseline"] == (0.2 if baseline == "best" else 0.5)


# In a kernel.


def test_a_variable_is_compared_with_a_number(kernel_with_knock: Kernel, phone: Phone) -> None:
    kernel_with_knock.run("%%knock numbers --metric val_acc --baseline 0.83\nval_acc = 0.9")

    told = phone.wait_for(name="numbers")
    assert told["metrics"] == {"val_acc": 0.9}
    assert "val_acc 0.9 is 0.07 better than 0.83" in told["text"]


def test_its_owner_may_say_that_less_of_it_is_better(kernel_with_knock: Kernel, phone: Phone) -> None:
    kernel_with_knock.run("%%knock places --metric place:min --baseline 5\nplace = 3")

    told = phone.wait_for(name="places")
    assert told["metrics"] == {"place": 3}
    assert "place 3 is 2 better than 5 (lower is better)" in told["text"]


def test_what_was_reported_counts_more_than_a_variable(kernel_with_knock: Kernel, phone: Phone) -> None:
    kernel_with_knock.run(
        "%%knock reported --metric acc --baseline 0.5\nimport knock\nacc = 0.1\nfor step in range(9): knock.progress(step, acc=step / 10)"
    )

    assert phone.wait_for(name="reported")["metrics"] == {"acc": 0.8}


def test_runs_are_compared_with_the_best_before(kernel_with_knock: Kernel, phone: Phone) -> None:
    said = []
    for number, acc in enumerate((0.5, 0.7, 0.6)):
        kernel_with_knock.run(f"%%knock again --metric acc --baseline best\nacc, number = {acc}, {number}")
        said.append(phone.wait_for(lambda knock, acc=acc: knock["metrics"] == {"acc": acc}, name="again")["text"])

    assert [text.splitlines()[-1] for text in said] == [
        "acc 0.5: no earlier run to compare it with",
        "acc 0.7 is 0.2 better than the run before, 0.5 (higher is better)",
        "acc 0.6 is 0.1 worse than the best of 2 runs before, 0.7 (higher is better)",
    ]


def test_what_usually_happens_is_told_where_nothing_tells_how_far_it_is(
    kernel_with_knock: Kernel, phone: Phone
) -> None:
    for number in range(2):
        kernel_with_knock.run(f"%%knock usual\nnumber = {number}; __import__('time').sleep(1)")
    kernel_with_knock.run("%%knock usual --every 0.3s\nimport time; time.sleep(1.5)")

    told = phone.wait_for(name="usual", event="progress")
    assert "usually 1 s, 2 runs" in told["text"] or "usually 1." in told["text"]
    assert told["progress"] is None


def test_what_is_shown_under_the_cell_is_compared_too(home: Home, start_kernel: Callable[..., Kernel]) -> None:
    """With no channel at all: then the courier tells the kernel what came before."""
    kernel = start_kernel(home.env())
    kernel.load()
    cell = "%%knock alone --metric acc --baseline best\nimport time; time.sleep({wait}); acc = {acc}"
    kernel.run(cell.format(wait=0, acc=0.5))

    said = kernel.run(cell.format(wait=1, acc=0.75)).said

    assert "acc 0.75 is 0.25 better than the run before, 0.5" in said
