"""`Event`: a frozen fact about a run (what, when, how long, error, metrics), JSON in and out."""

from __future__ import annotations

import base64
import dataclasses
import uuid
from typing import Any, Dict, Mapping, Optional, Tuple, Union

Metric = Union[int, float, str]


@dataclasses.dataclass(frozen=True)
class ErrorInfo:
    """Why a run failed or died, as text only: an exception object would pin frames and their memory."""

    type: str
    message: str
    traceback: Optional[str] = None


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a run is: `step` of `total` (None: unknown), and the seconds that remain."""

    step: int
    total: Optional[int] = None
    eta_s: Optional[float] = None


@dataclasses.dataclass(frozen=True)
class Picture:
    """An image: its media type, and its bytes in base64, for an event travels as JSON."""

    media_type: str
    data: str

    @property
    def content(self) -> bytes:
        """The bytes."""
        return base64.b64decode(self.data)

    @property
    def file_name(self) -> str:
        """What it is called where a service wants a name."""
        return f"picture.{self.media_type.rpartition('/')[2]}"


@dataclasses.dataclass(frozen=True)
class Event:
    """One fact.

    `started_at` and `ended_at` are seconds since the epoch; `ended_at` is None while the run goes on.
    `duration_s` is measured by a monotonic clock, so it stays right when the wall clock jumps.
    """

    event: str
    name: str
    started_at: float
    ended_at: Optional[float] = None
    duration_s: float = 0.0
    id: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))
    run: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))
    host: str = ""
    user: str = ""
    notebook: Optional[str] = None
    execution_count: Optional[int] = None
    error: Optional[ErrorInfo] = None
    metrics: Mapping[str, Metric] = dataclasses.field(default_factory=dict)
    progress: Optional[Progress] = None
    before: Mapping[str, Metric] = dataclasses.field(default_factory=dict)  # the numbers as they were told last
    text: Optional[str] = None  # what `knock.send` was given
    picture: Optional[Picture] = None  # for the channels that take one; it goes with the body
    note: Optional[str] = None  # how it came to this, where that has words of its own
    rank: Optional[int] = None  # of a process in a distributed job
    more: int = 0  # how many earlier events this one speaks for too
    among: Tuple[str, ...] = ()  # names or ranks of those
    still_s: float = 0.0  # seconds in which nothing has happened
    curves: Mapping[str, str] = dataclasses.field(default_factory=dict)  # how its metrics went, as `curves` writes it
    lower: Mapping[str, bool] = dataclasses.field(default_factory=dict)  # of a metric whose direction is known: if down
    may_draw: bool = False  # whether these may become a picture: what draws it is there
    tail: Optional[str] = None  # the last lines that it printed
    verdict: Optional[Mapping[str, Any]] = None  # what its metric is compared with, as `verdict` says it
    usual_s: Optional[float] = None  # how long earlier runs of its name took
    usual_of: int = 0  # how many these were
    peak_bytes: Optional[int] = None  # the most memory (RAM) its process has held, where that was during the run
    gpu: Optional[str] = None  # each GPU of its machine in a line, as it was when this was sent
    slept_s: float = 0.0  # seconds the machine was suspended meanwhile; not in `duration_s`
    maybe_sent: bool = False  # an earlier try may have arrived

    def but(self, **facts: Any) -> Event:
        """The same with other `facts`.

        As `dataclasses.replace`, which looks at each field: this runs while a cell waits for its end to be told.
        """
        other = object.__new__(type(self))
        vars(other).update(vars(self))
        vars(other).update(facts)
        return other

    def to_json(self) -> Dict[str, Any]:
        """Plain dicts, lists, text and numbers, ready for `json.dumps`."""
        parts = {"error": self.error, "progress": self.progress, "picture": self.picture}
        # Not asdict(), which copies each value: this runs while a cell waits for its end to be told.
        return {**vars(self), **{name: part and dict(vars(part)) for name, part in parts.items()}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Event:
        """The event that `to_json` wrote; fields a later version added are left out."""
        known = {field.name for field in dataclasses.fields(cls)}
        values = {key: value for key, value in data.items() if key in known}
        if values.get("picture"):
            values["picture"] = Picture(**values["picture"])
        if values.get("error"):
            values["error"] = ErrorInfo(**values["error"])
        values["among"] = tuple(values.get("among", ()))
        if values.get("progress"):
            values["progress"] = Progress(**values["progress"])
        return cls(**values)
