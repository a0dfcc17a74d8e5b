"""An exception as an `ErrorInfo`: type, capped message, and the last frames, without their source unless asked."""

from __future__ import annotations

import collections
import linecache
import os
import re
import sys
from types import CodeType, TracebackType
from typing import Any, Deque, Iterable, Iterator, List, Optional, Tuple

from knock_magic.cleaning import beginning, both_ends, clean, safe_str, type_name
from knock_magic.event import ErrorInfo

MESSAGE_LIMIT = 2000  # characters; what a person reads on a phone is far less
NAME_LIMIT = 100
PATH_LIMIT = 200
PATH_READ = 4096
LINE_LIMIT = 200
FRAMES = 8
DEEPEST_GROUP = 10
INDENT = "    "  # begins a line of source

# IPython 7 names cells `<ipython-input-3-0123abcd>`, newer ones `/tmp/ipykernel_PID/HASH.py`;
# a plain IPython 8 and later says `<cell line: 1>` or `Cell In[3]` only when it prints.
_CELL_FILE = re.compile(r"<ipython-input-|[\\/]ipykernel_\d+[\\/]\d+\.py$|<string>$")
_ON_THE_WAY = (
    f"{os.sep}IPython{os.sep}",
    f"{os.sep}ipykernel{os.sep}",
    os.path.join(os.path.dirname(os.path.abspath(__file__)), ""),
)

# Read past whatever a class of the user's puts over them.
_traceback_of = BaseException.__dict__["__traceback__"].__get__


def describe(error: BaseException, *, with_source: bool = False, from_the_start: bool = False) -> ErrorInfo:
    """`error` as text. It keeps no reference to the exception, its frames or their variables.

    IPython's frames and ours on the way to the user's code are left out, unless it is told `from_the_start`.
    A group of errors (a `TaskGroup` raises one) says little, so the first error in it is told too.
    """
    inner = _first_in(error)
    message = both_ends(_message(error), MESSAGE_LIMIT)
    if inner is not None:
        message = clean(f"{message}: {type_name(inner)}: {clean(_message(inner), MESSAGE_LIMIT)}", MESSAGE_LIMIT)
    tracebacks = [_traceback_of(each) for each in (error, inner) if each is not None]
    return ErrorInfo(
        type=type_name(error),
        message=message,
        traceback="\n".join(_told(_frames(tracebacks, from_the_start), with_source)) or None,
    )


def _first_in(error: Any) -> Optional[BaseException]:
    """The first error in the group `error` that is no group itself; None if it is no group."""
    found = None
    for _ in range(DEEPEST_GROUP):
        try:
            members = (error if found is None else found).exceptions  # also those of the backport
        except BaseException:  # nearly always: there is no such attribute
            return found
        if not (type(members) is tuple and members and issubclass(type(members[0]), BaseException)):
            return found
        found = members[0]
    return found


def _message(error: BaseException) -> str:
    if issubclass(type(error), SyntaxError):
        try:
            return _syntax(error)  # type: ignore[arg-type]
        except BaseException:  # its attributes can be anything
            pass
    return safe_str(error)


def _syntax(error: SyntaxError) -> str:
    where = f" ({_short(error.filename, _roots())}, line {error.lineno})" if error.filename else ""
    return f"{error.msg}{where}" if error.msg else safe_str(error)


# Frames.


class Frame:
    """A line of code on the way to the error; `times`, where it called itself again and again."""

    __slots__ = ("code", "line", "times")

    def __init__(self, code: CodeType, line: Optional[int]) -> None:
        self.code = code
        self.line = line
        self.times = 1


def _frames(tracebacks: List[Optional[TracebackType]], from_the_start: bool) -> Iterable[Frame]:
    """The last frames."""
    last: Deque[Frame] = collections.deque(maxlen=FRAMES)
    for code, line in _walk(tracebacks):
        if last and last[-1].code is code and last[-1].line == line:
            last[-1].times += 1
        elif from_the_start or not _is_on_the_way(code):
            last.append(Frame(code, line))
    return last


def _walk(tracebacks: List[Optional[TracebackType]]) -> Iterator[Tuple[CodeType, Optional[int]]]:
    for tb in tracebacks:
        while tb is not None:
            yield tb.tb_frame.f_code, tb.tb_lineno
            tb = tb.tb_next


def _is_on_the_way(code: CodeType) -> bool:
    path = beginning(code.co_filename, PATH_READ)
    return any(part in path for part in _ON_THE_WAY)


def _told(frames: Iterable[Frame], with_source: bool) -> Iterator[str]:
    roots = _roots()
    for frame in frames:
        again = f" (×{frame.times})" if frame.times > 1 else ""
        name = clean(frame.code.co_name, NAME_LIMIT)
        yield f"{_short(frame.code.co_filename, roots)}, line {frame.line}, in {name}{again}"
        source = _source(frame) if with_source else ""
        if source:
            yield INDENT + source


def _source(frame: Frame) -> str:
    try:
        return clean(linecache.getline(frame.code.co_filename, frame.line or 0).strip(), LINE_LIMIT)
    except Exception:  # no such file has a name like this
        return ""


def _roots() -> List[str]:
    """Where imports come from, and the current folder, the longest first. A notebook may have put a `Path` there."""
    folders = [folder for folder in sys.path if type(folder) is str and folder]
    try:
        folders.append(os.getcwd())
    except OSError:  # it was removed
        pass
    return sorted((os.path.join(folder, "") for folder in folders), key=len, reverse=True)


def _short(filename: str, roots: List[str]) -> str:
    """A file as its reader calls it: the cell, a package's own path, or the path from the current folder."""
    path = beginning(filename, PATH_READ)
    if _CELL_FILE.search(path):
        return "cell"
    root = next((root for root in roots if path.startswith(root)), "")
    return clean(path[len(root) :], PATH_LIMIT)
