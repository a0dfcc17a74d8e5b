"""Death in every form, and what only looks like it. `test_death.py` has the plain ones."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest
from conftest import LOAD, Home, Kernel, _parent, end, jupyter_client, linux_only, poll
from fire import WITHOUT_PIDFD, Group, boot_cell, exists, group_or_skip, setting
from phone import Phone

from knock_magic import death

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills by signals")

Start = Callable[[Dict[str, str]], Kernel]

RESTARTS = int(os.environ.get("KNOCK_TEST_RESTARTS", "3"))
BUSY = "import time\nprint('GO', flush=True)\ntime.sleep(60)"
DEAF = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('GO', flush=True)\ntime.sleep(60)"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    yield home
    home.clean()


@pytest.fixture
def loaded(home: Home, phone: Phone, start_kernel: Start) -> Kernel:
    return start_kernel(home.knocking_at(phone)).load()


def ends(phone: Phone) -> List[Any]:
    return [(knock["event"], knock["name"]) for knock in phone.knocks]


# Workers that outlive it.


def workers_of(kernel: Kernel, count: int) -> List[int]:
    return [int(number) for number in kernel.printed().split("WORKERS")[1].split("GO")[0].split()][:count]


POOL = (
    "import multiprocessing, time\nbegan = time.monotonic()\n"
    "workers = multiprocessing.get_context('fork').Pool(16)\n"
    "workers.map_async(time.sleep, [60] * 16, 1)\n"
    "print('WORKERS', *[each.pid for each in workers._pool], 'GO', began, flush=True)\ntime.sleep(60)"
)


@linux_only
@pytest.mark.parametrize("seam", ["", WITHOUT_PIDFD], ids=["pidfd", "no pidfd"])
def test_a_death_is_told_though_sixteen_workers_hold_every_descriptor(
    seam: str, home: Home, phone: Phone, start_kernel: Start
) -> None:
    """Its end is seen within 2 s by the courier's own clock; the workers live on meanwhile."""
    kernel = start_kernel(home.knocking_at(phone))
    kernel.run(boot_cell(seam), store_history=False)
    kernel.load()
    kernel.start(f"%%knock training\n{POOL}")
    kernel.until("GO")
    workers, began = workers_of(kernel, 16), float(kernel.printed().split("GO")[1])

    killed = time.monotonic()
    kernel.kill()

    try:
        knock = phone.wait()
        assert (knock["event"], knock["name"], knock["error"]["type"]) == ("died", "training", "SIGKILL")
        assert began + knock["duration_s"] - killed < 2
        assert [pid for pid in workers if exists(pid)] == workers
    finally:
        for pid in workers:
            end(pid)


@linux_only
def test_workers_that_were_forked_behind_pythons_back_delay_nothing(loaded: Kernel, phone: Phone) -> None:
    """A library's own fork runs no hook of Python's, so its child holds our pipe for its whole life."""
    loaded.start(
        "%%knock training\nimport ctypes, os, time\nchild = ctypes.PyDLL(None).fork()\n"
        "if not child:\n    time.sleep(60)\n    os._exit(0)\nprint('WORKERS', child, 'GO', flush=True)\ntime.sleep(60)"
    )
    loaded.until("GO")
    (worker,) = workers_of(loaded, 1)

    loaded.kill()

    try:
        assert phone.wait()["event"] == "died"
        assert exists(worker)
    finally:
        end(worker)


# Its whole group.


@linux_only
def test_a_killed_group_is_told_of(loaded: Kernel, home: Home, phone: Phone) -> None:
    loaded.start(f"%%knock training\n{BUSY}")
    loaded.until("GO")

    os.killpg(os.getpgid(loaded.pid), signal.SIGKILL)

    assert phone.wait()["error"]["type"] == "SIGKILL"
    home.wait_until_alone()
    assert ends(phone) == [("died", "training")]


@linux_only
def test_an_interrupted_group_is_an_interrupted_cell(loaded: Kernel, home: Home, phone: Phone) -> None:
    """Jupyter interrupts whole groups; the courier is not in it, and goes on."""
    loaded.run("%%knock before\n1 + 1")
    phone.wait_for(name="before")
    (courier,) = home.couriers(loaded.pid)
    loaded.start(f"%%knock training\n{BUSY}")
    loaded.until("GO")

    os.killpg(os.getpgid(loaded.pid), signal.SIGINT)

    assert loaded.finish().reply["ename"] == "KeyboardInterrupt"
    assert phone.wait_for(name="training")["event"] == "interrupted"
    assert home.couriers(loaded.pid) == [courier]


# Stopped by its user.


@pytest.mark.parametrize("head", ["%%knock deaf\n", ""], ids=["asked for", "auto"])
def test_a_restart_of_a_cell_deaf_to_interrupts_was_wanted(
    head: str, home: Home, phone: Phone, start_kernel: Start
) -> None:
    kernel = start_kernel(home.knocking_at(phone, KNOCK_AUTO="0.1")).load()
    kernel.manager.shutdown_wait_time = 1.0
    kernel.start(head + DEAF)
    kernel.until("GO")

    kernel.restart()

    knock = phone.wait()
    assert (knock["event"], knock["name"]) == ("interrupted", "deaf" if head else "import signal, time")
    assert "stopped by you" in knock["text"]
    assert knock["error"] is None
    kernel.shutdown()
    home.wait_until_alone()
    assert len(phone.knocks) == 1


def test_a_restart_at_once_cannot_be_told_from_a_kill(loaded: Kernel, home: Home, phone: Phone) -> None:
    loaded.start(f"%%knock training\n{BUSY}")
    loaded.until("GO")

    loaded.manager.restart_kernel(now=True)

    knock = phone.wait()
    assert (knock["event"], knock["name"]) == ("died", "training")
    loaded.shutdown()
    home.wait_until_alone()
    assert len(phone.knocks) == 1


@linux_only
def test_a_courier_that_dies_after_the_goodbye_is_followed_by_one_that_knows(home: Home, phone: Phone) -> None:
    script = """
import knock, os, signal, time
from knock_magic import knocker
with knock.run("deaf"):
    sidecar = knocker.current().sidecar
    sidecar.bye()
    first = sidecar.courier_pid
    os.kill(first, signal.SIGKILL)
    while sidecar.courier_pid in (None, first) or sidecar._queue or sidecar._partial:
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", script], env=home.knocking_at(phone), timeout=60)

    assert (phone.wait()["event"], phone.wait()["name"]) == ("interrupted", "deaf")
    home.wait_until_alone()
    assert len(phone.knocks) == 1


def test_no_restart_and_no_shutdown_is_taken_for_a_death(home: Home, phone: Phone, start_kernel: Start) -> None:
    """KNOCK_TEST_RESTARTS=1000 is the long run."""
    kernel = start_kernel(home.knocking_at(phone, KNOCK_AUTO="0.01")).load()

    for number in range(RESTARTS):
        kernel.run(f"%%knock work {number}\n1 + 1")
        if number % 2:
            kernel.start(f"%%knock busy {number}\n{BUSY}")
            kernel.until("GO")
        kernel.restart()
        kernel.load()
    kernel.shutdown()
    home.wait_until_alone()

    told = {knock["name"]: knock["event"] for knock in phone.knocks}
    assert [name for name, event in told.items() if event == "died"] == []
    assert {name: event for name, event in told.items() if name.startswith(("work", "busy"))} == {
        **{f"work {number}": "finished" for number in range(RESTARTS)},
        **{f"busy {number}": "interrupted" for number in range(RESTARTS) if number % 2},
    }


# The Jupyter server.

SERVER = """
import jupyter_client, sys
manager = jupyter_client.KernelManager(connection_file=sys.argv[1])
manager.start_kernel()
print(manager.provisioner.pid, flush=True)
sys.stdin.read()
"""


class Server:
    """A process that has started a kernel, as a Jupyter server does, and a client of that kernel."""

    def __init__(self, env: Dict[str, str], folder: Path) -> None:
        file = str(folder / "kernel.json")
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, file],
            env=env,
            cwd=str(folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout
        self.kernel = int(self.process.stdout.readline())
        self.client = jupyter_client.BlockingKernelClient(connection_file=file)
        self.client.load_connection_file()
        self.client.start_channels(stdin=False, hb=False)  # on a busy machine a beat comes late, and is taken for none
        self.client.wait_for_ready(timeout=60)

    def run(self, code: str) -> None:
        self.client.execute_interactive(code, timeout=30, allow_stdin=False, output_hook=lambda _: None)

    def kill(self) -> None:
        """Kill the server alone, and wait until its kernel has noticed, which takes that a second or two."""
        self.process.kill()
        self.process.communicate()
        poll(lambda: _parent(self.kernel) != self.process.pid, "the kernel to be an orphan")
        if _parent(self.kernel) > 1:
            pytest.skip("orphans are adopted here by another process than init, which ipykernel does not notice")
        poll(lambda: not exists(self.kernel), "the kernel's own end")

    def close(self) -> None:
        self.client.stop_channels()
        self.client.context.destroy()
        end(self.kernel)
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def server(home: Home, phone: Phone) -> Iterator[Server]:
    server = Server(home.knocking_at(phone), home.work)
    server.run(LOAD)
    yield server
    server.close()


@linux_only
def test_a_killed_server_takes_an_open_cell_along(server: Server, home: Home, phone: Phone) -> None:
    """Its kernel ends itself when it finds itself an orphan."""
    server.client.execute(f"%%knock training\n{BUSY}", allow_stdin=False)
    poll(lambda: len(open_runs(home)) == 1, "the cell to be noted as open")

    server.kill()

    assert (phone.wait()["event"], phone.wait()["name"]) == ("died", "training")
    home.wait_until_alone()
    assert len(phone.knocks) == 1


@linux_only
def test_a_killed_server_with_an_idle_kernel_is_no_news(server: Server, home: Home, phone: Phone) -> None:
    server.run("%%knock work\n1 + 1")
    phone.wait()

    server.kill()

    home.wait_until_alone()
    assert ends(phone) == [("finished", "work")]


# A kernel that only stops answering is not dead.


@linux_only
@pytest.mark.parametrize("seam", ["", WITHOUT_PIDFD], ids=["pidfd", "no pidfd"])
def test_a_stopped_kernel_is_not_dead(seam: str, home: Home, phone: Phone, start_kernel: Start) -> None:
    kernel = start_kernel(home.knocking_at(phone))
    kernel.run(boot_cell(seam), store_history=False)
    kernel.load()
    kernel.start("%%knock training\nimport time\nprint('GO', flush=True)\ntime.sleep(0.5)")
    kernel.until("GO")

    os.kill(kernel.pid, signal.SIGSTOP)
    time.sleep(1.5)  # nothing is to happen, and without a process handle the kernel is looked at each second
    assert phone.knocks == []
    os.kill(kernel.pid, signal.SIGCONT)

    kernel.finish()
    assert phone.expect_only(kernel.send) == [("finished", "training")]


# Everything at once: machine, container, or all processes of a user.


def open_runs(home: Home) -> List[Dict[str, Any]]:
    """What the outbox of `home` notes as open."""
    return asked(home, "SELECT * FROM open_runs")


def asked(home: Home, sql: str) -> List[Dict[str, Any]]:
    file = home.folder / "knock" / "outbox.db"
    if not file.exists():
        return []
    db = sqlite3.connect(str(file), timeout=20)
    db.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in db.execute(sql)]
    except sqlite3.OperationalError:  # its tables are just being made
        return []
    finally:
        db.close()


def end_all(kernel: Kernel, home: Home) -> None:
    """Kill the kernel and all of ours, none of them before the others have stopped."""
    everyone = [kernel.pid, *home.helpers()]
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in everyone:
            os.kill(pid, number)
    kernel.wait_until_dead()
    home.wait_until_alone()


def age(home: Home, seconds: float) -> None:
    """Make what is noted as open be as of `seconds` ago."""
    for row in open_runs(home):
        line = json.loads(row["line"])
        line["event"]["started_at"] -= seconds
        db = sqlite3.connect(str(home.folder / "knock" / "outbox.db"), timeout=20)
        with db:
            db.execute(
                "UPDATE open_runs SET seen_at = seen_at - ?, line = ? WHERE run = ?",
                (seconds, json.dumps(line), row["run"]),
            )
        db.close()


@pytest.fixture
def long_time_phone() -> Iterator[Phone]:
    """A phone that takes what began before it was switched on."""
    phone = Phone()
    yield phone
    phone.close()
    assert phone.told_twice() == []


TICKING = boot_cell(setting("courier", "TICK_S", 0.1))  # long cells are looked for each minute


@linux_only
@pytest.mark.parametrize("ago", [3600, 3 * 86400])
@pytest.mark.parametrize(("head", "auto"), [("%%knock training\n", "off"), ("", "1.5")], ids=["asked for", "auto"])
def test_what_was_lost_with_its_machine_is_told_at_the_next_start(
    head: str, auto: str, ago: float, home: Home, long_time_phone: Phone, start_kernel: Start
) -> None:
    """By the first cell of a kernel with the same settings: once, with how late it is, be it after a weekend."""
    env = home.knocking_at(long_time_phone, KNOCK_AUTO=auto)  # longer than any first cell takes on a busy machine
    kernel = start_kernel(env)
    kernel.run(TICKING, store_history=False)
    kernel.load()
    kernel.start(head + BUSY)
    poll(lambda: len(open_runs(home)) == 1, "the cell to be noted as open")
    end_all(kernel, home)
    assert long_time_phone.knocks == []
    age(home, ago)

    for _ in range(2):
        start_kernel(env).load().run("1 + 1")
        knock = long_time_phone.wait()
    start_kernel(env).load().run("%%knock another\n1 + 1")
    long_time_phone.wait_for(name="another")

    assert (knock["event"], knock["name"]) == ("died", "training" if head else "import time")
    assert knock["late_s"] == pytest.approx(ago, abs=120)
    assert "lost with its machine" in knock["text"]
    assert "late" in knock["text"]
    assert [event for event, _ in ends(long_time_phone)] == ["died", "finished"]
    assert open_runs(home) == []


@linux_only
def test_what_was_lost_waits_for_the_same_settings(home: Home, phone: Phone, start_kernel: Start) -> None:
    """One project's news must not land in another one's channel; `%knock` says what waits, and for what."""
    env = home.knocking_at(phone)
    kernel = start_kernel(env).load()
    kernel.start(f"%%knock training\n{BUSY}")
    poll(lambda: len(open_runs(home)) == 1, "the cell to be noted as open")
    end_all(kernel, home)

    other = start_kernel(home.knocking_at(phone, KNOCK_WEBHOOK_URL=phone.url + "/other")).load()
    other.run("%%knock another\n1 + 1")
    phone.wait_for(name="another")
    status = other.run("%knock").said
    assert ends(phone) == [("finished", "another")]
    assert "training died" in status
    assert "until a kernel with the same settings starts" in status

    start_kernel(env).load().run("1 + 1")

    assert phone.wait_for(name="training")["event"] == "died"


@linux_only
def test_a_long_cell_that_ended_is_not_lost(home: Home, phone: Phone, start_kernel: Start) -> None:
    env = home.knocking_at(phone, KNOCK_AUTO="0.2")
    kernel = start_kernel(env)
    kernel.run(TICKING, store_history=False)
    kernel.load()
    kernel.start("while not open('go_on').read(): pass")
    (home.work / "go_on").write_text("")
    poll(lambda: len(open_runs(home)) == 1, "the cell to be noted as open")
    (home.work / "go_on").write_text("1")
    kernel.finish()
    phone.wait()
    end_all(kernel, home)

    start_kernel(env).load().run("%%knock another\n1 + 1")

    phone.wait_for(name="another")
    assert [event for event, _ in ends(phone)] == ["finished", "finished"]


@linux_only
def test_a_death_that_was_told_is_not_lost_too(home: Home, phone: Phone, start_kernel: Start) -> None:
    """One courier noted the long cell and was killed; its successor, in its first minute, tells of the death."""
    env = home.knocking_at(phone, KNOCK_AUTO="0.2")
    kernel = start_kernel(env)
    kernel.run(TICKING, store_history=False)
    kernel.load()
    kernel.start(
        "from knock_magic import launch\nlaunch._BOOT = launch._BOOT.replace('TICK_S = 0.1', 'TICK_S = 60.0')\n" + BUSY
    )
    poll(lambda: len(open_runs(home)) == 1, "the cell to be noted as open")
    (courier,) = home.couriers(kernel.pid)
    end(courier)
    poll(lambda: set(home.couriers(kernel.pid)) - {courier}, "another courier")
    poll(lambda: open_runs(home)[0]["owner"].split("|")[2] != str(courier), "it to take the note over")

    kernel.kill()

    assert phone.wait()["event"] == "died"
    home.wait_until_alone()
    start_kernel(env).load().run("%%knock another\n1 + 1")
    phone.wait_for(name="another")
    assert [event for event, _ in ends(phone)] == ["died", "finished"]


# Want of memory.


@pytest.fixture
def memory_group() -> Iterator[Group]:
    group = group_or_skip("memory", "memory.limit_in_bytes", "memory.max", 400 * 1024 * 1024)
    yield group
    group.close()


@pytest.fixture
def loaded_in(home: Home, phone: Phone, start_kernel: Start) -> Callable[..., Kernel]:
    """Start a kernel within a control group."""

    def start(group: Group, seam: str = "") -> Kernel:
        kernel = start_kernel(home.knocking_at(phone))
        kernel.run(boot_cell(seam), store_history=False)
        group.take(kernel.pid)
        return kernel.load()

    return start


@linux_only
@pytest.mark.parametrize("seam", ["", WITHOUT_PIDFD], ids=["pidfd", "no pidfd"])
def test_want_of_memory_is_named(
    seam: str, memory_group: Group, loaded_in: Callable[..., Kernel], home: Home, phone: Phone
) -> None:
    """The system kills whoever takes most, which is the kernel; its courier is in the same group, and lives on.

    Without a process handle nobody can tell any more what killed a process that its parent has collected.
    """
    kernel = loaded_in(memory_group, seam)
    kernel.start("%%knock training\nhold = []\nwhile True:\n    hold.append(bytearray(10_000_000))")
    if seam:
        kernel.manager.provisioner.process.wait()

    knock = phone.wait()

    assert (knock["event"], knock["name"], knock["error"]["type"]) == ("died", "training", "OOM")
    assert "memory" in knock["text"]
    home.wait_until_alone()
    kernel.wait_until_dead()


@linux_only
def test_a_kill_within_a_memory_limit_is_a_kill(
    memory_group: Group, loaded_in: Callable[..., Kernel], home: Home, phone: Phone
) -> None:
    kernel = loaded_in(memory_group)
    kernel.start(f"%%knock training\n{BUSY}")
    kernel.until("GO")

    kernel.kill()

    assert phone.wait()["error"]["type"] == "SIGKILL"
    home.wait_until_alone()
    kernel.wait_until_dead()


def test_version_2_of_control_groups_tells_of_want_of_memory_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as it can be shown on a machine with version 1: by the files that version 2 has."""
    files = {
        "/proc/self/cgroup": ["0::/user.slice/lab.scope"],
        "/sys/fs/cgroup/user.slice/lab.scope/memory.events": ["low 0", "max 71", "oom 3", "oom_kill 2"],
        "/proc/vmstat": ["nr_free_pages 1", "oom_kill 9"],
    }
    monkeypatch.setattr(death, "_lines", lambda path: files.get(path, []))

    assert death.oom_kills() == 2
