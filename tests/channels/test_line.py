"""LINE: its retry key, its two kinds of 429, its ids, and what its own models make of our message."""

from __future__ import annotations

import functools
import re
import uuid
from typing import List

import pytest

from knock_magic import delivery
from knock_magic.channels.line import Line
from knock_magic.errors import DeliveryError, SettingsError
from knock_magic.event import Event
from knock_magic.wording import LINES

from . import stage
from .stage import CANARY, Answer, Contract, Internet, Request

TOKEN = f"{CANARY}/" + "a1B2+/" * 25 + "1O/w1cDnyilFU="
ME = "U" + "0123456789abcdef" * 2
SENT = Answer(200, {"sentMessages": [{"id": "461230966842064897", "quoteToken": "q"}]})
HAS_IT = Answer(
    409,
    {"message": "The retry key is already accepted", "sentMessages": [{"id": "461230966842064897"}]},
    {"X-Line-Accepted-Request-Id": "123e4567-e89b-12d3-a456-426655440002"},
)


def alive(request: Request) -> List[str]:
    """Emojis, mentions and placeholders come in other fields or types; an address is a link by itself."""
    (told,) = request.json["messages"]
    return [*(set(told) - {"type", "text"}), *re.findall(r"\w+://\S+|@\w+|\w\.[a-z]{2,}", told["text"])]


CONTRACT = Contract(
    settings={"token": TOKEN, "to": ME},
    answer=lambda request: SENT,
    read=lambda request: [found["text"] for found in request.json["messages"]],
    alive=alive,
    inside=[
        ("nothing sent", Answer(200, {"sentMessages": []}), True),
        ("another answer", Answer(200, {}), True),
        ("nothing", Answer(200, ""), True),
    ],
)


def line() -> Line:
    return Line(token=TOKEN, to=ME)


message = functools.partial(stage.message, metrics={})


def error_of(answer: Answer, internet: Internet) -> DeliveryError:
    internet.answering = lambda request: answer
    with pytest.raises(DeliveryError) as caught:
        line().send(message())
    return caught.value


def test_a_text_message_for_one_person(internet: Internet) -> None:
    internet.answering = CONTRACT.answer
    told = message()

    line().send(told)

    request = internet.requests[0]
    assert (request.host, request.path) == ("api.line.me", "/v2/bot/message/push")
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert request.json == {"to": ME, "messages": [{"type": "text", "text": told.text}], "notificationDisabled": False}


@pytest.mark.parametrize(("kind", "silent"), [("progress", True), ("started", True), ("died", False), ("test", False)])
def test_what_is_told_on_the_way_makes_no_sound(internet: Internet, kind: str, silent: bool) -> None:
    internet.answering = CONTRACT.answer

    line().send(message(kind))

    assert internet.requests[0].json["notificationDisabled"] is silent


def test_each_try_has_the_same_retry_key_and_that_line_has_it_already_is_a_success(internet: Internet) -> None:
    told = message()
    answers = [Answer(deed="reset"), HAS_IT]
    internet.answering = lambda request: answers.pop(0)

    with pytest.raises(DeliveryError) as caught:
        line().send(told)
    line().send(told)

    assert caught.value.maybe_sent
    keys = [request.headers["X-Line-Retry-Key"] for request in internet.requests]
    assert keys == [told.event.id] * 2
    assert str(uuid.UUID(keys[0])) == keys[0]


def test_who_gets_it_after_a_try_that_broke_is_not_told_that_it_may_be_the_second(internet: Internet) -> None:
    internet.answering = CONTRACT.answer
    event = Event("finished", "학습", 0.0, 60.0, 60.0, maybe_sent=True)
    item = {
        **{"knock": event.id, "channel": "line", "settings": CONTRACT.settings, "event": event.to_json()},
        **{"lang": "ko", "late_s": 90.0},
    }

    result = delivery.send(item)

    assert result["ok"], result
    (text,) = CONTRACT.read(internet.requests[0])
    assert "늦" in text
    assert LINES["ko"]["maybe twice"] not in text


def test_a_409_of_somebody_else_is_no_success(internet: Internet) -> None:
    assert error_of(Answer(409, "conflict"), internet).permanent


@pytest.mark.parametrize(
    ("status", "words", "hint"),
    [
        (400, "Failed to send messages", "친구"),
        (400, "The property, 'to', in the request body is invalid (line: -, column: -)", "Your user ID"),
        (401, "Authentication failed due to the following reason: invalid token", "token"),
        (403, "Access to this API is not available for your account", "요금제"),
        (429, "You have reached your monthly limit.", "이번 달"),
    ],
)
def test_what_nothing_can_get_past_says_what_to_do(internet: Internet, status: int, words: str, hint: str) -> None:
    error = error_of(Answer(status, {"message": words}), internet)

    assert (error.permanent, error.revoked, error.maybe_sent) == (True, True, False)
    assert hint in error.texts["ko"]


def test_too_many_at_once_is_tried_again(internet: Internet) -> None:
    error = error_of(
        Answer(429, {"message": "The API rate limit has been exceeded. Try again later."}, {"Retry-After": "5"}),
        internet,
    )

    assert (error.permanent, error.retry_after) == (False, 5.0)


def test_a_malformed_message_leaves_the_address_in_use(internet: Internet) -> None:
    error = error_of(Answer(400, {"message": "The request body has 1 error(s)"}), internet)

    assert (error.permanent, error.revoked) == (True, False)
    assert "1 error(s)" in error.texts["ko"]


def test_emoji_count_as_line_counts_them(internet: Internet) -> None:
    internet.answering = CONTRACT.answer

    line().send(message("message", text="🍎" * 3000 + "한글" * 3000))

    text = internet.requests[0].json["messages"][0]["text"]
    assert 4990 < len(text.encode("utf-16-le")) // 2 <= 5000


@pytest.mark.parametrize("kind", ["failed", "progress"])
def test_line_s_own_models_take_the_message(kind: str) -> None:
    messaging = pytest.importorskip("linebot.v3.messaging", reason="needs: pip install line-bot-sdk (Python 3.10+)")
    payload = line().payload(message(kind))

    parsed = messaging.PushMessageRequest.from_dict(payload)

    assert isinstance(parsed.messages[0], messaging.TextMessage)
    assert parsed.to_dict() == payload


# Its settings.


@pytest.mark.parametrize(
    "token",
    ["0123456789abcdef" * 2, "n" * 43, "토큰" * 30, f"{'x' * 60} y", f"https://hooks.slack.com/services/{'x' * 60}"],
)
def test_the_channel_secret_and_a_token_of_line_notify_are_refused_where_they_are_typed(token: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Line().put("token", token)

    assert caught.value.texts["ko"].endswith("채널 액세스 토큰을 넣어 주세요.")
    for text in caught.value.texts.values():
        assert "LINE Notify" in text
        assert token not in text


@pytest.mark.parametrize("to", ["@knock", "jisu", "U0123", "u" + ME[1:], ME + "0", "X" + ME[1:]])
def test_a_name_that_people_see_is_refused_where_it_is_typed(to: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Line().put("to", to)

    assert "LINE Developers" in caught.value.texts["ko"]


@pytest.mark.parametrize("to", [ME, "C" + ME[1:], "R" + ME[1:]])
def test_people_groups_and_rooms_are_taken(to: str) -> None:
    receiver = Line()

    receiver.put("to", to)

    assert receiver.to == to
