"""Who is told what: the rules of one run, and the decision they lead to.

The kernel makes the rules and the courier applies them, so they travel as plain JSON.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Mapping

OUTCOMES = ("finished", "failed", "interrupted", "died", "stalled", "progress", "started")
FILTERS = ("finished", "failed", "interrupted", "died", "running")  # what one looks for in the history
ENDINGS = frozenset({"finished", "failed", "interrupted", "died"})
DEFAULT_ON = ("finished", "failed", "interrupted", "died", "stalled")

# These were asked for one by one, so no rule of a run holds them back.
_ALWAYS = frozenset({"message", "test", "warning"})


def is_due(event: Mapping[str, Any], rules: Mapping[str, Any]) -> bool:
    """Whether `event` is worth a knock: it is one of the outcomes asked for, and took long enough."""
    if event["event"] in _ALWAYS:
        return True
    # That it goes again is for those who were told that it had stalled.
    kind = "stalled" if event.get("note") == "again" else event["event"]
    return kind in rules["on"] and event["duration_s"] >= rules["min_s"]


def told(event: Mapping[str, Any], rules: Mapping[str, Any]) -> List[str]:
    """The channels of `rules` that `event` goes to: all of them if it is due, else those that want it anyway."""
    return list(rules["to"]) if is_due(event, rules) else wanted(event, rules)


def wanted(event: Mapping[str, Any], rules: Mapping[str, Any]) -> List[str]:
    """The channels of `rules` that want `event` of each run, due or not."""
    wants = rules.get("wants") or {}
    return [name for name in rules["to"] if event["event"] in wants.get(name, ())]
