"""Whether a process lives, and what a dead one died of, as far as a sibling can read it."""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional


def stat_fields(pid: int) -> Optional[List[str]]:
    """The fields of ``/proc/PID/stat`` after the name (proc(5)); None where there is no such process or file."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except (OSError, ValueError):
        return None


def cause(pid: int) -> Dict[str, Optional[str]]:
    """What `pid` died of, as an `ErrorInfo` in JSON.

    A zombie's last field in ``/proc/PID/stat`` is its wait status, readable until its parent collects it.
    """
    fields = stat_fields(pid)
    if not fields or fields[0] not in "ZX":
        return _info("unknown", "")
    status = int(fields[-1])
    number = status & 0x7F
    if number:
        try:
            return _info(signal.Signals(number).name, "")
        except ValueError:
            return _info(f"SIG{number}", "")
    return _info("ExitCode", str(status >> 8))


def _info(kind: str, message: str) -> Dict[str, Optional[str]]:
    return {"type": kind, "message": message, "traceback": None}


def identity(pid: int) -> str:
    """A name for the process `pid` that no later process bears: host, boot, pid and start time."""
    fields = stat_fields(pid)
    started = fields[19] if fields else "?"
    return f"{_host()}|{_boot()}|{pid}|{started}"


def is_gone(name: str) -> bool:
    """Whether the process that `identity` named is surely dead; one on another machine is not known to be."""
    host, boot, pid, started = name.split("|")
    if host != _host():
        return False
    if boot != _boot():
        return True
    if sys.platform == "win32":
        return False  # os.kill(pid, 0) would end the process there
    fields = stat_fields(int(pid))
    if fields is not None:
        return fields[0] in "ZX" or fields[19] != started
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass
    return os.path.isdir("/proc/self")


def _host() -> str:
    return os.environ.get("COMPUTERNAME", "") if sys.platform == "win32" else os.uname().nodename


def _boot() -> str:
    """This boot of the machine (and, in a container, of its init), where the system names it."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""
