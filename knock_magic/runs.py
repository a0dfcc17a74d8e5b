"""`Run`: one timed piece of work. It changes state, and hands an `Event` to whom it was given."""

from __future__ import annotations

import dataclasses
import functools
import getpass
import os
import platform
import time
import uuid
from typing import Callable, Mapping, Optional

from knock_magic.event import ErrorInfo, Event, Metric, Progress
from knock_magic.rules import ENDINGS

Tell = Callable[[Event], None]


class Run:
    """One piece of work, from `start` to exactly one of `finish`, `fail` and `interrupt`.

    >>> run = Run("train", tell=events.append)
    >>> run.start()
    >>> run.finish({"acc": 0.91})

    What is called after the end is ignored, so a callback that comes late does no harm.
    """

    def __init__(
        self,
        name: str,
        tell: Tell,
        *,
        notebook: Optional[str] = None,
        execution_count: Optional[int] = None,
        started_at: Optional[float] = None,
        started_mono: Optional[float] = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.id = str(uuid.uuid4())
        self.ended = False
        self._tell = tell
        self._clock = clock
        self.started_mono = clock() if started_mono is None else started_mono
        self._first = Event(
            event="started",
            name=name,
            run=self.id,
            started_at=wall() if started_at is None else started_at,
            host=host(),
            user=user(),
            notebook=notebook,
            execution_count=execution_count,
        )

    def start(self) -> None:
        """Say that it begins."""
        self._tell(self._first)

    def progress(self, progress: Progress, metrics: Optional[Mapping[str, Metric]] = None) -> None:
        """Say how far it is."""
        self._say("progress", progress=progress, metrics=metrics)

    def finish(self, metrics: Optional[Mapping[str, Metric]] = None) -> None:
        """Say that it is done."""
        self._say("finished", metrics=metrics)

    def fail(self, error: ErrorInfo, metrics: Optional[Mapping[str, Metric]] = None) -> None:
        """Say that it ended by an error."""
        self._say("failed", error=error, metrics=metrics)

    def interrupt(self, metrics: Optional[Mapping[str, Metric]] = None) -> None:
        """Say that someone stopped it."""
        self._say("interrupted", metrics=metrics)

    def _say(
        self,
        event: str,
        *,
        error: Optional[ErrorInfo] = None,
        progress: Optional[Progress] = None,
        metrics: Optional[Mapping[str, Metric]] = None,
    ) -> None:
        if self.ended:
            return
        self.ended = event in ENDINGS
        duration = self._clock() - self.started_mono
        self._tell(
            dataclasses.replace(
                self._first,
                id=str(uuid.uuid4()),
                event=event,
                duration_s=duration,
                # Not a second reading of the wall clock: it may have been set meanwhile.
                ended_at=self._first.started_at + duration if self.ended else None,
                error=error,
                progress=progress,
                metrics=metrics or {},
            )
        )


@functools.lru_cache(maxsize=1)
def host() -> str:
    """This machine's name."""
    return platform.node()


@functools.lru_cache(maxsize=1)
def user() -> str:
    """Who runs this; the number where the name is unknown, as in many containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return str(os.getuid()) if hasattr(os, "getuid") else ""
