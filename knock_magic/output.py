"""`Output`: what a run prints, heard in passing: as a sign of life, and for its last lines.

`write` is replaced on the stream itself, which misses no thread and costs nothing that could be measured; and only
while a run is open, unless last lines are wanted of every cell.
"""

from __future__ import annotations

import collections
import sys
import time
from typing import Any, Callable, Deque, List, Tuple

from knock_magic.cleaning import last_lines

KEPT = 256  # pieces; print() writes each of its arguments by itself
PIECE = 2000  # characters


class Output:
    """The standard streams of this process."""

    def __init__(self) -> None:
        self.count = 0  # how often something was written
        self.keeps = False  # whether what is written is kept, too
        self._pieces: Deque[Tuple[float, str]] = collections.deque(maxlen=KEPT)
        self._listeners: List[Listener] = []

    def put_in(self) -> None:
        """Listen, where it does not already. IPython 9 undoes it with each cell, as it replaces `write` around them."""
        self._listeners = [each for each in self._listeners if each.is_in_place]
        known = [each.stream for each in self._listeners]
        for stream in (sys.stdout, sys.stderr):
            if not any(stream is each for each in known):
                self._listen(stream)

    def _listen(self, stream: Any) -> None:
        try:
            listener = Listener(stream, self.hear)
        except Exception:  # no stream at all (pythonw), or one of a kind that can't be changed
            return
        self._listeners.append(listener)

    def hear(self, text: Any) -> None:
        """Something was written."""
        self.count += 1
        if self.keeps and type(text) is str:
            self._pieces.append((time.monotonic(), text[-PIECE:]))

    def take_out(self) -> None:
        """Leave the streams as they were."""
        listeners, self._listeners = self._listeners, []
        for each in listeners:
            each.take_out()

    def tail(self, since: float) -> str:
        """The last lines that were written since then (`time.monotonic`), as they looked in the end."""
        return last_lines("".join(text for at, text in list(self._pieces) if at >= since))


class Listener:
    """Hears what is written to one stream, and passes it on."""

    def __init__(self, stream: Any, hear: Callable[[Any], None]) -> None:
        self.stream = stream
        self._before = vars(stream).get("write")  # someone else's, put there in the same way
        before = stream.write
        if getattr(before, "hears", None) == hear:  # left behind by who had it in hand when we took it out
            self._write = before
            self._before = before.before
            return

        def write(text: Any, *others: Any, **named: Any) -> Any:
            hear(text)
            return before(text, *others, **named)

        write.hears, write.before = hear, self._before  # type: ignore[attr-defined]
        self._write = stream.write = write

    @property
    def is_in_place(self) -> bool:
        """Whether nobody has replaced it."""
        return vars(self.stream).get("write") is self._write

    def take_out(self) -> None:
        """Leave the stream as it was; one that someone has replaced meanwhile is theirs."""
        try:
            if self.is_in_place:
                del self.stream.write
                if self._before is not None:
                    self.stream.write = self._before
        except Exception:
            pass


output = Output()
