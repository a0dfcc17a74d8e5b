"""Discord: its embeds, its handles, its codes."""

from __future__ import annotations

import base64
import functools
import json
import re
import warnings
from typing import Any, Dict, List
from urllib.parse import parse_qsl, urlsplit

import pytest

from knock_magic.channels.discord import Discord
from knock_magic.errors import DeliveryError, SettingsError
from knock_magic.event import ErrorInfo, Event, Picture
from knock_magic.template import render

from . import stage
from .stage import CANARY, Answer, Contract, Internet, Request

HOOK = f"https://discord.com/api/webhooks/123456789012345678/{CANARY}-{'x' * 60}"


def body(request: Request) -> Dict[str, Any]:
    if request.headers["Content-Type"].startswith("multipart"):
        return json.loads(request.parts["payload_json"].content)
    return request.json


def texts(request: Request) -> List[str]:
    """All that Discord reads Markdown in."""
    found = [body(request)["content"]]
    for embed in body(request)["embeds"]:
        found += [embed.get("description", "")]
        found += [text for field in embed.get("fields", []) for text in (field["name"], field["value"])]
    return found


def alive(request: Request) -> List[str]:
    """What is left of Markdown, mentions and links outside of code and behind no backslash."""
    found = [] if body(request)["allowed_mentions"] == {"parse": []} else ["allowed_mentions"]
    for text in texts(request):
        text = re.sub(r"^\*\*(.*)\*\*$", r"\1", text)
        assert text.count("```") % 2 == 0
        code = re.compile(r"^```\n(.*?)\n```$", re.DOTALL | re.MULTILINE)
        found += [inside for inside in code.findall(text) if "```" in inside]
        text = code.sub("", text)
        text = re.sub(r"\\[^A-Za-z0-9\s]", "", text)
        found += re.findall(r"[*_~`|<>\[\]#]|@\w+|:\w+:|https?://\S+", text)
    return found


CONTRACT = Contract(
    settings={"webhook_url": HOOK},
    answer=lambda request: Answer(200, {"id": "1098765432109876543"}),
    read=lambda request: ["\n".join(texts(request))],
    alive=alive,
    inside=[("nothing", Answer(200, ""), True), ("no message", Answer(200, {"code": 50006, "message": "empty"}), True)],
    gone=Answer(404, {"code": 10008, "message": "Unknown Message"}),
)


message = functools.partial(stage.message, metrics={"val_acc": 0.91})


def error_of(answer: Answer, internet: Internet) -> DeliveryError:
    internet.answering = lambda request: answer
    with pytest.raises(DeliveryError) as caught:
        Discord(webhook_url=HOOK).send(message())
    return caught.value


# What is posted.


def test_a_headline_and_an_embed_in_the_outcome_s_colour(internet: Internet) -> None:
    internet.answering = CONTRACT.answer

    handle = Discord(webhook_url=HOOK).send(message())

    posted = body(internet.requests[0])
    (embed,) = posted["embeds"]
    assert handle == "1098765432109876543"
    assert internet.requests[0].path.endswith("?wait=true")
    assert posted["content"] == "**❌ 학습 실패했어요 · 1분**"
    assert embed["color"] == 0xD64545
    assert embed["fields"] == [{"name": "val\\_acc", "value": "0.91", "inline": True}]
    assert embed["description"] == "```\nValueError: loss is nan\ncell, 3, <module>\n```"


@pytest.mark.parametrize("with_picture", [False, True])
def test_discord_s_own_python_library_sends_the_same(internet: Internet, with_picture: bool) -> None:
    discord = _discord_py()
    import requests

    internet.answering = lambda request: Answer(
        200,
        {"id": "1098765432109876543", "channel_id": "2", "type": 0, "content": "", "mentions": [], "attachments": []},
        {"Content-Type": "application/json"},
    )
    picture = Picture("image/png", base64.b64encode(b"\x89PNG").decode()) if with_picture else None
    told = message("progress", picture=picture)
    Discord(webhook_url=HOOK, thread="55555").send(told)
    ours = body(internet.requests[0])

    with requests.Session() as session:
        hook = discord.SyncWebhook.from_url(HOOK, session=session)
        extra = {"file": discord.File(__import__("io").BytesIO(b"\x89PNG"), "picture.png")} if picture else {}
        hook.send(
            ours["content"],
            embeds=[discord.Embed.from_dict(embed) for embed in ours["embeds"]],
            allowed_mentions=discord.AllowedMentions.none(),
            silent=True,
            thread=discord.Object(55555),
            wait=True,
            **extra,
        )

    other = internet.requests[1]
    theirs = body(other)
    assert ours["allowed_mentions"]["parse"] == theirs["allowed_mentions"]["parse"] == []
    for embed in theirs["embeds"]:
        assert embed.pop("type", "rich") == "rich"
        assert not embed.pop("flags", 0)
    same = ("content", "embeds", "flags")
    assert [ours[name] for name in same] == [theirs[name] for name in same]
    for request in internet.requests:
        address, query = urlsplit(request.path), dict(parse_qsl(urlsplit(request.path).query))
        assert address.path.replace("/v10", "") == urlsplit(HOOK).path
        assert (query["thread_id"], query["wait"] in ("1", "true")) == ("55555", True)
    if picture:
        assert other.parts[_file_part(other)].content == internet.requests[0].parts["files[0]"].content


def _file_part(request: Request) -> str:
    return next(name for name, part in request.parts.items() if part.file_name)


@pytest.mark.parametrize("size", [1, 20, 100])
def test_an_embed_is_within_discord_s_limits(size: int) -> None:
    error = ErrorInfo("ValueError", "<&>한글``` *" * 30 * size, "\n".join(f"f.py, {n}, x" for n in range(size)))
    metrics = {f"metric_{n}" * size: "값*" * 40 * size for n in range(size)}

    payload = Discord(webhook_url=HOOK).payload(message(error=error, metrics=metrics))

    sizes = [len(payload["content"])]
    for embed in payload["embeds"]:
        fields = embed.get("fields", [])
        assert len(fields) <= 25
        assert all(0 < len(field["name"]) <= 256 and 0 < len(field["value"]) <= 1024 for field in fields)
        assert len(embed.get("description", "").encode("utf-16-le")) // 2 <= 4096
        sizes += [len(embed.get("description", "")), *(len(f["name"] + f["value"]) for f in fields)]
    assert sizes[0] <= 2000
    assert sum(sizes) <= 6000


def test_a_long_headline_is_cut(internet: Internet) -> None:
    told = render(Event("message", "", 0.0, text="가*" * 5000), lang="ko")

    content = Discord(webhook_url=HOOK).payload(told)["content"]

    assert 1500 < len(content) <= 2000
    assert content.endswith("…**")


def test_a_line_that_begins_with_a_number_begins_no_list() -> None:
    told = render(Event("message", "", 0.0, text="scores\n1. first\n 2. second 3.5"), lang="ko")

    assert "1\\. first\n 2\\. second 3.5" in Discord(webhook_url=HOOK).payload(told)["embeds"][0]["description"]


def test_an_edit_goes_to_its_message_in_its_thread(internet: Internet) -> None:
    internet.answering = CONTRACT.answer

    Discord(webhook_url=f"{HOOK}?thread_id=77777").edit("1098765432109876543", message("progress"))

    request = internet.requests[0]
    assert request.method == "PATCH"
    assert request.path.endswith("/messages/1098765432109876543?thread_id=77777")
    assert "flags" not in body(request)


# Its codes.


@pytest.mark.parametrize(
    ("answer", "revoked", "hint"),
    [
        (Answer(404, {"code": 10015, "message": "Unknown Webhook"}), True, "webhook_url"),
        (Answer(401, {"code": 50027, "message": "Invalid Webhook Token"}), True, "webhook_url"),
        (Answer(400, {"code": 220001, "message": "Webhooks posted to forum channels"}), True, "thread"),
        (Answer(413, {"code": 40005, "message": "Request entity too large"}), False, "picture"),
        (Answer(400, {"code": 50035, "message": "Invalid Form Body", "errors": {}}), False, "Invalid Form Body"),
    ],
)
def test_what_discord_refuses_is_told_with_the_next_step(
    internet: Internet, answer: Answer, revoked: bool, hint: str
) -> None:
    error = error_of(answer, internet)

    assert (error.permanent, error.revoked) == (True, revoked)
    assert hint in error.texts["en"]


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (Answer(429, {"message": "You are being rate limited.", "retry_after": 64.57, "global": False}), 64.57),
        (Answer(429, "error code: 1015", {"Retry-After": "30"}), 30.0),
    ],
)
def test_the_waiting_time_is_in_the_body_or_in_cloudflare_s_header(
    internet: Internet, answer: Answer, seconds: float
) -> None:
    error = error_of(answer, internet)

    assert (error.permanent, error.retry_after) == (False, seconds)


def test_discord_knows_who_asks_and_cloudflare_s_block_is_not_the_webhook_s_end(internet: Internet) -> None:
    internet.answering = lambda request: Answer(403, "error code: 1010")

    with pytest.raises(DeliveryError) as caught:
        Discord(webhook_url=HOOK).send(message())

    assert internet.requests[0].headers["User-Agent"].startswith("DiscordBot (https://")
    assert (caught.value.permanent, caught.value.revoked) == (False, False)
    assert "1010" in caught.value.texts["ko"]


def test_204_is_a_success_without_a_handle(internet: Internet) -> None:
    internet.answering = lambda request: Answer(204)

    assert Discord(webhook_url=HOOK).send(message()) is None


# Its settings.


@pytest.mark.parametrize(
    ("address", "owner"), [("https://hooks.slack.com/services/T/B/x", "Slack"), ("https://discord.gg/abc", "")]
)
def test_an_address_of_another_service_is_refused_where_it_is_typed(address: str, owner: str) -> None:
    discord = Discord()
    if not owner:
        discord.put("webhook_url", "https://relay.example.com/api/webhooks/1/x")
        return
    with pytest.raises(SettingsError) as caught:
        discord.put("webhook_url", address)
    assert owner in caught.value.texts["ko"]


def test_a_thread_s_address_is_understood() -> None:
    discord = Discord()

    discord.put("thread", "https://discord.com/channels/1/22222")

    assert discord.thread == "22222"
    with pytest.raises(SettingsError):
        discord.put("thread", "my-thread")


def _discord_py() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own: it imports audioop
        return pytest.importorskip("discord", reason="discord.py is an oracle: pip install discord.py")
