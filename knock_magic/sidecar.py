"""`Sidecar`: the kernel's end of the pipes. It starts the courier, tells it, hears it, and starts it again.

What the hooks call here never waits: a line is put in a queue, and written at once if the pipe takes it. One
daemon thread writes what the pipe did not take, reads the courier's answers, and sees the courier die; then it
starts another and tells it all that was not answered.
"""

from __future__ import annotations

import atexit
import collections
import json
import os
import select
import subprocess
import sys
import threading
import time
import weakref
from typing import Any, Callable, Deque, Dict, List, Optional, Tuple, Union

from knock_magic import launch, watch
from knock_magic.slate import Slate

Line = Dict[str, Any]

FLUSH_S = 2.0  # what the end of a kernel may wait for us at most
PROGRESS_QUEUE = 1000  # lines; beyond it progress is dropped, never an end
RESTART_S = (0.0, 0.1, 1.0, 5.0, 30.0)  # waits before a courier that dies young is started again
YOUNG_S = 60.0
KILLED = -9  # what Popen says of a process that was killed: by a person or for want of memory, it did nothing wrong
UNFIT = 3  # deaths of another kind in a row: what we start here is no Python that works
WRITES_AT_ONCE = sys.platform != "win32"  # pipes there can't be told not to block

_living: weakref.WeakSet[Sidecar] = weakref.WeakSet()


class Sidecar:
    """The courier, seen from the kernel.

    Args:
        hello: gives what a new courier has to know first; it is told whether that courier is a process.
        hear: called with each answer, in the daemon thread.
    """

    def __init__(self, hello: Callable[[bool], Line], hear: Callable[[Line], None]) -> None:
        self._hello = hello
        self._hear = hear
        self._state = threading.Condition()
        self._known: Dict[str, bytes] = {}  # what each courier has to be told again: settings, auto
        self._closing = False
        self._reset()
        _living.add(self)
        atexit.register(self.close)

    def _reset(self) -> None:
        """As if nothing had been started; also right in a forked child, whose parent goes on."""
        self.pid = os.getpid()
        self.slate: Optional[Slate] = None
        self._courier: Union[subprocess.Popen[bytes], CourierHere, None] = None
        self.is_process = True
        self._thread: Optional[threading.Thread] = None
        self._queue: Deque[bytes] = collections.deque()
        self._partial = b""
        self._writing = threading.Lock()
        # Held for the millisecond that starting takes: runs of several threads may begin at once. A signal's handler
        # may come in between, in the same thread.
        self._starting = threading.RLock()
        self._wake = (-1, -1)
        self._runs: Dict[str, bytes] = {}
        self._unanswered: Dict[str, bytes] = {}
        self._deaths: List[Tuple[float, int]] = []  # of couriers lately: when, and the exit code

    @property
    def courier_pid(self) -> Optional[int]:
        """The courier's process id while it runs."""
        return self._courier.pid if self._courier and self._courier.poll() is None else None

    def ensure(self) -> None:
        """Start the courier if it was not yet: 0.6 ms, once."""
        if self._thread is None and not self._closing:
            with self._starting:
                if self._thread is None:
                    self._begin()

    def _begin(self) -> None:
        thread = threading.Thread(target=self._serve, name="knock", daemon=True)
        try:
            if self.slate is None:
                self.slate = Slate()
            if WRITES_AT_ONCE and self._wake[1] < 0:
                self._wake = os.pipe()
                os.set_blocking(self._wake[0], False)
                os.set_blocking(self._wake[1], False)
            if self._courier is None:
                self._start()
            thread.start()
        except (OSError, RuntimeError) as error:  # no descriptor or thread is left; the next cell tries again
            self._warn("nothing", error)
            return
        self._thread = thread

    # What the kernel tells.

    def know(self, key: str, line: Line) -> None:
        """Tell this courier and each one after it, unless it was told just that already."""
        data = _encoded(line)
        with self._starting:
            if self._known.get(key) == data:
                return
            self._known[key] = data
        if self._thread:
            self._push(data)

    def open(self, run: str, line: Line) -> None:
        """A run begins; it is known to be open until `tell` or `close` names its end."""
        self.ensure()
        self._runs[run] = _encoded(line)
        self._push(self._runs[run])

    def close_run(self, run: str) -> None:
        """A run that is not worth an event has ended."""
        if self._runs.pop(run, None):
            self._push(_encoded({"op": "close", "run": run}))

    def tell(self, event_id: str, line: Line, *, ends: str = "") -> None:
        """An event that has to reach the outbox; `ends` is the run it ends."""
        self.ensure()
        data = self._unanswered[event_id] = _encoded(line)
        self._push(data)
        self._runs.pop(ends, None)

    def progress(self, line: Line) -> None:
        """An event that may be dropped when the courier does not keep up."""
        if len(self._queue) < PROGRESS_QUEUE:
            self.ensure()
            self._push(_encoded(line))

    def beat(self, run: str, limit_s: float, progress: Any) -> None:
        """This interpreter works on `run`; longer silence than `limit_s` means that it does not."""
        self.progress({"op": "beat", "run": run, "limit_s": limit_s, "progress": progress and vars(progress)})

    def bye(self) -> None:
        """The kernel is about to end on purpose."""
        self.know("bye", {"op": "bye"})

    def kept(self, event_id: str) -> bool:
        """Whether the courier has answered that this event is in the outbox."""
        return event_id not in self._unanswered

    def close(self, seconds: float = FLUSH_S) -> None:
        """Say bye, give the courier `seconds` at most to take what is unsaid, and let it finish on its own."""
        if self._closing or self.pid != os.getpid() or self._thread is None:
            self._closing = True
            return
        self.bye()
        with self._state:
            self._state.wait_for(lambda: not (self._unanswered or self._queue or self._partial), seconds)
        self._closing = True
        self._nudge()
        self._thread.join(seconds)
        if isinstance(self._courier, CourierHere):
            self._courier.thread.join(seconds)  # it ends with this process, so it gets a moment to send
        atexit.unregister(self.close)

    # Writing.

    def _push(self, data: bytes) -> None:
        self._queue.append(data)
        if WRITES_AT_ONCE:
            self._write()
        else:
            with self._state:
                self._state.notify_all()

    def _write(self) -> None:
        """Write what the pipe takes, and leave the rest to the thread."""
        if not self._drain():
            self._nudge()

    def _drain(self) -> bool:
        """Write until all is written, or, False, the pipe takes no more.

        Whoever holds the lock writes for all; nobody waits for it.
        """
        while (self._queue or self._partial) and self._writing.acquire(False):
            try:
                if not self._write_one():
                    return False
            finally:
                self._writing.release()
        return True

    def _write_one(self) -> bool:
        """Write one line, or the rest of one; False when the pipe takes no more now."""
        courier = self._courier
        if courier is None or courier.stdin is None:
            return False
        if not self._partial:
            self._partial = self._queue.popleft()
        try:
            written = os.write(courier.stdin.fileno(), self._partial)
        except (OSError, ValueError):  # full, or the courier is dead: the thread sees to both
            return False
        self._partial = self._partial[written:]
        return True

    def _nudge(self) -> None:
        """Wake the thread."""
        if self._wake[1] >= 0:
            try:
                os.write(self._wake[1], b"!")
            except OSError:
                pass  # full: it is awake

    # The thread.

    def _serve(self) -> None:
        try:
            if WRITES_AT_ONCE:
                self._serve_by_poll()
            else:
                self._serve_by_threads()
        except Exception:  # at the interpreter's end anything may be gone already
            if not self._closing:
                raise

    def _serve_by_poll(self) -> None:
        rest = b""
        while True:
            courier = self._courier
            if courier is None:
                if self._closing:
                    return
                self._restart()
                rest = b""
                continue
            assert courier.stdin and courier.stdout
            poll = select.poll()
            poll.register(courier.stdout.fileno(), select.POLLIN)
            poll.register(self._wake[0], select.POLLIN)
            if self._partial or self._queue:
                poll.register(courier.stdin.fileno(), select.POLLOUT)
            ready = {number for number, _ in poll.poll()}
            if self._wake[0] in ready:
                os.read(self._wake[0], 4096)
            if self._closing:
                with self._writing:
                    self._let_go(courier)
                return
            if courier.stdout.fileno() in ready:
                data = os.read(courier.stdout.fileno(), 65536)
                if not data:
                    self._bury(courier)
                    continue
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._take(line)
            self._drain()  # what is left waits for the pipe; to nudge ourselves would be to spin

    def _serve_by_threads(self) -> None:
        """Where pipes can't be polled: this thread reads, and another one writes."""
        threading.Thread(target=self._write_waiting, name="knock-write", daemon=True).start()
        while not self._closing:
            courier = self._courier
            if courier is None:
                self._restart()
                continue
            assert courier.stdout
            for line in iter(courier.stdout.readline, b""):
                self._take(line)
            self._bury(courier)

    def _write_waiting(self) -> None:
        while not self._closing:
            with self._state:
                self._state.wait_for(lambda: self._closing or (self._queue and self._courier))
            while self._queue and self._writing.acquire(False):
                try:
                    if not self._write_one():
                        break
                finally:
                    self._writing.release()
        if self._courier:
            self._let_go(self._courier)

    def _take(self, line: bytes) -> None:
        try:
            answer = json.loads(line)
        except ValueError:
            return
        with self._state:
            if answer["op"] == "kept":
                self._unanswered.pop(answer["id"], None)
            self._state.notify_all()
        self._hear(answer)

    # The courier's life.

    def _start(self) -> None:
        """Start a courier, and put before everything else what it has to know.

        Raises:
            OSError, RuntimeError: it can be started neither as a process nor as a thread.
        """
        courier = self._new_courier()
        self.is_process = not isinstance(courier, CourierHere)
        assert courier.stdin and courier.stdout
        if WRITES_AT_ONCE:
            os.set_blocking(courier.stdin.fileno(), False)
        with self._writing:
            again = [
                _encoded(self._hello(self.is_process)),
                *self._known.values(),
                *self._runs.values(),
                *self._unanswered.values(),
            ]
            # What waits is left to follow: a hook may be adding to it right now, and hearing a line twice harms nothing.
            self._queue.extendleft(reversed(again))
            self._partial = b""
            self._courier = courier
        self._push_nothing()

    def _new_courier(self) -> Union[subprocess.Popen[bytes], CourierHere]:
        assert self.slate
        unkilled = [code for _, code in self._deaths if code != KILLED]
        try:
            if len(unkilled) >= UNFIT:
                raise OSError(f"exit code {unkilled[-1]}")
            return launch.start("courier", str(os.getpid()), self.slate.handle, pass_fds=self.slate.fds)
        except OSError as error:
            courier = CourierHere()
            self._warn("courier", error)
            return courier

    def _warn(self, about: str, error: Exception) -> None:
        self._hear({"op": "warn", "about": about, "seen": getattr(error, "strerror", None) or str(error)})

    def _push_nothing(self) -> None:
        if WRITES_AT_ONCE:
            self._write()
        else:
            with self._state:
                self._state.notify_all()

    def _bury(self, courier: Union[subprocess.Popen[bytes], CourierHere]) -> None:
        self._courier = None
        with self._writing:  # else a hook might write to a number that means another file by then
            self._let_go(courier)
        self._deaths.append((time.monotonic(), courier.wait()))

    def _restart(self) -> None:
        self._deaths = [death for death in self._deaths if time.monotonic() - death[0] < YOUNG_S]
        pause = RESTART_S[min(max(len(self._deaths) - 1, 0), len(RESTART_S) - 1)]
        threading.Event().wait(pause)
        if self._closing:
            return
        try:
            self._start()
        except (OSError, RuntimeError) as error:
            self._deaths.append((time.monotonic(), KILLED))
            self._warn("nothing", error)

    @staticmethod
    def _let_go(courier: Union[subprocess.Popen[bytes], CourierHere]) -> None:
        for pipe in (courier.stdin, courier.stdout):
            try:
                if pipe:
                    pipe.close()
            except OSError:
                pass

    def forget(self) -> None:
        """In a forked child: let go of the parent's pipes, and be as new.

        The numbers are closed and forgotten: a number used again would get our bytes, and a child that held the
        write end would hide its parent's death.
        """
        courier, slate, wake = self._courier, self.slate, self._wake
        if courier:
            self._let_go(courier)
            # It is not this process's child, so subprocess must not wait for it.
            courier.returncode = 0
        if slate:
            slate.close()
        for fd in wake:
            if fd >= 0:
                os.close(fd)
        self._state = threading.Condition()
        self._reset()


class CourierHere:
    """A courier in a thread of this process, for places where none can be started. It looks like a process.

    It dies with the kernel, so it can tell of no death, and its outbox is memory.

    Raises:
        OSError, RuntimeError: not even pipes or a thread are to be had.
    """

    def __init__(self) -> None:
        from knock_magic import courier  # the kernel needs it only here

        self.pid = os.getpid()
        self.returncode: Optional[int] = None
        ends: List[int] = []

        def serve() -> None:
            try:
                courier.serve(watch.NOBODY, ends[0], ends[3], open_cells=list)
            except RuntimeError:
                pass  # no thread to listen with; another one is started later
            finally:
                os.close(ends[0])
                os.close(ends[3])

        self.thread = threading.Thread(target=serve, name="knock-courier", daemon=True)
        try:
            ends += os.pipe()
            ends += os.pipe()
            self.thread.start()
        except (OSError, RuntimeError):
            for end in ends:
                os.close(end)
            raise
        self.stdin = os.fdopen(ends[1], "wb", buffering=0)
        self.stdout = os.fdopen(ends[2], "rb", buffering=0)

    def poll(self) -> Optional[int]:
        """None while it runs."""
        return None if self.thread.is_alive() else 0

    def wait(self) -> int:
        """Wait for its end."""
        self.thread.join()
        return 0


def _forget_all() -> None:
    for sidecar in list(_living):
        sidecar.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


def _encoded(line: Line) -> bytes:
    return json.dumps(line).encode("ascii") + b"\n"
