"""An exception as an `ErrorInfo`: type, capped message, and the last frames without their source."""

from __future__ import annotations

import collections
import os
import re
import sys
import traceback
from types import FrameType, TracebackType
from typing import Deque, Iterator, Optional, Tuple

from knock_magic.cleaning import clean, safe_str
from knock_magic.event import ErrorInfo

MESSAGE_LIMIT = 2000  # characters; what a person reads on a phone is far less
FRAMES = 8

# IPython 7 names cells `<ipython-input-3-0123abcd>`, newer ones `/tmp/ipykernel_PID/HASH.py`;
# a plain IPython 8 and later says `<cell line: 1>` or `Cell In[3]` only when it prints.
_CELL_FILE = re.compile(r"<ipython-input-|[\\/]ipykernel_\d+[\\/]\d+\.py$|<string>$")
_ON_THE_WAY = (
    f"{os.sep}IPython{os.sep}",
    f"{os.sep}ipykernel{os.sep}",
    os.path.join(os.path.dirname(os.path.abspath(__file__)), ""),
)


def describe(error: BaseException) -> ErrorInfo:
    """`error` as text. It keeps no reference to the exception, its frames or their variables."""
    return ErrorInfo(
        type=clean(type(error).__name__, 200),
        message=clean(_message(error), MESSAGE_LIMIT),
        traceback="\n".join(_frames(error.__traceback__)) or None,
    )


def _message(error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.msg:
        where = f" ({_short(error.filename)}, line {error.lineno})" if error.filename else ""
        return f"{error.msg}{where}"
    return safe_str(error)


def _frames(tb: Optional[TracebackType]) -> Iterator[str]:
    """The last frames as ``file, line, function``, without IPython's and ours on the way to the user's code."""
    last: Deque[Tuple[FrameType, int]] = collections.deque(maxlen=FRAMES)
    seen_user_code = False
    for frame, line in traceback.walk_tb(tb):
        inside = any(part in frame.f_code.co_filename for part in _ON_THE_WAY)
        seen_user_code = seen_user_code or not inside
        if seen_user_code:
            last.append((frame, line))
    for frame, line in last:
        name = clean(frame.f_code.co_name, 100)
        yield f"{_short(frame.f_code.co_filename)}, line {line}, in {name}"


def _short(filename: str) -> str:
    """A file as its reader calls it: the cell, a package's own path, or the path from the current folder."""
    if _CELL_FILE.search(filename):
        return "cell"
    for folder in sorted((path for path in sys.path if path), key=len, reverse=True):
        prefix = folder.rstrip(os.sep) + os.sep
        if filename.startswith(prefix):
            return clean(filename[len(prefix) :], 200)
    return clean(filename, 200)
