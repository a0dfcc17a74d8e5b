"""What a `KnockCallback` costs a training, at steps of a realistic length."""

from __future__ import annotations

import importlib.util
from typing import Any, Dict, Iterator

from figures import Figure, left_out, median, seconds, times
from stage import Stage

MODULES = ("keras", "lightning", "transformers", "ignite", "lightgbm", "xgboost", "optuna", "sklearn")
STEP_S = 0.005  # a short step; with longer ones our share is smaller


def measure(stage: Stage) -> Iterator[Figure]:
    """Each framework that this Python has; install them for more."""
    with stage.home() as home, stage.phone() as phone:
        env = home.knocking_at(phone)
        for name in MODULES:
            if importlib.util.find_spec(name) is None:
                yield left_out(f"a training with {name}", f"needs {name} in this Python")
                continue
            taken = stage.drive("trainings", name, stage.pick(5, 31), STEP_S, env=env)
            ours = ratio(taken, "knock", "worked")
            plain = median([each["worked"] for each in taken["plain"]])
            yield Figure(
                f"a training with {name}, with and without",
                times(ours),
                "<= 1.02 ×",
                ours <= 1.02,
                f"{seconds(plain)} without, for {taken['steps']} steps; the control {times(ratio(taken, 'again', 'worked'))};"
                f" by the clock {times(ratio(taken, 'knock', 'wall'))}, the control {times(ratio(taken, 'again', 'wall'))}",
                main=name == "keras",
            )


def ratio(taken: Dict[str, Any], which: str, what: str) -> float:
    """How much more `what` it took than the plain training beside it, in the middle."""
    return median([one[what] / plain[what] for one, plain in zip(taken[which], taken["plain"])])
