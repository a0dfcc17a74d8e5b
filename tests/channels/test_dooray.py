"""Dooray!: its attachments, its answers, its clouds."""

from __future__ import annotations

import re
from typing import Any, List

import pytest

from knock_magic.channels import dooray
from knock_magic.channels.dooray import Dooray
from knock_magic.errors import DeliveryError, SettingsError
from knock_magic.event import ErrorInfo

from .stage import CANARY, Answer, Contract, Internet, Request, message

HOOK = f"https://hook.dooray.com/services/1234567890123456789/1234567890123456780/{CANARY}0123456789abcd"
MENTION = '(dooray://1234567890123456789/members/1234567890123456789 "member")'


def answer(successful: bool, message: str = "", code: Any = 0) -> Answer:
    return Answer(200, {"header": {"isSuccessful": successful, "resultCode": code, "resultMessage": message}})


def read(request: Request) -> List[str]:
    return ["\n".join([request.json["text"], *(block["text"] for block in request.json.get("attachments", []))])]


def alive(request: Request) -> List[str]:
    """A mention is ``(dooray://...)`` or an @ and a name, a link ``[text](address)`` or an address by itself."""
    links = [block for block in request.json.get("attachments", []) if set(block) - {"text", "color"}]
    found: List[str] = re.findall(r"\]\(|\w+://\S+|@\w+|\w\.[a-z]{2,}", read(request)[0])
    return found + [str(link) for link in links]


CONTRACT = Contract(
    settings={"webhook_url": HOOK},
    answer=lambda request: answer(True),
    read=read,
    alive=alive,
    inside=[
        ("a refusal", answer(False, "text field is required", "INVALID_PAYLOAD"), True),
        ("a refusal without words", answer(False, code=-1), True),
        ("too many", answer(False, "Rate limit exceeded"), False),
        ("another answer", Answer(200, {"header": {"isSuccessful": "true"}}), True),
        ("no header", Answer(200, {"header": None}), True),
        ("nothing", Answer(200, ""), True),
    ],
)


def test_a_headline_and_coloured_blocks_of_facts_and_the_error(internet: Internet) -> None:
    internet.answering = CONTRACT.answer

    Dooray(webhook_url=HOOK).send(message())

    assert internet.requests[0].json == {
        "botName": "knock",
        "text": "❌ 학습 실패했어요 · 1분",
        "attachments": [
            {"text": "acc  0.91", "color": "#d64545"},
            {"text": "ValueError: loss is nan\ncell, 3, <module>", "color": "#d64545"},
        ],
    }


def test_a_headline_alone_has_no_blocks(internet: Internet) -> None:
    internet.answering = CONTRACT.answer

    Dooray(webhook_url=HOOK).send(message("finished", metrics={}))

    assert internet.requests[0].json == {"botName": "knock", "text": "✅ 학습 끝났어요 · 1분"}


def test_a_mention_in_a_name_or_an_error_calls_nobody(internet: Internet) -> None:
    internet.answering = CONTRACT.answer

    Dooray(webhook_url=HOOK).send(message(error=ErrorInfo("ValueError", f"{MENTION} @channel [@a]{MENTION}", None)))

    assert alive(internet.requests[0]) == []
    assert "dooray:/\u200b/" in read(internet.requests[0])[0]


def test_an_independent_client_sends_the_same(internet: Internet) -> None:
    """PyDooray, written by others, is what our request is compared with."""
    pydooray = pytest.importorskip("dooray")
    if not hasattr(pydooray, "MessengerHook"):
        pytest.skip("another package called dooray is installed, not PyDooray")
    internet.answering = CONTRACT.answer
    Dooray(webhook_url=HOOK).send(message())
    ours = internet.requests[0]

    client = pydooray.MessengerHook(HOOK, hook_name="knock")
    blocks = pydooray.MessengerHookAttachments.builder()
    for block in ours.json["attachments"]:
        blocks.add_attachment(**block)
    client.send(ours.json["text"], blocks.create())

    theirs = internet.requests[1]
    assert (ours.host, ours.path, ours.method) == (theirs.host, theirs.path, theirs.method)
    assert {**ours.json, "botIconImage": theirs.json["botIconImage"]} == theirs.json


def test_the_next_message_can_t_come_within_a_second(internet: Internet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dooray! would drop it, and call that a success."""
    internet.answering = CONTRACT.answer
    slept: List[float] = []
    monkeypatch.setattr(dooray, "APART_S", 1.1)
    monkeypatch.setattr(dooray.time, "sleep", slept.append)

    Dooray(webhook_url=HOOK).send(message())

    assert slept == [1.1]


def test_its_own_words_are_told(internet: Internet) -> None:
    internet.answering = lambda request: answer(False, "text field is required")

    with pytest.raises(DeliveryError) as caught:
        Dooray(webhook_url=HOOK).send(message())

    assert "text field is required" in caught.value.texts["ko"]


@pytest.mark.parametrize(
    ("words", "permanent", "revoked"),
    [
        ("integrated service was deleted", True, True),
        ("삭제된 연동이에요", True, True),
        ("rate limited", False, False),
        ("호출 한도를 초과했어요", False, False),
        ("unlimited text is not allowed", True, False),
    ],
)
def test_its_words_tell_what_is_gone_from_what_passes(
    internet: Internet, words: str, permanent: bool, revoked: bool
) -> None:
    internet.answering = lambda request: answer(False, words)

    with pytest.raises(DeliveryError) as caught:
        Dooray(webhook_url=HOOK).send(message())

    assert (caught.value.permanent, caught.value.revoked) == (permanent, revoked)
    assert words in caught.value.texts["ko"]


@pytest.mark.parametrize("cloud", ["dooray.com", "gov-dooray.com", "gov-dooray.co.kr", "dooray.co.kr"])
def test_each_of_its_clouds_is_its_own(cloud: str) -> None:
    hook = Dooray()

    hook.put("webhook_url", f"https://hook.{cloud}/services/1/2/x")

    assert hook.webhook_url.startswith(f"https://hook.{cloud}/")


@pytest.mark.parametrize(
    ("address", "owner"),
    [
        ("https://lab.dooray.com/messenger/1", "Dooray!"),
        ("https://lab.gov-dooray.com/messenger/1", "Dooray!"),
        ("https://hooks.slack.com/services/T/B/x", "Slack"),
        ("http://hook.dooray.com/services/1/2/3", ""),
    ],
)
def test_another_address_is_refused_where_it_is_typed(address: str, owner: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Dooray().put("webhook_url", address)

    assert "https://hook.dooray.com/services/" in caught.value.texts["ko"]
    assert owner in caught.value.texts["ko"]
