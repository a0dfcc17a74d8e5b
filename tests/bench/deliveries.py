"""Many channels beside one, and how fast a full outbox gets empty."""

from __future__ import annotations

import contextlib
import json
import queue
import sqlite3
import sys
import time
import uuid
from typing import Any, Dict, Iterator, Optional, Tuple

from figures import Figure, median, seconds, times
from stage import Home, Phone, Stage, run

from knock_magic import dispatch, outbox
from knock_magic.event import Event

CHANNELS = 16
EACH_S = 0.3


def measure(stage: Stage) -> Iterator[Figure]:
    with stage.phone() as phone:
        yield side_by_side(stage, phone)
    with stage.home() as home, stage.phone() as phone:
        yield drain(stage, home, phone)


# Many channels.


def side_by_side(stage: Stage, phone: Phone) -> Figure:
    """Whole delivery processes, by turns with one address and with many."""
    one, many = [], []
    for number in range(1 + stage.pick(5, 20)):
        taken = deliver(phone, 1), deliver(phone, CHANNELS)
        if number:  # the first may have to compile
            one.append(taken[0])
            many.append(taken[1])
    ratio = median([all_ / single for all_, single in zip(many, one)])
    return Figure(
        f"{CHANNELS} channels of {EACH_S * 1000:.0f} ms against one",
        times(ratio),
        "<= 1.5 ×",
        ratio <= 1.5,
        f"{seconds(median(many))} against {seconds(median(one))}, the process's start in both",
        main=True,
    )


def deliver(phone: Phone, channels: int) -> float:
    """Seconds of one delivery, as a courier has it done."""
    said: queue.SimpleQueue[Tuple[int, Optional[bytes]]] = queue.SimpleQueue()
    phone.answer(200, delay=EACH_S, times=channels)
    began = time.monotonic()
    dispatch.Dispatch(said.put).send([item(phone, number) for number in range(channels)], sys_path=[])
    lines = [line for _, line in iter(said.get, (1, None)) if line]
    taken = time.monotonic() - began
    assert [json.loads(line)["ok"] for line in lines] == [True] * channels, lines
    return taken


def item(phone: Phone, number: int) -> Dict[str, Any]:
    return {
        "knock": str(uuid.uuid4()),
        "channel": "webhook",
        "fingerprint": str(number),
        "settings": {"url": f"{phone.url}/{number}"},
        "event": message(),
        "attempts": 1,
        "late_s": 0.0,
        "lang": "en",
    }


def message() -> Dict[str, Any]:
    return Event(event="message", name="of the bench", text="of the bench", started_at=time.time()).to_json()


# A full outbox.


def drain(stage: Stage, home: Home, phone: Phone) -> Figure:
    """What a courier that is gone has left waiting, taken over and sent by the next one."""
    count = stage.pick(400, 10_000)
    env = home.knocking_at(phone)
    send(env, "first")
    phone.wait_for(name="first")
    home.wait_until_alone()
    leave_behind(outbox.path_in(env["KNOCK_HOME"]), count)
    began = time.monotonic()
    send(env, "last")
    last = phone.wait(1 + count + 1, timeout=600)
    return Figure(
        f"{count} waiting knocks to one address",
        f"{count / (last.at - phone.knocks[1].at):.0f} a second",
        beside=f"first after {seconds(phone.knocks[1].at - began)}, one at a time",
        main=True,
    )


def send(env: Dict[str, str], text: str) -> None:
    run(sys.executable, "-m", "knock_magic", "send", text, env=env)


def leave_behind(path: str, count: int) -> None:
    """Put knocks into the outbox in the name of the courier that has just left, for where it sent to."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        channel, fingerprint, owner, rules = db.execute(
            "SELECT channel, fingerprint, owner, rules FROM deliveries JOIN knocks ON knock = id"
        ).fetchone()
    box = outbox.Outbox(path)
    for _ in range(count):
        box.put(message(), json.loads(rules), [(channel, fingerprint)], owner, time.time())
    box.close()
