"""JANDI: its rows, its colour, its headers."""

from __future__ import annotations

import re
from typing import List

import pytest

from knock_magic.channels.jandi import Jandi
from knock_magic.errors import DeliveryError, SettingsError
from knock_magic.event import ErrorInfo

from .stage import CANARY, Answer, Contract, Internet, Request, message

HOOK = f"https://wh.jandi.com/connect-api/webhook/12345678/{CANARY}0123456789abcdef"


def read(request: Request) -> List[str]:
    rows = [text for row in request.json["connectInfo"] for text in row.values()]
    return ["\n".join([request.json["body"], *rows])]


def alive(request: Request) -> List[str]:
    """A link is ``[text](address)``, or an address by itself; a mention is an @ and a name."""
    return re.findall(r"\]\(|\w+://\S+|@\w+|\w\.[a-z]{2,}", read(request)[0])


CONTRACT = Contract(settings={"webhook_url": HOOK}, read=read, alive=alive)


def test_a_headline_a_row_for_each_fact_and_the_error(internet: Internet) -> None:
    Jandi(webhook_url=HOOK).send(message())

    request = internet.requests[0]
    assert request.json == {
        "body": "❌ 학습 실패했어요 · 1분",
        "connectColor": "#d64545",
        "connectInfo": [
            {"title": "acc", "description": "0.91"},
            {"title": "ValueError: loss is nan", "description": "cell, 3, <module>"},
        ],
    }
    assert request.headers["Accept"] == "application/vnd.tosslab.jandi-v2+json"
    assert request.headers["Content-Type"].startswith("application/json")


@pytest.mark.parametrize("template", ["short", "standard", "detailed"])
def test_no_row_is_empty(internet: Internet, template: str) -> None:
    Jandi(webhook_url=HOOK).send(message(template=template, error=ErrorInfo("KeyError", ""), metrics={"a": "", "b": 1}))

    assert all(row and all(row.values()) for row in internet.requests[0].json["connectInfo"])


def test_a_webhook_that_is_gone_says_where_to_make_a_new_one(internet: Internet) -> None:
    internet.answering = lambda request: Answer(404, "")

    with pytest.raises(DeliveryError) as caught:
        Jandi(webhook_url=HOOK).send(message())

    assert caught.value.revoked
    assert "잔디 커넥트" in caught.value.texts["ko"]
    assert "JANDI Connect" in caught.value.texts["en"]


@pytest.mark.parametrize(
    ("address", "owner"),
    [
        ("https://www.jandi.com/landing/kr", "JANDI"),
        ("https://hook.dooray.com/services/1/2/3", "Dooray!"),
        ("http://wh.jandi.com/connect-api/webhook/1/x", ""),
    ],
)
def test_another_address_is_refused_where_it_is_typed(address: str, owner: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Jandi().put("webhook_url", address)

    assert "https://wh.jandi.com/connect-api/webhook/" in caught.value.texts["ko"]
    assert owner in caught.value.texts["ko"]
