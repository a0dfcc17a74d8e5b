"""Google Chat: its card, its threads, its errors."""

from __future__ import annotations

import re
from typing import List
from urllib.parse import parse_qsl, urlsplit

import pytest

from knock_magic.channels.googlechat import GoogleChat
from knock_magic.errors import DeliveryError, SettingsError
from knock_magic.event import ErrorInfo, Event
from knock_magic.template import render

from .stage import CANARY, Answer, Contract, Internet, Request, message

HOOK = f"https://chat.googleapis.com/v1/spaces/AAAA/messages?key={CANARY}-key-0123456789&token={CANARY}-token-01234%3D"


def paragraphs(request: Request) -> List[str]:
    (card,) = request.json["cardsV2"]
    (section,) = card["card"]["sections"]
    return [widget["textParagraph"]["text"] for widget in section["widgets"]]


def alive(request: Request) -> List[str]:
    """Tags but ours, and what would be linked; a card reads nothing else (`cardsV2` without `text`)."""
    found = ["text"] if "text" in request.json else []
    for text in paragraphs(request):
        found += [tag for tag in re.findall(r"<[^>]*>?", text) if tag not in ("<b>", "</b>", "<br>")]
        found += re.findall(r"\w+://\S+|@\w+|\w\.[a-z]{2,}", text)
    return found


CONTRACT = Contract(
    settings={"webhook_url": HOOK},
    answer=lambda request: Answer(
        200, {"name": "spaces/AAAA/messages/a.b", "thread": {"name": "spaces/AAAA/threads/a"}}
    ),
    read=lambda request: ["\n".join(paragraphs(request)), request.json["fallbackText"]],
    alive=alive,
    inside=[("nothing", Answer(200, ""), True), ("no message", Answer(200, {"name": "other"}), True)],
)


def error_of(answer: Answer, internet: Internet) -> DeliveryError:
    internet.answering = lambda request: answer
    with pytest.raises(DeliveryError) as caught:
        GoogleChat(webhook_url=HOOK).send(message())
    return caught.value


def test_a_card_and_the_words_for_a_phone(internet: Internet) -> None:
    internet.answering = CONTRACT.answer

    GoogleChat(webhook_url=HOOK).send(message())

    assert paragraphs(internet.requests[0]) == [
        "<b>❌ 학습 실패했어요 · 1분</b>",
        "acc <b>0.91</b>",
        "ValueError: loss is nan<br>cell, 3, &lt;module&gt;",
    ]
    assert internet.requests[0].json["fallbackText"] == message().text


def test_the_indents_of_lines_are_kept() -> None:
    told = render(Event("message", "", 0.0, text="for x in y:\n    step(x)"), lang="ko")

    (card,) = GoogleChat(webhook_url=HOOK).payload(told)["cardsV2"]

    shown = card["card"]["sections"][0]["widgets"][-1]["textParagraph"]["text"]
    assert shown == "\xa0\xa0\xa0\xa0step(x)"


def test_the_request_id_is_the_knock_s_and_the_thread_is_the_run_s(internet: Internet) -> None:
    internet.answering = CONTRACT.answer
    first, second = message("started"), message("finished", run="one run")

    for told in (first, first, second):
        GoogleChat(webhook_url=HOOK).send(told)

    queries = [dict(parse_qsl(urlsplit(request.path).query)) for request in internet.requests]
    assert [query["requestId"] for query in queries] == [first.event.id, first.event.id, second.event.id]
    assert {query["messageReplyOption"] for query in queries} == {"REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"}
    assert {query["token"] for query in queries} == {f"{CANARY}-token-01234="}
    assert internet.requests[2].json["thread"] == {"threadKey": "one run"}


def test_the_largest_message_is_within_google_s_limit(internet: Internet) -> None:
    internet.answering = CONTRACT.answer

    GoogleChat(webhook_url=HOOK).send(message(error=ErrorInfo("ValueError", '"한글<&\\\n' * 5000, "")))

    assert len(internet.requests[0].body) < 32_000


@pytest.mark.parametrize(
    ("status", "name", "said"),
    [
        (400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."),
        (401, "UNAUTHENTICATED", "Request had invalid authentication credentials."),
        (403, "PERMISSION_DENIED", "Permission denied"),
        (404, "NOT_FOUND", "Requested entity was not found."),
    ],
)
def test_a_webhook_that_is_gone_is_told_with_the_next_step(
    internet: Internet, status: int, name: str, said: str
) -> None:
    error = error_of(Answer(status, {"error": {"code": status, "message": said, "status": name}}), internet)

    assert (error.permanent, error.revoked) == (True, True)
    assert "Webhooks" in error.texts["en"]


def test_another_bad_request_is_the_message_s_own_fault(internet: Internet) -> None:
    said = {"error": {"code": 400, "message": "Invalid JSON payload received.", "status": "INVALID_ARGUMENT"}}

    error = error_of(Answer(400, said), internet)

    assert (error.permanent, error.revoked) == (True, False)


@pytest.mark.parametrize(
    ("address", "hint"),
    [
        ("https://chat.googleapis.com/v1/spaces/AAAA/messages?key=abc", "token="),
        ("https://chat.googleapis.com/v1/spaces/AAAA/messages", "key="),
        ("https://prod-01.koreacentral.logic.azure.com:443/workflows/1?sig=x", "Teams"),
    ],
)
def test_an_address_that_is_cut_off_or_another_s_is_refused_where_it_is_typed(address: str, hint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        GoogleChat().put("webhook_url", address, "KNOCK_GOOGLECHAT_WEBHOOK_URL")

    for text in caught.value.texts.values():
        assert hint in text
        assert address not in text
