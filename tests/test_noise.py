"""Many knocks at once: the first goes at once, what follows is told together, and nothing asked for is held back."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import pytest
from conftest import Home, Kernel
from fire import boot_cell, setting
from phone import Phone
from road import ANY_NAME, Road, boot

from knock_magic import launch, noise
from knock_magic.event import ErrorInfo, Event
from knock_magic.noise import Noise
from knock_magic.outbox import Outbox, spoken
from knock_magic.template import render

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="ends processes by signals")

Start = Callable[[Dict[str, str]], Kernel]
ERROR = ErrorInfo("ValueError", "loss is nan")
WINDOW = setting("noise", "WINDOW_S", 2.0)
RANK_NAMES = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK")


# Which of them wait.


def failed(name: str = "train", kind: str = "ValueError") -> Dict[str, Any]:
    return {"event": "failed", "name": name, "error": {"type": kind}}


def test_the_first_failure_goes_at_once_and_the_others_wait_for_the_windows_end() -> None:
    quiet = Noise("kernel")

    placed = [quiet.place(failed(), {}, now) for now in (0.0, 1.0, 59.0)]

    assert placed[0] == ("", 0.0)
    assert {moment for _, moment in placed[1:]} == {60.0}
    assert len({group for group, _ in placed[1:]}) == 1


def test_what_fails_on_and_on_is_told_less_and_less_often() -> None:
    quiet = Noise("kernel")

    moments = sorted({quiet.place(failed(), {}, float(now))[1] for now in range(0, 3600, 5)})

    assert moments[:4] == [0.0, 60.0, 180.0, 420.0]
    assert len(moments) < 12
    assert max(after - before for before, after in zip(moments, moments[1:])) <= noise.LONGEST_WINDOW_S + 10


def test_a_failure_after_a_quiet_window_goes_at_once() -> None:
    """Someone who mends and tries again does not wait for their answer."""
    quiet = Noise("kernel")
    quiet.place(failed(), {}, 0.0)

    assert quiet.place(failed(), {}, 70.0) == ("", 70.0)


@pytest.mark.parametrize("other", [failed("another"), failed(kind="KeyError")])
def test_another_failure_is_no_repetition(other: Dict[str, Any]) -> None:
    quiet = Noise("kernel")
    quiet.place(failed(), {}, 0.0)

    assert quiet.place(other, {}, 1.0) == ("", 1.0)


@pytest.mark.parametrize("kind", ["message", "test", "warning"])
def test_what_was_asked_for_is_never_held(kind: str) -> None:
    quiet = Noise("kernel")

    placed = {quiet.place({"event": kind, "name": "x"}, {"rank": 1, "unasked": True}, 1.0) for _ in range(1000)}

    assert placed == {("", 1.0)}


def test_no_kernel_sends_more_than_a_hand_can_start() -> None:
    quiet = Noise("kernel")

    placed = [quiet.place({"event": "finished", "name": str(n)}, {}, n / 100) for n in range(1000)]

    assert sum(group == "" for group, _ in placed) == noise.MOST_IN_WINDOW


# What the one says that speaks for all.


def test_a_digest_of_digests_counts_each_once() -> None:
    told = [{"name": "a"}, {"name": "a", "more": 4, "among": ["b"]}, {"name": "c"}]

    assert noise.speaker(told) == (2, {"more": 6, "among": ["a", "b"]})


def test_a_digest_that_did_not_get_through_is_told_by_the_next(tmp_path: Path) -> None:
    box = Outbox(str(tmp_path / "state" / "outbox.db"))

    def put(name: str, now: float) -> None:
        event = {**failed(name), "id": name, "run": name, "ended_at": now, "duration_s": 1.0}
        box.put(event, {}, [("phone", "print")], "me", now, grouping="again")

    def merged(now: float) -> Dict[str, Any]:
        return box.merge(box.due("me", now, 10)[0], now, noise.speaker)

    put("a", 1.0)
    put("b", 2.0)
    assert spoken(merged(3.0))["more"] == 1
    box.later("b", "phone", 4.0, "HTTP 503", maybe_sent=False)
    put("c", 5.0)

    told = spoken(merged(6.0))

    assert (told["name"], told["more"], told["among"]) == ("c", 2, ["a", "b"])
    box.close()


def test_of_ranks_the_first_to_fail_speaks() -> None:
    told = [{"name": "train", "rank": 5}, {"name": "train", "rank": 0}, {"name": "train", "rank": 6}]

    assert noise.speaker(told) == (0, {"more": 2, "among": ["rank 0", "rank 5", "rank 6"]})


@pytest.mark.parametrize(
    ("kind", "facts", "en", "ko"),
    [
        (
            "failed",
            {"more": 37},
            "❌ train failed · 3 s\nValueError: loss is nan\n37 more like this one.",
            "❌ train 실패했어요 · 3초\nValueError: loss is nan\n이런 일이 37번 더 있었어요.",
        ),
        (
            "finished",
            {"more": 2, "among": ("load", "augment")},
            "✅ train finished · 3 s\n2 more finished before it: load, augment",
            "✅ train 끝났어요 · 3초\n먼저 2건이 더 끝났어요: load, augment",
        ),
        (
            "finished",
            {"more": 9, "among": tuple("efghi")},
            "✅ train finished · 3 s\n9 more finished before it: …, e, f, g, h, i",
            "✅ train 끝났어요 · 3초\n먼저 9건이 더 끝났어요: …, e, f, g, h, i",
        ),
        (
            "failed",
            {"rank": 3, "more": 5, "among": ("rank 0", "rank 1", "rank 2", "rank 3", "rank 4", "rank 7")},
            "❌ train failed · 3 s\nValueError: loss is nan\nOn ranks 0–4, 7; the first was rank 3.",
            "❌ train 실패했어요 · 3초\nValueError: loss is nan\nrank 0–4, 7에서 일어났어요. 처음은 rank 3 쪽이에요.",
        ),
    ],
)
def test_it_reads_well_on_a_phone(kind: str, facts: Dict[str, Any], en: str, ko: str) -> None:
    error = ERROR if kind == "failed" else None
    event = Event(event=kind, name="train", started_at=1.0, ended_at=4.0, duration_s=3.0, error=error, **facts)

    assert [render(event, lang=lang).text for lang in ("en", "ko")] == [en, ko]


# The whole road.


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    yield home
    home.clean()


@pytest.fixture
def road(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Road]]:
    roads: List[Road] = []

    def build(*lines: str) -> Road:
        monkeypatch.setattr(launch, "_BOOT", boot(*ANY_NAME, *lines))
        roads.append(Road(tmp_path))
        return roads[-1]

    yield build
    for each in roads:
        each.kill()


def tell_failure(here: Road, number: int, to: Tuple[str, ...], **facts: Any) -> None:
    error = ErrorInfo("ValueError", f"loss {number} is nan")
    now = time.time()
    here.tell("train", to, "failed", started_at=now, ended_at=now + 1, duration_s=1.0, error=error, **facts)


@pytest.mark.once
def test_a_thousand_failures_make_one_knock_and_one_digest_at_each_channel(road: Callable[..., Road]) -> None:
    phones = {"one": Phone(), "two": Phone()}
    here = road(setting("noise", "WINDOW_S", 8.0))
    for name, phone in phones.items():
        here.teach(name, phone.url)

    for number in range(1000):
        tell_failure(here, number, tuple(phones))
    for phone in phones.values():
        phone.wait(2, timeout=90)
    here.end()

    for phone in phones.values():
        first, digest = phone.knocks
        assert "loss 0 is nan" in first["text"]
        assert "more" not in first["text"]
        assert "loss 999 is nan" in digest["text"]
        assert "998 more like this one." in digest["text"]
        phone.close()
    assert here.states() == {"done": 4, "merged": 1996}
    assert here.rows("SELECT count(body) FROM knocks") == [(0,)]


def test_a_loop_of_failing_cells_knocks_first_and_then_in_one(home: Home, phone: Phone, start_kernel: Start) -> None:
    kernel = start_kernel(home.knocking_at(phone))
    kernel.run(boot_cell(WINDOW))
    kernel.load()

    for _ in range(15):
        kernel.run("%%knock training\nraise ValueError('loss is nan')")
    phone.wait(2)

    first, digest = phone.knocks[:2]
    assert "more" not in first["text"]
    assert "more like this one." in digest["text"]
    assert len(phone.knocks) <= 4


def test_restart_and_run_all_makes_one_summary(home: Home, phone: Phone, start_kernel: Start) -> None:
    kernel = start_kernel(home.knocking_at(phone, KNOCK_AUTO="0.2")).load()
    kernel.run("%%knock before\n1 + 1")
    phone.wait_for(name="before")

    kernel.restart()
    phone.clear()
    kernel.load()
    for name in "abcd":
        kernel.client.execute(f"# a cell of the batch\n{name} = __import__('time').sleep(0.4)")
    kernel.run("e = __import__('time').sleep(0.4)")

    summary = phone.wait()
    assert phone.expect_only(kernel.send) == [("finished", summary["name"])]
    assert summary["name"].startswith("e = ")
    assert "4 more finished before it: a = " in summary["text"]
    assert "d = " in summary["text"]


def test_one_long_cell_is_told_of_soon(home: Home, phone: Phone, start_kernel: Start) -> None:
    kernel = start_kernel(home.knocking_at(phone, KNOCK_AUTO="0.2")).load()

    kernel.run("import time; time.sleep(0.4)")

    assert phone.wait()["late_s"] == 0
    assert "more" not in phone.wait()["text"]


def test_cells_that_ask_for_it_each_knock(home: Home, phone: Phone, start_kernel: Start) -> None:
    kernel = start_kernel(home.knocking_at(phone)).load()
    for number in range(4):
        kernel.client.execute(f"%%knock cell {number}\n1 + 1")

    assert phone.expect_only(kernel.send) == [("finished", f"cell {number}") for number in range(4)]


# Ranks.

SCRIPT = """
import sys, time
import knock
with knock.run("training", min=0):
    if sys.argv[1] == "fail":
        raise ValueError("loss is nan")
    print("done")
"""


def run_ranks(home: Home, phone: Phone, variable: str, ends: List[str]) -> None:
    """A process for each rank, as a launcher starts them, which are done when all have been delivered."""
    clean: Dict[str, Optional[str]] = dict.fromkeys(RANK_NAMES)
    processes = []
    for rank, end in enumerate(ends):
        env = home.knocking_at(phone, **{**clean, variable: str(rank), "MASTER_PORT": "29500"})
        words = [sys.executable, "-c", SCRIPT, end]
        processes.append(subprocess.Popen(words, env=env, cwd=str(home.work), stderr=subprocess.DEVNULL))
    for process in processes:
        process.wait(60)
    home.wait_until_alone(60)


def test_failures_of_many_ranks_are_one_knock(home: Home, phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    run_ranks(home, phone, "RANK", ["fail" if rank != 4 else "finish" for rank in range(8)])

    told = [knock for knock in phone.knocks if knock["event"] == "failed"]
    assert "On ranks 0–3, 5–7; the first was rank " in told[0]["text"], [knock["text"] for knock in phone.knocks]
    assert len(phone.knocks) == 1


@pytest.mark.parametrize("variable", RANK_NAMES)
def test_only_the_first_rank_tells_of_a_good_end(variable: str, home: Home, phone: Phone) -> None:
    run_ranks(home, phone, variable, ["finish"] * 3)

    assert [knock["event"] for knock in phone.knocks] == ["finished"]
    assert "rank" not in phone.knocks[0]["text"]


def test_a_later_rank_tells_of_its_failure(home: Home, phone: Phone) -> None:
    run_ranks(home, phone, "RANK", ["finish", "fail"])

    assert sorted(knock["event"] for knock in phone.knocks) == ["failed", "finished"]
    assert "On rank 1." in next(knock["text"] for knock in phone.knocks if knock["event"] == "failed")
