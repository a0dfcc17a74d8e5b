"""The history: what the outbox remembers of every run, asked for as people do."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

import pytest
from conftest import Home, Kernel
from phone import Phone

from knock_magic import death, history
from knock_magic.curves import Curves
from knock_magic.errors import UsageError
from knock_magic.history import Query
from knock_magic.outbox import Outbox

HOUR = 3600.0
NOW = time.time()
ME = death.identity(os.getpid())
NOBODY = ME.replace(f"|{os.getpid()}|", "|999999999|")

Put = Callable[..., str]
Ask = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "knock"


@pytest.fixture
def outbox(folder: Path) -> Any:
    box = Outbox(str(folder / "outbox.db"))
    yield box
    box.close()


@pytest.fixture
def put(outbox: Outbox) -> Put:
    """Keep one event of a run."""

    def put(
        name: str,
        event: str = "finished",
        *,
        ago: float = 0.0,
        took: float = HOUR,
        to: Optional[List[str]] = None,
        error: Optional[str] = None,
        metrics: Optional[Dict[str, Any]] = None,
        curves: Optional[Dict[str, List[float]]] = None,
        run: str = "",
        owner: str = ME,
        **rules: Any,
    ) -> str:
        ended = NOW - ago
        data = {
            "id": str(uuid.uuid4()),
            "run": run or str(uuid.uuid4()),
            "event": event,
            "name": name,
            "ended_at": ended,
            "duration_s": took,
            "error": {"type": error} if error else None,
            "metrics": metrics or {},
            "curves": {name: " ".join(map(str, points)) for name, points in (curves or {}).items()},
            "notebook": "train.ipynb",
        }
        outbox.put(data, {"lang": "en", **rules}, [(each, "f" * 64) for each in to or []], owner, ended)
        return data["id"]

    return put


@pytest.fixture
def ask(home: Home, folder: Path) -> Ask:
    """`knock history`, in a shell."""

    def ask(*words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        env = home.env(KNOCK_HOME=str(folder), PYTHONIOENCODING="utf-8", **settings)
        return subprocess.run(
            [sys.executable, "-m", "knock_magic", "history", *words],
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return ask


def entries(folder: Path, **query: Any) -> List[history.Entry]:
    return history.History([str(folder / "outbox.db")]).entries(Query(**query))


# Curves.

CURVES = {"train_loss": [3.0, 2.2, 1.0, 1.5], "val_acc": [0.1, 0.5, 0.9, 0.8]}


def test_a_run_shows_how_its_metric_went(put: Put, ask: Ask) -> None:
    put("resnet", metrics={"val_acc": 0.8}, curves=CURVES)
    put("vgg", metrics={"val_acc": 0.7}, curves=CURVES, metric="train_loss")

    listed = ask(COLUMNS="200").stdout

    assert "val_acc 0.8 · val_acc ▁▅█▇ best 0.9" in listed
    assert "train_loss █▅▁▃ best 1" in listed


def test_a_curve_that_is_to_fall_is_best_where_it_is_lowest(
    put: Put, outbox: Outbox, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KNOCK_LANG", "en")
    curve = Curves()
    for value in (0.7, 0.2, 0.5):
        curve.add("best_value", value)
    put("tune", curves={"best_value": [1.0, 2.0]})
    outbox._db.execute("UPDATE curves SET points = ?", (json.dumps(curve.written({"best_value": True})),))

    (entry,) = entries(folder)
    assert entry.curves == {"best_value": [0.7, 0.2, 0.5]}
    assert history._what(entry).endswith("best_value █▁▅ best 0.2")


def test_a_runs_detail_has_all_its_curves(put: Put, ask: Ask) -> None:
    run = str(uuid.uuid4())
    put("resnet", run=run, metrics={"val_acc": 0.8}, curves=CURVES)

    shown = ask("--run", run[:8], KNOCK_LANG="ko").stdout

    assert "train_loss █▅▁▃ 가장 좋은 값 1" in shown
    assert "val_acc ▁▅█▇ 가장 좋은 값 0.9" in shown
    assert json.loads(ask("--json").stdout)[0]["curves"] == CURVES


def test_a_later_curve_takes_the_place_of_the_earlier(put: Put, folder: Path) -> None:
    run = str(uuid.uuid4())
    put("resnet", "progress", run=run, curves={"loss": [3.0, 2.0]})
    put("resnet", run=run, curves={"loss": [3.0, 2.0, 1.0]})

    (entry,) = entries(folder)
    assert entry.curves == {"loss": [3.0, 2.0, 1.0]}


def test_the_history_is_kept_small(put: Put, outbox: Outbox, folder: Path) -> None:
    for number in range(10):
        put(f"run {number}", ago=100 - number, to=["slack"] if number == 0 else [], curves=CURVES)

    outbox.forget_before(NOW - HOUR, most=3)

    assert [entry.name for entry in entries(folder)] == ["run 9", "run 8", "run 7", "run 0"], "what waits stays"
    assert outbox._db.execute("SELECT count(*) FROM curves").fetchone()[0] == 4


def test_an_outbox_from_before_there_were_curves_is_read(put: Put, outbox: Outbox, folder: Path) -> None:
    put("resnet", metrics={"acc": 1})
    outbox._db.execute("DROP TABLE curves")

    (entry,) = entries(folder)
    assert (entry.metrics, entry.curves) == ({"acc": 1}, {})


@pytest.mark.parametrize("points", ["", "[]", '{"loss": 3}', '{"loss": "x"}', "{"])
def test_a_damaged_curve_is_none(points: str, put: Put, outbox: Outbox, folder: Path) -> None:
    put("resnet", curves=CURVES)
    outbox._db.execute("UPDATE curves SET points = ?", (points,))

    assert entries(folder)[0].curves == {}


# What is remembered.


def test_it_tells_all_of_a_run(put: Put, outbox: Outbox, ask: Ask) -> None:
    knock = put("resnet", "failed", ago=60, took=90.5, to=["slack", "kakao"], error="ValueError", metrics={"acc": 0.9})
    outbox.claim(knock, "slack", ME, NOW, 90)
    outbox.done(knock, "slack", NOW + 12, 12.0)
    outbox.later(knock, "kakao", NOW + 300, "KakaoTalk: it asks to slow down", False)

    found = json.loads(ask("--json").stdout)

    assert len(found) == 1
    one = found[0]
    assert {
        name: one[name] for name in ("name", "outcome", "duration_s", "error_type", "metrics", "notebook", "muted")
    } == {
        "name": "resnet",
        "outcome": "failed",
        "duration_s": 90.5,
        "error_type": "ValueError",
        "metrics": {"acc": 0.9},
        "notebook": "train.ipynb",
        "muted": False,
    }
    assert one["started_at"] < one["ended_at"]
    slack, kakao = one["deliveries"]
    assert (slack["channel"], slack["state"], slack["late_s"], slack["attempts"]) == ("slack", "done", 12.0, 1)
    assert (kakao["channel"], kakao["state"], kakao["reason"]) == ("kakao", "due", "KakaoTalk: it asks to slow down")


def test_a_terminal_gets_a_line_for_each_run(put: Put, ask: Ask) -> None:
    put("학습", "finished", ago=HOUR, took=7980, here=["notebook"])
    put("bert", "failed", error="ValueError", metrics={"loss": 0.25})

    done = ask()

    head, bert, training = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert head.split() == ["when", "outcome", "name", "took", "usually", "delivered", "run"]
    assert bert.split()[2:-1] == ["❌", "failed", "bert", "1", "h", "ValueError", "·", "loss", "0.25"]
    assert training.split()[2:-1] == ["✅", "finished", "학습", "2", "h", "13", "min", "notebook"]


def test_it_speaks_korean(put: Put, ask: Ask) -> None:
    put("bert", "failed", to=["slack"], owner=NOBODY)

    shown = ask(KNOCK_LANG="ko").stdout

    assert "시각" in shown
    assert "❌ 실패" in shown
    assert "같은 설정의 커널을 기다리는 중" in shown


def test_a_run_is_set_against_what_it_usually_takes(put: Put, folder: Path) -> None:
    for ago, took in ((5, 100), (4, 300), (3, 200)):
        put("resnet", ago=ago * HOUR, took=took)
    put("resnet", "failed", ago=2 * HOUR, took=7)
    put("another", ago=2 * HOUR, took=9999)
    put("resnet", ago=HOUR, took=250)
    put("resnet", "interrupted", took=50)

    found = [(entry.duration_s, entry.usual_s, entry.usual_of) for entry in entries(folder, name="resnet")]

    assert found == [(50, 225, 4), (250, 200, 3), (7, 200, 3), (200, 200, 2), (300, 100, 1), (100, None, 0)]


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("on time", "slack"),
        ("late", "slack, 3 min late"),
        ("waits", "slack waits (the server is down)"),
        ("orphan", "slack waits for a kernel with the same settings"),
        ("refused", "slack gave up (revoked)"),
        ("muted", "muted"),
        ("here", "notebook"),
        ("not due", ""),
    ],
)
def test_it_says_where_a_knock_went(put: Put, outbox: Outbox, folder: Path, state: str, said: str) -> None:
    nowhere = state in ("muted", "here", "not due")
    rules = {"muted": {"muted": True}, "here": {"here": ["notebook"]}}.get(state, {})
    knock = put("x", to=[] if nowhere else ["slack"], owner=NOBODY if state == "orphan" else ME, **rules)
    if state in ("on time", "late"):
        outbox.done(knock, "slack", NOW, 180.0 if state == "late" else 0.0)
    elif state == "waits":
        outbox.later(knock, "slack", NOW + 60, "the server is down", False)
    elif state == "refused":
        outbox.give_up(knock, "slack", NOW, "revoked")

    assert history.delivered(entries(folder)[0]) == ([said] if said else [])


def test_it_says_too_who_heard_of_it_though_it_was_muted(put: Put, outbox: Outbox, folder: Path) -> None:
    outbox.done(put("x", to=["healthchecks"], muted=True), "healthchecks", NOW, 0.0)

    assert history.delivered(entries(folder)[0]) == ["muted", "healthchecks"]


def test_what_goes_on_stands_first(put: Put, outbox: Outbox, folder: Path) -> None:
    put("done")
    line = {"event": {"run": "1" * 36, "name": "going", "started_at": NOW - 60}, "rules": {}}
    outbox.open_run("1" * 36, ME, ME, line, [], NOW)
    outbox.open_run("2" * 36, NOBODY, NOBODY, {**line, "event": {**line["event"], "name": "lost"}}, [], NOW)

    found = [(entry.name, entry.outcome, entry.goes_on) for entry in entries(folder)]

    assert found[0] == ("going", "progress", True)
    assert set(found[1:]) == {("done", "finished", False), ("lost", "died", False)}


# Asking.


def test_it_is_filtered_by_name_outcome_and_number(put: Put, folder: Path) -> None:
    for number in range(5):
        put(f"ResNet {number}", "finished" if number % 2 else "failed", ago=number)
    put("bert", "died")
    put("bert", "message")

    assert [entry.name for entry in entries(folder, name="resnet", limit=2)] == ["ResNet 0", "ResNet 1"]
    assert [entry.name for entry in entries(folder, outcomes=("died", "finished"))] == ["bert", "ResNet 1", "ResNet 3"]
    assert len(entries(folder)) == 6


def test_a_run_is_told_in_detail(put: Put, outbox: Outbox, ask: Ask) -> None:
    run = "0badcafe-0000-4000-8000-000000000000"
    put("resnet", ago=HOUR, took=60)
    put("resnet", "progress", run=run, ago=30, took=30, to=["slack"])
    end = put("resnet", run=run, took=60, to=["slack"], metrics={"acc": 0.9})
    outbox.done(end, "slack", NOW, 0.0)

    shown = ask("--run", "0badcafe").stdout

    assert "resnet finished" in shown
    assert run in shown
    assert "1 min (usually 1 min, 1 run)" in shown
    assert "acc 0.9" in shown
    assert [line[-len(end) :].split("  ")[-1] for line in shown.splitlines()[-2:]] == [
        "is running: slack waits",
        "finished: slack",
    ]


@pytest.mark.parametrize(
    ("words", "query"),
    [
        ([], Query()),
        (["5"], Query(limit=5)),
        (["0"], Query(limit=1)),
        (["99999999999999"], Query(limit=1000)),
        (["my", "net"], Query(name="my net")),
        (["net", "5"], Query(name="net", limit=5)),
        (["net 5"], Query(name="net 5")),
        (["3", "net", "5"], Query(name="net 5", limit=3)),
        (["\u00b2"], Query(name="\u00b2")),
        (["\u0663", "net", "\u00b2"], Query(name="\u0663 net \u00b2")),
        (["--outcome", "running,died"], Query(outcomes=("progress", "died"))),
        (["--outcome", "failed,died", "x", "--json"], Query(name="x", outcomes=("failed", "died"), as_json=True)),
        (["--run=0badcafe"], Query(run="0badcafe")),
    ],
)
def test_words_are_a_name_and_a_number_how_many(words: List[str], query: Query) -> None:
    assert history.parse(words) == query


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--outcom", "failed"], "Did you mean --outcome?"),
        (["--outcome", "fail"], "Did you mean failed?"),
        (["--outcome", "stalled"], "--outcome takes finished, failed, interrupted, died, running, got 'stalled'"),
        (["--outcome"], "--outcome takes"),
        (["--outcome", ","], "--outcome takes"),
        (["--run", "%"], "--run takes the id"),
        (["--run"], "--run takes the id"),
    ],
)
def test_what_can_not_be_understood_is_told(words: List[str], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        history.parse(words)

    assert said in caught.value.texts["en"]


# Where it can't be read.


def test_an_empty_history_says_what_comes_here(ask: Ask) -> None:
    assert "Nothing in the history yet" in ask().stdout
    assert ask("--json").stdout == "[]\n"


def test_a_locked_or_broken_outbox_holds_nobody_up(put: Put, outbox: Outbox, folder: Path, ask: Ask) -> None:
    put("x")
    outbox.close()
    db = sqlite3.connect(str(folder / "outbox.db"), isolation_level=None)
    db.execute("PRAGMA journal_mode = DELETE")
    db.execute("BEGIN EXCLUSIVE")

    assert ask().returncode == 0

    db.close()
    (folder / "outbox.db").write_bytes(b"no database" * 100)
    assert ask().returncode == 0


def test_reading_changes_nothing(put: Put, outbox: Outbox, folder: Path, ask: Ask) -> None:
    put("x", to=["slack"])
    before = outbox._db.execute("SELECT * FROM knocks, deliveries").fetchall()

    ask()

    assert [tuple(row) for row in outbox._db.execute("SELECT * FROM knocks, deliveries")] == [
        tuple(row) for row in before
    ]


# In a notebook.


def test_a_notebook_shows_a_table(kernel_with_knock: Kernel, phone: Phone) -> None:
    kernel_with_knock.run("%%knock <b>bold</b> training --show acc\nacc = 0.75")
    phone.wait_for(event="finished")
    kernel_with_knock.run("%%knock fails\n1 / 0")
    phone.wait_for(event="failed")

    result = kernel_with_knock.run("%knock history")
    few = kernel_with_knock.run("%knock history bold --outcome finished")

    page = next(m["content"]["data"]["text/html"] for m in result.messages if m["msg_type"] == "display_data")
    assert "&lt;b&gt;bold&lt;/b&gt; training" in page
    assert "<b>" not in page
    assert "ZeroDivisionError" in page
    assert result.displays[0].count("webhook") == 2
    assert "ZeroDivisionError" not in few.said
    assert "acc 0.75" in few.said
