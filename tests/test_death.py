"""The kernel's end: told when it took work along, and never when it did not."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import sys
import time
from pathlib import Path
from typing import Callable, Dict, Iterator, List

import pytest
from conftest import Home, Kernel, end, linux_only, poll
from phone import Phone

from knock_magic import death

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills by signals")

Start = Callable[[Dict[str, str]], Kernel]

BUSY = "import time\nprint('GO', flush=True)\ntime.sleep(60)"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A home of each test's own: what is left of one test's processes must not be taken for another's."""
    home = Home(tmp_path)
    yield home
    home.clean()


@pytest.fixture
def loaded(home: Home, phone: Phone, start_kernel: Start) -> Kernel:
    return start_kernel(home.knocking_at(phone)).load()


@pytest.fixture
def server_down() -> Iterator[Phone]:
    """A phone that refuses connections until it is opened."""
    phone = Phone(answering=False)
    yield phone
    phone.close()


# Killed while it works.


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV", "SIGABRT", "SIGTERM"])
def test_it_tells_which_signal_killed_the_kernel(name: str, loaded: Kernel, phone: Phone) -> None:
    loaded.start(f"%%knock training\n{BUSY}")
    loaded.until("GO")

    loaded.kill(getattr(signal, name))

    knock = phone.wait()
    assert (knock["event"], knock["name"]) == ("died", "training")
    assert (knock["error"]["type"], knock["error"]["traceback"]) == (name, None)
    assert 0 < knock["duration_s"] < 30
    assert name in knock["text"]


@pytest.mark.parametrize(
    ("death", "kind"),
    [
        ("import ctypes\nctypes.string_at(0)", "SIGSEGV"),
        ("import os\nos.abort()", "SIGABRT"),
        ("import os\nos._exit(3)", "ExitCode"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
        ("import asyncio, os\nawait asyncio.sleep(0.05)\nos._exit(1)", "ExitCode"),
    ],
    ids=["segfault", "abort", "os._exit", "kill", "os._exit after an await"],
)
def test_it_tells_what_the_cell_did_to_its_kernel(death: str, kind: str, loaded: Kernel, phone: Phone) -> None:
    loaded.start(f"%%knock training\n{death}")

    knock = phone.wait()

    assert (knock["event"], knock["name"], knock["error"]["type"]) == ("died", "training", kind)
    assert knock["execution_count"] == 2
    if kind == "ExitCode":
        assert knock["error"]["message"] in ("1", "3")


def test_it_tells_how_long_it_had_run(loaded: Kernel, phone: Phone) -> None:
    loaded.start("%%knock training\nimport os, time\ntime.sleep(0.5)\nos._exit(3)")

    assert phone.wait()["duration_s"] == pytest.approx(0.5, abs=0.4)


def test_it_tells_even_where_the_kernel_is_collected_at_once(loaded: Kernel, phone: Phone) -> None:
    """A server that waits for its kernel leaves no body to look at; that it died is told all the same."""
    loaded.start(f"%%knock training\n{BUSY}")
    loaded.until("GO")
    loaded.kill()
    loaded.manager.provisioner.process.wait()

    assert (phone.wait()["event"], phone.wait()["name"]) == ("died", "training")


def test_it_tells_of_a_death_right_after_the_start(home: Home, phone: Phone, start_kernel: Start) -> None:
    kernel = start_kernel(home.knocking_at(phone))
    kernel.load()

    kernel.start("%%knock short-lived\nimport os; os._exit(9)")

    knock = phone.wait()
    assert (knock["event"], knock["name"], knock["error"]["message"]) == ("died", "short-lived", "9")


def test_it_tells_once_with_the_nested_cells(loaded: Kernel, home: Home, phone: Phone) -> None:
    loaded.start("%%knock outer\nget_ipython().run_cell('%%knock inner\\nimport os; os._exit(3)')")
    phone.wait()
    home.wait_until_alone()

    assert [(knock["event"], knock["name"]) for knock in phone.knocks] == [("died", "outer")]


def test_it_tells_soon_while_a_forked_worker_lives(loaded: Kernel, phone: Phone) -> None:
    """The worker inherited every descriptor, so the pipe alone would stay open for its whole life."""
    worker = "import os, time\nchild = os.fork()\nif not child:\n    time.sleep(30)\n    os._exit(0)\n"
    loaded.start(f"%%knock training\n{worker}print(f'CHILD {{child}}.', flush=True)\ntime.sleep(60)")
    loaded.until("CHILD")
    child = int(loaded.printed().split("CHILD")[1].split(".")[0])

    killed_at = time.monotonic()
    loaded.kill()

    try:
        assert phone.wait()["event"] == "died"
        assert phone.wait().at - killed_at < 3  # without pidfd the parent is looked at each second
    finally:
        end(child)


def test_a_forked_worker_does_not_speak_for_its_parent(loaded: Kernel, home: Home, phone: Phone) -> None:
    fork = "import os\nchild = os.fork()\nif not child:\n    import knock; knock.send('from the child'); os._exit(0)\n"
    loaded.run(f"%%knock training\n{fork}os.waitpid(child, 0)[1]")
    assert phone.wait_for(name="training")["event"] == "finished"

    loaded.shutdown()
    home.wait_until_alone()

    assert [knock["event"] for knock in phone.knocks if knock["event"] in ("died", "failed", "interrupted")] == []


def test_a_worker_that_dies_is_not_the_kernel(loaded: Kernel, phone: Phone) -> None:
    result = loaded.run(
        "%%knock training\nimport multiprocessing, os\nif __name__ == '__main__':\n"
        "    workers = multiprocessing.get_context('fork').Pool(2)\n"
        "    try:\n        workers.apply_async(os._exit, (3,)).get(timeout=0.5)\n"
        "    except multiprocessing.TimeoutError:\n        workers.terminate()\n6 * 7"
    )

    assert result.value == "42"
    assert phone.expect_only(loaded.send) == [("finished", "training")]


def test_the_threshold_holds_for_deaths(home: Home, phone: Phone, start_kernel: Start) -> None:
    """With `--on failed` or below `--min` nothing is told, of a death neither."""
    for options in ("--min 1h", "--on failed"):
        kernel = start_kernel(home.knocking_at(phone)).load()
        kernel.start(f"%%knock {options} training\nimport os; os._exit(3)")
        kernel.wait_until_dead()
    home.wait_until_alone()

    assert phone.knocks == []


def test_auto_mode_tells_of_deaths(home: Home, phone: Phone, start_kernel: Start) -> None:
    kernel = start_kernel(home.knocking_at(phone, KNOCK_AUTO="0.2")).load()

    kernel.start("import os, time\ntime.sleep(0.4)\nos._exit(3)")

    knock = phone.wait()
    assert (knock["event"], knock["name"]) == ("died", "import os, time")


def test_auto_mode_does_not_tell_of_short_lived_cells(home: Home, phone: Phone, start_kernel: Start) -> None:
    kernel = start_kernel(home.knocking_at(phone, KNOCK_AUTO="60")).load()
    kernel.start("import os\nos._exit(3)")
    kernel.wait_until_dead()
    home.wait_until_alone()

    assert phone.knocks == []


# No false alarms.


def test_a_restart_while_idle_tells_nothing(loaded: Kernel, home: Home, phone: Phone) -> None:
    for number in range(3):
        loaded.run(f"%%knock work {number}\n1 + 1")
        loaded.restart()
        loaded.load()
    loaded.shutdown()
    home.wait_until_alone()

    assert sorted((knock["event"], knock["name"]) for knock in phone.knocks) == [
        ("finished", f"work {number}") for number in range(3)
    ]


@pytest.mark.parametrize("leave", ["shutdown", "shutdown now", "kill", "kill -TERM"])
def test_an_end_while_idle_tells_nothing(leave: str, loaded: Kernel, home: Home, phone: Phone) -> None:
    loaded.run("%%knock work\n1 + 1")

    if leave.startswith("shutdown"):
        loaded.shutdown(now="now" in leave)
    else:
        loaded.kill(signal.SIGTERM if "TERM" in leave else signal.SIGKILL)

    home.wait_until_alone()
    assert [(knock["event"], knock["name"]) for knock in phone.knocks] == [("finished", "work")]


@pytest.mark.parametrize("leave", ["quit()", "exit", "%knock send bye\nquit()"])
def test_quit_tells_nothing_of_its_own(leave: str, loaded: Kernel, home: Home, phone: Phone) -> None:
    loaded.run("%%knock work\n1 + 1")
    loaded.start(leave)
    loaded.wait_until_dead()

    home.wait_until_alone()
    assert [knock["event"] for knock in phone.knocks if knock["event"] != "message"] == ["finished"]
    assert len(phone.knocks) == 1 + ("send" in leave)


def test_quit_in_a_watched_cell_is_a_good_end(loaded: Kernel, home: Home, phone: Phone) -> None:
    loaded.start("%%knock the last\nprint('bye')\nquit()")
    loaded.wait_until_dead()

    home.wait_until_alone()
    assert [(knock["event"], knock["name"]) for knock in phone.knocks] == [("finished", "the last")]


def test_a_restart_while_busy_is_an_interrupt(loaded: Kernel, home: Home, phone: Phone) -> None:
    loaded.start("%%knock training\nimport time\nprint('GO', flush=True)\nfor _ in range(600):\n    time.sleep(0.1)")
    loaded.until("GO")

    loaded.restart()

    assert phone.wait()["event"] == "interrupted"
    loaded.shutdown()
    home.wait_until_alone()
    assert [(knock["event"], knock["name"]) for knock in phone.knocks] == [("interrupted", "training")]


def test_a_shutdown_that_had_to_kill_was_wanted(loaded: Kernel, home: Home, phone: Phone) -> None:
    """A cell deaf to interrupts is killed by the server after a while; that was its user's wish, no death."""
    loaded.manager.shutdown_wait_time = 1.0
    loaded.start(
        "%%knock deaf\nimport time\nprint('GO', flush=True)\nuntil = time.time() + 60\n"
        "while time.time() < until:\n    try:\n        time.sleep(0.2)\n    except KeyboardInterrupt:\n        pass"
    )
    loaded.until("GO")

    loaded.shutdown()

    home.wait_until_alone()
    assert [(knock["event"], knock["name"]) for knock in phone.knocks] == [("interrupted", "deaf")]


# What is due outlives the kernel.


@pytest.mark.parametrize("leave", ["shutdown", "kill"])
def test_what_is_due_is_delivered_after_the_kernels_end(
    leave: str, home: Home, server_down: Phone, start_kernel: Start
) -> None:
    kernel = start_kernel(home.knocking_at(server_down)).load()
    kernel.run("%%knock training\n1 + 1")
    if leave == "kill":
        kernel.run("import time; time.sleep(0.2)")  # the kernel's thread has handed it over by then
        kernel.kill()
        kernel.wait_until_dead()
    else:
        kernel.shutdown()

    server_down.open()

    knock = server_down.wait()
    assert (knock["event"], knock["name"]) == ("finished", "training")


def test_it_says_that_it_is_late(home: Home, server_down: Phone, start_kernel: Start) -> None:
    kernel = start_kernel(home.knocking_at(server_down)).load()
    kernel.run("%%knock training\n1 + 1")
    poll(lambda: "reached" in kernel.run("%knock").said, "the first try to be refused")
    kernel.shutdown()

    server_down.open()

    knock = server_down.wait()
    assert knock["late_s"] > 0
    assert "late" in knock["text"]
    home.wait_until_alone()
    assert len(server_down.knocks) == 1


def test_a_refused_knock_is_tried_again_with_the_same_id(loaded: Kernel, phone: Phone) -> None:
    phone.answer(503, times=2)

    loaded.run("%%knock training\n1 + 1")

    phone.wait(3)
    assert [knock.status for knock in phone.knocks] == [503, 503, 200]
    assert len({knock["id"] for knock in phone.knocks}) == 1
    assert [knock["late_s"] > 0 for knock in phone.knocks] == [False, True, True]


def test_a_wait_that_the_server_asks_for_is_kept(loaded: Kernel, phone: Phone) -> None:
    phone.answer(429, {"Retry-After": "3"})

    loaded.run("%%knock training\n1 + 1")

    first, second = phone.wait(), phone.wait(2)
    assert second.at - first.at >= 2.9


def test_a_slow_server_holds_up_no_cell(loaded: Kernel, phone: Phone) -> None:
    phone.answer(200, delay=3)
    began = time.monotonic()
    loaded.run("%%knock training\n1 + 1")
    loaded.run("%%knock training\n1 + 1")
    assert time.monotonic() - began < 2

    assert phone.wait(2)["event"] == "finished"


def test_a_death_is_told_late_where_the_server_is_down(home: Home, server_down: Phone, start_kernel: Start) -> None:
    kernel = start_kernel(home.knocking_at(server_down)).load()
    kernel.start("%%knock training\nimport os; os._exit(3)")
    kernel.wait_until_dead()

    server_down.open()

    assert (server_down.wait()["event"], server_down.wait()["name"]) == ("died", "training")


# Our own processes.


@linux_only
def test_it_knocks_on_after_its_courier_was_killed(loaded: Kernel, home: Home, phone: Phone) -> None:
    for number in range(3):
        loaded.run(f"%%knock cell {number}\n1 + 1")
        phone.wait_for(name=f"cell {number}")
        courier = home.courier(loaded.pid)
        end(courier)

    assert sorted(phone.expect_only(loaded.send)) == [("finished", f"cell {number}") for number in range(3)]


@linux_only
def test_it_knocks_though_its_courier_is_killed_during_the_cell(loaded: Kernel, home: Home, phone: Phone) -> None:
    (home.work / "go_on").write_text("")
    loaded.start("%%knock training\nprint('GO', flush=True)\nwhile not open('go_on').read():\n    pass")
    loaded.until("GO")
    courier = home.courier(loaded.pid)
    end(courier)
    (home.work / "go_on").write_text("1")
    loaded.finish()

    assert phone.expect_only(loaded.send) == [("finished", "training")]


def owners_of_runs(home: Home) -> List[str]:
    """By whom what runs is noted; nobody where there is no outbox yet. It is only read: who makes it, is its owner."""
    file = home.folder / "knock" / "outbox.db"
    try:
        with contextlib.closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=20)) as db:
            return [owner for (owner,) in db.execute("SELECT owner FROM open_runs")]
    except sqlite3.OperationalError:
        return []


@linux_only
def test_a_new_courier_knows_what_is_running(loaded: Kernel, home: Home, phone: Phone) -> None:
    """The courier is killed during a cell, another takes its place, and then the kernel dies."""
    loaded.start(f"%%knock training\n{BUSY}")
    loaded.until("GO")
    courier = home.courier(loaded.pid)
    end(courier)
    new = death.identity(home.courier(loaded.pid, but=courier))
    # A process is there before it has been told anything; the note of what runs is then its own.
    poll(lambda: owners_of_runs(home) == [new], "the new courier to know")

    loaded.kill()

    knock = phone.wait()
    assert (knock["event"], knock["name"], knock["error"]["type"]) == ("died", "training", "SIGKILL")


@linux_only
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP], ids=["SIGINT", "SIGHUP"])
def test_its_courier_is_deaf_to_what_is_meant_for_groups(number: int, loaded: Kernel, home: Home, phone: Phone) -> None:
    loaded.run("%%knock before\n1 + 1")
    phone.wait_for(name="before")
    courier = home.courier(loaded.pid)

    os.kill(courier, number)
    loaded.run("%%knock after\n1 + 1")

    assert sorted(phone.expect_only(loaded.send)) == [("finished", "after"), ("finished", "before")]
    assert home.couriers(loaded.pid) == [courier]


@linux_only
def test_one_courier_serves_one_kernel(loaded: Kernel, home: Home, phone: Phone) -> None:
    assert len(home.couriers(loaded.pid)) <= 1
    for number in range(3):
        loaded.run(f"%%knock cell {number}\n1 + 1")

    phone.expect_only(loaded.send)
    assert len(home.couriers(loaded.pid)) == 1


@linux_only
def test_nothing_of_ours_outlives_the_work(loaded: Kernel, home: Home, phone: Phone) -> None:
    loaded.run("%%knock work\n1 + 1")
    phone.wait()
    assert home.helpers()

    loaded.kill()

    home.wait_until_alone(timeout=5)


@linux_only
def test_no_secret_rests_anywhere(home: Home, phone: Phone, start_kernel: Start) -> None:
    """Neither the address nor the key of the signature is in an argument, a file or an output of ours."""
    key = "very-secret-key"
    url = phone.url.replace("/knock", "/services/very-secret-path")
    kernel = start_kernel(home.knocking_at(phone, KNOCK_WEBHOOK_URL=url, KNOCK_WEBHOOK_SECRET=key)).load()
    phone.answer(500)
    kernel.run("%%knock one\n1 + 1")
    phone.wait()
    kernel.send("two")
    phone.wait(3)
    said = kernel.run("%knock").said + kernel.run("%knock channels").said
    arguments = b"".join(Path("/proc", str(pid), "cmdline").read_bytes() for pid in home.couriers(kernel.pid))
    kernel.shutdown()
    home.wait_until_alone()

    files = [path for path in (home.folder / "knock").rglob("*") if path.is_file()]
    rest = b"".join(path.read_bytes() for path in files)
    assert files
    for secret in ("very-secret-key", "very-secret-path"):
        assert secret not in said
        assert secret.encode() not in arguments + rest
    assert [oct(path.stat().st_mode & 0o777) for path in files if path.stat().st_mode & 0o077] == []
