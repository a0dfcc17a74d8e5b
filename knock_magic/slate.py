"""`Slate`: a page of memory that the kernel writes and the courier reads once the kernel is dead.

A line through the pipe for each short cell would wake the courier twice a cell and make `pass` cost 1.6
times as much on two cores; a note on a shared page costs 0.2 µs and wakes nobody. So plain cells, which are
told of only when they were long or took the kernel down with them, stand here, and the pipe is for the rest.

Each slot is one cell that is running now: 1 once it is written whole, the length of the source noted, the
start by the wall and the monotonic clock, the execution count (-1: none), and the beginning of the source.
"""

from __future__ import annotations

import mmap
import os
import struct
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator, Tuple

SLOT_BYTES = 512
SLOTS = 8  # cells open at once: one, and a few in threads of their own (subshells)
_HEAD = struct.Struct("<IIddq")
SOURCE_BYTES = SLOT_BYTES - _HEAD.size
_SLOT = struct.Struct(f"{_HEAD.format}{SOURCE_BYTES}s")


class Slate:
    """The kernel's end. `handle` and `fds` are what the courier needs to open its own."""

    fds: Tuple[int, ...]

    def __init__(self) -> None:
        if sys.platform == "win32":
            self.handle = f"knock-{os.getpid()}-{os.urandom(8).hex()}"
            self.fds = ()
            self._page = mmap.mmap(-1, SLOT_BYTES * SLOTS, tagname=self.handle)
        else:
            fd = _nameless_file()
            os.ftruncate(fd, SLOT_BYTES * SLOTS)
            self.handle = str(fd)
            self.fds = (fd,)
            self._page = mmap.mmap(fd, SLOT_BYTES * SLOTS)
        self._free = list(range(SLOTS))

    def write(self, started_at: float, started_mono: float, execution_count: int, source: str) -> int:
        """Note a cell that starts; gives its slot, or -1 when all are taken."""
        try:
            slot = self._free.pop()
        except IndexError:
            return -1
        text = source[:SOURCE_BYTES].encode("utf-8", "replace")[:SOURCE_BYTES]
        at = slot * SLOT_BYTES
        page = self._page
        _SLOT.pack_into(page, at, 0, len(text), started_at, started_mono, execution_count, text)
        page[at] = 1
        return slot

    def wipe(self, slot: int) -> None:
        """The cell of `slot` has ended."""
        if slot >= 0:
            self._page[slot * SLOT_BYTES] = 0
            self._free.append(slot)

    def close(self) -> None:
        """Let go of the memory."""
        self._page.close()
        for fd in self.fds:
            os.close(fd)
        self.fds = ()


def opened(handle: str) -> mmap.mmap:
    """The courier's end of the slate `handle`."""
    if sys.platform == "win32":
        return mmap.mmap(-1, SLOT_BYTES * SLOTS, tagname=handle)
    return mmap.mmap(int(handle), SLOT_BYTES * SLOTS, prot=mmap.PROT_READ)


def read(page: mmap.mmap) -> Iterator[Tuple[float, float, int, str]]:
    """The cells noted on `page`: start (wall, monotonic), execution count, beginning of the source."""
    for at in range(0, SLOT_BYTES * SLOTS, SLOT_BYTES):
        whole, length, started_at, started_mono, number = _HEAD.unpack_from(page, at)
        if whole:
            text = page[at + _HEAD.size : at + _HEAD.size + length]
            yield started_at, started_mono, number, text.decode("utf-8", "ignore")


def _nameless_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("knock_magic")
    import tempfile  # not above: the courier would carry its megabyte too

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
