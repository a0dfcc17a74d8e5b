"""Text that came from a cell, made fit to travel: capped, readable, free of control characters."""

from __future__ import annotations

import re
from typing import Any

# Terminal colours and cursor moves (ECMA-48 CSI and OSC sequences), bounded so that no input is slow.
_ANSI = re.compile(r"\x1b(?:\[[0-?]{0,64}[ -/]{0,8}[@-~]|\][^\x07\x1b]{0,512}(?:\x07|\x1b\\)?|[@-Z\\-_])")
# C0 and C1 controls but tab and newline, and the Unicode controls that turn text around (UAX #9).
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")

ELLIPSIS = "…"


def clean(text: str, limit: int) -> str:
    """`text` cut to `limit` characters, without what a phone can't show or a terminal would obey."""
    # Cut before looking: one expression over 50 MB costs 80 ms, over this much nothing.
    head = text[: 4 * limit]
    head = _CONTROLS.sub("", _ANSI.sub("", head.replace("\r\n", "\n")))
    head = head.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate would stop every encoder later
    if len(head) <= limit and len(text) <= 4 * limit:
        return head
    return head[: limit - 1] + ELLIPSIS


def safe_str(value: Any) -> str:
    """``str(value)``, or what stopped it: a ``__str__`` may raise, or return something else."""
    try:
        return str(value)
    except Exception as error:
        return f"<{type(value).__name__}: str() raised {type(error).__name__}>"


def one_line(text: str, limit: int) -> str:
    """`text` cleaned, on one line."""
    return clean(" ".join(text[: 4 * limit].split()), limit)
