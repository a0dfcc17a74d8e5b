"""The courier under fire: killed anywhere, stopped, out of room. Nothing accepted is lost, and nobody waits."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, Dict, Iterator, List

import pytest
from conftest import Home, Kernel, end, linux_only, poll
from fire import (
    HARD,
    Tellers,
    booting,
    copies,
    courier_of,
    deliveries,
    exists,
    is_stopped,
    kept_all,
    setting,
    strace_skip,
    stracing,
)
from phone import Phone

from knock_magic import launch, sidecar
from knock_magic.knocker import Knocker

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills by signals")

Start = Callable[[Dict[str, str]], Kernel]

_NO_STRACE = strace_skip()
needs_strace = pytest.mark.skipif(_NO_STRACE is not None, reason=str(_NO_STRACE))

KILLS = int(os.environ.get("KNOCK_TEST_KILLS", "50"))
WRITING = ("write", "pwrite64", "fdatasync", "fsync", "ftruncate", "unlink")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    home = Home(tmp_path)
    for name in [name for name in os.environ if name.startswith("KNOCK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("KNOCK_HOME", str(home.folder / "knock"))  # by which `home` knows our processes
    monkeypatch.setenv("KNOCK_LANG", "en")
    yield home
    home.clean()


@pytest.fixture
def tellers(home: Home, phone: Phone) -> Iterator[Tellers]:
    tellers = Tellers(home, phone)
    yield tellers
    tellers.close()


@pytest.fixture
def loaded(home: Home, phone: Phone, start_kernel: Start) -> Kernel:
    return start_kernel(home.knocking_at(phone)).load()


# Killed where it writes.


def told(tellers: Tellers, phone: Phone, texts: List[str]) -> None:
    """Knock with `texts`, one by one, and see them arrive."""
    knocker = tellers.start()
    for text in texts:
        knocker.send(text)
    for text in texts:
        phone.wait_for(name=text)
    poll(lambda: kept_all(knocker), "all to be kept")
    tellers.close()


@pytest.mark.once
@needs_strace
@pytest.mark.timeout(600)
def test_killed_at_any_call_that_writes_it_loses_nothing(
    home: Home, phone: Phone, tellers: Tellers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First it is seen which calls there are; then the courier is killed at one of them, each time at another."""
    plain = launch.command
    log = tmp_path / "strace"
    trace = "trace=" + ",".join(WRITING)
    monkeypatch.setattr(launch, "command", stracing(plain, log, "-e", trace))
    told(tellers, phone, ["unharmed 1", "unharmed 2", "unharmed 3"])
    counts = {call: len(re.findall(rf"^{call}\(", log.read_text(), re.MULTILINE)) for call in WRITING}
    places = [(call, n + 1) for call in WRITING for n in range(counts[call])]
    killed = 0

    for call, n in places if HARD else random.sample(places, 8):
        phone.clear()
        texts = [f"{call} {n}: {number}" for number in range(3)]
        options = ("-e", trace, "-e", f"inject={call}:signal=KILL:when={n}")
        monkeypatch.setattr(launch, "command", stracing(plain, log, *options))
        told(tellers, phone, texts)
        home.wait_until_alone()
        killed += "+++ killed by SIGKILL" in log.read_text()

        assert {knock["name"] for knock in phone.knocks} == set(texts)
        assert len(phone.knocks) <= len(texts) + 1, (call, n)

    assert killed


@linux_only
@pytest.mark.timeout(3600)
def test_killed_at_random_it_loses_nothing(
    home: Home, phone: Phone, tellers: Tellers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """KNOCK_TEST_KILLS=1000 is the long run. Several kernels share the outbox, as they do in life."""
    monkeypatch.setattr(sidecar, "RESTART_S", (0.0,))
    knockers = [tellers.start() for _ in range(3)]
    sent = [knocker.send("the first").id for knocker in knockers]  # which has a courier come
    killed = 0

    while killed < KILLS:
        for knocker in knockers:
            sent += [knocker.send(f"knock {len(sent)}").id for _ in range(random.randint(0, 2))]
        time.sleep(random.uniform(0, 0.25))
        end(courier_of(random.choice(knockers)))
        killed += 1
    for knocker in knockers:
        sent.append(knocker.send("the last").id)
    poll(lambda: set(copies(phone)) >= set(sent), "all knocks", 120)
    tellers.close()
    home.wait_until_alone()

    counts = copies(phone)
    assert set(counts) == set(sent)
    assert sum(counts.values()) <= len(sent) + killed


@linux_only
def test_a_delivery_that_is_killed_is_done_again(home: Home, phone: Phone, tellers: Tellers) -> None:
    phone.answer(200, delay=5)
    knocker = tellers.start()
    knocker.send("held up")
    phone.wait_for_request()
    (delivery,) = deliveries(home)

    end(delivery)

    assert phone.wait()["name"] == "held up"
    assert not exists(delivery)
    assert courier_of(knocker)


@linux_only
def test_what_was_on_its_way_when_the_courier_died_ends_by_itself(
    home: Home, phone: Phone, tellers: Tellers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is left to kill the delivery that hangs, so it has a deadline of its own."""
    monkeypatch.setattr(launch, "_BOOT", booting(setting("dispatch", "DEADLINE_S", 1.0)))
    phone.answer(200, delay=60)
    knocker = tellers.start()
    knocker.send("held up")
    phone.wait_for_request()
    (delivery,) = deliveries(home)
    monkeypatch.setattr(sidecar.Sidecar, "_restart", lambda self: time.sleep(0.1))  # no other courier comes

    end(courier_of(knocker))

    poll(lambda: not exists(delivery), "the delivery's end")


# Stopped, and out of room.


def stop(knocker: Knocker) -> int:
    """Stop its courier once it has had a knock delivered; gives its process id."""
    event = knocker.send("first")
    assert knocker.results(event, ["webhook"], 20)["webhook"]
    courier = courier_of(knocker)
    os.kill(courier, signal.SIGSTOP)
    is_stopped(courier)
    return courier


@linux_only
def test_a_stopped_courier_holds_up_no_cell(loaded: Kernel, home: Home, phone: Phone) -> None:
    """More is told than the pipe takes (64 KiB), and what the kernel's threads can hand over."""
    loaded.run("%%knock before\n1 + 1")
    phone.wait_for(name="before")
    (courier,) = home.couriers(loaded.pid)
    os.kill(courier, signal.SIGSTOP)
    is_stopped(courier)

    loaded.run(
        "import time\nbegan = time.monotonic()\nlongest = 0.0\nfor number in range(200):\n"
        "    at = time.monotonic()\n"
        "    get_ipython().run_cell(f'%%knock {number} {\"x\" * 180}\\n1 + 1', silent=False)\n"
        "    longest = max(longest, time.monotonic() - at)"
    )
    longest = float(loaded.ask("longest"))
    assert len(phone.knocks) == 1
    os.kill(courier, signal.SIGCONT)

    phone.wait(201, timeout=60)
    assert longest < 1  # a hook that waited for the courier would have waited for good
    names = [knock["name"].split()[0] for knock in phone.knocks]
    assert sorted(names) == sorted(["before", *map(str, range(200))])
    assert home.couriers(loaded.pid) == [courier]


@linux_only
def test_a_full_pipe_costs_no_end(home: Home, phone: Phone, tellers: Tellers) -> None:
    """Each line is larger than the pipe's room, and progress comes in between."""
    knocker = tellers.start()
    courier = stop(knocker)

    for number in range(20):
        knocker.send(f"{number} " + "x" * 60_000)
    os.kill(courier, signal.SIGCONT)

    phone.wait(21)
    assert [knock["text"].split()[1] for knock in phone.knocks[1:]] == [str(number) for number in range(20)]


@linux_only
def test_a_courier_killed_while_the_pipe_is_full_costs_no_end(home: Home, phone: Phone, tellers: Tellers) -> None:
    knocker = tellers.start()
    courier = stop(knocker)
    for number in range(20):
        knocker.send(f"{number} " + "x" * 60_000)

    end(courier)

    phone.wait(21)
    assert [knock["text"].split()[1] for knock in phone.knocks[1:]] == [str(number) for number in range(20)]


@linux_only
def test_a_kernel_ends_though_its_courier_is_stopped(loaded: Kernel, home: Home, phone: Phone) -> None:
    """What the pipe took by then still arrives."""
    loaded.run("%%knock before\n1 + 1")
    phone.wait_for(name="before")
    (courier,) = home.couriers(loaded.pid)
    os.kill(courier, signal.SIGSTOP)
    is_stopped(courier)
    loaded.run("%%knock after\n1 + 1")

    loaded.shutdown()
    os.kill(courier, signal.SIGCONT)

    home.wait_until_alone()
    assert sorted(knock["name"] for knock in phone.knocks) == ["after", "before"]


# Nothing of ours is left behind.


@linux_only
@pytest.mark.parametrize("leave", ["shutdown", "kill", "unload", "quit()"])
def test_it_leaves_when_nothing_is_left_to_do(leave: str, loaded: Kernel, home: Home, phone: Phone) -> None:
    """The delivery under way is seen to its end first."""
    phone.answer(200, delay=1)
    loaded.run("%%knock work\n1 + 1")
    phone.wait_for_request()
    assert deliveries(home)

    if leave == "shutdown":
        loaded.shutdown()
    elif leave == "kill":
        loaded.kill()
    elif leave == "unload":
        loaded.run("%unload_ext knock")
    else:
        loaded.start(leave)

    assert phone.wait()["name"] == "work"
    home.wait_until_alone(timeout=10)
    assert len(phone.knocks) == 1


@linux_only
def test_unloading_and_loading_again_leaves_one(loaded: Kernel, home: Home, phone: Phone) -> None:
    for number in range(3):
        loaded.run(f"%%knock {number}\n1 + 1")
        loaded.run("%unload_ext knock")
        loaded.run("%load_ext knock")
    loaded.run("%%knock 3\n1 + 1")
    phone.wait(4)

    poll(lambda: len(home.couriers(loaded.pid)) == 1, "one courier")
    assert sorted(knock["name"] for knock in phone.knocks) == ["0", "1", "2", "3"]


# Forks in the middle of it.


def run(script: str, env: Dict[str, str], timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a Python script; what it writes is caught."""
    return subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script],
        env=env,
        timeout=timeout,
        capture_output=True,
        text=True,
    )


@linux_only
def test_a_forked_child_speaks_for_itself_only(home: Home, phone: Phone) -> None:
    """It leaves the parent's block, goes on, knocks for itself, and ends as any script does."""
    script = """
import os, sys, knock
with knock.run("parent"):
    child = os.fork()
    if not child:
        knock.progress(1, 2)
if not child:
    with knock.run("child"):
        pass
    knock.send("from the child")
    sys.exit(0)
print(os.waitpid(child, 0)[1])
knock.send("from the parent")
"""
    result = run(script, home.knocking_at(phone))
    home.wait_until_alone()

    assert (result.returncode, result.stdout, result.stderr) == (0, "0\n", "")
    assert sorted((knock["event"], knock["name"]) for knock in phone.knocks) == [
        ("finished", "child"),
        ("finished", "parent"),
        ("message", "from the child"),
        ("message", "from the parent"),
    ]


@linux_only
def test_a_child_that_ends_the_parents_cell_tells_nothing_of_it(home: Home, phone: Phone, start_kernel: Start) -> None:
    """A plain cell gets its run at its end, and a child that comes so far has that end too."""
    kernel = start_kernel(home.knocking_at(phone, KNOCK_AUTO="0.2")).load()
    kernel.run("infos = []\nget_ipython().events.register('pre_run_cell', infos.append)", store_history=False)

    result = kernel.run(
        "import os, time\ntime.sleep(0.3)\nchild = os.fork()\nif not child:\n"
        "    from IPython.core.interactiveshell import ExecutionResult\n"
        "    get_ipython().events.trigger('post_run_cell', ExecutionResult(infos[-1]))\n"
        "    os._exit(0)\nos.waitpid(child, 0)[1]"
    )
    kernel.run("%%knock the next\n1 + 1")
    phone.wait_for(name="the next")
    kernel.shutdown()
    home.wait_until_alone()

    assert (result.status, result.value) == ("ok", "0")
    told = sorted(knock["name"] for knock in phone.knocks)
    assert told == ["import os, time", "the next"]


@linux_only
def test_forks_at_any_moment_harm_nobody(home: Home, phone: Phone) -> None:
    """While other threads knock: no child hangs, whatever was going on when it was made.

    The first knock comes before: a module that is just being imported is locked in the child for good, by Python.
    """
    script = """
import os, signal, sys, threading, knock
knock.send("first")
stop = threading.Event()
counts = [0, 0]
def tell(number):
    while not stop.is_set() and counts[number] < 40:
        knock.send(f"thread {number}: {counts[number]}")
        counts[number] += 1
        stop.wait(0.005)
threads = [threading.Thread(target=tell, args=(number,)) for number in (0, 1)]
for thread in threads:
    thread.start()
ends = []
for number in range(30):
    child = os.fork()
    if not child:
        signal.alarm(30)
        if number % 10 == 0:
            knock.send(f"child {number}")
            sys.exit(0)
        os._exit(0)
    ends.append(child)
ends = [os.waitpid(child, 0)[1] for child in ends]
for thread in threads:
    thread.join()
print(sum(ends), sum(counts))
"""
    result = run(script, home.knocking_at(phone), timeout=90)
    home.wait_until_alone()

    assert (result.returncode, result.stdout, result.stderr) == (0, "0 80\n", "")
    expected = [f"thread {number}: {count}" for number in (0, 1) for count in range(40)]
    assert sorted(knock["name"] for knock in phone.knocks) == sorted(
        ["first", *expected, "child 0", "child 10", "child 20"]
    )
