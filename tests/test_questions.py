"""`%knock setup` in text: the panel's questions where nothing draws a panel."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest
from conftest import Home, Kernel, end_of
from phone import Phone

from knock_magic import autoload, channels, language, mute, questions
from knock_magic.knocker import Knocker
from knock_magic.settings import Sources

CANARY = "canary4Zq6173x"


class Script(questions.Person):
    """A person whose answers are known: what each question's words are answered with."""

    def __init__(self, answers: Dict[str, List[str]]) -> None:
        self.answers = answers
        self.said: List[str] = []
        self.hidden: List[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def ask(self, prompt: str, *, is_secret: bool = False) -> str:
        self.said.append(prompt)
        if is_secret:
            self.hidden.append(prompt)
        found = next((answers for word, answers in self.answers.items() if word in prompt and answers), [])
        return found.pop(0) if found else ""

    @property
    def text(self) -> str:
        return "\n".join(self.said)


@pytest.fixture
def knocker(tmp_path: Path) -> Iterator[Knocker]:
    home = Home(tmp_path)
    language.use("en")
    found = Knocker(Sources(home.env()), say=lambda _: None)
    yield found
    end_of(found)
    language.use(None)
    home.clean()


def settings(tmp_path: Path) -> Dict[str, Any]:
    path = tmp_path / "knock" / "settings.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def test_from_nothing_to_a_knock(knocker: Knocker, phone: Phone, tmp_path: Path) -> None:
    person = Script(
        {
            "Number or name": ["webhok", "webhook"],
            "(url)": ["not an address", f"curl '{phone.url}'"],
            "Template": ["short"],
            "from": ["soon", "10m"],
            "mute too?": ["y"],
            "Outcomes that": ["finished, oops", "failed, died"],
            "Send progress": ["5m"],
            "Mute for": ["1h"],
            "every later notebook": ["y"],
        }
    )

    startup = tmp_path / "startup"
    startup.mkdir()

    questions.run(knocker, person, startup_folder=str(startup))

    assert phone.wait()["event"] == "test"
    assert settings(tmp_path) == {
        "channels": {"webhook": {"url": phone.url}},
        "to": ["webhook"],
        "template": "short",
        "auto": "10m",
        "on": ["failed", "died"],
        "every": "5m",
    }
    assert "Did you mean webhook?" in person.text
    assert "must be an address such as" in person.text
    assert "a duration" in person.text
    assert knocker.settings.auto == 600.0
    assert mute.until(knocker.mute_path) > 0
    assert [path.name for path in startup.iterdir()] == [autoload.NAME]
    assert [prompt for prompt in person.hidden if "(url)" in prompt]


def test_a_knock_that_was_only_taken_is_saved_and_not_said_to_have_arrived(
    knocker: Knocker, phone: Phone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels.find("webhook"), "only_taken", channels.find("teams").only_taken)
    person = Script({"(url)": [phone.url]})

    questions.run(knocker, person, "webhook")

    assert "The workflow took it. See whether it shows up in the channel. Saved." in person.text
    assert settings(tmp_path)["channels"]["webhook"]["url"] == phone.url


def test_what_does_not_arrive_is_saved_only_when_one_insists(knocker: Knocker, phone: Phone, tmp_path: Path) -> None:
    phone.answer(404, times=2)

    questions.run(knocker, Script({"(url)": [phone.url]}), "webhook")
    assert settings(tmp_path) == {}

    questions.run(knocker, Script({"(url)": [phone.url], "all the same": ["y"]}), "webhook")
    assert settings(tmp_path) == {"channels": {"webhook": {"url": phone.url}}}


def test_every_question_has_its_korean(knocker: Knocker) -> None:
    language.use("ko")
    person = Script({"번호나 이름": ["slack"]})

    questions.run(knocker, person)

    assert "어디로 알려 드릴까요?" in person.text
    assert "  1  daum " in person.text  # the Korean services first
    assert "아직 빠진 값이 있어요: webhook_url" in person.text


def answer(kernel: Kernel, code: str, *replies: str) -> None:
    """Run `code`, and type `replies` as a front end does."""
    kernel.start(code)
    for reply in replies:
        asked = kernel.client.get_stdin_msg(timeout=30)
        kernel.client.input(reply)
        assert asked["msg_type"] == "input_request"


def test_in_a_kernel_without_widgets_a_secret_is_asked_for_as_a_password(
    kernel_with_knock: Kernel, home: Home, phone: Phone
) -> None:
    url = f"{phone.url}/{CANARY}"
    answer(kernel_with_knock, "%knock setup webhook --text", url, "")

    result = kernel_with_knock.finish(60)

    assert "Arrived in" in result.said
    assert phone.wait().path.endswith(CANARY)
    assert CANARY not in result.said + json.dumps(result.messages, default=str)
    (home.folder / "knock" / "settings.json").unlink()


def test_where_nobody_can_answer_it_says_what_to_set(kernel_with_knock: Kernel) -> None:
    """As in nbconvert and papermill, which draw no widgets either."""
    result = kernel_with_knock.run("%knock setup", allow_stdin=False)

    assert result.status == "ok"
    assert "nobody can answer here. Set KNOCK_TO" in result.said


@pytest.mark.parametrize("line", ["kakao slack", "--txt"])
def test_what_it_does_not_take_is_told(kernel_with_knock: Kernel, line: str) -> None:
    assert "takes one channel, and --text" in kernel_with_knock.run(f"%knock setup {line}").said
