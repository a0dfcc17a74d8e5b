"""How far a run is, as a person reads it: a bar, what is left, and what has changed since it was told last."""

from __future__ import annotations

import time
from typing import Any, Dict, Iterator, List, Optional

import pytest
from conftest import Kernel

from knock_magic.event import Event, Progress
from knock_magic.redaction import Redactor
from knock_magic.runs import Run
from knock_magic.template import DOWN, EMPTY, FULL, UP, render


@pytest.fixture(autouse=True)
def _in_seoul(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if not hasattr(time, "tzset"):
        pytest.skip("the time zone can't be set here")
    monkeypatch.setenv("TZ", "KST-9")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


NOON = 1795921200.0  # 2026-11-29 12:00 in Seoul


def lines(lang: str = "ko", template: str = "standard", **facts: Any) -> List[str]:
    event = Event(event="progress", name="resnet", started_at=NOON, duration_s=3600.0, **facts)
    return render(event, template, lang=lang).text.splitlines()


# The bar.


@pytest.mark.parametrize(
    ("step", "total", "shown"),
    [
        (0, 50, "□□□□□□□□□□ 0% (0/50)"),
        (1, 50, "□□□□□□□□□□ 2% (1/50)"),
        (30, 50, "■■■■■■□□□□ 60% (30/50)"),
        (2, 3, "■■■■■■□□□□ 67% (2/3)"),
        (999, 1000, "■■■■■■■■■□ 99% (999/1000)"),
        (50, 50, "■■■■■■■■■■ 100% (50/50)"),
        (51, 50, "■■■■■■■■■■ 100% (51/50)"),
        (-1, 50, "□□□□□□□□□□ 0% (-1/50)"),
        (10**400, 3, None),
        (3, 10**400, None),
    ],
)
def test_a_bar_is_ten_wide_and_full_only_at_the_end(step: int, total: int, shown: Optional[str]) -> None:
    bar = lines(progress=Progress(step, total))[1]

    assert bar == shown or shown is None
    assert sum(bar.count(cell) for cell in (FULL, EMPTY)) == 10


@pytest.mark.parametrize("total", [None, 0, -5])
def test_where_nobody_knows_how_many_it_is_the_step_alone(total: Optional[int]) -> None:
    assert lines(progress=Progress(7, total))[1:] == ["7단계"]


def test_the_short_template_has_no_room_for_a_bar() -> None:
    assert lines(template="short", progress=Progress(30, 50, 60.0)) == [
        "⏳ resnet 진행 중이에요 · 시작한 지 1시간 · 30/50 (60%) · 약 1분 남음"
    ]


# What is left.


@pytest.mark.parametrize(
    ("lang", "eta_s", "shown"),
    [
        ("ko", 600.0, "약 10분 남음 (13:10 KST쯤)"),
        ("en", 600.0, "about 10 min left (around 13:10 KST)"),
        ("ko", 39600.0, "약 11시간 남음 (11-30 00:00 KST쯤)"),
        ("en", 86400.0 * 40, "about 40 d left (around 01-08 13:00 KST)"),
    ],
)
def test_it_says_how_long_and_until_when(lang: str, eta_s: float, shown: Optional[str]) -> None:
    told = lines(lang, progress=Progress(3, 5, eta_s))[2]

    assert told == shown or (shown is None and told.startswith("about "))


def test_the_hour_is_the_one_of_the_wall_also_after_a_nap() -> None:
    assert "13:30 KST" in lines(progress=Progress(3, 5, 600.0), slept_s=1200.0)[2]


# What has changed.


@pytest.mark.parametrize(
    ("before", "value", "shown"),
    [
        (0.25, 0.2123, f"0.2123 {DOWN}0.038"),
        (0.9, 0.91, f"0.91 {UP}0.01"),
        (3, 5, f"5 {UP}2"),
        (1.0, 5, f"5 {UP}4"),
        (-0.5, 0.5, f"0.5 {UP}1"),
        (1e-5, 2e-5, f"2e-05 {UP}1e-05"),
        (12345.6, 12445.9, f"12446 {UP}100"),
        (10**15, 10**15 + 1, f"{10**15 + 1} {UP}1"),
        (0.5, 0.5, "0.5"),
        (0.91230001, 0.91230002, "0.9123"),  # what can't be seen has not changed
        (None, 0.5, "0.5"),
        ("nan", 0.5, "0.5"),
        (0.5, "nan", "nan"),
    ],
)
def test_a_metric_shows_its_change(before: Any, value: Any, shown: str) -> None:
    told = {} if before is None else {"loss": before}

    assert lines(metrics={"loss": value}, before=told)[1] == f"loss {shown}"


def test_the_change_is_the_one_since_it_was_told_last() -> None:
    told: List[Event] = []
    run = Run("train", told.append)

    run.progress(Progress(1), {"loss": 0.9, "lr": "1e-3"})
    run.note({"loss": 0.7})
    run.note({"loss": 0.5})
    run.progress(Progress(2))
    run.progress(Progress(3))
    run.finish()

    assert [event.before for event in told] == [{}, {"loss": 0.9}, {"loss": 0.5}, {}]
    assert [event.metrics["loss"] for event in told] == [0.9, 0.5, 0.5, 0.5]


def test_no_secret_travels_with_what_was_told_last() -> None:
    event = Event("progress", "train", 0.0, before={"password=hunter22": 1.0})

    assert "hunter22" not in str(Redactor({}).event(event).to_json())


def test_it_comes_through_the_pipe_as_it_was() -> None:
    event = Event("progress", "train", 0.0, progress=Progress(1, 2, 3.0), before={"loss": 0.5})

    assert Event.from_json(event.to_json()) == event


# Under the cell.


def test_under_the_cell_it_is_one_line_that_changes(kernel_with_knock: Kernel) -> None:
    result = kernel_with_knock.run(
        "%%knock train --to notebook --every 0.02\nimport knock, time\n"
        "for step in range(1, 4):\n    time.sleep(0.03)\n    knock.progress(step, 3)"
    )

    shown = [each for each in result.messages if each["msg_type"] in ("display_data", "update_display_data")]
    texts = [each["content"]["data"]["text/plain"] for each in shown]
    kinds = [each["msg_type"] for each in shown]
    names: List[Dict[str, Any]] = [each["content"].get("transient", {}) for each in shown]
    progress = [at for at, text in enumerate(texts) if text.startswith("⏳")]
    assert kinds[progress[0]] == "display_data"
    assert {kinds[at] for at in progress[1:]} == {"update_display_data"}
    assert len({names[at]["display_id"] for at in progress}) == 1
    assert "3/3" in texts[progress[-1]]
    assert texts[-1].startswith("✅")
    assert kinds[-1] == "display_data"
