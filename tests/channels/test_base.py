"""HTTP as every channel speaks it: proxies, certificates, waiting times, and what may have arrived."""

from __future__ import annotations

import datetime
import email.utils
import logging
import select
import socket
import threading
import time
from base64 import b64encode
from pathlib import Path
from typing import Any, Callable, Iterator, List, Optional

import pytest

from knock_magic import addresses, trust
from knock_magic.channels import base
from knock_magic.channels.base import retry_after
from knock_magic.channels.webhook import Webhook
from knock_magic.errors import DeliveryError, SettingsError
from knock_magic.event import ErrorInfo, Event, Picture
from knock_magic.template import render

from .stage import CANARY, Answer, Internet, break_off

URL = f"https://hook.example.com/{CANARY}0123456789"


def send(url: str = URL) -> None:
    Webhook(url=url).send(render(Event("finished", "학습", 0.0, 60.0, 60.0), lang="en"))


def error_of(url: str = URL) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        send(url)
    assert CANARY not in str(caught.value.texts)
    return caught.value


# A proxy.


class Proxy:
    """A forward proxy on loopback; `deed` is what it does to a tunnel: ``pass``, ``stall``, ``refuse``, ``login``."""

    def __init__(self, internet: Internet, deed: str) -> None:
        self.asked: List[bytes] = []
        self._internet = internet
        self._deed = deed
        self._stop = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._stop.set()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._take, args=(client,), daemon=True).start()

    def _take(self, client: socket.socket) -> None:
        with client:
            asked = b""
            while not asked.endswith(b"\r\n\r\n"):  # older Pythons send it in pieces
                asked += client.recv(65536)
            self.asked.append(asked.split(b"\r\n")[0])
            if self._deed == "stall":
                self._stop.wait(60)
            elif self._deed in ("refuse", "login"):
                said = b"403 Forbidden" if self._deed == "refuse" else b"407 Proxy Authentication Required"
                client.sendall(b"HTTP/1.1 " + said + b"\r\nContent-Length: 0\r\n\r\n")
            else:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                with socket.create_connection(("127.0.0.1", self._internet.port)) as server:
                    _join(client, server)


def _join(client: socket.socket, server: socket.socket) -> None:
    """Pass on what each says; what ends there by a reset ends here by one."""
    other = {client: server, server: client}
    while True:
        for speaking in select.select([client, server], [], [])[0]:
            try:
                data = speaking.recv(65536)
            except ConnectionResetError:
                return break_off(other[speaking])
            if not data:
                return None
            other[speaking].sendall(data)


@pytest.fixture
def proxy(internet: Internet, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Proxy]]:
    started: List[Proxy] = []

    def start(deed: str) -> Proxy:
        started.append(Proxy(internet, deed))
        monkeypatch.setenv("HTTPS_PROXY", started[-1].url)
        return started[-1]

    yield start
    for each in started:
        each.close()


def test_the_user_s_proxy_is_used_and_looks_the_name_up(internet: Internet, proxy: Callable[[str], Proxy]) -> None:
    between = proxy("pass")

    send()

    assert [line.rpartition(b" ")[0] for line in between.asked] == [b"CONNECT hook.example.com:443"]
    assert len(internet.requests) == 1
    assert internet.looked_up == []


def test_a_reset_behind_a_proxy_after_the_request_may_have_arrived(
    internet: Internet, proxy: Callable[[str], Proxy]
) -> None:
    """requests calls it a ProxyError, as if the proxy could not be reached."""
    proxy("pass")
    internet.answering = lambda request: Answer(deed="reset")

    error = error_of()

    assert (error.permanent, error.maybe_sent) == (False, True)


def test_a_proxy_that_stalls_has_let_nothing_through(
    internet: Internet, proxy: Callable[[str], Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    """requests calls it a ReadTimeout, as if the request had been read."""
    proxy("stall")
    monkeypatch.setattr(base, "CONNECT_SECONDS", 0.3)
    monkeypatch.setattr(base, "READ_SECONDS", 0.3)

    error = error_of()

    assert (error.permanent, error.maybe_sent) == (False, False)


def test_a_proxy_that_refuses_has_let_nothing_through(internet: Internet, proxy: Callable[[str], Proxy]) -> None:
    proxy("refuse")

    error = error_of()

    assert (error.permanent, error.maybe_sent) == (False, False)
    assert "proxy" in str(error)


def test_a_proxy_that_asks_for_a_login_says_where_it_goes(
    internet: Internet, proxy: Callable[[str], Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy("login")
    behind_it = error_of()
    internet.answering = lambda request: Answer(407)
    monkeypatch.delenv("HTTPS_PROXY")

    for error in (behind_it, error_of()):
        assert (error.permanent, error.maybe_sent) == (False, False)
        assert "HTTPS_PROXY" in error.texts["ko"]


def test_a_proxy_that_is_not_there_has_let_nothing_through(internet: Internet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{internet.closed.getsockname()[1]}")

    error = error_of()

    assert (error.permanent, error.maybe_sent) == (False, False)


def test_metadata_is_refused_behind_a_proxy_too(internet: Internet, proxy: Callable[[str], Proxy]) -> None:
    between = proxy("pass")

    error = error_of("https://169.254.169.254/latest")

    assert error.permanent
    assert between.asked == []


# What is trusted.


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_the_user_s_certificates_are_trusted(internet: Internet, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    monkeypatch.setenv(name, str(internet.bundle))

    send()

    assert len(internet.requests) == 1


def test_certificates_that_are_not_there_are_named(internet: Internet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")

    error = error_of()

    assert not error.permanent
    assert "REQUESTS_CA_BUNDLE" in error.texts["ko"]


def test_a_password_of_netrc_does_not_replace_our_header(
    internet: Internet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from knock_magic.channels.slack import Slack

    (tmp_path / "netrc").write_text("machine slack.com login me password mine\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    internet.answering = lambda request: Answer(200, {"ok": True})

    Slack(token="xoxb-1", channel="C1").send(render(Event("test", "", 0.0)))

    assert internet.requests[0].headers["Authorization"] == "Bearer xoxb-1"


def test_a_password_in_the_address_logs_in(internet: Internet) -> None:
    send(f"https://me:{CANARY}0@hook.example.com/x")

    assert internet.requests[0].headers["Authorization"] == f"Basic {b64encode(f'me:{CANARY}0'.encode()).decode()}"


@pytest.mark.parametrize("body", ["[" * 60_000, '{"a":' * 10_000, "\0", "[1]", "{"])
def test_an_answer_that_is_no_json_object_is_an_empty_one(body: str) -> None:
    assert base.Answer(200, {}, body).json() == {}


@pytest.mark.parametrize(
    "host",
    [
        *("169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0", "::ffff:169.254.169.254", "fd00:ec2::254"),
        *("metadata.google.internal", "Metadata.Google.Internal", "metadata", "100.100.100.200", "168.63.129.16"),
    ],
)
def test_a_machine_s_surroundings_are_inward(host: str) -> None:
    assert trust.is_inward(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "10.0.0.1", "192.168.0.9", "example.com", "::1", ""])
def test_other_hosts_are_not(host: str) -> None:
    assert not trust.is_inward(host)


@pytest.mark.parametrize("host", ["2852039166", "0xa9fea9fe", "169.254.43518", "rebound.example.com"])
def test_an_inward_address_is_refused_however_it_is_written(internet: Internet, host: str) -> None:
    """The system reads these as 169.254.169.254, and a name can stand for anything."""
    internet.address = "169.254.169.254"

    error = error_of(f"https://{host}/latest/meta-data")

    assert error.permanent
    assert "link-local" in str(error)


# Addresses that no request can be made of.


@pytest.mark.parametrize(
    "url",
    [
        *("https://a..b.example/x", f"https://{'a' * 70}.example/x", "https://[::1/x", "https://", "https://x:0/"),
        *("https://x:99999/", "ftp://x.example/", "x.example/hook", "https://x.example/a b", "https:x"),
    ],
)
def test_an_impossible_address_is_refused_where_it_is_typed(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Webhook().put("url", url, "KNOCK_WEBHOOK_URL")

    assert caught.value.texts["en"].startswith("KNOCK_WEBHOOK_URL must be an address such as https://example.com/hook")
    assert "https://example.com/hook" in caught.value.texts["ko"]


def test_an_address_may_be_in_korean(internet: Internet) -> None:
    channel = Webhook()
    channel.put("url", "https://알림.한국/길?값=하나")

    channel.send(render(Event("test", "", 0.0)))

    assert internet.requests[0].host == "xn--4y2bl5s.xn--3e0b707e"


# Waiting times.


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("1e400", None),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 0.0),
        ("Fri, 99 Dec 1999 23:59:59 GMT", None),
    ],
)
def test_a_waiting_time_is_read_in_any_form(header: str, seconds: Optional[float]) -> None:
    assert retry_after({"Retry-After": header}) == seconds


@pytest.mark.parametrize("zone", [datetime.timezone.utc, datetime.timezone(datetime.timedelta(hours=9))])
def test_a_waiting_time_can_be_a_date(zone: datetime.tzinfo) -> None:
    header = email.utils.format_datetime(datetime.datetime.now(zone) + datetime.timedelta(seconds=600))

    assert 500 < (retry_after({"Retry-After": header}) or 0) <= 600


def test_a_date_without_a_zone_is_meant_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Seoul")
    if hasattr(time, "tzset"):
        time.tzset()
    header = time.strftime("%a, %d %b %Y %H:%M:%S -0000", time.gmtime(time.time() + 600))

    found = retry_after({"Retry-After": header}) or 0

    monkeypatch.undo()
    if hasattr(time, "tzset"):
        time.tzset()
    assert 500 < found <= 600


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(64.57, 64.57), (5, 5.0), (-1, 0.0), (True, None), ("5", None), (None, None), (float("nan"), None), (1e400, None)],
)
def test_a_waiting_time_can_be_a_number_in_json(value: Any, seconds: Optional[float]) -> None:
    assert base.wait_of(value) == seconds


# Forms with files.


def test_a_form_with_a_file_is_read_by_others_as_it_was_meant(internet: Internet) -> None:
    picture = Picture("image/jpeg", b64encode(b"\xff\xd8\xff\0\r\n--").decode())

    Webhook(url=URL).post(URL, method="PUT", form={"text": "학습\r\n끝"}, files={"photo": picture})

    request = internet.requests[0]
    assert request.method == "PUT"
    assert request.parts["text"].content.decode() == "학습\r\n끝"
    assert request.parts["photo"] == ("picture.jpeg", "image/jpeg", picture.content)


# Logs.


def test_only_our_own_requests_are_kept_out_of_the_log(internet: Internet, caplog: pytest.LogCaptureFixture) -> None:
    import requests

    caplog.set_level(logging.DEBUG)
    send()
    assert CANARY not in caplog.text

    requests.post("https://other.example.com/theirs", data=b"")

    assert "/theirs" in caplog.text


def test_every_secret_form_is_hidden() -> None:
    key = f"{CANARY}-0123456789"
    channel = Webhook(url=f"https://me:{key}pw@x.example/hooks/{key}?sig={key}%3D", secret=f"{key} secret")

    said = channel.hide(f"no {key}pw, /hooks/{key}, sig={key}%3D, {key} secret, {key}%20secret, {key}+secret")

    assert CANARY not in said
    assert said.startswith("no ")


def test_settings_may_name_http_addresses_of_one_s_own(internet: Internet) -> None:
    internet.routes[80] = internet.closed.getsockname()[1]

    assert not error_of("http://127.0.0.1:9/hook").permanent


@pytest.mark.parametrize("limit", [60, 200])
def test_a_long_name_leaves_room_for_how_it_went_and_how_long_it_took(limit: int) -> None:
    error = ErrorInfo("ValueError", "loss is nan " * 40, "cell, 3, <module>")
    told = render(Event("failed", "아주 긴 이름 " * 60, 0.0, 60.0, 60.0, error=error), "standard", lang="ko")

    headline, *_ = base.fit(told, limit, len).splitlines()

    assert headline.startswith("❌ 아주 긴")
    assert headline.endswith("… 실패했어요 · 1분")
    assert len(base.fit(told, limit, len)) <= limit


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("봇 토큰(123456789:AAE...)", "을"),
        ("봇 토큰", "을"),
        ("영문자와 숫자", "를"),
        ("봇의 App Key", "를"),
    ],
)
def test_the_korean_particle_follows_the_word_and_not_its_brackets(words: str, said: str) -> None:
    assert addresses._object(words) == said
