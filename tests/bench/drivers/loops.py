"""Times tight loops with nothing, and within a run that is watched, by turns: one with a tqdm bar, one that reports.

In CPU time of the whole process, all its threads: what else the machine does is in no ratio then.
"""

import gc
import json
import os
import sys
import time

import knock
from tqdm import tqdm

rounds = int(sys.argv[1])
WORK = 5000  # numbers to add, some 100 µs; a step of a training is rather a thousand times as long
nowhere = open(os.devnull, "w")  # noqa: SIM115  until the end


def bar(report):
    for _ in tqdm(range(15_000_000), file=nowhere):
        pass


def reporting(report):
    for step in range(4000):
        sum(range(WORK))
        report(step)


def timed(loop, report):
    gc.collect()
    began = time.process_time()
    loop(report)
    return time.process_time() - began


def watched(loop, report):
    with knock.run("loop", to="notebook", on="failed", every="1h", stall="1h"):
        return timed(loop, report)


def nothing(step):
    pass


def telling(step):
    knock.progress(step, 4000, loss=0.5, acc=0.25)


results = {"bar": [], "reporting": [], "steps": 4000}
for loop, report in ((bar, nothing), (reporting, telling)):
    timed(loop, nothing), watched(loop, report)
    for _ in range(rounds):
        before, taken, after = timed(loop, nothing), watched(loop, report), timed(loop, nothing)
        results[loop.__name__].append((taken, (before + after) / 2))
print(json.dumps(results))
