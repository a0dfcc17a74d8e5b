"""The line behind ``%%knock``: understood, or answered in one clear line."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from knock_magic.errors import UsageError
from knock_magic.options import HELP, Options, parse

WORDS = st.sampled_from(
    [
        *(f"--{name}" for name in HELP),
        *("--to=notebook", "--min=5m", "--", "-", "---", "--=", "--to=", "'", '"', '"a b"', "'x", "resnet", "학습"),
        *("notebook,webhook", "failed,died", "60s", "standard", "acc", "acc +", "x" * 5000, "\x00", "\ud800", "best"),
    ]
)


def test_words_that_belong_to_no_option_are_the_name() -> None:
    options = parse("res net --to notebook 50 --min 5m 'a  b'")

    assert options == Options(name="res net 50 a  b", to=("notebook",), min=300.0)


def test_an_option_takes_its_value_after_a_space_or_an_equals_sign() -> None:
    assert parse("--min 5m --on failed,died") == parse("--min=5m --on=failed,died")


def test_the_last_value_of_an_option_counts() -> None:
    assert parse("--min 5m --min 10m").min == 600.0


def test_every_expression_to_show_counts() -> None:
    assert parse("""--show acc --show "max(a, b)" --show 'x["y"]' """).show == ("acc", "max(a, b)", 'x["y"]')


def test_any_name_of_a_template_is_taken() -> None:
    """Which there are is known where the settings are; one of the person's own is as good as a built-in one."""
    assert parse("--template mine").template == "mine"
    assert parse("--template 'my own'").template == "my own"


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("--mni 5m", "--min"),
        ("--to sluck", "slack"),
        ("--on fialed", "failed"),
        ("--min soon", "90s"),
        ("--min", "60s"),
        ("--min --to notebook", "60s"),
        ("--show acc+", "acc+"),
        ("--baseline good", "best"),
        ("--min=", "60s"),
    ],
)
def test_what_is_wrong_is_answered_in_one_line(line: str, named: str) -> None:
    with pytest.raises(UsageError) as error:
        parse(line)

    for lang in ("en", "ko"):
        assert named in error.value.texts[lang]
        assert "\n" not in error.value.texts[lang]


@settings(deadline=None, max_examples=400)
@given(
    st.one_of(st.text(), st.lists(WORDS).map(" ".join), st.lists(st.one_of(WORDS, st.text()), max_size=8).map(" ".join))
)
def test_a_wild_line_is_understood_or_answered_in_a_short_line(line: str) -> None:
    try:
        options, said = parse(line), []
    except UsageError as error:
        options, said = Options(), list(error.texts.values())

    assert all(0 < len(text) < 1000 and "\n" not in text for text in said)
    assert options.min is None or options.min >= 0
