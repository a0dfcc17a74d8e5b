"""The notebook: what is special about it."""

from __future__ import annotations

import json
from typing import Any, Dict, List

import pytest

from knock_magic import attention
from knock_magic.channels.notebook import Notebook, as_html
from knock_magic.event import Event, Picture
from knock_magic.template import render

from .stage import Contract

CONTRACT = Contract(settings={}, wire="kernel")

HOSTILE = "</script><script>alert(1)</script> <!-- \u2028 '\" \\ TOLD ${x}"


class Shell:
    """A notebook's shell, as far as what is published goes."""

    kernel = object()

    def __init__(self) -> None:
        self.published: List[Dict[str, Any]] = []
        self.display_pub = self

    def publish(self, data: Dict[str, Any], **_: Any) -> None:
        self.published.append(data)


def shown(kind: str = "finished", name: str = "resnet", **settings: bool) -> List[Dict[str, Any]]:
    shell = Shell()
    event = Event(kind, name, 0.0, 60.0, 60.0, metrics={name: name})
    Notebook(**settings).show(render(event, lang="en"), shell)  # type: ignore[arg-type]
    return shell.published


def told(published: Dict[str, Any]) -> Dict[str, Any]:
    """What the script is told, read as the browser reads it: one value of JSON, and nothing else of a cell."""
    script = published["application/javascript"]
    start = script.index("})({") + 3
    found, _ = json.JSONDecoder().raw_decode(script[start:])
    return dict(found)


def test_what_came_from_a_cell_stays_text_in_the_page() -> None:
    page = as_html(render(Event("message", "", 0.0, text="<script>alert(1)</script> & <b>")))

    assert "<script" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize(("kind", "count"), [("message", 1), ("finished", 0)])
def test_a_picture_that_was_sent_is_shown(kind: str, count: int) -> None:
    """A run's own is a plot that stands under the cell already."""
    shell = Shell()
    event = Event(kind, "look", 0.0, 60.0, 60.0, text="look", picture=Picture("image/png", "iVBORw=="))

    Notebook().show(render(event, lang="en"), shell)  # type: ignore[arg-type]

    assert [each["image/png"] for each in shell.published if "image/png" in each] == ["iVBORw=="] * count


def test_no_script_is_shown_unless_asked_for() -> None:
    assert [list(each) for each in shown()] == [["text/plain", "text/html"]]


def test_sound_and_notification_are_an_output_of_their_own() -> None:
    line, call = shown(sound=True, notification=True)

    assert "text/html" in line
    assert call["text/plain"] == ""
    assert told(call)["title"] == "✅ resnet finished · 1 min"
    assert (told(call)["tones"], told(call)["shows"]) == ([660, 880], True)


@pytest.mark.parametrize(("settings", "expected"), [({"sound": True}, (2, False)), ({"notification": True}, (0, True))])
def test_one_goes_without_the_other(settings: Dict[str, bool], expected: Any) -> None:
    call = told(shown(**settings)[1])

    assert (len(call["tones"]), call["shows"]) == expected


def test_bad_news_sounds_otherwise() -> None:
    assert told(shown("failed", sound=True)[1])["tones"] != told(shown(sound=True)[1])["tones"]


def test_progress_is_silent() -> None:
    assert len(shown("progress", sound=True, notification=True)) == 1


def test_what_came_from_a_cell_is_nothing_but_strings_in_the_script() -> None:
    call = shown(name=HOSTILE, notification=True)[1]

    script = call["application/javascript"]
    assert script.isascii()
    assert "<script" not in script
    assert "</" not in script
    assert told(call)["title"].startswith("✅ </script><script>alert(1)</script>")
    start = script.index("})({") + 3
    _, end = json.JSONDecoder().raw_decode(script[start:])
    assert script[:start] + "TOLD" + script[start + end :] == attention._SCRIPT
