"""`Patience`: an end to a wait for somebody's keyboard."""

from __future__ import annotations

import _thread
import signal
import sys
import threading
from typing import Any, Optional


class Patience:
    """While it is entered, the main thread waits for the keyboard for so many seconds, or until `end` is called.

    What waits there (``getpass`` in a terminal, or for a notebook's front end) can only be woken by an interrupt.
    So it is woken by one, which ends here and goes no further; one of the person's own goes on. In another thread
    nothing can be woken, and the wait is as long as it is. On Windows, a terminal is woken by its next key.
    """

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self.found: Optional[str] = None
        self._is_waiting = False
        self._turn = threading.Lock()
        self._timer = threading.Timer(seconds, self.end)
        self._timer.daemon = True

    def end(self, found: Optional[str] = None) -> None:
        """From any thread: wait no longer; `found` is what was waited for, if it came another way."""
        with self._turn:
            if not self._is_waiting:
                return
            self._is_waiting, self.is_over, self.found = False, True, found
            if sys.platform == "win32":
                _thread.interrupt_main()
            else:
                # A real signal: what blocks in the system call is woken, too.
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    def __enter__(self) -> Patience:
        self._is_waiting = threading.current_thread() is threading.main_thread()
        self._timer.start()
        return self

    def __exit__(self, kind: Any, *_: Any) -> bool:
        self._timer.cancel()
        with self._turn:
            self._is_waiting = False
        return self.is_over and kind is not None and issubclass(kind, KeyboardInterrupt)
