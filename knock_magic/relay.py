"""How a command under ``knock run`` says how far it is: lines of JSON in a named pipe, which a variable names.

The pipe lies in a folder of its owner's alone. Who writes never waits; what nobody reads is lost.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from typing import Any, List, Mapping, NamedTuple, Optional

from knock_magic.event import Event, Metric

VARIABLE = "KNOCK_RUN_PIPE"
LONGEST = 4000  # bytes of a line: a pipe takes up to PIPE_BUF (pipe(7): 4096 on Linux) in one piece
CHUNK = 65536  # of a pipe's bytes; it holds no more


class Heard(NamedTuple):
    """What the command said."""

    step: Optional[int]
    total: Optional[int]
    metrics: Mapping[str, Metric]
    lower: Mapping[str, bool]  # whether less of a metric is better, as far as it is known there


class Ear:
    """The reader's end.

    Raises:
        OSError: no such pipe can be made here.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._folder = tempfile.mkdtemp(prefix="knock-")
        self.path = os.path.join(self._folder, "progress")
        try:
            os.mkfifo(self.path, 0o600)
            # Open for both, for else it would be at its end whenever a writer leaves.
            self.fd = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def heard(self) -> List[Heard]:
        """What was said since the last time; it does not wait."""
        try:
            data = os.read(self.fd, CHUNK)
        except OSError:
            return []
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[-LONGEST:]
        return [said for said in map(_read, lines) if said]

    def close(self) -> None:
        """Hear no more."""
        os.close(self.fd)
        shutil.rmtree(self._folder, ignore_errors=True)


def _read(line: bytes) -> Optional[Heard]:
    try:
        said = json.loads(line)
        step, total, metrics = said["step"], said["total"], said["metrics"]
        if not all(number is None or type(number) is int for number in (step, total)):
            return None
        return Heard(
            step,
            total,
            {name: value for name, value in metrics.items() if type(value) in (int, float, bool, str)},
            {name: value is True for name, value in said["lower"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError):  # an empty line, a piece of one, or somebody else's
        return None


def is_heard(path: str) -> bool:
    """Whether somebody reads the pipe at `path`."""
    fd = _opened(path)
    if fd is not None:
        os.close(fd)
    return fd is not None


def write(path: str, event: Event) -> None:
    """Say where `event` is, with its metrics, as many as one line can take."""
    progress, metrics = event.progress, list(event.metrics.items())
    if not progress and not metrics:
        return
    line = _line(progress, metrics, event.lower)
    while len(line) > LONGEST and metrics:
        metrics = metrics[: len(metrics) // 2]
        line = _line(progress, metrics, event.lower)
    fd = _opened(path)
    if fd is None:
        return
    try:
        os.write(fd, line)
    except OSError:  # it is full, or nobody reads any more
        pass
    finally:
        os.close(fd)


def _line(progress: Any, metrics: List[Any], lower: Mapping[str, bool]) -> bytes:
    step, total = (progress.step, progress.total) if progress else (None, None)
    # It also begins a new line: a piece of another one that did not fit spoils only itself.
    said = {"step": step, "total": total, "metrics": dict(metrics), "lower": dict(lower)}
    return b"\n%s\n" % json.dumps(said).encode()


def _opened(path: str) -> Optional[int]:
    try:
        return os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return None
