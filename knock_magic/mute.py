"""Until when this user wants no knock: a small file in the state folder, which every courier reads."""

from __future__ import annotations

import os
import time

FILE = "muted_until"
LONGEST_TEXT = 40  # a number
LONGEST_S = 366 * 86400.0  # who wants to hear nothing for longer does not load us; a broken file must not silence all


def path_in(state_folder: str) -> str:
    """The file in `state_folder`."""
    return os.path.join(state_folder, FILE)


def until(path: str) -> float:
    """The end of the silence in seconds since the epoch; 0 where there is none, or the file can't be understood."""
    try:
        with open(path, encoding="ascii") as file:
            moment = float(file.read(LONGEST_TEXT))
    except (OSError, ValueError):
        return 0.0
    return moment if moment < time.time() + LONGEST_S else 0.0  # not for NaN either
