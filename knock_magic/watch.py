"""What reaches the courier: lines from the kernel, and the kernel's end, in the order they happened."""

from __future__ import annotations

import os
import select
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    Put = Callable[[bytes], None]

CHUNK = 65536
NOBODY = 0  # no process to watch: the kernel is this very process
PARENT_POLL_MS = 1000  # only where the kernel's process can't be waited for (no pidfd)


def listen(fd: int, parent: int, put: Put) -> None:
    """Hand `put` all bytes from `fd` until the kernel `parent` is gone or has closed its end; then ``b""``.

    The pipe's end alone is not enough: a forked worker that inherited the write end keeps it open for its
    whole life. So the process is watched as well, and the pipe is drained before its end is told.
    """
    if sys.platform == "win32":
        _until_end_of_file(fd, put)  # handles are not inherited there, so the end of the pipe is the kernel's
    else:
        _until_either(fd, parent, put)
    put(b"")


def _until_end_of_file(fd: int, put: Put) -> None:
    while True:
        data = os.read(fd, CHUNK)
        if not data:
            return
        put(data)


def _until_either(fd: int, parent: int, put: Put) -> None:
    os.set_blocking(fd, False)
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    handle = -1 if parent == NOBODY else process_handle(parent)
    if handle >= 0:
        poll.register(handle, select.POLLIN)
    while True:
        ready = {number for number, _ in poll.poll(None if handle >= 0 or parent == NOBODY else PARENT_POLL_MS)}
        if fd in ready and not _drain(fd, put):
            return
        if handle in ready or parent not in (NOBODY, os.getppid()):
            _drain(fd, put)
            return


def _drain(fd: int, put: Put) -> bool:
    """Hand over what is there; False at the end of the file."""
    while True:
        try:
            data = os.read(fd, CHUNK)
        except BlockingIOError:
            return True
        if not data:
            return False
        put(data)


def process_handle(pid: int) -> int:
    """A descriptor that becomes readable when `pid` ends (Linux 5.3, Python 3.9 and later), else -1."""
    try:
        return os.pidfd_open(pid)  # type: ignore[attr-defined,no-any-return,unused-ignore]
    except (AttributeError, OSError):
        return -1
