"""`Gmail`: a mail from one's own Gmail account."""

from __future__ import annotations

import re
from typing import Any

from knock_magic.channels.email import Account, AppPassword, Mailbox
from knock_magic.settings import Explained


class SixteenLetters(AppPassword):
    """Google's app passwords, which it shows as four groups of four letters."""

    def validate(self, obj: Any, value: Any) -> Any:
        """Refuse the account's own password, which Gmail does not take here."""
        text = super().validate(obj, value)
        if text and not re.fullmatch("[A-Za-z]{16}", text):
            raise Explained(
                "must be a 16-letter app password from https://myaccount.google.com/apppasswords, not the one you log in with.",
                "로그인 비밀번호가 아니라 https://myaccount.google.com/apppasswords 에서 만든 16자리 앱 비밀번호여야 해요.",
            )
        return text


class Gmail(Mailbox):
    """Send a knock by Gmail."""

    key = "gmail"
    label = {"en": "Gmail", "ko": "Gmail"}
    also_called = "지메일 메일 email"
    steps = {
        "en": "1. Switch on 2-Step Verification at https://myaccount.google.com/security.\n"
        "2. Make an app password at https://myaccount.google.com/apppasswords and copy its 16 letters into password.\n"
        "3. Set user to your address.",
        "ko": "1. https://myaccount.google.com/security 에서 2단계 인증을 켜 주세요.\n"
        "2. https://myaccount.google.com/apppasswords 에서 앱 비밀번호를 만들고, 16자리를 password에 넣어 주세요.\n"
        "3. 내 메일 주소를 user에 넣어 주세요.",
    }
    login_hint = {
        "en": "password must be a 16-letter app password from https://myaccount.google.com/apppasswords; it needs "
        "2-Step Verification, and ends when you change your account's password.",
        "ko": "password는 https://myaccount.google.com/apppasswords 에서 만든 16자리 앱 비밀번호여야 해요. "
        "2단계 인증이 켜져 있어야 하고, 계정 비밀번호를 바꾸면 새로 만들어야 해요.",
    }

    host = "smtp.gmail.com"
    domain = "gmail.com"

    user = Account(help="Your Gmail address.").tag(config=True, required=True, ko="Gmail 주소")
    password = SixteenLetters(help="A 16-letter app password, not the one you log in with.").tag(
        config=True, required=True, ko="16자리 앱 비밀번호(로그인 비밀번호가 아니에요)"
    )

    def login_name(self) -> str:
        """The whole address."""
        return self.from_address()
