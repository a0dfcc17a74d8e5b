"""What a cell without a name is called: its first line of code, shortened."""

from __future__ import annotations

NAME_CHARACTERS = 60


def name_of(source: str) -> str:
    """The first line of `source` that is neither blank nor a comment, in at most 60 characters."""
    lines = (line.strip() for line in source[:4000].splitlines())
    first = next((line for line in lines if line and not line.startswith("#")), "")
    return first if len(first) <= NAME_CHARACTERS else first[: NAME_CHARACTERS - 1] + "…"
