"""Whether a process lives, and what a dead one died of, as far as a sibling can read it."""

from __future__ import annotations

import os
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Mapping, Optional


def stat_fields(pid: int) -> Optional[List[str]]:
    """The fields of ``/proc/PID/stat`` after the name (proc(5)); None where there is no such process or file."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except (OSError, ValueError):
        return None


def is_dead(pid: int, within_s: float) -> bool:
    """Whether `pid` is a zombie or gone, waiting for it `within_s` seconds at most.

    A dying process closes its pipes a moment before it is one; one that only closed them lives on.
    """
    until = time.monotonic() + within_s
    while True:
        fields = stat_fields(pid)
        if fields is not None and fields[0] in "ZX":
            return True
        if fields is None and not _answers(pid):
            return True
        if time.monotonic() > until:
            return False
        time.sleep(0.002)


def oom_kills() -> int:
    """How often the system has killed for want of memory: in our control group, else on the machine.

    Our control group is the dead kernel's too, since it started us. Files: cgroup v2's ``memory.events``, v1's
    ``memory.oom_control`` (since Linux 4.13), and ``/proc/vmstat``.
    """
    counts = (_count(path) for path in [*_group_files(), "/proc/vmstat"])
    return next((count for count in counts if count is not None), 0)


def _group_files() -> List[str]:
    files = []
    for line in _lines("/proc/self/cgroup"):
        _, controllers, folder = line.split(":", 2)
        if not controllers:
            files.append(f"/sys/fs/cgroup{folder}/memory.events")
        elif "memory" in controllers.split(","):
            files.append(f"/sys/fs/cgroup/memory{folder}/memory.oom_control")
    return files


def _count(path: str) -> Optional[int]:
    return next((int(line.split()[1]) for line in _lines(path) if line.startswith("oom_kill ")), None)


def _lines(path: str) -> List[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []


# `PIDFD_GET_INFO` and the bit that asks for the exit status (include/uapi/linux/pidfd.h, since Linux 6.15).
_GET_INFO = 3 << 30 | 64 << 16 | 0xFF << 8 | 11
_INFO_EXIT = 1 << 3


def _status_by(handle: int) -> Optional[int]:
    """The wait status of the process behind the pidfd `handle`, also when its parent has collected it already."""
    try:
        import fcntl  # there is none on Windows, and no handle either

        info = bytearray(_INFO_EXIT.to_bytes(8, sys.byteorder) + bytes(56))
        fcntl.ioctl(handle, _GET_INFO, info)
    except (ImportError, OSError, ValueError):
        return None
    known = int.from_bytes(info[:8], sys.byteorder) & _INFO_EXIT
    return int.from_bytes(info[60:64], sys.byteorder) if known else None


def _status_of(pid: int, handle: int) -> Optional[int]:
    fields = stat_fields(pid)
    if fields and fields[0] in "ZX":
        return int(fields[-1])
    return _status_by(handle)


def cause(pid: int, oom_kills_before: int, handle: int = -1) -> Dict[str, Optional[str]]:
    """What the dead `pid` died of, as an `ErrorInfo` in JSON; a kill is OOM if there was one since `oom_kills_before`.

    A zombie's last field in ``/proc/PID/stat`` is its wait status, readable until its parent collects it: a shell
    does that at once. Then `handle`, a pidfd from before its end, still knows.
    """
    status = _status_of(pid, handle)
    number = signal.SIGKILL if status is None else status & 0x7F
    if number == signal.SIGKILL and oom_kills() > oom_kills_before:
        return _info("OOM", "")
    if status is None:
        return _info("unknown", "")
    if number:
        return _info(signal_name(number), "")
    return _info("ExitCode", str(status >> 8))


def is_scheduled(environ: Mapping[str, str]) -> bool:
    """Whether this runs as a Slurm job or in a pod, where it is the scheduler that asks processes to end."""
    return bool(environ.get("SLURM_JOB_ID") or environ.get("KUBERNETES_SERVICE_HOST"))


def signal_name(number: int) -> str:
    """``SIGKILL`` for 9."""
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"SIG{number}"


def _info(kind: str, message: str) -> Dict[str, Optional[str]]:
    return {"type": kind, "message": message, "traceback": None}


def identity(pid: int) -> str:
    """A name for the process `pid` that no later process bears: host, boot, pid and start time."""
    fields = stat_fields(pid)
    started = fields[19] if fields else "?"
    return f"{_host()}|{_boot()}|{pid}|{started}"


def is_gone(name: str) -> bool:
    """Whether the process that `identity` named is surely dead; one on another machine is not known to be."""
    parts = name.split("|")
    if len(parts) != 4 or not parts[2].isdigit():
        return True  # nobody is called so: the name was damaged
    host, boot, pid, started = parts
    if host != _host():
        return False
    if boot != _boot():
        return True
    fields = stat_fields(int(pid))
    if fields is not None:
        return fields[0] in "ZX" or fields[19] != started
    return not _answers(int(pid))


def _answers(pid: int) -> bool:
    """Whether there is a process `pid`; on Windows, where asking would end it, it is taken as there."""
    if sys.platform == "win32":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # another user's
    return True


def _host() -> str:
    return os.environ.get("COMPUTERNAME", "") if sys.platform == "win32" else os.uname().nodename


def _boot() -> str:
    """This boot of the machine (and, in a container, of its init), where the system names it."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""
