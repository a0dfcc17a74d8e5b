"""The GPUs of this machine, as NVIDIA's ``nvidia-smi`` tells of them. It never hangs, and never raises."""

from __future__ import annotations

import queue
import shutil
import subprocess
import threading
from typing import List, NamedTuple, Optional

COMMAND = "nvidia-smi"
# https://docs.nvidia.com/deploy/nvidia-smi: `nvidia-smi --help-query-gpu` lists these.
QUERY = "index,name,memory.used,memory.total,utilization.gpu"
ANSWER_S = 2.0  # it mostly answers in a tenth of that, and with a broken driver never


class Gpu(NamedTuple):
    """One GPU: memory in MiB, and how busy it was in the last second, in percent; None where that is not told."""

    number: int
    name: str
    used: Optional[int]
    total: Optional[int]
    busy: Optional[int]

    def __str__(self) -> str:
        memory = f"{_gib(self.used)}/{_gib(self.total)} GiB" if self.used is not None and self.total else ""
        busy = f"{self.busy}%" if self.busy is not None else ""
        return f"GPU {self.number}: " + ", ".join(part for part in (self.name, memory, busy) if part)


def seen(within_s: float = ANSWER_S) -> Optional[List[Gpu]]:
    """Each GPU as it is now; None where nobody tells within `within_s` seconds."""
    path = shutil.which(COMMAND)
    if path is None:
        return None
    answers: queue.Queue[Optional[List[Gpu]]] = queue.Queue()
    # A process that waits for a driver can't be killed, nor waited for: so a thread does that, and may be left behind.
    threading.Thread(target=lambda: answers.put(_asked(path, within_s)), name="knock-gpus", daemon=True).start()
    try:
        return answers.get(timeout=within_s)
    except queue.Empty:
        return None


def _asked(path: str, within_s: float) -> Optional[List[Gpu]]:
    try:
        done = subprocess.run(
            [path, f"--query-gpu={QUERY}", "--format=csv,noheader,nounits"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=within_s,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = [_read(line) for line in done.stdout.decode("utf-8", "replace").splitlines()]
    return [gpu for gpu in found if gpu] if done.returncode == 0 else None


def _read(line: str) -> Optional[Gpu]:
    parts = [part.strip() for part in line.split(",")]
    if len(parts) != QUERY.count(",") + 1 or not parts[0].isdigit():
        return None
    used, total, busy = map(_whole, parts[2:])
    return Gpu(int(parts[0]), parts[1][:60], used, total, busy)


def _whole(text: str) -> Optional[int]:
    return int(text) if text.isdigit() else None  # "[N/A]" of a card that is cut into slices


def _gib(mib: Optional[int]) -> str:
    return f"{(mib or 0) / 1024:.1f}"
