"""Who is told what: the decisions, as the kernel and the courier make them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

import pytest

from knock_magic.knocker import Knocker
from knock_magic.options import Options
from knock_magic.rules import told
from knock_magic.settings import Sources

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


# What the kernel makes of a channel's wishes.


@pytest.mark.parametrize(("rank", "expected"), [("", {"healthchecks"}), ("0", {"healthchecks"}), ("1", set())])
def test_of_a_job_only_its_first_rank_reports_to_the_watch(tmp_path: Path, rank: str, expected: set[str]) -> None:
    url = "https://hc-ping.com/5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278"
    environ = {"KNOCK_HOME": str(tmp_path), "KNOCK_HEALTHCHECKS_URL": url, "RANK": rank}
    knocker = Knocker(Sources(environ), say=lambda text: pytest.fail(text))

    rules = knocker.rules(Options(), min_s=60.0)

    assert set(rules["wants"]) == expected


def test_no_plain_cell_reports_to_the_watch(tmp_path: Path) -> None:
    """Its beginning is not told, and a short one that dies is worth no alarm."""
    url = "https://hc-ping.com/5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278"
    knocker = Knocker(Sources({"KNOCK_HOME": str(tmp_path), "KNOCK_HEALTHCHECKS_URL": url, "KNOCK_AUTO": "60"}))

    knocker.announce()

    (line,) = [line for key, line in knocker.sidecar._known.items() if key == "auto"]
    assert b'"wants": {}' in line
