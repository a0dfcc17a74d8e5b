"""What waits for a new day, because a day's quota is used up, is told by one message."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Iterator

import pytest
from phone import Phone
from road import Road, boot

from knock_magic import launch, noise
from knock_magic.event import Event
from knock_magic.template import render

# Every refusal is one of a day's quota.
QUOTA = boot(
    "if sys.argv[2] == 'delivery':",
    "    base = importlib.import_module('knock_magic.channels.base')",
    "    refusal = base.HttpChannel.refusal",
    "    def used_up(self, answer):",
    "        error = refusal(self, answer)",
    "        error.digest = True",
    "        return error",
    "    base.HttpChannel.refusal = used_up",
)


@pytest.fixture
def road(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Road]:
    monkeypatch.setattr(launch, "_BOOT", QUOTA)
    road = Road(tmp_path)
    yield road
    road.kill()


def test_what_waits_for_a_new_day_is_one_message(road: Road, phone: Phone) -> None:
    phone.answer(429, {"Retry-After": "2"})
    road.teach("webhook", phone.url)
    first = road.tell_kept("one", ["webhook"], "finished")
    road.hear("result", id=first)
    for name in ("two", "three", "four"):
        road.tell_kept(name, ["webhook"], "failed" if name == "two" else "finished")

    knock = phone.wait(2)  # the first was refused

    lines = knock["text"].splitlines()
    assert lines[0].startswith("❌ two failed")
    assert lines[1] == "3 more waited for a new day: ✅ one, ✅ three, ✅ four"
    assert lines[2].startswith("Sent ")
    road.end()
    assert len(phone.knocks) == 2
    assert road.states() == {"done": 1, "merged": 3}


def test_a_day_after_which_little_waits_is_as_ever(road: Road, phone: Phone) -> None:
    phone.answer(429, {"Retry-After": "1"})
    road.teach("webhook", phone.url)
    road.tell("alone", ["webhook"], "finished")

    text = phone.wait(2)["text"]
    road.tell("next", ["webhook"], "finished")

    assert "waited" not in text
    assert phone.wait(3)["text"].startswith("✅ next finished")
    road.end()
    assert road.rows("SELECT * FROM digests") == []


def test_a_test_is_no_part_of_it(road: Road, phone: Phone) -> None:
    phone.answer(429, {"Retry-After": "2"})
    road.teach("webhook", phone.url)
    first = road.tell_kept("one", ["webhook"], "finished")
    road.hear("result", id=first)
    road.tell_kept("two", ["webhook"], "finished")
    road.tell_kept("knock", ["webhook"], "test")

    road.end()

    assert sorted(knock["event"] for knock in phone.knocks) == ["finished", "finished", "test"]


def test_a_test_does_not_wait_for_the_new_day(road: Road, phone: Phone) -> None:
    """Whoever tests the channel hears at once why nothing comes."""
    phone.answer(429, {"Retry-After": "900"})
    road.teach("webhook", phone.url)
    road.hear("result", id=road.tell_kept("one", ["webhook"], "finished"))
    phone.answer(429, {"Retry-After": "900"})

    answer = road.hear("result", id=road.tell_kept("knock", ["webhook"], "test"))

    assert "429" in answer["reason"]
    assert road.states() == {"due": 1, "failed": 1}


def event(name: str, kind: str = "finished", **more: Any) -> Dict[str, Any]:
    return {**Event(kind, name, 0.0, 60.0, 60.0).to_json(), **more}


def test_what_went_wrong_speaks_and_is_named_first() -> None:
    error = {"type": "ValueError", "message": "x" * 900, "traceback": "long"}
    events = [event("a"), event("b", "failed", error=error), event("c", "died"), event("d")]

    index, told = noise.digest(events)

    assert index == 2
    assert told["among"] == ["failed b", "finished a", "finished d"]
    assert told["more"] == 3
    assert noise.digest(events[:2])[1]["error"] == {"type": "ValueError", "message": "x" * 60, "traceback": None}


def test_a_digest_that_has_to_wait_again_goes_into_the_next() -> None:
    index, told = noise.digest([event("a"), event("b"), event("c", more=4, among=["x"])])
    again = [{**event("c"), **told}, event("d", "failed")]

    index, told = noise.digest(again)

    assert index == 1
    assert told["more"] == 7
    assert told["among"] == ["finished a", "finished b", "finished c"]


def test_of_a_hundred_as_many_are_named_as_fit() -> None:
    events = [event(f"run {number}") for number in range(100)]
    index, told = noise.digest(events)

    text = render(Event.from_json({**events[index], **told}), lang="ko").text

    assert text.startswith("✅ run 99 끝났어요 · 1분\n하루 한도 때문에 미뤄 둔 알림이 99건 더 있어요: ✅ run 0, ")
    assert text.endswith("✅ run 19, …")
