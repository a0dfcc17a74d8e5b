"""Telegram: its entities, its handles, its words."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
from typing import Any, Dict, List

import pytest

from knock_magic.channels.telegram import Telegram
from knock_magic.errors import DeliveryError, SettingsError
from knock_magic.event import ErrorInfo, Event, Picture
from knock_magic.template import Message, render

from .stage import CANARY, Answer, Contract, Internet, Request

TOKEN = f"123456789:{CANARY}xxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
CHAT = "-1001234567890"


def fields(request: Request) -> Dict[str, Any]:
    """What was called for, whether as JSON or with a file."""
    if not request.headers["Content-Type"].startswith("multipart"):
        return request.json
    texts = {name: part.content.decode() for name, part in request.parts.items() if not part.file_name}
    plain = ("chat_id", "caption", "text")
    return {name: text if name in plain else json.loads(text) for name, text in texts.items()}


def words(request: Request) -> str:
    found = fields(request)
    return found.get("text") or found["caption"]


def entities(request: Request) -> List[Dict[str, Any]]:
    found = fields(request)
    return found.get("entities") or found.get("caption_entities") or []


def alive(request: Request) -> List[str]:
    """What Telegram would find by itself in plain words: it does not look into code (tdlib, MessageEntity.cpp)."""
    raw = words(request).encode("utf-16-le")
    plain = bytearray(raw)
    for entity in entities(request):
        if entity["type"] in ("pre", "code"):
            start, end = 2 * entity["offset"], 2 * (entity["offset"] + entity["length"])
            plain[start:end] = b" \0" * entity["length"]
    found = re.findall(r"[@#$/]\w\S*|\S+://\S+|\w+\.[a-z]{2,}", plain.decode("utf-16-le"))
    return found + [name for name in ("parse_mode",) if name in fields(request)]


CONTRACT = Contract(
    settings={"token": TOKEN, "chat_id": CHAT},
    answer=lambda request: Answer(200, {"ok": True, "result": {"message_id": 7}}),
    read=lambda request: [words(request)],
    alive=alive,
    inside=[
        ("not ok", Answer(200, {"ok": False, "description": "Bad Request: chat not found"}), True),
        ("nothing", Answer(200, ""), True),
    ],
    gone=Answer(400, {"ok": False, "error_code": 400, "description": "Bad Request: message to edit not found"}),
    below=lambda request: fields(request).get("reply_parameters"),
)


def bot(**changes: Any) -> Telegram:
    return Telegram(**{**CONTRACT.settings, **changes})


def message(kind: str = "failed", **about: Any) -> Message:
    error = ErrorInfo("ValueError", "loss is nan", "cell, 3, <module>") if kind == "failed" else None
    values = {
        "name": "학습",
        "started_at": 0.0,
        "ended_at": 60.0,
        "duration_s": 60.0,
        "error": error,
        "metrics": {"acc": 0.91},
    }
    return render(Event(kind, **{**values, **about}), lang="ko")


def error_of(answer: Answer, internet: Internet) -> DeliveryError:
    internet.answering = lambda request: answer
    with pytest.raises(DeliveryError) as caught:
        bot().send(message())
    return caught.value


def refused(description: str, code: int = 400, **parameters: Any) -> Answer:
    return Answer(code, {"ok": False, "error_code": code, "description": description, "parameters": parameters})


# What is sent.


@pytest.mark.parametrize("about", [{}, {"name": "👨‍👩‍👧 학습 🇰🇷"}, {"metrics": {"a😀": "값 😀😀", "b": 1}}])
def test_telegram_s_own_python_library_reads_the_entities_as_they_were_meant(about: Dict[str, Any]) -> None:
    """Offsets are in UTF-16, so one emoji before them would shift all."""
    telegram = pytest.importorskip("telegram")
    told = message(**about)

    text, marks = bot().formatted(told)

    data = {"message_id": 1, "date": 0, "chat": {"id": 1, "type": "private"}, "text": text, "entities": marks}
    parsed = telegram.Message.de_json(data, None).parse_entities()
    found = [(entity.type, piece) for entity, piece in parsed.items()]
    assert ("bold", text.split("\n")[0]) in found
    assert ("pre", "ValueError: loss is nan\ncell, 3, <module>") in found
    assert [piece for kind, piece in found if kind == "code"] == [str(each) for each in told.event.metrics.values()]


def test_telegram_s_own_python_library_sends_the_same(internet: Internet) -> None:
    telegram = pytest.importorskip("telegram")
    import asyncio

    itself = {"id": 1, "first_name": "knock", "is_bot": True}
    sent = {"message_id": 7, "date": 0, "chat": {"id": int(CHAT), "type": "supergroup"}}
    internet.answering = lambda request: Answer(
        200, {"ok": True, "result": itself if request.path.endswith("/getMe") else sent}
    )
    text, marks = bot().formatted(message())
    bot().send(dataclasses.replace(message(), after="5p"))

    async def theirs() -> None:
        import ssl

        from telegram.request import HTTPXRequest

        trusted = ssl.create_default_context(cafile=str(internet.bundle))
        request = HTTPXRequest(httpx_kwargs={"verify": trusted, "trust_env": False})
        async with telegram.Bot(
            TOKEN, base_url=f"https://localhost:{internet.port}/bot", request=request, get_updates_request=request
        ) as theirs:
            await theirs.send_message(
                CHAT,
                text,
                entities=[telegram.MessageEntity(**mark) for mark in marks],
                disable_notification=False,
                link_preview_options=telegram.LinkPreviewOptions(is_disabled=True),
                reply_parameters=telegram.ReplyParameters(5, allow_sending_without_reply=True),
            )

    asyncio.run(theirs())

    ours, other = internet.requests[0], internet.requests[-1]
    assert ours.path == other.path
    form = {name: json.loads(text) if text[:1] in "[{" else text for name, text in other.form.items()}
    assert {**ours.json, "disable_notification": "false"} == {"disable_notification": "false", **form}


def test_only_what_is_told_on_the_way_makes_no_sound(internet: Internet) -> None:
    internet.answering = CONTRACT.answer

    for kind in ("progress", "finished", "failed"):
        bot().send(message(kind))

    assert [request.json["disable_notification"] for request in internet.requests] == [True, False, False]


def test_a_picture_s_caption_is_cut_to_its_own_limit(internet: Internet) -> None:
    internet.answering = CONTRACT.answer
    picture = Picture("image/png", base64.b64encode(b"\x89PNG").decode())

    handle = bot(topic=3).send(message(picture=picture, error=ErrorInfo("ValueError", "글😀" * 3000)))

    request = internet.requests[0]
    assert request.path.endswith("/sendPhoto")
    assert len(words(request).encode("utf-16-le")) // 2 <= 1024
    assert fields(request)["message_thread_id"] == 3
    assert request.parts["photo"] == ("picture.png", "image/png", b"\x89PNG")
    assert handle == "7p"


def test_an_edit_that_changes_nothing_is_a_success(internet: Internet) -> None:
    internet.answering = lambda request: refused("Bad Request: message is not modified: specified new message ...")

    bot().edit("7", message("progress"))
    bot().edit("7p", message("progress"))

    assert [request.path.rpartition("/")[2] for request in internet.requests] == [
        "editMessageText",
        "editMessageCaption",
    ]


def test_a_group_that_has_moved_gets_it_at_its_new_place(internet: Internet) -> None:
    moved = refused("Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=-1009)
    internet.answering = lambda request: CONTRACT.answer(request) if request.json["chat_id"] == -1009 else moved

    bot(chat_id="-123456").send(message())

    assert [request.json["chat_id"] for request in internet.requests] == ["-123456", -1009]


def test_a_group_that_moves_on_and_on_is_given_up(internet: Internet) -> None:
    error = error_of(refused("Bad Request: group chat was upgraded", migrate_to_chat_id=-1009), internet)

    assert error.permanent
    assert len(internet.requests) == 2


# Its words.


@pytest.mark.parametrize(
    ("answer", "revoked", "hint"),
    [
        (refused("Unauthorized", 401), True, "@BotFather"),
        (refused("Not Found", 404), True, "@BotFather"),
        (refused("Bad Request: chat not found"), True, "-100"),
        (refused("Forbidden: bot was blocked by the user", 403), True, "Start"),
        (refused("Forbidden: bot can't initiate conversation with a user", 403), True, "Start"),
        (refused("Forbidden: bot was kicked from the supergroup chat", 403), True, "administrator"),
        (refused("Bad Request: message thread not found"), True, "topic"),
        (refused("Bad Request: not enough rights to send text messages to the chat"), True, "administrator"),
        (refused("Bad Request: have no rights to send a message"), True, "administrator"),
        (refused("Bad Request: CHAT_WRITE_FORBIDDEN"), True, "administrator"),
        (refused("Bad Request: TOPIC_CLOSED"), True, "Reopen"),
        (refused("Forbidden: bot can't send messages to bots", 403), True, "step 3"),
        (refused("Forbidden: bots can't send messages to bots", 403), True, "step 3"),
        (refused("Forbidden: the group chat was deleted", 403), True, "another one"),
        (refused("Forbidden: something new", 403), True, "Check chat_id"),
        (refused("Bad Request: message text is empty"), False, "HTTP 400"),
    ],
)
def test_what_telegram_refuses_is_told_with_the_next_step(
    internet: Internet, answer: Answer, revoked: bool, hint: str
) -> None:
    error = error_of(answer, internet)

    assert (error.permanent, error.revoked) == (True, revoked)
    assert hint in error.texts["en"]


def test_the_waiting_time_is_in_the_body(internet: Internet) -> None:
    error = error_of(refused("Too Many Requests: retry after 35", 429, retry_after=35), internet)

    assert (error.permanent, error.retry_after) == (False, 35.0)


# Its settings.


@pytest.mark.parametrize(
    "token", ["987654321", f"{CANARY}xxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "123456789: AAE", "bot123:AAE"]
)
def test_a_token_without_its_colon_is_explained_where_it_is_typed(token: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Telegram().put("token", token, "KNOCK_TELEGRAM_TOKEN")

    assert "콜론" in caught.value.texts["ko"]
    assert token not in "".join(caught.value.texts.values())


@pytest.mark.parametrize(
    ("chat", "likely"),
    [
        ("1001234567890", "-1001234567890"),
        ("https://t.me/c/1234567890/55", "-1001234567890"),
        ("https://web.telegram.org/a/#-1001234567890", "-1001234567890"),
        ("https://web.telegram.org/k/#-1234567890", "-1001234567890"),
        ("https://web.telegram.org/a/#1234567890", " 1234567890"),
        ("나", ""),
        ("https://t.me/mychannel", ""),
    ],
)
def test_a_chat_that_needs_its_100_is_explained_where_it_is_typed(chat: str, likely: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Telegram().put("chat_id", chat)

    for text in caught.value.texts.values():
        assert "-100" in text
        assert likely in text


@pytest.mark.parametrize("chat", ["123456789", "-4012345678", CHAT, "@my_channel", 123456789])
def test_a_chat_may_be_a_number_or_a_public_name(chat: Any) -> None:
    telegram = Telegram()

    telegram.put("chat_id", chat)

    assert telegram.chat_id == str(chat)


@pytest.mark.parametrize("chat", ["123456789", "https://web.telegram.org/a/#123456789"])
def test_the_bot_s_own_number_is_no_chat(chat: str) -> None:
    with pytest.raises(SettingsError) as caught:
        bot().put("chat_id", chat)

    assert "봇 자신의 번호" in caught.value.texts["ko"]


@pytest.mark.parametrize("around", ["bot{}", "https://api.telegram.org/bot{}/getUpdates", "api.telegram.org/bot{}"])
def test_a_token_is_taken_out_of_an_address(around: str) -> None:
    telegram = Telegram()

    telegram.put("token", around.format(TOKEN))

    assert telegram.token == TOKEN


def test_a_picture_that_may_not_be_sent_there_costs_no_words(internet: Internet) -> None:
    forbidden = refused("Bad Request: not enough rights to send photos to the chat")
    internet.answering = lambda request: forbidden if "Photo" in request.path else CONTRACT.answer(request)

    bot().send(message(picture=Picture("image/png", base64.b64encode(b"\x89PNG").decode())))

    assert "그림은 보내지 못했어요" in words(internet.requests[-1])
