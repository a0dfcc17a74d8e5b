"""From an empty home to a delivered test knock, by clicking and typing, in each front end and in both languages."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from phone import Phone

from .conftest import Start
from .fronts import FrontEnd, Sheet
from .pictures import keep

pytestmark = pytest.mark.timeout(300)

CANARY = "canary5Zq88117x"
CELLS = ("%load_ext knock", "%knock setup")
WORDS = {
    "en": {"search": "webhook", "row": "Webhook", "missing": "fill this in", "taken": "taken ••••", "ok": "Arrived in"},
    "ko": {"search": "웹훅", "row": "웹훅", "missing": "채워 주세요", "taken": "입력됨 ••••", "ok": "도착했어요"},
}


def panel_of(sheet: Sheet) -> Any:
    for number in range(len(CELLS)):
        sheet.run(number)
    panel = sheet.page.locator(".knock-panel").last
    panel.wait_for()
    return panel


def step(panel: Any, number: int) -> None:
    panel.locator(".k-nav button").nth(number).click()


@pytest.mark.parametrize("lang", ["ko", "en"])
def test_a_person_gets_from_nothing_to_a_knock(start_front: Start, phone: Phone, tmp_path: Path, lang: str) -> None:
    words = WORDS[lang]
    front: FrontEnd = start_front(KNOCK_LANG=lang)
    sheet = front.open(*CELLS)
    panel = panel_of(sheet)

    panel.locator(".k-search input").fill(words["search"])
    row = panel.locator(".k-row:visible")
    row.nth(0).wait_for()
    panel.page.wait_for_function("document.querySelectorAll('.knock-panel .k-row:not(.k-gone)').length === 1")
    row.get_by_role("button").click()
    panel.locator(".k-main").click()
    panel.get_by_text(words["missing"]).wait_for()

    field = panel.locator("input[type=password]").first
    field.fill(f"curl -X POST -d '{{}}' '{phone.url}/{CANARY}'")
    field.press("Tab")
    panel.locator(f"input[placeholder='{words['taken']}']").wait_for()
    assert field.input_value() == ""
    between = json.dumps(sheet.save())

    panel.locator(".k-main").click()
    panel.locator(".k-answer.good").wait_for()
    assert words["ok"] in panel.locator(".k-answer.good").inner_text()
    keep(sheet, f"panel-{sheet.kind.name}-arrived.{lang}", panel, tmp_path)
    knock = phone.wait()
    assert (knock["event"], knock.path.endswith(CANARY)) == ("test", True)

    step(panel, 1)
    panel.locator(".k-shot:visible").first.wait_for()
    step(panel, 2)
    step(panel, 3)
    panel.locator("pre.k-copy:visible").first.wait_for()
    after = json.dumps(sheet.save())

    assert '"application/vnd.jupyter.widget-state+json"' in after  # else nothing was looked for in it
    assert [name for name, text in (("typed", between), ("saved", after)) if CANARY in text] == []
    assert any("comm_msg" in frame for frame in sheet.heard)
    assert [frame for frame in sheet.heard if CANARY in frame] == []
    assert _where_it_stands(front) == {"settings.json", "settings.json.last-good"}


def _where_it_stands(front: FrontEnd) -> Any:
    """The files in the home that have the canary: settings, and nothing of IPython, Jupyter or the outbox."""
    files = [path for path in front.home.folder.rglob("*") if path.is_file()]
    assert any(path.name == "history.sqlite" for path in files)
    return {path.name for path in files if CANARY.encode() in _content(path)}


def _content(path: Path) -> bytes:
    try:
        if path.name == "history.sqlite":  # what is still in its write-ahead log too
            with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
                return repr(db.execute("SELECT source, source_raw FROM history").fetchall()).encode()
        return path.read_bytes()
    except (OSError, sqlite3.Error):
        return b""


def test_the_keyboard_alone_is_enough(front: FrontEnd, phone: Phone) -> None:
    sheet = front.open(*CELLS, name="keyboard")
    panel = panel_of(sheet)
    keyboard = sheet.page.keyboard

    panel.locator(".k-nav button").first.focus()
    for _ in range(4):
        keyboard.press("Tab")  # over the steps, into the search
    keyboard.type("webhook")
    sheet.page.wait_for_function("document.querySelectorAll('.knock-panel .k-row:not(.k-gone)').length === 1")
    keyboard.press("Tab")
    keyboard.press("Enter")
    panel.locator(".k-title").wait_for()
    panel.locator(".k-quiet:visible").first.focus()  # the page was drawn anew; from its first control on
    keyboard.press("Tab")
    keyboard.type(phone.url)
    keyboard.press("Tab")
    keyboard.press("Tab")
    keyboard.press("Enter")

    panel.locator(".k-answer.good").wait_for()
    assert phone.wait()["event"] == "test"


def test_every_control_has_a_name(front: FrontEnd) -> None:
    """What a screen reader says of it: a label of its own, or its text."""
    sheet = front.open("%load_ext knock", "%knock setup slack", name="names")
    panel = panel_of(sheet)

    for number in range(4):
        step(panel, number)
        nameless = panel.evaluate(
            """panel => [...panel.querySelectorAll('button,input,select,textarea')]
                .filter(each => each.offsetParent !== null)
                .filter(each => !(each.textContent.trim() || [...(each.labels || [])].some(l => l.textContent.trim())))
                .map(each => each.outerHTML.slice(0, 200))"""
        )
        assert nameless == []
