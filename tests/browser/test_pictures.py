"""How the panel looks, and the pictures of it for the README.

``KNOCK_WRITE_PICTURES=1 pytest tests/browser -n 0`` makes those in ``notebooks/images`` anew; look at each of them
before it is kept.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List

import pytest

from .conftest import WANTED
from .fronts import KINDS, FrontEnd, Sheet
from .pictures import keep
from .test_panel_walk import step

# Notebook 7 draws with JupyterLab's own parts, so a look at one of them is enough.
DRAWN_ANEW = [kind for kind in WANTED or KINDS if kind != "notebook"]
pytestmark = [pytest.mark.timeout(300), pytest.mark.parametrize("kind", DRAWN_ANEW, indirect=True, scope="module")]

STEPS = ("channels", "message", "when", "done")
SET_UP: Dict[str, str] = {  # none of these leads anywhere; nothing is sent
    "KNOCK_TO": "kakao,slack,naver,ntfy",
    "KNOCK_KAKAO_REST_API_KEY": "0" * 32,
    "KNOCK_KAKAO_REFRESH_TOKEN": "0" * 20,
    "KNOCK_SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/T0/B0/x",
    "KNOCK_NAVER_USER": "student",
    "KNOCK_NAVER_PASSWORD": "0123456789AB",
    "KNOCK_NTFY_TOPIC": "resnet-at-night-0000",
}

# Whether anything in the panel is wider than it, or a text is cut off that should not be.
OVERFLOWS = """panel => {
    const width = panel.getBoundingClientRect().right + 1;
    return [...panel.querySelectorAll('*')].filter(each => each.offsetParent !== null)
        .filter(each => each.getBoundingClientRect().right > width || each.scrollWidth > each.clientWidth + 2
            && getComputedStyle(each).overflowX === 'hidden' && getComputedStyle(each).textOverflow !== 'ellipsis')
        .map(each => each.className + ': ' + each.textContent.trim().slice(0, 60));
}"""

# The parts of a text that a browser shows with too little contrast (WCAG 2.1, 1.4.3: 4.5 to 1) in this theme.
CONTRASTS = """panel => {
    const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    const rgba = colour => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data].map((v, i) => i < 3 ? v : v / 255); };
    const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3]));
    const light = rgb => { const [r, g, b] = rgb.map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
        return .2126 * r + .7152 * g + .0722 * b; };
    const behind = each => { const stack = [];
        for (let at = each; at; at = at.parentElement) {
            const style = getComputedStyle(at);
            if (style.backgroundImage.includes('gradient')) return null;
            const colour = rgba(style.backgroundColor); stack.push(colour); if (colour[3] === 1) break; }
        return stack.reverse().reduce((below, top) => over(top, below), [255, 255, 255]); };
    return [...panel.querySelectorAll('*')].filter(each => each.offsetParent !== null)
        .filter(each => [...each.childNodes].some(node => node.nodeType === 3 && /[a-z가-힣]/i.test(node.textContent)))
        .map(each => { const back = behind(each), style = getComputedStyle(each);
            if (!back || style.color === 'rgba(0, 0, 0, 0)' || each.disabled) return null;
            const [a, b] = [light(over(rgba(style.color), back)), light(back)];
            const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
            return ratio < 4.5 ? ratio.toFixed(2) + ' ' + each.className + ': ' + each.textContent.trim().slice(0, 40) : null;
        }).filter(Boolean);
}"""


def look(panel: Any, sheet: Sheet, name: str, lang: str, folder: Path) -> List[str]:
    """Take a picture of each step and of a channel; what does not fit there, or can't be read."""
    found: List[str] = []
    for number, each in enumerate(STEPS):
        step(panel, number)
        found += panel.evaluate(OVERFLOWS) + panel.evaluate(CONTRASTS)
        keep(sheet, f"{name}-{each}.{lang}", panel, folder)
    step(panel, 0)
    panel.locator(".k-row button").filter(has_text="카카오톡" if lang == "ko" else "KakaoTalk").click()
    panel.locator(".k-title").wait_for()
    found += panel.evaluate(OVERFLOWS) + panel.evaluate(CONTRASTS)
    keep(sheet, f"{name}-kakao.{lang}", panel, folder)
    panel.locator(".k-quiet:visible").first.click()
    return found


def open_panel(front: FrontEnd, lang: str, *, dark: bool = False) -> Sheet:
    """The panel in `lang`, set up, in a window that it fits into."""
    settings = {**SET_UP, "KNOCK_LANG": lang}
    cell = f"import os\nos.environ.update({settings!r})\n%load_ext knock"
    sheet = front.open(cell, "%knock setup", name=lang, width=1400, height=2600, dark=dark)
    sheet.run(0)
    sheet.run(1)
    panel_in(sheet).wait_for()
    return sheet


def panel_in(sheet: Sheet) -> Any:
    return sheet.page.locator(".knock-panel").last


def test_it_fits_a_wide_and_a_narrow_window(front: FrontEnd, tmp_path: Path) -> None:
    sheet = open_panel(front, "ko")
    name = f"panel-{sheet.kind.name}"

    found = look(panel_in(sheet), sheet, name, "ko", tmp_path)
    sheet.resize(640, 2600)
    found += look(panel_in(sheet), sheet, f"{name}-narrow", "ko", tmp_path)

    assert found == []


def test_it_can_be_read_in_the_dark(front: FrontEnd, tmp_path: Path) -> None:
    """In the front ends that have a dark theme; in the classic Notebook, in English all the same."""
    sheet = open_panel(front, "en", dark=not front.kind.is_classic)

    found = look(panel_in(sheet), sheet, f"panel-{sheet.kind.name}-dark", "en", tmp_path)

    assert found == []
