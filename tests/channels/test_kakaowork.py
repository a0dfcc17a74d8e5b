"""KakaoWork: its blocks, its codes, its two ways in."""

from __future__ import annotations

import functools
import re
from typing import Any, Dict, List

import pytest

from knock_magic.channels.kakaowork import Kakaowork
from knock_magic.errors import DeliveryError, SettingsError

from . import stage
from .stage import CANARY, Answer, Contract, Internet, Request

HOOK = f"https://kakaowork.com/bots/hook/{CANARY}0123456789abcdef0123456789"
KEY = f"0123abcd.{CANARY}0123456789abcdef0123"
SENT = Answer(200, {"success": True, "message": {"id": "1", "text": "x", "conversation_id": 2}})


def read(request: Request) -> List[str]:
    return [request.json["text"], "\n".join(block["text"] for block in request.json["blocks"])]


def alive(request: Request) -> List[str]:
    """Blocks show Markdown only where they say so, and named links only as inlines of their own."""
    found = [block for block in request.json["blocks"] if set(block) - {"type", "text", "inlines"}]
    inlines = [inline for block in request.json["blocks"] for inline in block.get("inlines", [])]
    found += [inline for inline in inlines if inline["type"] != "styled"]
    return [*map(str, found), *re.findall(r"\w+://\S+|@\w+|\w\.[a-z]{2,}", "\n".join(read(request)))]


def refused(code: str, status: int = 200) -> Answer:
    return Answer(status, {"success": False, "error": {"code": code, "message": "no"}})


CONTRACT = Contract(
    settings={"webhook_url": HOOK, "app_key": KEY, "email": "me@lab.example"},
    answer=lambda request: SENT,
    read=read,
    alive=alive,
    inside=[
        ("a code", refused("invalid_blocks"), True),
        ("an unknown code", refused("brand_new"), True),
        ("too many", refused("too_many_requests"), False),
        ("a fault", refused("internal_server_error"), False),
        ("another error", Answer(200, {"success": False, "error": "no"}), True),
        ("another answer", Answer(200, {}), True),
        ("nothing", Answer(200, ""), True),
    ],
)


message = functools.partial(stage.message, metrics={})


def bot() -> Kakaowork:
    return Kakaowork(app_key=KEY, email="me@lab.example")


def error_of(sender: Kakaowork) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        sender.send(message())
    return caught.value


# What is sent.


def test_a_bold_headline_and_the_rest_below_it(internet: Internet) -> None:
    internet.answering = CONTRACT.answer

    bot().send(message())

    headline = "❌ 학습 실패했어요 · 1분"
    request = internet.requests[0]
    assert request.path == "/v1/messages.send_by_email"
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.json == {
        "email": "me@lab.example",
        "text": message().text,
        "blocks": [
            {
                "type": "text",
                "text": headline,
                "inlines": [{"type": "styled", "text": headline, "bold": True, "color": "red"}],
            },
            {"type": "text", "text": "ValueError: loss is nan\ncell, 3, <module>"},
        ],
    }


@pytest.mark.parametrize(("kind", "colour"), [("died", "red"), ("finished", "blue"), ("progress", "grey")])
def test_the_colour_is_that_of_the_outcome(internet: Internet, kind: str, colour: str) -> None:
    internet.answering = CONTRACT.answer

    bot().send(message(kind))

    (bold,) = internet.requests[0].json["blocks"][0]["inlines"]
    assert bold["color"] == colour


def test_a_chat_takes_the_place_of_a_person(internet: Internet) -> None:
    internet.answering = CONTRACT.answer

    Kakaowork(app_key=KEY, email="me@lab.example", conversation_id="2940060").send(message())

    request = internet.requests[0]
    assert (request.path, request.json["conversation_id"]) == ("/v1/messages.send", "2940060")
    assert "email" not in request.json


@pytest.mark.parametrize("body", ["", "ok", {}, {"success": True}])
def test_a_webhook_s_2xx_is_a_success(internet: Internet, body: Any) -> None:
    internet.answering = lambda request: Answer(200, body)

    Kakaowork(webhook_url=HOOK).send(message())

    assert internet.requests[0].json["text"] == message().text
    assert "Authorization" not in internet.requests[0].headers


@pytest.mark.parametrize(
    "answer", [refused("invalid_blocks"), Answer(404, ""), Answer(200, "<!doctype html><title>Login</title>")]
)
def test_a_webhook_s_refusal_is_none(internet: Internet, answer: Answer) -> None:
    internet.answering = lambda request: answer

    error_of(Kakaowork(webhook_url=HOOK))


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, ["KNOCK_KAKAOWORK_WEBHOOK_URL"]),
        ({"webhook_url": HOOK}, []),
        ({"app_key": KEY}, ["KNOCK_KAKAOWORK_EMAIL"]),
        ({"app_key": KEY, "email": "me@lab.example"}, []),
        ({"app_key": KEY, "conversation_id": "1"}, []),
    ],
)
def test_one_way_in_is_enough(given: Dict[str, str], missing: List[str]) -> None:
    assert Kakaowork(**given).missing() == missing


# Its codes.


@pytest.mark.parametrize("status", [200, 400, 401, 404])
@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("invalid_authentication", "app_key"),
        ("expired_authentication", "app_key"),
        ("user_not_found", "email"),
        ("conversation_not_found", "conversation_id"),
    ],
)
def test_a_code_says_what_to_do_whatever_its_status(internet: Internet, code: str, hint: str, status: int) -> None:
    internet.answering = lambda request: refused(code, status)

    error = error_of(bot())

    assert (error.permanent, error.revoked) == (True, True)
    assert hint in error.texts["ko"]
    assert code in error.texts["en"]


@pytest.mark.parametrize(("code", "maybe"), [("too_many_requests", False), ("internal_server_error", True)])
def test_what_passes_is_tried_again(internet: Internet, code: str, maybe: bool) -> None:
    internet.answering = lambda request: refused(code)

    error = error_of(bot())

    assert (error.permanent, error.maybe_sent) == (False, maybe)


# Its settings.


@pytest.mark.parametrize(
    ("setting", "value", "hint"),
    [
        ("webhook_url", "https://hooks.slack.com/services/T/B/x", "Slack"),
        ("webhook_url", "https://api.kakaowork.com/v1/messages.send", "KakaoWork"),
        ("app_key", "0123456789abcdef0123456789abcdef", "App Key를 넣어 주세요."),
        ("app_key", "https://kakaowork.com/bots/hook/1", "App Key"),
        ("email", "jisu", "me@lab.example"),
    ],
)
def test_what_does_not_belong_there_is_refused_where_it_is_typed(setting: str, value: str, hint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Kakaowork().put(setting, value)

    assert hint in caught.value.texts["ko"]
    assert value not in caught.value.texts["ko"]
