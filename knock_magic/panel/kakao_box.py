"""Kakao's login inside the panel: open the link, agree, paste where the browser ended."""

from __future__ import annotations

import threading
from typing import Any, Callable, Optional

from knock_magic.channels.kakao import Kakao
from knock_magic.draft import Draft
from knock_magic.errors import KnockError
from knock_magic.guard import guarded
from knock_magic.kakao_login import ASKED_FOR, KakaoLogin
from knock_magic.knocker import Knocker
from knock_magic.panel.parts import Answer, button, column, page, show, styled
from knock_magic.panel.secret_field import SecretField
from knock_magic.panel.style import escaped, numbered, sentence
from knock_magic.panel.words import say

FILLED = ("refresh_token",)  # what the login sets, so that nobody has to


def with_login_below(steps: str) -> str:
    """Kakao's `steps` with the login that stands below them in place of the command."""
    lines = steps.splitlines()
    return "\n".join(
        f"{line.partition('. ')[0]}. {say('kakao step')}" if f"%knock login {Kakao.key}" in line else line
        for line in lines
    )


class KakaoBox:
    """The login of the channel `draft` is of.

    The link holds the app's REST API key, as every browser that logs in gets to see it; it stands in the document
    only while the login is open, and is then taken out again.
    """

    key = Kakao.key

    def __init__(
        self, knocker: Knocker, draft: Draft, done: Callable[[], None], refused: Callable[[str], None]
    ) -> None:
        self._knocker = knocker
        self._draft = draft
        self._done = done
        self._refused = refused  # is told what Kakao said, to mark the field that it is about
        self._login: Optional[KakaoLogin] = None
        self._expiry: Optional[threading.Timer] = None
        self._finishing: Optional[threading.Thread] = None
        self.start = button(say("kakao start"), self.begin, "k-plain")
        self.link = page("")
        self.pasted = styled(
            SecretField(self._paste, description=say("kakao paste"), style={"description_width": "initial"}), "k-field"
        )
        self.answer = Answer("")
        self._open = column(self.link, self.pasted)
        self.widget: Any = column(
            page(f'<h3 class="k-group k-gap">{escaped(say("kakao title"))}</h3>'),
            self.start,
            self._open,
            self.answer.widget,
        )
        self._close()

    def _close(self) -> None:
        """Take the link out of the document, and tell how it stands."""
        self.link.value = ""
        show(self._open, False)
        if self._expiry:
            self._expiry.cancel()
        is_in = self._draft.is_stored("refresh_token")
        self.start.description = say("kakao again" if is_in else "kakao start")
        self.answer.rest(say("kakao in" if is_in else "kakao out"))

    def begin(self) -> None:
        """Begin with what was typed and what is set."""
        self._close()
        if any(name in self._draft.faults for name in ASKED_FOR):
            self.answer.bad(say("look at fields"))
            return
        typed = {name: str(self._draft.typed[name]) for name in ASKED_FOR if self._draft.typed.get(name)}
        try:
            self._login = KakaoLogin(self._knocker)
            begun = self._login.begin(**typed)
        except KnockError as problem:
            self.answer.bad(sentence(str(problem)))
            return
        self.link.value = (
            f'<div class="k-small">{numbered(say("kakao open"), [])}</div><p class="k-small"><a class="k-go" href="{escaped(begun.address)}" '
            f'target="_blank" rel="noopener noreferrer">{escaped(say("kakao link"))}</a></p>'
        )
        show(self._open, True)
        self.answer.rest(say("kakao wait"))
        self._expiry = threading.Timer(self._login.seconds_left, self._expire)
        self._expiry.daemon = True
        self._expiry.start()

    @guarded
    def _expire(self) -> None:
        self._close()
        self.answer.bad(say("kakao late"))

    def _paste(self, text: str) -> None:
        """The address was pasted: ask Kakao, in a thread, so that the kernel is free."""
        if self._login is None or (self._finishing and self._finishing.is_alive()):
            return
        self.answer.busy(say("kakao asking"))
        self._finishing = threading.Thread(target=self._finish, args=(text,), name="knock-panel-login", daemon=True)
        self._finishing.start()

    @guarded
    def _finish(self, text: str) -> None:
        assert self._login is not None
        try:
            done = self._login.finish(text)
        except KnockError as problem:
            if not self._login.is_open:
                self._close()
            self.answer.bad(sentence(str(problem)))
            self._refused(str(problem))
            return
        for name in ASKED_FOR:
            self._draft.typed.pop(name, None)
        self._close()
        self.answer.good(str(done), say("kakao test"))
        self._done()
