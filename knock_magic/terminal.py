"""`Terminal`: a second terminal for a command to run in, and the first one while what is typed there goes through."""

from __future__ import annotations

import os
import sys
from typing import Any, List, Optional, Tuple

if sys.platform != "win32":
    import fcntl
    import pty
    import termios
    import tty


class Terminal:
    """A terminal that looks like the one at `fd`, whose other end (`master`) is ours: we see what is written.

    With `takes_input`, the first one is lent to it: keys go through untouched, so that the second one makes the
    signals of Ctrl-C. Otherwise the first stays as it is, for other programs use it (``knock run ... | tee``).
    """

    def __init__(self, fd: int, *, takes_input: bool) -> None:
        self._fd = fd
        self._takes_input = takes_input
        self._before: Optional[List[Any]] = None
        self.master, self.slave = pty.openpty()
        termios.tcsetattr(self.slave, termios.TCSANOW, termios.tcgetattr(fd))
        self.copy_size()

    @property
    def is_raw(self) -> bool:
        """Whether what is typed comes to us now."""
        return self._before is not None

    def take(self) -> None:
        """Get what is typed; not from the background, where touching the terminal would stop us."""
        if self._takes_input and not self.is_raw and self._is_in_foreground():
            self._before = termios.tcgetattr(self._fd)
            tty.setraw(self._fd)

    def give_back(self) -> None:
        """Leave the first terminal as it was."""
        if self._before is not None:
            before, self._before = self._before, None
            try:
                termios.tcsetattr(self._fd, termios.TCSADRAIN, before)
            except termios.error:
                pass  # it is gone

    def become_controlling(self) -> None:
        """In the command's process, before it begins: let the second terminal be the one it is controlled by."""
        fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)

    def copy_size(self) -> None:
        """Make the second as large as the first."""
        try:
            size = fcntl.ioctl(self._fd, termios.TIOCGWINSZ, b"\0" * 8)
            fcntl.ioctl(self.master, termios.TIOCSWINSZ, size)
        except OSError:
            pass

    def signals_in(self, typed: bytes) -> Tuple[bytes, bool, bool]:
        """What of `typed` to pass on, whether there is a Ctrl-C in it, and whether a Ctrl-Z was taken out.

        Only while the second terminal makes signals of them; an editor takes them as plain keys.
        """
        modes = termios.tcgetattr(self.master)
        if not modes[3] & termios.ISIG:
            return typed, False, False
        interrupt, suspend = modes[6][termios.VINTR], modes[6][termios.VSUSP]
        passed = typed.replace(suspend, b"")
        return passed, interrupt in typed, passed != typed

    def _is_in_foreground(self) -> bool:
        try:
            return os.tcgetpgrp(self._fd) == os.getpgrp()
        except OSError:
            return False
