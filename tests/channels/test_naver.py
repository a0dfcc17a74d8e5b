"""Naver: what is special about it."""

from __future__ import annotations

from typing import Any

import pytest

from knock_magic.channels.daum import Daum
from knock_magic.channels.gmail import Gmail
from knock_magic.channels.naver import Naver
from knock_magic.errors import SettingsError

from .mails import MailServer
from .stage import CANARY, Contract, Internet
from .test_email import alive, error_of, message, read

CONTRACT = Contract(settings={"user": "minsu", "password": f"{CANARY}PASS"}, wire="smtp", read=read, alive=alive)


@pytest.mark.parametrize("user", ["minsu", "minsu@naver.com"])
def test_the_id_logs_in_and_the_address_sends_to_itself(internet: Internet, user: str) -> None:
    server = MailServer(internet, 465, "ABCDEFGH1234")

    Naver(user=user, password="ABCDEFGH1234").send(message())

    server.close()
    assert internet.looked_up[-1] == "smtp.naver.com"
    assert server.logins == [("minsu", "ABCDEFGH1234")]
    assert (server.mails[0].sender, server.mails[0].to) == ("minsu@naver.com", ["minsu@naver.com"])


def test_others_can_get_the_mail_in_place_of_oneself(internet: Internet) -> None:
    server = MailServer(internet, 465, "ABCDEFGH1234")

    Naver(user="minsu", password="ABCDEFGH1234", to=["lab@example.com"]).send(message())

    server.close()
    assert server.mails[0].to == ["lab@example.com"]


def test_a_refused_login_names_naver_s_three_pitfalls(internet: Internet) -> None:
    server = MailServer(internet, 465, "ABCDEFGH1234")

    error = error_of(Naver(user="minsu", password="wrong"))

    server.close()
    assert error.revoked
    for words in ("애플리케이션 비밀번호", "POP3/IMAP", "해외 로그인 차단"):
        assert words in error.texts["ko"]
    for words in ("application password", "POP3/IMAP", "foreign logins"):
        assert words in error.texts["en"]


def test_its_settings_are_the_account_alone() -> None:
    assert list(Naver.fields()) == ["user", "password", "to"]
    assert Naver().missing() == ["KNOCK_NAVER_USER", "KNOCK_NAVER_PASSWORD"]


@pytest.mark.parametrize("wrong", ["민수", "min su", "minsu@", "a@b@naver.com", "<minsu>"])
def test_an_id_that_is_none_is_refused_where_it_is_typed(wrong: str) -> None:
    with pytest.raises(SettingsError):
        Naver().put("user", wrong)


@pytest.mark.parametrize(
    ("channel", "user", "owner"),
    [
        (Naver, "minsu@gmail.com", "gmail"),
        (Gmail, "minsu@naver.com", "naver"),
        (Daum, "minsu@kakao.com", "email"),
        (Daum, "minsu@hanmail.net", ""),
        (Gmail, "minsu@lab.example", ""),
    ],
)
def test_another_provider_s_account_is_refused_where_it_is_typed(channel: Any, user: str, owner: str) -> None:
    if not owner:
        channel().put("user", user)
        return

    with pytest.raises(SettingsError) as caught:
        channel().put("user", user)

    assert f"the channel {owner}." in caught.value.texts["en"]
    assert f"{owner} 채널을 써 주세요." in caught.value.texts["ko"]
