"""`Jandi`: posts to a topic of JANDI, through an incoming webhook of JANDI Connect."""

from __future__ import annotations

from typing import Any, Dict

from knock_magic.channels.base import HttpChannel, Url
from knock_magic.outline import Facts, Text, outline
from knock_magic.template import Message
from knock_magic.wording import ANY_OTHER_COLOUR, COLOURS

# Without exactly this one there is no answer but an error
# (https://support.jandi.com/ko/articles/6352697, as all that is said here of JANDI).
ACCEPT = "application/vnd.tosslab.jandi-v2+json"


class Jandi(HttpChannel):
    """Post a knock to a topic or chat of JANDI.

    What JANDI answers is documented nowhere; any 2xx that is no page for people counts as a success.
    """

    key = "jandi"
    is_korean = True
    label = {"en": "JANDI", "ko": "잔디"}
    steps = {
        "en": "1. Open the topic at https://www.jandi.com and choose the plug icon, JANDI Connect.\n"
        "2. Choose Incoming Webhook, name it, and add it. Where you can't, an admin of the team has kept it to admins.\n"
        "3. Copy the address into webhook_url.",
        "ko": "1. https://www.jandi.com 에서 알림을 받을 토픽을 열고 플러그 모양의 [잔디 커넥트]를 눌러 주세요.\n"
        "2. [Webhook 수신(Incoming Webhook)]을 골라 연동을 추가해 주세요. 보이지 않으면 팀 관리자에게 권한을 요청해 주세요.\n"
        "3. 나온 주소를 webhook_url에 넣어 주세요.",
    }
    anew = {
        "en": "Add an Incoming Webhook to the topic anew, in JANDI Connect, and set webhook_url",
        "ko": "[잔디 커넥트]에서 Incoming Webhook을 다시 추가해 webhook_url에 넣어 주세요",
    }
    # How much it takes is said nowhere, nor in which unit: a cautious figure.
    limit = 2000
    unit = "utf16"
    signs = "@]"  # [text](address) is a link

    webhook_url = Url(
        help="Address of an incoming webhook.",
        hosts=("wh.jandi.com",),
        example="https://wh.jandi.com/connect-api/webhook/.../...",
        paths=("/connect-api/webhook/*/*",),
    ).tag(config=True, required=True, ko="인커밍 웹훅 주소")

    def send(self, message: Message) -> None:
        """Deliver `message`."""
        answer = self.post(self.webhook_url, payload=self.payload(message), headers={"Accept": ACCEPT})
        if answer.is_page:
            raise self.refusal(answer)

    def payload(self, message: Message) -> Dict[str, Any]:
        """The headline and prose as the message; below a coloured edge, facts as rows, and an error."""
        told = outline(self.fitted(message))
        prose, rows = [told.headline], []
        for part in told.parts:
            if isinstance(part, Text):
                prose.append(part.text)
            elif isinstance(part, Facts):
                rows += [self._row(name, value) for name, value in part.pairs]
            else:
                rows.append(self._row(part.text, part.where))
        return {
            "body": self.escape("\n".join(prose)),
            "connectColor": COLOURS.get(message.event.event, ANY_OTHER_COLOUR),
            "connectInfo": rows,
        }

    def _row(self, title: str, description: str) -> Dict[str, str]:
        row = {"title": self.escape(title), "description": self.escape(description)}
        return {name: text for name, text in row.items() if text}
