"""`Conversation`: one mail handed to a mail server, encrypted, recipient by recipient."""

from __future__ import annotations

import contextlib
import smtplib
from typing import Dict, Sequence, Tuple

from knock_magic import trust

Reply = Tuple[int, bytes]

IMPLICIT_TLS = 465  # RFC 8314; every other port begins in plain text and is switched over by STARTTLS
# What is said of this machine: its own name says much and, where it is not in English, stops smtplib.
OWN_NAME = "[127.0.0.1]"


class Conversation:
    """One conversation with a server. When it breaks, `step` tells where, and `sent` whether the mail was under way.

    `step` is ``connect``, ``starttls``, ``login``, ``sender``, ``recipients`` or ``data``.
    """

    def __init__(self, host: str, port: int, connect_s: float, read_s: float) -> None:
        self._host = host
        self._port = port
        self._connect_s = connect_s
        self._read_s = read_s
        self.step = "connect"
        self.sent = False

    def deliver(self, user: str, password: str, sender: str, to: Sequence[str], data: bytes) -> Dict[str, Reply]:
        """Hand `data` over for each of `to`; the server's reply to each, 250 where it took it.

        Raises:
            smtplib.SMTPException, OSError, ValueError: it did not come to that.
        """
        trust.refuse_inward(self._host, self._port)
        server = self._connect()
        try:
            if server.sock:  # always so, after a greeting
                server.sock.settimeout(self._read_s)
            # On this machine nothing is overheard, and a password is not sent in plain text anywhere.
            if self._port != IMPLICIT_TLS and not (trust.is_this_machine(self._host) and not password):
                self.step = "starttls"
                server.starttls(context=trust.tls())
            if password:
                self.step = "login"
                server.login(user, password)
            replies = self._hand_over(server, sender, to, data)
            with contextlib.suppress(smtplib.SMTPException, OSError):
                server.quit()
            return replies
        finally:
            server.close()

    def _connect(self) -> smtplib.SMTP:
        if self._port == IMPLICIT_TLS:
            return smtplib.SMTP_SSL(
                self._host, self._port, local_hostname=OWN_NAME, timeout=self._connect_s, context=trust.tls()
            )
        return smtplib.SMTP(self._host, self._port, local_hostname=OWN_NAME, timeout=self._connect_s)

    def _hand_over(self, server: smtplib.SMTP, sender: str, to: Sequence[str], data: bytes) -> Dict[str, Reply]:
        self.step = "sender"
        server.ehlo_or_helo_if_needed()
        code, words = server.mail(sender, [f"size={len(data)}"] if server.has_extn("size") else [])
        if code != 250:
            raise smtplib.SMTPSenderRefused(code, words, sender)
        self.step = "recipients"
        replies = {each: server.rcpt(each) for each in to}
        if any(code < 400 for code, _ in replies.values()):
            self.step = "data"
            self.sent = True
            code, words = server.data(data)
            if code != 250:
                raise smtplib.SMTPDataError(code, words)
        return replies
