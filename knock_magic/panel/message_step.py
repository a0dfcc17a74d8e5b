"""The second step: which words a knock has, which outcomes knock, and how that looks on each channel."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

import ipywidgets

from knock_magic import draft, language, own_templates, preview, rules
from knock_magic.errors import KnockError
from knock_magic.knocker import FALLBACK, Knocker
from knock_magic.own_templates import Own
from knock_magic.panel import likeness
from knock_magic.panel.parts import Hint, button, column, page, show, styled, tick, wrapped
from knock_magic.panel.style import escaped
from knock_magic.panel.words import say
from knock_magic.template import BUILT_IN, DEFAULT, NAMES, WITH_SOURCE, Choice, render
from knock_magic.wording import ICONS

LANGUAGES = {"en": "English", "ko": "한국어"}
DRAFTED = "?"  # an own template whose name was taken out


class MessageStep:
    """The message, and what it looks like.

    Args:
        knocker: whose settings these are.
        changed: is called when something was saved.
        translated: is called when the language has changed, for all the panel is then written anew.
    """

    def __init__(self, knocker: Knocker, changed: Callable[[], None], translated: Callable[[], None]) -> None:
        self._knocker = knocker
        self._changed = changed
        self._translated = translated
        self._outcome = "finished"
        self.templates: Dict[str, Any] = {}
        self.shots = page("")
        self.hint = Hint()
        self._templates = wrapped()
        self.editor = Editor(knocker, self.draw, self._saved_own)
        self.language = ipywidgets.Dropdown(
            options=[(name, code) for code, name in LANGUAGES.items()], value=language.current(),
            description=say("language"), style={"description_width": "initial"},
        )  # fmt: skip
        self.language.observe(lambda change: self._speak(change["new"]), "value")
        chosen = knocker.settings.on or rules.DEFAULT_ON
        self.outcomes = {
            each: tick(_outcome(each), each in chosen, lambda _, each=each: self._choose(each))  # type: ignore[misc]
            for each in rules.OUTCOMES
        }
        self._shown = {
            each: button(f"{ICONS[each]} {_outcome(each)}", lambda each=each: self._look(each), "k-chip")  # type: ignore[misc]
            for each in preview.ALL
        }
        self.widget = column(
            page(f"<h2>{escaped(say('message title'))}</h2><p class='k-lead'>{escaped(say('message lead'))}</p>"),
            self._templates,
            self.editor.widget,
            page(f'<h3 class="k-group">{escaped(say("outcomes"))}</h3>'),
            wrapped(*self.outcomes.values(), classes=["k-ticks"]),
            styled(self.language, "k-field", "k-narrow"),
            self.hint.widget,
            # Last, for its height changes with what is shown.
            page(f'<h3 class="k-group">{escaped(say("preview of"))}</h3>'),
            wrapped(*self._shown.values()),
            styled(self.shots, "k-gap"),
        )
        self._draw_templates()
        self._look(self._outcome)

    # Choosing.

    def _draw_templates(self) -> None:
        names = self._knocker.configuration.template_names()
        self.templates = {
            name: button(name, lambda name=name: self.choose(name), "k-chip")  # type: ignore[misc]
            for name in names
        }
        self._templates.children = [
            *self.templates.values(),
            button(f"+ {say('own template')}", self._write, "k-quiet"),
        ]
        self._mark()

    def choose(self, name: str) -> None:
        """Write messages by the template `name`, here and in every later kernel."""
        self._keep("template", name, lambda: self._knocker.use_template(name))
        self.editor.close()
        if name not in BUILT_IN:
            self.editor.open(name)
        self._mark()
        self.draw()

    def _mark(self) -> None:
        for name, chip in self.templates.items():
            _mark(chip, name == self._knocker.settings.template)

    def _write(self) -> None:
        self.editor.open("")
        self.draw()

    def _saved_own(self, name: str) -> None:
        self._keep("template", name, lambda: self._knocker.use_template(name))
        self._draw_templates()
        self.draw()

    def _choose(self, changed: str) -> None:
        chosen = [each for each, box in self.outcomes.items() if box.value]
        if chosen:
            self._keep("on", chosen, lambda: self._go_by(chosen))
        else:
            self.outcomes[changed].value = True
            self.hint.bad(say("one stays"))

    def _go_by(self, chosen: List[str]) -> None:
        self._knocker.settings.on = chosen
        self._knocker.announce()

    def _speak(self, lang: str) -> None:
        def go() -> None:
            self._knocker.settings.lang = lang
            language.use(lang)
            self._knocker.announce()

        self._keep("lang", lang, go)
        self._translated()

    def _keep(self, name: str, value: Any, go: Callable[[], None]) -> None:
        """Go by a general setting, and save it."""
        try:
            go()
            self._knocker.configuration.save(name, value)
            self.hint.good(say("kept"))
        except KnockError as problem:
            self.hint.bad(str(problem))
        self._changed()

    # Looking.

    def _look(self, outcome: str) -> None:
        self._outcome = outcome
        for each, chip in self._shown.items():
            _mark(chip, each == outcome)
        self.draw()

    def template(self) -> Choice:
        """What is looked at: the text that is being written, or the template that is chosen."""
        written = self.editor.template()
        return written or self._knocker.configuration.usable_template(self._knocker.settings.template)

    def draw(self) -> None:
        """Show how a knock of the outcome looks on each channel in use."""
        template = self.template()
        event = preview.sample(self._outcome, with_source=template == WITH_SOURCE)
        message = render(event, template, lang=language.current())
        names = draft.in_use(self._knocker) or [FALLBACK]
        shots = "".join(likeness.as_html(self._knocker.channel(name), message) for name in names)
        self.shots.value = f'<div class="k-shots">{shots}</div>'


class Editor:
    """A text of one's own, with its names as buttons; seen in the preview while it is written."""

    def __init__(self, knocker: Knocker, changed: Callable[[], None], saved: Callable[[str], None]) -> None:
        self._knocker = knocker
        self._changed = changed
        self._saved = saved
        self._texts: Own = {}
        self._is_filling = False
        wide = {"style": {"description_width": "initial"}}
        self.name = styled(ipywidgets.Text(description=say("own name"), **wide), "k-field", "k-narrow")
        keys = [(say("every outcome"), DEFAULT), *((_outcome(each), each) for each in rules.OUTCOMES)]
        self.key = styled(ipywidgets.Dropdown(options=keys, description=say("own for"), **wide), "k-field", "k-narrow")
        self.text = styled(ipywidgets.Textarea(description=say("own text"), continuous_update=True, **wide), "k-field")
        self.hint = Hint()
        names = [button(f"${name}", lambda name=name: self.add(name), "k-chip") for name in NAMES]  # type: ignore[misc]
        self.text.observe(lambda change: self._written(change["new"]), "value")
        self.key.observe(lambda _: self._fill(), "value")
        self.widget = column(
            self.name, self.key, self.text, wrapped(*names, classes=["k-small"]), self.hint.widget,
            button(say("save own"), self.save, "k-plain"),
        )  # fmt: skip
        self.close()

    def open(self, name: str) -> None:
        """Write the own template `name`, or a new one."""
        self._texts = dict(
            self._knocker.configuration.templates.get(name, {DEFAULT: "$icon $name $outcome · $duration"})
        )
        self.name.value = name or self._free_name()
        self.key.value = DEFAULT if DEFAULT in self._texts else next(iter(self._texts))
        self._fill()
        self.is_open = True
        show(self.widget, True)

    def _free_name(self) -> str:
        """A name that no template of the person's has yet: ``mine``, ``mine2``, ..."""
        taken = self._knocker.configuration.templates
        return next(name for name in (f"mine{number or ''}" for number in (0, *range(2, 1000))) if name not in taken)

    def close(self) -> None:
        """Write no more; what is chosen is seen again."""
        self.is_open = False
        show(self.widget, False)

    def template(self) -> Any:
        """The template as it is written now; None where none is."""
        if not self.is_open:
            return None
        return {"name": self.name.value.strip() or DRAFTED, "texts": dict(self._texts)}

    def add(self, name: str) -> None:
        """Put a name at the end of the text."""
        before = self.text.value
        self.text.value = f"{before}{'' if not before or before[-1:].isspace() else ' '}${name}"

    def _fill(self) -> None:
        self._is_filling = True
        self.text.value = self._texts.get(self.key.value, "")
        self._is_filling = False

    def _written(self, text: str) -> None:
        if self._is_filling:
            return
        if text.strip():
            self._texts[self.key.value] = text
        else:
            self._texts.pop(self.key.value, None)
        self.hint.plain("")
        self._is_sound()
        self._changed()

    def _is_sound(self) -> bool:
        """Whether nothing is wrong in the texts; what is wrong is told."""
        faults = own_templates.check(self.name.value.strip() or DRAFTED, self._texts)
        if faults:
            self.hint.bad(" ".join(map(str, faults)))
        return not faults

    def save(self) -> None:
        """Keep the text under its name, and use it."""
        name = self.name.value.strip()
        if not name or not any(text.strip() for text in self._texts.values()):
            self.hint.bad(say("own needs text" if name else "own needs name"))
            return
        if not self._is_sound():
            return
        if name in BUILT_IN:
            self.hint.bad(say("own taken", name=name))
            return
        try:
            self._knocker.configuration.save_template(name, self._texts)
        except KnockError as problem:
            self.hint.bad(str(problem))
            return
        self._saved(name)
        self.hint.good(say("own saved"))


def _outcome(name: str) -> str:
    return say("failed run" if name == "failed" else name)


def _mark(chip: Any, is_on: bool) -> None:
    (chip.add_class if is_on else chip.remove_class)("k-on")
