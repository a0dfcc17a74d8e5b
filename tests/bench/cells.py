"""What a short cell costs, and what the extension costs to load."""

from __future__ import annotations

import contextlib
import time
from typing import Iterator, List

from figures import Figure, left_out, median, seconds, times
from stage import Home, Kernel, LeftOut, Stage

AUTOTIME = "ipython-autotime"


def measure(stage: Stage) -> Iterator[Figure]:
    try:
        autotime = [str(stage.beside(AUTOTIME))]
    except LeftOut as why:
        autotime = []
        yield left_out(AUTOTIME, why)
    with stage.home() as home, stage.phone() as phone:
        env = home.knocking_at(phone, PYTHONPATH=autotime[0] if autotime else None)
        names = ["knock", *(["autotime"] if autotime else [])]
        yield in_a_shell(stage, env, names)
        with stage.kernel(home, env) as kernel:
            yield in_a_kernel(stage, kernel, names)
    yield from loading(stage, env, names)


# A short cell.


def in_a_shell(stage: Stage, env: dict, names: List[str]) -> Figure:
    timings = stage.drive("short_cells", stage.pick(8, 40), *names, env=env)
    ours, plain = median(timings["knock"]), median(timings["plain"])
    return Figure(
        "a short cell in a shell, with and without",
        times(ours),
        "<= 1.05 ×",
        ours <= 1.05,
        f"{seconds(plain)} without; " + beside_autotime(timings),
        main=True,
    )


def in_a_kernel(stage: Stage, kernel: Kernel, names: List[str]) -> Figure:
    """From the request to the kernel's "idle", by turns with and without."""
    timings = {name: [] for name in ["plain", *names]}
    batch(kernel)
    for _ in range(stage.pick(2, 15)):
        for name in names:
            before = batch(kernel)
            kernel.run(f"%load_ext {name}")
            kernel.run("pass")
            time.sleep(0.5)  # the courier's start is over then
            taken = batch(kernel)
            kernel.run(f"%unload_ext {name}")
            plain = (before + batch(kernel)) / 2
            timings["plain"].append(plain)
            timings[name].append(taken / plain)
    ours, plain = median(timings["knock"]), median(timings["plain"])
    return Figure(
        "a short cell in a kernel, request to idle",
        times(ours),
        "<= 1.05 ×",
        ours <= 1.05,
        f"{seconds(plain)} without; " + beside_autotime(timings),
    )


def batch(kernel: Kernel) -> float:
    taken = []
    for _ in range(25):
        began = time.perf_counter()
        kernel.run("pass")
        taken.append(time.perf_counter() - began)
    return median(taken)


def beside_autotime(timings: dict) -> str:
    return f"{AUTOTIME}: {times(median(timings['autotime']))}" if "autotime" in timings else "no peer"


# Loading.

TIME_IT = """
import sys, time
_there, _began = set(sys.modules), time.perf_counter()
{statement}
print(time.perf_counter() - _began, *(set(sys.modules) - _there))
"""


def loading(stage: Stage, env: dict, names: List[str]) -> Iterator[Figure]:
    """Each in a kernel that was just started, for a module is imported only once."""
    statements = {name: f"get_ipython().run_line_magic('load_ext', {name!r})" for name in names}
    statements["requests"] = "import requests"
    taken = {name: [] for name in statements}
    modules = {}
    for number in range(1 + stage.pick(2, 12)):  # the first is not counted: it may have to compile
        for name, statement in statements.items():
            with fresh_kernel(stage, env) as kernel:
                words = kernel.run(TIME_IT.format(statement=statement)).stream("stdout").split()
            modules[name] = words[1:]
            if number:
                taken[name].append(float(words[0]))
    ours = median(taken["knock"])
    others = ", ".join(f"{name} {seconds(median(values))}" for name, values in taken.items() if name != "knock")
    yield Figure("%load_ext knock in a kernel", seconds(ours), "<= 20 ms", ours <= 0.020, others, main=True)
    brought = sorted({"requests", "ipywidgets"} & set(modules["knock"]))
    yield Figure(
        "  what it imports",
        f"{len(modules['knock'])} modules",
        "no requests, no ipywidgets",
        not brought,
        "".join(brought),
    )


@contextlib.contextmanager
def fresh_kernel(stage: Stage, env: dict) -> Iterator[Kernel]:
    with stage.kernel(Home(stage.new_folder("home")), env) as kernel:
        yield kernel
