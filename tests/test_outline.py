"""A message in its parts: nothing is lost, and nothing is in it that its template left out."""

from __future__ import annotations

from typing import Any, List

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from knock_magic.event import ErrorInfo, Event, Progress
from knock_magic.outline import Code, Facts, Text, outline
from knock_magic.template import Message, render

ERROR = ErrorInfo("ValueError", "loss is nan\nat step 3", "cell, line 12, in <module>\nbert.py, line 88, in forward")


def message(kind: str = "failed", template: Any = "standard", lang: str = "ko", **about: Any) -> Message:
    values = {"started_at": 0.0, "ended_at": 60.0, "duration_s": 60.0, "metrics": {"acc": 0.91, "loss": 0.03}}
    late_s = about.pop("late_s", 0.0)
    event = Event(kind, about.pop("name", "BERT 학습"), **{**values, **about})
    return render(event, template, lang=lang, late_s=late_s)


def test_a_failed_run_has_a_name_an_outcome_facts_and_an_error() -> None:
    told = outline(message(error=ERROR))

    assert (told.icon, told.name, told.outcome, told.span) == ("❌", "BERT 학습", "실패했어요", "1분")
    assert told.headline == message(error=ERROR).title
    assert told.parts == (
        Facts((("acc", "0.91"), ("loss", "0.03"))),
        Code("ValueError: loss is nan\nat step 3", "cell, line 12, in <module>\nbert.py, line 88, in forward"),
    )


def test_the_short_template_has_the_same_parts_in_one_line() -> None:
    told = outline(message(template="short", error=ERROR))

    assert (told.name, told.outcome, told.span) == ("BERT 학습", "실패했어요", "1분")
    assert told.parts[0] == Facts((("acc", "0.91"), ("loss", "0.03")))
    assert isinstance(told.parts[1], Code)


def test_why_a_kernel_died_is_prose() -> None:
    told = outline(message("died", error=ErrorInfo("OOM", ""), metrics={}, late_s=7200.0))

    (text,) = told.parts
    assert isinstance(text, Text)
    assert text.text.startswith("OOM: ")
    assert "2시간" in text.text


def test_a_name_with_a_dot_between_spaces_is_a_name() -> None:
    told = outline(message("finished", name="a · b", metrics={}))

    assert (told.name, told.span, told.parts) == ("a · b", "1분", ())


def test_a_headline_of_one_s_own_is_a_name() -> None:
    own = {"name": "mine", "texts": {"default": "야호 $name!\n$metrics\nbye"}}

    told = outline(message("finished", own))

    assert (told.icon, told.name, told.outcome, told.span) == ("", "야호 BERT 학습!", "", "")
    assert told.parts == (Facts((("acc", "0.91"), ("loss", "0.03"))), Text("bye"))


def test_a_fact_s_name_can_be_an_expression() -> None:
    told = outline(message("finished", metrics={"acc": 1, "acc * 100": 91}))

    assert told.parts == (Facts((("acc", "1"), ("acc * 100", "91"))),)


names = st.text(st.characters(codec="utf-8"), max_size=30)


@given(
    kind=st.sampled_from(["finished", "failed", "died", "progress", "message", "test", "warning"]),
    template=st.sampled_from(["short", "standard", "detailed"]),
    name=names,
    said=names,
    metrics=st.dictionaries(names, names | st.floats(), max_size=3),
)
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_word_is_lost_or_added(kind: str, template: str, name: str, said: str, metrics: Any) -> None:
    error = ErrorInfo("ValueError", said, said) if kind == "failed" else None
    progress = Progress(3, 10, 60.0)
    told = message(kind, template, name=name, error=error, metrics=metrics, progress=progress, text=said)

    parts = outline(told)

    words: List[str] = [parts.icon, parts.name, parts.outcome, parts.span]
    for part in parts.parts:
        words += [each for pair in part.pairs for each in pair] if isinstance(part, Facts) else []
        words += [part.whole] if isinstance(part, Code) else []
        words += [part.text] if isinstance(part, Text) else []
    assert _letters("".join(words)) == _letters(told.text)


def _letters(text: str) -> List[str]:
    """What is said, whatever stands between it."""
    return [letter for letter in text if not letter.isspace() and letter not in "·=:"]


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_an_empty_message_has_no_parts(lang: str) -> None:
    told = outline(Message(event=Event("message", "", 0.0), title="", body="", lang=lang))

    assert (told.headline, told.parts) == ("", ())
