"""`Teams`: posts to a channel or chat of Microsoft Teams, through a workflow."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple
from urllib.parse import urlsplit

from knock_magic.channels.base import NAMELESS, Answer, HttpChannel, Url, keep_indents
from knock_magic.errors import DeliveryError
from knock_magic.outline import Code, Facts, outline
from knock_magic.settings import Explained
from knock_magic.template import Message

# https://devblogs.microsoft.com/microsoft365dev/retirement-of-office-365-connectors-within-microsoft-teams/
RETIRED = (".webhook.office.com", "outlook.office.com", "outlook.office365.com")

# https://adaptivecards.microsoft.com/?topic=TextRun
COLOURS = {
    "finished": "Good",
    "failed": "Attention",
    "died": "Attention",
    "interrupted": "Warning",
    "stalled": "Warning",
    "warning": "Warning",
}
MOST_PAIRS = 30  # as a name and a bold value each; the JSON around each has 150 bytes

# https://learn.microsoft.com/azure/logic-apps/logic-apps-http-endpoint and what flows were seen to answer: whether
# the address is no good any more, and what the code means.
TROUBLES: Tuple[Tuple[Tuple[str, ...], bool, str, str], ...] = (
    (
        ("WorkflowTriggerIsNotEnabled", "WorkflowNotFound", "WorkflowDisabled"),
        True,
        "the workflow is switched off or deleted. Switch it on in the Workflows app, or make a new one and set "
        "webhook_url",
        "워크플로가 꺼졌거나 삭제됐어요. Workflows 앱에서 켜거나, 새로 만들어 webhook_url에 넣어 주세요",
    ),
    (
        ("DirectApiAuthorizationRequired", "AuthorizationFailed", "InvalidAuthorizationToken", "Unauthorized"),
        True,
        "the workflow does not let us in. Set its trigger to Anyone, copy its address anew (it changes) and set "
        "webhook_url",
        "워크플로가 요청을 막았어요. 트리거를 '누구나(Anyone)'로 바꾸고, 바뀐 주소를 다시 복사해 webhook_url에 넣어 주세요",
    ),
    (
        ("TriggerInputSchemaMismatch",),
        True,
        "the workflow expects something else. Make it from the template 'Send webhook alerts to a channel'",
        "워크플로가 다른 형식을 기다리고 있어요. 웹후크 알림 템플릿(Send webhook alerts to a channel)으로 다시 만들어 주세요",
    ),
    (
        ("RequestEntityTooLarge",),
        False,
        "it is too large for Teams",
        "Teams에 보내기에는 너무 커요",
    ),
)


class WorkflowUrl(Url):
    """The address of a workflow; one of a connector, which Microsoft has switched off, is told apart."""

    def _refuse_misplaced(self, text: str) -> None:
        host = (urlsplit(text).hostname or "").lower()
        if f".{host}".endswith(tuple(f".{each.lstrip('.')}" for each in RETIRED)):
            raise Explained(
                "is the address of an Office 365 connector, which Microsoft has switched off. Make a workflow in its "
                "place: in the channel, ... > Workflows > Send webhook alerts to a channel.",
                "Microsoft가 종료한 Office 365 커넥터 주소예요. 대신 워크플로를 만들어 주세요: "
                "채널의 ... > 워크플로 > 웹후크 알림 템플릿(Send webhook alerts to a channel).",
            )
        super()._refuse_misplaced(text)


class Teams(HttpChannel):
    """Post a knock to Microsoft Teams as an Adaptive Card.

    Success is 202: the workflow has taken it. What becomes of it later, Teams does not tell.
    """

    key = "teams"
    label = {"en": "Microsoft Teams", "ko": "Microsoft Teams"}
    also_called = "팀즈 마이크로소프트"
    steps = {
        "en": "1. In Teams, open the channel's or chat's ... > Workflows, and choose 'Send webhook alerts to a channel' "
        "(https://support.microsoft.com/office/8ae491c7-0394-4861-ba59-055e33f75498).\n"
        "2. Choose team and channel, add the workflow, copy its address and set it as webhook_url, whole.\n"
        "3. If it is refused: open the workflow's trigger and let Anyone trigger it; the address changes then.",
        "ko": "1. Teams에서 채널이나 채팅의 ... > 워크플로를 열고 웹후크 알림 템플릿(Send webhook alerts to a channel)을 골라 주세요"
        "(https://support.microsoft.com/ko-kr/office/8ae491c7-0394-4861-ba59-055e33f75498).\n"
        "2. 팀과 채널을 골라 워크플로를 추가하고, 나온 주소를 잘리지 않게 webhook_url에 넣어 주세요.\n"
        "3. 거절되면 워크플로의 트리거를 '누구나(Anyone)' 실행할 수 있게 바꾸고, 바뀐 주소를 다시 넣어 주세요.",
    }
    anew = {
        "en": "Make a new workflow, or let Anyone trigger this one, and set its whole address as webhook_url",
        "ko": "워크플로를 새로 만들거나 '누구나(Anyone)' 실행할 수 있게 바꾼 다음, 주소를 잘리지 않게 webhook_url에 넣어 주세요",
    }
    only_taken = {
        "en": "The workflow took it. See whether it shows up in the channel.",
        "ko": "워크플로가 받았어요. 채널에 보이는지 확인해 주세요.",
    }
    # A message has about 28 KB (https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using);
    # in JSON, a quote or a new line counts double, and each part has some around it.
    limit = 8000
    unit = "bytes"

    webhook_url = WorkflowUrl(
        help="Address of a workflow that posts to a channel.",
        hosts=(".logic.azure.com", ".api.powerplatform.com"),
        example="https://....environment.api.powerplatform.com/.../triggers/manual/paths/invoke?...&sig=...",
        needs=("sig",),
    ).tag(config=True, required=True, ko="채널에 글을 올리는 워크플로의 주소")

    def escape(self, text: str) -> str:
        """`text` without what a card replaces: ``{{DATE(...)}}``; its text runs know no other markup."""
        return text.replace("{{", "{\u200b{")

    def send(self, message: Message) -> None:
        """Deliver `message`."""
        answer = self.post(self.webhook_url, payload=self.payload(message))
        if answer.status not in (200, 202) or answer.is_page or answer.json().get("error"):
            raise self.refusal(answer)

    def payload(self, message: Message) -> Dict[str, Any]:
        """What is posted: the message as the one card of an activity, as the workflow's template wants it."""
        card = {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "msteams": {"width": "Full"},
            "body": self.body(message),
        }
        attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
        return {"type": "message", "attachments": [attachment]}

    def body(self, message: Message) -> List[Dict[str, Any]]:
        """The card's body, all of text runs: in them "Markdown is not supported", unlike in a text block.

        See https://learn.microsoft.com/adaptive-cards/schema-explorer/text-run.
        """
        told = outline(self.fitted(message))
        colour = COLOURS.get(message.event.event, "Default")
        blocks = [self._block(self._run(told.headline or NAMELESS, size="Medium", weight="Bolder", color=colour))]
        for part in told.parts:
            if isinstance(part, Facts) and len(part.pairs) <= MOST_PAIRS:
                for name, value in part.pairs:
                    blocks.append(self._block(self._run(f"{name} ", isSubtle=True), self._run(value, weight="Bolder")))
            elif isinstance(part, Facts):
                blocks.append(self._block(self._run("\n".join(f"{name} {value}" for name, value in part.pairs))))
            elif isinstance(part, Code):
                blocks.append(self._block(self._run(part.whole, fontType="Monospace")))
            else:
                blocks.append(self._block(self._run(part.text)))
        return blocks

    def _block(self, *runs: Dict[str, Any]) -> Dict[str, Any]:
        return {"type": "RichTextBlock", "spacing": "Small", "inlines": list(runs)}

    def _run(self, text: str, **style: Any) -> Dict[str, Any]:
        return {"type": "TextRun", "text": keep_indents(self.escape(text)) or " ", **style}

    def refusal(self, answer: Answer) -> DeliveryError:
        """The error for what the workflow's server answered, by its code."""
        error = answer.json().get("error")
        code = error.get("code") if isinstance(error, dict) else None
        for codes, revoked, en, ko in TROUBLES:
            if code in codes:
                return self.error(f"{en} ({code}).", f"{ko} ({code}).", permanent=True, revoked=revoked)
        return super().refusal(answer)
