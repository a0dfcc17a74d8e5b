"""Times ``run_cell('pass')`` in a real shell with nothing, with knock, and with another extension, by turns."""

import contextlib
import gc
import json
import os
import statistics
import sys
import time

from IPython.core.interactiveshell import InteractiveShell

SETTLE_S = 0.5  # a courier that starts, or ends, is over then
CELLS = 150

rounds, extensions = int(sys.argv[1]), sys.argv[2:]
shell = InteractiveShell.instance()
timings = {name: [] for name in ["plain", *extensions]}


def batch():
    gc.collect()
    taken = []
    for _ in range(CELLS):
        began = time.perf_counter()
        shell.run_cell("pass", store_history=True)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def batch_with(extension):
    shell.run_line_magic("load_ext", extension)
    shell.run_cell("pass")
    time.sleep(SETTLE_S)
    taken = batch()
    shell.run_line_magic("unload_ext", extension)
    time.sleep(SETTLE_S)
    return taken


with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
    for _ in range(4):
        batch()
    for _ in range(rounds):
        for extension in extensions:
            # Between two measurements without it: what the machine does meanwhile is in all three.
            before, taken, after = batch(), batch_with(extension), batch()
            timings["plain"].append((before + after) / 2)
            timings[extension].append(taken / ((before + after) / 2))
print(json.dumps(timings))
