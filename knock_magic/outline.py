"""`Outline`: a message in its parts, for channels that show more than plain text.

The words are the message's own: what its template left out is in no part of it.
"""

from __future__ import annotations

import dataclasses
from typing import Iterable, List, Optional, Set, Tuple, Union

from knock_magic.event import Event
from knock_magic.rules import OUTCOMES
from knock_magic.template import BETWEEN, Message
from knock_magic.wording import ICONS


@dataclasses.dataclass(frozen=True)
class Facts:
    """Names and values, to be shown as a table."""

    pairs: Tuple[Tuple[str, str], ...]


@dataclasses.dataclass(frozen=True)
class Code:
    """An error, for a fixed-width font with its spaces kept: what it says, and `where` it happened."""

    text: str
    where: str = ""

    @property
    def whole(self) -> str:
        """Both."""
        return "\n".join(part for part in (self.text, self.where) if part)


@dataclasses.dataclass(frozen=True)
class Text:
    """Lines of prose."""

    text: str


Part = Union[Facts, Code, Text]


@dataclasses.dataclass(frozen=True)
class Outline:
    """`icon`, what the work is called (`name`), how it went (`outcome`), how long it took (`span`), and the rest.

    A headline that is not made like ours is all `name`.
    """

    icon: str
    name: str
    outcome: str
    span: str
    parts: Tuple[Part, ...]

    @property
    def headline(self) -> str:
        """All of it but the parts, in one line."""
        return BETWEEN.join(words for words in (f"{self.icon} {self.name} {self.outcome}".strip(), self.span) if words)


def outline(message: Message) -> Outline:
    """`message` in its parts."""
    event = message.event
    icon = ICONS.get(event.event, "")
    words = message.title[len(icon) :].strip() if message.title.startswith(icon) else message.title
    icon = icon if words != message.title else ""
    name = event.name
    if event.event not in OUTCOMES or not name or not words.startswith(f"{name} "):
        return Outline(icon, words, "", "", tuple(_parts(message.body.split("\n"), event)))
    # The short template goes on in the headline, with what else stands in lines of their own.
    outcome, *more = words[len(name) :].strip().split(BETWEEN)
    span = more.pop(0) if more and any(letter.isdigit() for letter in more[0]) and not _pair(more[0], event) else ""
    return Outline(icon, name, outcome, span, tuple(_parts([*more, *message.body.split("\n")], event)))


def _parts(lines: Iterable[str], event: Event) -> List[Part]:
    parts: List[Part] = []
    told = _error_lines(event)
    for line in lines:
        part = _part(line, event, told)
        last = parts[-1] if parts else None
        if isinstance(last, Facts) and isinstance(part, Facts):
            parts[-1] = Facts(last.pairs + part.pairs)
        elif isinstance(last, Code) and (isinstance(part, Code) or not line.strip()):
            parts[-1] = _longer(last, line, event)
        elif isinstance(last, Text) and (isinstance(part, Text) or not line.strip()):
            parts[-1] = Text(f"{last.text}\n{line}")
        elif line.strip():
            parts.append(part)
    return parts


def _part(line: str, event: Event, told: Set[str]) -> Part:
    pairs = [_pair(piece, event) for piece in line.split(BETWEEN)]
    if all(pairs):
        return Facts(tuple(pair for pair in pairs if pair))
    start = f"{event.error.type}:" if event.error else ""
    is_error = bool(told) and (line.strip() in told or line.startswith(start))
    return Code(line) if is_error else Text(line)


def _longer(code: Code, line: str, event: Event) -> Code:
    traceback = event.error.traceback if event.error else None
    if code.where or line in (traceback or "").splitlines():
        return Code(code.text, f"{code.where}\n{line}".lstrip("\n"))
    return Code(f"{code.text}\n{line}")


def _error_lines(event: Event) -> Set[str]:
    """The lines that an error is told in; the cause of a death is told in prose."""
    if event.error is None or event.event == "died":
        return set()
    texts = (event.error.type, event.error.message, event.error.traceback or "")
    return {line.strip() for text in texts for line in text.splitlines() if line.strip()}


def _pair(piece: str, event: Event) -> Optional[Tuple[str, str]]:
    """`piece` as a metric's name and value, if it begins with one."""
    named = [name for name in event.metrics if piece.startswith(name) and piece[len(name) :][:1] in (" ", ":", "=")]
    if not named:
        return None
    name = max(named, key=len)
    return name, piece[len(name) :].lstrip(" :=")
