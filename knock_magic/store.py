"""`Store`: the outbox in the best place that works: the state folder, else the runtime folder, else memory."""

from __future__ import annotations

import os
import sqlite3

from knock_magic import outbox
from knock_magic.outbox import Outbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, List, Optional

    Warn = Callable[[str, str], None]

MOST_CLEARINGS = 3  # a disk that breaks every file is no place for one
TROUBLE = (sqlite3.Error, OSError)


class Store:
    """An `Outbox` that moves on when its place fails; `do` calls its methods by name.

    Args:
        places: paths, the best first; memory is always the last resort.
        owner: whose outbox it is.
        warn: told once where it went, with what that means (``broken``, ``moved`` or ``memory``) and what was seen.
    """

    def __init__(self, places: List[str], owner: str, warn: Warn) -> None:
        self._all_places = places
        self._places = [*places, outbox.MEMORY]
        self._broken: List[str] = []  # what was moved aside, until it has been looked through
        self._clearings = 0
        self._owner = owner
        self._warn = warn
        self._box = self._open()

    @property
    def path(self) -> str:
        """Where the outbox is now."""
        return self._box.path

    def do(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call a method of the outbox, in the next place if need be."""
        if not self._box.is_in_place:
            self._follow(self._box)
        while True:
            try:
                return getattr(self._box, method)(*arguments, **options)
            except TROUBLE as problem:
                if self._box.path == outbox.MEMORY:
                    raise
                self._follow(self._box, problem)

    def close(self) -> None:
        """Close the outbox."""
        self._box.close()

    def adopt(self, is_gone: Callable[[str], bool]) -> None:
        """Take in what waits in the other places, left by those that are gone: they could not write here, or we can't."""
        for place in self._all_places:
            if place != self.path and self.path != outbox.MEMORY and os.path.exists(place):
                try:
                    other = Outbox(place)
                except TROUBLE:
                    continue
                try:
                    other.give_away(is_gone, self._box)
                except TROUBLE:
                    pass  # then it stays with them
                other.close()

    def _follow(self, before: Outbox, problem: Optional[Exception] = None) -> None:
        """Leave `before` for the place where the outbox is from here on, with what waits."""
        self._box = self._open(problem)

        def is_ours(owner: str) -> bool:
            return owner == self._owner

        try:
            before.give_away(is_ours, self._box)
        except TROUBLE:
            self._box.take_from(before, is_ours)  # it can't be written, but maybe read
        before.close()

    def _open(self, problem: Optional[Exception] = None) -> Outbox:
        """The outbox in the first place that works, after `problem` with the one so far; what was wrong is said once."""
        first, count = problem, len(self._places)
        file = self._box.file if problem else outbox.NO_FILE
        while True:
            place = self._places[0]
            if problem is None:
                try:
                    file = outbox.identity(place)
                    box = _opened(place)
                    break
                except TROUBLE as found:
                    if place == outbox.MEMORY:
                        raise
                    problem, first = found, first or found
            if not self._cleared(place, problem, file):
                self._places.pop(0)
            problem = None
        if first and len(self._places) < count:
            self._warn("memory" if place == outbox.MEMORY else "moved", str(first))
        elif first and self._broken:
            self._warn("broken", str(first))
        self._salvage(box)
        return box

    def _cleared(self, place: str, problem: Exception, file: outbox.File) -> bool:
        """Whether what stands at `place` was a broken outbox, and a new one can be begun there."""
        if not outbox.is_broken(problem) or self._clearings == MOST_CLEARINGS:
            return False
        self._clearings += 1
        try:
            aside = outbox.move_aside(place, file)
        except OSError:
            return False
        self._broken += [aside] if aside else []
        return True

    def _salvage(self, box: Outbox) -> None:
        """Take into `box` what can still be read of what was moved aside, whosever it is."""
        broken, self._broken = self._broken, []
        for path in broken:
            try:
                remains = Outbox(path)
            except TROUBLE:
                continue
            try:
                box.take_from(remains, lambda owner: True)
            finally:
                remains.close()


def _opened(place: str) -> Outbox:
    box = Outbox(place)
    try:
        box.check()
    except TROUBLE:
        box.close()
        raise
    return box
