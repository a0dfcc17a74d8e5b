"""Slack: its blocks, its words, its two ways in."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
from typing import Any, Dict, List
from urllib.parse import parse_qsl

import pytest

from knock_magic.channels.slack import Slack
from knock_magic.errors import DeliveryError, SettingsError
from knock_magic.event import ErrorInfo, Picture

from .stage import CANARY, Answer, Contract, Internet, Request, message

HOOK = f"https://hooks.slack.com/services/T00000000/B00000000/{CANARY}xxxxxxxxxxxxxxxxxx"
TOKEN = f"xoxb-{CANARY}-0123456789"


def elements(request: Request) -> List[Dict[str, Any]]:
    found: List[Dict[str, Any]] = []
    for block in request.json["blocks"]:
        found += [element for element in [block.get("text"), *block.get("fields", [])] if element]
    return found


def read(request: Request) -> List[str]:
    shown = "\n".join(element["text"] for element in elements(request))
    return [request.json["text"], shown]


def is_code(text: str) -> bool:
    return text[:4] == "```\n" and text[-4:] == "\n```" and "```" not in text[3:-3]


def alive(request: Request) -> List[str]:
    """Mentions and links stand in angle brackets; other signs mean something in mrkdwn, but not within code."""
    found = [text for text in read(request) if "<" in text or ">" in text]
    marked = [element["text"] for element in elements(request) if element["type"] == "mrkdwn"]
    found += [text for text in marked if not (is_code(text) or re.fullmatch(r"[a-z_]+\n\*[\d.]+\*", text))]
    return found + (["mrkdwn"] if request.json.get("mrkdwn") else [])


class Service:
    """Slack as a bot and a webhook see it: it numbers the messages, and keeps the files."""

    def __init__(self, **fails: Answer) -> None:
        self.fails = fails  # by the last part of a method's name
        self.count = 0

    def __call__(self, request: Request) -> Answer:
        if request.host == "hooks.slack.com":
            return Answer(200, "ok")
        if request.host == "files.slack.com":
            return self.fails.get("upload", Answer(200, "OK - 67"))
        method = request.path.rpartition(".")[2]
        if method in self.fails:
            return self.fails[method]
        self.count += method == "postMessage"
        return Answer(200, {"ok": True, **self.facts(method)})

    def facts(self, method: str) -> Dict[str, Any]:
        if method == "postMessage":
            return {"channel": "C0123456789", "ts": f"1503435956.{self.count:06}"}
        if method == "getUploadURLExternal":
            return {"upload_url": "https://files.slack.com/upload/v1/ABC", "file_id": "F123ABC456"}
        return {"files": [{"id": "F123ABC456"}]} if method == "completeUploadExternal" else {}


def refused(word: str, **more: Any) -> Answer:
    return Answer(200, {"ok": False, "error": word, **more})


CONTRACT = Contract(
    settings={"token": TOKEN, "channel": "#training", "webhook_url": HOOK},
    answer=lambda request: Service()(request),
    is_message=lambda request: "/chat." in request.path,
    read=read,
    alive=alive,
    inside=[("another word", refused("no_text"), True), ("nothing", Answer(200, ""), True)],
    gone=refused("message_not_found"),
    below=lambda request: request.json.get("thread_ts"),
)


PICTURE = Picture("image/png", base64.b64encode(b"\x89PNG\r\n\x1a\n picture").decode())


def hook() -> Slack:
    return Slack(webhook_url=HOOK)


def bot() -> Slack:
    return Slack(token=TOKEN, channel="C0123456789")


def error_of(sender: Slack) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        sender.send(message())
    return caught.value


# What is posted.


def test_a_headline_a_table_and_code(internet: Internet) -> None:
    internet.answering = Service()

    hook().send(message())

    header, table, code = internet.requests[0].json["blocks"]
    assert (header["type"], header["text"]["text"]) == ("header", "❌ 학습 실패했어요 · 1분")
    assert [field["text"] for field in table["fields"]] == ["acc\n*0.91*"]
    assert code["text"]["text"] == "```\nValueError: loss is nan\ncell, 3, &lt;module&gt;\n```"
    assert internet.requests[0].json["text"] == message().text.replace("<", "&lt;").replace(">", "&gt;")


def test_the_short_template_s_one_line_is_a_headline_and_its_facts(internet: Internet) -> None:
    internet.answering = Service()

    hook().send(message(template="short"))

    kinds = [block["type"] for block in internet.requests[0].json["blocks"]]
    assert kinds == ["header", "section", "section"]
    assert elements(internet.requests[0])[0]["text"] == "❌ 학습 실패했어요 · 1분"


@pytest.mark.parametrize("template", ["short", "standard", "detailed"])
@pytest.mark.parametrize("size", [1, 10, 50])
def test_slack_s_own_models_take_the_blocks(template: str, size: int) -> None:
    models = pytest.importorskip("slack_sdk.models.blocks")
    error = ErrorInfo("ValueError", "<&>한글``` " * 100 * size, "\n".join(f"f.py, {n}, x" for n in range(size)))
    metrics = {f"metric_{n}" * size: "값" * 80 * size for n in range(size)}

    blocks = hook().blocks(message(template=template, error=error, metrics=metrics))

    parsed = models.Block.parse_all(blocks)
    assert len(parsed) == len(blocks) <= 50
    for block in parsed:
        block.validate_json()
    assert all(len(field["text"]) <= 2000 for block in blocks for field in block.get("fields", []))
    assert all(len(block["text"]["text"]) <= 3000 for block in blocks if "text" in block)
    assert [block.to_dict() for block in parsed] == blocks


def test_slack_s_own_webhook_client_sends_the_same(internet: Internet) -> None:
    webhook = pytest.importorskip("slack_sdk.webhook")
    internet.answering = Service()
    told = message()
    body = hook().payload(told)
    hook().send(told)

    trusted = __import__("ssl").create_default_context(cafile=str(internet.bundle))
    webhook.WebhookClient(HOOK, ssl=trusted).send_dict(body)

    ours, theirs = internet.requests
    assert (ours.host, ours.path, ours.json) == (theirs.host, theirs.path, theirs.json)
    assert (
        ours.headers["Content-Type"].replace(" ", "").lower() == theirs.headers["Content-Type"].replace(" ", "").lower()
    )


def test_slack_s_own_web_client_sends_the_same(internet: Internet) -> None:
    sdk = pytest.importorskip("slack_sdk")
    internet.answering = Service()
    told = dataclasses.replace(message(), after="C0123456789 1.2")
    handle = bot().send(told)
    bot().edit(handle, message("progress"))

    trusted = __import__("ssl").create_default_context(cafile=str(internet.bundle))
    client = sdk.WebClient(TOKEN, ssl=trusted)
    client.chat_postMessage(channel="C0123456789", thread_ts="1.2", reply_broadcast=True, **bot().payload(told))
    said = bot().payload(message("progress"))
    client.chat_update(channel="C0123456789", ts="1503435956.000001", text=said["text"], blocks=said["blocks"])

    ours, theirs = internet.requests[:2], internet.requests[2:]
    for mine, other in zip(ours, theirs):
        assert (mine.host, mine.path) == (other.host, other.path)
        assert mine.headers["Authorization"] == other.headers["Authorization"]
        assert mine.json == other.json
    assert [request.path for request in theirs] == ["/api/chat.postMessage", "/api/chat.update"]


def test_slack_s_own_web_client_uploads_a_picture_so(internet: Internet) -> None:
    sdk = pytest.importorskip("slack_sdk")
    internet.answering = Service()
    bot().send(message(picture=PICTURE))
    ours = [request for request in internet.requests if "postMessage" not in request.path]
    internet.requests.clear()

    trusted = __import__("ssl").create_default_context(cafile=str(internet.bundle))
    sdk.WebClient(TOKEN, ssl=trusted).files_upload_v2(
        channel="C0123456789", content=PICTURE.content, filename="picture.png", title=message().title
    )

    theirs = internet.requests
    assert [(each.host, each.path.partition("?")[0]) for each in ours] == [
        (each.host, each.path.partition("?")[0]) for each in theirs
    ]
    assert [_form(ours[0]), _form(ours[2])] == [_form(theirs[0]), _form(theirs[2])]
    assert ours[1].body == theirs[1].body == PICTURE.content
    assert [each.headers.get("Authorization") for each in ours] == [f"Bearer {TOKEN}", None, f"Bearer {TOKEN}"]


def _form(request: Request) -> Dict[str, Any]:
    found: Dict[str, Any] = {
        **dict(parse_qsl(request.path.partition("?")[2])),
        **(request.form if request.body else {}),
    }
    return {**found, "files": json.loads(found.get("files", "[]"))}


def test_backticks_of_an_error_do_not_end_its_code(internet: Internet) -> None:
    internet.answering = Service()

    hook().send(message(error=ErrorInfo("ValueError", "a ``` b ```` c `````", None)))

    assert alive(internet.requests[0]) == []


@pytest.mark.parametrize("name", ["_a_", "*a*", "a/_b_", "`a`", "~a~", "a\nb", "<!here>"])
def test_a_name_with_signs_stands_in_plain_text(internet: Internet, name: str) -> None:
    internet.answering = Service()

    hook().send(message(metrics={name: 0.5}))

    assert {element["type"] for element in elements(internet.requests[0]) if "0.5" in element["text"]} == {"plain_text"}


def test_a_metric_that_has_changed_stands_out_like_any_other(internet: Internet) -> None:
    internet.answering = Service()

    bot().send(message("progress", metrics={"loss": 0.2, "<b>": 0.2}, before={"loss": 0.25, "<b>": 0.25}))

    (table,) = [block for block in internet.requests[0].json["blocks"] if "fields" in block]
    assert [(field["type"], field["text"]) for field in table["fields"]] == [
        ("mrkdwn", "loss\n*0.2 ▼0.05*"),
        ("plain_text", "&lt;b&gt;\n0.2 ▼0.05"),
    ]


# The two ways in.


def test_a_bot_posts_to_its_channel(internet: Internet) -> None:
    internet.answering = Service()

    Slack(token=TOKEN, channel="C0123456789", webhook_url=HOOK).send(message())

    assert internet.requests[0].json["channel"] == "C0123456789"
    assert internet.requests[0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert internet.requests[0].host == "slack.com"


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, ["KNOCK_SLACK_WEBHOOK_URL"]),
        ({"webhook_url": HOOK}, []),
        ({"token": TOKEN}, ["KNOCK_SLACK_CHANNEL"]),
        ({"token": TOKEN, "channel": "C01"}, []),
    ],
)
def test_one_way_in_is_enough(given: Dict[str, str], missing: List[str]) -> None:
    assert Slack(**given).missing() == missing


@pytest.mark.parametrize("body", [{"ok": False, "error": "channel_not_found"}, {}, {"ok": "true"}, {"ok": 1}])
def test_only_ok_true_is_a_success(internet: Internet, body: Dict[str, Any]) -> None:
    internet.answering = lambda request: Answer(200, body)

    assert error_of(bot()).permanent


def test_a_webhook_takes_words_alone(internet: Internet) -> None:
    internet.answering = Service()

    handle = hook().send(dataclasses.replace(message(picture=PICTURE), after="C0 1.2"))

    assert (handle, hook().edits, hook().threads, hook().takes_pictures) == (None, False, False, False)
    assert (bot().edits, bot().threads, bot().takes_pictures) == (True, True, True)
    assert internet.requests[0].json == hook().payload(message())


def test_an_end_in_a_thread_is_shown_in_the_channel_too(internet: Internet) -> None:
    internet.answering = Service()
    first = bot().send(message("progress"))

    bot().send(dataclasses.replace(message("finished"), after=first))

    posted = internet.requests[-1].json
    assert (posted["thread_ts"], posted["reply_broadcast"]) == ("1503435956.000001", True)
    assert "thread_ts" not in internet.requests[0].json


def test_a_channel_s_name_is_good_for_edits_too(internet: Internet) -> None:
    """Only `chat.postMessage` takes names; what it answers has the ID."""
    internet.answering = Service()
    named = Slack(token=TOKEN, channel="#training")

    named.edit(named.send(message("progress")), message("progress"))

    assert [request.json["channel"] for request in internet.requests] == ["#training", "C0123456789"]


# Pictures.


def test_a_picture_stands_behind_its_words(internet: Internet) -> None:
    internet.answering = Service()

    bot().send(dataclasses.replace(message(picture=PICTURE), after="C0123456789 1.2"))

    methods = [request.path.rpartition("/")[2] for request in internet.requests]
    assert methods == ["files.getUploadURLExternal", "ABC", "chat.postMessage", "files.completeUploadExternal"]
    assert internet.requests[0].form == {"filename": "picture.png", "length": str(len(PICTURE.content))}
    assert internet.requests[1].body == PICTURE.content
    shared = internet.requests[3].form
    assert json.loads(shared.pop("files")) == [{"id": "F123ABC456", "title": message().title}]
    assert shared == {"channel_id": "C0123456789", "thread_ts": "1.2"}


@pytest.mark.parametrize(
    ("fails", "said"),
    [
        ({"getUploadURLExternal": refused("missing_scope", needed="files:write")}, "files:write"),
        ({"upload": Answer(400, "no")}, "HTTP 400"),
        ({"completeUploadExternal": refused("channel_not_found")}, "channel_not_found"),
        ({"completeUploadExternal": Answer(500, "oops")}, "HTTP 500"),
    ],
)
def test_a_picture_that_is_refused_never_costs_the_words(
    internet: Internet, fails: Dict[str, Answer], said: str
) -> None:
    """They are sent once, and say what became of the picture."""
    internet.answering = service = Service(**fails)

    assert bot().send(message(picture=PICTURE)) == "C0123456789 1503435956.000001"

    last = [request for request in internet.requests if "/chat." in request.path][-1]
    assert "그림은 보내지 못했어요." in last.json["text"]
    assert said in last.json["text"]
    assert message().title in last.json["text"]
    assert service.count == 1


def test_words_stand_though_neither_the_picture_nor_a_word_about_it_gets_through(internet: Internet) -> None:
    internet.answering = Service(completeUploadExternal=Answer(500), update=Answer(500))

    assert bot().send(message(picture=PICTURE))


# Its words.


@pytest.mark.parametrize(
    ("status", "word", "revoked"),
    [
        (400, "invalid_payload", False),
        (400, "no_text", False),
        (403, "action_prohibited", True),
        (403, "invalid_token", True),
        (404, "channel_not_found", True),
        (404, "no_service", True),
        (404, "no_active_hooks", True),
        (404, "team_disabled", True),
        (410, "channel_is_archived", True),
    ],
)
def test_a_webhook_s_refusal_is_permanent_and_says_what_to_do(
    internet: Internet, status: int, word: str, revoked: bool
) -> None:
    internet.answering = lambda request: Answer(status, word)

    error = error_of(hook())

    assert (error.permanent, error.revoked) == (True, revoked)
    assert word in error.texts["ko"]


@pytest.mark.parametrize(
    ("word", "permanent", "hint"),
    [
        ("invalid_auth", True, "token"),
        ("token_revoked", True, "token"),
        ("not_in_channel", True, "/invite"),
        ("missing_scope", True, "chat:write"),
        ("is_archived", True, "archived"),
        ("restricted_action", True, "admin"),
        ("restricted_action_thread_only_channel", True, "admin"),
        ("not_allowed_token_type", True, "Bot User OAuth Token"),
        *((word, True, "admin") for word in ("access_denied", "no_permission", "ekm_access_denied", "accesslimited")),
        *((word, True, "admin") for word in ("two_factor_setup_required", "enterprise_is_restricted")),
        ("org_login_required", False, "org_login_required"),
        ("message_limit_exceeded", False, "message_limit_exceeded"),
        ("invalid_blocks", True, "%knock template short"),
        ("invalid_payload", True, "%knock template short"),
        ("msg_too_long", True, "msg_too_long"),
        ("ratelimited", False, "ratelimited"),
        ("internal_error", False, "internal_error"),
        ("service_unavailable", False, "service_unavailable"),
    ],
)
def test_a_bot_s_error_says_what_to_do(internet: Internet, word: str, permanent: bool, hint: str) -> None:
    internet.answering = lambda request: Answer(200, {"ok": False, "error": word}, {"Retry-After": "30"})

    error = error_of(bot())

    assert error.permanent == permanent
    assert hint in error.texts["en"]
    assert error.retry_after == (None if permanent else 30)


def test_the_permission_that_is_missing_is_named(internet: Internet) -> None:
    internet.answering = lambda request: Answer(
        200, {"ok": False, "error": "missing_scope", "needed": "chat:write.public"}
    )

    assert "OAuth & Permissions에서 chat:write.public 권한을 추가" in error_of(bot()).texts["ko"]


# Its settings.


@pytest.mark.parametrize(
    ("address", "owner"),
    [
        ("https://discord.com/api/webhooks/1/abc", "Discord"),
        ("https://prod-01.koreacentral.logic.azure.com:443/workflows/1?sig=x", "Teams"),
        ("https://lab.webhook.office.com/webhookb2/1", "Teams"),
        ("https://hook.dooray.com/services/1/2/3", "Dooray!"),
        ("http://hooks.slack.com/services/T/B/x", ""),
        ("hooks.slack.com/services/T/B/x", ""),
        ("https://hooks.slack.com.evil.example/services/T/B/x", ""),
    ],
)
def test_an_address_of_another_service_is_refused_where_it_is_typed(address: str, owner: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Slack().put("webhook_url", address, "KNOCK_SLACK_WEBHOOK_URL")

    for text in caught.value.texts.values():
        assert text.startswith("KNOCK_SLACK_WEBHOOK_URL ")
        assert "https://hooks.slack.com/services/" in text
        assert owner in text
        assert address not in text
        assert "\n" not in text


@pytest.mark.parametrize("address", ["https://chat.example.com/hooks/x", "http://127.0.0.1:8065/hooks/x"])
def test_a_server_of_ones_own_that_speaks_slack_is_taken(address: str) -> None:
    slack = Slack()

    slack.put("webhook_url", address)

    assert slack.webhook_url == address


@pytest.mark.parametrize("token", ["xapp-1-A0-abc", "xoxb 1", "abc", "봇토큰"])
def test_a_token_of_another_kind_is_refused_where_it_is_typed(token: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Slack().put("token", token)

    assert "xoxb-" in caught.value.texts["ko"]
    assert token not in json.dumps(caught.value.texts, ensure_ascii=False)


def test_a_channel_that_is_an_address_is_refused_where_it_is_typed() -> None:
    with pytest.raises(SettingsError) as caught:
        Slack().put("channel", "https://app.slack.com/client/T/C")

    assert "C0123456789" in caught.value.texts["ko"]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("https://hooks.slack.com/services", "잘렸어요"),
        ("https://hooks.slack.com/services/T0/B0", "잘렸어요"),
        ("https://hooks.slack.com/", "웹훅 주소가 아니라 다른 Slack 주소"),
        ("https://hooks.slack.com/triggers/T0/123/abc", "웹훅 주소가 아니라 다른 Slack 주소"),
    ],
)
def test_an_address_of_slack_that_is_no_incoming_webhook_is_refused_where_it_is_typed(address: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Slack().put("webhook_url", address)

    assert said in caught.value.texts["ko"]
