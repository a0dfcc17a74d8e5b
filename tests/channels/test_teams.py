"""Teams: its card, its workflow's answers, and the connectors that are gone."""

from __future__ import annotations

import json
from typing import Any, Dict, List

import pytest

from knock_magic.channels.teams import Teams
from knock_magic.errors import DeliveryError, SettingsError
from knock_magic.event import ErrorInfo, Event
from knock_magic.template import render

from .stage import CANARY, Answer, Contract, Internet, Request, message

HOOK = (
    "https://default1234.56.environment.api.powerplatform.com:443/powerautomate/automations/direct/workflows/"
    f"abc/triggers/manual/paths/invoke?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig={CANARY}0123456789"
)


def runs(request: Request) -> List[Dict[str, Any]]:
    (attachment,) = request.json["attachments"]
    return [run for block in attachment["content"]["body"] for run in block["inlines"]]


def read(request: Request) -> List[str]:
    (attachment,) = request.json["attachments"]
    blocks = attachment["content"]["body"]
    return ["\n".join("".join(run["text"] for run in block["inlines"]) for block in blocks)]


def alive(request: Request) -> List[str]:
    """Only text runs know no markup; what a card replaces stands in double braces."""
    (attachment,) = request.json["attachments"]
    found = [block["type"] for block in attachment["content"]["body"] if block["type"] != "RichTextBlock"]
    found += [run["type"] for run in runs(request) if run["type"] != "TextRun" or "selectAction" in run]
    return found + [run["text"] for run in runs(request) if "{{" in run["text"]]


def refused(status: int, code: str) -> Answer:
    return Answer(status, {"error": {"code": code, "message": "no"}})


CONTRACT = Contract(
    settings={"webhook_url": HOOK},
    answer=lambda request: Answer(202),
    read=read,
    alive=alive,
    inside=[("an error", refused(200, "WorkflowNotFound"), True), ("no body", Answer(204), True)],
)


def error_of(answer: Answer, internet: Internet) -> DeliveryError:
    internet.answering = lambda request: answer
    with pytest.raises(DeliveryError) as caught:
        Teams(webhook_url=HOOK).send(message())
    return caught.value


def test_a_card_with_the_headline_in_the_outcome_s_colour(internet: Internet) -> None:
    internet.answering = CONTRACT.answer

    Teams(webhook_url=HOOK).send(message())

    headline, name, value, code = runs(internet.requests[0])
    assert (headline["text"], headline["color"], headline["weight"]) == (
        "❌ 학습 실패했어요 · 1분",
        "Attention",
        "Bolder",
    )
    assert (name["text"], value["text"]) == ("acc ", "0.91")
    assert (code["text"], code["fontType"]) == ("ValueError: loss is nan\ncell, 3, <module>", "Monospace")
    assert internet.requests[0].json["attachments"][0]["contentType"] == "application/vnd.microsoft.card.adaptive"


def test_the_indents_of_lines_are_kept(internet: Internet) -> None:
    """A card is shown as HTML, which folds spaces."""
    internet.answering = CONTRACT.answer

    Teams(webhook_url=HOOK).send(render(Event("message", "", 0.0, text="for x in y:\n    step(x)"), lang="ko"))

    assert runs(internet.requests[0])[-1]["text"] == "\xa0\xa0\xa0\xa0step(x)"


def test_what_a_card_would_replace_stays_as_it_was_typed(internet: Internet) -> None:
    internet.answering = CONTRACT.answer

    Teams(webhook_url=HOOK).send(render(Event("message", "", 0.0, text="at {{DATE(2017-02-14T06:08:39Z)}}"), lang="en"))

    assert alive(internet.requests[0]) == []


@pytest.mark.parametrize("count", [3, 2000])
def test_the_largest_card_is_within_28_kilobytes(count: int) -> None:
    metrics = {f'"m{n}': n for n in range(count)}
    told = message(metrics=metrics, error=ErrorInfo("ValueError", '"\\\n' * 5000, "x\n" * 5000))

    assert len(json.dumps(Teams(webhook_url=HOOK).payload(told), ensure_ascii=False).encode()) < 28 * 1024


@pytest.mark.parametrize(
    ("answer", "revoked", "hint"),
    [
        (refused(400, "WorkflowTriggerIsNotEnabled"), True, "Workflows"),
        (refused(404, "WorkflowNotFound"), True, "webhook_url"),
        (refused(401, "DirectApiAuthorizationRequired"), True, "Anyone"),
        (refused(400, "TriggerInputSchemaMismatch"), True, "template"),
        (refused(413, "RequestEntityTooLarge"), False, "too large"),
        (refused(400, "SomethingElse"), False, "SomethingElse"),
    ],
)
def test_what_a_workflow_refuses_is_told_with_the_next_step(
    internet: Internet, answer: Answer, revoked: bool, hint: str
) -> None:
    error = error_of(answer, internet)

    assert (error.permanent, error.revoked) == (True, revoked)
    assert hint in error.texts["en"]


@pytest.mark.parametrize(
    "address",
    [
        "https://lab.webhook.office.com/webhookb2/1234@5678/IncomingWebhook/abc/def",
        "https://outlook.office.com/webhook/1234@5678/IncomingWebhook/abc/def",
        "https://outlook.office365.com/webhook/1234@5678/IncomingWebhook/abc/def",
    ],
)
def test_a_connector_s_address_is_explained_where_it_is_typed(address: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Teams().put("webhook_url", address, "KNOCK_TEAMS_WEBHOOK_URL")

    assert "Office 365" in caught.value.texts["en"]
    assert "워크플로" in caught.value.texts["ko"]
    assert address not in str(caught.value.texts)


@pytest.mark.parametrize(
    ("address", "hint"),
    [
        ("https://prod-01.koreacentral.logic.azure.com:443/workflows/1/triggers/manual/paths/invoke", "sig="),
        ("https://hooks.slack.com/services/T/B/x", "Slack"),
        ("https://logic.azure.com.evil.example/workflows/1?sig=x", "powerplatform"),
    ],
)
def test_an_address_that_is_cut_off_or_another_s_is_refused_where_it_is_typed(address: str, hint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Teams().put("webhook_url", address)

    assert hint in caught.value.texts["ko"]


@pytest.mark.parametrize(
    "address",
    [HOOK, "https://prod-01.koreacentral.logic.azure.com:443/workflows/1/triggers/manual/paths/invoke?sig=x"],
)
def test_a_workflow_s_address_is_taken(address: str) -> None:
    teams = Teams()

    teams.put("webhook_url", address)

    assert teams.webhook_url == address
