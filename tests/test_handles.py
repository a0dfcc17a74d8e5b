"""A run's progress is one live message that is edited, and its end a new one below it; the newest is what counts."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import pytest
from conftest import end
from pager import ANY_PAGER
from phone import Knock, Phone
from road import Road, boot

from knock_magic import channels, delivery, launch, outbox, sidecar
from knock_magic.channels.webhook import Webhook
from knock_magic.errors import DeliveryError
from knock_magic.event import Event
from knock_magic.noise import Noise
from knock_magic.outbox import Outbox, spoken
from knock_magic.template import Message

RULES = {"template": "standard", "lang": "en"}
ADDRESS = ("phone", "print")
RUN = "a-run"


# What the outbox keeps.


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Outbox]:
    box = Outbox(str(tmp_path / outbox.FILE))
    yield box
    box.close()


def event(kind: str, run: str = RUN, **about: Any) -> Dict[str, Any]:
    return Event(event=kind, name="train", started_at=0.0, run=run, **about).to_json()


def put(box: Outbox, told: Dict[str, Any], now: float = 1.0, address: Tuple[str, str] = ADDRESS) -> str:
    grouping, _ = Noise("kernel").place(told, {}, now)
    box.put(told, RULES, [address], "me", now, grouping=grouping)
    return str(told["id"])


def send(box: Outbox, told: Dict[str, Any], handle: Optional[str], lost: str = "", address: Any = ADDRESS) -> None:
    box.done(put(box, told, address=address), address[0], 2.0, 0.0, handle, lost)


def states(box: Outbox) -> List[str]:
    return [row[0] for row in box._db.execute("SELECT state FROM deliveries ORDER BY rowid")]


def test_a_run_is_over_at_the_addresses_that_are_told_its_end(box: Outbox) -> None:
    put(box, event("started"))
    put(box, event("finished", run="another"))
    put(box, event("finished"), address=("other", "print"))
    row = box.due("me", 2.0, 10)[0]

    before = box.is_over(row)
    put(box, event("died"))

    assert (row["event"], before, box.is_over(row)) == ("started", False, True)


def test_the_first_message_begins_the_thread_and_the_live_one_is_edited(box: Outbox) -> None:
    send(box, event("progress"), "m-1")
    send(box, event("stalled"), "m-2")

    assert box.handles(RUN, *ADDRESS) == {"first": "m-1", "live": "m-1"}


def test_an_alarm_that_came_first_begins_the_thread_but_is_not_edited(box: Outbox) -> None:
    send(box, event("stalled"), "m-1")
    assert box.handles(RUN, *ADDRESS) == {"first": "m-1", "live": None}

    send(box, event("progress"), "m-2")
    assert box.handles(RUN, *ADDRESS) == {"first": "m-1", "live": "m-2"}


def test_to_go_on_again_is_news_and_no_edit(box: Outbox) -> None:
    send(box, event("progress"), "m-1")
    send(box, event("progress", note="again"), "m-2")

    assert box.handles(RUN, *ADDRESS)["live"] == "m-1"


def test_what_is_sent_anew_stands_in_the_place_of_what_was_lost(box: Outbox) -> None:
    send(box, event("progress"), "m-1")
    send(box, event("progress"), "m-2", lost="m-1")

    assert box.handles(RUN, *ADDRESS) == {"first": "m-2", "live": "m-2"}


def test_an_edit_changes_no_handle(box: Outbox) -> None:
    send(box, event("progress"), "m-1")
    send(box, event("progress"), None)

    assert box.handles(RUN, *ADDRESS) == {"first": "m-1", "live": "m-1"}


def test_another_run_another_channel_and_other_settings_have_their_own(box: Outbox) -> None:
    send(box, event("progress"), "m-1")

    for run, channel, fingerprint in (("b-run", *ADDRESS), (RUN, "mail", "print"), (RUN, "phone", "another")):
        assert box.handles(run, channel, fingerprint) == {"first": None, "live": None}


@pytest.mark.parametrize("kind", ["message", "test", "warning", "finished", "died"])
def test_what_nothing_follows_leaves_no_handle(box: Outbox, kind: str) -> None:
    send(box, event(kind, ended_at=1.0), "m-1")

    assert box.handles(RUN, *ADDRESS)["first"] is None


def test_the_handle_and_the_end_of_the_delivery_are_one_write(box: Outbox, tmp_path: Path) -> None:
    """Else a courier that is killed in between sends a second live message, or none can be found again."""
    told = put(box, event("progress"))
    box._db.execute("CREATE TRIGGER full BEFORE INSERT ON handles BEGIN SELECT RAISE(FAIL, 'disk full'); END")

    with pytest.raises(sqlite3.Error):
        box.done(told, "phone", 2.0, 0.0, "m-1")

    assert states(box) == ["due"]


def test_handles_go_once_a_run_has_been_over_for_long(box: Outbox) -> None:
    for run in ("over", "open", "waiting"):
        send(box, event("progress", run), "m-1")
    box.open_run("open", "kernel", "me", {}, [], 2.0)
    put(box, event("finished", "waiting", ended_at=3.0))

    box.forget_handles_before(1.0)
    assert box.handles("over", *ADDRESS)["first"] == "m-1"
    box.forget_handles_before(100.0)

    assert [box.handles(run, *ADDRESS)["first"] for run in ("over", "open", "waiting")] == [None, "m-1", "m-1"]


def test_they_move_with_the_outbox(box: Outbox, tmp_path: Path) -> None:
    other = Outbox(str(tmp_path / "other.db"))
    send(box, event("progress"), "m-1")

    box.give_away(lambda owner: owner == "me", other)

    assert other.handles(RUN, *ADDRESS)["live"] == "m-1"
    other.close()


def test_an_outbox_of_the_first_version_is_led_on(tmp_path: Path) -> None:
    path = str(tmp_path / "old.db")
    old = Outbox(path)
    put(old, event("progress"))
    if sqlite3.sqlite_version_info >= (3, 35):
        old._db.execute("ALTER TABLE deliveries DROP COLUMN planned_at")
    old._db.executescript("DROP TABLE handles; DROP INDEX knocks_by_run; PRAGMA user_version = 1")
    old.close()

    box, twin = Outbox(path), Outbox(path)

    assert [row["planned_at"] for row in box.due("me", 2.0, 9)] == [1.0]
    twin.close()
    send(box, event("progress"), "m-1")
    assert box.handles(RUN, *ADDRESS)["live"] == "m-1"
    box.close()


# Only the newest is worth sending.


def test_progress_that_waits_goes_with_the_next(box: Outbox) -> None:
    put(box, event("progress", metrics={"loss": 0.9}, before={"loss": 1.0}))
    put(box, event("progress", metrics={"loss": 0.5}, before={"loss": 0.9}))
    last = put(box, event("progress", metrics={"loss": 0.4}, before={"loss": 0.5}))

    (row,) = box.due("me", 2.0, 9)

    assert states(box) == ["merged", "merged", "due"]
    assert row["knock"] == last
    assert spoken(row)["before"] == {"loss": 1.0}  # what was told last is what it changed from
    assert [each[0] for each in box._db.execute("SELECT count(*) FROM knocks WHERE body IS NOT NULL")] == [1]


def test_progress_that_waits_goes_with_the_end(box: Outbox) -> None:
    put(box, event("started"))
    put(box, event("progress"))
    put(box, event("progress", note="again"))
    put(box, event("finished", ended_at=9.0, metrics={"loss": 0.1}))

    assert states(box) == ["due", "merged", "due", "due"]
    assert spoken(box.due("me", 10.0, 9)[-1])["metrics"] == {"loss": 0.1}


def test_only_what_goes_to_the_same_address_goes_together(box: Outbox) -> None:
    put(box, event("progress"))
    put(box, event("progress", "b-run"))
    put(box, event("progress"), address=("phone", "another"))

    assert states(box) == ["due", "due", "due"]


@pytest.mark.parametrize("newer", ["progress", "finished"])
def test_what_failed_on_its_way_is_stale_once_there_is_newer(box: Outbox, newer: str) -> None:
    older = put(box, event("progress", before={"loss": 1.0}))
    box.claim(older, "phone", "me", 1.0, 60.0)
    put(box, event(newer, before={"loss": 0.5}, ended_at=2.0))
    box.later(older, "phone", 1.0, "HTTP 503", False)
    rows = {row["knock"]: row for row in box.due("me", 5.0, 9)}

    assert box.is_overtaken(rows[older], 5.0)

    (left,) = box.due("me", 5.0, 9)
    assert left["event"] == newer
    assert not box.is_overtaken(left, 5.0)
    assert spoken(left)["before"] == {"loss": 1.0 if newer == "progress" else 0.5}


# How it is delivered.


class Service(Webhook):
    """A channel that writes down what it is told to do."""

    edits = threads = True
    did: List[Tuple[str, ...]] = []
    fails: Dict[str, DeliveryError] = {}

    def send(self, message: Message) -> Any:
        if message.after in self.fails:
            raise self.fails[message.after]
        self.did.append(("send", message.after or ""))
        return "m-9"

    def edit(self, handle: str, message: Message) -> None:
        if handle in self.fails:
            raise self.fails[handle]
        self.did.append(("edit", handle))
        self.did.append(("twice",)) if message.event.maybe_sent else None


GONE = DeliveryError({"en": "gone", "ko": "없음"}, permanent=True)
DOWN = DeliveryError({"en": "down", "ko": "고장"})
REVOKED = DeliveryError({"en": "revoked", "ko": "취소"}, permanent=True, revoked=True)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Any:
    made = type("Made", (Service,), {"did": [], "fails": {}})
    monkeypatch.setattr(channels, "find", lambda name: made)
    return made


def deliver(kind: str = "progress", maybe_sent: bool = False, **handles: Any) -> Dict[str, Any]:
    told = dict(event(kind), maybe_sent=maybe_sent)
    item = {"knock": told["id"], "channel": "phone", "settings": {}, "event": told, "lang": "en", "late_s": 0.0}
    return delivery.send({**item, **handles})


def test_a_first_progress_is_sent_and_the_next_ones_edit_it(service: Any) -> None:
    assert deliver()["handle"] == "m-9"
    assert deliver(live="m-9", after="m-9")["ok"]

    assert service.did == [("send", ""), ("edit", "m-9")]


def test_to_edit_it_twice_is_not_to_be_told(service: Any) -> None:
    deliver(live="m-9", maybe_sent=True)

    assert service.did == [("edit", "m-9")]


def test_all_else_is_sent_below_the_first(service: Any) -> None:
    deliver("finished", after="m-1")

    assert service.did == [("send", "m-1")]


def test_a_live_message_that_is_gone_is_sent_anew(service: Any) -> None:
    service.fails = {"m-1": GONE}

    result = deliver(live="m-1", after="m-1")

    assert (result["ok"], result["handle"], result["lost"]) == (True, "m-9", "m-1")
    assert service.did == [("send", "")]


def test_a_thread_whose_beginning_is_gone_costs_no_knock(service: Any) -> None:
    service.fails = {"m-1": GONE}

    result = deliver("failed", after="m-1")

    assert (result["ok"], result["lost"]) == (True, "m-1")
    assert service.did == [("send", "")]


@pytest.mark.parametrize("failure", [DOWN, REVOKED])
@pytest.mark.parametrize("handles", [{"live": "m-1", "after": "m-1"}, {"after": "m-1"}])
def test_a_server_that_is_down_or_refuses_the_key_gets_no_second_message(
    service: Any, failure: DeliveryError, handles: Dict[str, str]
) -> None:
    service.fails = {"m-1": failure}

    assert not deliver(**handles)["ok"]

    assert service.did == []


def test_who_can_not_edit_gets_a_new_one_and_who_has_no_threads_gets_it_alone(service: Any) -> None:
    service.edits = service.threads = False

    deliver(live="m-1", after="m-1")

    assert service.did == [("send", "")]


@pytest.mark.parametrize("given", [None, 7, "", "x" * 501, ["m"]])
def test_what_is_no_handle_is_kept_as_none(service: Any, monkeypatch: pytest.MonkeyPatch, given: Any) -> None:
    monkeypatch.setattr(service, "send", lambda self, message: given)

    result = deliver()

    assert (result["ok"], result["handle"]) == (True, None)


# The whole road below the kernel.


@pytest.fixture
def road(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, phone: Phone) -> Iterator[Callable[..., Road]]:
    roads: List[Road] = []
    monkeypatch.setattr(sidecar, "RESTART_S", (0.0, 0.05))

    def build(*lines: str) -> Road:
        monkeypatch.setattr(launch, "_BOOT", boot(*ANY_PAGER, *lines))
        roads.append(Road(tmp_path))
        roads[-1].teach("phone", phone.url)
        return roads[-1]

    yield build
    for each in roads:
        each.kill()


needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="ends processes by signals")


def what(knock: Knock) -> Tuple[Any, ...]:
    """What was done, and to or below which knock."""
    handle = knock.json.get("handle") or knock.json.get("after") or ""
    return knock["did"], knock["event"], handle[2:]


@needs_signals
def test_a_run_is_one_live_message_and_its_end_below_it(road: Callable[..., Road], phone: Phone) -> None:
    here = road()
    run = here.begin("train")
    first = here.tell_kept("train", event="progress", run=run, ended_at=None)
    phone.wait(1)
    for number in (2, 3):
        here.tell("train", event="progress", run=run, ended_at=None)
        phone.wait(number)
    here.tell("train", event="finished", run=run)
    phone.wait(4)

    assert [what(knock) for knock in phone.knocks] == [
        ("send", "progress", ""),
        ("edit", "progress", first),
        ("edit", "progress", first),
        ("send", "finished", first),
    ]


@needs_signals
def test_another_courier_goes_on_with_the_same_live_message(road: Callable[..., Road], phone: Phone) -> None:
    here = road()
    run = here.begin("train")
    first = here.tell_kept("train", event="progress", run=run, ended_at=None)
    here.hear("result", id=first)

    end(here.courier)
    here.tell("train", event="finished", run=run)

    assert what(phone.wait(2)) == ("send", "finished", first)


@needs_signals
def test_a_server_that_was_down_gets_only_the_newest(road: Callable[..., Road], phone: Phone) -> None:
    phone.answer(503)
    here = road()
    run = here.begin("train")
    told = [here.tell_kept("train", event="progress", run=run, ended_at=None) for _ in range(4)]
    here.hear("result", id=told[-1], ok=True)
    here.end()

    assert [knock["id"] for knock in phone.knocks if knock.status == 200] == [told[-1]]
    assert here.states() == {"merged": 3, "done": 1}


@needs_signals
def test_what_is_due_at_once_of_one_run_is_one_thread(road: Callable[..., Road], phone: Phone) -> None:
    """The second one must not set out before the first one's handle is known."""
    phone.answer(503, {"Retry-After": "1"})
    here = road()
    run = here.begin("train")
    here.hear("result", id=here.tell("it is down"), ok=False)
    first = here.tell_kept("train", event="stalled", run=run, ended_at=None)
    here.tell_kept("train", event="finished", run=run)

    arrived = [what(phone.wait(number)) for number in (2, 3, 4)]
    assert [each for each in arrived if each[1] != "message"] == [("send", "stalled", ""), ("send", "finished", first)]


@needs_signals
def test_a_message_that_was_deleted_is_sent_anew_and_edited_from_then_on(
    road: Callable[..., Road], phone: Phone
) -> None:
    here = road()
    run = here.begin("train")
    here.hear("result", id=here.tell("train", event="progress", run=run, ended_at=None))
    phone.answer(400)
    second = here.tell("train", event="progress", run=run, ended_at=None)
    here.hear("result", id=second)
    here.tell("train", event="progress", run=run, ended_at=None)

    assert what(phone.wait(4)) == ("edit", "progress", second)
