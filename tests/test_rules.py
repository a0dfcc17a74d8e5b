"""Who is told what: the decisions, as the kernel and the courier make them."""

from __future__ import annotations

from typing import Any, Dict

from knock_magic.rules import told

RULES: Dict[str, Any] = {
    "to": ["slack", "watch"],
    "on": ["failed"],
    "min_s": 60.0,
    "wants": {"watch": ["started", "finished"]},
}


def event(kind: str, seconds: float = 90.0) -> Dict[str, Any]:
    return {"event": kind, "duration_s": seconds}


def test_what_was_asked_for_goes_to_all() -> None:
    assert told(event("failed"), RULES) == ["slack", "watch"]


def test_what_was_not_asked_for_goes_to_whom_it_concerns_all_the_same() -> None:
    assert told(event("started", 0.0), RULES) == ["watch"]
    assert told(event("finished"), RULES) == ["watch"]


def test_what_was_too_short_goes_only_there_too() -> None:
    assert told(event("finished", 1.0), RULES) == ["watch"]
    assert told(event("failed", 1.0), RULES) == []


def test_what_nobody_wants_goes_nowhere() -> None:
    assert told(event("stalled"), RULES) == []


def test_rules_of_before_say_nothing_of_wants() -> None:
    assert told(event("started", 0.0), {name: RULES[name] for name in ("to", "on", "min_s")}) == []
