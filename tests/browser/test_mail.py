"""How a mail looks on a phone, in a browser: light and dark, 360 pixels wide, in both languages."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator

import pytest

from knock_magic import letter
from knock_magic.event import ErrorInfo, Event
from knock_magic.template import render

from .conftest import WANTED
from .fronts import CHROMIUM

PHONE = {"width": 360, "height": 640}
NAME = "validation/top5_accuracy_epoch_mean"
VALUES = {
    NAME: 0.912345,
    "loss": 0.0312,
    "lr": 1.5e-05,
    "검증 정확도": -12345.678901,
    "최고 체크포인트": "모델/resnet50-epoch=89.ckpt",
}
ERROR = ErrorInfo("CUDA.OutOfMemoryError" + "Long" * 20, "Tried to allocate 2.00 GiB", "train.py, 12, step")

# What is wider than the screen, and the values that stand in more lines than one though they are short.
WRONG = """() => {
    const lines = cell => { const range = document.createRange(); range.selectNodeContents(cell);
        return new Set([...range.getClientRects()].map(each => Math.round(each.top))).size; };
    const wide = [...document.querySelectorAll('body *')].filter(each => each.getBoundingClientRect().right > innerWidth
        || each.scrollWidth > each.clientWidth + 1 && getComputedStyle(each).display === 'block');
    const broken = [...document.querySelectorAll('td[align=right]')].filter(each => each.textContent.length < 21 && lines(each) > 1);
    return [document.documentElement.scrollWidth > innerWidth ? 'the page scrolls' : '',
        ...wide.map(each => 'too wide: ' + each.outerHTML.slice(0, 80)),
        ...broken.map(each => 'broken: ' + each.textContent)].filter(Boolean);
}"""


@pytest.fixture(params=["light", "dark"])
def phone(request: pytest.FixtureRequest) -> Iterator[Any]:
    if not CHROMIUM:
        (pytest.fail if WANTED else pytest.skip)("a mail in a browser needs chromium (apt install chromium)")
    browser = request.getfixturevalue("browser")
    page = browser.new_page(viewport=PHONE, device_scale_factor=2, color_scheme=request.param)
    yield page
    page.close()


@pytest.mark.once
@pytest.mark.parametrize("lang", ["en", "ko"])
def test_a_mail_fits_a_phone_and_breaks_no_number(lang: str, phone: Any, tmp_path: Path) -> None:
    name = "밤새 돌린 ResNet-50 학습" if lang == "ko" else "resnet50 overnight"
    two = {NAME: 0.912345, "loss": -12345.678901}
    for kind, error, metrics in (("finished", None, two), ("failed", ERROR, VALUES)):
        told = Event(kind, name, 0.0, 8000.0, 8000.0, error=error, metrics=metrics, host="lab-7", user="minsu")

        phone.set_content(letter.as_html(render(told, "detailed", lang=lang)))
        phone.screenshot(path=str(tmp_path / f"{kind}.{lang}.png"), full_page=True)

        assert phone.locator("td", has_text=NAME).count(), "the long name is in the table"
        assert phone.evaluate(WRONG) == []
