"""Tables: as wide as a terminal counts, and as harmless as HTML can be."""

from __future__ import annotations

import pytest

from knock_magic.tables import Card, Table, columns, padded


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("", 0),
        ("abc", 3),
        ("학습", 4),
        ("한\u1112\u1161\u11ab", 4),  # one as a syllable, one as its three letters
        ("e\u0301", 1),
        ("✅ ok", 5),
        ("⏸️", 2),
        ("学習ａ", 6),
        ("ｱ", 1),
    ],
)
def test_a_terminal_gives_wide_letters_two_columns(text: str, size: int) -> None:
    assert columns(text) == size


@pytest.mark.parametrize(
    ("text", "size", "shown"),
    [("abc", 5, "abc  "), ("abcdef", 4, "abc…"), ("학습하기", 5, "학습…"), ("학습하기", 4, "학… "), ("학", 1, "…")],
)
def test_what_is_too_long_is_cut_between_letters(text: str, size: int, shown: str) -> None:
    assert padded(text, size) == shown
    assert columns(padded(text, size)) == size


def test_columns_stand_below_each_other() -> None:
    table = Table(("이름", "took"), (("학습", "1 s"), ("resnet50", "12 s")))

    assert table.as_text().splitlines() == ["이름      took", "학습      1 s", "resnet50  12 s"]


def test_a_narrow_screen_shortens_only_what_may_be() -> None:
    table = Table(("when", "name"), (("2026-11-23 10:00", "a very long name of a training"),), flexible=(1,))

    lines = table.as_text(32).splitlines()

    assert lines[1] == "2026-11-23 10:00  a very long n…"
    assert max(map(columns, lines)) == 32


def test_a_cell_of_several_lines_shows_its_first() -> None:
    assert Table(("a", "b"), (("1\n2", "3"),)).as_text().splitlines()[1] == "1 …  3"


def test_a_card_puts_more_lines_below_the_first() -> None:
    card = Card((("채널", "slack"), ("waits", "one\ntwo")))

    assert card.as_text().splitlines() == ["채널   slack", "waits  one", "       two"]


@pytest.mark.parametrize("shown", [Table(("<b>",), (("<script>&'\"",),)), Card((("<b>", "<script>&'\""),))])
def test_nothing_in_html_comes_alive(shown: object) -> None:
    page = shown.as_html()  # type: ignore[attr-defined]

    assert "<script>" not in page
    assert "<b>" not in page
    assert "&lt;script&gt;&amp;&#x27;&quot;" in page
