"""Deliveries under fire: what hangs, refuses or asks to wait holds up nobody else, and nothing that was kept is lost."""

from __future__ import annotations

import collections
import email.utils
import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, Deque, Dict, Iterator, List, Optional, Tuple

import pytest
from conftest import linux_only, poll
from fire import setting
from road import ANY_NAME, Road, boot, children, deadline, wait_for_delivery

from knock_magic import launch, retry
from knock_magic.knocker import Knocker
from knock_magic.settings import Sources

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="ends processes by signals")

Build = Callable[..., Road]
DUE = int(os.environ.get("KNOCK_TEST_DUE", "300"))
HOUR = 3600.0

# Instead of a quarter of an hour and half a second.
HASTY = setting("retry", "LONGEST_S", 1.0)


@pytest.fixture
def road(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Build]:
    """Build a road whose processes run the given lines first."""
    roads: List[Road] = []

    def build(*lines: str, **options: Any) -> Road:
        monkeypatch.setattr(launch, "_BOOT", boot(*ANY_NAME, *lines))
        roads.append(Road(tmp_path, **options))
        return roads[-1]

    yield build
    for each in roads:
        each.kill()


# Servers.

Answer = Tuple[int, Dict[str, str]]
OK: Answer = (200, {})


class Server:
    """A phone that answers each knock as `answer` says, and knows how many were asking at once."""

    def __init__(self, answer: Callable[[Dict[str, Any]], Optional[Answer]] = lambda _: OK) -> None:
        self._answer = answer
        self._news = threading.Condition()
        self._inside = 0
        self.most_at_once = 0
        self.came: List[Dict[str, Any]] = []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                server._take(self)

            def log_message(self, *_: Any) -> None:
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_: Any) -> None:
                """A delivery that was killed is part of the tests."""

        self._server = Quiet(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/knock"

    @property
    def names(self) -> List[str]:
        with self._news:
            return [knock["name"] for knock in self.came]

    def wait(self, n: int = 1, timeout: float = 30) -> Dict[str, Any]:
        with self._news:
            there = self._news.wait_for(lambda: len(self.came) >= n, timeout)
            assert there, f"{n} knocks did not come within {timeout} s, but {[knock['name'] for knock in self.came]}"
            return self.came[n - 1]

    def _take(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        knock = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        knock["at"] = time.monotonic()
        with self._news:
            self._inside += 1
            self.most_at_once = max(self.most_at_once, self._inside)
            self.came.append(knock)
            self._news.notify_all()
        try:
            answer = self._answer(knock)
        finally:
            with self._news:
                self._inside -= 1
        if answer is None:  # hung up on, after all was read
            handler.close_connection = True
            return
        handler.send_response(answer[0])
        for name, value in answer[1].items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: List[Server] = []

    def start(answer: Callable[[Dict[str, Any]], Optional[Answer]] = lambda _: OK) -> Server:
        servers.append(Server(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


Serve = Callable[..., Server]


def in_turn(*answers: Optional[Answer]) -> Callable[[Dict[str, Any]], Optional[Answer]]:
    """Answer so, one after the other, and with 200 from then on."""
    left: Deque[Optional[Answer]] = collections.deque(answers)
    return lambda _: left.popleft() if left else OK


class Hole:
    """A server that takes connections, and then does as `treat` says until all is over."""

    def __init__(self, treat: Callable[[socket.socket, threading.Event], None]) -> None:
        self._treat = treat
        self._over = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.at = f"127.0.0.1:{self._socket.getsockname()[1]}/knock"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(line,), daemon=True).start()

    def _one(self, line: socket.socket) -> None:
        with line:
            try:
                self._treat(line, self._over)
            except OSError:
                pass

    def close(self) -> None:
        self._over.set()
        self._socket.close()


def drip(line: socket.socket, over: threading.Event) -> None:
    """A byte a second never runs into a time-out between two of them."""
    line.recv(65536)
    for byte in b"HTTP/1.1 200 OK\r\nX-Filler: " + b"x" * 10_000:
        line.sendall(bytes([byte]))
        if over.wait(1):
            return


def silence(line: socket.socket, over: threading.Event) -> None:
    over.wait()


@pytest.fixture
def hole() -> Iterator[Callable[..., Hole]]:
    holes: List[Hole] = []

    def dig(treat: Callable[[socket.socket, threading.Event], None]) -> Hole:
        holes.append(Hole(treat))
        return holes[-1]

    yield dig
    for each in holes:
        each.close()


# Side by side.


def test_addresses_are_reached_side_by_side(road: Build, serve: Serve) -> None:
    """None of them answers before all have been asked."""
    meeting = threading.Barrier(6)
    here = road()
    names = [f"phone{number}" for number in range(6)]
    for name in names:
        here.teach(name, serve(lambda _: (meeting.wait(30), OK)[1]).url)

    told = here.tell("to all", names)

    assert all(here.hear("result", id=told, channel=name)["ok"] for name in names)


def test_one_address_gets_one_at_a_time(road: Build, serve: Serve) -> None:
    """Though many wait for it, and there is time enough to send them."""
    go_on = threading.Event()
    phone, other = serve(lambda _: (go_on.wait(60), OK)[1]), serve()
    here = road()
    here.teach("phone", phone.url)
    here.teach("other", other.url)

    for number in range(12):
        here.tell_kept(f"knock {number}")
    for number in range(3):
        here.hear("result", id=here.tell(f"meanwhile {number}", ["other"]))
    at_first = len(phone.came)
    go_on.set()

    phone.wait(12)
    assert (at_first, phone.most_at_once) == (1, 1)
    assert sorted(phone.names) == sorted(f"knock {number}" for number in range(12))


@pytest.mark.once
@pytest.mark.timeout(60 + DUE / 5)
def test_many_that_are_due_are_drained_without_a_stampede(road: Build, serve: Serve) -> None:
    """All is due at the same moment: a server that was down has come back. Each arrives once, one after the other."""
    open_again = threading.Event()
    phone = serve(lambda _: OK if open_again.is_set() else (503, {"Retry-After": "1"}))
    here = road(HASTY)
    here.teach("phone", phone.url)
    told = [here.tell(f"knock {number}") for number in range(DUE)]
    here.wait_until(lambda: all(map(here.sidecar.kept, told)), "all to be kept", 30 + DUE / 20)

    tried = len(phone.names)
    open_again.set()
    phone.wait(tried + DUE, 60 + DUE / 10)
    here.end()

    delivered = phone.names[-DUE:]
    assert len(set(delivered)) == DUE
    assert phone.most_at_once == 1
    assert here.states() == {"done": DUE}


# Whatever hangs.

SILENT_DNS = (
    "import socket, time",
    "look_up = socket.getaddrinfo",
    "socket.getaddrinfo = lambda host, *a, **k: time.sleep(1000) if host == 'silent.test' else look_up(host, *a, **k)",
)


def test_what_hangs_is_ended_and_holds_up_nobody(road: Build, serve: Serve, hole: Callable[..., Hole]) -> None:
    """A server that drips, one that never answers the TLS greeting, and a name that nobody looks up."""
    phone = serve()
    here = road(deadline(5.0), setting("retry", "FIRST_S", 1000.0), *SILENT_DNS)
    hanging = {
        "drip": f"http://{hole(drip).at}",
        "silent tls": f"https://{hole(silence).at}",
        "silent dns": "http://silent.test/knock",
    }
    for name, url in {**hanging, "good": phone.url}.items():
        here.teach(name, url)

    both = here.tell("to all", [*hanging, "good"])
    behind = here.tell("behind it", list(hanging))
    assert here.hear("result", id=both, channel="good")["ok"]
    for number in range(3):
        assert here.hear("result", id=here.tell(f"meanwhile {number}", ["good"]))["ok"]
    ended = [here.hear("result", id=both, channel=name) for name in hanging]

    assert [answer["channel"] for answer in here.said("result")[:4]] == ["good"] * 4
    for result in ended:
        assert (result["ok"], result["permanent"], result["maybe_sent"]) == (False, False, True)
        assert "time" in result["reason"]
    poll(lambda: not children(here.courier), "the deliveries to be gone")
    rows = here.rows("SELECT knock, attempts, maybe_sent FROM deliveries WHERE state = 'due'")
    # What was not begun was not tried, and can't have arrived.
    assert sorted(rows) == sorted([(both, 1, 1), (behind, 0, 0)] * len(hanging))


@linux_only
def test_a_delivery_that_is_stopped_is_ended_and_holds_up_nobody(
    road: Build, serve: Serve, hole: Callable[..., Hole]
) -> None:
    phone = serve()
    here = road(deadline(6.0), HASTY)
    here.teach("slow", f"http://{hole(silence).at}")
    here.teach("good", phone.url)

    stopped = here.tell("stopped", ["slow"])
    delivery = wait_for_delivery(here.courier)
    os.kill(delivery, signal.SIGSTOP)
    here.teach("slow", phone.url, fingerprint="another")  # so that nothing else hangs
    good = here.tell("good", ["good"])

    assert here.hear("result", id=good)["ok"]
    assert not here.said("result", id=stopped)
    assert here.hear("result", id=stopped)["maybe_sent"]
    poll(lambda: is_zombie(delivery), "the delivery to be gone")


def test_many_addresses_that_hang_hold_up_no_other(road: Build, serve: Serve, hole: Callable[..., Hole]) -> None:
    phone, deep = serve(), hole(silence)
    here = road()
    for number in range(8):
        here.teach(f"bad{number}", f"http://{deep.at}", fingerprint=f"bad {number}")
        told = here.tell_kept(f"to bad {number}", [f"bad{number}"])
        poll(lambda told=told: here.rows(f"SELECT 1 FROM deliveries WHERE knock = '{told}' AND attempts = 1"), "a try")
    here.teach("good", phone.url)

    here.tell("to good", ["good"])

    assert phone.wait()["name"] == "to good"


def test_a_delivery_that_was_killed_is_made_again(road: Build, serve: Serve) -> None:
    asked, go_on = threading.Semaphore(0), threading.Event()
    phone = serve(lambda _: (asked.release(), go_on.wait(30), OK)[2])
    here = road(HASTY)
    here.teach("phone", phone.url)

    here.tell("train")
    assert asked.acquire(timeout=30)
    os.kill(wait_for_delivery(here.courier), signal.SIGKILL)
    go_on.set()

    assert here.hear("result", ok=True)["name"] == "train"
    assert phone.names == ["train", "train"]
    assert "may have this one already" in phone.came[1]["text"]


@linux_only
def test_what_a_channel_leaves_running_holds_up_nobody(road: Build, serve: Serve) -> None:
    """A process that a library started has our pipe, and outlives the delivery."""
    phone = serve()
    seconds = f"1000.{os.getpid()}"
    leave = (
        "if sys.argv[2] == 'delivery':",
        f"    import subprocess; subprocess.Popen(['sleep', '{seconds}'])",
    )
    here = road(deadline(3.0), *leave)
    here.teach("phone", phone.url)

    here.tell("one")
    phone.wait(1)
    here.tell("two")
    phone.wait(2)
    courier = here.courier
    here.sidecar.close()

    poll(lambda: not Path("/proc", str(courier)).exists() or is_zombie(courier), "the courier to leave", 30)
    assert not [pid for pid in processes() if command_of(pid) == f"sleep\0{seconds}\0".encode()]


def is_zombie(pid: int) -> bool:
    try:
        return Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def processes() -> List[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def command_of(pid: int) -> bytes:
    try:
        return Path("/proc", str(pid), "cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize(
    "poison",
    [
        "raise RuntimeError('a fault in the channel')",
        "os._exit(1)",
        "raise importlib.import_module('knock_magic.errors').DeliveryError('HTTP 500', maybe_sent=True)",
    ],
    ids=["raises", "ends the process", "is refused for now"],
)
def test_a_knock_that_can_not_be_sent_holds_up_none_behind_it(poison: str, road: Build, serve: Serve) -> None:
    phone = serve()
    lines = (
        "if sys.argv[2] == 'delivery':",
        "    import os",
        "    plain = webhook.send",
        "    def send(self, message):",
        "        if message.event.name == 'poison':",
        f"            {poison}",
        "        plain(self, message)",
        "    webhook.send = send",
    )
    # Without chance, for by chance the others would come first now and then.
    here = road(
        *lines,
        "if sys.argv[2] == 'courier':",
        "    importlib.import_module('knock_magic.courier').chance = lambda: 0.5",
    )
    here.teach("phone", phone.url)

    poison_id = here.tell_kept("poison")
    for number in range(8):
        here.tell_kept(f"good {number}")

    phone.wait(8, timeout=30)
    assert sorted(phone.names) == [f"good {number}" for number in range(8)]
    assert here.rows(f"SELECT state FROM deliveries WHERE knock = '{poison_id}'") in ([("due",)], [("sending",)])


# Asked to wait.


def date_in(seconds: float) -> str:
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


def test_who_asks_to_wait_is_left_alone_as_a_whole(road: Build, serve: Serve) -> None:
    """By seconds, a date, or a field of its own. The credential is paused, not the knock: what comes later waits too."""
    own_field = (
        "if sys.argv[2] == 'delivery':",
        "    errors, plain = importlib.import_module('knock_magic.errors'), webhook.send",
        "    def send(self, message):",
        "        try:",
        "            plain(self, message)",
        "        except errors.DeliveryError as error:",
        "            raise errors.DeliveryError(error.texts, retry_after=error.retry_after or 2.5)",
        "    webhook.send = send",
    )
    here = road(*own_field)
    asking = {
        "seconds": in_turn((429, {"Retry-After": "2.5"})),
        "date": lambda knock: OK if len(servers["date"].came) > 1 else (429, {"Retry-After": date_in(4)}),
        "own field": in_turn((500, {})),
    }
    servers = {name: serve(answer) for name, answer in asking.items()}
    other = serve()
    for name, server in {**servers, "other": other}.items():
        here.teach(name, server.url)

    first = here.tell("first", list(servers))
    for name in servers:
        here.hear("result", id=first, channel=name)
    later = [here.tell(f"later {number}", [*servers, "other"]) for number in range(3)]
    for each in later:
        assert here.hear("result", id=each, channel="other")["ok"]
    for server in servers.values():
        server.wait(5)

    for server in servers.values():
        assert min(knock["at"] for knock in server.came[1:]) - server.came[0]["at"] > 2
        assert sorted(server.names[1:]) == ["first", "later 0", "later 1", "later 2"]
    attempts = here.rows("SELECT attempts, count(*) FROM deliveries WHERE channel <> 'other' GROUP BY attempts")
    assert attempts == [(1, 9), (2, 3)]


def test_another_kernel_with_the_same_key_waits_too(road: Build, serve: Serve) -> None:
    busy = serve(in_turn((429, {"Retry-After": "2.5"})))
    one, two = road(), road()
    for each in (one, two):
        each.teach("busy", busy.url)

    one.hear("result", id=one.tell("first", ["busy"]))
    two.tell("of the other", ["busy"])
    busy.wait(3)

    assert min(knock["at"] for knock in busy.came[1:]) - busy.came[0]["at"] > 2


def test_nobody_may_ask_for_more_than_six_hours(road: Build, serve: Serve) -> None:
    asked = {"9999999": 6, "1e400": 0, "nan": 0, "-5": 0, "tomorrow": 0, date_in(50 * HOUR): 6}
    here = road()
    for header in asked:
        here.teach(header, serve(lambda _, header=header: (429, {"Retry-After": header})).url)

    told = here.tell("train", list(asked))
    for header in asked:
        here.hear("result", id=told, channel=header)

    waits = dict(here.rows(f"SELECT channel, next_at - {time.time()} FROM deliveries"))
    assert waits == {header: pytest.approx(hours * HOUR, abs=60) for header, hours in asked.items()}


# Given up.


def test_what_could_not_be_delivered_for_a_day_is_told_elsewhere_and_here(road: Build, serve: Serve) -> None:
    phone, other = serve(), serve()
    here = road()
    here.teach("phone", phone.url)
    here.teach("other", other.url)
    yesterday = time.time() - retry.EXPIRES_S - 60

    here.tell("train", ["phone"], "finished", started_at=yesterday - 60, ended_at=yesterday)

    said = here.hear("expired")
    warning = other.wait()
    here.end()
    assert (said["channel"], said["name"]) == ("phone", "train")
    assert (warning["event"], warning["name"]) == ("warning", "phone")
    assert warning["text"] == "⚠️ phone could not be reached for a day\nNot delivered: train"
    assert phone.came == []
    assert here.rows("SELECT state, reason FROM deliveries WHERE channel = 'phone'") == [
        ("expired", "a day has passed")
    ]


def test_many_that_expire_make_one_warning_and_none_of_its_own(road: Build, serve: Serve) -> None:
    """A week without a network: neither a warning for each, nor warnings about warnings for ever."""
    one, two = serve(), serve()
    here = road()
    here.teach("one", one.url)
    here.teach("two", two.url)
    yesterday = time.time() - retry.EXPIRES_S - 60
    for number in range(30):
        here.tell(f"train {number}", ["one"], "finished", started_at=yesterday, ended_at=yesterday)
    for _ in range(3):
        here.tell("two", ["one"], "warning", started_at=yesterday, ended_at=yesterday, text="old", note="expired")

    here.hear("expired")
    here.end()

    assert here.rows("SELECT count(*) FROM deliveries WHERE state = 'expired'") == [(33,)]
    assert len(two.came) == 1
    assert "30" in two.came[0]["text"] or "29 more" in two.came[0]["text"]
    assert one.came == []
    assert len(here.said("expired")) == 1


def test_what_nobody_can_send_any_more_expires_too(road: Build, serve: Serve) -> None:
    """Its courier is gone, and no kernel has its settings: it would wait for ever, and nobody would hear of it."""
    gone = road()
    gone.teach("phone", "http://127.0.0.1:9/nobody")
    gone.tell_kept("old")
    gone.hear("result", ok=False)
    gone.kill()
    yesterday = time.time() - retry.EXPIRES_S - 60
    gone.change(f"UPDATE knocks SET happened_at = {yesterday}")

    here = road(setting("courier", "TICK_S", 0.5))
    here.teach("phone", serve().url)

    assert here.hear("expired")["name"] == "old"
    assert here.states() == {"expired": 1}


# Refused for good.


@pytest.mark.parametrize("status", [401, 404])
def test_a_revoked_address_is_put_aside_and_told_once(status: int, road: Build, serve: Serve) -> None:
    revoked, other = serve(lambda _: (status, {})), serve()
    here = road()
    here.teach("revoked", revoked.url)
    here.teach("other", other.url)

    for number in range(5):
        here.tell_kept(f"train {number}", ["revoked"])
    aside = here.hear("aside")
    here.tell_kept("later", ["revoked", "other"])
    other.wait(2)
    here.end()

    assert aside["channel"] == "revoked"
    assert f"HTTP {status}" in aside["reason"]
    assert "set it" in aside["reason"]  # the way to mend it
    warnings = [knock for knock in other.came if knock["event"] == "warning"]
    assert [(knock["name"], knock["title"]) for knock in warnings] == [("revoked", "⚠️ revoked is put aside")]
    assert aside["reason"] in warnings[0]["text"]
    assert "later" in other.names
    # What waited behind the one that was refused is not thrown at it any more.
    assert len(revoked.came) < 5
    assert here.rows("SELECT count(*) FROM deliveries WHERE state IN ('due', 'sending')") == [(0,)]


def test_it_is_told_elsewhere_in_the_user_s_language_also_where_no_plain_cell_knocks(road: Build, serve: Serve) -> None:
    revoked, other = serve(lambda _: (404, {})), serve()
    here = road(lang="ko")
    here.teach("revoked", revoked.url)
    here.teach("other", other.url)

    here.tell_kept("train", ["revoked"])
    other.wait(1)
    here.end()

    assert [knock["title"] for knock in other.came] == ["⚠️ revoked 채널로는 당분간 보내지 않아요"]


def test_what_waits_at_a_revoked_address_is_not_sent_there(road: Build, serve: Serve) -> None:
    """All of them are due at once when the address is found to be dead: one request is enough to know."""
    phone = serve(in_turn((503, {"Retry-After": "2"}), *[(404, {})] * 100))
    here = road()
    here.teach("phone", phone.url)
    here.hear("result", id=here.tell("first"))
    for number in range(20):
        here.tell_kept(f"train {number}")

    here.hear("aside")
    here.end()

    assert len(phone.came) == 2
    assert here.states() == {"failed": 21}
    assert len(here.rows("SELECT 1 FROM deliveries WHERE reason LIKE '%HTTP 404%'")) == 21
    assert here.rows("SELECT count(body) FROM knocks") == [(0,)]


def test_a_test_knock_brings_a_revoked_address_back(road: Build, serve: Serve) -> None:
    phone = serve(in_turn((403, {})))
    here = road()
    here.teach("phone", phone.url)
    here.tell("train")
    here.hear("aside")
    here.tell_kept("lost")

    assert here.hear("result", id=here.tell("knock", event="test"))["ok"]
    here.tell("again")

    phone.wait(3)
    assert phone.names == ["train", "knock", "again"]


def test_each_kernel_is_told_of_a_revoked_address_and_of_its_return(road: Build, serve: Serve) -> None:
    """The one that did not find out would else send into the void, and say nothing."""
    phone = serve(in_turn((403, {})))
    one, two = road(setting("courier", "TICK_S", 0.5)), road(setting("courier", "TICK_S", 0.5))
    for each in (one, two):
        each.teach("phone", phone.url)
    two.tell_kept("before", ["nowhere"])
    one.tell("train")
    one.hear("aside")

    two.tell_kept("unheard")
    assert "HTTP 403" in two.hear("aside")["reason"]
    one.tell("knock", event="test")

    assert two.hear("back")["channel"] == "phone"
    two.tell("again")
    phone.wait(3)
    assert phone.names == ["train", "knock", "again"]


def test_it_says_once_how_to_mend_a_revoked_address_and_uses_the_new_one(
    tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    revoked, fresh, said, shown = serve(lambda _: (404, {})), serve(), [], []
    environ = {"KNOCK_HOME": str(tmp_path), "KNOCK_LANG": "en", "KNOCK_WEBHOOK_URL": revoked.url}
    monkeypatch.setenv("KNOCK_HOME", str(tmp_path))
    knocker = Knocker(Sources(environ), say=said.append, show=lambda message: shown.append(message.title))

    knocker.send("one")
    poll(lambda: knocker.trouble, "the bad news")
    knocker.send("two")
    knocker.tell_trouble()
    knocker.send("three")
    knocker.tell_trouble()
    environ["KNOCK_WEBHOOK_URL"] = fresh.url
    knocker.use(["webhook"])
    knocker.send("four")
    fresh.wait()
    courier = knocker.sidecar._courier
    knocker.close()
    assert isinstance(courier, subprocess.Popen)
    courier.wait(60)

    assert said == [
        "Webhook: it no longer accepts this address or key (HTTP 404). Make a new one and set it. "
        "Nothing more is sent to webhook until `%knock test webhook` works again."
    ]
    assert shown == ["💬 two", "💬 three"]  # under the cell, for there is no other channel left
    assert (revoked.names, fresh.names) == (["one"], ["four"])


# May have arrived.


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_what_may_have_arrived_says_so_when_it_comes_again(lang: str, road: Build, serve: Serve) -> None:
    answers = {"hung up": None, "trouble": (503, {}), "too fast": (429, {})}
    here = road(HASTY, lang=lang)
    phones = {name: serve(in_turn(answer)) for name, answer in answers.items()}
    for name, phone in phones.items():
        here.teach(name, phone.url)

    here.tell("train", list(phones))

    words = {"en": "You may have this one already.", "ko": "이미 받은 알림일 수 있어요."}[lang]
    for name, phone in phones.items():
        phone.wait(2)
        assert phone.came[0]["id"] == phone.came[1]["id"]
        assert words not in phone.came[0]["text"]
        assert (words in phone.came[1]["text"]) == (name != "too fast"), name


@pytest.mark.parametrize("event", ["started", "stalled"])
def test_what_did_not_get_through_of_a_run_is_not_told_after_its_end(road: Build, serve: Serve, event: str) -> None:
    """What was tried waits behind what was not; a person, or a watch outside, would then wait for another end."""
    phone = serve(in_turn((429, {})))
    here = road(HASTY)
    here.teach("phone", phone.url)

    began = here.tell("train", event=event, run="a-run")
    phone.wait()
    here.tell("train", event="finished", run="a-run")
    here.hear("result", ok=True)
    poll(lambda: here.states() == {"done": 1, "merged": 1}, "both to be settled")

    assert [knock["event"] for knock in phone.came] == [event, "finished"]
    assert here.rows(f"SELECT state FROM deliveries WHERE knock = '{began}'") == [("merged",)]


def test_what_a_python_prints_at_its_start_stands_in_no_results(road: Build, serve: Serve) -> None:
    phone = serve()
    here = road("if sys.argv[2] == 'delivery':", "    print('welcome', flush=True)")
    here.teach("phone", phone.url)

    here.tell("train")

    assert here.hear("result", ok=True)["name"] == "train"


def test_what_waited_because_another_was_put_off_says_how_late_it_is(road: Build, serve: Serve) -> None:
    """Also at its own first try: it was ready long before."""
    phone = serve(in_turn((429, {"Retry-After": "2"})))
    here = road(setting("retry", "LATE_S", 0.5))
    here.teach("phone", phone.url)
    here.hear("result", id=here.tell("put off"), ok=False)

    waited = here.tell("waited")
    here.hear("result", id=waited, ok=True)

    told = {knock["name"]: knock["late_s"] for knock in phone.came}
    assert told["waited"] > 0.5
    assert here.rows(f"SELECT late_s > 0.5 FROM deliveries WHERE knock = '{waited}'") == [(1,)]
