"""Any text becomes one that a phone can show: short, readable, and obeyed by no terminal."""

from __future__ import annotations

import json
from typing import Any, Type

import pytest
from hypothesis import given, strategies as st

from knock_magic.cleaning import clean, one_line, safe_str, type_name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain 학습 ✅ text", "plain 학습 ✅ text"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("dos\r\nlines", "dos\nlines"),
        ("10%\r20%\rdone", "10%\n20%\ndone"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b[38;5;196mred\x1b[0m", "red"),
        ("\x9b31mred\x9b0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPsixel\x1b\\text", "text"),
        ("\x1b(B\x1b[mtext", "text"),
        ("\x1b[2J\x1b[Htext", "text"),
        ("nul\x00 bell\x07 back\x08 del\x7f", "nul bell back del"),
        ("\u202egnp.exe\u202c", "gnp.exe"),
        ("\u2066a\u2069\u200fb\u061c", "ab"),
        ("\ufeffbom", "bom"),
        ("lone \ud800 one", "lone \ufffd one"),
        ("a pair \ud83d\ude00", "a pair \U0001f600"),
        ("👨‍👩‍👧 family", "👨‍👩‍👧 family"),
    ],
)
def test_it_is_readable(text: str, expected: str) -> None:
    assert clean(text, 100) == expected


def test_it_is_cut_and_says_so() -> None:
    assert clean("abcdef", 6) == "abcdef"
    assert clean("abcdefg", 6) == "abcde…"
    assert one_line("abc   def ghi", 8) == "abc def…"
    assert one_line("a" + " " * 100, 8) == "a…"


def test_a_huge_text_costs_no_more_than_its_beginning() -> None:
    """Only what is kept is looked at: 50 MB of escapes take as long as a few thousand of them."""
    text = Counted("\x1b[31mx" * 10_000_000)

    cleaned = clean(text, 2000)

    assert len(cleaned) <= 2000
    assert cleaned.startswith("xxx")
    assert text.looked_at == 0


class Counted(str):
    """A text whose own methods lie, and count who asks them."""

    looked_at = 0

    def _lie(self, *_: Any) -> Any:
        self.looked_at += 1
        raise SystemExit("do not ask me")

    __getitem__ = __len__ = __iter__ = __contains__ = __str__ = __format__ = __eq__ = __hash__ = _lie  # type: ignore[assignment]
    split = replace = encode = strip = isprintable = startswith = endswith = _lie


def test_a_subclass_of_str_is_read_past_its_methods() -> None:
    assert type(clean(Counted("ab\x00c"), 10)) is str
    assert clean(Counted("ab\x00c"), 10) == "abc"
    assert one_line(Counted("ab  c"), 10) == "ab c"


@given(st.text(st.characters(), max_size=300), st.integers(1, 50))
def test_any_text_is_fit_to_travel(text: str, limit: int) -> None:
    for cleaned in (clean(text, limit), one_line(text, limit)):
        assert len(cleaned) <= limit
        assert json.loads(json.dumps(cleaned)) == cleaned
        assert cleaned.encode("utf-8").decode("utf-8") == cleaned
        assert not {"\x00", "\x1b", "\r", "\u202e", "\x9b"} & set(cleaned)
    assert "\n" not in one_line(text, limit)


@given(st.text(st.characters(), max_size=300))
def test_cleaning_again_changes_nothing(text: str) -> None:
    assert clean(clean(text, 100), 100) == clean(text, 100)


# Objects.


class Wild:
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def __str__(self) -> str:
        if isinstance(self.answer, type):
            raise self.answer("no")
        return self.answer  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "kind", [ValueError, RecursionError, MemoryError, KeyboardInterrupt, SystemExit, GeneratorExit]
)
def test_a_str_that_raises_is_told(kind: Type[BaseException]) -> None:
    assert safe_str(Wild(kind)) == f"<Wild: str() raised {kind.__name__}>"


@pytest.mark.parametrize("answer", [None, 3, b"bytes", ["list"]])
def test_a_str_that_gives_something_else_is_told(answer: Any) -> None:
    assert safe_str(Wild(answer)) == "<Wild: str() raised TypeError>"


def test_a_str_that_gives_a_subclass_becomes_plain() -> None:
    assert type(safe_str(Wild(Counted("text")))) is str
    assert safe_str(Wild(Counted("text"))) == "text"


class Liar(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise SystemExit("no name")

    def __repr__(cls) -> str:
        raise SystemExit("no repr")


class Nameless(metaclass=Liar):
    def __str__(self) -> str:
        raise ValueError

    @property
    def __class__(self) -> Any:  # type: ignore[override]
        raise SystemExit("no class")


def test_the_name_of_a_class_is_read_past_its_metaclass() -> None:
    assert type_name(Nameless()) == "Nameless"
    assert safe_str(Nameless()) == "<Nameless: str() raised ValueError>"


def test_a_wild_class_name_is_cleaned() -> None:
    assert type_name(type("a\x1b[31mb\n" + "x" * 1000, (), {})()) == "ab\n" + "x" * 196 + "…"
