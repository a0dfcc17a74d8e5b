"""Gmail: what is special about it."""

from __future__ import annotations

import pytest

from knock_magic.channels.gmail import Gmail
from knock_magic.errors import SettingsError

from .mails import MailServer
from .stage import CANARY, Contract, Internet
from .test_email import alive, error_of, message, read

CONTRACT = Contract(
    settings={"user": "minsu@gmail.com", "password": f"{CANARY}abcdefghij"}, wire="smtp", read=read, alive=alive
)


def test_the_app_password_works_as_google_shows_it(internet: Internet) -> None:
    server = MailServer(internet, 465, "abcdefghijklmnop")
    sender = Gmail(user="minsu")
    sender.put("password", "abcd\u00a0efgh ijkl mnop")

    sender.send(message())

    server.close()
    assert internet.looked_up[-1] == "smtp.gmail.com"
    assert server.logins == [("minsu@gmail.com", "abcdefghijklmnop")]


def test_an_address_of_a_company_stays_as_it_is() -> None:
    assert Gmail(user="minsu@lab.example").from_address() == "minsu@lab.example"


def test_the_account_s_own_password_is_refused_where_it_is_typed() -> None:
    with pytest.raises(SettingsError) as caught:
        Gmail().put("password", "MyPassw0rd!")

    assert "apppasswords" in caught.value.texts["ko"]
    assert "MyPassw0rd!" not in str(caught.value.texts)


def test_a_refused_login_names_gmail_s_pitfalls(internet: Internet) -> None:
    server = MailServer(internet, 465, "abcdefghijklmnop")
    server.reply("AUTH", "534 5.7.9 Application-specific password required", times=3)

    error = error_of(Gmail(user="minsu", password="a" * 16))

    server.close()
    assert "2단계 인증" in error.texts["ko"]
    assert "16-letter" in error.texts["en"]
