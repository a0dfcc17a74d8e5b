"""The watch outside: what is special about it. The answers are those of its documents; the server is our own."""

from __future__ import annotations

from typing import Any, Dict, List
from urllib.parse import parse_qs, urlsplit

import pytest

from knock_magic.channels.healthchecks import Healthchecks
from knock_magic.errors import DeliveryError, SettingsError
from knock_magic.event import Event
from knock_magic.template import render

from .stage import CANARY, Answer, Contract, Internet, Request

CHECK = f"https://hc-ping.com/{CANARY}0123456789/nightly"
KUMA = f"https://kuma.example.com/api/push/{CANARY}0123456789?status=up&msg=OK&ping="
BETTER = f"https://uptime.betterstack.com/api/v1/heartbeat/{CANARY}0123456789"

CONTRACT = Contract(
    settings={"url": CHECK},
    answer=lambda request: Answer(200, "OK"),
    read=lambda request: [request.body.decode()],
    inside=[
        ("a check that was removed", Answer(200, "OK (not found)"), True),
        ("too many pings", Answer(200, "OK (rate-limited)"), False),
        ("another service", Answer(200, "welcome"), True),
    ],
)


def sent(internet: Internet, url: str, kind: str, **about: Any) -> Request:
    channel = Healthchecks()
    channel.put("url", url)
    channel.send(render(Event(kind, "resnet", 1.0, 61.0, 60.0, **about), lang="en"))
    return internet.requests[-1]


def query(request: Request) -> Dict[str, List[str]]:
    return parse_qs(urlsplit(request.path).query)


@pytest.fixture
def watch(internet: Internet) -> Internet:
    internet.answering = lambda request: Answer(200, {"ok": True} if "/api/push/" in request.path else "OK")
    return internet


@pytest.mark.parametrize(
    ("kind", "signal"),
    [
        *(("started", "/start"), ("finished", ""), ("failed", "/fail"), ("died", "/fail")),
        *(("interrupted", "/fail"), ("stalled", "/fail"), ("progress", "/log")),
    ],
)
def test_each_outcome_has_its_signal_and_names_its_run(watch: Internet, kind: str, signal: str) -> None:
    request = sent(watch, CHECK, kind, run="5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278")

    assert urlsplit(request.path).path == f"/{CANARY}0123456789/nightly{signal}"
    assert query(request) == {"rid": ["5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278"]}
    assert "resnet" in request.body.decode()


@pytest.mark.parametrize("kind", ["test", "message", "warning"])
def test_what_belongs_to_no_run_changes_nothing_at_the_check(watch: Internet, kind: str) -> None:
    assert sent(watch, CHECK, kind).path == f"/{CANARY}0123456789/nightly/log"


def test_a_query_of_the_address_stays(watch: Internet) -> None:
    request = sent(watch, f"{CHECK}?create=1", "started", run="r")

    assert request.path.endswith("/nightly/start?create=1&rid=r")


def test_a_check_that_was_just_made_by_its_ping_is_a_success(watch: Internet) -> None:
    watch.answering = lambda request: Answer(201, "Created")

    sent(watch, f"{CHECK}?create=1", "started")


@pytest.mark.parametrize(
    ("kind", "status"),
    [("started", "up"), ("progress", "up"), ("finished", "up"), ("failed", "down"), ("died", "down")],
)
def test_uptime_kuma_is_told_up_or_down(watch: Internet, kind: str, status: str) -> None:
    request = sent(watch, KUMA, kind)

    assert urlsplit(request.path).path == f"/api/push/{CANARY}0123456789"
    assert query(request)["status"] == [status]
    assert "resnet" in query(request)["msg"][0]
    assert "ping" not in query(request)
    assert (request.method, request.body) == ("GET", b"")  # earlier versions take no other


def test_uptime_kuma_s_no_is_an_error(watch: Internet) -> None:
    watch.answering = lambda request: Answer(404, {"ok": False, "msg": "Monitor not found or not active."})

    with pytest.raises(DeliveryError) as caught:
        sent(watch, KUMA, "finished")

    assert caught.value.permanent
    assert "not active" in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "revoked", "hint"),
    [
        (Answer(200, "OK (not found)"), True, "이제 없거나"),
        (Answer(404, "not found"), True, "이제 없거나"),
        (Answer(400, "invalid url format"), False, "핑 URL이 아니에요"),
        (Answer(409, "ambiguous slug"), False, "핑 URL이 아니에요"),
    ],
)
def test_what_a_server_of_ones_own_refuses_has_the_same_next_step(
    watch: Internet, answer: Answer, revoked: bool, hint: str
) -> None:
    watch.answering = lambda request: answer

    with pytest.raises(DeliveryError) as caught:
        sent(watch, "https://checks.lab.example/ping/0a1b", "finished")

    assert (caught.value.permanent, caught.value.revoked) == (True, revoked)
    assert hint in caught.value.texts["ko"]
    assert "있는 체크의 핑 URL을 복사해 url에" in caught.value.texts["ko"]


@pytest.mark.parametrize(("kind", "signal"), [("started", ""), ("finished", ""), ("failed", "/fail")])
def test_better_stack_gets_a_beat_or_a_failure(watch: Internet, kind: str, signal: str) -> None:
    request = sent(watch, BETTER, kind)

    assert request.path == f"/api/v1/heartbeat/{CANARY}0123456789{signal}"
    assert "resnet" in request.body.decode()


def test_a_page_in_the_place_of_better_stack_is_no_success(watch: Internet) -> None:
    watch.answering = lambda request: Answer(200, "<!DOCTYPE html><html>log in</html>")

    with pytest.raises(DeliveryError):
        sent(watch, BETTER, "finished")


def test_the_service_can_be_named_where_the_address_does_not_tell(watch: Internet) -> None:
    channel = Healthchecks(url="https://relay.example.com/beat", service="better-stack")

    channel.send(render(Event("failed", "resnet", 1.0, 61.0, 60.0)))

    assert watch.requests[-1].path == "/beat/fail"


def test_an_unknown_service_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingsError, match="healthchecks, uptime-kuma, better-stack"):
        Healthchecks().put("service", "pingdom")
