"""What a message says: the built-in templates, the person's own, and what holds for all of them."""

from __future__ import annotations

import dataclasses
import os
import time
from string import Template
from typing import Any, Dict, Iterator, Mapping, Optional

import pytest
from hypothesis import given, settings, strategies as st

from knock_magic.event import ErrorInfo, Event, Progress
from knock_magic.rules import OUTCOMES
from knock_magic.template import BUILT_IN, LONGEST_TEXT, NAMES, faults, fill, outcome, render
from knock_magic.tracebacks import describe
from knock_magic.wording import BODIES, CAUSES, FAULTS, HEADLINES, ICONS, LINES, NOTES, OUTCOME_WORDS

ALL_EVENTS = (*OUTCOMES, "message", "test", "warning")
TRACEBACK = (
    "cell, line 12, in <module>\n    train(model)\n"
    "train.py, line 88, in train\n    loss = step(batch)\n"
    "train.py, line 41, in step\n    loss.backward()\n"
    "torch/_tensor.py, line 581, in backward\n    torch.autograd.backward("
)
FRAMES = "\n".join(line for line in TRACEBACK.splitlines() if not line.startswith(" "))
ERROR = ErrorInfo("ValueError", "loss is nan", FRAMES)


@pytest.fixture(autouse=True)
def _at_noon_in_seoul(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if not hasattr(time, "tzset"):
        pytest.skip("the time zone can't be set here")
    monkeypatch.setenv("TZ", "KST-9")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def event(kind: str = "finished", **facts: Any) -> Event:
    given: Dict[str, Any] = {
        "event": kind,
        "name": "resnet",
        "started_at": 1795996800.0,  # 2026-11-30 09:00 in Seoul
        "ended_at": 1796004780.0,
        "duration_s": 7980.0,
        "host": "gpu-01",
        "user": "minji",
        "notebook": "resnet.ipynb",
    }
    return Event(**{**given, **facts})


def own(text: str, **texts: str) -> Mapping[str, Any]:
    return {"name": "mine", "texts": {"default": text, **texts}}


def text(
    kind: str = "finished", template: Any = "standard", lang: str = "en", late_s: float = 0.0, **facts: Any
) -> str:
    return render(event(kind, **facts), template, lang=lang, late_s=late_s).text


# The built-in ones.


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        ("en", "✅ resnet finished · 2 h 13 min\nacc 0.9128 · len(x) = 300"),
        ("ko", "✅ resnet 끝났어요 · 2시간 13분\nacc 0.9128 · len(x) = 300"),
    ],
)
def test_it_tells_name_outcome_time_and_metrics(lang: str, said: str) -> None:
    assert text(lang=lang, metrics={"acc": 0.91278, "len(x)": 300}) == said


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        ("en", "❌ resnet failed · 2 h 13 min\nValueError: loss is nan\n{frames}"),
        ("ko", "❌ resnet 실패했어요 · 2시간 13분\nValueError: loss is nan\n{frames}"),
    ],
)
def test_it_tells_of_an_error_and_where_without_its_source(lang: str, said: str) -> None:
    """Of many frames it takes the cell's and the innermost ones."""
    error = ErrorInfo("ValueError", "loss is nan", TRACEBACK)
    frames = "cell, line 12, in <module>\ntrain.py, line 41, in step\ntorch/_tensor.py, line 581, in backward"

    assert text("failed", lang=lang, error=error) == said.format(frames=frames)


def test_only_the_detailed_one_shows_source_and_where_it_ran() -> None:
    detailed = text("failed", "detailed", error=ErrorInfo("ValueError", "loss is nan", TRACEBACK))

    assert detailed == (
        f"❌ resnet failed · 2 h 13 min\nValueError: loss is nan\n{TRACEBACK}\n"
        "Started 2026-11-30 09:00 KST · ended 2026-11-30 11:13 KST\n"
        "Notebook resnet.ipynb\n"
        "Host gpu-01 · user minji"
    )


def test_the_short_one_is_one_line() -> None:
    error = ErrorInfo("ValueError", "loss is nan\nand more " + "x" * 300, FRAMES)

    said = text("failed", "short", error=error, metrics={"epoch": 3})

    assert said.startswith("❌ resnet failed · 2 h 13 min · epoch 3 · ValueError: loss is nan and more")
    assert "\n" not in said
    assert len(said) < 160


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        (
            "en",
            "⏳ resnet is running · 2 h 13 min so far\n■■■■■■□□□□ 60% (30/50)\n"
            "about 1 h 29 min left (around 12:42 KST)\nloss 0.3",
        ),
        (
            "ko",
            "⏳ resnet 진행 중이에요 · 시작한 지 2시간 13분\n■■■■■■□□□□ 60% (30/50)\n"
            "약 1시간 29분 남음 (12:42 KST쯤)\nloss 0.3",
        ),
    ],
)
def test_it_tells_how_far_and_how_long_still(lang: str, said: str) -> None:
    assert text("progress", lang=lang, ended_at=None, metrics={"loss": 0.3}, progress=Progress(30, 50, 5340.0)) == said


def test_it_leaves_out_what_it_does_not_know() -> None:
    assert text("progress", ended_at=None, progress=Progress(30)).splitlines()[1:] == ["step 30"]
    assert text("progress", ended_at=None, progress=Progress(30, 50)).splitlines()[1:] == ["■■■■■■□□□□ 60% (30/50)"]
    assert "user" not in text(template="detailed", user="")


def test_what_was_sent_is_the_message() -> None:
    message = render(event("message", text="epoch 3\nall good", name="epoch 3"), lang="en")

    assert (message.title, message.body) == ("💬 epoch 3", "all good")


@pytest.mark.parametrize("lang", ["en", "ko"])
@pytest.mark.parametrize("template", BUILT_IN)
@pytest.mark.parametrize("kind", ALL_EVENTS)
def test_every_event_has_a_headline_in_both_languages(kind: str, template: str, lang: str) -> None:
    message = render(event(kind, text="hello" if kind == "message" else None), template, lang=lang)

    assert message.title.startswith(ICONS[kind])
    assert ("hello" if kind == "message" else "resnet") in message.title
    assert "$" not in message.text
    assert "  " not in message.text
    assert not message.title.endswith(("·", " "))


@pytest.mark.parametrize("table", [OUTCOME_WORDS, NOTES, CAUSES, HEADLINES, BODIES, LINES, FAULTS])
def test_each_language_has_the_same_words(table: Mapping[str, Mapping[str, str]]) -> None:
    assert list(table["en"]) == list(table["ko"])
    for key, english in table["en"].items():
        assert sorted(_placeholders(english)) == sorted(_placeholders(table["ko"][key])), key


def _placeholders(words: str) -> Iterator[str]:
    names = {name: name for name in ("span", "count", "names", "name", "ranks", "step", "line", "column")}
    yield from (name for name in names if "{" + name + "}" in words)
    yield from (found.group() for found in Template.pattern.finditer(words) if found.group("named"))


@pytest.mark.parametrize(
    ("kind", "facts", "lang", "said"),
    [
        ("died", {"error": ErrorInfo("OOM", "")}, "en", "OOM: the machine ran out of memory"),
        ("died", {"error": ErrorInfo("OOM", "")}, "ko", "OOM: 메모리가 부족했어요"),
        ("died", {"error": ErrorInfo("ExitCode", "3")}, "en", "ExitCode: the process ended by itself (3)"),
        ("died", {"error": ErrorInfo("unknown", ""), "note": "lost"}, "en", "was lost with its machine · at least "),
        ("died", {"error": ErrorInfo("unknown", ""), "note": "lost"}, "ko", "커널이 통째로 사라져 끊겼어요 · 적어도 "),
        ("interrupted", {"note": "stopped"}, "ko", "직접 중단했어요"),
        ("failed", {"rank": 3, "error": ERROR}, "en", "On rank 3."),
        ("failed", {"rank": 0, "more": 1, "among": ("rank 0", "rank 3")}, "ko", "rank 0, 3에서 일어났어요."),
        ("failed", {"more": 37}, "en", "37 more like this one."),
        ("finished", {"more": 2, "among": ("load", "prep")}, "ko", "먼저 2건이 더 끝났어요: load, prep"),
        ("finished", {"slept_s": 9000.0}, "en", "The machine slept for 2 h 30 min meanwhile."),
        ("finished", {"maybe_sent": True}, "ko", "이미 받은 알림일 수 있어요."),
        (
            "warning",
            {"name": "slack", "note": "aside", "text": "Slack: gone"},
            "en",
            "⚠️ slack is put aside\nSlack: gone",
        ),
        ("warning", {"name": "slack", "note": "expired", "text": "expired: bert"}, "ko", "보내지 못한 알림: bert"),
    ],
)
@pytest.mark.parametrize("template", ["standard", "detailed"])
def test_it_says(kind: str, facts: Mapping[str, Any], lang: str, said: str, template: str) -> None:
    assert said in text(kind, template, lang, **facts)


def test_of_a_command_it_shows_the_end_of_what_it_said() -> None:
    tail = "\n".join(f"line {number} " + "x" * 60 for number in range(30))

    said = text("failed", error=ErrorInfo("ExitCode", tail), metrics={"exit_code": 2})

    assert said.splitlines()[-1].startswith("line 29")
    assert "line 3 " not in said
    assert "exit_code 2" in said


@pytest.mark.parametrize("template", [*BUILT_IN, own("$icon $name"), own("$icon $name, late: $late")])
def test_it_tells_how_late_it_is_whatever_the_template(template: Any) -> None:
    assert text(template=template, late_s=1920.0).count("32 min") == 1
    assert "late" not in text(template=template if isinstance(template, str) else own("$icon $name"))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.5, "0.5"),
        (0.123456, "0.1235"),
        (1e-5, "1e-05"),
        (123456.78, "123457"),
        (3.0, "3"),
        (-123456.7, "-123457"),
        (1e30, "1e+30"),
        (12345678, "12345678"),
        ("nan", "nan"),
    ],
)
def test_a_number_is_as_long_as_one_can_read(value: Any, said: str) -> None:
    assert text(metrics={"x": value}).endswith(f"x {said}")


# The person's own.


def test_an_own_template_is_filled() -> None:
    template = own("$name: $outcome after $duration ($$5)\n${user}@${host}, $notebook")

    assert text(template=template) == "resnet: finished after 2 h 13 min ($5)\nminji@gpu-01, resnet.ipynb"


def test_each_name_stands_for_something() -> None:
    error = ErrorInfo("MemoryError", "no more", FRAMES)
    failed = event(
        "failed",
        error=error,
        metrics={"acc": 1},
        progress=Progress(1, 2, 60.0),
        tail="on",
        gpu="GPU 0",
        peak_bytes=1 << 20,
    )

    message = render(failed, own("\n".join(f"{name}=[${name}]" for name in NAMES)), lang="en", late_s=60.0)

    lines = dict(line.split("=", 1) for line in message.text.splitlines() if "=[" in line)
    assert list(lines) == list(NAMES)
    assert "[]" not in lines.values()
    assert lines["error_type"] == "[MemoryError]"
    assert lines["error_message"] == "[no more]"
    assert lines["eta"] == lines["late"] == "[1 min]"
    assert lines["progress"] == "[■■■■■□□□□□ 50% (1/2)]"


def test_an_outcome_has_its_own_text_or_the_default_one() -> None:
    template = own("any $name", failed="bad $name")

    assert text("failed", template) == "bad resnet"
    assert text("died", template) == "any resnet"


def test_an_outcome_without_a_text_is_told_by_the_standard_one() -> None:
    only_failed = {"name": "mine", "texts": {"failed": "bad $name"}}

    assert text("finished", only_failed) == text("finished")


@pytest.mark.parametrize("kind", ["message", "test", "warning"])
def test_what_is_no_run_has_the_built_in_words_unless_named(kind: str) -> None:
    assert "any" not in text(kind, own("any $name"), text="hello")
    assert text(kind, own("any $name", **{kind: "this $name"}), text="hello").startswith("this ")


def test_a_line_goes_if_all_its_names_stand_for_nothing() -> None:
    template = own("$name\nMetrics: $metrics, error: $error\nby $user, error: $error\nno names here")

    assert text(template=template) == "resnet\nby minji, error:\nno names here"


def test_a_part_of_a_line_goes_with_its_names() -> None:
    assert text(template=own("$name · error $error · $duration · plain")) == "resnet · 2 h 13 min · plain"


def test_an_unknown_name_stays_and_is_told_below() -> None:
    said = text(template=own("$name $duratoin $Name\n$metrics"))

    assert (
        said
        == "resnet $duratoin $Name\nThe template mine has names that do not exist: $duratoin ($duration?), $Name ($name?)."
    )


@pytest.mark.parametrize("wrong", ["costs $5", "$name\n100$", "$이름", "${name", "$ name"])
@pytest.mark.parametrize("lang", ["en", "ko"])
def test_a_broken_template_costs_no_knock(wrong: str, lang: str) -> None:
    said = text("failed", own(wrong), lang, error=ERROR)

    standard = text("failed", "standard", lang, error=ERROR)
    assert said.startswith(standard + "\n")
    assert "mine" in said[len(standard) :]
    assert "$$" in said[len(standard) :]


def test_it_names_line_and_column_of_what_is_broken() -> None:
    assert "line 2, column 5" in faults("mine", "$name\nfor $5")[0]["en"]
    assert "2번째 줄 5번째 글자" in faults("mine", "$name\nfor $5")[0]["ko"]


@pytest.mark.parametrize("empty", ["$error", "  \n ", "$metrics\n$error"])
def test_a_template_that_leaves_nothing_costs_no_knock(empty: str) -> None:
    said = text(template=own(empty))

    assert said.startswith(text())


@pytest.mark.parametrize("rules", ["nowhere", {}, {"name": "mine"}, {"texts": 3}, {"texts": {"default": 3}}])
def test_rules_that_carry_no_such_template_cost_no_knock(rules: Any) -> None:
    assert text(template=rules).startswith(text())


def test_values_are_never_filled_again() -> None:
    assert text(template=own("$name"), name="$host ${user} $$") == "$host ${user} $$"
    assert text("message", text="costs $5, $name, ${host}") == "💬 costs $5, $name, ${host}"


def test_a_template_that_names_its_error_a_thousand_times_is_capped() -> None:
    said = text("failed", own("$error_message" * 300), error=ErrorInfo("E", "x" * 2000))

    assert len(said) <= LONGEST_TEXT


def test_an_unreadable_language_falls_back_to_the_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KNOCK_LANG", "ko")

    assert "끝났어요" in text(lang="fr")


TEMPLATES = st.one_of(
    st.text(),
    st.lists(
        st.sampled_from([*(f"${name}" for name in NAMES), *"$${}\n· ", "$$", "${", "$x", "·", " · ", "글", "\ud800"]),
        max_size=30,
    ).map("".join),
)


@settings(deadline=None, max_examples=400)
@given(
    TEMPLATES,
    st.sampled_from(ALL_EVENTS),
    st.sampled_from(["en", "ko"]),
    st.text(),
    st.one_of(st.none(), st.floats(), st.text()),
    st.one_of(st.none(), st.tuples(st.text(), st.text(), st.one_of(st.none(), st.text()))),
)
def test_no_template_and_no_event_stops_a_message(
    template: str, kind: str, lang: str, name: str, metric: Any, error: Optional[Any]
) -> None:
    """It is always text that can be encoded, with the error in it if there is one and it is asked for."""
    told = event(
        kind,
        name=name,
        text=name,
        metrics={} if metric is None else {name: metric},
        error=ErrorInfo(*error) if error else None,
        progress=Progress(1, 0, metric if isinstance(metric, float) else None),
        started_at=1e18 if name == "" else 0.0,
    )

    for chosen in (own(template), "short", "standard", "detailed"):
        message = render(told, chosen, lang=lang, late_s=0.5)
        message.text.encode("utf-8")
        assert message.title
        assert "\n" not in message.title


@settings(deadline=None)
@given(TEMPLATES)
def test_a_template_is_filled_as_string_template_does_it(template: str) -> None:
    """Python's own `string.Template` is the judge, where no name is empty."""
    words = {name: f"<{name}>" for name in NAMES}

    filled = fill(template, words)

    expected = "\n".join(line.rstrip() for line in Template(template).safe_substitute(words).split("\n"))
    assert filled == expected
    if not faults("mine", template):
        assert filled == "\n".join(line.rstrip() for line in Template(template).substitute(words).split("\n"))


def test_the_outcome_alone_can_be_had() -> None:
    assert outcome("finished", "ko") == "끝났어요"
    assert outcome("interrupted", "en", "stopped") == "was stopped by you"
    assert outcome("nothing", "en") == ""


def test_a_message_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        render(event(), lang="en").title = "x"  # type: ignore[misc]


def test_times_have_their_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine in a cloud is seldom in its user's zone; names that no one knows are told as numbers."""
    for zone, said in (("UTC0", "00:00 UTC"), ("<+0530>-5:30", "05:30 UTC+5:30"), ("<-03>3", "21:00 UTC-3")):
        monkeypatch.setitem(os.environ, "TZ", zone)
        time.tzset()

        assert said in text(template=own("$started"))


QUOTING = (
    "\nAll the 6 fits failed.\nIt is very likely that your model is misconfigured.\n\n6 fits failed with the following error:\n"
    + 'Traceback (most recent call last):\n  File "validation.py", line 855, in _fit_and_score\n    estimator.fit(X, y)\n'
    * 40
    + "sklearn.utils._param_validation.InvalidParameterError: The 'C' parameter must be a float. Got -1 instead.\n"
)  # scikit-learn 1.7, GridSearchCV


def test_the_cause_that_an_error_quotes_is_kept() -> None:
    error = describe(ValueError(QUOTING))
    cause = "InvalidParameterError: The 'C' parameter must be a float. Got -1 instead."

    assert len(error.message) <= 2000
    assert text("failed", error=error).splitlines()[1:4] == ["ValueError: All the 6 fits failed.", "…", cause]
    assert text("failed", "short", error=error).endswith(cause)
    assert "sklearn.utils._param_validation." + cause in text("failed", "detailed", error=error)
