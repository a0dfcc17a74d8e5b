"""``%knock setup``: the panel. Four steps on one page; each saves what it changes at once, and none is forced.

Everything in it is made from the channels' traits, labels, help and steps, and from the general settings: a new
channel appears by itself. It keeps to widgets that ipywidgets 7.7.1 has, which is what Colab draws.

Nothing here is imported before somebody asks for the panel: ipywidgets takes its time.
"""

from __future__ import annotations

from typing import Any, Callable, Dict

import ipywidgets

from knock_magic.draft import Draft
from knock_magic.knocker import Knocker
from knock_magic.panel.channels_step import ChannelsStep
from knock_magic.panel.done_step import DoneStep, startup_folder
from knock_magic.panel.message_step import MessageStep
from knock_magic.panel.parts import button, page, replace, show, styled
from knock_magic.panel.style import MARK, SHEET, escaped
from knock_magic.panel.when_step import WhenStep
from knock_magic.panel.words import say

STEPS = ("channels", "message", "when", "done")


class Panel:
    """The panel of `knocker`'s settings; `widget` is what is shown.

    Args:
        knocker: whose settings these are.
        shell: the shell it is shown in, for its profile.
        channel: the channel to open at, if any.
    """

    def __init__(self, knocker: Knocker, shell: Any, channel: str = "") -> None:
        self._knocker = knocker
        self._folder = startup_folder(shell)
        self.widget = styled(ipywidgets.VBox(), "knock-panel")
        self.step = "channels"
        self._drafts: Dict[str, Draft] = {}
        self._write(channel)

    def _write(self, channel: str = "") -> None:
        """Make all of it, in the reader's language."""
        self.channels = ChannelsStep(self._knocker, self._changed, channel, self._drafts, self._goer("message"))
        self.message = MessageStep(self._knocker, self._changed, self._translated)
        self.when = WhenStep(self._knocker, self._changed)
        self.done = DoneStep(self._knocker, self._folder, self._changed)
        self._steps: Dict[str, Any] = {name: getattr(self, name) for name in STEPS}
        self.tabs = {name: button(say(name), self._goer(name)) for name in STEPS}
        head = page(
            f'{SHEET}<div class="k-brand">{MARK}<div><b>knock</b><span class="k-soft">{escaped(say("tagline"))}</span>'
            "</div></div>",
            "k-head",
        )
        self._pages = {name: styled(ipywidgets.VBox([step.widget]), "k-page") for name, step in self._steps.items()}
        nav = styled(ipywidgets.Box(list(self.tabs.values())), "k-nav")
        replace(self.widget, [head, nav, *self._pages.values()])
        self.go(self.step)

    def _goer(self, name: str) -> Callable[[], None]:
        return lambda: self.go(name)

    def go(self, step: str) -> None:
        """Open one of `STEPS`."""
        self.step = step
        for name, tab in self.tabs.items():
            is_open = name == step
            (tab.add_class if is_open else tab.remove_class)("k-on")
            tab.tooltip = f"{say(name)} {say('open')}" if is_open else say(name)
            show(self._pages[name], is_open)
        self._refresh(step)

    def _refresh(self, step: str) -> None:
        """What a step shows may have been changed by another one."""
        if step == "message":
            self.message.draw()
        elif step == "done":
            self.done.draw()

    def _changed(self) -> None:
        if self.step in ("done",):
            self._refresh(self.step)

    def _translated(self) -> None:
        opened = self.channels.open_channel
        self._write(opened.name if opened else "")
