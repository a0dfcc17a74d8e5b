"""Mail: its encryption, its headers, its recipients, its page."""

from __future__ import annotations

import base64
import dataclasses
import email
import html.parser
import imaplib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

import pytest
from conftest import poll
from hypothesis import HealthCheck, given, settings, strategies as st

from knock_magic import letter
from knock_magic.channels.email import Email, masked
from knock_magic.errors import DeliveryError, SettingsError
from knock_magic.event import ErrorInfo, Event, Picture
from knock_magic.template import Message, render

from .mails import GOOD, Mail, MailServer
from .stage import CANARY, Contract, Internet

HEADERS = {
    *("Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"),
    *("X-Priority", "Importance"),
    *("X-Peer", "X-MailFrom", "X-RcptTo"),  # a server may add its own
}


class Tags(html.parser.HTMLParser):
    """The tags and addresses of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: List[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        self.found.append(tag)
        self.found += [name for name, _ in attributes]


def alive(mail: Mail) -> List[str]:
    tags = set(Tags(mail.page).found) & {
        "script",
        "img",
        "a",
        "href",
        "src",
        "onerror",
        "iframe",
        "form",
        "link",
        "b",
        "i",
    }
    headers = {name for name, _ in mail.message.items()} - HEADERS
    return sorted(tags | headers | {to for to in mail.to if "evil" in to})


def read(mail: Mail) -> List[str]:
    """What a person reads: the text, the page, the subject."""
    return [mail.text, "".join(re.sub("<[^>]*>", "\n", mail.page)), mail.message["Subject"]]


CONTRACT = Contract(
    settings={
        "host": "smtp.example.com",
        "user": "minsu@example.com",
        "password": f"{CANARY}-password",
        "to": ["minsu@example.com"],
    },
    wire="smtp",
    read=read,
    alive=alive,
)


def channel(**changes: Any) -> Email:
    given: Dict[str, Any] = {
        "host": "smtp.example.com",
        "user": "minsu@example.com",
        "password": GOOD,
        "to": ["a@x.kr"],
    }
    return Email(**{**given, **changes})


def message(event: Optional[Event] = None, **about: Any) -> Message:
    return render(event or Event("finished", "학습", 0.0, 60.0, 60.0), lang="ko", **about)


def error_of(sender: Email, told: Optional[Message] = None) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        sender.send(told or message())
    return caught.value


@pytest.fixture
def server(internet: Internet) -> Iterator[MailServer]:
    running = MailServer(internet, 587)
    yield running
    running.close()


# On the wire.


def test_it_logs_in_over_starttls_and_says_nothing_of_this_machine(server: MailServer) -> None:
    channel().send(message())

    assert server.logins == [("minsu@example.com", GOOD)]
    assert set(server.greetings) == {"[127.0.0.1]"}
    assert server.mails[0].sender == "minsu@example.com"
    assert socket.gethostname().encode() not in server.mails[0].raw or len(socket.gethostname()) < 5


def test_port_465_is_encrypted_from_the_first_byte(internet: Internet) -> None:
    server = MailServer(internet, 465)

    channel(port=465).send(message())

    server.close()
    assert len(server.mails) == 1


def test_a_server_without_starttls_gets_nothing(internet: Internet) -> None:
    server = MailServer(internet, 587, password="", tls=False)

    error = error_of(channel())

    server.close()
    assert error.permanent
    assert "STARTTLS" in error.texts["ko"]
    assert (server.logins, server.mails) == ([], [])


def test_the_wrong_kind_of_encryption_says_which_port_is_for_which(internet: Internet) -> None:
    server = MailServer(internet, 587)
    internet.routes[465] = server.port

    error = error_of(channel(port=465))

    server.close()
    assert error.permanent
    assert "465" in error.texts["en"]
    assert "587" in error.texts["en"]


def test_a_server_on_this_machine_may_do_without_encryption_and_without_a_password(internet: Internet) -> None:
    server = MailServer(internet, 25, password="", tls=False)
    sender = channel(host="localhost", port=server.port, user="", password="", sender="lab@example.com")

    sender.send(message())

    server.close()
    assert sender.missing() == []
    assert len(server.mails) == 1


def test_a_password_is_not_sent_unencrypted_to_this_machine_either(internet: Internet) -> None:
    server = MailServer(internet, 25, tls=False, auth_require_tls=False)

    error = error_of(channel(host="localhost", port=server.port))

    server.close()
    assert "STARTTLS" in str(error)
    assert server.logins == []


def test_a_mail_that_is_too_large_for_the_server_is_not_tried_again(internet: Internet) -> None:
    server = MailServer(internet, 587, data_size_limit=2000)

    error = error_of(channel(), message(Event("message", "", 0.0, text="x" * 15_000)))

    server.close()
    assert error.permanent
    assert "552" in str(error)


def test_a_server_without_a_login_says_so(internet: Internet) -> None:
    server = MailServer(internet, 587, password="")

    error = error_of(channel())

    server.close()
    assert error.permanent
    assert "user" in error.texts["en"]


# Its headers.


def test_the_mail_says_what_it_is(server: MailServer) -> None:
    told = message()

    channel(to=["a@x.kr", "b@y.kr"], sender="lab@example.com").send(told)

    mail = server.mails[0].message
    assert mail["Subject"] == "✅ 학습 끝났어요 · 1분"
    assert mail["From"] == "knock <lab@example.com>"
    assert mail["To"] == "a@x.kr, b@y.kr"
    assert mail["Message-ID"] == f"<{told.event.id}@example.com>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert abs(mail["Date"].datetime.timestamp() - time.time()) < 300
    assert [part.get_content_type() for part in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert server.mails[0].text.replace("\r\n", "\n") == told.text + "\n"


def test_another_try_has_the_same_message_id(server: MailServer) -> None:
    told = message()
    server.reply("DATA", "drop")
    assert error_of(channel(), told).maybe_sent

    channel().send(told)
    channel().send(told)

    assert len({mail.message["Message-ID"] for mail in server.mails}) == 1


@pytest.mark.parametrize(
    ("kind", "priority", "importance"),
    [
        *(("failed", "1", "high"), ("died", "1", "high"), ("stalled", "1", "high")),
        *(("finished", None, None), ("message", None, None), ("progress", "5", "low")),
    ],
)
def test_what_went_wrong_is_marked_as_important(
    server: MailServer, kind: str, priority: Optional[str], importance: Optional[str]
) -> None:
    channel().send(message(Event(kind, "학습", 0.0, 60.0, 60.0)))

    mail = server.mails[0].message
    assert (mail["X-Priority"], mail["Importance"]) == (priority, importance)


def test_a_later_mail_of_a_run_answers_the_first(server: MailServer) -> None:
    first = channel().send(message(Event("progress", "학습", 0.0)))
    channel().send(dataclasses.replace(message(), after=first))

    began, ended = (mail.message for mail in server.mails)
    assert began["Message-ID"] == first
    assert began["In-Reply-To"] is None
    assert ended["In-Reply-To"] == ended["References"] == first
    assert ended["Message-ID"] != first


@pytest.mark.parametrize("to", [["a@x.kr"], ["a@x.kr", "b@y.kr"]])
def test_its_handle_is_the_mail_s_id_for_one_and_for_several(server: MailServer, to: List[str]) -> None:
    told = message()

    assert channel(to=to).send(told) == f"<{told.event.id}@example.com>"


# Its picture.

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8


def with_picture(**about: Any) -> Message:
    picture = Picture("image/png", base64.b64encode(PNG).decode())
    return message(Event("message", "손실 곡선", 0.0, text='손실 "곡선" <b>', picture=picture, **about))


def test_a_picture_stands_in_the_page_and_comes_with_the_mail(server: MailServer) -> None:
    channel().send(with_picture())

    mail = server.mails[0]
    kinds = [part.get_content_type() for part in mail.message.walk()]
    related = ["multipart/related", "text/html", "image/png"]
    assert kinds == ["multipart/alternative", "text/plain", *related]
    image = list(mail.message.walk())[-1]
    assert image.get_content() == PNG
    assert (image.get_content_disposition(), image.get_filename()) == ("inline", "picture.png")
    shown = re.findall(r'<img src="cid:([^"]+)" alt="([^"]+)"', mail.page)
    assert shown == [(image["Content-ID"].strip("<>"), "💬 손실 &quot;곡선&quot; &lt;b&gt;")]
    assert mail.text.startswith("💬 손실")


def test_two_pictures_are_two_to_a_mail_program_too() -> None:
    """Some keep what they have once shown by its content ID."""
    pages = [letter.as_html(with_picture()) for _ in range(2)]

    assert len({re.search('cid:[^"]+', page).group() for page in pages}) == 2  # type: ignore[union-attr]


lines = st.text(st.characters(codec="utf-8"), max_size=200)


@given(name=lines, text=lines)
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_text_makes_a_mail_with_the_same_headers(name: str, text: str) -> None:
    event = Event("failed", name, 0.0, 60.0, 60.0, error=ErrorInfo("ValueError", text))
    told = message(event)

    raw = letter.mail(told, "lab@example.com", ["a@x.kr"]).as_bytes()

    mail = email.message_from_bytes(raw, policy=email.policy.default)
    assert {name for name, _ in mail.items()} <= HEADERS
    assert mail["To"] == "a@x.kr"
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert mail.get_body(("plain",)).get_content().split() == told.text.split()
    assert "".join(mail["Subject"].split()) == "".join(letter.one_line(told.title, letter.SUBJECT).split())


# Its recipients.


def test_who_was_put_off_gets_the_mail_later_and_nobody_twice(server: MailServer) -> None:
    told = message()
    sender = channel(to=["a@x.kr", "b@y.kr", "c@z.kr"])
    server.reply("RCPT b@y.kr", "450 4.2.0 Greylisted")

    error = error_of(sender, told)
    sender.send(told)

    assert (error.permanent, error.maybe_sent) == (False, True)
    assert "b***@y.kr" in error.texts["en"]
    assert "b@y.kr" not in error.texts["en"] + error.texts["ko"]
    assert [mail.to for mail in server.mails] == [["a@x.kr", "c@z.kr"], ["b@y.kr"]]
    assert len({mail.message["Message-ID"] for mail in server.mails}) == 1


def test_who_is_refused_for_good_is_told_and_not_tried_again(server: MailServer) -> None:
    told = message()
    sender = channel(to=["a@x.kr", "b@y.kr"])
    server.reply("RCPT b@y.kr", "550 5.1.1 <b@y.kr> No such user")

    error = error_of(sender, told)

    assert error.permanent
    assert error.maybe_sent, "one of them has it"
    assert "나머지는 받았어요. to의 주소를 확인해 주세요." in error.texts["ko"]
    assert "b@y.kr" not in str(error.texts)
    assert "1 of 2" in error.texts["en"]
    assert "550" in error.texts["ko"]
    assert [mail.to for mail in server.mails] == [["a@x.kr"]]


def test_another_knock_goes_to_everybody_again(server: MailServer) -> None:
    sender = channel(to=["a@x.kr", "b@y.kr"])
    server.reply("RCPT b@y.kr", "450 4.2.0 Greylisted")
    error_of(sender)

    sender.send(message())

    assert server.mails[-1].to == ["a@x.kr", "b@y.kr"]


def test_no_address_is_kept_in_a_file(server: MailServer) -> None:
    sender = channel(to=["a@x.kr", "bbb@example.kr"])
    server.reply("RCPT bbb@example.kr", "450 4.2.0 Greylisted")
    error_of(sender)

    kept = [path for path in Path(os.environ["KNOCK_HOME"]).rglob("*") if path.is_file()]

    assert kept
    assert not any(b"@" in path.read_bytes() for path in kept)


def test_an_address_is_shown_so_that_only_its_owner_knows_it() -> None:
    assert masked("minsu.kim@naver.com") == "mi***@naver.com"


# Its settings.


@pytest.mark.parametrize(
    ("setting", "wrong"),
    [
        ("to", "minsu"),
        ("to", "minsu@naver.com, kim"),
        ("to", "민수@naver.com"),
        ("sender", "a@b.kr\r\nBcc: x@y.kr"),
        ("sender", "<a@b.kr>"),
    ],
)
def test_an_address_that_is_none_is_refused_where_it_is_typed(setting: str, wrong: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Email().put(setting, wrong)

    assert "name@example.com" in caught.value.texts["en"]
    assert "name@example.com" in caught.value.texts["ko"]
    assert "\n" not in caught.value.texts["en"]


@pytest.mark.parametrize(
    "wrong", ["https://smtp.example.com", "smtp.example.com:587", "smtp example", "a..b", "x@y.kr"]
)
def test_a_host_that_is_more_than_a_name_is_refused_where_it_is_typed(wrong: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Email().put("host", wrong)

    assert "smtp.example.com" in caught.value.texts["ko"]


@pytest.mark.parametrize("host", ["smtp.example.com", "localhost", "127.0.0.1", "::1", "메일.한국"])
def test_a_host_is_a_name_or_an_address(host: str) -> None:
    Email().put("host", host)


def test_a_user_name_typed_with_the_korean_keyboard_is_refused() -> None:
    with pytest.raises(SettingsError) as caught:
        Email().put("user", "ㅡㅑㅜ녀")

    assert "한/영" in caught.value.texts["ko"]


def test_a_password_typed_with_the_korean_keyboard_is_refused() -> None:
    with pytest.raises(SettingsError) as caught:
        Email().put("password", "ㅔㅁㄴㄴ")

    assert "한/영" in caught.value.texts["ko"]
    assert "ㅔㅁㄴㄴ" not in str(caught.value.texts)


def test_an_address_that_is_there_twice_gets_one_mail(server: MailServer) -> None:
    sender = channel()
    sender.put("to", "a@x.kr, a@x.kr,b@y.kr")

    sender.send(message())

    assert server.mails[0].to == ["a@x.kr", "b@y.kr"]


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, ["KNOCK_EMAIL_HOST", "KNOCK_EMAIL_TO", "KNOCK_EMAIL_SENDER"]),
        ({"host": "h", "to": ["a@x.kr"], "user": "minsu"}, ["KNOCK_EMAIL_SENDER"]),
        ({"host": "h", "to": ["a@x.kr"], "user": "minsu@x.kr"}, []),
        ({"host": "h", "to": ["a@x.kr"], "sender": "minsu@x.kr"}, []),
    ],
)
def test_what_is_missing_is_named(given: Dict[str, Any], missing: List[str]) -> None:
    assert Email(**given).missing() == missing


def test_addresses_parted_by_a_semicolon_are_refused_where_they_are_typed() -> None:
    with pytest.raises(SettingsError, match="separated by commas, not by ;"):
        Email().put("to", ["a@x.kr; b@x.kr"])


# Its page.


def test_the_page_holds_no_address_that_a_mail_program_would_fetch() -> None:
    told = Event("failed", "학습", 0.0, 60.0, 60.0, error=ErrorInfo("E", "m", "f"), picture=Picture("image/png", ""))
    page = letter.as_html(message(told))

    assert not re.search(r"https?:|//|url\(|@import", page)


def test_the_page_is_well_formed() -> None:
    picture = Picture("image/png", "")
    for kind in ("finished", "failed", "died", "message"):
        told = Event(kind, "a<b", 0.0, 60.0, 60.0, text="x", metrics={"a&b": 1.0}, picture=picture)
        page = letter.as_html(message(told))
        stack: List[str] = []

        class Balance(html.parser.HTMLParser):
            def handle_starttag(self, tag: str, attributes: Any) -> None:
                if tag not in ("meta", "br", "img"):
                    stack.append(tag)  # noqa: B023 - used up within the loop

            def handle_endtag(self, tag: str) -> None:
                assert stack.pop() == tag  # noqa: B023

        Balance().feed(page)
        assert stack == []


def test_the_phone_s_preview_is_the_error_and_the_page_has_no_more_than_the_text() -> None:
    error = ErrorInfo("ValueError", "loss is nan", "cell, 3, <module>\n    secret_source_line()")
    told = render(Event("failed", "학습", 0.0, 60.0, 60.0, error=error, host="lab-7", user="minsu"), "short", lang="ko")

    page = letter.as_html(told)

    assert re.search(r"display:none[^>]*>ValueError: loss is nan", page)
    assert not [word for word in ("secret_source_line", "lab-7", "minsu", "module") if word in page]


# One mail server that is not written for tests.

EXIM = """
primary_hostname = smtp.example.com
spool_directory = {folder}/spool
log_file_path = {folder}/log-%slog
pid_file_path = {folder}/pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = {starttls} : {tls}
tls_on_connect_ports = {tls}
tls_advertise_hosts = *
tls_certificate = {folder}/cert.pem
tls_privatekey = {folder}/key.pem
auth_advertise_hosts = ${{if eq{{$tls_in_cipher}}{{}}{{}}{{*}}}}
keep_environment =
acl_smtp_rcpt = rcpt
acl_smtp_data = data
begin acl
rcpt:
  deny condition = ${{if eq{{$local_part}}{{full}}}}
       message = mailbox is full
  accept authenticated = *
  deny message = log in first
data:
  accept
begin routers
all:
  driver = accept
  transport = keep
begin transports
keep:
  driver = appendfile
  directory = {folder}/mails
  maildir_format
  envelope_to_add
  return_path_add
  user = {owner}
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{minsu}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
  server_set_id = $auth2
"""
EXIM_USER = "Debian-exim"


@pytest.fixture
def exim(internet: Internet) -> Iterator[Path]:
    """Exim on loopback; it wants STARTTLS or TLS, and a login. Gives the folder that its mails come into."""
    if not shutil.which("exim4") or not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("needs root and exim4 (Debian: exim4-daemon-light)")
    folder = Path(tempfile.mkdtemp(prefix="knock-exim-"))  # not tmp_path, which Exim's own user can't enter
    internet.routes.update({587: free_port(), 465: free_port()})
    certificate = internet.ca.issue_cert("smtp.example.com")
    certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
    for pem in certificate.cert_chain_pems:
        pem.write_to_path(str(folder / "cert.pem"), append=True)
    ports = {"starttls": internet.routes[587], "tls": internet.routes[465]}
    conf = folder / "exim.conf"
    conf.write_text(EXIM.format(folder=folder, password=GOOD, owner=EXIM_USER, **ports))
    for path in (folder, folder / "key.pem"):
        shutil.chown(path, EXIM_USER, EXIM_USER)
    process = subprocess.Popen(["exim4", "-bdf", "-C", str(conf)], stdin=subprocess.DEVNULL)
    try:
        poll(lambda: all(map(_answers, ports.values())), "exim to listen")
        yield folder / "mails" / "new"
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("port", [587, 465])
def test_a_real_mail_server_takes_the_mail(exim: Path, port: int) -> None:
    told = message()

    channel(port=port, user="minsu", sender="minsu@example.com").send(told)

    poll(lambda: exim.exists() and list(exim.iterdir()), "the mail", 60)
    raw = next(exim.iterdir()).read_bytes()
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    assert (mail["Return-path"], mail["Envelope-to"]) == ("<minsu@example.com>", "a@x.kr")
    assert mail["Message-ID"] == f"<{told.event.id}@example.com>"
    assert mail["Subject"] == told.title
    assert mail.get_body(("plain",)).get_content().replace("\r\n", "\n") == told.text + "\n"


def test_a_real_mail_server_refuses_a_wrong_password(exim: Path) -> None:
    error = error_of(channel(user="minsu", password="wrong", sender="minsu@example.com"))

    assert error.revoked
    assert "535" in str(error)


def test_a_real_mail_server_refuses_one_of_two(exim: Path) -> None:
    sender = channel(user="minsu", sender="minsu@example.com", to=["a@x.kr", "full@x.kr"])

    error = error_of(sender)

    assert error.permanent
    assert "mailbox is full" in str(error)
    poll(lambda: exim.exists() and list(exim.iterdir()), "the mail of the other", 60)


# And a server that it is read from, as a mail program reads it.

DOVECOT = """
base_dir = {folder}/run
log_path = {folder}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
first_valid_uid = 1
mail_location = maildir:{folder}/mails
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={owner} gid={owner} home={folder}
}}
"""


@pytest.fixture
def inbox(exim: Path) -> Iterator[imaplib.IMAP4]:
    """The mailbox that Exim delivers into, read by IMAP from Dovecot on loopback."""
    if not shutil.which("dovecot") or not Path("/usr/lib/dovecot/imap").exists():
        pytest.skip("needs dovecot (Debian: dovecot-imapd)")
    folder, port = exim.parent.parent, free_port()
    conf = folder / "dovecot.conf"
    conf.write_text(DOVECOT.format(folder=folder, port=port, password=GOOD, owner=EXIM_USER))
    process = subprocess.Popen(["dovecot", "-F", "-c", str(conf)], stdin=subprocess.DEVNULL)
    try:
        poll(lambda: _answers(port), "dovecot to listen")
        program = imaplib.IMAP4("127.0.0.1", port)
        program.login("minsu", GOOD)
        yield program
        program.logout()
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.once
def test_a_mail_program_finds_a_run_s_mails_in_one_thread_and_its_picture_in_the_page(
    exim: Path, inbox: imaplib.IMAP4
) -> None:
    sender = channel(user="minsu", sender="minsu@example.com")
    first = sender.send(message(Event("progress", "학습", 0.0)))
    sender.send(with_picture())
    sender.send(dataclasses.replace(message(Event("failed", "학습", 0.0, 60.0, 60.0)), after=first))
    poll(lambda: exim.exists() and len(list(exim.iterdir())) == 3, "three mails", 60)

    inbox.select("INBOX")

    everything = [inbox.fetch(str(number), "(RFC822)")[1][0][1] for number in (1, 2, 3)]
    mails = [email.message_from_bytes(raw, policy=email.policy.default) for raw in everything]
    began, picture, failed = (
        next(mail for mail in mails if mail["Subject"].startswith(icon)) for icon in ("⏳", "💬", "❌")
    )
    (threads,) = inbox.thread("REFERENCES", "UTF-8", "ALL")[1]
    together = re.findall(r"\((\d) (\d)\)", threads.decode())
    assert [{mails[int(number) - 1]["Subject"] for number in pair} for pair in together] == [
        {began["Subject"], failed["Subject"]}
    ]
    assert (failed["X-Priority"], began["X-Priority"]) == ("1", "5")
    image = next(part for part in picture.walk() if part.get_content_type() == "image/png")
    assert image.get_content() == PNG
    assert f"cid:{image['Content-ID'].strip('<>')}" in picture.get_body(("html",)).get_content()
