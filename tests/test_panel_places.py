"""Where settings survive: Colab's and Kaggle's secrets, a Google Drive. All three are our own fakes here."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Iterator

import pytest
from conftest import Home, end_of

# The modules that behave as Colab's and Kaggle's do, plugged in for a test.
from test_settings_secrets import URL, NotebookAccessError, Place, colab, kaggle  # noqa: F401

from knock_magic import folders, language
from knock_magic.draft import Draft
from knock_magic.knocker import Knocker
from knock_magic.panel.channels_step import OneChannel
from knock_magic.panel.place_box import PlaceBox
from knock_magic.settings import Sources


@pytest.fixture
def knocker(tmp_path: Path) -> Iterator[Knocker]:
    home = Home(tmp_path)
    env = home.env(XDG_CONFIG_HOME=str(tmp_path / "vm"), XDG_STATE_HOME=str(tmp_path / "state"), KNOCK_HOME=None)
    language.use("en")
    found = Knocker(Sources(env), say=lambda _: None)
    yield found
    end_of(found)
    language.use(None)


def box(knocker: Knocker, *channels: str) -> PlaceBox:
    return PlaceBox(knocker, lambda: list(channels), lambda: None)


def test_elsewhere_there_is_nothing_to_choose(knocker: Knocker) -> None:
    place = box(knocker, "webhook")

    assert place.chips == {}
    assert "k-gone" in place.widget._dom_classes


@pytest.mark.parametrize("service", ["colab", "kaggle"])
def test_the_names_to_create_are_shown_and_read(service: str, knocker: Knocker, request: pytest.FixtureRequest) -> None:
    there: Place = request.getfixturevalue(service)
    place = box(knocker, "webhook")
    place.chips["secrets"].click()
    assert "KNOCK_WEBHOOK_URL" in place._about.value
    place.read.click()
    assert "None of these" in place.answer.widget.value

    there.secrets = {"KNOCK_WEBHOOK_URL": URL, "KNOCK_TO": "webhook"}
    place.read.click()

    assert "2 read" in place.answer.widget.value
    assert knocker.in_use() == ("webhook",)
    assert URL not in place._about.value + place.answer.widget.value


def test_a_secret_without_access_says_what_to_switch_on(colab: Place, knocker: Knocker) -> None:  # noqa: F811
    colab.secrets = {"KNOCK_WEBHOOK_URL": NotebookAccessError("canary text")}
    place = box(knocker, "webhook")
    place.chips["secrets"].click()

    place.read.click()

    assert "does not let this notebook read KNOCK_WEBHOOK_URL" in place.answer.widget.value
    assert "canary" not in place.answer.widget.value


def test_a_runtime_says_plainly_that_it_forgets(colab: Place, knocker: Knocker) -> None:  # noqa: F811
    assert "gone when it takes the machine away" in box(knocker)._about.value


def test_a_mounted_drive_keeps_the_settings_for_the_next_runtime(
    colab: Place,  # noqa: F811
    knocker: Knocker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drive = tmp_path / "MyDrive"
    monkeypatch.setattr(folders, "DRIVE", str(drive))
    knocker.configuration.save_channel("webhook", {"url": URL})
    place = box(knocker, "webhook")
    place.chips["drive"].click()
    assert "drive.mount" in place._about.value
    assert "No Drive is mounted" in place.answer.widget.value

    drive.mkdir(mode=0o700)
    place.chips["drive"].click()

    path = drive / "knock_magic" / "settings.json"
    assert URL in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert "Saved in" in place.answer.widget.value
    later = Knocker(Sources({**os.environ, "KNOCK_HOME": ""}), say=lambda _: None)
    assert later.channel("webhook").url == URL
    assert later.configuration.is_on_drive
    end_of(later)


def test_secrets_read_in_the_panel_show_in_the_form(colab: Place, knocker: Knocker) -> None:  # noqa: F811
    one = OneChannel(knocker, Draft(knocker, "webhook"), lambda: None, lambda: None)
    colab.secrets = {"KNOCK_WEBHOOK_URL": URL}
    one.place.chips["secrets"].click()

    one.place.read.click()

    assert one.form.fields["url"].placeholder == "saved ••••"
    assert "KNOCK_WEBHOOK_URL" in one.form.hints["url"].widget.value


def test_what_was_typed_before_stays_as_it_is(colab: Place, knocker: Knocker) -> None:  # noqa: F811
    one = OneChannel(knocker, Draft(knocker, "webhook"), lambda: None, lambda: None)
    one.form.fields["url"].set_state({"value": "no address"})
    one.form.fields["secret"].set_state({"value": "signing key"})
    one.place.chips["secrets"].click()

    one.place.read.click()

    assert "must be an address" in one.form.hints["url"].widget.value
    assert one.form.fields["secret"].placeholder == "taken ••••"
