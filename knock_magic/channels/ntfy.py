"""`Ntfy`: publishes to a topic that a phone subscribes to."""

from __future__ import annotations

import base64
import time
from typing import Any, Dict, Mapping, Optional, Tuple

from knock_magic.channels.base import Answer, HttpChannel, Link, Token
from knock_magic.errors import DeliveryError
from knock_magic.template import Message

A_DAY_S = 86400
# https://docs.ntfy.sh/publish/#message-priority: 4 vibrates for long, 2 makes no sound.
PRIORITIES = {"loud": 4, "normal": 3, "quiet": 2}
DAILY_QUOTA = 42908  # counted anew at midnight in UTC (https://docs.ntfy.sh/config/#rate-limiting)

# https://github.com/binwiederhier/ntfy/blob/main/server/errors.go: what is no good any more, and what to do.
TROUBLES: Mapping[int, Tuple[bool, str, str]] = {
    40101: (
        True,
        "the server does not know this token. Make a new one under Account > Access tokens and set token",
        "서버가 모르는 토큰이에요. Account > Access tokens에서 새로 만들어 token에 넣어 주세요",
    ),
    40301: (
        True,
        "this topic is protected or taken. Set the token of an account that may write there, or choose another topic",
        "보호됐거나 다른 사람이 예약한 토픽이에요. 쓸 권한이 있는 계정의 token을 넣거나 다른 topic을 골라 주세요",
    ),
    40010: (
        True,
        "the server keeps this topic for itself. Choose another one",
        "서버가 따로 쓰는 이름이에요. 다른 topic을 골라 주세요",
    ),
}


class Ntfy(HttpChannel):
    """Publish a knock to an ntfy topic.

    Success is the message that the server answers with. Servers from 2.16 on can replace it later
    (``sequence_id``, https://docs.ntfy.sh/releases/); an older one ignores that, which shows in its answer.
    """

    key = "ntfy"
    looks_like = "push"
    label = {"en": "ntfy", "ko": "ntfy"}
    also_called = "푸시 푸쉬 휴대폰 핸드폰 폰 스마트폰 phone mobile"
    steps = {
        "en": "1. Install the ntfy app on your phone (https://docs.ntfy.sh/subscribe/phone/).\n"
        "2. Subscribe to a topic whose name nobody can guess, such as knock-8f3kq2x7: whoever knows it can read along.\n"
        "3. Set the name as topic. For a server of your own, set server, and token if it asks for one.",
        "ko": "1. 휴대폰에 ntfy 앱을 설치해 주세요(https://docs.ntfy.sh/subscribe/phone/).\n"
        "2. 아무도 짐작할 수 없는 이름(예: knock-8f3kq2x7)으로 토픽을 구독해 주세요. 이름을 아는 사람은 누구나 알림을 볼 수 있어요.\n"
        "3. 그 이름을 topic에 넣어 주세요. 직접 운영하는 서버라면 server를, 필요하면 token도 넣어 주세요.",
    }
    anew = {
        "en": "Check server, and set a new token or another topic",
        "ko": "server가 맞는지 확인하고, token을 새로 넣거나 다른 topic을 골라 주세요",
    }
    takes_pictures = True
    edits = True
    # 4,096 bytes (https://docs.ntfy.sh/publish/#limitations); more becomes an attachment. The JSON may have twice
    # as many, and signs that JSON escapes count double there.
    limit = 3800
    unit = "bytes"
    signs = "@"  # the apps make links of addresses

    topic = Token(
        help="Topic that your phone subscribes to; its name is its password.",
        pattern="[-_A-Za-z0-9]{1,64}$",
        like={
            "en": "the name of a topic: up to 64 letters, digits, - and _; the server's address goes into server",
            "ko": "토픽 이름(영문자, 숫자, -, _ 64자까지. 서버 주소는 server에 넣어요)",
        },
    ).tag(config=True, required=True, ko="휴대폰에서 구독한 토픽(이름이 곧 비밀번호예요)")
    server = Link(
        "https://ntfy.sh", help="Server to publish to.", example="https://ntfy.sh", beyond=r"ntfy\.sh/+[^/]"
    ).tag(config=True, ko="보낼 서버")
    token = Token(
        help="Access token, for a protected topic.",
        pattern="tk_",
        like={"en": "an access token, which begins with tk_", "ko": "tk_로 시작하는 액세스 토큰"},
    ).tag(config=True, ko="보호된 토픽의 액세스 토큰")

    def send(self, message: Message) -> Optional[str]:
        """Deliver `message`; the handle is what it can be replaced by, or where it can't, only its ID."""
        return self.or_without_picture(self._send, message)

    def _send(self, message: Message) -> str:
        return self._publish(message, message.event.id)

    def edit(self, handle: str, message: Message) -> None:
        """Have `message` take the place of that one."""
        kind, _, sequence = handle.partition(" ")
        if kind != "sequence":
            raise self.error(
                "this server is too old to replace a message (before ntfy 2.16).",
                "이 서버는 보낸 메시지를 바꿀 수 없어요(ntfy 2.16 이전).",
                permanent=True,
            )
        self._publish(message, sequence)

    def _publish(self, message: Message, sequence: str) -> str:
        short = self.fitted(message)
        title, text = self.escape(short.title), self.escape(short.body)
        if not text.strip():
            title, text = "", title  # an empty message would be called "triggered"
        priority = PRIORITIES[message.loudness]
        auth = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        picture, server = message.event.picture, self.server.rstrip("/")
        if picture is None:
            payload: Dict[str, Any] = {"topic": self.topic, "message": text, "priority": priority}
            payload.update({"title": title} if title else {}, sequence_id=sequence)
            answer = self.post(f"{server}/", payload=payload, headers=auth)
        else:
            words = {"X-Message": text, **({"X-Title": title} if title else {})}
            headers = {
                **auth,
                **{name: _rfc2047(value) for name, value in words.items()},
                "X-Priority": str(priority),
                "X-Filename": picture.file_name,
                "X-Sequence-ID": sequence,
                "Content-Type": picture.media_type,
            }
            answer = self.post(f"{server}/{self.topic}", method="PUT", body=picture.content, headers=headers)
        data = answer.json()
        if data.get("event") != "message":
            raise self.refusal(answer)
        return f"sequence {sequence}" if data.get("sequence_id") == sequence else f"message {data.get('id')}"

    def refusal(self, answer: Answer) -> DeliveryError:
        """The error for what the server answered, by its code."""
        code = answer.json().get("code")
        trouble = TROUBLES.get(code) if isinstance(code, int) else None
        if trouble:
            revoked, en, ko = trouble
            return self.error(f"{en} ({code}).", f"{ko} ({code}).", permanent=True, revoked=revoked)
        if code == DAILY_QUOTA:
            return self.error(
                f"today's messages are used up; there are new ones tomorrow ({code}).",
                f"오늘 보낼 수 있는 메시지를 다 썼어요. 내일부터 다시 보낼 수 있어요({code}).",
                retry_after=A_DAY_S - time.time() % A_DAY_S,
            )
        return super().refusal(answer)


def _rfc2047(text: str) -> str:
    """`text` for a header, which takes ASCII only: a new line in it would begin another header."""
    return f"=?UTF-8?B?{base64.b64encode(text.encode('utf-8', 'replace')).decode('ascii')}?="
