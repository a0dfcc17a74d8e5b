"""`Work`: whether a process and those it started compute, read or write; DataLoader's workers count.

Linux tells in /proc (proc(5)); elsewhere psutil does, where it is installed, though not of I/O on macOS.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Collection, Dict, List, Optional, Tuple

    Used = Dict[int, Tuple[float, float]]  # by process: CPU seconds, bytes read and written

CPU_SHARE = 0.02  # of one processor; a kernel that waits uses a tenth of it
LEAST_CPU_S = 0.02  # it is counted in hundredths of a second, and one of them may be chance
BYTES_A_SECOND = 16 * 1024
MOST_PROCESSES = 500


class Work:
    """What `pid` and its descendants do."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._before: Optional[Used] = None
        self._looked = 0.0

    def since_last(self, now: float, without: Collection[int] = ()) -> Optional[bool]:
        """Whether it has worked since it was asked last, `without` these and theirs; None where that can't be known."""
        used, before = _used(self._pid, without), self._before
        span, self._looked, self._before = now - self._looked, now, used
        if not used or before is None or span <= 0:
            return None if not used else True
        return has_worked(before, used, span)


def has_worked(before: Used, after: Used, span: float) -> bool:
    """Whether the difference is more than what a process uses that waits; one that came or went is work too."""
    if before.keys() != after.keys():
        return True
    cpu = sum(after[pid][0] - before[pid][0] for pid in after)
    moved = sum(after[pid][1] - before[pid][1] for pid in after)
    return cpu >= max(CPU_SHARE * span, LEAST_CPU_S) or moved >= BYTES_A_SECOND * span


def _used(pid: int, without: Collection[int]) -> Used:
    if not sys.platform.startswith("linux"):
        return _by_psutil(pid, without)
    used: Used = {}
    waiting = [pid]
    while waiting and len(used) < MOST_PROCESSES:
        each = waiting.pop()
        if each in without or each in used:
            continue
        seconds = _cpu(each)
        if seconds is not None:
            used[each] = (seconds, _moved(each))
            waiting += _children(each)
    return used


def _cpu(pid: int) -> Optional[float]:
    """Seconds of CPU, with those of children that were waited for."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return float(sum(int(field) for field in fields[11:15])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None


def _moved(pid: int) -> float:
    """Bytes that went through read and write, whatever they were to and from."""
    try:
        with open(f"/proc/{pid}/io", "rb") as file:
            lines = dict(line.split(b": ") for line in file.read().splitlines())
        return float(int(lines[b"rchar"]) + int(lines[b"wchar"]))
    except (OSError, ValueError, KeyError):  # of another user's, or in a sandbox without it
        return 0.0


def _children(pid: int) -> List[int]:
    found: List[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found += [int(each) for each in file.read().split()]
    except (OSError, ValueError):
        pass
    return found


def _by_psutil(pid: int, without: Collection[int]) -> Used:
    try:
        import psutil  # type: ignore[import-untyped,unused-ignore]  # ipykernel brings it along

        own = psutil.Process(pid)
        hidden = {child.pid for each in without for child in psutil.Process(each).children(recursive=True)} | set(
            without
        )
        used: Used = {}
        for process in [own, *own.children(recursive=True)][:MOST_PROCESSES]:
            if process.pid not in hidden:
                times = process.cpu_times()
                io = process.io_counters() if hasattr(process, "io_counters") else None
                moved = io.read_bytes + io.write_bytes if io else 0
                used[process.pid] = (times.user + times.system, float(moved))
        return used
    except Exception:  # it is not there, or was not let in; then steps and output have to do
        return {}
