"""Know how your training is doing, wherever you are.

In a notebook::

    %load_ext knock

and every long cell knocks on the channel you chose; ``%%knock`` at the head of a cell asks for it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional, Sequence

    from IPython.core.interactiveshell import InteractiveShell

__version__ = "0.1.0"

__all__ = ["load_ipython_extension", "send", "unload_ipython_extension"]

# Everything else is imported late: loading the extension must not slow a notebook's start, and the courier
# and the deliveries import parts of this package without IPython.


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """What ``%load_ext knock`` calls."""
    from knock_magic import extension

    extension.load(ipython)


def unload_ipython_extension(ipython: InteractiveShell) -> None:
    """What ``%unload_ext knock`` calls."""
    from knock_magic import extension

    extension.unload(ipython)


def send(text: str, to: Optional[Sequence[str]] = None) -> None:
    """Knock with `text` on the channels in use, or on those that `to` names.

    Raises:
        UsageError: `to` names a channel that does not exist.
        SettingsError: `to` names a channel whose settings are incomplete.
    """
    from knock_magic import knocker

    door = knocker.current()
    for name in to or ():
        door.ready(name)
    door.send(str(text), to)
