"""Spans of time as they are typed and said."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings, strategies as st

from knock_magic import durations
from knock_magic.durations import parse_duration, say_duration
from knock_magic.errors import UsageError

SECOND, MINUTE, HOUR, DAY = 1.0, 60.0, 3600.0, 86400.0


@pytest.mark.parametrize(
    ("typed", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("1.5", 1.5),
        ("0", 0),
        ("15m", 15 * MINUTE),
        ("15min", 15 * MINUTE),
        ("1.5h", 1.5 * HOUR),
        ("1h30m", 1.5 * HOUR),
        ("2d", 2 * DAY),
        ("1d2h3m4s", DAY + 2 * HOUR + 3 * MINUTE + 4),
        (" 90S ", 90),
        ("30분", 30 * MINUTE),
        ("1시간30분", 1.5 * HOUR),
        ("2일", 2 * DAY),
        ("45초", 45),
    ],
)
def test_it_understands(typed: str, seconds: float) -> None:
    assert parse_duration(typed) == seconds


@pytest.mark.parametrize(
    "typed", ["", " ", "s", "-5", "+5", "5x", "1h1h", "30m1h", "1h30", "1e3", "nan", "inf", "9" * 41]
)
def test_it_says_what_a_duration_looks_like(typed: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_duration(typed)

    assert "90s, 15m" in error.value.texts["en"]
    assert "90s, 15m" in error.value.texts["ko"]
    assert len(error.value.texts["en"]) < 120


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.text(), st.from_regex(r"[0-9.dhmsn분시간초일 +-]{0,60}")))
def test_whatever_is_typed_is_a_span_or_a_clear_line(typed: str) -> None:
    try:
        seconds = parse_duration(typed)
    except UsageError:
        return

    assert math.isfinite(seconds)
    assert seconds >= 0


@pytest.mark.parametrize(
    ("seconds", "english", "korean"),
    [
        (0, "0 s", "0초"),
        (0.001, "0.1 s", "0.1초"),
        (0.42, "0.4 s", "0.4초"),
        (5.0, "5 s", "5초"),
        (9.96, "10 s", "10초"),
        (59.6, "1 min", "1분"),
        (90, "1 min 30 s", "1분 30초"),
        (3600, "1 h", "1시간"),
        (7980, "2 h 13 min", "2시간 13분"),
        (90000, "1 d 1 h", "1일 1시간"),
        (-3, "0 s", "0초"),
        (math.inf, "0 s", "0초"),
        (math.nan, "0 s", "0초"),
    ],
)
def test_it_says_a_span_as_people_do(seconds: float, english: str, korean: str) -> None:
    assert say_duration(seconds, "en") == english
    assert say_duration(seconds, "ko") == korean


@settings(deadline=None)
@given(st.floats(min_value=0.1, max_value=1e8), st.sampled_from(["en", "ko"]))
def test_what_it_says_can_be_typed_and_is_nearly_the_same(seconds: float, lang: str) -> None:
    """Two units are said, so the rest of the smaller one is what may be missing."""
    said = say_duration(seconds, lang)

    again = parse_duration(said.replace(" ", ""))

    smallest = min(size for size, word in durations._UNITS[lang] if word in said)
    assert abs(again - seconds) <= max(smallest, 1)
