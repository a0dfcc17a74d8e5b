"""From the end of a cell, or of the kernel, to the request at a server."""

from __future__ import annotations

import re
import time
from typing import Iterator, List

from figures import Figure, median, quantile, seconds
from stage import Home, Phone, Stage, end

WORKERS = 16

FORK = """
import os, time
workers = []
for _ in range({workers}):
    worker = os.fork()
    if not worker:
        time.sleep(600)
        os._exit(0)
    workers.append(worker)
print("workers", *workers, "ready")
time.sleep(600)
"""


def measure(stage: Stage) -> Iterator[Figure]:
    with stage.phone() as phone, stage.home() as home:
        yield after_a_cell(stage, home, phone)
        alone = after_death(stage, home, phone, 0)
        taken = after_death(stage, home, phone, WORKERS)
    worst = quantile(taken, 0.99)
    yield Figure(
        f"death to arrival, {WORKERS} forked workers alive",
        f"{seconds(median(taken))}, p99 {seconds(worst)}",
        "p99 <= 1 s",
        worst <= 1,
        f"no worker: {seconds(median(alone))}, p99 {seconds(quantile(alone, 0.99))}",
        main=True,
    )


def after_a_cell(stage: Stage, home: Home, phone: Phone) -> Figure:
    taken = []
    with stage.kernel(home, home.knocking_at(phone)) as kernel:
        kernel.load()
        kernel.run("import time")
        for number in range(stage.pick(8, 40)):
            ended = float(kernel.run(f"%%knock run {number}\nprint(time.monotonic())").stream("stdout"))
            taken.append(phone.wait_for(name=f"run {number}").at - ended)
    return Figure("cell end to arrival", f"{seconds(median(taken))}, p99 {seconds(quantile(taken, 0.99))}", main=True)


def after_death(stage: Stage, home: Home, phone: Phone, workers: int) -> List[float]:
    taken = []
    for _ in range(stage.pick(3, 20)):
        phone.clear()
        with stage.kernel(home, home.knocking_at(phone)) as kernel:
            kernel.load()
            kernel.start("%%knock\n" + FORK.format(workers=workers))
            kernel.until("ready")
            died = time.monotonic()
            kernel.kill()
            try:
                taken.append(phone.wait_for(event="died").at - died)
            finally:
                (printed,) = re.findall(r"workers ([\d ]*) ?ready", kernel.printed())
                for worker in printed.split():
                    end(int(worker))
    return taken
