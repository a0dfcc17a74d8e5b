"""`MailServer`: a real one (aiosmtpd) that takes mails and replies as it is told."""

from __future__ import annotations

import asyncio
import collections
import email
import email.policy
import socket
from email.message import EmailMessage
from typing import Any, Deque, Dict, List, NamedTuple, Optional, Tuple

import pytest

from .stage import Internet

controller = pytest.importorskip("aiosmtpd.controller")
smtp = pytest.importorskip("aiosmtpd.smtp")

GOOD = "right-password"


class Mail(NamedTuple):
    """A mail as it arrived."""

    sender: str
    to: List[str]
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        return email.message_from_bytes(self.raw, policy=email.policy.default)

    @property
    def text(self) -> str:
        return self.message.get_body(("plain",)).get_content()

    @property
    def page(self) -> str:
        return self.message.get_body(("html",)).get_content()


class Controller(controller.Controller):  # type: ignore[misc, name-defined]
    """Knows its connections, which asyncio else leaves to the garbage collector at the loop's end: in a later test."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._sessions: List[Any] = []
        super().__init__(*args, **options)

    def factory(self) -> Any:
        self._sessions.append(super().factory())
        return self._sessions[-1]

    async def hang_up(self) -> None:
        """End the connections there are, also those that have only begun."""
        for _ in range(20):  # what was accepted needs some turns to begin, and what is aborted some to end
            await asyncio.sleep(0)
            for session in self._sessions:
                if session.transport and not session.transport.is_closing():  # twice is once too often for TLS's own
                    session.transport.abort()


class MailServer:
    """Speaks at `port` of the internet: 465 by TLS, else by STARTTLS (or not at all encrypted, if told so).

    Args:
        password: what every user logs in with; empty where none is asked for.
        options: of aiosmtpd's `SMTP`.
    """

    def __init__(
        self, internet: Internet, port: int, password: str = GOOD, *, tls: bool = True, **options: Any
    ) -> None:
        self.mails: List[Mail] = []
        self.logins: List[Tuple[str, str]] = []
        self.greetings: List[str] = []
        self._replies: Dict[str, Deque[str]] = collections.defaultdict(collections.deque)
        self._password = password
        if tls and port == 465:
            options.update(ssl_context=internet.context(), auth_require_tls=False)
        elif tls:
            options.update(tls_context=internet.context(), require_starttls=True, auth_required=bool(password))
        if password:
            options.update(authenticator=self._log_in)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
            free.close()
            self._controller = Controller(self, hostname="127.0.0.1", port=self.port, **options)
            self._controller.start()
        internet.routes[port] = self.port

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._controller.hang_up(), self._controller.loop).result(10)
        self._controller.stop(no_assert=True)

    def reply(self, command: str, reply: str, times: int = 1) -> None:
        """Reply so to the next `command` (AUTH, MAIL, RCPT, DATA); ``hang`` and ``drop`` are no replies at all."""
        self._replies[command].extend([reply] * times)

    # aiosmtpd's side.

    async def _told(self, command: str, server: Any) -> Optional[str]:
        reply = self._replies[command].popleft() if self._replies[command] else None
        if reply == "hang":
            await asyncio.sleep(60)
        if reply in ("hang", "drop"):
            server.transport.abort()
        return reply

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, hostname: str, responses: List[str]
    ) -> List[str]:
        session.host_name = hostname
        self.greetings.append(hostname)
        return responses

    def _log_in(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> Any:
        login, password = data.login.decode(), data.password.decode()
        self.logins.append((login, password))
        told = self._replies["AUTH"].popleft() if self._replies["AUTH"] else None
        if told == "drop":
            server.transport.abort()
        if told:
            return smtp.AuthResult(success=False, handled=False, message=told)
        return smtp.AuthResult(success=password == self._password, handled=False)

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: List[str]) -> str:  # noqa: N802 - aiosmtpd's name
        told = await self._told("MAIL", server)
        envelope.mail_from = address
        return told or "250 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: List[str]) -> str:  # noqa: N802 - aiosmtpd's name
        told = await self._told("RCPT", server) or await self._told(f"RCPT {address}", server)
        if told:
            return told
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        told = await self._told("DATA", server)
        if told:
            return told
        self.mails.append(Mail(envelope.mail_from, list(envelope.rcpt_tos), envelope.content))
        return "250 OK"
