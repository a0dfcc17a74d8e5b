"""`Kakaowork`: a message in KakaoWork, through an incoming webhook or as a bot of the workspace."""

from __future__ import annotations

import re
from typing import Any, Dict, List, Tuple

from traitlets import Unicode

from knock_magic.channels.base import Answer, HttpChannel, Token, Url
from knock_magic.errors import DeliveryError
from knock_magic.settings import Explained
from knock_magic.template import Message

API = "https://api.kakaowork.com/v1/"  # https://docs.kakaoi.ai/kakao_work/webapireference/messages/
TOO_OFTEN_S = 60.0  # "may be limited without notice": https://docs.kakaoi.ai/kakao_work/webapireference/commonguide/

# The codes of an error, as https://pypi.org/project/kakaowork/ has gathered them (KakaoWork's own page does not list
# them), whether nothing else will get through either, and what they mean.
PERMANENT: Tuple[Tuple[Tuple[str, ...], bool, str, str], ...] = (
    (
        ("invalid_authentication", "expired_authentication", "unauthorized"),
        True,
        "it does not accept the app key. Copy the App Key from the bot's page anew and set app_key",
        "앱 키를 받아 주지 않아요. 봇 관리 화면에서 App Key를 다시 복사해 app_key에 넣어 주세요",
    ),
    (
        ("user_not_found",),
        True,
        "nobody in the workspace has this address. Set email to the one you log in to KakaoWork with",
        "워크스페이스에 이 이메일을 쓰는 멤버가 없어요. 카카오워크에 로그인하는 이메일을 email에 넣어 주세요",
    ),
    (
        ("conversation_not_found",),
        True,
        "the bot is not in this chat, or it is gone. Invite the bot, or set conversation_id to another one",
        "봇이 없는 채팅방이거나 사라진 채팅방이에요. 봇을 초대하거나 conversation_id를 바꿔 주세요",
    ),
)
TRANSIENT = ("too_many_requests", "internal_server_error")


class MailAddress(Unicode):
    """Somebody's e-mail address."""

    info_text = "an e-mail address"

    def validate(self, obj: Any, value: Any) -> Any:
        """Refuse what is no address."""
        text = super().validate(obj, value)
        if text and not re.fullmatch(r"[^@\s]+@[^@\s]+", text):
            raise Explained(
                "must be an e-mail address such as me@lab.example.", "me@lab.example 같은 이메일이어야 해요."
            )
        return text


class Kakaowork(HttpChannel):
    """Send a knock to a chat of KakaoWork.

    As a bot, success is what KakaoWork calls so (``"success": true``). What a webhook answers is documented nowhere:
    any 2xx that does not say otherwise.
    """

    key = "kakaowork"
    is_korean = True
    label = {"en": "KakaoWork", "ko": "카카오워크"}
    steps = {
        "en": "The quick way, a webhook:\n"
        "1. In KakaoWork (https://www.kakaowork.com), open Shortcuts, Extensions, and choose Incoming Webhook.\n"
        "2. Make a bot, choose the chat, and copy the address into webhook_url.\n"
        "Or as a bot, with app_key and email:\n"
        "1. A member who may develop bots makes one in the workspace's administration; it gets an App Key.\n"
        "2. Copy the App Key into app_key, and the address you log in with into email.\n"
        "3. For a group chat, invite the bot and set conversation_id in place of email.",
        "ko": "간단한 방법은 웹훅이에요.\n"
        "1. 카카오워크(https://www.kakaowork.com)의 [바로가기] > [확장 서비스]에서 Incoming Webhook을 골라 주세요.\n"
        "2. [Bot 만들기]를 누르고 채팅방을 고른 뒤, 나온 주소를 webhook_url에 넣어 주세요.\n"
        "봇으로 보내려면 app_key와 email을 설정해 주세요.\n"
        "1. 개발자 권한이 있는 멤버가 워크스페이스 관리자 서비스에서 봇을 만들면 App Key가 나와요.\n"
        "2. App Key를 app_key에, 카카오워크에 로그인하는 이메일을 email에 넣어 주세요.\n"
        "3. 단체 채팅방에 보내려면 봇을 초대하고, email 대신 conversation_id를 넣어 주세요.",
    }
    anew = {
        "en": "Make the Incoming Webhook (or the bot) anew and set its address (or App Key)",
        "ko": "Incoming Webhook이나 봇을 다시 만들어 새 주소나 App Key를 넣어 주세요",
    }
    # What one text block holds, as https://pypi.org/project/kakaowork/ has it; in which unit is not said, and these
    # are never fewer than the characters.
    limit = 500
    unit = "utf16"
    signs = "@"  # the app makes links of addresses

    webhook_url = Url(
        help="Address of an incoming webhook.",
        hosts=("kakaowork.com",),
        example="https://kakaowork.com/bots/hook/...",
        paths=("/bots/hook/*",),
    ).tag(config=True, ko="인커밍 웹훅 주소")
    app_key = Token(
        help="App Key of a bot, in place of a webhook.",
        pattern=r"[0-9A-Za-z]+\.[0-9A-Za-z]+$",
        like={
            "en": "the App Key of a KakaoWork bot, two parts with a dot between them",
            "ko": "점(.) 하나로 나뉜 카카오워크 봇의 App Key",
        },
    ).tag(config=True, ko="웹훅 대신 쓸 봇의 App Key")
    email = MailAddress(help="Whom the bot writes to: the address they log in to KakaoWork with.").tag(
        config=True, ko="봇이 메시지를 보낼 사람의 카카오워크 이메일"
    )
    conversation_id = Unicode(help="Chat that the bot writes to, in place of a person.").tag(
        config=True, ko="사람 대신 메시지를 보낼 채팅방의 ID"
    )

    def missing(self) -> List[str]:
        """What is needed: the webhook, or the App Key with a person or a chat."""
        if self.app_key:
            return [] if self.email or self.conversation_id else [self.env_name("email")]
        return [] if self.webhook_url else [self.env_name("webhook_url")]

    def send(self, message: Message) -> None:
        """Deliver `message`; as a bot where an App Key is set."""
        payload = self.payload(message)
        if not self.app_key:
            answer = self.request(self.webhook_url, payload=payload)
            taken = not answer.is_page and answer.json().get("success") is not False
        else:
            to = {"conversation_id": self.conversation_id} if self.conversation_id else {"email": self.email}
            method = "messages.send" if self.conversation_id else "messages.send_by_email"
            headers = {"Authorization": f"Bearer {self.app_key}"}
            answer = self.request(API + method, payload={**to, **payload}, headers=headers)
            taken = answer.json().get("success") is True
        if not taken or not 200 <= answer.status < 300:
            raise self.refusal(answer)

    def payload(self, message: Message) -> Dict[str, Any]:
        """The text for the notification, and for the chat a bold headline with the rest below it, both unformatted."""
        text = self.escape(self.fit(message))
        headline, _, rest = text.partition("\n")
        colour = {"loud": "red", "normal": "blue"}.get(message.loudness, "grey")
        bold = {"type": "styled", "text": headline, "bold": True, "color": colour}
        blocks: List[Dict[str, Any]] = [{"type": "text", "text": headline, "inlines": [bold]}]
        if rest.strip():
            blocks.append({"type": "text", "text": rest})
        return {"text": text, "blocks": blocks}

    def refusal(self, answer: Answer) -> DeliveryError:
        """The error for what KakaoWork answered, by its code."""
        error = answer.json().get("error")
        code = str(error.get("code", "")) if isinstance(error, dict) else ""
        for codes, revoked, en, ko in PERMANENT:
            if code in codes:
                return self.error(f"{en} ({code}).", f"{ko} ({code}).", permanent=True, revoked=revoked)
        if code in TRANSIENT:
            return self.error(
                f"it is busy ({code}).",
                f"지금은 카카오워크가 받지 못해요({code}).",
                retry_after=TOO_OFTEN_S if code == "too_many_requests" else None,
                maybe_sent=code == "internal_server_error",
            )
        if answer.status >= 300 or answer.is_page:
            return super().refusal(answer)
        said = self.said(answer)
        return self.error(f"it did not take the message{said}.", f"메시지를 받아 주지 않았어요{said}.", permanent=True)
