"""What Tab offers behind ``%knock`` and ``%%knock``: commands, options, and the names that fit where the cursor is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, List, Sequence, Tuple

from IPython.core import completer

from knock_magic import channels
from knock_magic.guard import guarded
from knock_magic.head import MARK
from knock_magic.knocker import Knocker
from knock_magic.options import HELP
from knock_magic.rules import FILTERS, OUTCOMES

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

LINE_MARK = MARK[1:]
_OURS = re.compile(r"\s*%%?knock\s")
# IPython's, by the first word of the line. Since 8.6 a matcher can say that nothing else fits there; a hook's answers
# stand among every name of the namespace.
_HOOK = "complete_command"
_Found: Any = getattr(completer, "SimpleCompletion", None)
_SPANS = ["30m", "1h", "2h"]


class Completion:
    """The completer of one shell; `commands` are the words that may follow ``%knock``."""

    def __init__(self, shell: InteractiveShell, knocker: Knocker, commands: Callable[[], Sequence[str]]) -> None:
        self._shell = shell
        self._knocker = knocker
        self._commands = commands
        self._complete = guarded(self._candidates)

    def put_in(self) -> None:
        """Answer Tab."""
        if _Found:
            self._matchers().insert(0, self._match)
            return
        for mark in (LINE_MARK, MARK):
            self._shell.set_hook(_HOOK, lambda _, event: self._complete(event), str_key=mark)

    def take_out(self) -> None:
        """Answer no more."""
        if _Found:
            self._matchers().remove(self._match)
            return
        for mark in (LINE_MARK, MARK):
            self._shell.strdispatchers[_HOOK].strs.pop(mark, None)

    def _matchers(self) -> List[Any]:
        assert self._shell.Completer is not None
        found: List[Any] = self._shell.Completer.custom_matchers
        return found

    def _match(self, context: Any) -> Dict[str, Any]:
        """What may stand at the cursor of a line of ours, and that nothing else may."""
        found = (self._complete(context) or []) if _OURS.match(context.text_until_cursor) else []
        fitting = [name for name in found if name.startswith(context.token)]
        return {"completions": [_Found(text=name, type="magic") for name in fitting], "suppress": bool(fitting)}

    _match.matcher_api_version = 2  # type: ignore[attr-defined]

    def _candidates(self, event: Any) -> List[str]:
        """What may stand at the cursor; the completer keeps what begins as the word there does."""
        before, token = _split(event.text_until_cursor)
        mark, words = before[0], before[1:]
        # The completer takes `a` for the word in `--to=a` and in `b,a`; so what we give is always one name.
        option = token.partition("=")[0] if "=" in token else words[-1] if words else ""
        if not option.startswith("--"):
            option = ""
        if mark == MARK:
            return self._values(option) or _dashed(HELP)
        if not words:
            return list(self._commands())
        return self._arguments(words[0], option)

    def _arguments(self, command: str, option: str) -> List[str]:
        """What may follow ``%knock command``."""
        from knock_magic import history  # brings statistics along, and nobody who loads us should wait for that

        names = channels.names
        known: Dict[str, Tuple[Callable[[], Sequence[str]], List[str]]] = {
            "use": (names, ["--save"]),
            "test": (names, []),
            "setup": (names, ["--text"]),
            "login": (lambda: ["kakao"], ["--friends", "--no-browser"]),
            "auto": (lambda: ["off", "60s", "5m"], ["--save"]),
            "template": (self._knocker.configuration.template_names, ["--to", "--save"]),
            "autoload": (lambda: ["on", "off"], []),
            "mute": (lambda: [*_SPANS, "off"], []),
            "history": (lambda: [], list(history.OPTIONS)),
        }
        values, options = known.get(command, (lambda: [], []))
        return self._values(option) or [*values(), *options]

    def _values(self, option: str) -> List[str]:
        """What may follow `option`."""
        known: Dict[str, Callable[[], Sequence[str]]] = {
            "--to": channels.names,
            "--template": self._knocker.configuration.template_names,
            "--on": lambda: OUTCOMES,
            "--outcome": lambda: FILTERS,
            "--baseline": lambda: ["best"],
            "--min": lambda: ["60s", "10m"],
            "--every": lambda: _SPANS,
            "--stall": lambda: ["15m", "1h"],
        }
        return list(known[option]()) if option in known else []


def _split(text: str) -> Tuple[List[str], str]:
    """The whole words before the cursor, and the beginning of the one at it."""
    words = text.split()
    if text[-1:].isspace():
        return words, ""
    return words[:-1], words[-1]


def _dashed(names: Iterable[str]) -> List[str]:
    return [f"--{name}" for name in names]
