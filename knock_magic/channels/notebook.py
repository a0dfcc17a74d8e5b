"""`Notebook`: shows the knock where the person works, under the cell or in the terminal."""

from __future__ import annotations

import html
import sys
import time
from typing import TYPE_CHECKING

from traitlets import Bool

from knock_magic import attention
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
    looks_like = "line"
    label = {"en": "Notebook", "ko": "노트북"}
    steps = {
        "en": "Nothing to set up: it is used where no other channel is.\n"
        "With sound or notification on, the open page also plays a sound or shows the browser's notification; run "
        "%knock test notebook once and allow it there. Colab allows no notifications of a cell's.",
        "ko": "설정할 것이 없어요. 다른 채널이 없을 때 쓰여요.\n"
        "sound나 notification을 켜면 열려 있는 페이지가 소리를 내거나 브라우저 알림을 띄워요. %knock test notebook을 한 번 "
        "실행하고 브라우저에서 허용해 주세요. Colab은 셀이 띄우는 알림을 막아요.",
    }
    in_kernel = True

    sound = Bool(False, help="Play a short sound in the open page.").tag(
        config=True, ko="열려 있는 페이지에서 짧은 소리 내기"
    )
    notification = Bool(False, help="Show the browser's notification, once you have allowed it.").tag(
        config=True, ko="브라우저 알림 띄우기(한 번 허용해 주세요)"
    )

    _going = ""  # the run whose progress was shown last

    def show(self, message: Message, shell: InteractiveShell) -> None:
        """Put `message` on the screen that `shell` writes to; a run's progress is one line there, that changes."""
        if not hasattr(shell, "kernel"):
            bell = "" if message.loudness == "quiet" else "\a"
            sys.stdout.write(f"{bell}{message.text}\n")
            sys.stdout.flush()
            return
        self._show_page(message, shell)
        picture = message.event.picture
        # That of a run is a plot which stands under the cell already.
        if picture and message.event.event == "message":
            shell.display_pub.publish({picture.media_type: picture.data, "text/plain": ""})
        if (self.sound or self.notification) and message.loudness != "quiet":
            # An output of its own: who runs no scripts shows the line all the same.
            calling = attention.script(message, time.time(), sound=self.sound, notification=self.notification)
            shell.display_pub.publish({"application/javascript": calling, "text/plain": ""})

    def _show_page(self, message: Message, shell: InteractiveShell) -> None:
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
