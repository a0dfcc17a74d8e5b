"""Apprise: what is special about it. The library is the real one; the servers behind its addresses are our own."""

from __future__ import annotations

import contextlib
import logging
import re
import sys
import threading
from typing import List, Optional

import pytest

from knock_magic.channels.apprise import Apprise, split
from knock_magic.errors import DeliveryError, SettingsError
from knock_magic.event import Event, Picture
from knock_magic.redaction import Redactor
from knock_magic.template import render

from .stage import CANARY, Answer, Contract, Internet, Request
from .test_webhook import strings

HOOK = f"jsons://me:{CANARY}pass@hook.example.com/{CANARY}path?+X-Key={CANARY}"
OTHER = f"jsons://other.example.com/{CANARY}"
TELEGRAM = f"tgram://123456789:{CANARY}abcdefghijklmnopqrstuvwxyz012/987654321"


def alive(request: Request) -> List[str]:
    return re.findall(r"@everyone|@here|<!channel>|<@U|<script|\]\(https", "\n".join(strings(request.json)))


CONTRACT = Contract(
    settings={"urls": HOOK},
    wire="library",
    needs="apprise",
    read=lambda request: [request.json["title"], request.json["message"]],
    alive=alive,
)


@pytest.fixture(autouse=True)
def library(request: pytest.FixtureRequest) -> None:
    if "without" not in request.node.name:
        pytest.importorskip("apprise")


def send(urls: str = HOOK, kind: str = "failed", picture: Optional[Picture] = None) -> None:
    channel = Apprise()
    channel.put("urls", urls)
    channel.send(render(Event(kind, "resnet", 1.0, 61.0, 60.0, metrics={"acc": 0.9}, picture=picture), lang="en"))


def error_of(urls: str) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        send(urls)
    assert CANARY not in repr(caught.value.texts)
    return caught.value


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("finished", "success"), ("failed", "failure"), ("stalled", "warning"), ("progress", "info"), ("test", "info")],
)
def test_an_outcome_is_told_as_apprise_calls_it(internet: Internet, kind: str, expected: str) -> None:
    send(kind=kind)

    assert internet.requests[0].json["type"] == expected


def test_headline_and_rest_are_told_apart(internet: Internet) -> None:
    send()

    assert internet.requests[0].json["title"] == "❌ resnet failed · 1 min"
    assert internet.requests[0].json["message"] == "acc 0.9"


def test_a_picture_is_sent_from_memory(internet: Internet) -> None:
    pytest.importorskip("apprise.attachment.memory")

    send(picture=Picture("image/png", "iVBORw0KGgo="))

    (attached,) = internet.requests[0].json["attachments"]
    assert attached["base64"] == "iVBORw0KGgo="
    assert attached["mimetype"] == "image/png"


@pytest.mark.parametrize(
    ("url", "host"),
    [
        (f"pover://{'u' * 30}@{'t' * 30}", "api.pushover.net"),
        ("gotifys://gotify.example.com/AbCdEf123456789", "gotify.example.com"),
        (f"twilio://AC{'a' * 32}:{'b' * 32}@15551234567/15559876543", "api.twilio.com"),
        (f"dingtalk://{'d' * 64}", "oapi.dingtalk.com"),
        ("wecombot://693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa", "qyapi.weixin.qq.com"),
        (f"feishu://{'f' * 36}", "open.feishu.cn"),
        (f"zulip://bot@org/{'z' * 32}/general", "org.zulipchat.com"),
        (f"wxteams://{'w' * 80}", "api.ciscospark.com"),
        (f"rockets://{'r' * 17}/{'s' * 43}@chat.example.com/#general", "chat.example.com"),
    ],
)
def test_the_services_that_are_promised_are_reached(internet: Internet, url: str, host: str) -> None:
    """They answer as if they were another, so that is an error; what they get is what counts."""
    with contextlib.suppress(DeliveryError):
        send(url)

    assert host in {request.host for request in internet.requests}
    assert "resnet" in "".join(request.body.decode() for request in internet.requests if request.host == host)


def test_a_service_with_less_room_gets_less(internet: Internet) -> None:
    """Telegram takes 4096 characters, of which a long error must leave the headline."""
    internet.answering = lambda request: Answer(200, {"ok": True, "result": {}})
    error_text = "x" * 9000
    channel = Apprise()
    channel.put("urls", TELEGRAM)

    channel.send(render(Event("message", "", 1.0, text=f"loss is nan\n{error_text}"), lang="en"))

    text = internet.requests[-1].json["text"]
    assert len(re.sub("</?b>", "", text)) <= 4096  # which Telegram counts without them
    assert "loss is nan" in text


def test_every_address_gets_it(internet: Internet) -> None:
    send(f"{HOOK},\n {OTHER}")

    assert [request.host for request in internet.requests] == ["hook.example.com", "other.example.com"]


def test_a_comma_within_an_address_parts_nothing() -> None:
    assert split("mailto://a@b.c?to=x@y.z,v@w.x, json://h,json://i") == [
        *("mailto://a@b.c?to=x@y.z,v@w.x", "json://h", "json://i")
    ]


def test_each_address_is_kept_out_of_texts_with_its_parts() -> None:
    channel = Apprise(urls=f"{HOOK} {TELEGRAM}")

    text = Redactor({}, channel.secrets).text(f"{TELEGRAM} and {CANARY}abcdefghijklmnopqrstuvwxyz012 and {CANARY}path")

    assert CANARY not in text


def test_a_list_is_good_too() -> None:
    channel = Apprise()

    channel.put("urls", ["json://h", "json://i"])

    assert channel.urls == "json://h json://i"


def test_what_is_no_address_is_refused_by_its_place(internet: Internet) -> None:
    with pytest.raises(SettingsError) as caught:
        Apprise().put("urls", f"{CANARY} json://h", "KNOCK_APPRISE_URLS")

    assert "KNOCK_APPRISE_URLS must be addresses of Apprise" in str(caught.value)
    assert "number 1 is none" in str(caught.value)
    assert CANARY not in repr(caught.value.texts)


def test_an_address_that_apprise_does_not_know_is_told_by_its_place_and_kind(internet: Internet) -> None:
    error = error_of(f"{HOOK} nosuch://{CANARY}")

    assert error.permanent
    assert "address number 2 (nosuch://)" in str(error)
    assert internet.requests == []


@pytest.mark.parametrize(
    ("status", "permanent", "revoked"), [(401, True, True), (404, True, True), (400, True, False), (503, False, False)]
)
def test_a_refusal_names_the_service_and_the_number(
    internet: Internet, status: int, permanent: bool, revoked: bool
) -> None:
    internet.answering = lambda request: Answer(status, f"no {CANARY}")

    error = error_of(HOOK)

    assert f"JSON (HTTP {status}) did not take it" in str(error)
    assert (error.permanent, error.revoked, error.maybe_sent) == (permanent, revoked, status >= 500)


def test_a_server_that_is_not_there_is_tried_again(internet: Internet) -> None:
    internet.unplug()

    assert not error_of(HOOK).permanent


def test_what_some_took_is_not_sent_to_them_again(internet: Internet) -> None:
    internet.answering = lambda request: Answer(500 if request.host.startswith("other") else 200)

    error = error_of(f"{HOOK} {OTHER}")

    assert error.permanent
    assert "the other 1 did" in str(error)


def test_nothing_shows_in_any_log(
    internet: Internet, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    internet.answering = lambda request: Answer(403, f"{request.path} {request.headers}")
    error_of(f"{HOOK} {TELEGRAM}")

    assert CANARY not in caplog.text + "".join(capfd.readouterr())

    logging.getLogger("apprise").warning("somebody else's")
    assert "somebody else's" in caplog.text


def test_no_thread_is_left_behind(internet: Internet) -> None:
    before = set(threading.enumerate())

    send()

    assert {each for each in threading.enumerate() if "apprise" in each.name.lower()} <= before


def test_without_the_library_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)

    error = error_of(HOOK)

    assert error.permanent
    for text in error.texts.values():
        assert 'pip install "knock-magic[apprise]"' in text
