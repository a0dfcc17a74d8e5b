"""`knock.run` and `knock.progress`: real scripts, each a Python of its own, and what their phone gets."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional

import pytest
from conftest import Home, Kernel, linux_only, poll
from phone import Phone

import knock_magic as knock
from knock_magic import armed, knocker, signs
from knock_magic.errors import UsageError
from knock_magic.runs import Run

Script = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def script(home: Home, phone: Phone) -> Script:
    """Run a script that knocks at the phone."""

    def run(code: str, *, check: bool = True, **settings: Optional[str]) -> subprocess.CompletedProcess[str]:
        path = home.work / "train.py"
        path.write_text(textwrap.dedent(code), encoding="utf-8")
        env = home.knocking_at(phone, PYTHONIOENCODING="utf-8", **settings)
        return subprocess.run(
            [sys.executable, str(path)], env=env, cwd=home.work, capture_output=True, text=True, check=check, timeout=60
        )

    return run


# What it goes around.


def test_it_knocks_for_every_kind_of_function(script: Script, phone: Phone) -> None:
    done = script(
        """
        import asyncio, functools, json
        import knock

        @knock.run
        def plain(x, *, y=1): return x + y

        @knock.run("a name of its own")
        def named(): return "text"

        @knock.run()
        async def coroutine(): return 0.5

        @knock.run
        def generator(n):
            for i in range(n): yield i
            return n

        @knock.run
        async def async_generator():
            yield 1
            await asyncio.sleep(0)
            yield 2

        class Trainer:
            lr = 3
            @knock.run
            def method(self): return self.lr
            @classmethod
            @knock.run
            def below(cls): return cls.__name__
            @knock.run
            @classmethod
            def above(cls): return cls.__name__
            @staticmethod
            @knock.run
            def static(): return 7
            @knock.run
            @staticmethod
            def static_above(): return 8

        class Called:
            async def __call__(self): return 9

        async def main():
            return [await coroutine(), [x async for x in async_generator()], await knock.run(Called())()]

        def whole(): return (yield from generator(2))

        def drain(source):
            found = []
            while True:
                try: found.append(next(source))
                except StopIteration as stop: return found + [stop.value]

        trainer = Trainer()
        print(json.dumps([
            plain(2, y=3), named(), asyncio.run(main()), drain(whole()), trainer.method(), Trainer.below(),
            Trainer.above(), Trainer.static(), trainer.static_above(), knock.run(functools.partial(plain.__wrapped__, 1))(),
        ]))
        """
    )

    assert json.loads(done.stdout) == [5, "text", [0.5, [1, 2], 9], [0, 1, 2], 3, "Trainer", "Trainer", 7, 8, 2]
    assert done.stderr == ""
    results = {
        "plain": {"result": 5},
        "a name of its own": {},
        "coroutine": {"result": 0.5},
        "generator": {"result": 2},
        "async_generator": {},
        "Called": {"result": 9},
        "Trainer.method": {"result": 3},
        "Trainer.below": {},
        "Trainer.above": {},
        "Trainer.static": {"result": 7},
        "Trainer.static_above": {"result": 8},
        "partial": {"result": 2},
    }
    told = {name: phone.wait_for(name=name) for name in results}
    assert {name: (knock["event"], knock["metrics"]) for name, knock in told.items()} == {
        name: ("finished", metrics) for name, metrics in results.items()
    }


def test_what_calls_itself_knocks_once(script: Script, phone: Phone) -> None:
    done = script(
        """
        import asyncio, threading
        import knock

        @knock.run
        def fact(n): return n * fact(n - 1) if n else 1

        @knock.run
        async def deep(n): return await deep(n - 1) if n else 0

        @knock.run
        def walk(n):
            yield n
            if n: yield from walk(n - 1)

        print(fact(3), asyncio.run(deep(2)), list(walk(2)))
        threads = [threading.Thread(target=fact, args=(1,)) for _ in range(2)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        """
    )

    phone.wait(5)
    assert done.stdout == "6 0 [2, 1, 0]\n"
    assert sorted(knock["name"] for knock in phone.knocks) == ["deep", "fact", "fact", "fact", "walk"]
    assert sorted(knock["metrics"]["result"] for knock in phone.knocks if knock["name"] == "fact") == [1, 1, 6]


def test_a_decorated_function_is_of_the_same_kind() -> None:
    async def coroutine(x: int) -> int:
        """Its words."""
        return x

    def generator() -> Any:
        yield

    async def async_generator() -> Any:
        yield

    def is_same(function: Any, kind: Callable[[Any], bool]) -> bool:
        made = knock.run(function)
        return (
            kind(made) and inspect.signature(made) == inspect.signature(function) and made.__doc__ == function.__doc__
        )

    assert is_same(
        coroutine, asyncio.iscoroutinefunction if sys.version_info < (3, 12) else inspect.iscoroutinefunction
    )
    assert is_same(generator, inspect.isgeneratorfunction)
    assert is_same(async_generator, inspect.isasyncgenfunction)
    assert knock.run("x")(coroutine).__qualname__ == coroutine.__qualname__


# How it ends.


def test_it_tells_each_ending_for_what_it_was(script: Script, phone: Phone) -> None:
    done = script(
        """
        import asyncio, sys, traceback
        import knock

        def expect(kind, call):
            try:
                call()
            except BaseException as error:
                assert type(error) is kind, error
                return error
            raise AssertionError(kind)

        @knock.run
        def fails(error):
            deeper(error)

        def deeper(error):
            raise error

        boom = ValueError("loss is nan")
        assert expect(ValueError, lambda: fails(boom)) is boom
        assert boom.__context__ is None and boom.__cause__ is None
        assert [frame.name for frame in traceback.extract_tb(boom.__traceback__)][-2:] == ["fails", "deeper"]

        def raising(name, error):
            with knock.run(name):
                raise error

        expect(KeyboardInterrupt, lambda: raising("by Ctrl-C", KeyboardInterrupt()))
        expect(SystemExit, lambda: raising("left well", SystemExit(0)))
        expect(SystemExit, lambda: raising("left badly", SystemExit("disk full")))

        async def cancelled():
            async with knock.run("cancelled"):
                task.cancel()
                await asyncio.sleep(60)

        async def main():
            global task
            task = asyncio.ensure_future(cancelled())
            await task

        expect(asyncio.CancelledError, lambda: asyncio.run(main()))

        @knock.run
        def closed():
            try:
                yield 1
            finally:
                print("closed")

        for item in closed():
            break
        """
    )

    assert done.stdout == "closed\n"
    told = {name: phone.wait_for(name=name) for name in ("fails", "by Ctrl-C", "left well", "left badly", "cancelled")}
    assert {name: knock["event"] for name, knock in told.items()} == {
        "fails": "failed",
        "by Ctrl-C": "interrupted",
        "left well": "finished",
        "left badly": "failed",
        "cancelled": "interrupted",
    }
    error = told["fails"]["error"]
    assert (error["type"], error["message"]) == ("ValueError", "loss is nan")
    assert [line.rpartition(" ")[2] for line in error["traceback"].splitlines()] == ["fails", "deeper"]
    early = phone.wait_for(name="closed")
    assert (early["event"], "was ended early" in early["title"]) == ("finished", True)


def test_a_generator_keeps_its_whole_protocol(script: Script) -> None:
    done = script(
        """
        import gc, weakref
        import knock

        def echo():
            got = []
            while True:
                try:
                    got.append((yield len(got)))
                except KeyError as error:
                    got.append(repr(error))
                if got[-1] == "end":
                    return got

        def talk(source):
            said = [next(source), source.send("a"), source.throw(KeyError("k"))]
            try:
                source.send("end")
            except StopIteration as stop:
                return said + stop.value

        assert talk(knock.run(echo)()) == talk(echo()), talk(echo())

        class Heavy(Exception): pass

        def thrower():
            try:
                yield
            except Heavy:
                pass
            yield

        source = knock.run(thrower)()
        next(source)
        error = Heavy()
        gone = weakref.ref(error)
        gc.disable()
        source.throw(error)
        del error
        assert gone() is None, "a thrown error is kept, and its frames with it"
        """
    )

    assert done.stderr == ""


def test_runs_nest_and_stand_side_by_side(script: Script, phone: Phone) -> None:
    script(
        """
        import threading
        import knock

        both = threading.Barrier(2)
        code = knock.run("twin")

        def twin(number):
            with code as piece:
                both.wait()
                piece.progress(number, loss=number)
                both.wait()

        threads = [threading.Thread(target=twin, args=(number,)) for number in (1, 2)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()

        with knock.run("outer"):
            with knock.run("inner"):
                knock.progress(1, 2, depth="inner")
            knock.progress(1, 2, depth="outer")

        def loader():
            for batch in range(2): yield batch

        with knock.run("reader"):
            for batch in knock.run("loader")(loader)():
                knock.progress(batch, 2, reads=batch)
        """
    )

    twins = [phone.wait_for(lambda knock, n=n: knock["metrics"].get("loss") == n, name="twin") for n in (1, 2)]
    assert [knock["event"] for knock in twins] == ["finished", "finished"]
    assert twins[0]["run"] != twins[1]["run"]
    depths = {name: phone.wait_for(name=name)["metrics"] for name in ("inner", "outer", "reader", "loader")}
    assert depths == {
        "inner": {"depth": "inner"},
        "outer": {"depth": "outer"},
        "reader": {"reads": 1},
        "loader": {},
    }


@pytest.fixture
def start_script(home: Home, phone: Phone) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start a script that is inside its run when this returns."""
    started: List[subprocess.Popen[bytes]] = []

    def start(name: str, **settings: str) -> subprocess.Popen[bytes]:
        code = f"import knock, os, time\nwith knock.run({name!r}):\n    os.write(1, b'.')\n    time.sleep(60)"
        env = home.knocking_at(phone, **settings)
        process = subprocess.Popen([sys.executable, "-c", code], env=env, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout
        assert process.stdout.read(1) == b"."
        poll(lambda: home.couriers(process.pid), "the courier")
        return process

    yield start
    for process in started:
        assert process.stdout
        process.kill()
        process.stdout.close()
        process.wait()


@linux_only
def test_a_script_that_is_killed_knocks(start_script: Any, phone: Phone) -> None:
    process = start_script("killed")

    process.kill()

    told = phone.wait_for(name="killed")
    assert told["event"] == "died"
    assert "was killed" in told["title"]
    assert "kernel" not in told["text"]


def ignores(pid: int, number: int) -> bool:
    """Whether the process ignores the signal, by proc(5)'s SigIgn."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    mask = int(next(line.split()[1] for line in status.splitlines() if line.startswith("SigIgn")), 16)
    return bool(mask >> (number - 1) & 1)


@linux_only
def test_a_scheduler_that_ends_everybody_is_told_of(start_script: Any, home: Home, phone: Phone) -> None:
    """Slurm signals the whole control group, our courier too."""
    process = start_script("job", SLURM_JOB_ID="7")
    courier = home.courier(process.pid)
    # Not while it starts: for the first moments of any process a signal is what the system makes of it.
    poll(lambda: ignores(courier, signal.SIGTERM), "the courier to be up")

    os.kill(courier, signal.SIGTERM)
    process.terminate()

    told = phone.wait_for(name="job")
    assert (told["event"], told["error"]["type"]) == ("died", "SIGTERM")
    assert "was stopped by the scheduler" in told["title"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_does_not_speak_for_its_parent(script: Script, phone: Phone) -> None:
    script(
        """
        import os, warnings
        warnings.simplefilter("ignore")
        import knock

        with knock.run("parent"):
            child = os.fork()
            knock.progress(1, 2, who="child" if not child else "parent")
            if not child:
                os._exit(0) if os.environ.get("NEVER") else None
            else:
                os.waitpid(child, 0)
        if not child:
            os._exit(0)
        """
    )

    told = phone.wait_for(name="parent")
    assert told["metrics"] == {"who": "parent"}


# Options.


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"evry": "30m"}, ["evry", "Did you mean every?"]),
        ({"show": "acc"}, ["no option show"]),
        ({"to": "slak"}, ["slak", "Did you mean slack?"]),
        ({"to": ["webhook", "no such channel"]}, ["no such channel"]),
        ({"on": "finish"}, ["on=", "Did you mean finished?"]),
        ({"min": "soon"}, ["min=", "90s"]),
        ({"min": -1}, ["min="]),
        ({"every": True}, ["every=", "a bool"]),
        ({"stall": {}}, ["stall=", "a dict"]),
        ({"metric": "acc", "baseline": "worst"}, ["baseline=", "best"]),
        ({"baseline": "best"}, ["baseline=", 'metric="val_acc"']),
        ({"template": "shrot"}, ["Did you mean short?"]),
        ({"to": ""}, ["to= needs a value"]),
    ],
)
def test_a_wrong_option_is_told_where_it_is_written(options: Dict[str, Any], words: Any, quiet: None) -> None:
    with pytest.raises(UsageError) as caught:
        knock.run("x", **options)

    assert [word for word in words if word not in str(caught.value)] == []
    assert "--" not in str(caught.value)


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A process without settings of its own."""
    monkeypatch.setenv("KNOCK_HOME", str(tmp_path))
    monkeypatch.setenv("KNOCK_LANG", "en")
    monkeypatch.setattr(knocker, "_knocker", None)
    yield
    door = knocker.present()
    if door:
        door.close()


def test_only_functions_and_methods_are_decorated() -> None:
    for wrong in (int, 3, property(lambda self: 1)):
        with pytest.raises(UsageError, match=r"with knock\.run"):
            knock.run("x")(wrong)


def test_options_are_texts_numbers_or_lists(script: Script, phone: Phone) -> None:
    script(
        """
        import knock

        with knock.run("too short", min="1h"): pass
        with knock.run("too short", min=3600): pass
        with knock.run("wrong outcome", on=["failed", "died"]): pass
        with knock.run("told", to=("webhook",), template="short", min=0, on="finished,failed"): pass
        """
    )

    told = phone.wait_for(name="told")
    assert "\n" not in told["text"]
    assert [knock["name"] for knock in phone.knocks] == ["told"]


# Nothing of ours is raised.


def test_a_fault_of_ours_leaves_the_code_alone(
    quiet: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(knocker, "current", broken)

    @knock.run("x")
    def train() -> str:
        knock.progress(1, 2)
        return "untouched"

    assert train() == "untouched"
    assert "a fault of its own" in caplog.text


def test_progress_of_a_worker_is_that_of_the_only_run(monkeypatch: pytest.MonkeyPatch) -> None:
    told: List[Any] = []
    monkeypatch.setattr(signs, "sampler", signs.Sampler())
    tracks = [signs.Track(Run(name, lambda event: None), {"on": []}) for name in ("one", "two")]
    monkeypatch.setattr(armed, "tell_progress", lambda run, *_: told.append(run))

    for open_now in (tracks[:1], tracks, []):
        signs.sampler._tracks[:] = open_now
        knock.progress(1)
        worker = threading.Thread(target=knock.progress, args=(1,))
        worker.start()
        worker.join()

    assert told == [tracks[0].run]


def test_no_call_of_progress_raises_and_a_loss_may_be_called_total(monkeypatch: pytest.MonkeyPatch) -> None:
    told: List[Any] = []
    piece = object.__new__(armed.Piece)
    piece.run, piece.rules = Run("x", told.append), {}
    monkeypatch.setattr(armed, "tell_progress", lambda run, rules, *what: told.append(what))
    monkeypatch.setattr(armed, "here", lambda: (piece.run, {}))

    for progress in (knock.progress, piece.progress):
        progress(3, 9, **{"total": 0.5, "step": 0.25, "self": 1})
        progress(step=3, total=9, loss=0.5)
        progress(3, total=9)
        progress(3, 9, "by mistake")
        progress()

    one = [(3, 9, {"total": 0.5, "step": 0.25, "self": 1}), (3, 9, {"loss": 0.5}), (3, 9, {}), (3, 9, {})]
    assert told == 2 * [*one, (None, None, {})]


def test_it_does_nothing_where_it_is_disabled(script: Script, phone: Phone, home: Home) -> None:
    done = script(
        "import knock\nwith knock.run('x'): knock.progress(1)\nknock.send('hi')\nprint('ran')", KNOCK_DISABLE="1"
    )

    assert (done.stdout, done.stderr) == ("ran\n", "")
    phone.expect_none(
        lambda text: subprocess.run(
            [sys.executable, "-m", "knock_magic", "send", text], env=home.knocking_at(phone), check=True
        )
    )


def test_a_script_imports_no_ipython(script: Script) -> None:
    done = script(
        """
        import sys
        before = set(sys.modules)
        import knock
        light = set(sys.modules) - before
        with knock.run("x"): knock.progress(1, 2)
        knock.send("hi")
        print(sorted({"typing", "json", "traitlets", "importlib.resources"} & light))
        print(sorted({"IPython", "ipywidgets", "requests", "matplotlib", "numpy"} & set(sys.modules)))
        """
    )

    assert done.stdout == "[]\n[]\n"


# Progress.


def test_progress_knocks_as_often_as_was_asked(script: Script, phone: Phone) -> None:
    script(
        """
        import time
        import knock

        with knock.run("often", every=1):
            for step in range(1, 4):
                knock.progress(step, 3, loss=1 / step)
            time.sleep(1.2)
            for step in range(4, 7):
                knock.progress(step, 6, loss=1 / step)
            time.sleep(1)  # or the end overtakes it
        with knock.run("never asked"):
            knock.progress(1, 2, acc=0.5)
        knock.progress(1, 2, outside=True)
        """
    )

    end = phone.wait_for(event="finished", name="often")
    assert end["metrics"] == {"loss": 1 / 6}
    (said,) = [knock for knock in phone.knocks if knock["event"] == "progress"]
    assert (said["name"], said["progress"]["step"], said["progress"]["total"]) == ("often", 4, 6)
    assert phone.wait_for(name="never asked")["metrics"] == {"acc": 0.5}


def test_progress_takes_anything_and_raises_nothing(script: Script, phone: Phone) -> None:
    done = script(
        """
        import knock

        class Tensor:
            device = "cuda:0"
            shape = ()
            def item(self): raise AssertionError("the loop was made to wait")

        class Bad:
            def __str__(self): raise ValueError
            __int__ = None

        with knock.run("wild", every=3600):
            for step, total in [(3, 2), (-1, 0), ("a", "b"), (None, None), (float("nan"), float("inf")), (Bad(), Bad())]:
                knock.progress(step, total, tensor=Tensor(), bad=Bad(), nan=float("nan"))
            knock.progress(1, 2, **{f"m{n}": n for n in range(10_000)})
        """
    )

    assert done.stderr == ""
    metrics = phone.wait_for(name="wild")["metrics"]
    assert metrics["nan"] == "nan"
    assert "tensor" not in metrics
    assert len(metrics) < 100


# In a notebook.


def test_a_cell_reports_progress(kernel_with_knock: Kernel, phone: Phone) -> None:
    result = kernel_with_knock.run(
        "%%knock a cell --every 1\nimport knock, time\nknock.progress(1, 9, acc=0.1)\ntime.sleep(1.2)\n"
        "knock.progress(2, 9, acc=0.2)\ntime.sleep(1)"
    )

    assert result.status == "ok"
    end = phone.wait_for(name="a cell", event="finished")
    assert end["metrics"] == {"acc": 0.2}
    told = [knock["progress"]["step"] for knock in phone.knocks if knock["event"] == "progress" and knock["progress"]]
    assert 2 in told


def test_a_run_in_a_long_cell_is_told_once(kernel_with_knock: Kernel, phone: Phone) -> None:
    kernel_with_knock.run("%knock auto 0.2")

    kernel_with_knock.run("import knock, time\nwith knock.run('inside'):\n    time.sleep(0.25)")

    assert phone.expect_only(kernel_with_knock.send) == [("finished", "inside")]
    kernel_with_knock.run("%knock auto 60")
