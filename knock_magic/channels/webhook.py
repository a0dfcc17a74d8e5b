"""`Webhook`: posts each knock as JSON to an address of the user's own."""

from __future__ import annotations

import datetime
import hashlib
import hmac
import json
from typing import Any, Dict, Optional

from knock_magic.channels.base import HttpChannel, Url
from knock_magic.settings import Secret
from knock_magic.template import Message


class Webhook(HttpChannel):
    """Post a knock as JSON, signed if a secret is set.

    The signature is ``X-Knock-Signature: sha256=`` and the hex HMAC-SHA256 of the exact body bytes.
    """

    key = "webhook"
    label = {"en": "Webhook", "ko": "웹훅"}
    steps = {
        "en": "1. Take the address of a server that accepts a JSON POST.\n"
        "2. Set it as url; with a secret, each knock is signed.",
        "ko": "1. JSON POST를 받을 서버 주소를 준비해 주세요.\n"
        "2. 그 주소를 url에 넣어 주세요. secret을 정하면 알림마다 서명이 붙어요.",
    }

    url = Url(help="Address that takes the JSON.").tag(config=True, required=True, ko="JSON을 받을 주소")
    secret = Secret(help="Key of the signature, if the server checks one.").tag(
        config=True, ko="서버가 서명을 확인할 때 쓰는 키"
    )

    def send(self, message: Message) -> None:
        """Deliver `message`; any 2xx is a success, for the server is the user's own."""
        body = json.dumps(payload(message), ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
        headers = {"Content-Type": "application/json; charset=utf-8"}
        if self.secret:
            digest = hmac.new(self.secret.encode("utf-8"), body, hashlib.sha256).hexdigest()
            headers["X-Knock-Signature"] = f"sha256={digest}"
        self.post(self.url, body=body, headers=headers)


def payload(message: Message) -> Dict[str, Any]:
    """The JSON body; every field is always there."""
    event = message.event.to_json()
    same = ("id", "run", "event", "name")
    rest = ("host", "user", "notebook", "execution_count", "error", "metrics", "progress")
    return {
        **{name: event[name] for name in same},
        "title": message.title,
        "text": message.text,
        "started_at": _iso(message.event.started_at),
        "ended_at": _iso(message.event.ended_at),
        "duration_s": round(message.event.duration_s, 3),
        **{name: event[name] for name in rest},
        "late_s": round(message.late_s, 3),
    }


def _iso(seconds: Optional[float]) -> Optional[str]:
    """ISO 8601 with this machine's zone."""
    return None if seconds is None else datetime.datetime.fromtimestamp(seconds).astimezone().isoformat()
