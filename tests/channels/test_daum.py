"""Daum: what is special about it."""

from __future__ import annotations

from knock_magic.channels.daum import Daum

from .mails import MailServer
from .stage import CANARY, Contract, Internet
from .test_email import alive, error_of, message, read

CONTRACT = Contract(
    settings={"user": "minsu@hanmail.net", "password": f"{CANARY}pass"}, wire="smtp", read=read, alive=alive
)


def test_an_old_hanmail_address_sends_under_its_own_name(internet: Internet) -> None:
    server = MailServer(internet, 465, "abcdefgh")

    Daum(user="minsu@hanmail.net", password="abcdefgh").send(message())

    server.close()
    assert internet.looked_up[-1] == "smtp.daum.net"
    assert server.logins == [("minsu", "abcdefgh")]
    assert server.mails[0].sender == "minsu@hanmail.net"


def test_an_id_alone_is_an_address_at_daum_net() -> None:
    assert Daum(user="minsu").from_address() == "minsu@daum.net"


def test_a_refused_login_names_daum_s_pitfalls(internet: Internet) -> None:
    server = MailServer(internet, 465, "abcdefgh")

    error = error_of(Daum(user="minsu", password="wrong"))

    server.close()
    assert "앱 비밀번호" in error.texts["ko"]
    assert "IMAP/SMTP" in error.texts["en"]
