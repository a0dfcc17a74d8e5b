"""`%knock login kakao` in real kernels and `knock login kakao` in a real terminal. The far end is our own fake."""

from __future__ import annotations

import json
import socket
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List
from urllib.parse import urlsplit

import pytest
from conftest import ANSI, Home, Kernel, poll

from knock_magic.redirect import Redirect, is_here

from .far_kakao import CLIENT_SECRET, KEY, Service
from .stage import CANARY, Internet
from .test_base import Proxy


@pytest.fixture(scope="module")
def network(whole_internet: Internet) -> Iterator[Dict[str, str]]:
    """Every process of ours goes to the internet of the tests: by a proxy."""
    proxy = Proxy(whole_internet, "pass")
    yield {
        "HTTPS_PROXY": proxy.url,
        "REQUESTS_CA_BUNDLE": str(whole_internet.bundle),
        "NO_PROXY": "localhost,127.0.0.1",
    }
    proxy.close()


@pytest.fixture
def service(whole_internet: Internet) -> Service:
    whole_internet.reset()
    whole_internet.answering = Service()
    return whole_internet.answering


@pytest.fixture(scope="module")
def one_kernel(home: Home, network: Dict[str, str]) -> Iterator[Kernel]:
    kernel = Kernel(home.env(**network), home.work)
    kernel.load()
    yield kernel
    kernel.close()


class Person:
    """Who sits in front of a kernel: is asked, types, and reads what is shown."""

    def __init__(self, kernel: Kernel, code: str) -> None:
        self.kernel = kernel
        self.messages: List[Dict[str, Any]] = []
        kernel.start(code)

    def answer(self, text: str, hidden: bool = True) -> str:
        """Type `text` where a password is asked for, or what is not `hidden`; what was asked."""
        asked = self.kernel.client.get_stdin_msg(timeout=30)["content"]
        assert asked["password"] is hidden, asked
        self.kernel.client.input(text)
        return str(asked["prompt"])

    def is_asked(self) -> str:
        return str(self.kernel.client.get_stdin_msg(timeout=30)["content"]["prompt"])

    def sees_address(self) -> str:
        """The address to open, as soon as it is shown."""
        self.kernel._read(lambda message: message["msg_type"] == "display_data", 30)
        return str(self.kernel._messages[-1]["content"]["data"]["text/plain"])

    def sees_end(self) -> str:
        """All that was shown; none of it is a secret, and the key is where it is gone in the end."""
        result = self.kernel.finish()
        self.messages = result.messages
        assert result.status == "ok"
        assert CANARY not in str(result.messages)
        keyed = [message for message in result.messages if KEY in str(message)]
        assert [message["msg_type"] for message in keyed] == ["display_data"] * len(keyed)
        places = {message["content"]["transient"]["display_id"] for message in keyed}
        emptied = [message for message in result.messages if message["msg_type"] == "update_display_data"]
        assert {message["content"]["transient"]["display_id"] for message in emptied} >= places
        assert CANARY not in self.kernel.ask("str(get_ipython().history_manager.input_hist_raw)")
        return result.said


@pytest.fixture
def person(one_kernel: Kernel, home: Home, service: Service) -> Iterator[Callable[..., Person]]:
    """Log in in a kernel in which nothing is set up."""
    forget(home)
    yield lambda *options: Person(one_kernel, " ".join(["%knock login kakao", *options]))
    forget(home)


def forget(home: Home) -> None:
    for name in ("settings.json", "settings.json.last-good", "kakao.json"):
        (home.folder / "knock" / name).unlink() if (home.folder / "knock" / name).exists() else None


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def set_up(home: Home, **more: str) -> None:
    (home.folder / "knock").mkdir(mode=0o700, exist_ok=True)
    path = home.folder / "knock" / "settings.json"
    path.write_text(
        json.dumps({"channels": {"kakao": {"rest_api_key": KEY, "redirect_uri": "https://localhost", **more}}})
    )
    path.chmod(0o600)


# In a notebook.


def test_a_person_is_led_from_nothing_to_a_note_that_arrives(
    person: Callable[..., Person], service: Service, home: Home
) -> None:
    service.client_secret = CLIENT_SECRET
    someone = person()

    assert "(rest_api_key)" in someone.answer("not a key")
    assert "(rest_api_key)" in someone.answer(KEY)
    assert "(client_secret)" in someone.answer(CLIENT_SECRET)
    address = someone.sees_address()
    assert "Paste the address" in someone.answer("hello")
    someone.answer(service.agree(address))

    said = someone.sees_end()
    assert "32 digits" in said
    assert "1. Add an app" in said
    assert "without sound" in said
    assert "this is not the address" in said
    assert "Logged in to KakaoTalk" in said
    assert "kakao: arrived" in said
    assert [note["text"] for note in service.notes] == ["🔔 knock knocks: this channel works"]
    assert "kakao (delivered" in someone.kernel.run("%knock").said
    kept = json.loads((home.folder / "knock" / "settings.json").read_text())["channels"]["kakao"]
    assert kept == {"rest_api_key": KEY, "client_secret": CLIENT_SECRET, "refresh_token": service.refresh_token}


def test_a_wrong_client_secret_is_asked_for_again(person: Callable[..., Person], service: Service, home: Home) -> None:
    service.client_secret = CLIENT_SECRET
    set_up(home, client_secret="another-one")
    someone = person()

    someone.answer(service.agree(someone.sees_address()))
    assert "(client_secret)" in someone.answer(CLIENT_SECRET)
    someone.answer(service.agree(someone.sees_address()))

    said = someone.sees_end()
    assert "(KOE010)" in said
    assert "kakao: arrived" in said


def test_who_declines_is_told_and_nothing_is_kept(person: Callable[..., Person], service: Service, home: Home) -> None:
    set_up(home)
    someone = person()

    someone.answer(service.decline(someone.sees_address()))

    assert "you did not agree" in someone.sees_end()
    assert not (home.folder / "knock" / "kakao.json").exists()


def test_friends_are_chosen_by_number(person: Callable[..., Person], service: Service, home: Home) -> None:
    set_up(home)
    someone = person("--friends")
    address = someone.sees_address()
    assert "scope=friends,talk_message" in address
    someone.answer(service.agree(address))
    assert "Numbers" in someone.answer("2, 7, 99, x", hidden=False)
    assert "Numbers" in someone.answer("2, 7", hidden=False)

    said = someone.sees_end()
    assert "7. 친구 7" in said
    assert "There is no friend 99, x. The numbers go from 1 to 7." in said
    assert "too: 2 (2, 7)." in said
    kept = json.loads((home.folder / "knock" / "settings.json").read_text())["channels"]["kakao"]
    assert kept["friends"] == ["uuid-of-friend-2", "uuid-of-friend-7"]
    assert [len(notes) for notes in service.friends_notes.values()] == [0, 1, 0, 0, 0, 0, 1]
    gone = [message for message in someone.messages if message["msg_type"] == "update_display_data"]
    assert "listed here" in str(gone)


def test_an_interrupt_ends_it_cleanly(person: Callable[..., Person], service: Service, home: Home) -> None:
    set_up(home)
    someone = person()
    someone.sees_address()
    someone.is_asked()

    someone.kernel.interrupt()

    assert "The login was cancelled" in someone.sees_end()
    assert someone.kernel.run("1 + 1").value == "2"


def test_who_stops_while_choosing_friends_is_logged_in(
    person: Callable[..., Person], service: Service, home: Home
) -> None:
    set_up(home)
    someone = person("--friends")
    someone.answer(service.agree(someone.sees_address()))
    assert "Numbers" in someone.is_asked()

    someone.kernel.interrupt()

    assert "the login itself is kept" in someone.sees_end()


def test_it_does_not_hold_the_kernel_for_ever(person: Callable[..., Person], service: Service, home: Home) -> None:
    set_up(home)
    someone = person()
    someone.answer(service.decline(someone.sees_address()))
    someone.sees_end()
    someone.kernel.run("from knock_magic import kakao_login; kakao_login.LASTS_S = 0.3")
    try:
        someone = person()
        someone.is_asked()

        assert "five minutes are over" in someone.sees_end()
    finally:
        someone.kernel.run("kakao_login.LASTS_S = 300.0")


def test_a_browser_on_this_machine_brings_the_answer(
    person: Callable[..., Person], service: Service, home: Home
) -> None:
    set_up(home, redirect_uri=f"http://localhost:{free_port()}/back")
    someone = person()
    address = someone.sees_address()
    someone.is_asked()

    with urllib.request.urlopen(service.agree(address), timeout=30) as page:
        assert "close this window" in page.read().decode()

    assert "kakao: arrived" in someone.sees_end()


def test_where_nobody_can_be_asked_that_is_said(one_kernel: Kernel, home: Home, service: Service) -> None:
    set_up(home)

    result = one_kernel.run("%knock login kakao", allow_stdin=False)

    assert result.status == "ok"
    assert "nobody to ask" in result.said
    forget(home)


@pytest.mark.parametrize("line", ["login", "login slack", "login kakoa", "login kakao --no-browsr"])
def test_what_has_no_login_is_one_line(one_kernel: Kernel, line: str) -> None:
    said = one_kernel.run(f"%knock {line}").text

    assert len(said.splitlines()) == 1
    assert "kakao" in said or "--no-browser" in said


# In a terminal.

pexpect = pytest.importorskip("pexpect")
in_terminal = pytest.mark.skipif(sys.platform == "win32", reason="needs a pty")


@pytest.fixture
def shell(home: Home, network: Dict[str, str], service: Service) -> Iterator[Callable[..., Any]]:
    """`knock login kakao` behind a pty."""
    forget(home)
    opened: List[Any] = []

    def start(*words: str, **env: str) -> Any:
        child = pexpect.spawn(
            sys.executable, ["-m", "knock_magic", "login", "kakao", *words], env=home.env(**network, **env),
            cwd=str(home.work), encoding="utf-8", timeout=45, dimensions=(50, 500),
        )  # fmt: skip
        child.logfile_read = Log()
        opened.append(child)
        return child

    yield start
    for child in opened:
        child.close(force=True)
    forget(home)


class Log:
    text = ""

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        pass


def address_in(child: Any) -> str:
    child.expect(r"(https://kauth\S+)")
    return ANSI.sub("", child.match.group(1))


def ended(child: Any) -> int:
    child.expect(pexpect.EOF)
    child.wait()
    assert CANARY not in child.logfile_read.text
    return int(child.exitstatus)


@in_terminal
def test_a_terminal_asks_the_same_and_echoes_nothing(shell: Callable[..., Any], service: Service, home: Home) -> None:
    child = shell("--no-browser", KNOCK_LANG="ko")
    child.expect_exact("(rest_api_key), 입력해도 보이지 않아요:")
    child.sendline(KEY)
    child.expect_exact("(client_secret), 입력해도 보이지 않아요. 꺼져 있으면 그냥 Enter:")
    child.sendline("")
    address = address_in(child)
    child.expect_exact("붙여 넣어 주세요")
    child.sendline(service.agree(address))

    assert ended(child) == 0
    assert "카카오톡에 로그인했어요" in child.logfile_read.text
    assert "kakao: 도착했어요" in child.logfile_read.text
    assert child.logfile_read.text.count(KEY) == 1  # in the address


@in_terminal
def test_ctrl_c_in_a_terminal_is_an_exit_code(shell: Callable[..., Any], service: Service, home: Home) -> None:
    set_up(home)
    child = shell("--no-browser")
    address_in(child)
    child.expect_exact("Paste")
    child.sendintr()

    assert ended(child) == 1
    assert "cancelled" in child.logfile_read.text
    assert "Traceback" not in child.logfile_read.text


@in_terminal
def test_a_browser_wakes_a_terminal(shell: Callable[..., Any], service: Service, home: Home, tmp_path: Path) -> None:
    """Our own stand-in for a browser: it opens what it is given, and goes where that leads."""
    set_up(home, redirect_uri=f"http://127.0.0.1:{free_port()}")
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(
        f'#!/bin/sh\necho "$@" > {opened}.new\ncat "${{1#file://}}" >> {opened}.new\nmv {opened}.new {opened}\n'
    )
    browser.chmod(0o700)
    child = shell(DISPLAY=":99", BROWSER=f"{browser} %s", SSH_CONNECTION="")
    address = address_in(child)
    child.expect_exact("Paste")
    typed, page = poll(lambda: opened.exists() and opened.read_text().splitlines(), "the browser")

    assert address.replace("&", "&amp;") in page
    assert KEY not in typed
    urllib.request.urlopen(service.agree(address), timeout=30).close()
    assert ended(child) == 0
    assert "kakao: arrived" in child.logfile_read.text
    assert not Path(typed[len("file://") :]).exists()


def test_without_anybody_a_shell_says_so(home: Home, network: Dict[str, str]) -> None:
    import subprocess

    done = subprocess.run(
        [sys.executable, "-m", "knock_magic", "login", "kakao"], env=home.env(**network), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    assert done.returncode == 2
    assert "nobody to ask" in done.stderr


# The one address that is waited for.


def got(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=30) as page:
            assert page.headers["Cache-Control"] == "no-store"
            return int(page.status)
    except urllib.error.HTTPError as error:
        error.close()
        return int(error.code)


def test_only_the_answer_is_caught_and_only_once() -> None:
    uri = f"http://127.0.0.1:{free_port()}/back"
    caught: List[str] = []

    with Redirect(uri, lambda target: "state=right" in target, caught.append):
        seen = [
            got(f"{uri}{rest}") for rest in ("", "?state=wrong", "/other?state=right", "?state=right", "?state=right")
        ]
        assert got(uri.replace("/back", "/favicon.ico")) == 404

    assert seen == [404, 404, 404, 200, 404]
    assert caught == ["/back?state=right"]


def test_who_connects_and_says_nothing_is_in_nobody_s_way() -> None:
    """Browsers open connections ahead of time."""
    uri = f"http://127.0.0.1:{free_port()}"
    caught: List[str] = []

    with Redirect(uri, lambda target: True, caught.append), socket.create_connection(
        ("127.0.0.1", urlsplit(uri).port or 0)
    ):
        assert got(f"{uri}/?code=1") == 200

    assert caught == ["/?code=1"]


@pytest.mark.parametrize(
    ("uri", "here"),
    [
        ("http://localhost:8910", True),
        ("http://127.0.0.1:8910/back", True),
        ("https://localhost", False),
        ("http://example.com:8910", False),
        ("http://localhost.example.com", False),
    ],
)
def test_only_what_leads_to_this_machine_is_served(uri: str, here: bool) -> None:
    assert is_here(uri) is here
