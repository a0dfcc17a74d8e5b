"""`Email`: a mail through any SMTP server. `Mailbox`: through an account whose provider's server is known."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from typing import TYPE_CHECKING, Any, Dict, List, Sequence

from traitlets import Integer, List as ListTrait, Unicode

from knock_magic import letter, trust
from knock_magic.channels.base import CONNECT_SECONDS, READ_SECONDS, Channel, Texts
from knock_magic.cleaning import one_line
from knock_magic.errors import DeliveryError, SettingsError
from knock_magic.settings import Explained, Secret
from knock_magic.template import Message
from knock_magic.vault import Vault, mark, settled_of

if TYPE_CHECKING:
    from knock_magic.smtp import Conversation, Reply

QUOTA_S = 6 * 3600  # a quota of a day is no use to try sooner

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")


class Host(Unicode):
    """The name of a server."""

    info_text = "the name of a server such as smtp.example.com"

    def validate(self, obj: Any, value: Any) -> Any:
        """Refuse what is more than a name."""
        text = super().validate(obj, value)
        with contextlib.suppress(UnicodeError):
            if not text or ((text.encode("idna") and not set(text) & set(" /@:")) or text == "::1"):
                return text
        raise Explained(
            "must be the name of a server such as smtp.example.com; the port is a setting of its own.",
            "smtp.example.com 같은 서버 이름이어야 해요. 포트는 port에 따로 넣어 주세요.",
        )


class User(Unicode):
    """A user name that SMTP can carry."""

    info_text = "a user name in English letters"

    def validate(self, obj: Any, value: Any) -> Any:
        """Refuse letters that no mail server takes: the keyboard was in Korean, most likely."""
        text = super().validate(obj, value)
        if not re.fullmatch("[!-~]*", text):
            raise Explained(
                "must be a user name of letters, digits and signs, without spaces. Was the keyboard in Korean?",
                "공백 없는 영문자와 숫자로 된 아이디여야 해요. 한/영 키를 확인해 주세요.",
            )
        return text


# Which channel has the accounts of a domain; a provider may have other domains as well, such as a company's own.
_CHANNELS = {
    **{
        "naver.com": "naver",
        "daum.net": "daum",
        "hanmail.net": "daum",
        "gmail.com": "gmail",
        "googlemail.com": "gmail",
    },
    **dict.fromkeys(("kakao.com", "nate.com", "outlook.com", "hotmail.com", "icloud.com"), "email"),
}


class Account(User):
    """The user name of a mailbox, or its whole address."""

    def validate(self, obj: Any, value: Any) -> Any:
        """Refuse what can't stand before an @, and what is another provider's."""
        text = super().validate(obj, value)
        _checked(text if "@" in text or not text else f"{text}@example.com")
        domain = text.rpartition("@")[2].lower()
        owner = _CHANNELS.get(domain, obj.key)
        if owner != obj.key:
            raise Explained(
                f"is an address of {domain}; for that there is the channel {owner}.",
                f"{domain} 주소예요. 이 주소로 보내려면 {owner} 채널을 써 주세요.",
            )
        return text


class Address(Unicode):
    """A mail address."""

    info_text = "a mail address such as name@example.com"

    def validate(self, obj: Any, value: Any) -> Any:
        """Refuse what no mail can be sent to."""
        return _checked(super().validate(obj, value))


class Addresses(ListTrait):
    """Mail addresses, separated by commas."""

    info_text = "mail addresses such as name@example.com, separated by commas"

    def validate(self, obj: Any, value: Any) -> Any:
        """Refuse what no mail can be sent to; each address is there once."""
        texts = [value] if isinstance(value, str) else super().validate(obj, value) or []
        if any(isinstance(text, str) and ";" in text for text in texts):
            raise Explained("must be separated by commas, not by ;", "세미콜론(;)이 아니라 쉼표로 나눠 주세요.")
        return list(dict.fromkeys(_checked(text.strip()) for text in texts if isinstance(text, str) and text.strip()))


def _checked(text: str) -> str:
    if text and not _ADDRESS.fullmatch(text):
        shown = one_line(text, 60)
        raise Explained(
            f"must be a mail address such as name@example.com, got {shown!r}.",
            f"name@example.com 같은 메일 주소여야 해요. 받은 값: {shown!r}",
        )
    return text


class Password(Secret):
    """A password that SMTP can carry."""

    def validate(self, obj: Any, value: Any) -> Any:
        """Refuse letters that no mail server takes: the keyboard was in Korean, most likely."""
        text = super().validate(obj, value)
        if not text.isascii():
            raise Explained(
                "has letters that mail servers do not take. Was the keyboard in Korean?",
                "메일 서버가 받지 않는 글자가 있어요. 한/영 키를 확인해 주세요.",
            )
        return text


class AppPassword(Password):
    """A password that a provider made up for one app; it shows them in groups, with spaces that are no part of it."""

    def validate(self, obj: Any, value: Any) -> Any:
        """The password without its spaces."""
        return super().validate(obj, "".join(value.split()) if isinstance(value, str) else value)


class Email(Channel):
    """Send a knock by mail.

    The connection is always encrypted: port 465 by TLS from its first byte, every other one by STARTTLS, without
    which nothing is sent. Only a server on this very machine (``localhost``, ``127.0.0.1`` or ``::1``) that takes
    mail without a password is spoken to in plain text: what is said there leaves no machine.
    """

    key = "email"
    looks_like = "mail"
    label: Texts = {"en": "E-mail", "ko": "이메일"}
    steps: Texts = {
        "en": "1. Look up your provider's outgoing (SMTP) server and set host and port: 587 (STARTTLS) or 465 (SSL).\n"
        "2. Set user and password. Many providers want an app password in place of the one you log in with.\n"
        "3. Set to; sender only where it differs from user.",
        "ko": "1. 메일 서비스의 보내는 메일(SMTP) 서버를 찾아 host와 port를 넣어 주세요. 포트는 587(STARTTLS)이나 465(SSL)예요.\n"
        "2. user와 password를 넣어 주세요. 로그인 비밀번호 대신 앱 비밀번호가 필요한 곳이 많아요.\n"
        "3. 받을 주소를 to에 넣어 주세요. sender는 user와 다를 때만 필요해요.",
    }

    host: Any = Host(help="Name of the SMTP server.").tag(config=True, required=True, ko="SMTP 서버 이름")
    port: Any = Integer(587, min=1, max=65535, help="Port: 587 for STARTTLS, 465 for SSL.").tag(
        config=True, ko="포트: STARTTLS는 587, SSL은 465"
    )
    user: Any = User(help="User name at the server.").tag(config=True, ko="서버의 사용자 이름")
    password: Any = Password(help="Password, often an app password.").tag(
        config=True, ko="비밀번호(앱 비밀번호일 때가 많아요)"
    )
    sender: Any = Address(help="Address that the mail comes from; the user's, if empty.").tag(
        config=True, ko="보내는 주소(비우면 user를 써요)"
    )
    to: Any = Addresses(Unicode(), help="Addresses that get the mail, separated by commas.").tag(
        config=True, required=True, ko="받을 주소(여럿이면 쉼표로 구분)"
    )

    takes_pictures = True
    threads = True

    # What to look at when the server refuses the login, in each language.
    login_hint: Texts = {
        "en": "Check user and password; many providers want an app password, and SMTP switched on in the mail settings.",
        "ko": "user와 password를 확인해 주세요. 앱 비밀번호가 필요하거나, 메일 설정에서 SMTP를 켜야 하는 곳이 많아요.",
    }

    def missing(self) -> List[str]:
        """What is needed: a sender too, if the user's name is no address."""
        return super().missing() + ([] if self.from_address() else [self.env_name("sender")])

    def from_address(self) -> str:
        """The address that the mail comes from."""
        return self.sender or (self.user if _ADDRESS.fullmatch(self.user) else "")

    def recipients(self) -> List[str]:
        """The addresses that get the mail."""
        return list(self.to)

    def login_name(self) -> str:
        """What the server knows the user by."""
        return str(self.user)

    def send(self, message: Message) -> str:
        """Deliver `message`; the handle is its Message-ID.

        What some recipients' servers put off is sent again to these alone.
        """
        everybody, handle = self.recipients(), letter.name_of(message, self.from_address())
        mail = letter.mail(message, self.from_address(), everybody).as_bytes()
        if len(everybody) == 1:
            self._settle(self._send(mail, everybody))
            return handle
        vault, settled = Vault("mail", os.environ), []
        with contextlib.suppress(SettingsError):  # better twice than never
            settled = vault.change(lambda kept: list(settled_of(kept, message.event.id)))
        owed = [each for each in everybody if mark(each) not in settled]
        replies = self._send(mail, owed) if owed else {}
        ended = [mark(each) for each, (code, _) in replies.items() if not 400 <= code < 500]
        with contextlib.suppress(SettingsError):
            vault.change(lambda kept: settled_of(kept, message.event.id).extend(ended))
        self._settle(replies)
        return handle

    def _settle(self, replies: Dict[str, Reply]) -> None:
        """Raise for recipients that were refused; who was not has the mail."""
        refused = {each: reply for each, reply in replies.items() if reply[0] >= 400}
        if not refused:
            return
        later = [reply for reply in refused.values() if reply[0] < 500]
        code, words = (later or list(refused.values()))[0]
        whom = ", ".join(map(masked, refused))
        got = len(replies) - len(refused)
        raise self.error(
            f"{len(refused)} of {len(replies)} recipients were refused ({whom}): {self._said(code, _text(words))}. "
            + ("The others have it." if got else "")
            + ("" if later else " Check their addresses in to."),
            f"받는 사람 {len(replies)}명 가운데 {len(refused)}명이 거절됐어요({whom}): {self._said(code, _text(words))}. "
            + ("나머지는 받았어요." if got else "")
            + ("" if later else " to의 주소를 확인해 주세요."),
            permanent=not later,
            maybe_sent=got > 0,
        )

    def _send(self, data: bytes, to: Sequence[str]) -> Dict[str, Reply]:
        """Send `data` to each of `to`, and give the server's reply to each."""
        import smtplib

        from knock_magic.smtp import Conversation  # only a delivery needs smtplib and TLS

        talk = Conversation(self.host, self.port, CONNECT_SECONDS, READ_SECONDS)
        try:
            return talk.deliver(self.login_name(), self.password, self.from_address(), to, data)
        except (smtplib.SMTPException, OSError, ValueError) as error:
            failure = self._failure(error, talk)
        raise failure  # out here, so that it does not carry what was caught

    # What can go wrong.

    def _failure(self, error: Exception, talk: Conversation) -> DeliveryError:
        import smtplib
        import ssl

        step = talk.step
        if isinstance(error, smtplib.SMTPResponseException):
            return self._refused(error.smtp_code, _text(error.smtp_error), step)
        if isinstance(error, smtplib.SMTPNotSupportedError) and step == "starttls":
            return self.error(
                f"the server offers no STARTTLS on port {self.port}, and nothing is sent unencrypted. Try port 465.",
                f"서버가 {self.port} 포트에서 STARTTLS를 지원하지 않아요. 암호화 없이는 보내지 않으니 465 포트로 해 보세요.",
                permanent=True,
            )
        if step == "login" and not isinstance(error, (OSError, smtplib.SMTPServerDisconnected)):
            return self.error(
                "the server has no login that we know. Leave user and password empty if it needs none.",
                "서버가 지원하는 로그인 방식이 없어요. 로그인이 필요 없는 서버라면 user와 password를 비워 주세요.",
                permanent=True,
            )
        if isinstance(error, ssl.SSLCertVerificationError):
            return self.error("its TLS certificate could not be trusted.", "TLS 인증서를 믿을 수 없어요.")
        if isinstance(error, ssl.SSLError) and step in ("connect", "starttls"):
            return self.error(
                f"port {self.port} does not speak this kind of TLS. Port 465 is for SSL, 587 for STARTTLS.",
                f"{self.port} 포트와 암호화 방식이 맞지 않아요. SSL은 465, STARTTLS는 587 포트예요.",
                permanent=True,
            )
        if isinstance(error, trust.Inward):
            return self.error(
                "link-local addresses and a cloud's metadata service are refused.",
                "링크 로컬 주소와 클라우드 메타데이터 주소로는 보내지 않아요.",
                permanent=True,
            )
        return self._broken(error, talk)

    def _broken(self, error: Exception, talk: Conversation) -> DeliveryError:
        # smtplib turns what breaks while it waits for a reply into an error of its own.
        if isinstance(error, socket.timeout) or isinstance(error.__context__, socket.timeout):
            why = {"en": "it did not answer in time", "ko": "제때 응답하지 않았어요"}
        elif isinstance(error, FileNotFoundError):
            why = {
                "en": "the file that REQUESTS_CA_BUNDLE or SSL_CERT_FILE names can't be read",
                "ko": "REQUESTS_CA_BUNDLE이나 SSL_CERT_FILE에 적힌 파일을 읽을 수 없어요",
            }
        elif isinstance(error, socket.gaierror):
            why = {
                "en": "no server of this name was found. Check host",
                "ko": "서버를 찾지 못했어요. host를 확인해 주세요",
            }
        elif talk.step == "connect":
            why = {
                "en": f"port {self.port} could not be reached. Some clouds block mail",
                "ko": f"{self.port} 포트에 연결하지 못했어요. 메일을 막아 둔 클라우드도 있어요",
            }
        else:
            why = {"en": "the connection broke", "ko": "연결이 끊겼어요"}
        return self.error(f"{why['en']}.", f"{why['ko']}.", maybe_sent=talk.sent)

    def _refused(self, code: int, words: str, step: str) -> DeliveryError:
        said = self._said(code, words)
        permanent = code >= 500 or code < 400
        if step == "login":
            return self.error(
                f"the login was refused ({said}). {self.login_hint['en'] if permanent else ''}".rstrip(),
                f"로그인하지 못했어요({said}). {self.login_hint['ko'] if permanent else ''}".rstrip(),
                permanent=permanent,
                revoked=permanent,
            )
        if step == "sender" and code in (501, 530, 550, 553, 554):
            return self.error(
                f"the server does not let you send as {masked(self.from_address())} ({said}). "
                "Most want the address of the account that logs in.",
                f"{masked(self.from_address())} 주소로는 보낼 수 없어요({said}). 대부분 로그인한 계정의 주소여야 해요.",
                permanent=True,
                revoked=True,
            )
        # "5.4.5 Daily user sending limit exceeded", says Gmail, where others say 4xx.
        is_quota = "5.4.5" in words
        is_later = is_quota or not permanent
        return self.error(
            f"the server did not take the mail ({said}).{'' if is_later else ' Check the addresses, or ask the provider.'}",
            f"서버가 메일을 받지 않았어요({said}).{'' if is_later else ' 주소를 확인하거나 메일 서비스에 문의해 주세요.'}",
            permanent=not is_later,
            retry_after=QUOTA_S if is_quota else None,
        )

    def _said(self, code: int, words: str) -> str:
        for address in {*self.recipients(), self.from_address()} - {""}:
            words = words.replace(address, masked(address))
        return f"{code} {one_line(self.hide(words), 200)}".strip()


class Mailbox(Email):
    """An account at a provider: who logs in is who sends, to themselves if nobody else is named."""

    domain = ""

    # Settled by the provider, so no settings here.
    sender = ""
    port = 465

    to = Addresses(Unicode(), help="Addresses that get the mail, separated by commas; your own, if empty.").tag(
        config=True, ko="받을 주소(여럿이면 쉼표로 구분, 비우면 내 주소)"
    )

    def missing(self) -> List[str]:
        """What is needed: the account."""
        return [self.env_name(name) for name in ("user", "password") if not getattr(self, name)]

    def from_address(self) -> str:
        """The account's address, whether its user wrote it with the domain or without."""
        return self.user if "@" in self.user or not self.user else f"{self.user}@{self.domain}"

    def recipients(self) -> List[str]:
        """Who was named, or oneself."""
        return list(self.to) or [self.from_address()]


def masked(address: str) -> str:
    """`address` so that its owner knows it and nobody else learns it: these texts are kept and shown."""
    name, _, domain = address.rpartition("@")
    return f"{name[:2]}***@{domain}"


def _text(words: Any) -> str:
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
