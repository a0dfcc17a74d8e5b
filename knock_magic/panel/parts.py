"""The panel's small parts: HTML, buttons, hints, and the box that tells how a test went."""

from __future__ import annotations

from typing import Any, Callable, List

import ipywidgets

from knock_magic.panel.style import escaped, linked


def styled(widget: Any, *classes: str) -> Any:
    """`widget` with the classes of our sheet."""
    for name in classes:
        widget.add_class(name)
    return widget


def show(widget: Any, is_shown: bool) -> None:
    """Let it be seen, or not; a hidden one can't be reached by the keyboard either."""
    # By a class, for our sheet says of some widgets how they are displayed.
    (widget.remove_class if is_shown else widget.add_class)("k-gone")


def page(text: str, *classes: str) -> Any:
    """A piece of HTML."""
    return styled(ipywidgets.HTML(text), *classes)


def column(*children: Any, classes: Any = ()) -> Any:
    """One below the other."""
    return styled(ipywidgets.VBox(list(children)), *classes)


def wrapped(*children: Any, classes: Any = ()) -> Any:
    """Side by side, in as many lines as it takes."""
    return styled(ipywidgets.HBox(list(children)), "k-wrap", *classes)


def replace(box: Any, children: List[Any]) -> None:
    """Have `box` hold `children`; what it held before ends, or it would be saved with every notebook from then on."""
    gone = [child for child in box.children if child not in children]
    box.children = children
    for child in gone:
        _end(child)


def _end(widget: Any) -> None:
    parts = [getattr(widget, name, None) for name in ("layout", "style")]  # widgets too, though nobody sees them
    for each in (*getattr(widget, "children", ()), *filter(None, parts)):
        _end(each)
    widget.close()


def button(text: str, clicked: Callable[[], None], *classes: str, tooltip: str = "") -> Any:
    """A button with `text` that calls `clicked`."""
    made = styled(ipywidgets.Button(description=text, tooltip=tooltip), *classes)
    made.on_click(lambda _: clicked())
    return made


def tick(text: str, value: bool, changed: Callable[[bool], None]) -> Any:
    """A box to tick."""
    made = styled(ipywidgets.Checkbox(value=value, description=text, indent=False), "k-tick")
    made.observe(lambda change: changed(bool(change["new"])), "value")
    return made


class Hint:
    """The line below a field. It keeps its height, so that nothing jumps when it speaks."""

    def __init__(self, text: str = "") -> None:
        self.widget = page("")
        self.plain(text)

    def plain(self, text: str) -> None:
        """Help."""
        self._say(f'<span class="k-soft">{linked(text)}</span>')

    def good(self, text: str) -> None:
        """It went well."""
        self._say(f"<i>✓ {escaped(text)}</i>")

    def bad(self, text: str) -> None:
        """What is wrong, and what to do."""
        self._say(f"<b>{escaped(text)}</b>")

    def _say(self, inside: str) -> None:
        self.widget.value = f'<div class="k-hint" role="status" aria-live="polite">{inside}</div>'


class Answer:
    """The box that tells how a test went, in plain words; it has its place before it is needed."""

    def __init__(self, text: str) -> None:
        self.widget = page("")
        self.rest(text)

    def rest(self, text: str) -> None:
        """Before there is anything to tell."""
        self._say("", "·", f'<span class="k-soft">{escaped(text)}</span>')

    def busy(self, text: str) -> None:
        """It is under way."""
        self._say("", '<span class="k-busy"></span>', escaped(text))

    def good(self, title: str, *more: str) -> None:
        """It arrived."""
        self._say("good", "✓", self._lines(title, more))

    def warn(self, title: str, *more: str) -> None:
        """It was done, and does not work."""
        self._say("warn", "!", self._lines(title, more))

    def bad(self, title: str, *more: str) -> None:
        """It did not, why, and what to do."""
        self._say("bad", "!", self._lines(title, more))

    def _lines(self, title: str, more: Any) -> str:
        return "".join([f"<b>{escaped(title)}</b>", *(f"<p>{linked(line)}</p>" for line in more if line)])

    def _say(self, kind: str, sign: str, inside: str) -> None:
        self.widget.value = (
            f'<div class="k-answer {kind}" role="status" aria-live="polite"><span aria-hidden="true">{sign}</span>'
            f"<div>{inside}</div></div>"
        )
