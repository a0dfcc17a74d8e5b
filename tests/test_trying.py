"""What `%knock test` says: what became of each, how long each took, and what to do next."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence

import pytest

from knock_magic import messages
from knock_magic.channels.slack import Slack
from knock_magic.channels.teams import Teams
from knock_magic.channels.webhook import Webhook
from knock_magic.errors import DeliveryError
from knock_magic.knocker import Knocker
from knock_magic.settings import Sources

ADDRESS = "http://127.0.0.1:9/"


def answers_of(monkeypatch: pytest.MonkeyPatch, *answers: Dict[str, Any]) -> List[str]:
    """What is said of channels that answer so; the courier, which would send, is the one fake."""
    knocker = Knocker(Sources({"KNOCK_WEBHOOK_URL": ADDRESS, "KNOCK_NTFY_TOPIC": "resnet-at-night-0000"}))
    names = ["webhook", "ntfy"][: len(answers)]

    def send(text: str, to: Sequence[str], kind: str) -> None:
        return None

    monkeypatch.setattr(knocker, "send", send)
    monkeypatch.setattr(knocker, "results", lambda *_: dict(zip(names, answers)))
    monkeypatch.setattr(messages.time, "monotonic", lambda: 1000.0)
    return [text for text, _ in messages.test(knocker, names)]


def failed(error: DeliveryError, lang: str) -> Dict[str, Any]:
    about = {"permanent": error.permanent, "retry_after": error.retry_after, "maybe_sent": error.maybe_sent}
    return {"ok": False, "reason": error.texts[lang], **about}


@pytest.mark.parametrize(
    ("lang", "about", "said"),
    [
        ("en", {"retry_after": 7.0}, "webhook: did not arrive: it is busy. Test it again in 7 s."),
        (
            "ko",
            {"retry_after": 7.0},
            "webhook: 도착하지 않았어요. 바쁘대요. 시험 알림은 다시 보내지 않으니 7초 뒤에 다시 해 보세요.",
        ),
        ("en", {}, "webhook: did not arrive: it is busy. Test it again in a few minutes."),
        ("ko", {}, "webhook: 도착하지 않았어요. 바쁘대요. 시험 알림은 다시 보내지 않으니 몇 분 뒤에 다시 해 보세요."),
        ("en", {"permanent": True}, "webhook: did not arrive: it is busy."),
        ("en", {"permanent": True, "maybe_sent": True}, "webhook: may not have arrived: it is busy."),
    ],
)
def test_it_says_what_to_do_next_and_names_the_channel_once(
    lang: str, about: Dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KNOCK_LANG", lang)
    error = Webhook(url=ADDRESS).error("it is busy.", "바쁘대요.", **about)

    assert answers_of(monkeypatch, failed(error, lang)) == [said]


def test_each_channel_is_told_how_long_it_took_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KNOCK_LANG", "en")

    said = answers_of(monkeypatch, {"ok": True, "heard_mono": 1003.0}, {"ok": True, "heard_mono": 1030.0})

    assert said == ["webhook: arrived (3 s).", "ntfy: arrived (30 s)."]


def test_a_service_that_only_took_it_is_not_said_to_have_delivered_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KNOCK_LANG", "ko")
    monkeypatch.setattr(Webhook, "only_taken", Teams.only_taken)

    said = answers_of(monkeypatch, {"ok": True, "heard_mono": 1003.0})

    assert said == ["webhook: 워크플로가 받았어요. 채널에 보이는지 확인해 주세요."]


def test_a_value_that_was_refused_is_not_called_missing() -> None:
    knocker = Knocker(Sources({"KNOCK_SLACK_TOKEN": "Bearer xoxb-1", "KNOCK_SLACK_CHANNEL": "C1"}))

    said = [text for text, _ in messages.test(knocker, ["slack"])]

    assert len(said) == 1
    assert said[0].startswith("slack: KNOCK_SLACK_TOKEN ")
    assert "webhook" not in said[0].lower()


def test_an_empty_answer_is_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    from knock_magic.channels.base import Answer

    error = Slack().refusal(Answer(500, {}, "{}"))

    assert error.texts["ko"] == "Slack: 서버에 문제가 있어요(HTTP 500)."
