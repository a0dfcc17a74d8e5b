"""What sets fire to couriers: seams at their start, and who they are. For the tests of deaths and of the courier."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

import pytest
from conftest import Home, poll
from phone import Phone

from knock_magic import launch
from knock_magic.knocker import Knocker
from knock_magic.settings import Sources

HARD = os.environ.get("KNOCK_TEST_HARD") == "1"  # each place instead of some of them, for minutes instead of seconds

_MAIN = "import importlib\n"


def booting(*lines: str) -> str:
    """What starts couriers and deliveries (`launch._BOOT`), with `lines` before their `main`; ``m`` is a module."""
    assert launch._BOOT.count(_MAIN) == 1
    return launch._BOOT.replace(_MAIN, _MAIN + "".join(f"{line}\n" for line in lines))


def setting(module: str, name: str, value: Any) -> str:
    """A line for `booting`: ``knock_magic.<module>.<name>`` is `value`."""
    return f"importlib.import_module('knock_magic.{module}').{name} = {value!r}"


def boot_cell(*lines: str) -> str:
    """A cell after which a kernel starts its couriers with `lines` before their ``main``."""
    return f"from knock_magic import launch\nlaunch._BOOT = {booting(*lines)!r}"


WITHOUT_PIDFD = "import os; vars(os).pop('pidfd_open', None)"  # Python 3.8, macOS, Linux before 5.3


class Said(List[str]):
    """The lines that were said to the user."""

    def __call__(self, text: str) -> None:
        self.append(text)


class Tellers:
    """Knockers in this process, each with a courier of its own, as many kernels of one home would have."""

    def __init__(self, home: Home, phone: Phone) -> None:
        self._environ = home.knocking_at(phone)
        self._all: List[Knocker] = []
        self.said = Said()

    def start(self, **settings: str) -> Knocker:
        self._all.append(Knocker(Sources({**self._environ, **settings}), say=self.said))
        return self._all[-1]

    def close(self) -> None:
        """End them all and wait for their couriers, which leave when nothing is due."""
        for knocker in self._all:
            knocker.close()
        for knocker in self._all:
            courier = knocker.sidecar._courier
            if isinstance(courier, subprocess.Popen):
                courier.wait(30)


def kept_all(knocker: Knocker) -> bool:
    return not knocker.sidecar._unanswered


def courier_of(knocker: Knocker) -> int:
    """Its process id, once there is one; one in this very process is not to be killed."""
    return int(poll(lambda: knocker.sidecar.is_process and knocker.sidecar.courier_pid, "a courier"))


def deliveries(home: Home) -> List[int]:
    """The delivery processes of `home` that run now. Linux only."""
    return [pid for pid in home.helpers() if b"delivery" in words_of(pid)]


def words_of(pid: int) -> List[bytes]:
    try:
        return Path("/proc", str(pid), "cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def exists(pid: int) -> bool:
    """Whether `pid` runs; a zombie does not."""
    try:
        return Path("/proc", str(pid), "stat").read_text(errors="replace").rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def is_stopped(pid: int) -> None:
    """Wait until `pid` stands still: a signal is sent in no time, and obeyed in some."""
    stat = Path("/proc", str(pid), "stat")
    poll(lambda: stat.read_text(errors="replace").rpartition(")")[2].split()[0] == "T", "it to stop")


# strace.


def strace_skip() -> Optional[str]:
    """Why strace can't be used here; None if it can."""
    if not sys.platform.startswith("linux") or shutil.which("strace") is None:
        return "needs strace"
    tried = subprocess.run(
        ["strace", "-D", "-o", os.devnull, "-e", "inject=write:when=9999:signal=KILL", "true"], capture_output=True
    )
    return None if tried.returncode == 0 else "strace can't trace here"


def stracing(command: Callable[..., List[str]], log: Path, *options: str) -> Callable[..., List[str]]:
    """`launch.command`, with the first courier under strace. The tracer is its grandchild, so its pid stays its own."""
    waiting = ["courier"]

    def traced(module: str, *arguments: str) -> List[str]:
        words = command(module, *arguments)
        if module not in waiting:
            return words
        waiting.clear()
        return ["strace", "-D", "-qq", "-o", str(log), *options, "--", *words]

    return traced


def copies(phone: Phone) -> Dict[str, int]:
    """How many requests came of each knock, by its id."""
    counts: Dict[str, int] = {}
    for knock in phone.knocks:
        counts[knock["id"]] = counts.get(knock["id"], 0) + 1
    return counts


# Control groups, which only root may make.


class Group:
    """A control group with a limit, below this process's own where that can be seen. Version 1 or 2, as the system has it."""

    def __init__(self, controller: str, limit_v1: str, limit_v2: str, value: int) -> None:
        parent, self._limit = _group_of_ours(controller), limit_v1
        if parent is None:
            parent, self._limit = _unified_group_for(controller), limit_v2
        self._folder = parent / f"knock-test-{os.getpid()}-{time.monotonic_ns()}"
        self._folder.mkdir()
        self.limit(value)

    def limit(self, value: int) -> None:
        (self._folder / self._limit).write_text(str(value))

    def take(self, pid: int) -> None:
        """Put a process in, with what it starts from then on."""
        (self._folder / "cgroup.procs").write_text(str(pid))

    def close(self) -> None:
        """Take it away once everybody in it has ended."""
        poll(lambda: not (self._folder / "cgroup.procs").read_text().split(), "the group to be empty")
        self._folder.rmdir()


def _group_of_ours(controller: str) -> Optional[Path]:
    """Version 1: each controller has a tree of its own."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            root = Path("/sys/fs/cgroup", controller)
            return root / path.lstrip("/") if (root / path.lstrip("/")).is_dir() else root
    return None


def _unified_group_for(controller: str) -> Path:
    """Version 2: a group beside ours, for one with processes in it can't have limited ones below."""
    path = next(line[3:] for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))
    parent = Path("/sys/fs/cgroup" + path).parent if path != "/" else Path("/sys/fs/cgroup")
    if controller not in (parent / "cgroup.subtree_control").read_text().split():
        (parent / "cgroup.subtree_control").write_text(f"+{controller}")
    return parent


def group_or_skip(controller: str, limit_v1: str, limit_v2: str, value: int) -> Group:
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("makes a control group, which only root on Linux may")
    try:
        return Group(controller, limit_v1, limit_v2, value)
    except OSError as error:
        pytest.skip(f"no control group for {controller} can be made here: {error}")
