"""`Plots`: the last picture that a cell showed, for the channels that take one.

IPython's hooks are per thread, and `%%capture` hides its cell from them. Where a hook returns nothing, nothing is
shown: so each returns what it was given, whatever happens.
"""

from __future__ import annotations

import base64
import time
from typing import Any, Callable, Mapping, Optional

from knock_magic.event import Picture

MOST_CHARACTERS = 1024 * 1024  # of base64; it is written into a pipe when the cell ends
KINDS = ("image/png", "image/jpeg")


class Plots:
    """What one shell shows."""

    def __init__(self, shell: Any) -> None:
        self._publisher, self._displayhook = shell.display_pub, shell.displayhook
        self._picture: Optional[Picture] = None
        self._shown_mono = 0.0
        self._write: Optional[Callable[..., Any]] = None

    def put_in(self) -> None:
        """Look at what is shown from here on; only a kernel tells."""
        if not hasattr(self._publisher, "register_hook"):
            return
        self._publisher.register_hook(self._on_message)
        write = self._displayhook.write_format_data  # results: only new kernels have a hook for them

        def look_and_write(format_dict: Any, *others: Any, **named: Any) -> Any:
            self._look(format_dict)
            return write(format_dict, *others, **named)

        self._write = self._displayhook.write_format_data = look_and_write

    def take_out(self) -> None:
        """Look away again."""
        if self._write is not None:
            self._publisher.unregister_hook(self._on_message)
            if vars(self._displayhook).get("write_format_data") is self._write:
                del self._displayhook.write_format_data
        self._write = self._picture = None

    def since(self, mono: float) -> Optional[Picture]:
        """The last picture, if it was shown since then (`time.monotonic`)."""
        return self._picture if self._shown_mono >= mono else None

    def forget(self) -> None:
        """Let go of it."""
        self._picture = None

    def _on_message(self, message: Any) -> Any:
        try:
            self._look(message["content"]["data"])
        except Exception:
            pass
        return message

    def _look(self, data: Any) -> None:
        try:
            self._take(data)
        except Exception:  # of whatever kind it is, it is shown as it would be without us
            pass

    def _take(self, data: Mapping[str, Any]) -> None:
        for kind in KINDS:
            image = data.get(kind)
            if isinstance(image, bytes):
                image = base64.b64encode(image).decode("ascii")
            if isinstance(image, str) and len(image) <= MOST_CHARACTERS:
                self._picture, self._shown_mono = Picture(kind, image.replace("\n", "")), time.monotonic()
                return
