"""The line behind ``%%knock``: understood, or answered in one clear line."""

from __future__ import annotations

from typing import Dict, Optional, Tuple

import pytest
from hypothesis import given, settings, strategies as st

from knock_magic import options
from knock_magic.options import HELP, PYTHON_OPTIONS, Options, from_words

WORDS = st.sampled_from(
    [
        *(f"--{name}" for name in HELP),
        *("--to=notebook", "--min=5m", "--", "-", "---", "--=", "--to=", "'", '"', '"a b"', "'x", "resnet", "학습"),
        *("notebook,webhook", "failed,died", "60s", "standard", "acc", "acc +", "x" * 5000, "\x00", "\ud800", "best"),
    ]
)


def parse(line: str) -> Options:
    """The options in a line in which nothing is wrong."""
    asked, problems = options.parse(line)
    assert problems == []
    return asked


def test_words_that_belong_to_no_option_are_the_name() -> None:
    asked = parse("res net --to notebook 50 --min 5m 'a  b'")

    assert asked == Options(name="res net 50 a  b", to=("notebook",), min=300.0)


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
        ("--metric acc --baseline good", "best"),
        ("--baseline 0.83", "--metric val_acc"),
        ("--min=", "60s"),
    ],
)
def test_what_is_wrong_is_answered_in_one_line(line: str, named: str) -> None:
    _, (problem,) = options.parse(line)

    for lang in ("en", "ko"):
        assert named in problem.texts[lang]
        assert "\n" not in problem.texts[lang]


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("acc", ("acc", None)),
        ("place:min", ("place", True)),
        ("loss:max", ("loss", False)),
        ("a:b", ("a:b", None)),
        (":min", (":min", None)),
        (None, (None, None)),
    ],
)
def test_a_metric_may_say_which_way_is_better(
    asked: Optional[str], meant: Tuple[Optional[str], Optional[bool]]
) -> None:
    assert options.metric_of(asked) == meant


@pytest.mark.parametrize(
    ("line", "left", "count"),
    [
        ("bad --to webhok --show acc", Options(name="bad", show=("acc",)), 1),
        ("bad --mni 5m net --min 2m", Options(name="bad net", min=120.0), 1),
        ("--zzzzzz my net", Options(name="my net"), 1),
        ("net --min --to notebook", Options(name="net", to=("notebook",)), 1),
        ("net --show acc+ --show acc --min soon", Options(name="net", show=("acc",)), 2),
        ("net --min 5m --min soon", Options(name="net", min=300.0), 1),
        ("net --to=", Options(name="net"), 1),
        ("net --baseline best --min 5m", Options(name="net", min=300.0), 1),
        ("net --metric --baseline best", Options(name="net", baseline="best"), 1),
        ("net --min '' --to \"\" --on ' '", Options(name="net"), 3),
    ],
)
def test_what_is_wrong_costs_nothing_else(line: str, left: Options, count: int) -> None:
    asked, problems = options.parse(line)

    assert asked == left
    assert len(problems) == count


@pytest.mark.parametrize("typed", ["-to", "—to", "–to", "−to", "——to", "—to=notebook"])
def test_an_option_with_the_wrong_dashes_is_no_name(typed: str) -> None:
    asked, (problem,) = options.parse(f"resnet {typed} notebook" if "=" not in typed else f"resnet {typed}")

    assert asked == Options(name="resnet")
    for lang in ("en", "ko"):
        assert "--to" in problem.texts[lang]
        assert typed.partition("=")[0] in problem.texts[lang]


def test_a_name_may_have_dashes() -> None:
    assert parse("-v -- too—to –top - —").name == "-v -- too—to –top - —"


def test_a_command_is_told_only_of_what_it_takes() -> None:
    asked, problems = from_words(["net", "--show", "acc", "--shwo", "acc"], PYTHON_OPTIONS)

    assert asked == Options(name="net")
    assert "is for cells" in problems[0].texts["en"]
    assert "--show" not in problems[1].texts["en"]


@settings(deadline=None, max_examples=400)
@given(
    st.one_of(st.text(), st.lists(WORDS).map(" ".join), st.lists(st.one_of(WORDS, st.text()), max_size=8).map(" ".join))
)
def test_a_wild_line_is_understood_or_answered_in_a_short_line(line: str) -> None:
    asked, problems = options.parse(line)
    said = [text for problem in problems for text in problem.texts.values()]

    assert all(0 < len(text) < 1000 and "\n" not in text for text in said)
    assert asked.min is None or asked.min >= 0


@pytest.mark.parametrize(
    ("line", "text", "given"),
    [
        ("hi  there", "hi  there", {}),
        ("--to slack hi", "hi", {"to": "slack"}),
        (
            "hi there --picture 'my plot.png' --to=slack,kakao",
            "hi there",
            {"to": "slack,kakao", "picture": "my plot.png"},
        ),
        ('"--to slack hi"', "--to slack hi", {}),
        ("epoch 3 --lr 0.1", "epoch 3 --lr 0.1", {}),
        ("a --to slack  b", "a  b", {"to": "slack"}),
    ],
)
def test_a_text_is_told_from_where_it_goes(line: str, text: str, given: Dict[str, str]) -> None:
    assert options.split_off(line, ("to", "picture")) == (text, given)
