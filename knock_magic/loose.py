"""Loose ends: work whose end nobody tells.

Most frameworks say nothing to their callbacks when an error ends a training. Such work ends with what it began
in: the cell, whose error is then its error, or the program.
"""

from __future__ import annotations

import atexit
import sys
import threading
from typing import Callable, Dict, List, Optional

from knock_magic.guard import guarded

# Ends one piece of work by the error that ended what it was in; None where there was none.
End = Callable[[Optional[BaseException]], None]

_open: Dict[int, List[End]] = {}  # by the thread whose cell it is in


def hold(end: End, thread: Optional[int] = None) -> None:
    """`end` is to be called when the cell that runs in `thread` (else in this one), or the program, is over."""
    if not _open:
        atexit.unregister(_end_with_the_program)  # the last to be registered is called first: before the courier leaves
        atexit.register(_end_with_the_program)
    _open.setdefault(threading.get_ident() if thread is None else thread, []).append(end)


def let_go(end: End) -> None:
    """It has ended by itself."""
    for thread, ends in list(_open.items()):
        if end in ends:
            ends.remove(end)
        if not ends:
            del _open[thread]


def are_there() -> bool:
    """Whether something waits for the end of a cell."""
    return bool(_open)


@guarded
def end_all(error: Optional[BaseException], thread: Optional[int] = None) -> None:
    """What was held in `thread`, or in this one, is over, by `error` or without."""
    for end in _open.pop(threading.get_ident() if thread is None else thread, []):
        end(error)


def _end_with_the_program() -> None:
    # Python leaves here what ended the program. A prompt lives on after an error, and this may be an old one.
    is_program = not hasattr(sys, "ps1") and not _is_shell_there()
    error = getattr(sys, "last_value", None) if is_program else None
    for thread in list(_open):
        end_all(error, thread)


def _is_shell_there() -> bool:
    """Whether an IPython reads cells here; that it was imported says nothing, for Keras does that."""
    shell = getattr(sys.modules.get("IPython.core.interactiveshell"), "InteractiveShell", None)
    return bool(shell and shell.initialized())
