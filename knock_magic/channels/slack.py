"""`Slack`: posts to one channel of a workspace, through an incoming webhook or as a bot."""

from __future__ import annotations

import contextlib
import json
import re
from typing import Any, Dict, List, Mapping, Optional, Tuple

from traitlets import Unicode

from knock_magic import fitting
from knock_magic.channels.base import NAMELESS, Answer, HttpChannel, Token, Url, pictureless, retry_after
from knock_magic.cleaning import one_line
from knock_magic.errors import DeliveryError
from knock_magic.event import Picture
from knock_magic.outline import Code, Facts, outline
from knock_magic.settings import Explained
from knock_magic.template import DOWN, UP, Message

API = "https://slack.com/api/"

# https://docs.slack.dev/reference/block-kit/blocks
HEADER = 150
SECTION = 3000
FIELDS = 10
FIELD = 2000
BLOCKS = 50

# A name and a number, maybe with its change, in which no sign can mean anything in mrkdwn; an underscore does at the
# beginning of a word.
_NUMBER = r"\d{1,30}(\.\d{1,30})?(e[-+]?\d{1,4})?"
_PLAIN_FACT = re.compile(rf"(?!_)\w{{1,80}}([./@-](?!_)\w{{1,80}}){{0,8}}\n[-+]?{_NUMBER}( [{UP}{DOWN}]{_NUMBER})?")

# The words of a webhook (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks) and of the
# Web API (https://docs.slack.dev/reference/methods/chat.postMessage): whether the key itself is no good any more,
# and what they mean. A status number says less than its word.
PERMANENT: Tuple[Tuple[Tuple[str, ...], bool, str, str], ...] = (
    (
        ("no_service", "no_active_hooks", "no_service_id", "invalid_token", "no_team", "team_disabled"),
        True,
        "this webhook is gone. Make a new one under Incoming Webhooks and set webhook_url",
        "이 웹훅은 더 이상 쓸 수 없어요. Incoming Webhooks에서 새로 만들어 webhook_url에 넣어 주세요",
    ),
    (
        (
            *("invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"),
            "not_allowed_token_type",
        ),
        True,
        "this token is not valid. Copy the Bot User OAuth Token anew and set token",
        "토큰이 유효하지 않아요. Bot User OAuth Token을 다시 복사해 token에 넣어 주세요",
    ),
    (
        ("channel_not_found", "channel_is_archived", "is_archived", "user_not_found"),
        True,
        "the channel is not there, or archived, or private and without the bot. Choose another one, or /invite the app",
        "채널이 없거나 보관됐거나, 봇이 없는 비공개 채널이에요. 다른 채널을 고르거나 /invite로 앱을 초대해 주세요",
    ),
    (
        ("not_in_channel",),
        True,
        "the app is not in the channel. Type /invite @your-app there",
        "앱이 채널에 없어요. 그 채널에서 /invite @앱이름 을 입력해 주세요",
    ),
    (
        ("missing_scope",),
        True,
        "the app lacks a permission. Add {} under OAuth & Permissions and install it again",
        "앱 권한이 모자라요. OAuth & Permissions에서 {} 권한을 추가하고 다시 설치해 주세요",
    ),
    (
        (
            *("access_denied", "no_permission", "ekm_access_denied", "two_factor_setup_required"),
            *("enterprise_is_restricted", "accesslimited", "team_access_not_granted"),
        ),
        True,
        "the workspace does not let this app in from here. Ask an admin of it",
        "워크스페이스가 이 앱의 접근을 막았어요. 워크스페이스 관리자에게 문의해 주세요",
    ),
    (
        ("invalid_payload", "invalid_blocks"),
        False,
        "it could not read this message. Try another template, such as %knock template short",
        "Slack이 이 메시지를 읽지 못했어요. %knock template short처럼 다른 템플릿으로 해 보세요",
    ),
    (
        (
            "action_prohibited",
            "posting_to_general_channel_denied",
            "restricted_action",
            "restricted_action_read_only_channel",
            "restricted_action_thread_only_channel",
            "restricted_action_non_threadable_channel",
        ),
        True,
        "an admin of the workspace does not allow posting there. Ask them, or choose another channel",
        "워크스페이스 관리자가 이 채널의 글쓰기를 막았어요. 관리자에게 문의하거나 다른 채널을 골라 주세요",
    ),
)
TRANSIENT = (
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
    "team_added_to_org",
    "org_login_required",  # while a workspace moves to an enterprise
    "message_limit_exceeded",
    "rollup_error",
    "timeout",
)
MAYBE_SENT = ("internal_error", "fatal_error", "request_timeout", "timeout")  # "some aspect ... succeeded" may hold


class ChannelId(Unicode):
    """A Slack channel, by its ID or its name."""

    info_text = "a channel such as C0123456789 or #training"

    def validate(self, obj: Any, value: Any) -> Any:
        """Refuse what is no channel."""
        text = super().validate(obj, value)
        if any(letter.isspace() for letter in text) or text.startswith(("http:", "https:")):
            raise Explained(
                "must be a channel such as C0123456789 or #training.", "C0123456789나 #training 같은 채널이어야 해요."
            )
        return text


class Slack(HttpChannel):
    """Post a knock to a Slack channel.

    Success is what Slack calls so: the word ``ok`` from a webhook, ``"ok": true`` from the Web API.
    """

    key = "slack"
    label = {"en": "Slack", "ko": "Slack"}
    also_called = "슬랙"
    steps = {
        "en": "The quick way, a webhook:\n"
        "1. Open https://api.slack.com/apps, choose Create New App, From scratch, and your workspace.\n"
        "2. Under Incoming Webhooks, switch it on and choose Add New Webhook to Workspace.\n"
        "3. Pick the channel and copy the address into webhook_url.\n"
        "Or as a bot, with token and channel:\n"
        "1. Under OAuth & Permissions, add the bot scopes chat:write and, for pictures, files:write; install the app.\n"
        "2. Copy the Bot User OAuth Token (xoxb-...) into token.\n"
        "3. In the channel, type /invite @your-app, and copy the Channel ID from its About pane into channel.",
        "ko": "간단한 방법은 웹훅이에요.\n"
        "1. https://api.slack.com/apps 에서 Create New App > From scratch를 누르고 워크스페이스를 골라 주세요.\n"
        "2. Incoming Webhooks를 켜고 Add New Webhook to Workspace를 눌러 주세요.\n"
        "3. 알림을 받을 채널을 고르고, 나온 주소를 webhook_url에 넣어 주세요.\n"
        "봇으로 보내려면 token과 channel을 설정해 주세요.\n"
        "1. OAuth & Permissions에서 봇 권한 chat:write와 files:write(그림용)를 추가하고 앱을 설치해 주세요.\n"
        "2. Bot User OAuth Token(xoxb-...)을 token에 넣어 주세요.\n"
        "3. 채널에서 /invite @앱이름 을 입력하고, 채널 정보에 있는 채널 ID를 channel에 넣어 주세요.",
    }
    # Slack advises 4,000 for `text` and cuts at 40,000 (https://docs.slack.dev/reference/methods/chat.postMessage).
    # In which unit it counts is not said; these are never fewer than the characters.
    limit = 4000
    unit = "utf16"

    webhook_url = Url(
        help="Address of an incoming webhook.",
        hosts=("hooks.slack.com", "hooks.slack-gov.com"),
        example="https://hooks.slack.com/services/T.../B.../...",
        paths=("/services/*/*/*",),  # a workflow's is /triggers/.., and takes another form of message
    ).tag(config=True, ko="인커밍 웹훅 주소")
    token = Token(
        help="Bot token, in place of a webhook.",
        pattern=r"xox(e\.xox)?[bp]-",
        like={"en": "a bot token, which begins with xoxb-", "ko": "xoxb-로 시작하는 봇 토큰"},
    ).tag(config=True, ko="웹훅 대신 쓸 봇 토큰")
    channel = ChannelId(help="Channel that the bot posts to, by its ID.").tag(
        config=True, ko="봇이 글을 올릴 채널의 ID"
    )

    @property
    def edits(self) -> bool:  # type: ignore[override]
        """Whether it can do more than post, which only a bot can: a webhook is not told what it has posted."""
        return bool(self.token)

    threads = takes_pictures = edits

    def missing(self) -> List[str]:
        """What is needed: the webhook, or the token with its channel."""
        if self.token:
            return [] if self.channel else [self.env_name("channel")]
        return [] if self.webhook_url else [self.env_name("webhook_url")]

    def escape(self, text: str) -> str:
        """`text` without what Slack reads as markup: mentions and links stand in ``<>``."""
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

    def send(self, message: Message) -> Optional[str]:
        """Deliver `message`; as a bot where a token is set, and then with its picture."""
        if not self.token:
            answer = self.post(self.webhook_url, payload=self.payload(message))
            if answer.text.strip() != "ok":
                raise self.refusal(answer)
            return None
        picture, message = self.uploaded(self._upload, message)
        # Also in the channel, for who does not follow the thread.
        below = {"thread_ts": _timestamp(message.after), "reply_broadcast": True} if message.after else {}
        posted = self._call("chat.postMessage", {"channel": self.channel, **self.payload(message), **below})
        handle = f"{posted.get('channel') or self.channel} {posted.get('ts', '')}"
        if picture:
            self._share(picture, handle, message)
        return handle

    def edit(self, handle: str, message: Message) -> None:
        """Have that message say `message`."""
        said = self.payload(message)
        place = {"channel": handle.partition(" ")[0], "ts": _timestamp(handle)}
        self._call("chat.update", {**place, "text": said["text"], "blocks": said["blocks"]})

    def _call(
        self, method: str, payload: Optional[Dict[str, Any]] = None, form: Optional[Dict[str, str]] = None
    ) -> Mapping[str, Any]:
        answer = self.post(
            f"{API}{method}", payload=payload, form=form, headers={"Authorization": f"Bearer {self.token}"}
        )
        data = answer.json()
        if data.get("ok") is not True:
            raise self.refusal(answer)
        return data

    # A picture is uploaded before the message and shown right behind it, since only a message of its own gets a
    # handle (https://docs.slack.dev/messaging/working-with-files#uploading_files).

    def _upload(self, picture: Picture) -> str:
        about = {"filename": picture.file_name, "length": str(len(picture.content))}
        place = self._call("files.getUploadURLExternal", form=about)
        self.post(str(place.get("upload_url", "")), body=picture.content, headers={"Content-Type": picture.media_type})
        return str(place.get("file_id", ""))

    def _share(self, file_id: str, handle: str, message: Message) -> None:
        """Show the uploaded picture. The words are there by now, and must not be sent again for its sake."""
        files = json.dumps([{"id": file_id, "title": fitting.cut(message.title, HEADER)}], ensure_ascii=False)
        form = {"files": files, "channel_id": handle.partition(" ")[0]}
        if message.after:
            form["thread_ts"] = _timestamp(message.after)
        try:
            self._call("files.completeUploadExternal", form=form)
        except DeliveryError as error:
            with contextlib.suppress(DeliveryError):
                self.edit(handle, pictureless(message, error))

    def payload(self, message: Message) -> Dict[str, Any]:
        """What is posted: blocks for the screen, and the whole text for the notification of a phone."""
        return {
            "text": self.escape(self.fit(message)),
            "blocks": self.blocks(message),
            "mrkdwn": False,
            "unfurl_links": False,
            "unfurl_media": False,
        }

    def blocks(self, message: Message) -> List[Dict[str, Any]]:
        """The message as Block Kit: a headline, facts as a table, an error as code, the rest as text.

        What came from a cell stands in plain text or in code, where no sign has a meaning.
        """
        told = outline(message)
        blocks: List[Dict[str, Any]] = [{"type": "header", "text": self._plain(told.headline or NAMELESS, HEADER)}]
        for part in told.parts:
            if isinstance(part, Facts):
                fields = [self._fact(name, value) for name, value in part.pairs]
                rows = [fields[at : at + FIELDS] for at in range(0, len(fields), FIELDS)]
                blocks += [{"type": "section", "fields": row} for row in rows]
            elif isinstance(part, Code):
                blocks.append({"type": "section", "text": self._code(part.whole)})
            else:
                blocks.append({"type": "section", "text": self._plain(part.text, SECTION)})
        return blocks[:BLOCKS]

    def _fact(self, name: str, value: str) -> Dict[str, Any]:
        if _PLAIN_FACT.fullmatch(f"{name}\n{value}"):
            return {"type": "mrkdwn", "text": f"{name}\n*{value}*", "verbatim": True}
        return self._plain(f"{name}\n{value}", FIELD)

    def _plain(self, text: str, limit: int) -> Dict[str, Any]:
        return {"type": "plain_text", "text": self.escape(fitting.cut(text, limit, self.measure)), "emoji": False}

    def _code(self, text: str) -> Dict[str, Any]:
        # A zero-width space parts the three backticks that would end the code.
        text = self.escape(fitting.fit(text.replace("``", "`\u200b`"), SECTION - 8, self.measure))
        return {"type": "mrkdwn", "text": f"```\n{text}\n```", "verbatim": True}

    def refusal(self, answer: Answer) -> DeliveryError:
        """The error for what Slack answered, by its word."""
        data = answer.json()
        word = str(data.get("error", "")) if data else answer.text.strip()
        asked = retry_after(answer.headers)
        if word in TRANSIENT or word.replace("_", "") == "ratelimited":
            return self.error(
                f"it is busy ({word}).",
                f"지금은 Slack이 받지 못해요({word}).",
                retry_after=asked,
                maybe_sent=word in MAYBE_SENT,
            )
        for words, revoked, en, ko in PERMANENT:
            if word in words:
                needed = one_line(data["needed"], 80) if isinstance(data.get("needed"), str) else "chat:write"
                en, ko = en.format(needed), ko.format(needed)
                return self.error(f"{en} ({word}).", f"{ko} ({word}).", permanent=True, revoked=revoked)
        if answer.status < 300 and not answer.is_page:
            said = self.said(answer)
            return self.error(
                f"it did not take the message{said}.", f"메시지를 받아 주지 않았어요{said}.", permanent=True
            )
        return super().refusal(answer)


def _timestamp(handle: str) -> str:
    """What tells a message from the others of its channel."""
    return handle.rpartition(" ")[2]
