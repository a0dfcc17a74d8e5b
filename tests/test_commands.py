"""What ``%knock`` answers to what was typed, word for word; in this process, for it is about words alone."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from knock_magic import death, knocker, language, login, messages, status
from knock_magic.errors import SettingsError, UsageError
from knock_magic.knocker import Knocker
from knock_magic.magics import KnockMagics
from knock_magic.options import from_values
from knock_magic.settings import Sources

WAITING = {
    **{"name": "hi", "event": "message", "channel": "slack", "owner": "", "happened_at": 0.0, "reason": "x"},
    **{"attempts": 0, "next_at": None, "grouping": ""},
}


class Desk:
    """``%knock`` over an environment of the test's own, and what it said."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.environ: Dict[str, str] = {"KNOCK_HOME": str(home), "KNOCK_LANG": "en"}
        self.config: Dict[str, Any] = {}
        self._capsys = capsys
        self.said: List[str] = []
        self._knocker: Any = None

    def open(self) -> Knocker:
        if self._knocker is None:
            self._knocker = Knocker(Sources(self.environ, self.config), say=self.said.append)
        assert isinstance(self._knocker, Knocker)
        return self._knocker

    @property
    def magics(self) -> KnockMagics:
        return KnockMagics(None, self.open())  # type: ignore[arg-type]

    def type(self, line: str) -> str:
        """What it says to ``%knock LINE``."""
        magics = self.magics
        del self.said[:]
        magics.knock(line)
        return "\n".join([*self.said, self._capsys.readouterr().out]).strip()


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    yield Desk(tmp_path, capsys)
    language.use(None)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("stats", "there is no command %knock stats."),
        ("help", "%knock? tells what each does"),
        ("resnet --show acc", "Did you mean %%knock resnet …?"),
        ("resnet --every=30m", "Did you mean %%knock resnet …?"),
        ("use slack --sav", "Did you mean --save? The only option here is --save."),
        ("history --run", "as the last column shows it; nothing was given."),
        ("history --outcome", "; nothing was given."),
    ],
)
def test_an_error_says_what_to_type(line: str, said: str, desk: Desk) -> None:
    assert said in desk.type(line)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("send", "%knock send needs a text."),
        ("send --to webhook", "%knock send needs a text."),
        ("send hi --to", "--to needs a value."),
        ("send --to slakc hi", "no channel is called 'slakc'. Did you mean slack?"),
        ("send --to slack hi", "slack can't be used yet"),
        ("send --pic x.png hi", "there is no option --pic."),
        ("history \u00b2", "No run in the history fits."),
        ('template "short"', "short"),
        ("mute 2h", "only a test is sent, all else is kept in the history; lines under a cell go on"),
    ],
)
def test_what_was_typed_is_read_like_in_a_shell(line: str, said: str, desk: Desk) -> None:
    assert said in desk.type(line)


def test_a_mute_is_told_as_it_is_where_knocks_are_sent(desk: Desk) -> None:
    desk.environ["KNOCK_WEBHOOK_URL"] = "http://127.0.0.1:1/x"

    assert desk.type("mute 2h").endswith("all else is kept in the history")


def test_who_watches_no_cell_says_nothing_of_cells(desk: Desk) -> None:
    desk.environ["KNOCK_DISABLE"] = "1"

    shown = status.card(desk.open()).as_text()

    assert "KNOCK_DISABLE" in shown
    assert "every cell" not in shown


def test_an_empty_text_costs_one_line_and_no_knock(desk: Desk) -> None:
    knocker.become_current(desk.open())
    try:
        messages.send("  ", None, None)
        assert desk.said == ["knock.send got no text; nothing is sent."]
        assert desk.open().sidecar.courier_pid is None
    finally:
        knocker.become_current(None)


def test_a_text_that_waits_is_told_without_a_gap(desk: Desk) -> None:
    assert "hi → slack" in status._waiting_line(WAITING, 60.0)


@pytest.mark.parametrize(
    ("lang", "about", "said"),
    [
        ("en", {"attempts": 1, "reason": "it is busy."}, "(it is busy. Next try in 6 h.)"),
        ("ko", {"attempts": 1, "reason": "바쁘대요."}, "(바쁘대요. 6시간 뒤에 다시 보내요.)"),
        ("en", {"grouping": "failed"}, "(what comes meanwhile goes along, in 6 h)"),
        ("ko", {"grouping": "failed"}, "(잠시 모아서 6시간 뒤에 한 번에 보내요)"),
        ("ko", {}, "(6시간 뒤에 보내요)"),
        ("ko", {"owner": ""}, "(같은 설정의 커널이 시작되면 보내요)"),
    ],
)
def test_what_waits_is_told_with_the_time_of_its_next_try(
    lang: str, about: Dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KNOCK_LANG", lang)
    row = {**WAITING, "reason": None, "owner": death.identity(os.getpid()), "next_at": 60.0 + 6 * 3600, **about}

    assert status._waiting_line(row, 60.0).endswith(said)


def test_a_login_without_a_channel_is_one(desk: Desk) -> None:
    with pytest.raises(UsageError, match="only kakao has a login; nothing was given"):
        login.run(desk.open(), login.Terminal(opens_browser=False), [])


@pytest.mark.parametrize(("value", "kind"), [(object(), "an object"), ({}, "a dict")])
def test_a_kind_has_its_article(value: object, kind: str) -> None:
    with pytest.raises(UsageError, match=f"every= takes a text or a number, got {kind}."):
        from_values("", {"every": value})


def test_a_wrong_outcome_is_told_like_a_person_would(desk: Desk) -> None:
    desk.environ.update(KNOCK_ON="fail", KNOCK_LANG="ko")

    desk.open()

    (said,) = desk.said
    assert said.startswith("KNOCK_ON 값: finished, failed, interrupted, ")
    assert said.endswith("중에서 적어 주세요. 받은 값: 'fail'. 혹시 failed인가요?")


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("KNOCK_SLACK_WEBHOK_URL", "KNOCK_SLACK_WEBHOOK_URL"),
        ("KNOCK_SLAK_WEBHOOK_URL", "KNOCK_SLACK_WEBHOOK_URL"),
        ("KNOCK_TEMPALTE", "KNOCK_TEMPLATE"),
    ],
)
@pytest.mark.parametrize(("lang", "words"), [("en", "Did you mean {}?"), ("ko", "혹시 {}인가요?")])
def test_a_variable_is_suggested_as_it_is_typed(variable: str, meant: str, lang: str, words: str, desk: Desk) -> None:
    desk.environ.update({variable: "https://hooks.slack.com/services/T0/B0/x", "KNOCK_LANG": lang})

    desk.open().channel("slack")

    assert words.format(meant) in "\n".join(desk.said)


def test_one_fault_of_an_address_is_one_line(desk: Desk) -> None:
    desk.environ["KNOCK_WEBHOOK_URL"] = "127.0.0.1:1/x"
    fault = "KNOCK_WEBHOOK_URL must be an address such as"

    desk.open().usable(["webhook"])

    assert [fault in text for text in desk.said] == [True]
    assert desk.type("use webhook").startswith(fault)
    assert desk.type("test webhook").startswith(f"webhook: {fault}")


@pytest.mark.parametrize("command", ["use webhook", "test webhook"])
def test_and_so_is_one_that_was_made_just_now(command: str, desk: Desk) -> None:
    desk.open()
    desk.environ["KNOCK_WEBHOOK_URL"] = "127.0.0.1:1/x"

    assert desk.type(command).count("KNOCK_WEBHOOK_URL must be an address") == 1


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("Slak", ["c.Slak sets nothing. Did you mean c.Slack?"]),
        ("Slakc", ["c.Slakc sets nothing. Did you mean c.Slack?"]),
        ("slack", ["c.slack sets nothing. Did you mean c.Slack?"]),
        ("Knok", ["c.Knok sets nothing. Did you mean c.Knock?"]),
        ("Slack", []),
        ("NotebookApp", []),
        ("IPKernelApp", []),
        ("LineMagics", []),
    ],
)
def test_a_section_of_the_config_that_is_nearly_ours_is_named(section: str, said: List[str], desk: Desk) -> None:
    desk.config[section] = {}

    desk.open()

    assert desk.said == said


def test_what_can_not_be_saved_says_so(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "settings.json").mkdir(parents=True)

    said = desk.type("auto 5m --save")

    assert "Not saved: " in said
    assert said.endswith("every cell that runs at least 5 min")


def test_channels_begins_with_what_is_ready_and_ends_with_what_to_do(desk: Desk) -> None:
    desk.environ["KNOCK_SLACK_WEBHOOK_URL"] = "https://hooks.slack.com/services/T0/B0/x"

    lines = desk.type("channels").splitlines()

    heads = [line for line in lines if not line.startswith(" ")]
    ready = [line.endswith("): ready") for line in heads[:-2]]
    assert ready == sorted(ready, reverse=True)
    assert "slack (Slack): ready" in heads
    assert "kakao (KakaoTalk): needs setting up: %knock login kakao" in heads
    assert "%knock setup" in heads[-1]
    for name in ("SLACK", "MATTERMOST", "KAKAOWORK", "LINEWORKS"):
        assert f"    Required: KNOCK_{name}_WEBHOOK_URL, or the settings that take its place." in lines


@pytest.mark.parametrize(
    ("typed", "en", "ko"),
    [
        ("0", "every cell", "모든 셀을 알려요"),
        ("on", "every cell that runs at least 1 min", "1분 이상 걸린 셀은 모두 알려요"),
        ("5m", "every cell that runs at least 5 min", "5분 이상 걸린 셀은 모두 알려요"),
        ("off", "off: only %%knock cells knock", "꺼짐, %%knock 셀만 알려요"),
    ],
)
def test_auto_says_which_cells_knock(typed: str, en: str, ko: str, desk: Desk) -> None:
    assert desk.type(f"auto {typed}") == en

    language.use("ko")

    assert desk.type(f"auto {typed}") == ko


def test_auto_on_is_saved_as_what_it_means(desk: Desk, tmp_path: Path) -> None:
    desk.type("auto on --save")

    assert json.loads((tmp_path / "settings.json").read_text(encoding="utf-8")) == {"auto": "60s"}


@pytest.mark.parametrize(("lang", "word"), [("en", "at the head of a cell"), ("ko", "셀 맨 위에 쓰면")])
def test_it_documents_itself_in_the_readers_language(lang: str, word: str, desk: Desk) -> None:
    desk.environ["KNOCK_LANG"] = lang

    text = desk.magics.knock.__doc__ or ""

    assert word in text
    assert [name for name in desk.magics.commands if name not in text] == []
    assert ("Knock when" in text) == (lang == "en")


def test_its_options_stand_deeper_than_its_commands(desk: Desk) -> None:
    lines = (desk.magics.knock.__doc__ or "").splitlines()

    at = {line.split()[0]: len(line) - len(line.lstrip()) for line in lines[1:] if line.strip()}

    assert at["--every"] == at["%knock"] + 2 == at["%%knock"] + 2


@pytest.mark.parametrize(("seconds", "said"), [(60.0, "알림을 끌 수 없어요"), (0.0, "알림을 다시 켤 수 없어요")])
def test_what_can_not_be_written_down_is_told_for_what_was_asked(
    seconds: float, said: str, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(knocker.private_file, "write", full)

    with pytest.raises(SettingsError) as caught:
        desk.open().mute(seconds)

    assert said in caught.value.texts["ko"]
