"""A cell that knocks, in each front end: run by Shift+Enter in a real browser."""

from __future__ import annotations

import pytest
from phone import Phone

from .fronts import FrontEnd

# Servers and browsers take their time to start.
pytestmark = pytest.mark.timeout(240)


def test_a_cell_knocks(front: FrontEnd, phone: Phone) -> None:
    sheet = front.open(
        f"%env KNOCK_WEBHOOK_URL={phone.url}\n%load_ext knock",
        "%%knock in a browser\n1 + 1",
    )

    for number in range(2):
        output = sheet.run(number)

    assert "2" in output.inner_text()
    assert phone.wait_for(name="in a browser")["event"] == "finished"
