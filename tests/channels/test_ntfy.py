"""ntfy: its topic, its headers, its codes."""

from __future__ import annotations

import base64
import email.header
import re
from typing import Any, Dict, List

import pytest

from knock_magic.channels.ntfy import Ntfy
from knock_magic.errors import DeliveryError, SettingsError
from knock_magic.event import Picture

from .stage import CANARY, Answer, Contract, Internet, Request, message

TOPIC = f"knock-{CANARY}-8f3kq2x7"


def decoded(header: str) -> str:
    return str(email.header.make_header(email.header.decode_header(header)))


def fields(request: Request) -> Dict[str, Any]:
    if request.method == "POST":
        return request.json
    headers = {"message": "X-Message", "title": "X-Title", "priority": "X-Priority", "sequence_id": "X-Sequence-ID"}
    return {name: decoded(request.headers[each]) for name, each in headers.items() if each in request.headers}


def read(request: Request) -> List[str]:
    return ["\n".join(filter(None, [fields(request).get("title"), fields(request)["message"]]))]


def alive(request: Request) -> List[str]:
    known = {"topic", "title", "message", "priority", "sequence_id"}  # no Markdown, no click, no actions
    return [*(set(fields(request)) - known), *re.findall(r"\w+://\S+|@\w+|\w\.[a-z]{2,}", read(request)[0])]


def answer(request: Request) -> Answer:
    return Answer(200, {"id": "sPs71M8A2T", "event": "message", "sequence_id": fields(request).get("sequence_id")})


CONTRACT = Contract(
    settings={"topic": TOPIC, "token": f"tk_{CANARY}xxxxxxxxxxxxxxxxxxxxxxx"},
    answer=answer,
    read=read,
    alive=alive,
    inside=[("nothing", Answer(200, ""), True), ("another event", Answer(200, {"event": "open"}), True)],
)


def error_of(answer: Answer, internet: Internet) -> DeliveryError:
    internet.answering = lambda request: answer
    with pytest.raises(DeliveryError) as caught:
        Ntfy(topic=TOPIC).send(message())
    return caught.value


def test_apprise_s_own_plugin_sends_the_same(internet: Internet) -> None:
    plugin = pytest.importorskip("apprise.plugins.ntfy")
    internet.answering = answer
    Ntfy(**CONTRACT.settings).send(message())
    ours = internet.requests[0]

    there = plugin.NotifyNtfy(
        targets=[TOPIC], mode="private", host="ntfy.sh", secure=True, auth="token", token=CONTRACT.settings["token"]
    )
    assert there.send(body=ours.json["message"], title=ours.json["title"])

    theirs = internet.requests[1]
    assert (theirs.method, theirs.host, theirs.path) == (ours.method, ours.host, ours.path)
    assert theirs.headers["Authorization"] == ours.headers["Authorization"]
    same = ("topic", "title", "message")
    assert [ours.json[name] for name in same] == [theirs.json[name] for name in same]


def test_each_loudness_has_its_priority(internet: Internet) -> None:
    internet.answering = answer

    for kind in ("failed", "finished", "progress"):
        Ntfy(topic=TOPIC).send(message(kind))

    assert [request.json["priority"] for request in internet.requests] == [4, 3, 2]


def test_a_picture_s_words_are_in_headers_that_hold_hangul_and_new_lines(internet: Internet) -> None:
    internet.answering = answer
    picture = Picture("image/png", base64.b64encode(b"\x89PNG").decode())

    Ntfy(topic=TOPIC).send(message(picture=picture))

    request = internet.requests[0]
    assert (request.method, request.path) == ("PUT", f"/{TOPIC}")
    assert request.body == b"\x89PNG"
    assert all(value.isascii() for value in request.headers.values())
    assert decoded(request.headers["X-Title"]) == "❌ 학습 실패했어요 · 1분"
    assert "ValueError: loss is nan\n" in decoded(request.headers["X-Message"])
    assert (request.headers["X-Filename"], request.headers["X-Priority"]) == ("picture.png", "4")


def test_a_message_of_one_line_has_no_title(internet: Internet) -> None:
    internet.answering = answer

    Ntfy(topic=TOPIC).send(message("finished", metrics={}))

    assert internet.requests[0].json["message"] == "✅ 학습 끝났어요 · 1분"
    assert "title" not in internet.requests[0].json


def test_an_edit_takes_the_first_one_s_place(internet: Internet) -> None:
    internet.answering = answer
    first = message("progress")

    handle = Ntfy(topic=TOPIC).send(first)
    Ntfy(topic=TOPIC).edit(handle, message("progress"))

    assert [request.json["sequence_id"] for request in internet.requests] == [first.event.id] * 2


def test_an_old_server_gets_no_edits_which_would_pile_up_there(internet: Internet) -> None:
    internet.answering = lambda request: Answer(200, {"id": "sPs71M8A2T", "event": "message"})
    handle = Ntfy(topic=TOPIC).send(message("progress"))

    with pytest.raises(DeliveryError) as caught:
        Ntfy(topic=TOPIC).edit(handle, message("progress"))

    assert (caught.value.permanent, caught.value.revoked) == (True, False)
    assert len(internet.requests) == 1


@pytest.mark.parametrize(
    ("status", "code", "revoked", "hint"),
    [(401, 40101, True, "token"), (403, 40301, True, "topic"), (400, 40010, True, "topic"), (413, 41303, False, "413")],
)
def test_a_code_says_what_to_do(internet: Internet, status: int, code: int, revoked: bool, hint: str) -> None:
    error = error_of(Answer(status, {"code": code, "http": status, "error": "no"}), internet)

    assert (error.permanent, error.revoked) == (True, revoked)
    assert hint in error.texts["ko"]


def test_the_quota_of_a_day_is_there_again_tomorrow(internet: Internet) -> None:
    error = error_of(Answer(429, {"code": 42908, "http": 429, "error": "daily message quota reached"}), internet)

    assert not error.permanent
    assert 0 < (error.retry_after or 0) <= 86400


@pytest.mark.parametrize("topic", ["https://ntfy.sh/mytopic", "내 토픽", "a/b", "x" * 65])
def test_a_topic_that_is_an_address_is_refused_where_it_is_typed(topic: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Ntfy().put("topic", topic, "KNOCK_NTFY_TOPIC")

    assert "server" in caught.value.texts["ko"]
    assert topic not in caught.value.texts["en"]


def test_a_server_of_one_s_own_is_used(internet: Internet) -> None:
    internet.answering = answer

    Ntfy(topic=TOPIC, server="https://push.example.com/").send(message())

    assert (internet.requests[0].host, internet.requests[0].path) == ("push.example.com", "/")
    assert "Authorization" not in internet.requests[0].headers
