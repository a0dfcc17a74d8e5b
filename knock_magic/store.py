"""`Store`: the outbox in the best place that works: the state folder, else the runtime folder, else memory."""

from __future__ import annotations

import sqlite3

from knock_magic import outbox
from knock_magic.outbox import Outbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, List

    Warn = Callable[[str, str], None]


class Store:
    """An `Outbox` that moves on when its place fails; `do` calls its methods by name.

    Args:
        places: paths, the best first; memory is always the last resort.
        warn: told once of each move, with what it means (``broken``, ``moved`` or ``memory``) and what was seen.
    """

    def __init__(self, places: List[str], warn: Warn) -> None:
        self._places = [*places, outbox.MEMORY]
        self._warn = warn
        self._box = self._open()

    @property
    def path(self) -> str:
        """Where the outbox is now."""
        return self._box.path

    def do(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call a method of the outbox, in the next place if need be."""
        while True:
            try:
                return getattr(self._box, method)(*arguments, **options)
            except (sqlite3.Error, OSError) as problem:
                if self._box.path == outbox.MEMORY:
                    raise
                self._move(problem)

    def close(self) -> None:
        """Close the outbox."""
        self._box.close()

    def _open(self) -> Outbox:
        while True:
            place = self._places[0]
            try:
                box = Outbox(place)
                box.waiting_owners()  # a file that is no database shows it only now
                return box
            except (sqlite3.Error, OSError) as problem:
                if place == outbox.MEMORY:
                    raise
                self._give_up_place(problem)

    def _move(self, problem: Exception) -> None:
        before = self._box
        self._give_up_place(problem)
        self._box = self._open()
        try:
            self._box.copy_waiting(before)
        except (sqlite3.Error, OSError):
            pass  # it can't even be read
        before.close()

    def _give_up_place(self, problem: Exception) -> None:
        """Go on to the next place; a broken file is moved aside first, and its place tried again."""
        place = self._places[0]
        if outbox.is_broken(problem):
            try:
                outbox.move_aside(place)
                self._warn("broken", str(problem))
                return
            except OSError as also:
                problem = also
        self._places.pop(0)
        self._warn("memory" if self._places[0] == outbox.MEMORY else "moved", str(problem))
