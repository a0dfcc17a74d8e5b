"""What the process beside the kernel costs while there is nothing to do, before and after its first delivery."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Iterator, NamedTuple

from figures import Figure
from stage import LeftOut, Stage

SETTLE_S = 2.0


class Sample(NamedTuple):
    """What Linux tells of a process."""

    at: float
    resident: float
    processor: float
    switches: int


def sample(pid: int) -> Sample:
    tasks = Path("/proc", str(pid), "task")
    statuses = [(task / "status").read_text() for task in tasks.iterdir()]
    used = [int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()]
    switches = re.findall(r"voluntary_ctxt_switches:\s+(\d+)", "".join(statuses))
    (resident,) = re.findall(r"VmRSS:\s+(\d+)", statuses[0])
    return Sample(time.monotonic(), int(resident) / 1024, sum(used) / 1e9, sum(map(int, switches)))


def measure(stage: Stage) -> Iterator[Figure]:
    if not sys.platform.startswith("linux"):
        raise LeftOut("it is read from /proc")
    with stage.phone() as phone, stage.home() as home, stage.kernel(home, home.knocking_at(phone)) as kernel:
        kernel.load()
        kernel.run("pass")
        (pid,) = home.couriers(kernel.pid)
        yield from idle(stage, pid, "courier before its first knock")
        kernel.run("%%knock first\npass")
        phone.wait_for(name="first")
        yield from idle(stage, pid, "courier after a knock")


def idle(stage: Stage, pid: int, what: str) -> Iterator[Figure]:
    time.sleep(SETTLE_S)
    before = sample(pid)
    time.sleep(stage.pick(10, 65))
    after = sample(pid)
    length = after.at - before.at
    share = 100 * (after.processor - before.processor) / length
    main = "after" in what
    yield Figure(
        f"{what}: memory (RSS)",
        f"{after.resident:.1f} MiB",
        "<= 13 MiB",
        after.resident <= 13,
        f"a bare Python: {bare_python():.1f} MiB",
        main=main,
    )
    yield Figure(f"{what}: CPU, idle for {length:.0f} s", f"{share:.4f} %", "< 0.01 %", share < 0.01, main=main)
    yield Figure(f"{what}: wake-ups", f"{60 * (after.switches - before.switches) / length:.1f} a minute")


def bare_python() -> float:
    with subprocess.Popen([sys.executable, "-I", "-c", "input()"], stdin=subprocess.PIPE) as process:
        time.sleep(1)
        resident = sample(process.pid).resident
        process.kill()
    return resident
