"""What is seen of a run from outside: with a clock of our own, and in real kernels, with loops that know nothing of us."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import time
import warnings
from typing import Any, Callable, Dict, Iterator, List, Optional

import pytest
from conftest import Home, Kernel, linux_only
from phone import Phone

from knock_magic.event import Event, Progress
from knock_magic.runs import Run
from knock_magic.signs import Track
from knock_magic.template import render

# One track, looked at by hand.


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Scene:
    """A run, what is seen of it, and what is told of it."""

    def __init__(self, **rules: Any) -> None:
        self.clock = Clock()
        self.told: List[Event] = []
        self.printed = 0
        self.beats: List[float] = []
        self.works: Optional[bool] = False
        self.run = Run("train", self.told.append, clock=self.clock)
        rules = {"on": ["finished", "failed", "stalled", "progress"], "rank": None, **rules}
        self.track = Track(
            self.run,
            rules,
            beat=lambda limit, progress: self.beats.append(limit),
            heard=lambda: self.printed,
            clock=self.clock,
        )
        self.track._stillness._work.since_last = lambda *_: self.works  # type: ignore[method-assign]
        self.run.track = self.track

    def report(self, step: Any, total: Any = None, due: bool = False, **metrics: Any) -> None:
        self.track.report(step, total, metrics, due)

    def pass_by(self, seconds: float, every: float = 1.0) -> None:
        """Time passes, and we look as often as the sampler would."""
        until = self.clock.now + seconds
        while self.clock.now < until:
            self.clock.now += every
            self.track.look()

    def said(self, *kinds: str) -> List[str]:
        return [event.note or event.event for event in self.told if not kinds or event.event in kinds]


def test_progress_is_told_by_the_clock() -> None:
    """Also where the loop never calls us: then only that it goes on."""
    scene = Scene(every_s=60.0)

    scene.pass_by(200)

    assert scene.said() == ["progress"] * 3
    assert {event.progress for event in scene.told} == {None}


def test_a_loop_that_reports_is_told_of_with_its_steps() -> None:
    scene = Scene(every_s=60.0)
    for step in range(1, 12):
        scene.report(step, 100, loss=1 / step)
        scene.pass_by(10)

    (told,) = scene.told[:1]
    assert told.progress is not None
    assert (told.progress.step, told.progress.total) == (7, 100)
    assert told.progress.eta_s == pytest.approx(930, rel=0.05)
    assert told.metrics == {"loss": pytest.approx(1 / 7)}


def test_totals_may_change_and_be_missing() -> None:
    scene = Scene(every_s=1.0)
    said = []
    for step, total in ((1, 10), (2, 20), (3, None), (1, 5), ("x", 5), (float("nan"), 5)):
        scene.report(step, total)
        scene.pass_by(3)
        progress = scene.told[-1].progress
        assert progress is not None
        said.append((progress.step, progress.total))

    assert said == [(1, 10), (2, 20), (3, None), (1, 5), (1, 5), (1, 5)]


class Refusing:
    @property
    def device(self) -> str:
        raise RuntimeError

    def __int__(self) -> int:
        raise RuntimeError


def test_what_can_not_be_looked_at_costs_nothing_else() -> None:
    scene = Scene(every_s=1.0)

    scene.report(1, 9, bad=Refusing(), loss=0.5)
    scene.pass_by(3)
    for step, total in ((10**400, 10**401), (Refusing(), 9), (2, 10**400)):
        scene.report(step, total)
        scene.pass_by(3)

    assert scene.told[-1].metrics["loss"] == 0.5
    assert scene.told[-1].progress == Progress(2, None)


def test_ten_thousand_metrics_are_fifty() -> None:
    scene = Scene()

    for step in range(3):
        scene.report(step, 3, **{f"m{step}-{number}": number for number in range(10_000)})
        scene.clock.now += 1
    scene.run.finish()

    assert len(scene.told[-1].metrics) == 50


class Tensor:
    """One on a GPU: who looks at it waits until it is computed."""

    device = "cuda:0"
    shape = ()

    def __init__(self, value: float, looks: List[float]) -> None:
        self.value, self.looks = value, looks

    def detach(self) -> Tensor:
        return self

    def item(self) -> float:
        self.looks.append(self.value)
        return self.value


def test_a_gpu_is_waited_for_only_where_a_message_needs_it() -> None:
    scene, looks = Scene(every_s=60.0), []  # type: ignore[var-annotated]
    for step in range(1, 100):
        scene.report(step, 100, loss=Tensor(float(step), looks))
        scene.pass_by(1)

    assert len(scene.said("progress")) == 1
    assert len(looks) == 1
    assert scene.told[0].metrics == {"loss": looks[0]}


def test_metrics_that_come_faster_than_anybody_looks_are_there_in_the_end() -> None:
    scene = Scene()
    for step in range(1000):
        scene.report(step, 1000, loss=step)

    scene.run.finish()

    assert scene.told[-1].metrics == {"loss": 999}


# NaN.


@pytest.mark.parametrize(
    ("metrics", "warned"),
    [
        ({"loss": float("nan")}, True),
        ({"train/loss": float("inf")}, True),
        ({"acc": float("nan")}, True),
        ({"best_loss": float("inf")}, False),  # so it begins
        ({"lr": float("inf")}, False),
        ({"loss": 1e30}, False),
        ({"state": "nan"}, True),
    ],
)
def test_a_loss_that_is_no_number_is_warned_of_once(metrics: Dict[str, Any], warned: bool) -> None:
    scene = Scene()
    for step in range(5):
        scene.report(step, 5, **metrics)
        scene.pass_by(1)

    assert scene.said() == (["nan"] if warned else [])


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        ("en", ["loss became nan", "💡 The numbers became NaN. Lower the learning rate"]),
        ("ko", ["loss 값이 nan이 됐어요", "💡 값이 NaN이 됐어요. 학습률을 낮추고"]),
    ],
)
def test_the_warning_says_of_which_and_what_to_try(lang: str, said: List[str]) -> None:
    scene = Scene()
    scene.report(7, 9, acc=0.5, loss=float("nan"))

    text = render(scene.told[0], lang=lang).text

    assert all(each in text for each in said)


def test_only_the_first_rank_warns() -> None:
    scene = Scene(rank=3)
    scene.report(1, 5, loss=float("nan"))

    assert scene.said() == []


# Stalls.


def test_a_loop_stalls_by_its_own_pace() -> None:
    scene = Scene()
    for step in range(10):
        scene.report(step, 100)
        scene.pass_by(90)

    scene.pass_by(350)
    assert scene.said() == []
    scene.pass_by(120)
    assert scene.said() == ["stalled"]
    assert scene.told[0].still_s == pytest.approx(450, rel=0.05)
    scene.pass_by(3600)
    scene.report(10, 100)
    scene.pass_by(5)
    scene.report(11, 100)
    scene.pass_by(5)
    assert scene.said() == ["stalled", "again"]
    assert scene.told[1].event == "progress"


def test_what_has_stalled_is_not_told_to_be_on_its_way_nor_to_be_slow() -> None:
    scene = Scene(stall_s=60.0, every_s=30.0)
    for step in range(10):
        scene.report(step, 20)
        scene.pass_by(10)
    scene.pass_by(3600)
    stalled = scene.said().index("stalled")
    assert scene.said()[stalled + 1 :] == []

    scene.report(10, 20)
    scene.pass_by(40)

    assert scene.said()[stalled + 1 :] == ["again", "progress"]
    eta_s = scene.told[-1].progress.eta_s  # type: ignore[union-attr]
    assert eta_s == pytest.approx(90, abs=20)


def test_without_a_pace_nothing_stalls_unless_it_was_asked() -> None:
    unasked, asked = Scene(), Scene(stall_s=900.0)

    unasked.pass_by(7200)
    asked.pass_by(1200)

    assert (unasked.said(), asked.said()) == ([], ["stalled"])


@pytest.mark.parametrize("sign", ["work", "output"])
def test_a_long_validation_has_not_stalled(sign: str) -> None:
    scene = Scene(stall_s=60.0)
    scene.works = sign == "work"
    for _ in range(60):
        scene.printed += sign == "output"
        scene.pass_by(50)

    assert scene.said() == []


def test_of_a_run_within_another_one_stall_is_told() -> None:
    outer, inner = Scene(stall_s=60.0), Scene(stall_s=60.0)
    outer.track.inner.append(inner.track)
    for _ in range(200):
        outer.pass_by(1)
        inner.pass_by(1)
    assert (outer.said(), inner.said()) == ([], ["stalled"])
    assert outer.beats == []

    inner.run.finish()
    outer.pass_by(200)
    assert outer.said() == ["stalled"]


def test_a_run_that_can_not_stall_hides_no_other() -> None:
    outer, inner = Scene(stall_s=60.0), Scene()
    outer.track.inner.append(inner.track)
    outer.pass_by(200)

    assert outer.said() == ["stalled"]


def test_work_for_a_moment_is_not_going_again() -> None:
    """A hanging process may hiccup: what collects garbage, a watcher beside it."""
    scene = Scene(stall_s=60.0)
    scene.pass_by(120)
    for _ in range(5):
        scene.works = True
        scene.pass_by(3)
        scene.works = False
        scene.pass_by(30)
    assert scene.said() == ["stalled"]

    scene.works = True
    scene.pass_by(20)
    assert scene.said() == ["stalled", "again"]


def test_where_processes_can_not_be_looked_into_steps_and_output_have_to_do() -> None:
    scene = Scene(stall_s=60.0)
    scene.works = None

    scene.pass_by(120)

    assert scene.said() == ["stalled"]


def test_a_machine_that_slept_has_not_stalled() -> None:
    scene = Scene(stall_s=600.0)
    scene.pass_by(60)

    scene.clock.now += 8 * 3600
    scene.pass_by(60)

    assert scene.said() == []


def test_beats_come_as_seldom_as_they_can() -> None:
    unasked, asked = Scene(), Scene(stall_s=40.0)
    unasked.pass_by(300)
    asked.pass_by(100)

    assert unasked.beats == [600.0] * len(unasked.beats)
    assert 9 <= len(unasked.beats) <= 12
    assert 9 <= len(asked.beats) <= 12


# Bars.


@pytest.fixture
def bar() -> Iterator[Callable[..., Any]]:
    tqdm = pytest.importorskip("tqdm", reason="needs tqdm")
    made = []

    def make(**options: Any) -> Any:
        made.append(tqdm.tqdm(file=io.StringIO(), **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_the_outer_bar_counts_and_the_inner_one_refines_it(bar: Any) -> None:
    scene = Scene(every_s=1e6)
    epochs = bar(total=10)
    for epoch in range(2):
        batches = bar(total=5)
        for batch in range(5):
            batches.update(1)
            batches.set_postfix(loss=10 - 5 * epoch - batch)
            scene.pass_by(10)
        batches.close()
        epochs.update(1)
    inner = bar(total=5)
    inner.update(1)
    scene.pass_by(1)

    scene.track._tell(scene.clock.now)

    told = scene.told[-1]
    assert told.progress is not None
    assert (told.progress.step, told.progress.total) == (2, 10)
    assert told.progress.eta_s == pytest.approx(390, rel=0.1)
    assert told.metrics == {"loss": 1.0}


def test_of_bars_one_after_the_other_nobody_knows_the_end(bar: Any) -> None:
    scene = Scene(every_s=1e6)
    for _ in range(2):
        epoch = bar(total=50)
        for _ in range(20):
            epoch.update(1)
            scene.pass_by(1)
        epoch.update(30)
        scene.pass_by(1)
        epoch.close()
    epoch = bar(total=50)
    for _ in range(5):
        epoch.update(1)
        scene.pass_by(1)

    scene.track._tell(scene.clock.now)

    progress = scene.told[-1].progress
    assert progress is not None
    assert (progress.step, progress.total, progress.eta_s) == (5, 50, None)


def test_what_the_loop_says_itself_is_believed_more_than_its_bars(bar: Any) -> None:
    scene = Scene(every_s=1e6)
    bar(total=100).update(50)
    scene.report(1, 4)
    scene.pass_by(1)

    scene.track._tell(scene.clock.now)

    assert scene.told[-1].progress is not None
    assert scene.told[-1].progress.total == 4


# In a kernel.


def progress_of(phone: Phone, name: str) -> List[Dict[str, Any]]:
    return [knock["progress"] for knock in phone.knocks if knock["name"] == name and knock["event"] == "progress"]


def test_bars_are_told_of_without_being_asked(kernel_with_knock: Kernel, phone: Phone) -> None:
    pytest.importorskip("tqdm", reason="needs tqdm")
    code = (
        "%%knock a loop --every 1s\nimport sys, time\nfrom tqdm import tqdm\n"
        "for step in tqdm(range(40), file=sys.stdout): time.sleep(0.1)"
    )

    assert kernel_with_knock.run(code).status == "ok"

    phone.wait_for(name="a loop", event="finished")
    told = [each for each in progress_of(phone, "a loop") if each]
    assert told
    assert {each["total"] for each in told} == {40}
    assert any(each["eta_s"] for each in told)


def test_a_run_that_reports_nothing_is_told_of_by_the_clock(kernel_with_knock: Kernel, phone: Phone) -> None:
    kernel_with_knock.run("%%knock silence --every 0.3s\nimport time; time.sleep(1.5)")

    phone.wait_for(name="silence", event="finished")
    assert progress_of(phone, "silence")
    assert progress_of(phone, "silence")[0] is None


@linux_only
@pytest.mark.once
def test_a_cell_that_waits_for_nothing_stalls_and_goes_on(kernel_with_knock: Kernel, phone: Phone) -> None:
    kernel_with_knock.run(
        "%%knock stuck --stall 1s\nimport time\ntime.sleep(4)\nfor _ in range(8): print('on'); time.sleep(0.1)"
    )

    stalled = phone.wait_for(name="stuck", event="stalled")
    assert "has stalled" in stalled["title"]
    assert "no step and no output" in stalled["text"]
    assert "is running again" in phone.wait_for(name="stuck", event="progress")["title"]
    phone.wait_for(name="stuck", event="finished")


@linux_only
@pytest.mark.once
def test_a_cell_that_computes_has_not_stalled(kernel_with_knock: Kernel, phone: Phone) -> None:
    kernel_with_knock.run(
        "%%knock busy --stall 1s\nimport time\nuntil = time.monotonic() + 3\nwhile time.monotonic() < until: pass"
    )

    phone.wait_for(name="busy", event="finished")
    assert [knock["event"] for knock in phone.knocks if knock["name"] == "busy"] == ["finished"]


@linux_only
@pytest.mark.once
def test_a_worker_that_computes_is_a_sign_of_life(kernel_with_knock: Kernel, phone: Phone) -> None:
    code = (
        "%%knock worker --stall 1s\nimport subprocess, sys\n"
        "subprocess.run([sys.executable, '-c', 'import time; u = time.time() + 3\\nwhile time.time() < u: pass'])"
    )

    kernel_with_knock.run(code)

    phone.wait_for(name="worker", event="finished")
    assert [knock["event"] for knock in phone.knocks if knock["name"] == "worker"] == ["finished"]


@linux_only
@pytest.mark.once
def test_an_interpreter_that_is_held_does_not_respond(kernel_with_knock: Kernel, phone: Phone) -> None:
    """A call of a C library that keeps the lock: no thread of the kernel can tell."""
    kernel_with_knock.run(
        "%%knock held --stall 1s\nimport ctypes, time\ntime.sleep(0.8)\nctypes.PyDLL(None).usleep(4_000_000)\ntime.sleep(1)"
    )

    stalled = phone.wait_for(name="held", event="stalled")
    assert "its kernel does not respond" in stalled["title"]
    assert "is running again" in phone.wait_for(name="held", event="progress")["title"]


@linux_only
@pytest.mark.once
def test_a_run_within_a_cell_is_told_of_alone(kernel_with_knock: Kernel, phone: Phone) -> None:
    kernel_with_knock.run(
        "%%knock cell --stall 1s\nimport ctypes, knock, time\nwith knock.run('within', stall='1s'):\n"
        "    time.sleep(0.4)\n    ctypes.PyDLL(None).usleep(4_000_000)\n    print('on'); time.sleep(0.5)"
    )

    phone.wait_for(name="cell", event="finished")
    stalled = [knock["name"] for knock in phone.knocks if knock["event"] == "stalled"]
    assert stalled == ["within"]


def test_a_nan_knocks_at_once(kernel_with_knock: Kernel, phone: Phone) -> None:
    kernel_with_knock.run(
        "%%knock nans\nimport knock\nfor step in range(5): knock.progress(step, 5, loss=float('nan'))"
    )

    warned = phone.wait_for(name="nans", event="warning")
    assert "reports NaN or infinity" in warned["title"]
    assert "loss nan" in warned["text"]
    phone.wait_for(name="nans", event="finished")
    assert [knock["event"] for knock in phone.knocks if knock["name"] == "nans"].count("warning") == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_worker_that_reports_waits_for_nobody() -> None:
    """The sampler may hold its lock at the fork; in the child nobody would ever let go of it."""
    scene = Scene()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python 3.12: a process with threads forks
        held = threading.Thread(target=scene.track._lock.acquire)
        held.start()
        held.join()
        child = os.fork()
    if child == 0:
        scene.report(1, 2, loss=1.0)
        os._exit(7)

    assert os.WEXITSTATUS(os.waitpid(child, 0)[1]) == 7


def test_what_died_says_how_far_it_was(
    home: Home, start_kernel: Callable[[Dict[str, str]], Kernel], phone: Phone
) -> None:
    kernel = start_kernel(home.knocking_at(phone))
    kernel.load()
    kernel.start(
        "%%knock dying --stall 1s\nimport knock, time\nknock.progress(41, 100)\ntime.sleep(0.6)\nprint('there')\ntime.sleep(60)"
    )
    kernel.until("there")

    kernel.kill()

    told = phone.wait_for(name="dying", event="died")
    assert told["progress"] == {"step": 41, "total": 100, "eta_s": None}
    assert "41%" in told["text"]


def test_what_died_is_no_less_far_than_was_told_on_the_way(
    home: Home, start_kernel: Callable[[Dict[str, str]], Kernel], phone: Phone
) -> None:
    """A knock on the way is newer than the last beat; and of what has died no time is left."""
    kernel = start_kernel(home.knocking_at(phone))
    kernel.load()
    steps = "for step in range(1, 4):\n    knock.progress(step, 10)\n    time.sleep(0.3)\n"
    kernel.start(f"%%knock dying --every 0.2s\nimport knock, time\n{steps}print('there')\ntime.sleep(60)")
    kernel.until("there")
    last = phone.wait_for(lambda knock: knock["event"] == "progress" and knock["progress"]["step"] == 3)

    kernel.kill()

    told = phone.wait_for(name="dying", event="died")
    assert last["progress"]["total"] == 10
    assert told["progress"] == {"step": 3, "total": 10, "eta_s": None}


def test_the_last_lines_are_told_where_they_are_wanted(
    home: Home, start_kernel: Callable[[Dict[str, str]], Kernel], phone: Phone
) -> None:
    """Of any cell, armed or long; and without its secrets."""
    kernel = start_kernel(
        home.knocking_at(phone, KNOCK_TAIL="1", KNOCK_TEMPLATE="detailed", KNOCK_AUTO="0.5", MY_TOKEN="s3cr3t-s3cr3t")
    )
    kernel.load()
    kernel.run("print('before')")
    kernel.run("%%knock armed\nprint('epoch 1'); print('s3cr3t-s3cr3t')")
    kernel.run("import time; print('epoch 2'); time.sleep(0.7)")

    armed = phone.wait_for(name="armed")["text"]
    assert "epoch 1\n[redacted]" in armed
    assert "before" not in armed
    long = phone.wait_for(lambda knock: knock["name"].startswith("import time"))["text"]
    assert "epoch 2" in long.split("\n", 1)[1]
    assert "epoch 1" not in long


def test_nothing_is_left_after_unloading(
    home: Home, start_kernel: Callable[[Dict[str, str]], Kernel], phone: Phone
) -> None:
    kernel = start_kernel(home.knocking_at(phone, KNOCK_TAIL="1"))
    kernel.load()
    kernel.run("%%knock armed\nprint(1)")
    kernel.run("%unload_ext knock")

    assert (
        kernel.run("import threading; [t.name for t in threading.enumerate() if t.name == 'knock-signs']").value == "[]"
    )
    assert "Listener" not in kernel.ask("repr(vars(__import__('sys').stdout).get('write'))")
    assert "write_format_data" not in kernel.ask("list(vars(get_ipython().displayhook))")


# Commands.


@linux_only
@pytest.mark.once
def test_a_command_is_told_of_by_the_clock_and_stalls(home: Home, phone: Phone) -> None:
    command = [sys.executable, "-c", "import time; print('x'); time.sleep(8)"]
    words = ["run", "silent", "--every", "1s", "--stall", "4s", "--", *command]

    subprocess.run([sys.executable, "-m", "knock_magic", *words], env=home.knocking_at(phone), check=True, timeout=60)

    phone.wait_for(name="silent", event="finished")
    assert phone.wait_for(name="silent", event="stalled")["progress"] is None
    assert progress_of(phone, "silent")[0] is None


def test_a_commands_last_errors_are_told_where_they_are_wanted(home: Home, phone: Phone) -> None:
    command = [sys.executable, "-c", "import sys; print('epoch 9', file=sys.stderr)"]

    subprocess.run(
        [sys.executable, "-m", "knock_magic", "run", "tail", "--template", "detailed", "--", *command],
        env=home.knocking_at(phone, KNOCK_TAIL="1"),
        check=True,
        timeout=60,
    )

    assert "epoch 9" in phone.wait_for(name="tail")["text"].splitlines()


@linux_only
@pytest.mark.once
def test_a_command_that_computes_has_not_stalled(home: Home, phone: Phone) -> None:
    command = [sys.executable, "-c", "import time\nuntil = time.time() + 3\nwhile time.time() < until: pass"]

    subprocess.run(
        [sys.executable, "-m", "knock_magic", "run", "hot", "--stall", "1s", "--", *command],
        env=home.knocking_at(phone),
        check=True,
        timeout=60,
    )

    phone.wait_for(name="hot", event="finished")
    assert [knock["event"] for knock in phone.knocks if knock["name"] == "hot"] == ["finished"]


def test_streams_are_left_as_they_were(kernel_with_knock: Kernel) -> None:
    kernel_with_knock.run("%%knock prints\nprint(1)")

    until = time.monotonic() + 20
    while "Listener" in kernel_with_knock.ask("repr(vars(__import__('sys').stdout).get('write'))"):
        assert time.monotonic() < until
        time.sleep(0.1)


def test_a_bar_is_not_held(home: Home) -> None:
    """The sampler's frame must not keep a bar, and with it what the bar goes over."""
    tqdm = pytest.importorskip("tqdm", reason="needs tqdm")
    scene = Scene(every_s=60.0)
    running = tqdm.tqdm(total=10, file=io.StringIO())
    scene.pass_by(2)
    before = sys.getrefcount(running)

    scene.pass_by(2)

    assert sys.getrefcount(running) == before
    running.close()
