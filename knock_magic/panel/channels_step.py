"""The first step: the channels with their state; one at a time, with its steps, its form and its test."""

from __future__ import annotations

import re
import threading
import time
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

import ipywidgets

from knock_magic import channels, draft, language, status
from knock_magic.channels.base import Channel
from knock_magic.draft import Draft
from knock_magic.durations import say_duration
from knock_magic.errors import KnockError
from knock_magic.event import Event
from knock_magic.guard import guarded
from knock_magic.knocker import Knocker
from knock_magic.language import pick
from knock_magic.messages import TEST_SECONDS
from knock_magic.panel.form import Form
from knock_magic.panel.kakao_box import FILLED, KakaoBox, with_login_below
from knock_magic.panel.likeness import LOOKS
from knock_magic.panel.parts import Answer, button, column, page, replace, show, styled, tick, wrapped
from knock_magic.panel.place_box import PlaceBox
from knock_magic.panel.style import escaped, numbered
from knock_magic.panel.words import say

REACH_OTHERS = {"webhook", "apprise"}  # what is shown where nothing else is found
Go = Callable[[], None]


class ChannelsStep:
    """The list, and the channel that is open."""

    def __init__(
        self,
        knocker: Knocker,
        changed: Go,
        first: str = "",
        drafts: Optional[Dict[str, Draft]] = None,
        onward: Go = lambda: None,
    ) -> None:
        self._knocker = knocker
        self._changed = changed
        self._onward = onward
        self._drafts = {} if drafts is None else drafts  # what was typed outlives the page it was typed in
        self._list = column()
        self._one = column()
        self.open_channel: Optional[OneChannel] = None
        self.widget = column(self._list, self._one)
        self._search = styled(
            ipywidgets.Text(
                description=say("search"), placeholder=say("search example"), continuous_update=True,
                style={"description_width": "initial"},
            ),
            "k-field", "k-search",
        )  # fmt: skip
        self._search.observe(lambda _: self._filter(), "value")
        self.rows: Dict[str, Any] = {}
        self._groups: List[Any] = []
        self._nothing = page(f'<p class="k-soft k-lead">{escaped(say("nothing found"))}</p>')
        if first:
            self.open(first)
        else:
            self.close()

    # The list.

    def close(self) -> None:
        """Show the list."""
        self.open_channel = None
        self._draw_list()
        show(self._one, False)
        show(self._list, True)

    def _draw_list(self) -> None:
        states = status.states(self._knocker)
        groups = _grouped(self._knocker, list(states))
        self.rows = {name: self._row(name, states[name]) for name in states}
        self._groups = []
        for key, names in groups.items():
            head = page(f'<h3 class="k-group">{escaped(say(key))}</h3>')
            self._groups.append((head, column(*(self.rows[name] for name in names), classes=["k-rows"]), names))
        title = page(f"<h2>{escaped(say('channels title'))}</h2><p class='k-lead'>{escaped(say('channels lead'))}</p>")
        shown = [each for head, rows, _ in self._groups for each in (head, rows)]
        # In a box that scrolls: a page that shrinks when a low row is opened would leave the reader below it.
        replace(self._list, [title, self._search, self._nothing, column(*shown, classes=["k-scroll"])])
        self._filter()

    def _row(self, name: str, state: status.State) -> Any:
        label, key = _label(name), escaped(name)
        text = _state_words(state)
        if name in draft.in_use(self._knocker) and state.kind != "bad" and state.word != "needs":
            text = f"{say('knocks here')} · {text}" if state.ago_s is not None else say("knocks here")
        face = (
            f'<div class="k-face" aria-hidden="true">{_mark(label)}<span class="k-name">{escaped(label)}'
            f'<small>{key}</small></span><span class="k-state {state.kind}">{escaped(text)}</span>'
            '<span class="k-more">›</span></div>'
        )
        over = button(f"{label}: {text}", lambda: self.open(name))
        return styled(ipywidgets.Box([over, page(face)]), "k-row")

    def _filter(self) -> None:
        """Show the rows that have what is searched for in their name, in either language, or in what they are for."""
        words = self._search.value.casefold().split()
        found = {name for name in self.rows if all(word in _searched(name) for word in words)}
        show(self._nothing, not found)
        found = found or REACH_OTHERS.intersection(self.rows)
        for name, row in self.rows.items():
            show(row, name in found)
        for head, rows, names in self._groups:
            show(head, bool(found.intersection(names)))
            show(rows, bool(found.intersection(names)))

    # One channel.

    def open(self, name: str) -> None:
        """Show the channel `name`."""
        drafted = self._drafts.setdefault(name, Draft(self._knocker, name))
        drafted.faults.clear()  # what was wrong is in no field any more
        self.open_channel = OneChannel(self._knocker, drafted, self.close, self._changed, self._onward)
        replace(self._one, [self.open_channel.widget])
        show(self._list, False)
        show(self._one, True)


class OneChannel:
    """One channel: how to obtain what it needs, its form, and its test."""

    def __init__(self, knocker: Knocker, drafted: Draft, back: Go, changed: Go, onward: Go = lambda: None) -> None:
        self._knocker = knocker
        self._changed = changed
        self.name = name = drafted.name
        self.draft = drafted
        self._label = _label(name)
        self._is_testing = False
        self._is_drawing = False
        self.login = KakaoBox(knocker, self.draft, self._renew, self._mark_mentioned) if name == KakaoBox.key else None
        self.form = Form(self.draft, self._typed, without=FILLED if self.login else ())
        self.place = PlaceBox(knocker, lambda: [name], self._renew)
        self.answer = Answer(say("before test"))
        self.test_button = button(say("test"), self.test, "k-main")
        self.anyway = button(say("save anyway"), self.save_anyway, "k-quiet")
        self.forget_button = button(say("forget"), self._ask_to_forget, "k-quiet")
        self.use = tick(say("use it"), name in draft.in_use(knocker), self._switch)
        self.onward = button(say("onward", step=say("message")), onward, "k-quiet")
        show(self.anyway, False)
        show(self.onward, False)
        self._title = page("")
        self.widget = column(button(say("back"), back, "k-quiet"), self._title, *self._body())
        self._draw()

    def _body(self) -> List[Any]:
        channel = self.draft.channel
        told = with_login_below(pick(channel.steps)) if self.login else pick(channel.steps)
        steps = f"<h3>{escaped(say('steps'))}</h3>{numbered(told, list(channel.fields()))}"
        body = [page(f'<div class="k-steps">{steps}</div>')]
        if channel.in_kernel:  # it speaks under the cell, so there is nothing to try from here
            self.test_button.description = say("save")
            self.answer.rest("")
            return [*body, self.form.widget, wrapped(self.test_button, classes=["k-gap"]), self.answer.widget]
        actions = wrapped(self.test_button, self.anyway, self.use, self.forget_button, self.onward, classes=["k-gap"])
        login = [self.login.widget] if self.login else []
        return [*body, self.form.widget, *login, actions, self.answer.widget, self.place.widget]

    def _draw(self) -> None:
        """Show how it stands now."""
        state = status.states(self._knocker)[self.name]
        text = _state_words(state)
        self._title.value = (
            f'<div class="k-title">{_mark(self._label)}<h2 class="k-name">{escaped(self._label)}</h2>'
            f'<span class="k-state {state.kind}">{escaped(text)}</span></div>'
        )
        self._is_drawing = True
        self.use.value = self.name in draft.in_use(self._knocker)
        self._is_drawing = False
        show(self.use, not self.draft.missing())
        self.forget_button.description = say("forget")
        show(self.forget_button, self._knocker.configuration.is_in_file(self.name))

    def _typed(self) -> None:
        show(self.anyway, False)
        if not self._is_testing:
            self.answer.rest(say("before test"))

    def _renew(self) -> None:
        """Something was set elsewhere: by a login, or by secrets that were read."""
        self.form.rest()
        self._draw()
        self._changed()

    def _switch(self, on: bool) -> None:
        if self._is_drawing or self._is_testing:
            return
        try:
            stronger = draft.switch(self._knocker, self.name, on)
            self.answer.good(self._saved(stronger))
        except KnockError as problem:
            self.answer.bad(str(problem))
        self._draw()
        self._changed()

    # The test. It waits in a thread, so that the kernel is free.

    def test(self) -> None:
        """Send a real knock with what was typed, unless something is plainly missing or wrong."""
        if self._is_testing:
            return
        missing = self.draft.missing()
        for name in missing:
            if name not in self.draft.faults and name in self.form.fields:
                self.form.mark(name, say("fill in"))
        if missing or self.draft.faults:
            needs_login = self.login is not None and not self.draft.faults and set(missing) <= set(FILLED)
            self.answer.bad(say("kakao first" if needs_login else "look at fields"))
            show(self.anyway, bool(self.draft.typed) and not self.draft.faults)
            return
        if self.draft.channel.in_kernel:
            self._keep()
            return
        self._is_testing = True
        self.test_button.disabled = True
        show(self.anyway, False)
        self.answer.busy(say("sending"))
        began = time.monotonic()
        event = self.draft.try_out()
        threading.Thread(target=self._await, args=(event, began), name="knock-panel-test", daemon=True).start()

    @guarded
    def _await(self, event: Event, began: float) -> None:
        result = None
        while result is None and time.monotonic() - began < TEST_SECONDS:
            result = self.draft.outcome(event, 1.0)
            if result is None:
                self.answer.busy(say("still sending", seconds=round(time.monotonic() - began)))
        try:
            if result is not None and result["ok"]:
                self._arrived(say_duration(time.monotonic() - began))
            else:
                self._did_not_arrive(result or {})
        except KnockError as problem:
            self.answer.bad(str(problem))
        finally:
            self._is_testing = False
            self.test_button.disabled = False

    def _arrived(self, span: str) -> None:
        stronger = self.draft.keep() + draft.switch(self._knocker, self.name, True)
        self.form.rest()
        self._draw()
        there = f"{say('arrived', span=span)} {say('look there', label=self._label)}"
        taken = self._knocker.channel(self.name).only_taken
        self.answer.good(pick(taken) if taken else there, self._saved(stronger))
        self.test_button.description = say("test again")
        show(self.onward, True)
        self._changed()

    def _did_not_arrive(self, result: Mapping[str, Any]) -> None:
        self.draft.withdraw()
        reason = result.get("reason", "")
        if reason:
            # What may go by itself is no fault of what was typed.
            self.answer.bad(say("not arrived"), reason, say("next step" if result.get("permanent") else "later"))
            self._mark_mentioned(reason)
        else:
            self.answer.bad(say("no answer"))
        show(self.anyway, bool(self.draft.typed))

    def _mark_mentioned(self, reason: str) -> None:
        """Mark the fields that `reason` names; of the names that are plain words too, only those of keys."""
        for name in self.form.fields:
            if ("_" in name or name in ("token", "password")) and re.search(rf"(?<!\w){name}(?![A-Za-z0-9_])", reason):
                self.form.mark(name, say("look here"))

    def _ask_to_forget(self) -> None:
        """The second click does it: a key that is gone has to be obtained anew."""
        if self.forget_button.description == say("forget"):
            self.forget_button.description = say("forget sure")
        else:
            self.forget()

    def forget(self) -> None:
        """Take the channel's settings out of the file."""
        try:
            self.draft.forget()
        except KnockError as problem:
            self.answer.bad(str(problem))
            return
        self.form.rest()
        self.form.empty()
        self._draw()
        self.answer.good(say("forgotten", where=self._knocker.configuration.file_name))
        self._changed()

    def save_anyway(self) -> None:
        """Save what was typed though it does not work, since the person insists."""
        self._keep("saved unready")

    def _keep(self, key: str = "saved in") -> None:
        """Save what was typed, untried."""
        try:
            stronger = self.draft.keep()
        except KnockError as problem:
            self.answer.bad(str(problem))
            return
        self.form.rest()
        show(self.anyway, False)
        self._draw()
        tell = self.answer.warn if key == "saved unready" else self.answer.good
        tell(say(key, where=self._knocker.configuration.file_name), _wins(stronger))
        self._changed()

    def _saved(self, stronger: List[str]) -> str:
        said = say("saved in", where=self._knocker.configuration.file_name)
        return " ".join(filter(None, (said, _wins(stronger))))


def _wins(stronger: List[str]) -> str:
    return say("stronger", names=", ".join(dict.fromkeys(stronger))) if stronger else ""


def _label(name: str) -> str:
    try:
        return pick(channels.find(name).label) or name
    except KnockError:
        return name


def _state_words(state: status.State) -> str:
    if state.ago_s is None:
        return say(state.word)
    return say(f"{state.word} now") if state.ago_s < 60 else say(state.word, ago=say_duration(state.ago_s))


def _mark(label: str) -> str:
    return f'<span class="k-mark" aria-hidden="true">{escaped(label[:1].upper())}</span>'


def _searched(name: str) -> str:
    try:
        found = channels.find(name)
    except KnockError:
        return name.casefold()
    return " ".join([name, *found.label.values(), found.looks_like, found.also_called]).casefold()


def _grouped(knocker: Knocker, names: List[str]) -> Dict[str, List[str]]:
    """The channels by what people look for first: what they use, and in Korean the Korean services."""
    used = draft.in_use(knocker)
    groups: Dict[str, List[str]] = {"in use": used, "korean": [], "others": [], "built in": []}
    for name in names:
        if name not in used:
            groups[_group(name)].append(name)
    if language.current() != "ko":
        groups["korean"], groups["built in"] = groups.pop("korean"), groups.pop("built in")  # to the end
    return {key: sorted(found, key=_order) for key, found in groups.items() if found}


def _order(name: str) -> Tuple[int, str]:
    try:
        looks = channels.find(name).looks_like
    except KnockError:
        looks = ""
    return LOOKS.index(looks) if looks in LOOKS else len(LOOKS), _label(name).casefold()


def _group(name: str) -> str:
    try:
        found: Any = channels.find(name)
    except KnockError:
        return "others"
    if issubclass(found, Channel) and found.in_kernel:
        return "built in"
    return "korean" if found.is_korean else "others"
