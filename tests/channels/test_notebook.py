"""The notebook: what is special about it."""

from __future__ import annotations

from knock_magic.channels.notebook import as_html
from knock_magic.event import Event
from knock_magic.template import render

from .stage import Contract

CONTRACT = Contract(settings={}, wire="kernel")


def test_what_came_from_a_cell_stays_text_in_the_page() -> None:
    page = as_html(render(Event("message", "", 0.0, text="<script>alert(1)</script> & <b>")))

    assert "<script" not in page
    assert "&lt;script&gt;" in page
