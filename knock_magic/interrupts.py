"""Whether a cell was interrupted, also where nobody says so."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
from typing import Any

_SHELL_LINE = re.compile(r"^[ \t]*!", re.MULTILINE)
_KILLED_BY_INTERRUPT = -signal.SIGINT  # what subprocess and IPython's `_exit_code` say of a child that Ctrl-C ended


def is_one(error: BaseException) -> bool:
    """Whether `error` is how an interrupt shows: at once, in awaiting code, or in a ``%%bash`` cell."""
    kind = type(error)  # not isinstance, which asks the error itself, and gets any answer
    if issubclass(kind, subprocess.CalledProcessError):
        return getattr(error, "returncode", None) == _KILLED_BY_INTERRUPT
    return issubclass(kind, (KeyboardInterrupt, asyncio.CancelledError))


def happened(source: str, exit_code_before: Any, exit_code: Any) -> bool:
    """Whether the cell `source`, which ended without an error, was interrupted all the same."""
    return _shell_command_was(source, exit_code_before, exit_code) or _async_cell_was()


def _shell_command_was(source: str, before: Any, after: Any) -> bool:
    """``!cmd``: IPython notes the exit code, and leaves it there for the cells that follow."""
    if after != _KILLED_BY_INTERRUPT:
        return False
    return bool(before != _KILLED_BY_INTERRUPT or _SHELL_LINE.search(source))


def _async_cell_was() -> bool:
    """Sync code after an ``await``: ipykernel only asks the task to cancel itself, and the code may end first.

    ipykernel's handler (``IPythonKernel._cancel_on_sigint``, 6.17 to 7.4) sets a future that it closes over;
    without an interrupt that future is cancelled or pending. Seen while the hook runs, which is inside it.
    """
    handler = signal.getsignal(signal.SIGINT)
    if getattr(handler, "__name__", "") != "handle_sigint":
        return False
    for cell in getattr(handler, "__closure__", None) or ():
        try:
            seen = cell.cell_contents
        except ValueError:  # empty
            continue
        if isinstance(seen, asyncio.Future) and seen.done() and not seen.cancelled():
            return True
    return False
