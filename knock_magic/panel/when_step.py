"""The third step: from when a cell is long, how often it tells of its progress, and silence for a while."""

from __future__ import annotations

import re
from typing import Any, Callable, Dict, Optional

import ipywidgets
from traitlets import Unicode

from knock_magic import status
from knock_magic.errors import KnockError, SettingsError
from knock_magic.knocker import Knocker
from knock_magic.panel.parts import Hint, button, column, page, styled, tick, wrapped
from knock_magic.panel.style import escaped, sentence
from knock_magic.panel.words import WORDS, say
from knock_magic.pasted import cleaned

USUAL_S = 60.0
SPANS = {"mute 1h": 3600.0, "mute 8h": 8 * 3600.0, "mute 2d": 2 * 86400.0, "mute off": 0.0}
DURATIONS = ("auto", "every", "stall")  # those of them that the general settings have


class WhenStep:
    """The general settings that are durations, and the mute; each is saved when it is changed."""

    def __init__(self, knocker: Knocker, changed: Callable[[], None]) -> None:
        self._knocker = knocker
        self._changed = changed
        seconds = knocker.settings.auto
        self.auto = tick(say("auto on"), seconds is not None, self._switch)
        names = [name for name in DURATIONS if name in knocker.settings.fields()]
        self.fields: Dict[str, Any] = {name: self._field(name) for name in names}
        self.hints: Dict[str, Hint] = {
            name: Hint(say("stall hint" if name == "stall" else "span hint")) for name in names
        }
        self.muted = Hint()
        fields = [each for name in names for each in (self.fields[name], self.hints[name].widget)]
        self.widget = column(
            page(f"<h2>{escaped(say('when title'))}</h2><p class='k-lead'>{escaped(say('when lead'))}</p>"),
            self.auto,
            *fields,
            page(f'<h3 class="k-group">{escaped(say("mute"))}</h3>'),
            wrapped(*(button(say(key), lambda span=span: self._mute(span), "k-chip") for key, span in SPANS.items())),  # type: ignore[misc]
            self.muted.widget,
        )
        self._say_muted()
        self._show_auto()

    def _field(self, name: str) -> Any:
        field = ipywidgets.Text(
            value=_written(getattr(self._knocker.settings, name)), description=say(name),
            continuous_update=False, style={"description_width": "initial"},
        )  # fmt: skip
        field.observe(lambda change: self._take(name, change["new"]), "value")
        return styled(field, "k-field", "k-narrow")

    def _take(self, name: str, text: str) -> None:
        self._keep(name, _bare(text) or "off")
        if name == "auto":
            self._show_auto()

    def _switch(self, on: bool) -> None:
        seconds = self._knocker.settings.auto
        if on is (seconds is not None):
            return
        self._keep("auto", f"{USUAL_S:g}s" if on else "off")
        self.fields["auto"].value = _written(self._knocker.settings.auto)
        self._show_auto()

    def _show_auto(self) -> None:
        is_on = self._knocker.settings.auto is not None
        self.auto.value = is_on
        self.fields["auto"].disabled = not is_on  # and not hidden, or all below it would jump

    def _keep(self, name: str, text: str) -> None:
        try:
            self._put(name, text)
            self._knocker.announce()
            self._knocker.configuration.save(name, text)
        except (KnockError, SettingsError) as problem:
            self.fields[name].add_class("k-fault")
            self.hints[name].bad(str(problem))
            return
        self.fields[name].remove_class("k-fault")
        self.hints[name].good(say("kept"))
        self._changed()

    def _put(self, name: str, text: str) -> None:
        try:
            self._knocker.settings.put(name, text, say(name))
        except SettingsError:
            texts = WORDS["span fault"]  # in the settings' own words the label would be the subject
            raise SettingsError(texts["en"], texts["ko"]) from None

    def _mute(self, seconds: float) -> None:
        try:
            self._knocker.mute(seconds)
        except KnockError as problem:
            self.muted.bad(str(problem))
            return
        self._say_muted()
        self._changed()

    def _say_muted(self) -> None:
        self.muted.plain(sentence(status.muted_line(self._knocker) or status.not_muted()))


def _bare(text: str) -> str:
    """A time as it was meant: without quotes, and without the spaces that ``2 h`` or ``1h 30m`` have in them."""
    bare = cleaned(Unicode(), text)[0]
    return re.sub(r"(?<=[a-z가-힣])\s+(?=\d)|(?<=\d)\s+(?=[a-z가-힣])", "", bare, flags=re.IGNORECASE)


def _written(seconds: Optional[float]) -> str:
    """Seconds as they are typed: ``90s``, ``15m``, ``2h``."""
    if seconds is None:
        return "off"
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"
