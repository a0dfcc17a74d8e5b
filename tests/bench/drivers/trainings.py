"""Times small real trainings by turns: with our callback, with an empty one in its place, and with that once more.

Each step takes a given time, as a model's would; the models themselves are those of the tests. What the loop's own
thread has worked is counted, too: what else the machine does is not in that.
"""

import json
import sys
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
warnings.simplefilter("ignore")

from integrations import trainings  # noqa: E402  needs the line above

framework, turns, step_s = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
ROUNDS = 60

module = trainings.must_be_there(framework)
steps = 0


def spin():
    global steps
    steps += 1
    until = time.thread_time() + step_s
    while time.thread_time() < until:
        pass


trainings.raising = lambda error, at=2: spin


class Empty:
    """For those that take any object."""

    before_iteration, order = False, 25

    def __call__(self, *_):
        pass

    def attach(self, *_):
        pass

    def fit(self, search, x, y):
        return search.fit(x, y)


def empty():
    bases = [base for base in module.KnockCallback.__mro__ if not base.__module__.startswith("knock_magic")]
    return Empty() if bases == [object] else bases[0]()


def timed(made):
    global steps
    steps, began, worked = 0, time.perf_counter(), time.thread_time()
    trainings.TRAININGS[framework](made, ROUNDS, KeyError() if framework in ("xgboost", "sklearn") else None)
    return {"wall": time.perf_counter() - began, "worked": time.thread_time() - worked}


timed(empty())
timed(module.KnockCallback(every=1.0))
taken = {"knock": [], "plain": [], "again": []}
for _ in range(turns):
    taken["plain"].append(timed(empty()))
    taken["knock"].append(timed(module.KnockCallback(every=1.0)))
    taken["again"].append(timed(empty()))
print()
print(json.dumps({**taken, "steps": steps}))
