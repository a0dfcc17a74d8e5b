"""`Dooray`: posts to a chat of Dooray! Messenger, through an incoming hook."""

from __future__ import annotations

import re
import time
from typing import Any, Dict

from knock_magic.channels.base import Answer, HttpChannel, Url
from knock_magic.cleaning import one_line
from knock_magic.errors import DeliveryError
from knock_magic.outline import Facts, Text, outline
from knock_magic.template import Message
from knock_magic.wording import ANY_OTHER_COLOUR, COLOURS

# A hook can send once a second (https://github.com/TOAST-DOCS/Dooray-Messenger/blob/master/ko/incoming-hook-guide.md),
# and people report that what comes sooner is dropped and called a success all the same. So `send` does not end sooner.
APART_S = 1.1
# What is behind a refusal is told in words alone, and these are documented nowhere.
_TOO_OFTEN = re.compile(r"\blimit|too many|\brate\b|초과", re.IGNORECASE)
_GONE = re.compile(r"delete|removed|expired|not found|not exist|삭제|만료|존재하지|없는", re.IGNORECASE)

# Commercial, public sector and its internal network, finance; the REST API's names (api.dooray.com, ...) are these
# (https://helpdesk.dooray.com/share/pages/9wWo-xwiR66BO5LGshgVTg/2937064454837487755).
CLOUDS = ("dooray.com", "gov-dooray.com", "gov-dooray.co.kr", "dooray.co.kr")


class Dooray(HttpChannel):
    """Post a knock to a chat of Dooray! Messenger.

    Success is what Dooray! calls so: ``"isSuccessful": true`` in the answer's header.
    """

    key = "dooray"
    is_korean = True
    label = {"en": "Dooray!", "ko": "두레이"}
    steps = {
        "en": "1. In Dooray! Messenger (https://dooray.com), open the chat's settings and choose the "
        "service integrations.\n"
        "2. Under incoming, add an integration and pick the chat.\n"
        "3. Save it, and put the copied address into webhook_url.",
        "ko": "1. 두레이(https://dooray.com) 메신저에서 대화방의 [설정] > [서비스 연동]을 열어 주세요.\n"
        "2. [서비스 추가]의 incoming에서 [연동 추가]를 누르고 알림을 받을 대화방을 골라 주세요.\n"
        "3. [저장]을 누르면 복사되는 주소를 webhook_url에 넣어 주세요.",
    }
    anew = {
        "en": "Add an incoming integration to the chat anew and set webhook_url",
        "ko": "대화방의 [서비스 연동]에서 incoming을 다시 추가해 webhook_url에 넣어 주세요",
    }
    # How much it takes is said nowhere, nor in which unit: a cautious figure.
    limit = 2000
    unit = "utf16"
    # (dooray://...) is a mention, too: https://github.com/TOAST-DOCS/Dooray-Messenger/blob/master/ko/slash-command-guide.md
    signs = "@]"

    webhook_url = Url(
        help="Address of an incoming hook.",
        hosts=tuple(f"hook.{cloud}" for cloud in CLOUDS),
        example="https://hook.dooray.com/services/.../.../...",
        paths=("/services/*/*/*",),
    ).tag(config=True, required=True, ko="인커밍 훅 주소")

    def send(self, message: Message) -> None:
        """Deliver `message`."""
        answer = self.post(self.webhook_url, payload=self.payload(message))
        if _header(answer).get("isSuccessful") is not True:
            raise self.refusal(answer)
        time.sleep(APART_S)

    def payload(self, message: Message) -> Dict[str, Any]:
        """The headline and prose as the message; facts and an error below it, with a coloured edge.

        https://helpdesk.dooray.com/share/pages/9wWo-xwiR66BO5LGshgVTg/2900079844453730084
        """
        told = outline(self.fitted(message))
        colour = COLOURS.get(message.event.event, ANY_OTHER_COLOUR)
        prose = [told.headline, *(part.text for part in told.parts if isinstance(part, Text))]
        blocks = [
            "\n".join(f"{name}  {value}" for name, value in part.pairs) if isinstance(part, Facts) else part.whole
            for part in told.parts
            if not isinstance(part, Text)
        ]
        payload: Dict[str, Any] = {"botName": "knock", "text": self.escape("\n".join(prose))}
        if blocks:
            payload["attachments"] = [{"text": self.escape(block), "color": colour} for block in blocks]
        return payload

    def refusal(self, answer: Answer) -> DeliveryError:
        """The error for what Dooray! answered, in its own words where it has some."""
        header = _header(answer)
        if answer.status >= 300 or header.get("isSuccessful") is not False:
            return super().refusal(answer)
        words = one_line(self.hide(str(header.get("resultMessage") or header.get("resultCode") or "")), 200)
        said = words and f" ({words})"
        often = bool(_TOO_OFTEN.search(words))
        if _GONE.search(words) and not often:
            return self.error(
                f"it no longer accepts this address{said}. {self.anew['en']}.",
                f"이 주소를 더는 받아 주지 않아요{said}. {self.anew['ko']}.",
                permanent=True,
                revoked=True,
            )
        return self.error(
            f"it did not take the message{said}.",
            f"메시지를 받아 주지 않았어요{said}.",
            permanent=not often,
            retry_after=APART_S if often else None,
        )


def _header(answer: Answer) -> Dict[str, Any]:
    header = answer.json().get("header")
    return header if isinstance(header, dict) else {}
