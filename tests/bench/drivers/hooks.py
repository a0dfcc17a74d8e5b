"""Times what an extension does before and after each cell, while something is wrong with its helpers.

Two callbacks of ours stand around those of the extension, so the cell's own work is not in the figures. In
the same loop stands a control: a wait of about the same length, which shows what the machine does to anybody.
"""

import contextlib
import io
import json
import os
import signal
import sys
import time

from IPython.core.interactiveshell import InteractiveShell

fault, count, kinds = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
CELLS = {
    "short": "pass",
    "told": "%%knock told\npass",
    "long": "import time; time.sleep(0.06)",
    "failed": "%%knock failed\nraise ValueError('of the bench')",
}
EVENTS = ("pre_run_cell", "post_run_cell")
PAUSE_S = 0.002  # people and loops do something between two cells
WARM_UP = 30
KILL_EVERY = 50
PIPE_FULL = 300  # cells; a pipe takes 64 KiB

clock = time.perf_counter
marks = {}


class Queue:
    """How long this thread has waited for a processor, where the system tells (Linux)."""

    PATH = "/proc/thread-self/schedstat"

    def __init__(self):
        self._fd = os.open(self.PATH, os.O_RDONLY) if os.path.exists(self.PATH) else -1

    def waited(self):
        return int(os.pread(self._fd, 200, 0).split()[1]) / 1e9 if self._fd >= 0 else 0.0


queue = Queue()


def bracket(shell, side):
    for event in EVENTS:

        def before(*_, event=event):
            waited = queue.waited()
            marks[event, "before"] = (clock(), waited)

        def after(*_, event=event):
            now = clock()
            marks[event, "after"] = (now, queue.waited())

        shell.events.register(event, before if side == "before" else after)


def between(event):
    return [after - before for before, after in zip(marks[event, "before"], marks[event, "after"])]


def run(kind):
    """Seconds in the hooks of one cell: before it, after it, and how much of both was waiting for a processor."""
    shell.run_cell(CELLS[kind], store_history=True)
    (pre, pre_waited), (post, post_waited) = map(between, EVENTS)
    return pre, post, pre_waited + post_waited


def wait(seconds):
    waited, began = queue.waited(), clock()
    while clock() - began < seconds:
        pass
    taken = clock() - began
    return 0.0, taken, queue.waited() - waited


def sidecar():
    from knock_magic import knocker

    return knocker.current().sidecar


def bring_about(fault):
    if fault in ("stopped", "full"):
        os.kill(sidecar().courier_pid, signal.SIGSTOP)
    if fault == "full":
        for _ in range(PIPE_FULL):
            run("told")
    if fault == "disk":
        fill(os.environ["KNOCK_HOME"])


def fill(folder):
    with open(os.path.join(folder, "filler"), "wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"\0" * 512):
            pass


shell = InteractiveShell.instance()
bracket(shell, "before")
shell.run_line_magic("load_ext", "knock")
bracket(shell, "after")
result = {kind: [] for kind in (*kinds, "control")}
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    first = run("short")  # starts the courier
    for _ in range(WARM_UP):
        run(kinds[-1])
    time.sleep(1)
    length = min(sum(run(kinds[-1])[:2]) for _ in range(10))
    bring_about(fault)
    for number in range(count):
        if fault == "killed" and number % KILL_EVERY == 0 and sidecar().courier_pid:
            os.kill(sidecar().courier_pid, signal.SIGKILL)
        for kind in kinds:
            result[kind].append(run(kind))
            time.sleep(PAUSE_S)
        result["control"].append(wait(length))
        time.sleep(PAUSE_S)
if fault in ("stopped", "full"):
    os.kill(sidecar().courier_pid, signal.SIGCONT)
print(json.dumps({"first": first, **result}), flush=True)
os._exit(0)  # the backlog is of no interest
