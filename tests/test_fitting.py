"""Text fits its channel, keeps what matters, and is never cut inside a character."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, strategies as st

from knock_magic.fitting import LONGEST_CHARACTER, UNITS, characters, cut, fit

regex = pytest.importorskip("regex")  # its \X is the oracle for what a character is

FAMILY = "👨🏻‍👩🏽‍👧🏿‍👦"  # four people, three skin tones, three joiners: 10 code points
ENGLAND = "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
DECOMPOSED = unicodedata.normalize("NFD", "한글")  # six jamo
OLD_HANGUL = "\u1112\u119e\u11ab"  # a syllable that has no code point of its own
ONE = [FAMILY, ENGLAND, "🇰🇷", "👍🏽", "❤️", "1️⃣", "é", "e\u0301", "한", *(unicodedata.normalize("NFD", "한"), OLD_HANGUL)]

bits = st.sampled_from(
    [*ONE, "🇺🇸", "a", " ", "\n", "글", "각", "ㄱ", "क्षि", "\u200d", "\ufe0f", "\U0001f1e6", "\u1100", "\u11a8"]
)
texts = st.lists(bits, max_size=40).map("".join)
anything = st.text(st.characters(codec="utf-8"), max_size=60)
units = st.sampled_from(sorted(UNITS))


def borders(pieces):
    at, found = 0, {0}
    for piece in pieces:
        at += len(piece)
        found.add(at)
    return found


@pytest.mark.parametrize("character", ONE)
def test_a_character_is_one_piece(character):
    assert list(characters(character * 3)) == [character] * 3


@given(texts)
def test_no_character_is_in_two_pieces(text):
    assert borders(characters(text)) <= borders(regex.findall(r"\X", text))


@given(anything)
def test_no_character_of_any_script_is_in_two_pieces(text):
    # What precedes its letter in a few Indic and Arabic scripts can't be told from other letters by unicodedata.
    text = "".join(letter for letter in text if not regex.match(r"\p{Grapheme_Cluster_Break=Prepend}", letter))

    mine = borders(characters(text))

    whole = {at for at in mine if _old_enough(text[max(0, at - 1) : at + 1])}
    assert whole <= borders(regex.findall(r"\X", text))


def _old_enough(letters):
    """Letters that this Python's Unicode does not know yet are none of ours to judge."""
    return all(unicodedata.category(letter) != "Cn" for letter in letters)


@given(texts | anything)
def test_the_pieces_are_the_text(text):
    assert "".join(characters(text)) == text


def test_a_heap_of_accents_has_an_end():
    assert max(map(len, characters("a" + "\u0301" * 500))) == LONGEST_CHARACTER


@given(texts | anything, st.integers(0, 80), units)
def test_what_is_cut_fits_and_begins_like_the_text(text, limit, unit):
    measure = UNITS[unit]

    short = cut(text, limit, measure)

    assert measure(short) <= limit
    assert short == text or short == "" or text.startswith(short[:-1])


@given(texts, st.integers(1, 80), units)
def test_a_cut_falls_between_characters(text, limit, unit):
    short = cut(text, limit, UNITS[unit])

    if short not in (text, ""):
        assert len(short) - 1 in borders(regex.findall(r"\X", text)) | borders([text.rstrip()])


@pytest.mark.parametrize("character", ONE)
@pytest.mark.parametrize("unit", UNITS)
def test_a_character_at_the_limit_is_there_or_not(character, unit):
    measure = UNITS[unit]
    for spare in range(measure(character) + measure("…") + 1):
        short = cut(f"ab{character}cdefgh", 2 + spare, measure)

        assert short in (f"ab{character}cdefgh", f"ab{character}c…", f"ab{character}…", "ab…", "a…", "…", "")


@given(st.lists(texts.map(lambda text: text.replace("\n", " ")), min_size=1, max_size=8), st.integers(0, 120), units)
def test_a_fitted_text_fits(lines, limit, unit):
    measure = UNITS[unit]

    assert measure(fit("\n".join(lines), limit, measure, [lines[-1][:5]])) <= limit


def test_headline_and_error_stay_when_the_rest_goes():
    text = "❌ resnet 실패했어요 · 2시간\n" + "지표 0.1\n" * 40 + "ValueError: loss is nan"

    short = fit(text, 80, keep=["ValueError"])

    assert short.startswith("❌ resnet 실패했어요 · 2시간\n지표 0.1\n")
    assert short.endswith("…\nValueError: loss is nan")
    assert 70 < len(short) <= 80


def test_a_long_error_leaves_the_headline_whole():
    text = "❌ resnet 실패했어요 · 2시간\nValueError: " + "x" * 5000

    short = fit(text, 200, keep=["ValueError"])

    assert short.startswith("❌ resnet 실패했어요 · 2시간\nValueError: xxx")
    assert short.endswith("x…")
    assert len(short) == 200


def test_a_long_headline_leaves_the_error_whole():
    short = fit("이름" * 500 + "\nbody\nValueError: nan", 100, keep=["ValueError"])

    assert short.endswith("…\nValueError: nan")
    assert len(short) == 100


def test_the_last_of_the_same_lines_stays():
    text = "title\n" + "KeyError: 'a'\n" * 30 + "KeyError: 'last'"

    assert fit(text, 40, keep=["KeyError"]).endswith("KeyError: 'last'")


def test_what_fits_is_left_as_it_is():
    assert fit("a\n\n  b  \n", 9) == "a\n\n  b  \n"


def test_it_cuts_megabytes_at_once():
    """Only what is shown is looked at by character; a text this long must not cost a minute."""
    assert len(fit("한" * 5_000_000, 200)) == 200
