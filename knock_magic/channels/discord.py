"""`Discord`: posts to one channel of a server, through its webhook."""

from __future__ import annotations

import json
import re
from typing import Any, Dict, List, Optional, Tuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from traitlets import Unicode

from knock_magic import fitting
from knock_magic.channels.base import NAMELESS, Answer, HttpChannel, Url, in_markdown, wait_of
from knock_magic.errors import DeliveryError
from knock_magic.outline import Code, Facts, outline
from knock_magic.settings import Explained
from knock_magic.template import Message
from knock_magic.wording import ANY_OTHER_COLOUR, COLOURS

# https://discord.com/developers/docs/resources/webhook#execute-webhook and .../message#embed-object-embed-limits
CONTENT = 2000
FIELDS = 25
FIELD_NAME = 256
FIELD_VALUE = 1024
# Cloudflare may block others (https://discord.com/developers/docs/reference#user-agent).
USER_AGENT = "DiscordBot (https://pypi.org/project/knock-magic, 1.0)"
SUPPRESS_NOTIFICATIONS = 1 << 12  # .../message#message-object-message-flags

# https://discord.com/developers/docs/topics/opcodes-and-status-codes#json: whether the webhook itself is no good
# any more, and what the code means.
TROUBLES: Tuple[Tuple[Tuple[int, ...], bool, str, str], ...] = (
    (
        (10003, 220001, 220003),
        True,
        "a message to a forum, or to a thread, needs thread: the ID of a thread that is there",
        "포럼이나 스레드에 보내려면 있는 스레드의 ID를 thread에 넣어야 해요",
    ),
    (
        (10008, 30046, 50005),
        False,
        "the earlier message is gone, or too old to be changed",
        "앞서 보낸 메시지가 없어졌거나 오래돼서 고칠 수 없어요",
    ),
    (
        (40005,),
        False,
        "the picture is too large for this server",
        "이 서버에 보내기에는 그림이 너무 커요",
    ),
)


class ThreadId(Unicode):
    """A thread of Discord, by its number."""

    info_text = "the ID of a thread, such as 1098765432109876543"

    def validate(self, obj: Any, value: Any) -> Any:
        """Refuse what is no number; the last one of a thread's address is taken."""
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else super().validate(obj, value)
        link = re.fullmatch(r"https://(?:\w+\.)?discord(?:app)?\.com/channels/\d+/(?:\d+/threads/)?(\d+)/?", text)
        text = link[1] if link else text
        if text and not re.fullmatch(r"\d{5,25}", text):
            raise Explained(
                "must be the ID of a thread, such as 1098765432109876543, or its address.",
                "1098765432109876543 같은 스레드 ID나 스레드 주소여야 해요.",
            )
        return text


class Discord(HttpChannel):
    """Post a knock to a Discord channel.

    Success is the message that Discord answers with (``?wait=true``), or 204. Without `wait`, a message that
    could not be saved gives no error.
    """

    key = "discord"
    label = {"en": "Discord", "ko": "디스코드"}
    steps = {
        "en": "1. In Discord, open the settings of a channel (the gear) > Integrations > Webhooks > New Webhook "
        "(https://support.discord.com/hc/articles/228383668).\n"
        "2. Choose Copy Webhook URL and set it as webhook_url.\n"
        "3. For a thread or a forum: copy the thread's ID and set it as thread.",
        "ko": "1. 디스코드에서 채널 설정(톱니바퀴) > 연동 > 웹후크 > 새 웹후크를 눌러 주세요"
        "(https://support.discord.com/hc/ko/articles/228383668).\n"
        "2. '웹후크 URL 복사'를 눌러 webhook_url에 넣어 주세요.\n"
        "3. 스레드나 포럼으로 받으려면 스레드 ID를 복사해 thread에 넣어 주세요.",
    }
    anew = {
        "en": "Make a new webhook under the channel's Integrations > Webhooks and set webhook_url",
        "ko": "채널의 연동 > 웹후크에서 새로 만들어 webhook_url에 넣어 주세요",
    }
    takes_pictures = True
    edits = True
    # A headline and what stands below it each have a limit of their own; this leaves room for fences of code.
    limit = 3600
    unit = "utf16"
    signs = "@:"  # `allowed_mentions` keeps a mention from calling; this keeps it from looking like one

    webhook_url = Url(
        help="Address of the channel's webhook.",
        hosts=("discord.com", "discordapp.com", "ptb.discord.com", "canary.discord.com"),
        example="https://discord.com/api/webhooks/1234.../...",
        paths=("/api/webhooks/*/*", "/api/*/webhooks/*/*"),
    ).tag(config=True, required=True, ko="채널의 웹훅 주소")
    thread = ThreadId(help="Thread that gets the knocks, by its ID.").tag(config=True, ko="알림을 받을 스레드의 ID")

    def escape(self, text: str) -> str:
        """`text` without what Discord reads as Markdown or a mention."""
        return in_markdown(super().escape(text)).replace("<", "\\<")

    def send(self, message: Message) -> Optional[str]:
        """Deliver `message`; the handle is the message's ID."""
        return self.or_without_picture(self._send, message)

    def _send(self, message: Message) -> Optional[str]:
        payload = self.payload(message)
        if message.loudness == "quiet":
            payload["flags"] = SUPPRESS_NOTIFICATIONS
        answer = self._call("POST", self._address(wait="true"), payload, message)
        handle = answer.json().get("id")
        if answer.status != 204 and not (isinstance(handle, str) and handle):
            raise self.refusal(answer)
        return handle if isinstance(handle, str) else None

    def edit(self, handle: str, message: Message) -> None:
        """Have that message say `message`."""
        answer = self._call("PATCH", self._address(f"/messages/{handle}"), self.payload(message), message)
        if answer.json().get("id") != handle:
            raise self.refusal(answer)

    def _address(self, path: str = "", **query: str) -> str:
        parts = urlsplit(self.webhook_url)
        query = {**dict(parse_qsl(parts.query)), **query, **({"thread_id": self.thread} if self.thread else {})}
        path = parts.path.rstrip("/") + path
        return str(parts._replace(path=path, query=urlencode(query)).geturl())

    def _call(self, method: str, address: str, payload: Dict[str, Any], message: Message) -> Answer:
        headers = {"User-Agent": USER_AGENT}
        if message.event.picture is None:
            return self.post(address, method=method, payload=payload, headers=headers)
        form = {"payload_json": json.dumps(payload, ensure_ascii=False)}
        return self.post(address, method=method, form=form, files={"files[0]": message.event.picture}, headers=headers)

    def payload(self, message: Message) -> Dict[str, Any]:
        """What is posted: the headline for a phone's notification, the rest as an embed in the outcome's colour."""
        told = outline(self.fitted(message))
        embed: Dict[str, Any] = {}
        lines: List[str] = []
        fields: List[Dict[str, Any]] = []
        for part in told.parts:
            if isinstance(part, Facts):
                for name, value in map(self._fact, part.pairs):
                    if len(fields) < FIELDS and len(name) <= FIELD_NAME and len(value) <= FIELD_VALUE:
                        fields.append({"name": name, "value": value, "inline": True})
                    else:
                        lines.append(f"{name} {value}")
            elif isinstance(part, Code):
                # A zero-width space parts the three backticks that would end the code.
                lines.append("```\n{}\n```".format(part.whole.replace("``", "`\u200b`")))
            else:
                lines.append(self.escape(part.text))
        if lines:
            embed["description"] = "\n".join(lines)
        if fields:
            embed["fields"] = fields
        if message.event.picture:
            embed["image"] = {"url": f"attachment://{message.event.picture.file_name}"}
        if embed:
            embed["color"] = int(COLOURS.get(message.event.event, ANY_OTHER_COLOUR)[1:], 16)
        headline = fitting.cut(told.headline or NAMELESS, CONTENT - 4, self.measure)
        return {
            "content": f"**{self.escape(headline)}**",
            "embeds": [embed] if embed else [],
            "allowed_mentions": {"parse": []},
        }

    def _fact(self, fact: Tuple[str, str]) -> Tuple[str, str]:
        name, value = fact
        return self.escape(name) or "\u200b", self.escape(value) or "\u200b"

    def refusal(self, answer: Answer) -> DeliveryError:
        """The error for what Discord answered, by its code: one number stands for many things."""
        code = answer.json().get("code")
        for codes, revoked, en, ko in TROUBLES:
            if code in codes:
                return self.error(f"{en} ({code}).", f"{ko} ({code}).", permanent=True, revoked=revoked)
        return super().refusal(answer)

    def wait(self, answer: Answer) -> Optional[float]:
        """Discord names the seconds, with their fractions, in the body."""
        return wait_of(answer.json().get("retry_after")) or super().wait(answer)
