"""`Matrix`: a message to one room, from an account of its own or from yours."""

from __future__ import annotations

import html
import re
from typing import Any, Dict, List, Mapping, Optional, Tuple
from urllib.parse import quote

from traitlets import Unicode

from knock_magic.channels.base import NAMELESS, Answer, HttpChannel, Link, Token, wait_of
from knock_magic.errors import DeliveryError
from knock_magic.event import Picture
from knock_magic.outline import Code, Facts, outline
from knock_magic.settings import Explained
from knock_magic.template import Message

# https://spec.matrix.org/latest/client-server-api/: sending events, event replacements, threading, media upload
CLIENT = "/_matrix/client/v3"
MEDIA = "/_matrix/media/v3/upload"

# https://spec.matrix.org/latest/client-server-api/#common-error-codes
TROUBLES: Tuple[Tuple[Tuple[str, ...], bool, str, str], ...] = (
    (
        ("M_UNKNOWN_TOKEN", "M_MISSING_TOKEN", "M_USER_DEACTIVATED", "M_USER_LOCKED", "M_USER_SUSPENDED"),
        True,
        "this token is not valid any more. Log in again, copy the new access token and set token",
        "이 토큰은 더 이상 쓸 수 없어요. 다시 로그인해서 새 액세스 토큰을 token에 넣어 주세요",
    ),
    (
        ("M_FORBIDDEN",),
        True,
        "the account is not in the room, or may not write there. Invite it and accept the invitation",
        "계정이 방에 없거나 쓸 권한이 없어요. 방에 초대하고, 그 계정에서 초대를 받아 주세요",
    ),
    (
        ("M_UNRECOGNIZED", "M_NOT_FOUND"),
        True,
        "there is no Matrix server, or no such room, at this address. Check homeserver and room",
        "이 주소에 Matrix 서버나 방이 없어요. homeserver와 room을 확인해 주세요",
    ),
    (
        ("M_TOO_LARGE",),
        False,
        "it is too large for this server",
        "이 서버에 보내기에는 너무 커요",
    ),
)


class RoomId(Unicode):
    """A room of Matrix, by its internal ID."""

    info_text = "a room ID such as !AbCdEf:matrix.org"

    def validate(self, obj: Any, value: Any) -> Any:
        """Refuse what is no room ID; an alias can change hands, and must be looked up each time."""
        text = super().validate(obj, value)
        if text and not re.fullmatch(r"![^\s/]{1,250}", text):
            raise Explained(
                "must be the internal ID of a room, which begins with !, such as !AbCdEf:matrix.org (in Element: room "
                "settings > Advanced). An alias (#room) or an address is not enough.",
                "!AbCdEf:matrix.org처럼 !로 시작하는 내부 방 ID여야 해요(Element: 방 설정 > 고급). #별칭이나 주소로는 안 돼요.",
            )
        return text


class Matrix(HttpChannel):
    """Send a knock to a Matrix room that is not encrypted.

    The transaction ID is the knock's own, so that a second try makes no second message
    (https://spec.matrix.org/latest/client-server-api/#transaction-identifiers).
    """

    key = "matrix"
    looks_like = "talk"
    label = {"en": "Matrix", "ko": "Matrix"}
    also_called = "매트릭스"
    steps = {
        "en": "Good to know: it sends in the clear, also into an encrypted room; better make a room without encryption.\n"
        "1. Set the address of your homeserver, such as https://matrix.org, as homeserver.\n"
        "2. Make an account for the knocks, log in with Element (https://app.element.io), and copy its access token "
        "from Settings > Help & About > Advanced into token. Do not log out there, or the token dies.\n"
        "3. Invite the account to a room and accept there. Copy the Internal room ID from the room's "
        "Settings > Advanced into room.",
        "ko": "알아 두세요: 암호화된 방에도 암호화하지 않고 보내요. 암호화하지 않은 방을 하나 만들어 쓰는 게 좋아요.\n"
        "1. 홈서버 주소(예: https://matrix.org)를 homeserver에 넣어 주세요.\n"
        "2. 알림용 계정을 만들고 Element(https://app.element.io)로 로그인한 다음, 설정 > 도움말 및 정보 > 고급의 "
        "액세스 토큰을 token에 넣어 주세요. 로그아웃하면 토큰도 못 쓰게 돼요.\n"
        "3. 그 계정을 방에 초대하고 받아 주세요. 방 설정 > 고급에 있는 '내부 방 ID'를 room에 넣어 주세요.",
    }
    anew = {
        "en": "Check homeserver, and set a new token",
        "ko": "homeserver가 맞는지 확인하고, 토큰을 새로 발급해 token에 넣어 주세요",
    }
    takes_pictures = True
    edits = True
    threads = True
    sends_once = True
    # An event may have 65,536 bytes (https://spec.matrix.org/latest/client-server-api/#size-limits). The text stands
    # in it twice, in an edit four times, and a quote or a new line counts double in JSON.
    limit = 7000
    unit = "bytes"
    signs = "@#!"

    homeserver = Link(
        "https://matrix.org",
        help="Address of the homeserver.",
        example="https://matrix.org",
        beyond=r"(app\.element\.io|matrix\.to)(/|$)",
    ).tag(config=True, required=True, ko="홈서버 주소")
    token = Token(help="Access token of the account that sends.").tag(
        config=True, required=True, ko="보내는 계정의 액세스 토큰"
    )
    room = RoomId(help="Room that gets the knocks, by its internal ID.").tag(
        config=True, required=True, ko="알림을 받을 방의 내부 ID"
    )

    def escape(self, text: str) -> str:
        """`text` as HTML, without what a client would link by itself."""
        return html.escape(super().escape(text), quote=False)

    def send(self, message: Message) -> Optional[str]:
        """Deliver `message`; the handle is the event's ID."""
        return self.or_without_picture(self._send, message)

    def _send(self, message: Message) -> str:
        # Before the words, which say so where it fails.
        uploaded, message = self.uploaded(self._upload, message)
        picture = message.event.picture
        handle = self._put(message.event.id, {**self.content(message), **_thread(message.after)})
        if picture:
            image = {
                "msgtype": "m.image",
                "body": picture.file_name,
                "url": uploaded,
                "info": {"mimetype": picture.media_type, "size": len(picture.content)},
            }
            self._put(f"{message.event.id}-picture", {**image, **_thread(message.after)})
        return handle

    def edit(self, handle: str, message: Message) -> None:
        """Have that event say `message`."""
        new = self.content(message)
        relation = {"rel_type": "m.replace", "event_id": handle}
        fallback = {**new, "body": f"* {new['body']}", "formatted_body": f"* {new['formatted_body']}"}
        self._put(message.event.id, {**fallback, "m.new_content": new, "m.relates_to": relation})

    def _put(self, transaction: str, content: Mapping[str, Any]) -> str:
        place = f"{self.homeserver.rstrip('/')}{CLIENT}/rooms/{quote(self.room, safe='')}"
        answer = self.post(
            f"{place}/send/m.room.message/{quote(transaction, safe='')}",
            method="PUT",
            payload=content,
            headers=self._login(),
        )
        return self._found(answer, "event_id")

    def _upload(self, picture: Picture) -> str:
        answer = self.request(
            f"{self.homeserver.rstrip('/')}{MEDIA}?filename={picture.file_name}",
            body=picture.content,
            headers={**self._login(), "Content-Type": picture.media_type},
        )
        if answer.status == 403:  # which says nothing about words
            raise self.error(
                "the server takes no pictures from this account.",
                "이 계정의 그림은 서버가 받지 않아요.",
                permanent=True,
            )
        return self._found(answer, "content_uri")

    def _login(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def _found(self, answer: Answer, name: str) -> str:
        found = answer.json().get(name)
        if not isinstance(found, str) or not found:
            raise self.refusal(answer)
        return found

    def content(self, message: Message) -> Dict[str, Any]:
        """The event's content; what is told on the way is a notice, which makes no sound."""
        short = self.fitted(message)
        told = outline(short)
        lines: List[str] = [f"<strong>{self.escape(told.headline or NAMELESS)}</strong>"]
        for part in told.parts:
            if isinstance(part, Facts):
                lines += [f"{self.escape(name)} <code>{self.escape(value)}</code>" for name, value in part.pairs]
            elif isinstance(part, Code):
                lines.append(f"<pre><code>{html.escape(part.whole, quote=False)}</code></pre>")
            else:
                lines.append(self.escape(part.text).replace("\n", "<br>"))
        return {
            "msgtype": "m.notice" if message.loudness == "quiet" else "m.text",
            "body": super().escape(short.text),
            "format": "org.matrix.custom.html",
            "formatted_body": "<br>".join(lines),
            "m.mentions": {},  # says that nobody is meant, whatever name stands in the text
        }

    def refusal(self, answer: Answer) -> DeliveryError:
        """The error for what the server answered, by its code."""
        code = answer.json().get("errcode")
        for codes, revoked, en, ko in TROUBLES:
            if code in codes:
                return self.error(f"{en} ({code}).", f"{ko} ({code}).", permanent=True, revoked=revoked)
        return super().refusal(answer)

    def wait(self, answer: Answer) -> Optional[float]:
        """Older servers name milliseconds in the body only."""
        milliseconds = wait_of(answer.json().get("retry_after_ms"))
        return super().wait(answer) or (None if milliseconds is None else milliseconds / 1000)


def _thread(after: Optional[str]) -> Mapping[str, Any]:
    if not after:
        return {}
    # Clients without threads show it as a reply.
    reply = {"is_falling_back": True, "m.in_reply_to": {"event_id": after}}
    return {"m.relates_to": {"rel_type": "m.thread", "event_id": after, **reply}}
