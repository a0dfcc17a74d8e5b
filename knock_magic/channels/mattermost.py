"""`Mattermost`: posts to one channel of a server, through an incoming webhook or as a bot."""

from __future__ import annotations

import re
from typing import Any, Dict, List, Optional, Tuple
from urllib.parse import urlsplit

from traitlets import Unicode

from knock_magic import fitting
from knock_magic.channels.base import NAMELESS, Answer, HttpChannel, Link, Token, Url, in_markdown, service_at
from knock_magic.errors import DeliveryError
from knock_magic.event import Picture
from knock_magic.outline import Code, Facts, outline
from knock_magic.settings import Explained
from knock_magic.template import Message
from knock_magic.wording import ANY_OTHER_COLOUR, COLOURS

# https://github.com/mattermost/mattermost/blob/master/server/i18n/en.json: whether the address or key is no good
# any more, and what the beginning of an ID means.
TROUBLES: Tuple[Tuple[str, bool, str, str], ...] = (
    (
        "web.incoming_webhook.invalid",
        True,
        "this webhook is gone. Make a new one under Integrations > Incoming Webhooks and set webhook_url",
        "이 웹훅은 더 이상 쓸 수 없어요. 통합 > 수신 웹훅에서 새로 만들어 webhook_url에 넣어 주세요",
    ),
    (
        "web.incoming_webhook.disabled",
        True,
        "incoming webhooks are switched off on this server. Ask its admin, or use a bot's token",
        "이 서버는 수신 웹훅이 꺼져 있어요. 관리자에게 문의하거나 봇의 token을 써 주세요",
    ),
    (
        "web.incoming_webhook.channel",
        True,
        "the webhook's channel is not there any more. Make a new webhook and set webhook_url",
        "웹훅의 채널이 없어졌어요. 웹훅을 새로 만들어 webhook_url에 넣어 주세요",
    ),
    (
        "api.context.session_expired",
        True,
        "this token is not valid. Make a new one under Integrations > Bot Accounts and set token",
        "토큰이 유효하지 않아요. 통합 > 봇 계정에서 새로 만들어 token에 넣어 주세요",
    ),
    (
        "api.context.permissions",
        True,
        "the bot may not do this. Add it to the team and the channel",
        "봇에게 권한이 없어요. 봇을 팀과 채널에 추가해 주세요",
    ),
)

# What Slack's dialect means by it, which a webhook of Mattermost turns into Markdown even in code
# (https://developers.mattermost.com/integrate/slash-commands/slack/).
_SLACK = re.compile(r"<(?=[!@#]|https?:)")


class HookUrl(Url):
    """The address of an incoming webhook, on a server of anybody's own."""

    def _refuse_misplaced(self, text: str) -> None:
        parts = urlsplit(text)
        owner = service_at((parts.hostname or "").lower())
        if owner or not re.search("/hooks/[^/]", parts.path):
            raise Explained(
                f"must be an address such as {self.example}{owner and f'; this is an address of {owner}'}.",
                f"{self.example} 같은 주소여야 해요.{owner and f' 지금 넣은 것은 {owner} 주소예요.'}",
            )


class ChannelId(Unicode):
    """A channel of Mattermost, by its ID."""

    info_text = "the ID of a channel, 26 letters and digits"

    def validate(self, obj: Any, value: Any) -> Any:
        """Refuse what is no ID: a name says nothing without its team."""
        text = super().validate(obj, value)
        if text and not re.fullmatch("[a-z0-9]{26}", text):
            raise Explained(
                "must be the ID of a channel, 26 letters and digits, as its info panel shows it (not its name).",
                "채널 ID(영문 소문자와 숫자 26자)여야 해요. 채널 이름이 아니라 채널 정보 창에 있는 ID예요.",
            )
        return text


class Mattermost(HttpChannel):
    """Post a knock to a Mattermost channel.

    Success is the word ``ok`` from a webhook, the post from the API
    (https://developers.mattermost.com/api-documentation/).
    """

    key = "mattermost"
    label = {"en": "Mattermost", "ko": "Mattermost"}
    also_called = "매터모스트"
    steps = {
        "en": "The quick way, a webhook (https://docs.mattermost.com/developers/integrate/webhooks/incoming):\n"
        "1. In Mattermost, open Integrations > Incoming Webhooks > Add, choose a channel, and set the address as "
        "webhook_url.\n"
        "Or as a bot, which can also send pictures and change its message: set server, token and channel.\n"
        "1. Open Integrations > Bot Accounts > Add, and set the token that you get as token, the server's address as server.\n"
        "2. Add the bot to the team and the channel, and set the ID from the channel's info as channel.",
        "ko": "간단하게는 웹훅을 쓰세요(https://docs.mattermost.com/developers/integrate/webhooks/incoming).\n"
        "1. Mattermost에서 통합 > 수신 웹훅 > 추가를 열고 채널을 고른 다음, 나온 주소를 webhook_url에 넣어 주세요.\n"
        "그림도 보내고 보낸 글을 고치려면 봇을 쓰세요. server, token, channel을 설정해 주세요.\n"
        "1. 통합 > 봇 계정 > 추가에서 받은 토큰을 token에, 서버 주소를 server에 넣어 주세요.\n"
        "2. 봇을 팀과 채널에 추가하고, 채널 정보에 있는 ID를 channel에 넣어 주세요.",
    }
    anew = {
        "en": "Check the server's address, and set a new webhook_url or token",
        "ko": "서버 주소를 확인하고, webhook_url이나 token을 새로 넣어 주세요",
    }
    # Old servers take 4,000 characters, later ones 16,383
    # (https://github.com/mattermost/mattermost/blob/master/server/public/model/post.go).
    limit = 4000
    unit = "characters"
    signs = "@#:~<$"

    webhook_url = HookUrl(help="Address of an incoming webhook.", example="https://chat.example.com/hooks/...").tag(
        config=True, ko="수신 웹훅 주소"
    )
    server = Link(
        help="Address of the server, for a bot.",
        example="https://chat.example.com",
        beyond=r".*/(hooks|channels|messages)/",
    ).tag(config=True, ko="봇으로 보낼 서버 주소")
    token = Token(
        help="Token of a bot, in place of a webhook.",
        pattern="[A-Za-z0-9]{26}$",
        like={"en": "a bot's access token, 26 letters and digits", "ko": "영문자와 숫자 26자로 된 봇의 액세스 토큰"},
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
        """What is needed: the webhook, or the token with its server and channel."""
        needed = ("server", "channel") if self.token else ("webhook_url",)
        return [self.env_name(name) for name in needed if not getattr(self, name)]

    def escape(self, text: str) -> str:
        """`text` without what Mattermost reads as Markdown or a mention."""
        return in_markdown(super().escape(text))

    def send(self, message: Message) -> Optional[str]:
        """Deliver `message`; as a bot where a token is set, whose handle is the post's ID."""
        if self.token:
            return self.or_without_picture(self._send, message)
        text, attachments = self.markdown(message)
        answer = self.post(self.webhook_url, payload={"text": text, "attachments": attachments})
        if answer.text.strip() != "ok":
            raise self.refusal(answer)
        return None

    def _send(self, message: Message) -> str:
        uploaded, message = self.uploaded(self._upload, message)
        text, attachments = self.markdown(message)
        post: Dict[str, Any] = {"channel_id": self.channel, "message": text, "props": {"attachments": attachments}}
        if message.after:
            post["root_id"] = message.after
        if uploaded:
            post["file_ids"] = [uploaded]
        answer = self.post(self._address("posts"), payload=post, headers=self._login())
        return self._id(answer, answer.json())

    def _upload(self, picture: Picture) -> str:
        answer = self.post(
            self._address("files"), form={"channel_id": self.channel}, files={"files": picture}, headers=self._login()
        )
        found = answer.json().get("file_infos")
        return self._id(answer, found[0] if isinstance(found, list) and found else None)

    def edit(self, handle: str, message: Message) -> None:
        """Have that post say `message`; its picture stays."""
        text, attachments = self.markdown(message)
        answer = self.request(
            self._address(f"posts/{handle}/patch"),
            method="PUT",
            payload={"message": text, "props": {"attachments": attachments}},
            headers=self._login(),
        )
        if answer.status == 404 and not answer.is_page:
            raise self.error("the earlier message is gone.", "앞서 보낸 메시지가 없어졌어요.", permanent=True)
        if not 200 <= answer.status < 300:
            raise self.refusal(answer)
        self._id(answer, answer.json())

    def _address(self, path: str) -> str:
        return f"{self.server.rstrip('/')}/api/v4/{path}"

    def _login(self) -> Dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def _id(self, answer: Answer, made: Any) -> str:
        found = made.get("id") if isinstance(made, dict) else None
        if not isinstance(found, str) or not found:
            raise self.refusal(answer)
        return found

    def markdown(self, message: Message) -> Tuple[str, List[Dict[str, Any]]]:
        """The headline, and what stands below it, with an edge in the outcome's colour."""
        told = outline(self.fitted(message))
        lines: List[str] = []
        for part in told.parts:
            if isinstance(part, Facts):
                lines += [f"{self.escape(name)} **{self.escape(value)}**" for name, value in part.pairs]
            elif isinstance(part, Code):
                # A zero-width space parts the three backticks that would end the code.
                code = _SLACK.sub("<\u200b", part.whole.replace("``", "`\u200b`"))
                lines.append(f"```\n{code}\n```")
            else:
                lines.append(self.escape(part.text))
        colour = COLOURS.get(message.event.event, ANY_OTHER_COLOUR)
        headline = told.headline or NAMELESS
        attachment = {
            "color": colour,
            "fallback": self.escape(fitting.cut(headline, 200)),
            "text": "\n".join(lines),
        }
        return f"**{self.escape(headline)}**", [attachment] if lines else []

    def refusal(self, answer: Answer) -> DeliveryError:
        """The error for what the server answered, by its ID."""
        found = answer.json().get("id")
        for beginning, revoked, en, ko in TROUBLES:
            if isinstance(found, str) and found.startswith(beginning):
                return self.error(f"{en} ({found}).", f"{ko} ({found}).", permanent=True, revoked=revoked)
        return super().refusal(answer)
