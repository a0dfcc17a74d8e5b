"""The last step: what is now set, and what the next notebook needs."""

from __future__ import annotations

from typing import Any, Callable, List, Tuple

from knock_magic import autoload, draft, rules, status
from knock_magic.durations import say_duration
from knock_magic.errors import KnockError
from knock_magic.knocker import Knocker
from knock_magic.language import pick
from knock_magic.panel.parts import Hint, column, page, tick
from knock_magic.panel.place_box import PlaceBox
from knock_magic.panel.style import escaped, sentence
from knock_magic.panel.words import say

LINE = "%load_ext knock"


class DoneStep:
    """A card of what is set, a line to paste, autoload, and where it all went."""

    def __init__(self, knocker: Knocker, startup_folder: str, changed: Callable[[], None]) -> None:
        self._knocker = knocker
        self._folder = startup_folder
        self._changed = changed
        self._title = page("")
        self._card = page("")
        self.hint = Hint()
        self.autoload = tick(say("autoload"), autoload.is_on(startup_folder), self._load) if startup_folder else None
        self.place = PlaceBox(knocker, lambda: draft.in_use(knocker), self._moved)
        self.widget = column(
            self._title,
            self._card,
            page(f'<h3 class="k-group k-gap">{escaped(say("paste"))}</h3><pre class="k-copy">{LINE}</pre>'),
            *([page('<div class="k-gap"></div>'), self.autoload, self.hint.widget] if self.autoload else []),
            self.place.widget,
        )
        self.draw()

    def _moved(self) -> None:
        self.draw()
        self._changed()

    def draw(self) -> None:
        """Show what is set now."""
        title = say("done title" if draft.in_use(self._knocker) else "done not yet")
        self._title.value = f"<h2>{escaped(title)}</h2><p class='k-lead'>{escaped(say('done lead'))}</p>"
        rows = "".join(f"<dt>{escaped(name)}</dt><dd>{escaped(said)}</dd>" for name, said in self._rows())
        self._card.value = f'<div class="k-steps"><dl>{rows}</dl></div>'

    def _rows(self) -> List[Tuple[str, str]]:
        knocker, settings = self._knocker, self._knocker.settings
        labels = ", ".join(pick(knocker.channel(name).label) for name in draft.in_use(knocker))
        on = settings.on or rules.DEFAULT_ON
        outcomes = ", ".join(say("failed run" if each == "failed" else each) for each in on)
        rows = [
            (say("row channels"), labels or say("no channel yet")),
            (say("row message"), settings.template),
            (say("row outcomes"), outcomes),
            (say("row when"), sentence(status.auto_line(knocker))),
        ]
        if settings.every:
            rows.append((say("row progress"), say_duration(settings.every)))
        if settings.stall:
            rows.append((say("row stall"), say("after silence", span=say_duration(settings.stall))))
        muted = status.muted_line(knocker)
        if muted:
            rows.append((say("row mute"), muted.partition(" ")[2] if muted.startswith("muted ") else muted))
        return [*rows, (say("where"), knocker.configuration.file_name)]

    def _load(self, on: bool) -> None:
        try:
            (autoload.turn_on if on else autoload.turn_off)(self._folder)
            self.hint.plain(autoload.line(self._folder))
        except KnockError as problem:
            self.hint.bad(str(problem))
        self._changed()


def startup_folder(shell: Any) -> str:
    """Where what is loaded by itself stands; empty where the shell has no profile."""
    folder = getattr(shell, "profile_dir", None)
    return str(folder.startup_dir) if folder is not None else ""
