"""Sound and notification in the page: once, when it happens, and never when the saved notebook is opened again."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Dict

import pytest

from .conftest import Start
from .fronts import PATIENCE_MS, FrontEnd, Sheet

# Servers and browsers take their time to start.
pytestmark = pytest.mark.timeout(240)

# The browser's own sound, counted; and notifications that are kept instead of shown by the desktop.
EARS = """
window.heard = {tones: 0, running: 0, notes: []};
window.AudioContext = class extends window.AudioContext {
  createOscillator() {
    window.heard.tones += 1;
    if (this.state === "running") window.heard.running += 1;
    return super.createOscillator();
  }
};
window.Notification = class {
  constructor(title, more) { window.heard.notes.push([title, more.body]); }
  static requestPermission() { this.permission = "granted"; return Promise.resolve("granted"); }
};
window.Notification.permission = "PERMISSION";
"""
LOUD = {"KNOCK_NOTEBOOK_SOUND": "1", "KNOCK_NOTEBOOK_NOTIFICATION": "1"}
NAME = "</script><b>resnet</b>"


def ears(sheet: Sheet, permission: str = "granted") -> None:
    sheet.page.evaluate(EARS.replace("PERMISSION", permission))


def heard(sheet: Sheet) -> Dict[str, Any]:
    return dict(sheet.page.evaluate("window.heard"))


def opened_again(sheet: Sheet, front: FrontEnd, *, elsewhere: bool) -> Dict[str, Any]:
    """What is heard of the saved notebook when its page is loaded again, or in a browser that has never seen it."""
    page = sheet._context.browser.new_context().new_page() if elsewhere else sheet.page
    page.add_init_script(EARS.replace("PERMISSION", "granted"))
    page.goto(f"{front.url}/{front.kind.page.format(name=sheet.path.stem)}/{sheet.path.name}?token={front.token}")
    page.wait_for_function("document.body.textContent.includes('resnet</b> finished')", timeout=PATIENCE_MS)
    found = dict(page.evaluate("window.heard"))
    if elsewhere:
        page.context.close()
    return found


def test_it_sounds_and_shows_once_and_not_when_it_is_opened_again(start_front: Start) -> None:
    front = start_front(**LOUD)
    sheet = front.open("%load_ext knock", f"%%knock {NAME}\n1")
    sheet.run(0)
    ears(sheet)

    sheet.run(1)
    sheet.page.wait_for_function("window.heard.notes.length > 0")
    once = heard(sheet)
    saved = sheet.save()
    again = opened_again(sheet, front, elsewhere=False)
    _grow_old(sheet.path, saved)
    later = opened_again(sheet, front, elsewhere=True)

    assert (once["tones"], once["running"]) == (2, 2)
    assert [title for title, _ in once["notes"]] == [f"✅ {NAME} finished · 0.1 s"]
    assert (again["tones"], again["notes"]) == (0, [])
    assert (later["tones"], later["notes"]) == (0, [])


def _grow_old(path: Path, saved: Dict[str, Any]) -> None:
    """As if it had been saved an hour ago."""
    text, now = json.dumps(saved), int(time.time())
    old = text
    for second in range(now - 120, now + 1):
        old = old.replace(f'\\"at\\": {second}.', f'\\"at\\": {second - 3600}.')
    assert old != text
    path.write_text(old, encoding="utf-8")


def test_who_has_not_allowed_notifications_is_asked_by_a_button(start_front: Start) -> None:
    front = start_front(**LOUD, KNOCK_LANG="ko")
    sheet = front.open("%load_ext knock", "%knock test notebook")
    sheet.run(0)
    ears(sheet, permission="default")

    output = sheet.run(1)
    button = output.get_by_role("button", name="브라우저 알림 허용하기")
    button.wait_for()
    before = heard(sheet)["notes"]
    button.click()
    sheet.page.wait_for_function("window.heard.notes.length > 0")

    assert before == []
    assert output.get_by_role("button").count() == 0
