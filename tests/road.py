"""`Road`: the road below the kernel. A real courier and real deliveries, told by a test in the kernel's place."""

from __future__ import annotations

import sqlite3
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

from conftest import end as kill, poll
from fire import setting, words_of

from knock_magic import launch, outbox
from knock_magic.event import Event
from knock_magic.rules import DEFAULT_ON
from knock_magic.sidecar import Sidecar

_BOOT = launch._BOOT
_MAIN = "\nimport importlib"

# Lines for `boot`. Any name is a channel here, so that a knock can go to as many addresses as a test wants.
ANY_NAME = (
    "if sys.argv[2] == 'delivery':",
    "    channels = importlib.import_module('knock_magic.channels')",
    "    webhook = importlib.import_module('knock_magic.channels.webhook').Webhook",
    "    channels.find = lambda name: webhook",
)


def boot(*lines: str) -> str:
    """What starts couriers, with `lines` before their ``main``; and by them deliveries, with the same lines."""
    return _booting(*lines, setting("launch", "_BOOT", _booting(*lines)))


def _booting(*lines: str) -> str:
    return _BOOT.replace(_MAIN, "\n".join([_MAIN, *lines]))


def deadline(seconds: float) -> str:
    """A delivery may take this long."""
    return setting("dispatch", "DEADLINE_S", seconds)


class Road:
    """One kernel's place: it teaches addresses, tells events, and hears what the courier says."""

    def __init__(self, folder: Path, places: Optional[Sequence[Path]] = None, lang: str = "en") -> None:
        self.places = [str(place) for place in places or [folder / "state" / outbox.FILE]]
        self.answers: List[Dict[str, Any]] = []
        self.lang = lang
        self._news = threading.Condition()
        self.sidecar = Sidecar(self._hello, self._hear)

    def _hello(self, to_a_process: bool) -> Dict[str, Any]:
        event = Event(event="started", name="", started_at=0.0, host="box", user="ada").to_json()
        return {
            "op": "hello",
            "outboxes": self.places if to_a_process else [],
            "mute": "",
            "secrets": [],
            "sys_path": [],
            "lang": self.lang,
            "event": event,
        }

    def _hear(self, answer: Dict[str, Any]) -> None:
        with self._news:
            self.answers.append(answer)
            self._news.notify_all()

    # Telling.

    def teach(self, channel: str, url: str, fingerprint: str = "", **values: Any) -> None:
        """The courier learns where `channel` leads to."""
        line = {"op": "settings", "channel": channel, "fingerprint": fingerprint or f"print of {channel} {url}"}
        self.sidecar.know(f"settings {channel}", {**line, "values": {"url": url, **values}})
        self.sidecar.ensure()

    def tell(self, name: str, to: Sequence[str] = ("phone",), event: str = "message", **about: Any) -> str:
        """An event for `to`; gives its id. `about` is of the event, `rules` of its rules."""
        rules = {"to": list(to), "on": [event], "min_s": 0.0, "template": "standard", "lang": self.lang}
        rules.update(about.pop("rules", {}))
        now = time.time()
        about = {"started_at": now, "ended_at": now, "text": name if event == "message" else None, **about}
        told = Event(event=event, name=name, **about)
        self.sidecar.tell(told.id, {"op": "tell", "event": told.to_json(), "rules": rules}, ends=told.run)
        return told.id

    def begin(self, name: str, to: Sequence[str] = ("phone",), **rules: Any) -> str:
        """A run that is open until `tell` names its end; gives its id."""
        event = Event(event="started", name=name, started_at=time.time(), host="box", user="ada")
        about = {"to": list(to), "on": DEFAULT_ON, "min_s": 0.0, "template": "standard", "lang": self.lang, **rules}
        line = {"op": "open", "event": event.to_json(), "rules": about, "mono": time.monotonic()}
        self.sidecar.open(event.run, line)
        return event.run

    def tell_kept(self, name: str, to: Sequence[str] = ("phone",), event: str = "message", **about: Any) -> str:
        """The same, once the courier has it in the outbox."""
        told = self.tell(name, to, event, **about)
        self.wait_until(lambda: self.sidecar.kept(told), f"{name} to be kept")
        return told

    # Hearing.

    def said(self, op: str, **fields: Any) -> List[Dict[str, Any]]:
        """What the courier has answered of this kind so far."""
        with self._news:
            answers = [answer for answer in self.answers if answer["op"] == op]
        return [each for each in answers if all(each.get(name) == value for name, value in fields.items())]

    def hear(self, op: str, n: int = 1, timeout: float = 30, **fields: Any) -> Dict[str, Any]:
        """Its `n`-th answer of this kind, once it has come."""
        self.wait_until(lambda: len(self.said(op, **fields)) >= n, f"{n} {op} with {fields}", timeout)
        return self.said(op, **fields)[n - 1]

    def wait_until(self, there: Any, what: str, timeout: float = 30) -> None:
        with self._news:
            if not self._news.wait_for(there, timeout):
                raise AssertionError(f"waited {timeout} s for {what}; the courier said: {self.answers}")

    # Looking.

    def rows(self, question: str, place: int = 0) -> List[Tuple[Any, ...]]:
        db = sqlite3.connect(self.places[place], timeout=20)
        try:
            return db.execute(question).fetchall()
        finally:
            db.close()

    def change(self, statement: str, place: int = 0) -> None:
        db = sqlite3.connect(self.places[place], timeout=20)
        db.execute(statement)
        db.commit()
        db.close()

    def states(self, place: int = 0) -> Dict[str, int]:
        """How many deliveries are in each state."""
        return dict(self.rows("SELECT state, count(*) FROM deliveries GROUP BY state", place))

    @property
    def courier(self) -> int:
        pid = self.sidecar.courier_pid
        assert pid
        return pid

    def end(self) -> None:
        """Leave, and wait until the courier has done what was left to do."""
        courier = self.sidecar._courier
        self.sidecar.close()
        if isinstance(courier, subprocess.Popen):
            courier.wait(60)

    def kill(self) -> None:
        """Leave, and let nothing of it live on."""
        courier = self.sidecar._courier
        self.sidecar.close(0.1)
        if isinstance(courier, subprocess.Popen) and courier.poll() is None:
            young = children(courier.pid)
            courier.kill()
            courier.wait(60)
            for pid in young:
                kill(pid)


def children(pid: int) -> List[int]:
    """The processes that `pid` has started and that live."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(each) for each in task.read_text().split()]
        except OSError:
            pass
    return found


def wait_for_delivery(courier: int, timeout: float = 45) -> int:
    """The delivery that `courier` has under way, once it is one; before, it is still half its parent."""
    deliveries = lambda: [pid for pid in children(courier) if b"delivery" in words_of(pid)]  # noqa: E731
    return int(poll(deliveries, f"a delivery of {courier}", timeout)[0])
