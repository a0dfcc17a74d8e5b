"""`Child`: a command that runs as if we were not there, while we see how it ends and what it says last.

What is a terminal for us is one for the command, and what is a pipe or a file is handed over as it is; only its
errors pass through us. It runs in a session of its own, so that Ctrl-C reaches it once: signals that come to us
are passed on.
"""

from __future__ import annotations

import dataclasses
import errno
import os
import select
import signal
import subprocess
import sys
import threading
import time
from typing import Any, Callable, Dict, Optional, Sequence, Set, Union

from knock_magic import relay
from knock_magic.cleaning import last_lines
from knock_magic.relay import Ear, Heard

if sys.platform != "win32":
    from knock_magic.terminal import Terminal

NOT_FOUND, NOT_EXECUTABLE = 127, 126  # as a shell answers
KILLED_BY = 128  # and more by the signal's number
TAIL_BYTES = 64 * 1024
CHUNK = 65536
# After the command's end its last words are on their way for a moment; what it left running may hold on longer.
LAST_WORDS_S = 0.2
LONGEST_LAST_WORDS_S = 2.0

# What a terminal sends goes to all that runs in it; what one process is sent goes to one.
TO_ALL = ("SIGINT", "SIGQUIT", "SIGHUP")
TO_ONE = ("SIGTERM", "SIGUSR1", "SIGUSR2")
OTHERS = ("SIGCHLD", "SIGWINCH", "SIGTSTP", "SIGCONT")


@dataclasses.dataclass(frozen=True)
class Ending:
    """How a command ended."""

    code: int  # what to exit with
    signal: int = 0  # what killed it
    passed: Optional[int] = None  # the last signal that was passed on to it
    passed_ago_s: float = 0.0
    tail: str = ""


class Child:
    """A running command; where it `may_tell`, it can say through a pipe of ours how far it is.

    Raises:
        OSError: it can't be started.
    """

    def __init__(self, command: Sequence[str], may_tell: bool = False) -> None:
        self._ear: Optional[Ear] = None
        self.on_progress: Callable[[Heard], None] = lambda heard: None
        self._tail = Tail()
        self.said = 0  # how often it was heard
        self._passed: Optional[int] = None
        self._passed_mono = 0.0
        self._typed = b""
        self._terminal: Optional[Terminal] = None
        self._sources: Dict[int, int] = {}  # what is read -> where it is written
        tty_fd = next((fd for fd in (1, 2) if os.isatty(fd)), -1)
        reads_keys = os.isatty(0) and os.isatty(1)
        if tty_fd >= 0:
            self._terminal = Terminal(0 if reads_keys else tty_fd, takes_input=reads_keys)
        self._listen()
        try:
            self._ear = _ear() if may_tell else None
            self._process = self._start(command, reads_keys)
        except BaseException:
            self._close()
            raise

    def _start(self, command: Sequence[str], reads_keys: bool) -> subprocess.Popen[bytes]:
        terminal = self._terminal
        slave = terminal.slave if terminal else None
        process = subprocess.Popen(
            list(command),
            stdin=slave if reads_keys else None,
            stdout=slave if os.isatty(1) else None,
            stderr=slave if os.isatty(2) else subprocess.PIPE,
            bufsize=0,
            env={**os.environ, relay.VARIABLE: self._ear.path} if self._ear else None,
            start_new_session=True,
            # Dear in a kernel of gigabytes, unsafe among threads; this process has neither yet.
            preexec_fn=terminal.become_controlling if terminal else None,
        )
        if terminal:
            os.close(terminal.slave)
            os.set_blocking(terminal.master, False)
            self._sources[terminal.master] = 1 if os.isatty(1) else 2
        if process.stderr:
            self._sources[process.stderr.fileno()] = 2
        return process

    # Signals come as bytes through a pipe, so that one loop waits for everything.

    def _listen(self) -> None:
        self._news, wake = os.pipe()
        os.set_blocking(self._news, False)
        os.set_blocking(wake, False)
        self._wake = wake
        self._handlers: Dict[int, Any] = {}
        for name in (*TO_ALL, *TO_ONE, *OTHERS):
            number = getattr(signal, name)
            if name == "SIGCHLD" or signal.getsignal(number) != signal.SIG_IGN:  # nohup's and the background's stay so
                self._handlers[number] = signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

    def _close(self) -> None:
        """Let go of everything; from here on signals are caught, and do nothing."""
        signal.set_wakeup_fd(-1)
        if self._terminal:
            self._terminal.give_back()
        for fd in (self._news, self._wake):
            os.close(fd)
        if self._ear:
            self._ear.close()

    def wait(self) -> Ending:
        """Stand between the command and the world until it has ended."""
        try:
            if self._terminal:
                self._terminal.take()
            while self._process.poll() is None:
                self._step(None)
            until = time.monotonic() + LONGEST_LAST_WORDS_S
            while self._step(LAST_WORDS_S) and self._sources and time.monotonic() < until:
                pass
            self._hear()
        finally:
            self._close()
        number = max(0, -self._process.returncode)
        return Ending(
            code=KILLED_BY + number if number else self._process.returncode,
            signal=number,
            passed=self._passed,
            passed_ago_s=time.monotonic() - self._passed_mono,
            tail=self._tail.text(),
        )

    def _step(self, seconds: Optional[float]) -> bool:
        """Do what there is to do, waiting for it `seconds` at most; False if there was nothing."""
        reading: Set[int] = {self._news, *self._sources}
        if self._ear:
            reading.add(self._ear.fd)
        # What is typed when the command has ended is for who reads the terminal next.
        if self._terminal and self._terminal.is_raw and not self._typed and self._process.returncode is None:
            reading.add(0)
        writing = [self._terminal.master] if self._terminal and self._typed else []
        ready, writable, _ = select.select(list(reading), writing, [], seconds)
        for fd in ready:
            if fd == self._news:
                for number in os.read(fd, CHUNK):
                    self._on_signal(number)
                continue
            if self._ear and fd == self._ear.fd:
                self._hear()
                continue
            data = _read(fd)
            if data is not None:
                self._on_keys(data) if fd == 0 else self._on_output(fd, data)
        if writable:
            self._pass_keys()
        return bool(ready or writable)

    def _hear(self) -> None:
        for heard in self._ear.heard() if self._ear else ():
            self.on_progress(heard)

    def _on_output(self, fd: int, data: bytes) -> None:
        target = self._sources[fd]
        if not data:
            del self._sources[fd]
            return
        self.said += 1
        self._tail.add(data)
        try:
            while data:
                data = data[os.write(target, data) :]
        except BlockingIOError:
            select.select([], [target], [])
            self._on_output(fd, data)
        except OSError:
            self._lose(fd)

    def _lose(self, fd: int) -> None:
        """Nobody reads what comes from `fd` any more. A pipe breaks for the command too; a terminal's end is told."""
        if self._process.stderr and fd == self._process.stderr.fileno():
            del self._sources[fd]
            self._process.stderr.close()

    def _on_keys(self, data: bytes) -> None:
        assert self._terminal
        if not data:
            self._terminal.give_back()
            return
        passed, interrupt, suspend = self._terminal.signals_in(data)
        self._typed += passed
        if interrupt:
            self._note(signal.SIGINT)
        self._pass_keys()
        if suspend:
            self._suspend(os.getpgrp())

    def _pass_keys(self) -> None:
        assert self._terminal
        try:
            self._typed = self._typed[os.write(self._terminal.master, self._typed) :]
        except BlockingIOError:
            pass
        except OSError:
            self._typed = b""

    def _on_signal(self, number: int) -> None:
        name = signal.Signals(number).name
        if name == "SIGTSTP":
            self._suspend(None)
        elif name == "SIGCONT":
            self._resume()
        elif name == "SIGWINCH" and self._terminal:
            self._terminal.copy_size()
        elif name in TO_ALL + TO_ONE:
            self._note(number)
            self._signal(number, to_all=name in TO_ALL)

    def _note(self, number: int) -> None:
        self._passed, self._passed_mono = number, time.monotonic()

    def _signal(self, number: int, *, to_all: bool = True) -> None:
        try:
            if self._process.returncode is None:
                (os.killpg if to_all else os.kill)(self._process.pid, number)
        except OSError:
            pass  # it has just ended, or has become someone else's

    def _suspend(self, group: Optional[int]) -> None:
        """Stop the command and ourselves, as Ctrl-Z does: the whole `group` if it came by key, else us alone."""
        self._signal(signal.SIGSTOP)
        if self._terminal:
            self._terminal.give_back()
        handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        if group is None:
            os.kill(os.getpid(), signal.SIGTSTP)
        else:
            os.killpg(group, signal.SIGTSTP)
        # Here we have been continued, or were never stopped, where there is no shell to do the one or the other.
        signal.signal(signal.SIGTSTP, handler)
        self._resume()

    def _resume(self) -> None:
        if self._terminal:
            self._terminal.give_back()
            self._terminal.take()
            self._terminal.copy_size()
        self._signal(signal.SIGCONT)


class Tail:
    """The last lines of what was written."""

    def __init__(self) -> None:
        self._data = b""

    def add(self, data: bytes) -> None:
        """More was written."""
        self._data = (self._data + data)[-TAIL_BYTES:]

    def text(self) -> str:
        """The last 20 lines, as they looked in the end; from the traceback on, if there is one in them."""
        return last_lines(self._data.decode("utf-8", "replace"))


def _read(fd: int) -> Optional[bytes]:
    """What is there to read: nothing at the end, None if there is nothing yet."""
    try:
        return os.read(fd, CHUNK)
    except BlockingIOError:
        return None
    except OSError:  # the last one at the other end of a terminal has left (EIO)
        return b""


class PlainChild:
    """A running command where terminals are not of the Unix kind; its errors are seen unless a console shows them."""

    def __init__(self, command: Sequence[str]) -> None:
        self._tail = Tail()
        self.said = 0
        self._process = subprocess.Popen(list(command), stderr=None if sys.stderr.isatty() else subprocess.PIPE)
        self._copier = threading.Thread(target=self._copy, daemon=True)
        self._copier.start()

    def wait(self) -> Ending:
        """See the command end."""
        interrupted: Optional[float] = None
        code: Optional[int] = None
        while code is None:
            try:
                code = self._process.wait()
            except KeyboardInterrupt:  # the console has sent it to the command as well
                interrupted = time.monotonic()
        self._copier.join(LONGEST_LAST_WORDS_S)
        if interrupted is None:
            return Ending(code, tail=self._tail.text())
        return Ending(code, 0, signal.SIGINT, time.monotonic() - interrupted, self._tail.text())

    def _copy(self) -> None:
        errors = self._process.stderr
        while errors:
            data = os.read(errors.fileno(), CHUNK)
            if not data:
                return
            self.said += 1
            self._tail.add(data)
            os.write(2, data)


def _ear() -> Optional[Ear]:
    try:
        return Ear()
    except OSError:  # a folder for temporary files that takes no pipes, or none at all
        return None


def start(command: Sequence[str], may_tell: bool = False) -> Union[Child, PlainChild]:
    """The command, running; where it `may_tell`, what it says of its progress comes to ``on_progress``.

    Raises:
        OSError: it can't be started.
    """
    if sys.platform == "win32":
        return PlainChild(command)
    try:
        return Child(command, may_tell)
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
        return Child(["/bin/sh", *command], may_tell)  # a script without a first line that says what runs it
