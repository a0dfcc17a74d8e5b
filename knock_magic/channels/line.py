"""`Line`: a push message of a LINE Official Account, through the Messaging API."""

from __future__ import annotations

import re
from typing import Any, Dict, Tuple

from traitlets import Unicode

from knock_magic.channels.base import Answer, HttpChannel, Token
from knock_magic.errors import DeliveryError
from knock_magic.settings import Explained
from knock_magic.template import Message

PUSH = "https://api.line.me/v2/bot/message/push"  # https://developers.line.biz/en/reference/messaging-api/#send-push-message

# How LINE's words of a refusal begin (https://developers.line.biz/en/reference/messaging-api/#error-responses),
# whether nothing else will get through either, and what they mean.
REFUSALS: Tuple[Tuple[str, bool, str, str], ...] = (
    (
        "Failed to send messages",
        True,
        "you have not added the account as a friend, or have blocked it. Add it in the LINE app: the QR code is on the "
        "Messaging API tab",
        "공식 계정을 친구로 추가하지 않았거나 차단했어요. [Messaging API] 탭의 QR 코드로 친구 추가해 주세요",
    ),
    (
        "The property, 'to'",
        True,
        "it does not know the receiver. Copy Your user ID from Basic settings of the same channel into to",
        "받는 사람을 찾을 수 없어요. 같은 채널의 [Basic settings]에서 Your user ID를 to에 넣어 주세요",
    ),
    (
        "Authentication failed",
        True,
        "it does not accept the token. Issue a channel access token anew under Messaging API and set token",
        "토큰을 받아 주지 않아요. [Messaging API] 탭에서 채널 액세스 토큰을 다시 발급해 token에 넣어 주세요",
    ),
    (
        "Access to this API",
        True,
        "the account may not send push messages. Look at its plan in the LINE Official Account Manager",
        "이 공식 계정으로는 메시지를 보낼 수 없어요. LINE Official Account Manager에서 요금제를 확인해 주세요",
    ),
    (
        "You have reached your monthly limit",
        True,
        "this month's messages are used up. Choose a larger plan, or wait for the next month",
        "이번 달 메시지를 다 썼어요. 요금제를 바꾸거나 다음 달까지 기다려 주세요",
    ),
)


class LineId(Unicode):
    """Who gets a message of LINE: a user, a group or a room."""

    info_text = "an ID such as U4af4980629..."

    def validate(self, obj: Any, value: Any) -> Any:
        """Refuse the names that people see in the app."""
        text = super().validate(obj, value)
        if text and not re.fullmatch("[UCR][0-9a-f]{32}", text):
            raise Explained(
                "must be a user ID from LINE Developers, U and 32 digits and letters (or a group's, C..., or a room's, "
                "R...), not the LINE ID that friends search for.",
                "LINE Developers에 나오는 사용자 ID여야 해요(U와 숫자·영문자 32자, 그룹은 C, 룸은 R). "
                "친구가 검색하는 LINE 아이디와 달라요.",
            )
        return text


class Line(HttpChannel):
    """Send a knock to one's LINE as a message of one's own official account.

    Each try carries the event's id as its retry key, so LINE delivers it once
    (https://developers.line.biz/en/docs/messaging-api/retrying-api-request/).
    """

    key = "line"
    looks_like = "talk"
    label = {"en": "LINE", "ko": "LINE"}
    also_called = "라인 휴대폰 핸드폰 phone"
    steps = {
        "en": "Good to know: LINE Notify ended in March 2025; its tokens do not work here. An official account of your "
        "own is free, with a number of messages a month that depends on the country.\n"
        "1. Create a LINE Official Account at https://manager.line.biz and enable Messaging API in its settings.\n"
        "2. Open the channel that now appears at https://developers.line.biz/console/.\n"
        "3. Under Messaging API, issue a channel access token (long-lived) and copy it into token.\n"
        "4. Under Basic settings, copy Your user ID (U...) into to.\n"
        "5. Scan the QR code under Messaging API with the LINE app and add the account as a friend.",
        "ko": "알아 두세요: LINE Notify는 2025년 3월에 끝나서 그 토큰은 쓸 수 없어요. 공식 계정은 무료로 만들 수 있고, "
        "한 달에 보낼 수 있는 무료 메시지 수는 나라마다 달라요.\n"
        "1. https://manager.line.biz 에서 LINE 공식 계정을 만들고 설정에서 Messaging API를 켜 주세요.\n"
        "2. https://developers.line.biz/console/ 에 생긴 채널을 열어 주세요.\n"
        "3. [Messaging API] 탭에서 채널 액세스 토큰(long-lived)을 발급해 token에 넣어 주세요.\n"
        "4. [Basic settings] 탭의 Your user ID(U...)를 to에 넣어 주세요.\n"
        "5. [Messaging API] 탭의 QR 코드를 LINE 앱으로 찍어 공식 계정을 친구로 추가해 주세요.",
    }
    sends_once = True
    # https://developers.line.biz/en/reference/messaging-api/#text-message, counted as
    # https://developers.line.biz/en/docs/messaging-api/text-character-count/ says.
    limit = 5000
    unit = "utf16"
    signs = "@"  # the app makes links of addresses

    token = Token(
        help="Channel access token (long-lived) of the Messaging API.",
        pattern="(?!https?:|xox).{50}",  # a channel secret has 32 characters, a token of LINE Notify had 43
        like={
            "en": "a channel access token, which is longer than 50 characters (not the channel secret, nor a token of "
            "LINE Notify, which has ended)",
            "ko": "채널 시크릿이나 종료된 LINE Notify 토큰이 아니라, 50자가 넘는 채널 액세스 토큰",
        },
    ).tag(config=True, required=True, ko="Messaging API의 채널 액세스 토큰(long-lived)")
    to = LineId(help="Who gets it: your user ID (U...), or a group's or room's (C..., R...).").tag(
        config=True, required=True, ko="받는 사람: 내 사용자 ID(U...), 또는 그룹·룸 ID(C..., R...)"
    )

    def send(self, message: Message) -> None:
        """Deliver `message`; that LINE has it already, from an earlier try, is a success."""
        headers = {"Authorization": f"Bearer {self.token}", "X-Line-Retry-Key": message.event.id}
        answer = self.request(PUSH, payload=self.payload(message), headers=headers)
        has_it_already = answer.status == 409 and bool(answer.json())
        if not has_it_already and not (answer.status == 200 and answer.json().get("sentMessages")):
            raise self.refusal(answer)

    def payload(self, message: Message) -> Dict[str, Any]:
        """One text message, in which no sign has a meaning; what is told on the way makes no sound."""
        return {
            "to": self.to,
            "messages": [{"type": "text", "text": self.escape(self.fit(message))}],
            "notificationDisabled": message.loudness == "quiet",
        }

    def refusal(self, answer: Answer) -> DeliveryError:
        """The error for what LINE answered, by its words: 429 alone means two things."""
        words = str(answer.json().get("message", ""))
        for beginning, revoked, en, ko in REFUSALS:
            if words.startswith(beginning):
                return self.error(f"{en}.", f"{ko}.", permanent=True, revoked=revoked)
        if answer.status < 300 and not answer.is_page:
            said = self.said(answer)
            return self.error(
                f"it did not take the message{said}.", f"메시지를 받아 주지 않았어요{said}.", permanent=True
            )
        return super().refusal(answer)
