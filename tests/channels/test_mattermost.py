"""Mattermost: its Markdown, its two ways in, its IDs."""

from __future__ import annotations

import base64
import dataclasses
import functools
import re
from typing import Dict, List

import pytest

from knock_magic.channels.mattermost import Mattermost
from knock_magic.errors import DeliveryError, SettingsError
from knock_magic.event import ErrorInfo, Event, Picture
from knock_magic.template import render

from . import stage
from .stage import CANARY, Answer, Contract, Internet, Request

HOOK = f"https://chat.example.com/hooks/{CANARY}xxxxxxxxxxxxxxxxxxxx"
POST = "dqb5x8k4pjbz8k1s7m5w3n9xzc"
BOT = {"server": "https://chat.example.com", "token": f"{CANARY}0123456789abcdefghij", "channel": "c" * 26}


def texts(request: Request) -> List[str]:
    """All that Markdown is read in."""
    body = request.json
    attachments = body.get("attachments", body.get("props", {}).get("attachments", []))
    return [body.get("text", body.get("message", "")), *(each["text"] for each in attachments)]


def alive(request: Request) -> List[str]:
    """What is left of Markdown, mentions, tags and links outside of code and behind no backslash."""
    found: List[str] = []
    for text in texts(request):
        found += re.findall(r"<[!@#]\S*|<https?:", text)  # these live in code too
        code = re.compile(r"^```\n(.*?)\n```$", re.DOTALL | re.MULTILINE)
        found += [inside for inside in code.findall(text) if "```" in inside]
        text = code.sub("", text)
        text = re.sub(r"\\[^A-Za-z0-9\s]", "", text)
        text = re.sub(r"\*\*(.*?)\*\*", r"\1", text)  # ours
        found += re.findall(r"[\\*_~`|>{}\[\]#]|[@#:~$]\w+|https?://\S+", text)
    return found


def is_message(request: Request) -> bool:
    return not request.path.endswith("/files")


def answer(request: Request) -> Answer:
    return Answer(201, {"id": POST} if is_message(request) else {"file_infos": [{"id": "f" * 26}]})


CONTRACT = Contract(
    settings=dict(BOT),
    answer=answer,
    is_message=is_message,
    read=lambda request: ["\n".join(texts(request))],
    alive=alive,
    inside=[("nothing", Answer(200, ""), True), ("no post", Answer(200, {}), True)],
    gone=Answer(404, {"id": "app.post.get.app_error", "message": "Unable to get the post.", "status_code": 404}),
    below=lambda request: request.json.get("root_id"),
)


message = functools.partial(stage.message, metrics={"val_acc": 0.91})


def error_of(channel: Mattermost, answer: Answer, internet: Internet) -> DeliveryError:
    internet.answering = lambda request: answer
    with pytest.raises(DeliveryError) as caught:
        channel.send(message())
    return caught.value


# The two ways in.


def test_a_webhook_gets_a_headline_and_an_edge_in_the_outcome_s_colour(internet: Internet) -> None:
    internet.answering = lambda request: Answer(200, "ok")

    handle = Mattermost(webhook_url=HOOK).send(message())

    assert handle is None
    assert internet.requests[0].json == {
        "text": "**❌ 학습 실패했어요 · 1분**",
        "attachments": [
            {
                "color": "#d64545",
                "fallback": "❌ 학습 실패했어요 · 1분",
                "text": "val\\_acc **0.91**\n```\nValueError: loss is nan\ncell, 3, <module>\n```",
            }
        ],
    }


def test_a_webhook_can_neither_edit_nor_show_a_picture() -> None:
    hook = Mattermost(webhook_url=HOOK)

    assert (hook.edits, hook.threads, hook.takes_pictures) == (False, False, False)


@pytest.mark.parametrize("answer", [Answer(200, ""), Answer(200, "no"), Answer(200, {"ok": True})])
def test_only_the_word_ok_is_a_webhook_s_success(internet: Internet, answer: Answer) -> None:
    assert error_of(Mattermost(webhook_url=HOOK), answer, internet).permanent


def test_a_bot_s_picture_is_uploaded_and_then_shown(internet: Internet) -> None:
    internet.answering = answer
    picture = Picture("image/png", base64.b64encode(b"\x89PNG").decode())

    handle = Mattermost(**BOT).send(dataclasses.replace(message(picture=picture), after="r" * 26))

    upload, post = internet.requests
    assert upload.parts["files"] == ("picture.png", "image/png", b"\x89PNG")
    assert upload.parts["channel_id"].content.decode() == BOT["channel"]
    assert (post.json["file_ids"], post.json["root_id"], post.json["channel_id"]) == (
        ["f" * 26],
        "r" * 26,
        BOT["channel"],
    )
    assert {request.headers["Authorization"] for request in internet.requests} == {f"Bearer {BOT['token']}"}
    assert handle == POST


def test_a_line_that_begins_with_a_number_begins_no_list() -> None:
    told = render(Event("message", "", 0.0, text="scores\n1. first\n 2. second 3.5"), lang="ko")

    assert "1\\. first\n 2\\. second 3.5" in Mattermost(webhook_url=HOOK).markdown(told)[1][0]["text"]


def test_an_edit_is_a_patch_of_its_post(internet: Internet) -> None:
    internet.answering = answer

    Mattermost(**BOT).edit(POST, message("progress"))

    request = internet.requests[0]
    assert (request.method, request.path) == ("PUT", f"/api/v4/posts/{POST}/patch")
    assert set(request.json) == {"message", "props"}


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, ["KNOCK_MATTERMOST_WEBHOOK_URL"]),
        ({"webhook_url": HOOK}, []),
        ({"token": BOT["token"]}, ["KNOCK_MATTERMOST_SERVER", "KNOCK_MATTERMOST_CHANNEL"]),
        (BOT, []),
    ],
)
def test_one_way_in_is_enough(given: Dict[str, str], missing: List[str]) -> None:
    assert Mattermost(**given).missing() == missing


# Its dialect.


def test_what_slack_s_dialect_means_is_no_mention_even_in_code(internet: Internet) -> None:
    internet.answering = lambda request: Answer(200, "ok")

    Mattermost(webhook_url=HOOK).send(message(error=ErrorInfo("ValueError", "<!channel> <https://evil.example|x> ```")))

    assert alive(internet.requests[0]) == []


# Its IDs.


@pytest.mark.parametrize(
    ("status", "name", "revoked", "hint"),
    [
        (400, "web.incoming_webhook.invalid.app_error", True, "webhook_url"),
        (501, "web.incoming_webhook.disabled.app_error", True, "admin"),
        (404, "web.incoming_webhook.channel.app_error", True, "channel"),
        (401, "api.context.session_expired.app_error", True, "token"),
        (403, "api.context.permissions.app_error", True, "team"),
        (400, "web.incoming_webhook.text.app_error", False, "HTTP 400"),
    ],
)
def test_an_id_says_what_to_do(internet: Internet, status: int, name: str, revoked: bool, hint: str) -> None:
    said = Answer(status, {"id": name, "message": "no", "status_code": status})

    error = error_of(Mattermost(webhook_url=HOOK), said, internet)

    assert (error.permanent, error.revoked) == (True, revoked)
    assert hint in error.texts["en"]


# Its settings.


@pytest.mark.parametrize(
    ("address", "owner"),
    [
        ("https://hooks.slack.com/services/T/B/x", "Slack"),
        ("https://discord.com/api/webhooks/1/x", "Discord"),
        ("https://chat.example.com/team/channels/town-square", ""),
    ],
)
def test_an_address_that_is_no_webhook_s_is_refused_where_it_is_typed(address: str, owner: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Mattermost().put("webhook_url", address)

    for text in caught.value.texts.values():
        assert "/hooks/" in text
        assert owner in text
        assert address not in text


@pytest.mark.parametrize("channel", ["town-square", "#training", "https://chat.example.com/t/channels/x"])
def test_a_channel_s_name_is_not_its_id(channel: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Mattermost().put("channel", channel)

    assert "26" in caught.value.texts["ko"]
