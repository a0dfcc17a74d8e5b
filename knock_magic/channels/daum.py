"""`Daum`: a mail from one's own Daum account."""

from __future__ import annotations

from knock_magic.channels.email import Account, AppPassword, Mailbox


class Daum(Mailbox):
    """Send a knock by Daum mail (hanmail.net, daum.net)."""

    key = "daum"
    is_korean = True
    label = {"en": "Daum mail", "ko": "다음 메일"}
    also_called = "한메일 hanmail email"
    steps = {
        "en": "1. In Daum Mail (https://mail.daum.net), open Settings > IMAP/POP3 and choose 'use' for IMAP/SMTP.\n"
        "2. In your Kakao account (https://accounts.kakao.com), switch two-step verification on and make an app password; copy it into password.\n"
        "3. Set user to your address, such as name@daum.net or name@hanmail.net.",
        "ko": "1. 다음 메일(https://mail.daum.net)의 환경설정 > IMAP/POP3에서 IMAP/SMTP를 '사용함'으로 바꿔 주세요.\n"
        "2. 카카오계정(https://accounts.kakao.com)에서 2단계 인증을 켜고 앱 비밀번호를 만들어 password에 넣어 주세요.\n"
        "3. name@daum.net이나 name@hanmail.net 같은 메일 주소를 user에 넣어 주세요.",
    }
    login_hint = {
        "en": "Two things to check: password must be an app password (it needs two-step verification), and Daum Mail's "
        "Settings > IMAP/POP3 must have IMAP/SMTP on 'use'.",
        "ko": "두 가지를 확인해 주세요. ① 2단계 인증을 켜고 만든 앱 비밀번호인지, ② 다음 메일 환경설정 > IMAP/POP3에서 "
        "IMAP/SMTP가 '사용함'인지요.",
    }

    host = "smtp.daum.net"
    domain = "daum.net"

    user = Account(help="Your Daum address, such as name@daum.net.").tag(
        config=True, required=True, ko="다음 메일 주소(예: name@daum.net)"
    )
    password = AppPassword(help="An app password, not the one you log in with.").tag(
        config=True, required=True, ko="앱 비밀번호(로그인 비밀번호가 아니에요)"
    )

    def login_name(self) -> str:
        """Daum knows its users by what stands before the @."""
        return str(self.user.partition("@")[0])
