"""`Notebook`: shows the knock where the person works, under the cell or in the terminal."""

from __future__ import annotations

import html
import sys
from typing import TYPE_CHECKING

from knock_magic.channels.base import Channel
from knock_magic.template import Message
from knock_magic.wording import ANY_OTHER_COLOUR, COLOURS

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

# One quiet line: no colours of our own, so that it fits a light and a dark page alike.
_STYLE = "margin:2px 0;padding:2px 8px;border-left:3px solid {colour};font-size:90%;opacity:.85;white-space:pre-line"


class Notebook(Channel):
    """Show a knock under the cell; in a terminal as a line and the bell."""

    key = "notebook"
    label = {"en": "Notebook", "ko": "노트북"}
    steps = {
        "en": "Nothing to set up: it is used where no other channel is.",
        "ko": "설정할 것이 없어요. 다른 채널이 없을 때 쓰여요.",
    }
    in_kernel = True
    _going = ""  # the run whose progress was shown last

    def show(self, message: Message, shell: InteractiveShell) -> None:
        """Put `message` on the screen that `shell` writes to; a run's progress is one line there, that changes."""
        if not hasattr(shell, "kernel"):
            bell = "" if message.loudness == "quiet" else "\a"
            sys.stdout.write(f"{bell}{message.text}\n")
            sys.stdout.flush()
            return
        page = {"text/plain": message.text, "text/html": as_html(message)}
        if message.event.event != "progress" or message.event.note:
            shell.display_pub.publish(page)
            return
        run = message.event.run
        shell.display_pub.publish(page, transient={"display_id": f"knock {run}"}, update=run == self._going)
        self._going = run


def as_html(message: Message) -> str:
    """`message` as one block of HTML; whatever came from a cell stays text."""
    style = _STYLE.format(colour=COLOURS.get(message.event.event, ANY_OTHER_COLOUR))
    first = html.escape(message.title)
    rest = f"\n<small>{html.escape(message.body)}</small>" if message.body else ""
    return f'<div style="{style}">{first}{rest}</div>'
