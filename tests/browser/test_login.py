"""Logging in to KakaoTalk in a real browser: what is typed there, and what is left of it in the document."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from channels.far_kakao import CLIENT_SECRET, KEY, Service
from channels.stage import CANARY, Internet
from channels.test_base import Proxy

from .conftest import Start

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def internet(tmp_path: Path) -> Any:
    internet = Internet(tmp_path)
    yield internet
    internet.close()


def test_nothing_that_is_typed_stays_in_the_notebook(start_front: Start, internet: Internet, kind: str) -> None:
    if kind != "lab":
        pytest.skip("one front end shows it; a server for each would take minutes")
    service = internet.answering = Service()
    service.client_secret = CLIENT_SECRET
    proxy = Proxy(internet, "pass")
    lang = os.environ.get("KNOCK_TEST_LANG", "en")
    front = start_front(HTTPS_PROXY=proxy.url, REQUESTS_CA_BUNDLE=str(internet.bundle), KNOCK_LANG=lang)
    sheet = front.open("%load_ext knock", "%knock login kakao", width=1100, height=900)
    sheet.run(0)
    sheet.run(1, wait=False)
    page = sheet.page

    def type_in(prompt: str, text: str) -> None:
        page.get_by_text(prompt).last.wait_for()
        field = page.locator("input[type=password]").last
        field.fill(text)
        field.press("Enter")

    type_in("(rest_api_key)", KEY)
    type_in("(client_secret)", CLIENT_SECRET)
    link = page.locator("a[href*='kauth.kakao.com']")
    link.wait_for()
    folder = os.environ.get("KNOCK_TEST_PICTURES")
    if folder:
        page.get_by_text("KOE").last.wait_for()
        sheet.picture(Path(folder, f"login-{kind}-{lang}.png"))
    type_in("KOE", service.agree(link.get_attribute("href")))
    sheet.wait_until_over(1)

    if folder:
        sheet.picture(Path(folder, f"login-done-{kind}-{lang}.png"))
    kept = json.dumps(sheet.save(), ensure_ascii=False)
    assert "kakao: " in kept
    assert len(service.notes) == 1
    assert not [secret for secret in (CANARY, KEY) if secret in kept]
    proxy.close()
