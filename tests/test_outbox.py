from __future__ import annotations

import json
import os
import sqlite3
import stat
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from knock_magic import outbox
from knock_magic.event import Event
from knock_magic.outbox import Outbox

RULES = {"template": "standard", "lang": "en"}
ADDRESS = [("webhook", "print")]


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "state" / outbox.FILE)


@pytest.fixture
def box(path: str) -> Iterator[Outbox]:
    box = Outbox(path)
    yield box
    box.close()


def knock(**changes: Any) -> Dict[str, Any]:
    event = Event(event="finished", name="train", started_at=0.0, ended_at=50.0, **changes)
    return json.loads(json.dumps(event.to_json()))


def states(path: str) -> List[str]:
    db = sqlite3.connect(path)
    rows = [row[0] for row in db.execute("SELECT state FROM deliveries ORDER BY knock, channel")]
    db.close()
    return rows


def test_it_keeps_a_knock_until_it_is_done(box: Outbox, path: str) -> None:
    event = knock()

    assert box.put(event, RULES, ADDRESS, "me", now=100.0)
    row = box.due("me", 100.0, 10)[0]
    assert json.loads(row["body"]) == event
    assert box.claim(event["id"], "webhook", "me", 100.0, lease_s=90.0)
    assert box.due("me", 101.0, 10) == []
    box.done(event["id"], "webhook", 102.0, late_s=0.0)

    assert states(path) == ["done"]
    assert box.next_at("me") is None


def test_putting_it_twice_is_putting_it_once(box: Outbox) -> None:
    """After a courier's death the kernel says again all that was not answered."""
    event = knock()

    assert box.put(event, RULES, ADDRESS, "me", now=100.0)
    assert not box.put(event, RULES, ADDRESS, "me", now=100.0)
    assert len(box.due("me", 100.0, 10)) == 1


def test_only_one_claim_wins(box: Outbox, path: str) -> None:
    other = Outbox(path)
    event = knock()
    box.put(event, RULES, ADDRESS, "me", now=100.0)

    won = [each.claim(event["id"], "webhook", "me", 100.0, lease_s=90.0) for each in (box, other)]

    assert won == [True, False]
    other.close()


def test_a_claim_that_was_never_answered_is_due_again_after_its_lease(box: Outbox) -> None:
    event = knock()
    box.put(event, RULES, ADDRESS, "me", now=100.0)
    box.claim(event["id"], "webhook", "me", 100.0, lease_s=90.0)

    assert box.next_at("me") == 190.0
    assert box.due("me", 189.0, 10) == []
    assert box.due("me", 190.0, 10)[0]["attempts"] == 1


def test_later_is_not_now(box: Outbox) -> None:
    event = knock()
    box.put(event, RULES, ADDRESS, "me", now=100.0)
    box.claim(event["id"], "webhook", "me", 100.0, lease_s=90.0)

    box.later(event["id"], "webhook", 200.0, "HTTP 503", maybe_sent=False)

    assert box.due("me", 199.0, 10) == []
    assert box.due("me", 200.0, 10)[0]["knock"] == event["id"]


def test_the_body_goes_with_the_last_delivery_and_the_facts_stay(box: Outbox, path: str) -> None:
    event = knock(metrics={"acc": 0.9})
    box.put(event, RULES, [("a", "1"), ("b", "2")], "me", now=100.0)
    db = sqlite3.connect(path)

    box.done(event["id"], "a", 101.0, late_s=0.0)
    still = db.execute("SELECT body FROM knocks").fetchone()[0]
    box.give_up(event["id"], "b", 102.0, "HTTP 404")
    gone, name, metrics = db.execute("SELECT body, name, metrics FROM knocks").fetchone()
    db.close()

    assert still is not None
    assert (gone, name, json.loads(metrics)) == (None, "train", {"acc": 0.9})


def test_another_courier_takes_over_only_the_same_settings(box: Outbox) -> None:
    """One project's traceback must not land in another one's channel."""
    event = knock()
    box.put(event, RULES, [("a", "same"), ("b", "other")], "gone", now=100.0)

    taken = box.take_over("gone", "me", "a", "same") + box.take_over("gone", "me", "b", "mine")

    assert taken == 1
    assert [row["channel"] for row in box.due("me", 200.0, 10)] == ["a"]


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX file modes")
def test_nobody_else_can_read_it(path: str) -> None:
    before = os.umask(0)
    try:
        box = Outbox(path)
        box.put(knock(), RULES, ADDRESS, "me", now=100.0)
    finally:
        os.umask(before)

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in Path(path).parent.iterdir()}

    assert stat.S_IMODE(Path(path).parent.stat().st_mode) == 0o700
    assert len(modes) == 3
    assert set(modes.values()) == {0o600}
    box.close()


def test_looking_in_does_not_make_it(path: str) -> None:
    assert outbox.peek(path, "waiting") == []
    assert not os.path.exists(path)


def test_what_waits_can_be_seen_beside_its_owner(box: Outbox, path: str) -> None:
    box.put(knock(), RULES, ADDRESS, "me", now=100.0)

    assert [(row["name"], row["channel"]) for row in outbox.peek(path, "waiting")] == [("train", "webhook")]
