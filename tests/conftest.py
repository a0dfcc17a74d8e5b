"""The stage: a phone, a home of its own for settings and outbox, and real kernels.

Nothing sleeps; what is awaited is awaited by a condition or a kernel's message, with a deadline.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import time
import uuid
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional

import pytest
from phone import Phone

jupyter_client = pytest.importorskip("jupyter_client")
pytest.importorskip("ipykernel")

# Started by nohup, in a shell's background or the like, we and all our children would be deaf to what these tests send.
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

LOAD = "%load_ext knock"
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


# The home.


class Home:
    """A folder for everything that a run leaves behind, and the environment that points there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work = folder / "work"
        self.work.mkdir()
        (folder / "runtime").mkdir(mode=0o700)

    def env(self, **settings: Optional[str]) -> Dict[str, str]:
        """The environment of a kernel or shell; `settings` come on top, None takes one out."""
        env = {name: value for name, value in os.environ.items() if not name.startswith(("KNOCK_", "JPY_"))}
        env.update(
            {
                "KNOCK_HOME": str(self.folder / "knock"),
                "KNOCK_LANG": "en",
                "XDG_RUNTIME_DIR": str(self.folder / "runtime"),  # where the outbox goes that has no other place
                "IPYTHONDIR": str(self.folder / "ipython"),
                "JUPYTER_CONFIG_DIR": str(self.folder / "jupyter"),
                "JUPYTER_DATA_DIR": str(self.folder / "jupyter"),
                "JUPYTER_RUNTIME_DIR": str(self.folder / "jupyter"),
                "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            }
        )
        for name, value in settings.items():
            env.pop(name, None)
            if value is not None:
                env[name] = value
        return env

    def knocking_at(self, phone: Phone, **settings: Optional[str]) -> Dict[str, str]:
        return self.env(**{"KNOCK_TO": "webhook", "KNOCK_WEBHOOK_URL": phone.url, **settings})

    def helpers(self) -> List[int]:
        """Our own processes (couriers and deliveries) that work for this home. Linux only."""
        mark = f"KNOCK_HOME={self.folder / 'knock'}".encode()
        found = []
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            try:
                environ = Path("/proc", name, "environ").read_bytes().split(b"\0")
                words = Path("/proc", name, "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if mark in environ and b"knock_magic" in b" ".join(words):
                found.append(int(name))
        return found

    def couriers(self, kernel: int) -> List[int]:
        """Our processes that `kernel` is the parent of."""
        return [pid for pid in self.helpers() if _parent(pid) == kernel]

    def courier(self, kernel: int, *, but: int = -1) -> int:
        """The one courier of `kernel`, as soon as it is there; another one than `but`."""
        (pid,) = poll(lambda: [pid for pid in self.couriers(kernel) if pid != but], "a courier")
        return int(pid)

    def wait_until_alone(self, timeout: float = 45) -> None:
        """Wait until no process of ours is left: all that was due is then delivered."""
        if not sys.platform.startswith("linux"):
            pytest.skip("reads /proc")
        poll(lambda: not self.helpers(), "our processes to leave", timeout)

    def clean(self) -> None:
        if sys.platform.startswith("linux"):
            for pid in self.helpers():
                end(pid)


def end_of(knocker: Any) -> None:
    """Close a knocker of this very process, and wait for the end of its courier."""
    courier = knocker.sidecar._courier
    knocker.close()
    if courier is not None:
        courier.wait()


def _parent(pid: int) -> int:
    try:
        return int(Path("/proc", str(pid), "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    except OSError:
        return -1


def end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def poll(there: Callable[[], Any], what: str, timeout: float = 45) -> Any:
    """What `there` answers as soon as it is true; for what no condition tells of (/proc)."""
    until = time.monotonic() + timeout
    while True:
        answer = there()
        if answer:
            return answer
        if time.monotonic() > until:
            raise AssertionError(f"waited {timeout} s for {what}")
        time.sleep(0.01)


# The kernel.


class Result:
    """What came of one cell."""

    def __init__(self, reply: Dict[str, Any], messages: List[Dict[str, Any]]) -> None:
        self.reply = reply
        self.messages = messages

    @property
    def status(self) -> str:
        return str(self.reply["status"])

    def stream(self, *names: str) -> str:
        return "".join(m["content"]["text"] for m in self._of("stream") if m["content"]["name"] in names)

    @property
    def text(self) -> str:
        return self.stream("stdout", "stderr")

    @property
    def errors(self) -> List[Dict[str, Any]]:
        return [message["content"] for message in self._of("error")]

    @property
    def value(self) -> Optional[str]:
        """The text of the ``Out`` that the cell showed."""
        values = [message["content"]["data"]["text/plain"] for message in self._of("execute_result")]
        return values[-1] if values else None

    @property
    def displays(self) -> List[str]:
        return [message["content"]["data"].get("text/plain", "") for message in self._of("display_data")]

    @property
    def said(self) -> str:
        """All text under the cell, but for tracebacks."""
        return "\n".join([self.text, *self.displays])

    def lines_with(self, word: str) -> List[str]:
        return [line for line in self.said.splitlines() if word in line]

    def _of(self, kind: str) -> List[Dict[str, Any]]:
        return [message for message in self.messages if message["msg_type"] == kind]


class Kernel:
    """A real kernel in the Python that runs the tests, driven over its sockets. `options` are of its command line."""

    def __init__(self, env: Dict[str, str], folder: Path, *options: str) -> None:
        self._log = (folder / "kernel.log").open("ab")
        self.manager = jupyter_client.KernelManager(connection_file=str(folder / f"kernel-{uuid.uuid4()}.json"))
        self.manager.start_kernel(
            env=env, cwd=str(folder), stdout=self._log, stderr=self._log, extra_arguments=list(options)
        )
        self._connect()

    def _connect(self) -> None:
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)
        self._cell, self._messages = "", []  # type: ignore[var-annotated]

    @property
    def pid(self) -> int:
        return int(self.manager.provisioner.pid)

    # Cells.

    def run(self, code: str, timeout: float = 30, **options: Any) -> Result:
        self.start(code, **options)
        return self.finish(timeout)

    def load(self) -> Kernel:
        result = self.run(LOAD)
        assert (result.status, result.text) == ("ok", "")
        return self

    def send(self, text: str) -> None:
        """Knock with a text; leaves the history as it was."""
        assert self.run(f"%knock send {text}", store_history=False).status == "ok"

    def ask(self, expression: str) -> str:
        """The repr of `expression`, evaluated without a cell (no hook, no history)."""
        self.start("", silent=True, user_expressions={"it": expression})
        answer = self.finish().reply["user_expressions"]["it"]
        assert answer["status"] == "ok", answer
        return str(answer["data"]["text/plain"])

    def start(self, code: str, **options: Any) -> str:
        """Begin a cell and leave it running."""
        self._messages = []
        # A failed cell must not have the tests' next question thrown away with the rest of a "Run All".
        self._cell = self.client.execute(code, stop_on_error=False, **options)
        return self._cell

    def until(self, mark: str, timeout: float = 30) -> None:
        """Wait until the running cell has printed `mark`."""
        self._read(lambda message: mark in message["content"].get("text", ""), timeout)

    def printed(self) -> str:
        """What the running cell has printed so far."""
        return Result({}, self._messages).text

    def finish(self, timeout: float = 30) -> Result:
        """Wait for the end of the running cell."""
        self._read(lambda message: message["content"].get("execution_state") == "idle", timeout)
        while True:
            reply = self.client.get_shell_msg(timeout=timeout)
            if reply["parent_header"].get("msg_id") == self._cell:
                return Result(reply["content"], self._messages)

    def _read(self, last: Callable[[Dict[str, Any]], bool], timeout: float) -> None:
        until = time.monotonic() + timeout
        while True:
            message = self.client.get_iopub_msg(timeout=max(0.01, until - time.monotonic()))
            if message["parent_header"].get("msg_id") == self._cell:
                self._messages.append(message)
                if last(message):
                    return

    # Life and death.

    def interrupt(self) -> None:
        self.manager.interrupt_kernel()

    def restart(self) -> None:
        """Restart as the menu does: asked politely, then started anew."""
        self.client.stop_channels()
        self.manager.restart_kernel(now=False)
        self._connect()

    def shutdown(self, *, now: bool = False) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=now)

    def kill(self, number: int = 9) -> None:
        os.kill(self.pid, number)

    def wait_until_dead(self, timeout: float = 45) -> None:
        poll(lambda: not self.manager.is_alive(), "the kernel's end", timeout)

    def close(self) -> None:
        self.client.stop_channels()
        if self.manager.has_kernel:
            self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()
        self.manager.context.destroy()
        self._log.close()


# Fixtures. A module shares its phone, its home and its two kernels; `start_kernel` starts one for one test.


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    home = Home(tmp_path_factory.mktemp("home"))
    yield home
    home.clean()


@pytest.fixture(scope="module")
def module_phone() -> Iterator[Phone]:
    phone = Phone()
    yield phone
    phone.close()


@pytest.fixture
def phone(module_phone: Phone) -> Iterator[Phone]:
    """The module's phone, with nothing on it yet; in the end, no run may have told its end twice."""
    module_phone.clear()
    yield module_phone
    assert module_phone.told_twice() == []


@pytest.fixture(scope="module")
def kernel(home: Home) -> Iterator[Kernel]:
    """A kernel that has never heard of us."""
    kernel = Kernel(home.env(), home.work)
    yield kernel
    kernel.close()


@pytest.fixture(scope="module")
def kernel_with_knock(home: Home, module_phone: Phone) -> Iterator[Kernel]:
    """A kernel whose first cell was ``%load_ext knock``, set up by its environment to knock at the phone."""
    kernel = Kernel(home.knocking_at(module_phone), home.work)
    kernel.load()
    yield kernel
    kernel.close()


@pytest.fixture
def start_kernel(home: Home) -> Iterator[Callable[..., Kernel]]:
    """Start a kernel of this test's own with an environment, and options."""
    kernels: List[Kernel] = []

    def start(env: Dict[str, str], *options: str) -> Kernel:
        kernels.append(Kernel(env, home.work, *options))
        return kernels[-1]

    yield start
    for kernel in kernels:
        kernel.close()
