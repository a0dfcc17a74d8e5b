"""The panel, driven as the front end drives it: by what widgets are told. Real browsers are in `browser/`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Dict, Iterator, List

import ipywidgets
import pytest
from conftest import Home, end_of, poll
from phone import Phone
from traitlets import Bool, Enum, Float, Integer

from knock_magic import channels, language
from knock_magic.knocker import Knocker
from knock_magic.panel import STEPS, Panel
from knock_magic.panel.kakao_box import FILLED
from knock_magic.panel.likeness import LOOKS
from knock_magic.panel.secret_field import SecretField
from knock_magic.panel.style import SHEET, linked, numbered
from knock_magic.settings import Secret, Sources

CANARY = "canary8Zq2531x"
Open = Callable[..., Panel]


@pytest.fixture
def open_panel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Open a panel in an empty home, as a kernel with this environment would."""
    home = Home(tmp_path)
    opened: List[Knocker] = []

    def start(channel: str = "", **env: str) -> Panel:
        whole = home.env(**env)
        for name in [*os.environ]:
            if name not in whole:
                monkeypatch.delenv(name)
        for name, value in whole.items():
            monkeypatch.setenv(name, value)
        opened.append(Knocker(Sources(os.environ)))
        shell = SimpleNamespace(profile_dir=SimpleNamespace(startup_dir=str(tmp_path / "startup")))
        return Panel(opened[-1], shell, channel)

    yield start
    for knocker in opened:
        end_of(knocker)
    language.use(None)
    ipywidgets.Widget.close_all()
    home.clean()


def settings(tmp_path: Path) -> Dict[str, Any]:
    path = tmp_path / "knock" / "settings.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def type_into(panel: Panel, name: str, text: Any) -> None:
    """What the front end does when a field is left."""
    assert panel.channels.open_channel
    field = panel.channels.open_channel.form.fields[name]
    field.set_state({"value": text})


def said(panel: Panel, name: str = "") -> str:
    """What stands below the field `name`, or in the answer's box."""
    one = panel.channels.open_channel
    assert one
    return str((one.form.hints[name] if name else one.answer).widget.value)


def click(panel: Panel) -> str:
    """Press Test, and give the answer once it is there."""
    one = panel.channels.open_channel
    assert one
    one.test_button.click()
    poll(lambda: not one.test_button.disabled, "the answer")
    return said(panel)


def everything(panel: Panel) -> str:
    """All that could be saved with the notebook."""
    return json.dumps([ipywidgets.Widget.get_manager_state(), repr(panel.widget)], default=str)


# What it is made of.


def test_every_channel_has_a_row_and_a_form_made_from_its_traits(open_panel: Open) -> None:
    panel = open_panel()

    assert sorted(panel.channels.rows) == channels.names()
    for name in channels.names():
        panel.channels.open(name)
        one = panel.channels.open_channel
        assert one
        by_login = FILLED if one.login else ()
        fields = {each: trait for each, trait in channels.find(name).fields().items() if each not in by_login}
        assert list(one.form.fields) == list(fields)
        for trait_name, trait in fields.items():
            kinds = {Secret: SecretField, Bool: ipywidgets.Checkbox, Enum: ipywidgets.Dropdown,
                     Integer: ipywidgets.BoundedIntText, Float: ipywidgets.BoundedFloatText}  # fmt: skip
            wanted = next((kind for of, kind in kinds.items() if isinstance(trait, of)), ipywidgets.Text)
            assert isinstance(one.form.fields[trait_name], wanted)
            assert f"({trait_name})" in one.form.fields[trait_name].description


def test_a_channel_says_what_it_looks_like() -> None:
    assert {name for name in channels.own() if channels.find(name).looks_like not in LOOKS} == set()


def test_search_finds_a_channel_by_either_of_its_names(open_panel: Open) -> None:
    panel = open_panel()

    def shown(text: str) -> List[str]:
        panel.channels._search.value = text
        return [name for name, row in panel.channels.rows.items() if "k-gone" not in row._dom_classes]

    assert shown("카카오톡") == ["kakao"]
    assert shown("SLA") == ["slack"]
    assert shown("no such") == ["apprise", "webhook"]
    assert "k-gone" not in panel.channels._nothing._dom_classes
    for word in ("슬랙", "카톡", "팀즈", "SMS", "문자", "푸시", "휴대폰", "phone"):
        assert shown(word), word
        assert "k-gone" in panel.channels._nothing._dom_classes, word
    assert {"slack", "kakao", "teams"} == {*shown("슬랙"), *shown("카톡"), *shown("팀즈")}
    assert {"gmail", "naver", "daum", "email"} <= {*shown("메일")} & {*shown("mail")}
    assert shown("") == channels.names()


def test_korean_services_come_first_in_korean(open_panel: Open) -> None:
    korean = [names for _, _, names in open_panel(KNOCK_LANG="ko").channels._groups]
    english = [names for _, _, names in open_panel(KNOCK_LANG="en").channels._groups]

    assert korean[0][:3] == ["kakao", "naver", "daum"]
    assert english[0][0] != "kakao"


def test_it_opens_at_one_channel(open_panel: Open) -> None:
    panel = open_panel("kakao")

    assert panel.channels.open_channel
    assert panel.channels.open_channel.name == "kakao"


def test_loading_the_extension_does_not_import_widgets(tmp_path: Path) -> None:
    code = (
        "import sys; from IPython.core.interactiveshell import InteractiveShell\n"
        "InteractiveShell.instance().run_line_magic('load_ext', 'knock_magic')\n"
        "print('ipywidgets' in sys.modules)"
    )
    env = {**os.environ, "KNOCK_HOME": str(tmp_path), "IPYTHONDIR": str(tmp_path)}

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True, timeout=60)

    assert done.stdout.split()[-1] == "False"


# From nothing to a knock.


def test_a_test_knocks_and_only_then_saves(open_panel: Open, phone: Phone, tmp_path: Path) -> None:
    panel = open_panel("webhook")
    type_into(panel, "url", phone.url)
    assert settings(tmp_path) == {}

    answer = click(panel)

    assert phone.wait()["event"] == "test"
    assert "Arrived in" in answer
    assert settings(tmp_path) == {"channels": {"webhook": {"url": phone.url}}, "to": ["webhook"]}
    assert panel._knocker.in_use() == ("webhook",)


def test_a_knock_that_was_only_taken_is_not_said_to_have_arrived(
    open_panel: Open, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels.find("webhook"), "only_taken", channels.find("teams").only_taken)
    panel = open_panel("webhook")
    type_into(panel, "url", phone.url)

    answer = click(panel)

    assert "The workflow took it" in answer
    assert "Arrived" not in answer


def test_a_refusal_is_told_in_plain_words_and_nothing_is_saved(open_panel: Open, phone: Phone, tmp_path: Path) -> None:
    panel = open_panel("webhook")
    phone.answer(404)
    type_into(panel, "url", phone.url)

    answer = click(panel)

    assert "It did not arrive." in answer
    assert "no longer accepts this address" in answer
    assert "Correct it above" in answer
    assert settings(tmp_path) == {}
    one = panel.channels.open_channel
    assert one
    assert "k-gone" not in one.anyway._dom_classes

    one.anyway.click()

    assert settings(tmp_path)["channels"] == {"webhook": {"url": phone.url}}
    assert "k-answer warn" in said(panel)


def test_what_may_go_by_itself_is_to_be_tried_later(open_panel: Open, phone: Phone) -> None:
    panel = open_panel("webhook")
    phone.answer(500)
    type_into(panel, "url", phone.url)

    answer = click(panel)

    assert "Try again in a while." in answer
    assert "Correct it above" not in answer


def test_after_a_knock_has_arrived_it_leads_on(open_panel: Open, phone: Phone) -> None:
    panel = open_panel("webhook")
    one = panel.channels.open_channel
    assert one
    assert "k-gone" in one.onward._dom_classes
    type_into(panel, "url", phone.url)
    click(panel)
    assert "k-gone" not in one.onward._dom_classes

    one.onward.click()

    assert panel.step == "message"


def test_what_is_missing_is_said_beside_its_field(open_panel: Open, tmp_path: Path) -> None:
    panel = open_panel("kakao")

    answer = click(panel)

    assert "Nothing was sent" in answer
    assert "fill this in" in said(panel, "rest_api_key")
    assert "fill this in" not in said(panel, "link")
    assert settings(tmp_path) == {}


@pytest.mark.parametrize(
    ("channel", "field", "text", "words"),
    [
        ("slack", "webhook_url", "hooks.slack.com/x", "must be an address such as"),
        ("slack", "webhook_url", "https://discord.com/api/webhooks/1/x", "address of Discord"),
        ("slack", "token", "abc", "xoxb-"),
        ("kakao", "rest_api_key", "0" * 31, "32 digits"),
        ("email", "to", "nobody", "name@example.com"),
        ("email", "host", "smtp.example.com:587", "a setting of its own"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(
    open_panel: Open, tmp_path: Path, channel: str, field: str, text: str, words: str
) -> None:
    panel = open_panel(channel)

    type_into(panel, field, text)

    assert words in said(panel, field)
    assert "k-fault" in panel.channels.open_channel.form.fields[field]._dom_classes  # type: ignore[union-attr]
    assert "marked fields" in click(panel)
    assert settings(tmp_path) == {}


def test_a_curl_command_becomes_its_address(open_panel: Open, phone: Phone) -> None:
    panel = open_panel("webhook")

    type_into(panel, "url", f"""curl -X POST --data '{{"text":"hi"}}' '{phone.url}'""")

    assert "Only the part that belongs here" in said(panel, "url")
    assert "Arrived" in click(panel)


def test_a_key_in_the_wrong_field_is_taken_out(open_panel: Open) -> None:
    panel = open_panel("slack")

    type_into(panel, "channel", "xoxb-123456789012-abcdefghijkl")

    assert "looks like a key" in said(panel, "channel")
    assert "xoxb-1234" not in everything(panel)


def test_settings_can_be_taken_out_again(open_panel: Open, phone: Phone, tmp_path: Path) -> None:
    panel = open_panel("webhook")
    type_into(panel, "url", phone.url)
    click(panel)
    one = panel.channels.open_channel
    assert one

    one.forget_button.click()  # which asks
    assert one.draft.is_stored("url")
    one.forget_button.click()

    assert settings(tmp_path) == {"channels": {}, "to": []}
    assert panel._knocker.in_use() == ("notebook",)
    assert one.form.fields["url"].placeholder == ""


def test_what_was_typed_is_there_when_the_channel_is_opened_again(
    open_panel: Open, phone: Phone, tmp_path: Path
) -> None:
    panel = open_panel("slack")
    type_into(panel, "webhook_url", "https://hooks.slack.com/services/T0/B0/x")
    type_into(panel, "channel", "#train")
    panel.channels.close()

    panel.channels.open("slack")

    one = panel.channels.open_channel
    assert one
    assert one.form.fields["webhook_url"].placeholder == "taken ••••"
    assert one.form.fields["channel"].value == "#train"
    assert settings(tmp_path) == {}


def test_kakaos_steps_lead_to_the_login_below_them(open_panel: Open) -> None:
    panel = open_panel("kakao")
    assert panel.channels.open_channel

    steps = panel.channels.open_channel.widget.children[2].value

    assert "<li>Press Begin the login below.</li>" in steps
    assert "%knock login" not in steps


def test_the_embedded_default_has_a_form_and_nothing_to_test(open_panel: Open, tmp_path: Path) -> None:
    panel = open_panel("notebook")
    type_into(panel, "sound", True)

    assert "Saved in" in click(panel)
    assert settings(tmp_path) == {"channels": {"notebook": {"sound": True}}}


def test_a_space_takes_back_what_a_hidden_field_took(open_panel: Open, tmp_path: Path) -> None:
    panel = open_panel("slack")
    one = panel.channels.open_channel
    assert one

    type_into(panel, "webhook_url", "https://hooks.slack.com/services/T0/B0/wrong")
    assert one.draft.missing() == []
    type_into(panel, "webhook_url", "   ")

    assert "Nothing is typed here" in said(panel, "webhook_url")
    assert one.form.fields["webhook_url"].placeholder == ""
    assert "Nothing was sent" in click(panel)
    assert settings(tmp_path) == {}


def test_a_marked_field_is_seen_to_be_marked() -> None:
    """No rule of the sheet that comes later, and is as exact, gives it the border of all the others again."""
    mark = SHEET.index(".k-field.k-fault input:not([type=checkbox])")

    assert "var(--k-bad)" in SHEET[mark:].split("}")[0]
    assert ".k-fault input{" not in SHEET


def test_only_what_can_be_left_out_is_called_optional(open_panel: Open) -> None:
    panel = open_panel("slack")
    assert "Optional" not in said(panel, "webhook_url") + said(panel, "token") + said(panel, "channel")

    panel.channels.open("webhook")
    assert panel.channels.open_channel
    assert "* has to be filled in." in panel.channels.open_channel.form.widget.children[0].value

    panel.channels.open("ntfy")
    assert "Optional." in said(panel, "token")


def test_a_word_of_the_steps_is_code_only_where_it_is_a_setting() -> None:
    names = ["link", "channel", "webhook_url"]
    told = numbered(
        "1. Register it under Product link, and set link.\n2. Pick the channel, copy into webhook_url.", names
    )

    assert "Product link, and set <code>link</code>." in told
    assert "Pick the channel, copy into <code>webhook_url</code>." in told
    assert "as <code>link</code>;" in numbered("Set it as link; with it, all is well", names)
    assert numbered("As a bot, with link and channel:", names).count("<code>") == 2
    assert numbered("link가 없으면", names) == "<p><code>link</code>가 없으면</p>"


def test_only_what_can_be_opened_is_a_link() -> None:
    assert "<a " not in linked("open https://api.telegram.org/bot<token>/getUpdates, register http://localhost:8910")
    assert linked("see https://ntfy.sh.").startswith('see <a href="https://ntfy.sh"')


def test_a_wrong_key_is_told_in_natural_korean(open_panel: Open) -> None:
    panel = open_panel("slack", KNOCK_LANG="ko")

    type_into(panel, "token", "abc")

    assert "xoxb-로 시작하는 봇 토큰을 넣어 주세요." in said(panel, "token")


# No secret in the document.


def test_a_typed_secret_is_in_no_state_before_and_after_the_test(open_panel: Open, phone: Phone) -> None:
    panel = open_panel("webhook")

    type_into(panel, "url", f"{phone.url}/{CANARY}")
    between = everything(panel)
    assert "Arrived" in click(panel)

    assert CANARY not in between
    assert CANARY not in everything(panel)
    assert panel.channels.open_channel.form.fields["url"].placeholder == "saved ••••"  # type: ignore[union-attr]


def test_a_hidden_field_says_to_leave_it_before_saving(open_panel: Open) -> None:
    """Clicking Save leaves the field and saves at once: before the kernel has blanked the page's copy."""
    panel = open_panel("webhook")

    assert "Press Tab after typing, before you save the notebook." in said(panel, "url")


def test_a_stored_secret_is_never_set_back(open_panel: Open) -> None:
    panel = open_panel("webhook", KNOCK_WEBHOOK_URL=f"https://example.com/{CANARY}")

    assert panel.channels.open_channel.form.fields["url"].placeholder == "saved ••••"  # type: ignore[union-attr]
    assert "KNOCK_WEBHOOK_URL" in said(panel, "url")
    assert CANARY not in everything(panel)


def test_a_secret_field_holds_nothing_even_when_it_is_told_to() -> None:
    taken: List[str] = []
    field = SecretField(taken.append)

    field.set_state({"value": CANARY})
    field.value = CANARY

    assert taken == [CANARY]
    assert CANARY not in json.dumps(field.get_state(), default=str)


# The other steps.


def test_what_is_not_shown_any_more_is_not_saved_any_more(open_panel: Open) -> None:
    panel = open_panel()

    def count() -> int:
        return len(ipywidgets.Widget.get_manager_state()["state"])

    panel.channels.open("slack")
    panel.channels.close()
    before = count()
    for name in ("webhook", "slack"):
        panel.channels.open(name)
        panel.channels.close()

    assert count() == before


def test_every_step_opens(open_panel: Open) -> None:
    panel = open_panel()

    for name in STEPS:
        panel.tabs[name].click()
        assert panel.step == name


def test_a_language_writes_the_panel_anew(open_panel: Open, tmp_path: Path) -> None:
    panel = open_panel(KNOCK_LANG="")
    assert panel.tabs["channels"].description == "Channels"

    panel.message.language.value = "ko"

    assert panel.tabs["channels"].description == "채널"
    assert settings(tmp_path) == {"lang": "ko"}


def test_template_outcomes_and_times_are_saved_at_once(open_panel: Open, tmp_path: Path) -> None:
    panel = open_panel()

    panel.message.templates["short"].click()
    panel.message.outcomes["interrupted"].value = False
    panel.when.fields["auto"].value = "10m"
    panel.when.fields["every"].value = "soon"

    assert settings(tmp_path) == {"template": "short", "auto": "10m", "on": ["finished", "failed", "died", "stalled"]}
    assert "Write a time such as 60s, 15m or 1h30m, or off." in panel.when.hints["every"].widget.value
    assert panel._knocker.settings.auto == 600.0


@pytest.mark.parametrize("text", [" 2 h ", '"2h"', "120 min", "1h 60m", "2 시간"])
def test_a_time_is_read_as_people_write_it(open_panel: Open, tmp_path: Path, text: str) -> None:
    panel = open_panel()

    panel.when.fields["every"].set_state({"value": text})

    assert panel._knocker.settings.every == 7200.0
    assert "k-fault" not in panel.when.fields["every"]._dom_classes


def test_the_threshold_keeps_its_place_when_it_is_switched_off(open_panel: Open) -> None:
    when = open_panel().when

    when.auto.value = False

    assert when.fields["auto"].disabled
    assert "k-gone" not in when.fields["auto"]._dom_classes


def test_the_last_outcome_stays_ticked(open_panel: Open, tmp_path: Path) -> None:
    panel = open_panel()

    for box in panel.message.outcomes.values():
        box.set_state({"value": False})

    ticked = [each for each, box in panel.message.outcomes.items() if box.value]
    assert len(ticked) == 1
    assert settings(tmp_path)["on"] == ticked
    assert "At least one has to stay." in panel.message.hint.widget.value


def test_a_broken_template_is_not_saved(open_panel: Open, tmp_path: Path) -> None:
    panel = open_panel()
    panel.message._write()

    panel.message.editor.text.value = "${bad"
    panel.message.editor.save()

    assert "error in line 1" in panel.message.editor.hint.widget.value
    assert settings(tmp_path) == {}


def test_an_own_template_is_seen_while_it_is_written_and_then_used(open_panel: Open, tmp_path: Path) -> None:
    panel = open_panel()
    panel.message._write()
    editor = panel.message.editor

    editor.text.value = "look: $name"
    editor.add("duration")
    assert "look: resnet50" in panel.message.shots.value
    editor.text.value = "look: $nmae $"
    assert "error in line 1" in editor.hint.widget.value
    editor.text.value = "look: $name"
    editor.name.value = " "
    editor.save()
    assert "name first" in editor.hint.widget.value
    editor.name.value = "short"
    editor.save()
    assert "short is taken. Choose another name." in editor.hint.widget.value
    editor.open("")
    editor.text.value = "look: $name"
    editor.save()

    assert settings(tmp_path) == {"templates": {"mine": {"default": "look: $name"}}, "template": "mine"}
    assert panel._knocker.settings.template == "mine"


def test_a_preview_shows_the_text_that_is_sent(open_panel: Open) -> None:
    panel = open_panel(KNOCK_TO="kakao", KNOCK_KAKAO_REST_API_KEY="0" * 32, KNOCK_KAKAO_REFRESH_TOKEN="x" * 20)

    panel.message.templates["detailed"].click()
    panel.message._look("failed")

    assert "of 200 characters · cut to fit" in panel.message.shots.value
    assert "#fee500" in panel.message.shots.value


def test_done_tells_what_is_set(open_panel: Open, phone: Phone) -> None:
    panel = open_panel(KNOCK_TO="webhook", KNOCK_WEBHOOK_URL=phone.url)
    panel.when.fields["stall"].value = "20m"
    panel.when._mute(3600)
    panel.go("done")

    assert "That is all." in panel.done._title.value
    assert "after 20 min without news" in panel.done._card.value
    assert "Every cell that runs at least" in panel.done._card.value
    assert "until " in panel.done._card.value
    assert "Webhook" in panel.done._card.value
    assert panel.done.autoload
    panel.done.autoload.value = True
    assert "Loaded in every later kernel" in panel.done.hint.widget.value


def test_done_says_where_no_channel_was_chosen(open_panel: Open) -> None:
    panel = open_panel()
    panel.go("done")

    assert "No channel yet. Choose one in step 1." in panel.done._title.value
