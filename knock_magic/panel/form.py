"""`Form`: the fields of one channel, made from its traits, each with the line that tells what is wrong with it."""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping, Sequence

import ipywidgets
from traitlets import Bool, Enum, Float, Integer, List as ListTrait, TraitType

from knock_magic.draft import Draft
from knock_magic.language import pick
from knock_magic.panel.parts import Hint, column, page, styled
from knock_magic.panel.secret_field import SecretField
from knock_magic.panel.words import say
from knock_magic.settings import Secret, Settings, expected_of, label_of

LARGEST = 2**31 - 1  # of a number without an upper bound


class Form:
    """The fields of the channel that `draft` is of, less those `without`; `changed` is called when one was taken."""

    def __init__(self, draft: Draft, changed: Callable[[], None], without: Sequence[str] = ()) -> None:
        self._draft = draft
        self._changed = changed
        self._is_filling = False
        # Where one of several ways is needed, no field of any way is simply optional; the steps tell of the ways.
        self._has_ways = type(draft.channel).missing is not Settings.missing
        fields: Mapping[str, TraitType] = {name: trait for name, trait in draft.fields.items() if name not in without}
        self.fields: Dict[str, Any] = {}
        self.hints: Dict[str, Hint] = {name: Hint() for name in fields}
        for name, trait in fields.items():
            self.fields[name] = self._field(name, trait)
            if not isinstance(trait, Bool):
                styled(self.fields[name], "k-field", *_width(trait))
        needed = [page(f'<div class="k-hint">{say("needed")}</div>')] if any(map(_is_needed, fields.values())) else []
        self.widget = column(
            *needed, *(each for name in fields for each in (self.fields[name], self.hints[name].widget))
        )
        self.rest()

    def _field(self, name: str, trait: TraitType) -> Any:
        label = f"{label_of(trait).rstrip('.')} ({name})" + (" *" if _is_needed(trait) else "")
        value = getattr(self._draft.channel, name)
        common = {"description": label, "style": {"description_width": "initial"}}
        if isinstance(trait, Secret):
            return SecretField(lambda text: self._take(name, text), **common)
        if isinstance(trait, Bool):
            made = styled(ipywidgets.Checkbox(value=value, indent=False, description=label), "k-tick", "k-small")
        elif isinstance(trait, Enum):
            made = ipywidgets.Dropdown(options=_choices(trait), value=value, **common)
        elif isinstance(trait, (Integer, Float)):
            number = ipywidgets.BoundedIntText if isinstance(trait, Integer) else ipywidgets.BoundedFloatText
            low = -LARGEST if trait.min is None else trait.min
            made = number(value=value or 0, min=low, max=LARGEST if trait.max is None else trait.max, **common)
        else:
            made = ipywidgets.Text(
                value=_as_text(value), placeholder=_example(trait), continuous_update=False, **common
            )
        made.observe(lambda change: self._take(name, _as_text(change["new"])), "value")
        return made

    def _take(self, name: str, text: str) -> None:
        if self._is_filling:
            return
        taken = self._draft.take(name, text)
        is_secret = isinstance(self._draft.fields[name], Secret)
        if taken.hide:
            self._fill(name, "")
        elif not is_secret and not taken.is_fault and name in self._draft.typed:
            self._fill(name, self._draft.typed[name])
        if taken.is_fault:
            self.mark(name, taken.said)
            if is_secret:
                self.fields[name].placeholder = ""
        else:
            self._unmark(name)
            if is_secret:
                self._hold(name, taken.said)
            elif taken.said:
                self.hints[name].good(taken.said)
        self._changed()

    def _hold(self, name: str, said: str) -> None:
        """Show of a secret that it was taken, or taken back."""
        is_typed = name in self._draft.typed
        stored = say("saved secret") if self._draft.is_stored(name) else ""
        self.fields[name].placeholder = say("taken secret") if is_typed else stored
        if is_typed:
            self.hints[name].good(" ".join(filter(None, (said, say("not saved yet")))))
        else:
            self.hints[name].plain(said)

    def _fill(self, name: str, text: str) -> None:
        """Show `text` in a field that is none of a secret's, without taking it once more."""
        field = self.fields[name]
        if isinstance(field, ipywidgets.Text) and field.value != text:
            self._is_filling = True
            field.value = text
            self._is_filling = False

    def mark(self, name: str, said: str) -> None:
        """Tell what is wrong, beside the field."""
        self.fields[name].add_class("k-fault")
        self.hints[name].bad(said)

    def _unmark(self, name: str) -> None:
        self.fields[name].remove_class("k-fault")
        self._help(name)

    def empty(self) -> None:
        """Show in each field what is set now, which may be nothing."""
        self._is_filling = True
        for name, field in self.fields.items():
            value = getattr(self._draft.channel, name)
            if isinstance(field, ipywidgets.Text) and not isinstance(field, SecretField):
                field.value = _as_text(value)
            elif not isinstance(field, SecretField):
                field.value = value
        self._is_filling = False

    def rest(self) -> None:
        """Show how each field stands: what is wrong with it, that it was taken, or what is set."""
        for name in self.fields:
            is_typed_secret = isinstance(self._draft.fields[name], Secret) and name in self._draft.typed
            self._unmark(name)
            if name in self._draft.faults:
                self.mark(name, self._draft.faults[name])
            elif isinstance(self._draft.fields[name], Secret):
                self._hold(name, "")
                if not is_typed_secret:
                    self._help(name)

    def _help(self, name: str) -> None:
        trait, where = self._draft.fields[name], self._draft.set_by(name)
        parts = [say("set by", where=where)] if where else []
        if isinstance(trait, Secret) and self._draft.is_stored(name):
            parts.append(say("type to replace"))
        elif not (self._has_ways or trait.metadata.get("required") or self._draft.is_stored(name)):
            parts.append(say("optional"))
        if isinstance(trait, Secret):
            parts.append(say("leave it"))
        self.hints[name].plain(" ".join(parts))


def _is_needed(trait: TraitType) -> bool:
    return bool(trait.metadata.get("required"))


def _width(trait: TraitType) -> Any:
    return ["k-narrow"] if isinstance(trait, (Integer, Float, Enum)) else []


def _choices(trait: Any) -> Any:
    return [(str(value) or "–", value) for value in trait.values or ()]


def _as_text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _example(trait: TraitType) -> str:
    """What a good value looks like; nothing where the label has said it."""
    if hasattr(trait, "example"):
        return str(trait.example)
    return pick(expected_of(trait)) if isinstance(trait, ListTrait) and "," in str(trait.help) else ""
