"""`GoogleChat`: posts to one space, through its incoming webhook."""

from __future__ import annotations

import dataclasses
import html
from typing import Any, Dict, List
from urllib.parse import parse_qsl, urlencode, urlsplit

from knock_magic.channels.base import NAMELESS, Answer, HttpChannel, Url, keep_indents
from knock_magic.errors import DeliveryError
from knock_magic.outline import Facts, outline
from knock_magic.template import Message


class GoogleChat(HttpChannel):
    """Post a knock to a Google Chat space (https://developers.google.com/workspace/chat/quickstart/webhooks).

    Success is the message that Google answers with. The request ID is the knock's own: a second try with it makes
    no second message (https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages/create).
    What belongs to one run stands in one thread, where the space has threads.
    """

    key = "googlechat"
    label = {"en": "Google Chat", "ko": "Google Chat"}
    also_called = "구글 챗 채팅"
    steps = {
        "en": "Google Workspace accounts only; a personal account has no webhooks.\n"
        "1. In a browser, open the space at https://chat.google.com, click its name > Apps & integrations > "
        "Webhooks > Add webhook.\n"
        "2. Copy the address with the three dots beside it and set it as webhook_url, whole.",
        "ko": "Google Workspace 계정에서만 쓸 수 있어요. 개인 계정에는 웹훅이 없어요.\n"
        "1. 브라우저로 https://chat.google.com 에서 스페이스를 열고, 이름 > 앱 및 통합 > 웹훅 > 웹훅 추가를 눌러 주세요.\n"
        "2. 옆의 점 세 개를 눌러 주소를 복사하고, 잘리지 않게 webhook_url에 넣어 주세요.",
    }
    anew = {
        "en": "Make a new webhook under the space's Apps & integrations > Webhooks and set its whole address as webhook_url",
        "ko": "스페이스의 앱 및 통합 > 웹훅에서 새로 만들어, 주소를 잘리지 않게 webhook_url에 넣어 주세요",
    }
    sends_once = True
    # A message with its cards may have 32,000 bytes (the page on `create`). The text stands in it twice.
    limit = 9000
    unit = "bytes"
    signs = "@"

    webhook_url = Url(
        help="Address of the space's webhook.",
        hosts=("chat.googleapis.com",),
        example="https://chat.googleapis.com/v1/spaces/.../messages?key=...&token=...",
        paths=("/v1/spaces/*/messages",),
        needs=("key", "token"),
    ).tag(config=True, required=True, ko="스페이스의 웹훅 주소")

    def escape(self, text: str) -> str:
        """`text` as the HTML of a card, without what would become a link."""
        return html.escape(super().escape(text), quote=False)

    def send(self, message: Message) -> None:
        """Deliver `message`, below what came before of its run."""
        parts = urlsplit(self.webhook_url)
        query = {
            **dict(parse_qsl(parts.query)),
            "messageReplyOption": "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD",
            "requestId": message.event.id,
        }
        answer = self.post(parts._replace(query=urlencode(query)).geturl(), payload=self.payload(message))
        if not str(answer.json().get("name", "")).startswith("spaces/"):
            raise self.refusal(answer)

    def payload(self, message: Message) -> Dict[str, Any]:
        """What is posted: a card, in which no sign but HTML's has a meaning, and its words for a phone's notification.

        In a message's own text, ``*``, ``_`` and ``<users/all>`` would have one, and no way to write them without.
        """
        short = self.fitted(message)
        told = outline(short)
        texts: List[str] = [f"<b>{self.escape(told.headline or NAMELESS)}</b>"]
        for part in told.parts:
            if isinstance(part, Facts):
                pairs = [f"{self.escape(name)} <b>{self.escape(value)}</b>" for name, value in part.pairs]
                texts.append("<br>".join(pairs))
            else:
                text = getattr(part, "whole", "") or part.text
                texts.append(keep_indents(self.escape(text)).replace("\n", "<br>"))
        widgets = [{"textParagraph": {"text": text}} for text in texts]
        return {
            "cardsV2": [{"cardId": "knock", "card": {"sections": [{"widgets": widgets}]}}],
            "fallbackText": super().escape(short.text),
            "thread": {"threadKey": message.event.run},
        }

    def refusal(self, answer: Answer) -> DeliveryError:
        """The error for what Google answered; a key that it does not know is a mere bad request to it."""
        if "api key not valid" in answer.text.lower():
            answer = dataclasses.replace(answer, status=401)
        return super().refusal(answer)
