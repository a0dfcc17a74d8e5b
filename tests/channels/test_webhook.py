"""The webhook: what is special about it."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any, List

from knock_magic.channels.webhook import Webhook
from knock_magic.event import Event
from knock_magic.template import render

from .stage import CANARY, Contract, Internet

URL = f"https://hook.example.com/services/{CANARY}0123456789?key={CANARY}9876543210"


def strings(value: Any) -> List[str]:
    if isinstance(value, dict):
        return [text for item in value.items() for text in strings(item)]
    if isinstance(value, (list, tuple)):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


CONTRACT = Contract(
    settings={"url": URL, "secret": f"{CANARY}-sign"},
    read=lambda request: [request.json["title"], request.json["text"]],
    takes_pages=True,
)


def test_the_signature_is_of_the_exact_bytes(internet: Internet) -> None:
    Webhook(**CONTRACT.settings).send(render(Event("finished", "학습", 0.0, 10.0, 10.0), lang="ko"))

    request = internet.requests[-1]
    digest = hmac.new(CONTRACT.settings["secret"].encode(), request.body, hashlib.sha256).hexdigest()
    assert request.headers["X-Knock-Signature"] == f"sha256={digest}"
    assert "학습".encode() in request.body


def test_without_a_secret_nothing_is_signed(internet: Internet) -> None:
    Webhook(url=URL).send(render(Event("finished", "학습", 0.0, 10.0, 10.0)))

    assert "X-Knock-Signature" not in internet.requests[-1].headers


def test_every_field_is_always_there(internet: Internet) -> None:
    Webhook(url=URL).send(render(Event("started", "학습", 0.0)))

    body = json.loads(internet.requests[-1].body)
    assert set(body) == {
        *("id", "run", "event", "name", "title", "text", "started_at", "ended_at", "duration_s", "host", "user"),
        *("notebook", "execution_count", "error", "metrics", "progress", "late_s"),
    }
    assert body["ended_at"] is None
