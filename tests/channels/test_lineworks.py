"""LINE WORKS: its two ways in, its signature, its mentions, its words."""

from __future__ import annotations

import base64
import functools
import json
import re
import sys
import time
from typing import Any, Dict, List

import pytest

from knock_magic.channels.lineworks import OAUTH_TOKEN, Lineworks
from knock_magic.errors import DeliveryError, SettingsError

from . import stage
from .stage import CANARY, Answer, Contract, Internet, Request

hashes = pytest.importorskip("cryptography.hazmat.primitives.hashes")
from cryptography.hazmat.primitives import serialization  # noqa: E402 - after we know that it is there
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa  # noqa: E402

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = RSA.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
HOOK = f"https://webhook.worksmobile.com/message/{CANARY}-0123-4567-89ab"
BOT: Dict[str, str] = {
    "bot_id": "2000001",
    "user_id": "me@lab",
    "client_id": f"{CANARY}Id0123456789",
    "client_secret": f"{CANARY}Secret",
    "service_account": f"{CANARY}.serviceaccount@lab",
    "private_key": PEM,
}
TOKEN = f"{CANARY}-access"


def is_message(request: Request) -> bool:
    return request.host != "auth.worksmobile.com"


def answer(request: Request) -> Answer:
    if not is_message(request):
        return Answer(
            200, {"access_token": TOKEN, "token_type": "Bearer", "expires_in": "86400", "scope": "bot.message"}
        )
    return (
        Answer(201, "") if request.host == "www.worksapis.com" else Answer(200, {"code": 200, "description": "success"})
    )


def read(request: Request) -> List[str]:
    return [request.json["content"]["text"] if "content" in request.json else request.json["body"]["text"]]


def alive(request: Request) -> List[str]:
    """``<m userId="...">`` is a mention, and an address a link by itself; a text message knows no other markup."""
    return re.findall(r"<\w|\w+://\S+|@\w+|\w\.[a-z]{2,}", read(request)[0])


CONTRACT = Contract(
    settings={**BOT, "webhook_url": HOOK},
    answer=answer,
    is_message=is_message,
    read=read,
    alive=alive,
    canaries=(PEM, PEM.splitlines()[3]),
    inside=[
        ("a status", Answer(200, {"code": 400, "description": "bad"}), True),
        ("gone", Answer(200, {"code": 404, "description": "no such webhook"}), True),
        ("too many", Answer(200, {"code": 429, "description": "slow"}), False),
        ("trouble", Answer(200, {"code": 500, "description": "oops"}), False),
        ("a word", Answer(200, {"code": "INVALID_PARAMETER", "description": "bad"}), True),
    ],
)


message = functools.partial(stage.message, metrics={})


TEXT = "❌ 학습 실패했어요 · 1분\nValueError: loss is nan\ncell, 3, <\u200bmodule>"


def error_of(sender: Lineworks) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        sender.send(message())
    return caught.value


def part(text: str) -> Dict[str, Any]:
    found: Dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return found


# What is sent.


def test_a_webhook_gets_a_title_and_the_text(internet: Internet) -> None:
    internet.answering = answer

    Lineworks(webhook_url=HOOK).send(message())

    (request,) = internet.requests
    assert (request.host, request.json) == (
        "webhook.worksmobile.com",
        {"title": "knock", "body": {"text": TEXT}},
    )


def test_a_bot_writes_to_a_member_with_a_token_of_its_own(internet: Internet) -> None:
    internet.answering = answer

    Lineworks(**BOT).send(message())

    asked, sent = internet.requests
    assert f"https://{asked.host}{asked.path}" == OAUTH_TOKEN
    assert {name: asked.form[name] for name in ("client_id", "client_secret", "scope", "grant_type")} == {
        "client_id": BOT["client_id"],
        "client_secret": BOT["client_secret"],
        "scope": "bot.message",
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
    }
    assert (sent.host, sent.path) == ("www.worksapis.com", "/v1.0/bots/2000001/users/me%40lab/messages")
    assert sent.headers["Authorization"] == f"Bearer {TOKEN}"
    assert sent.json == {"content": {"type": "text", "text": TEXT}}


@pytest.mark.parametrize("lacking", ["private_key", "client_id", "user_id", "bot_id"])
def test_a_bot_that_is_not_whole_leaves_it_to_the_webhook(internet: Internet, lacking: str) -> None:
    internet.answering = answer
    sender = Lineworks(webhook_url=HOOK, **{name: value for name, value in BOT.items() if name != lacking})
    assert sender.missing() == []

    sender.send(message())

    assert [request.host for request in internet.requests] == ["webhook.worksmobile.com"]


def test_a_room_takes_the_place_of_a_member(internet: Internet) -> None:
    internet.answering = answer

    Lineworks(**BOT, channel_id="8895b3b4-1cff").send(message())

    assert internet.requests[1].path == "/v1.0/bots/2000001/channels/8895b3b4-1cff/messages"


def test_the_service_account_signs_for_ten_minutes(internet: Internet) -> None:
    """Verified by the public key, as LINE WORKS does it."""
    internet.answering = answer

    Lineworks(**BOT).send(message())

    head, claims, signature = internet.requests[0].form["assertion"].split(".")
    RSA.public_key().verify(
        base64.urlsafe_b64decode(signature + "=="), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256()
    )
    assert part(head) == {"alg": "RS256", "typ": "JWT"}
    told = part(claims)
    assert (told["iss"], told["sub"]) == (BOT["client_id"], BOT["service_account"])
    assert told["exp"] - told["iat"] == 600
    assert abs(told["iat"] - time.time()) < 60


@pytest.mark.parametrize("mention", ['<m userId="all">', '<M userid="all">', "<m\nuserId='a@b'>"])
def test_a_mention_in_what_was_said_calls_nobody(internet: Internet, mention: str) -> None:
    internet.answering = answer

    Lineworks(webhook_url=HOOK).send(message("message", text=mention))

    (text,) = read(internet.requests[0])
    assert alive(internet.requests[0]) == []
    assert text.replace("\u200b", "").endswith(mention)


# Its words.


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_token_that_is_refused_says_what_to_compare(internet: Internet, status: int) -> None:
    internet.answering = lambda request: Answer(status, {"error": "invalid_grant", "error_description": "JWT expired"})

    error = error_of(Lineworks(**BOT))

    assert (error.permanent, error.revoked, error.maybe_sent) == (True, True, False)
    assert "private_key" in error.texts["ko"]
    assert "invalid_grant" in error.texts["en"]


@pytest.mark.parametrize("failing", [Answer(500, "oops"), Answer(200, {"access_token": None}), Answer(deed="reset")])
def test_what_fails_on_the_way_to_a_token_has_sent_nothing(internet: Internet, failing: Answer) -> None:
    internet.answering = lambda request: failing

    error = error_of(Lineworks(**BOT))

    assert not error.maybe_sent
    assert [request for request in internet.requests if is_message(request)] == []


@pytest.mark.parametrize(
    ("headers", "wait"),
    [({}, 60.0), ({"rateLimit-reset": "17"}, 17.0), ({"rateLimit-reset": "soon"}, 60.0), ({"Retry-After": "3"}, 3.0)],
)
def test_its_limit_is_one_of_a_minute(internet: Internet, headers: Dict[str, str], wait: float) -> None:
    said = {"code": "TOO_MANY_REQUESTS", "description": "API rate limit exceeded"}
    internet.answering = lambda request: Answer(429, said, headers) if is_message(request) else answer(request)

    error = error_of(Lineworks(**BOT))

    assert (error.permanent, error.retry_after) == (False, wait)


def test_without_the_package_to_sign_with_it_says_how_to_get_it(
    internet: Internet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives", None)

    error = error_of(Lineworks(**BOT))

    assert (error.permanent, error.revoked) == (True, True)
    assert "pip install 'knock-magic[lineworks]'" in error.texts["ko"]
    assert internet.requests == []


@pytest.mark.parametrize("key", ["of nothing", "of another kind"])
def test_a_key_that_is_no_good_is_told(internet: Internet, key: str) -> None:
    other = ed25519.Ed25519PrivateKey.generate()
    pem = other.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    if key == "of nothing":
        pem = "-----BEGIN PRIVATE KEY-----\nTUlJRXZRSUJBREFOQmdrcWhraUc5dzBCQVFFRkFBU0NCS2N3\n-----END PRIVATE KEY-----"

    error = error_of(Lineworks(**{**BOT, "private_key": pem}))

    assert (error.permanent, error.revoked) == (True, True)
    assert "private_key" in error.texts["ko"]
    assert pem.splitlines()[1] not in str(error)


# Its settings.


# The key is made anew in each process, so it can't be what names a test.
@pytest.mark.parametrize(
    "shape",
    [PEM, PEM.replace("\n", ""), PEM.replace("\n", "\\n"), PEM.replace("\n", " "), f"\n{PEM}\n"],
    ids=["as it is", "in one line", "as JSON has it", "with spaces", "with lines around"],
)
def test_a_key_whose_lines_got_lost_is_the_same_key(shape: str) -> None:
    bot = Lineworks()

    bot.put("private_key", shape)

    assert bot.private_key == PEM


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, ["KNOCK_LINEWORKS_WEBHOOK_URL"]),
        ({"webhook_url": HOOK}, []),
        (BOT, []),
        ({**BOT, "user_id": "", "channel_id": "1"}, []),
        ({**BOT, "user_id": "", "private_key": ""}, ["KNOCK_LINEWORKS_PRIVATE_KEY", "KNOCK_LINEWORKS_USER_ID"]),
    ],
)
def test_one_way_in_is_enough(given: Dict[str, str], missing: List[str]) -> None:
    assert Lineworks(**given).missing() == missing


@pytest.mark.parametrize(
    ("setting", "value", "hint"),
    [
        ("webhook_url", "https://api.line.me/v2/bot/message/push", "LINE"),
        ("webhook_url", "https://www.worksapis.com/v1.0/bots/1", "LINE WORKS"),
        ("private_key", "/home/me/private.key", "BEGIN PRIVATE KEY"),
        ("service_account", "jisu", "serviceaccount@"),
        ("client_id", "두 단어", "공백"),
    ],
)
def test_what_does_not_belong_there_is_refused_where_it_is_typed(setting: str, value: str, hint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Lineworks().put(setting, value)

    assert hint in caught.value.texts["ko"]
    assert value not in caught.value.texts["ko"]
