"""`Naver`: a mail from one's own Naver account."""

from __future__ import annotations

from knock_magic.channels.email import Account, AppPassword, Mailbox


class Naver(Mailbox):
    """Send a knock by Naver mail."""

    key = "naver"
    is_korean = True
    label = {"en": "Naver mail", "ko": "네이버 메일"}
    also_called = "email"
    steps = {
        "en": "1. In Naver Mail (https://mail.naver.com), open Settings > POP3/IMAP and choose 'use'.\n"
        "2. In your Naver account, under Security, switch two-step verification on and, in its settings, make an "
        "application password. It is shown once: copy it into password.\n"
        "3. Set user to your Naver ID.\n"
        "4. If your notebook runs abroad (Colab, Kaggle and most clouds do), switch the block of logins from other "
        "countries off, under Security too.",
        "ko": "1. 네이버 메일(https://mail.naver.com)의 환경설정 > POP3/IMAP 설정에서 '사용함'을 골라 주세요.\n"
        "2. 네이버 내정보 > 보안설정에서 2단계 인증을 켜고, 그 관리 화면에서 애플리케이션 비밀번호를 만들어 주세요. "
        "한 번만 보여 주니 바로 password에 넣어 주세요.\n"
        "3. 네이버 아이디를 user에 넣어 주세요.\n"
        "4. 노트북이 해외에서 실행되면(Colab, Kaggle, 대부분의 클라우드) 보안설정에서 해외 로그인 차단을 꺼 주세요.",
    }
    login_hint = {
        "en": "Three things to check: password must be an application password, not the one you log in with; "
        "Naver Mail's Settings > POP3/IMAP must be on 'use'; and where the notebook runs abroad (Colab, Kaggle), the "
        "block of foreign logins, under Security in your account, must be off.",
        "ko": "세 가지를 확인해 주세요. ① 로그인 비밀번호가 아니라 애플리케이션 비밀번호인지, ② 네이버 메일 환경설정 > "
        "POP3/IMAP 설정이 '사용함'인지, ③ Colab, Kaggle처럼 해외에서 실행된다면 내정보 > 보안설정의 해외 로그인 차단이 꺼져 있는지요.",
    }

    host = "smtp.naver.com"
    domain = "naver.com"

    user = Account(help="Your Naver ID.").tag(config=True, required=True, ko="네이버 아이디")
    password = AppPassword(help="An application password, not the one you log in with.").tag(
        config=True, required=True, ko="애플리케이션 비밀번호(로그인 비밀번호가 아니에요)"
    )

    def login_name(self) -> str:
        """The ID alone, also where the whole address was given."""
        return str(self.user.replace("@naver.com", ""))
