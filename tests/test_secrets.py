"""Canaries: secrets of every kind go in, real kernels run, fail and die, and nobody may hear a canary sing.

They are searched for in every file that we leave, in what our processes are started with, in what stands under
the cells, in the saved notebook, in logs, and in what arrives.
"""

from __future__ import annotations

import base64
import http.server
import json
import logging
import sqlite3
import threading
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple
from urllib.parse import quote

import nbformat
import pytest
from conftest import Home, Kernel, linux_only, poll
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from knock_magic import channels, delivery, launch
from knock_magic.channels.base import Channel
from knock_magic.errors import DeliveryError
from knock_magic.event import Event
from knock_magic.knocker import Knocker
from knock_magic.redaction import MARK
from knock_magic.settings import Secret, Sources
from knock_magic.template import Message

URL, SIGNING, ENV, LATE, THROWN, TYPED, SHOWN, NAMED, DYING, SENT = CANARIES = [
    f"canary{number}Zq{number * 7919}x" for number in range(10)
]
FORMS = [
    form
    for canary in CANARIES
    for form in (canary, quote(canary), base64.b64encode(canary.encode()).decode().rstrip("=")[:-1])
]


def heard(text: Any) -> List[str]:
    """The canaries in a text or in bytes."""
    whole = text if isinstance(text, bytes) else str(text).encode("utf-8", "replace")
    return [form for form in FORMS if form.encode() in whole]


def heard_in_files(*folders: Path) -> Dict[str, List[str]]:
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    found = {path.name: heard(path.read_bytes()) for path in files}
    return {name: canaries for name, canaries in found.items() if canaries}


# Servers.


class Mirror:
    """A server that answers with all that it got, as helpful ones do."""

    def __init__(self, status: int = 200, headers: Tuple[Tuple[str, str], ...] = (), *, delay: bool = False) -> None:
        mirror = self
        self.requests: List[Tuple[str, bytes]] = []
        self._news = threading.Condition()
        self._closing = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                mirror._take(self.path, body)
                if delay:
                    mirror._closing.wait()
                said = f"you sent {self.path} with {dict(self.headers.items())} and {body!r}".encode()
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            do_GET = do_POST  # noqa: N815 - http.server asks for this name

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a sender that was killed
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/hook/{URL}?sig={URL}"

    def _take(self, path: str, body: bytes) -> None:
        with self._news:
            self.requests.append((path, body))
            self._news.notify_all()

    def events(self) -> List[Dict[str, Any]]:
        return [json.loads(body) for _, body in self.requests]

    def wait_for(self, *events: str) -> List[Dict[str, Any]]:
        """The bodies, once there is one of each of `events`."""
        with self._news:
            there = self._news.wait_for(lambda: set(events) <= {each["event"] for each in self.events()}, 40)
        assert there, [each["event"] for each in self.events()]
        return self.events()

    def close(self) -> None:
        self._closing.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def mirror() -> Iterator[Callable[..., Mirror]]:
    mirrors: List[Mirror] = []

    def make(*arguments: Any, **options: Any) -> Mirror:
        mirrors.append(Mirror(*arguments, **options))
        return mirrors[-1]

    yield make
    for each in mirrors:
        each.close()


# Our processes, seen from outside.


class Lookout:
    """Looks all the time at what our processes are started with; a delivery lives for a moment only."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._over = threading.Event()
        self.seen: Dict[int, Tuple[bytes, bytes]] = {}
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(0.005):
            for pid in self._home.helpers():
                try:
                    here = Path("/proc", str(pid))
                    self.seen[pid] = ((here / "cmdline").read_bytes(), (here / "environ").read_bytes())
                except OSError:
                    pass

    def close(self) -> None:
        self._over.set()
        self._thread.join()


@pytest.fixture
def nest(tmp_path: Path) -> Iterator[Home]:
    """A home of each test's own: what one left must not be found by another."""
    home = Home(tmp_path)
    yield home
    home.clean()


@pytest.fixture
def kernel_at(nest: Home) -> Iterator[Callable[..., Kernel]]:
    kernels: List[Kernel] = []

    def start(url: str, **settings: str) -> Kernel:
        runtime = nest.folder / "run"
        runtime.mkdir(mode=0o700)
        env = nest.env(
            KNOCK_TO="webhook",
            KNOCK_WEBHOOK_URL=url,
            KNOCK_WEBHOOK_SECRET=SIGNING,
            SOME_API_KEY=ENV,
            XDG_RUNTIME_DIR=str(runtime),
            **settings,
        )
        kernels.append(Kernel(env, nest.work))
        return kernels[-1]

    yield start
    for kernel in kernels:
        kernel.close()


# What the person does.

LOGS = "import logging; logging.basicConfig(level=0, force=True)"
FINISHES = f"""%%knock login with token={NAMED} --show password --show note
import os
os.environ["LATE_TOKEN"] = {LATE!r}
password, note = {SHOWN!r}, "env " + os.environ["SOME_API_KEY"] + " and {LATE}"
"""
FINISHES_TOO = f"%%knock\nclient = dict(host='db', api_key={TYPED!r})"
FAILS = f"""%%knock --template detailed
import os
def connect(address, **options):
    raise ConnectionError(f"no answer from {{address}} with {{options}} and {{os.environ['SOME_API_KEY']}}"
        f" at {{os.environ['KNOCK_WEBHOOK_URL']}}, signed {{os.environ['KNOCK_WEBHOOK_SECRET']}}")
connect('postgres://me:{THROWN}@db.example.com/x', password={THROWN!r})
"""
DIES = f"connection = dict(password={DYING!r}); import os; os.kill(os.getpid(), 9)"


def live(kernel: Kernel) -> str:
    """Cells that finish and fail; what stands under them, but for Python's own words on the error."""
    said = [kernel.run(LOGS).said, kernel.load().run("").said]
    for cell in (FINISHES, FINISHES_TOO, FAILS, f"%knock send my password: {SENT}"):
        said.append(kernel.run(cell).said)
    return "\n".join(said)


def ask_around(kernel: Kernel) -> str:
    """What the commands tell of it afterwards."""
    return "\n".join(kernel.run(line).said for line in ("%knock", "%knock history", "%knock channels", "6 * 7"))


def told(home: Home) -> Dict[str, str]:
    """What is in the outbox by now: of each kind of event, what came of a delivery, empty while nothing has."""
    try:
        db = sqlite3.connect(f"file:{home.folder}/knock/outbox.db?mode=ro", uri=True)
        try:
            rows = db.execute(
                "SELECT event, coalesce(reason, CASE WHEN ended_at THEN 'done' ELSE '' END) FROM knocks LEFT JOIN deliveries ON knock = id"
            )
            return dict(rows.fetchall())
        finally:
            db.close()
    except sqlite3.OperationalError:  # not there yet
        return {}


# The tests.

SERVERS = ["working", "refused", "silent", "TLS error", "404", "500", "redirect"]


@linux_only
@pytest.mark.parametrize("case", SERVERS)
def test_no_canary_is_heard(
    case: str, nest: Home, kernel_at: Callable[..., Kernel], mirror: Callable[..., Mirror]
) -> None:
    elsewhere = mirror()
    server = {
        "404": lambda: mirror(404),
        "500": lambda: mirror(500),
        "redirect": lambda: mirror(302, (("Location", elsewhere.url),)),
        "silent": lambda: mirror(delay=True),
    }.get(case, mirror)()
    url = server.url.replace("http:", "https:") if case == "TLS error" else server.url
    if case == "refused":
        server.close()
    kernel = kernel_at(url)
    lookout = Lookout(nest)

    said = live(kernel)
    poll(lambda: {"finished", "failed", "message"} <= set(told(nest)), "the outbox", 40)
    if case != "silent":
        poll(lambda: any(told(nest).values()), "an answer", 40)
    said += ask_around(kernel)
    kernel.run("%knock auto 0")
    kernel.start(DIES)
    kernel.wait_until_dead()
    poll(lambda: "died" in told(nest), "the death in the outbox", 40)
    if case == "working":
        server.wait_for("finished", "failed", "message", "died")
    lookout.close()

    assert heard(said) == []
    assert heard_in_files(nest.folder / "knock", nest.folder / "run") == {}
    assert heard((nest.work / "kernel.log").read_bytes()) == []
    assert len(lookout.seen) >= 2
    for words, environ in lookout.seen.values():
        assert heard(words) == []
        # The person's own variables are passed on, as to every process that a notebook starts.
        assert set(heard(environ)) <= {ENV, base64.b64encode(ENV.encode()).decode().rstrip("=")[:-1]}
    assert elsewhere.requests == []
    for body in server.events():
        assert heard(json.dumps(body)) == []
        assert MARK in json.dumps(body) or body["event"] not in ("finished", "failed", "died", "message")


@linux_only
def test_what_arrives_still_tells_what_happened(
    nest: Home, kernel_at: Callable[..., Kernel], mirror: Callable[..., Mirror]
) -> None:
    server = mirror()
    kernel = kernel_at(server.url)

    live(kernel)
    server.wait_for("finished", "failed", "message")
    kernel.run("%knock auto 0")
    kernel.start(DIES)
    bodies = {(each["event"], each["name"]): each for each in server.wait_for("died")}
    events = {event: body for (event, _), body in bodies.items()}

    assert ("finished", f"login with token={MARK}") in bodies
    assert bodies["finished", f"login with token={MARK}"]["metrics"] == {
        "password": MARK,
        "note": f"env {MARK} and {MARK}",
    }
    assert ("finished", f"client = dict(host='db', api_key='{MARK}')") in bodies
    assert events["died"]["name"].startswith(f"connection = dict(password='{MARK}")
    assert events["message"]["text"].endswith(f"my password: {MARK}")
    error = events["failed"]["error"]
    assert error["type"] == "ConnectionError"
    assert error["message"].startswith(
        f"no answer from postgres://{MARK}@db.example.com/x with {{'password': '{MARK}'}}"
    )
    assert f"connect('postgres://{MARK}@db.example.com/x', password='{MARK}')" in error["traceback"]


@linux_only
def test_no_canary_is_heard_where_no_process_can_be_started(
    nest: Home, kernel_at: Callable[..., Kernel], mirror: Callable[..., Mirror]
) -> None:
    """The delivery then works in the kernel, where people let every library log."""
    server = mirror(404)
    kernel = kernel_at(server.url)
    refuse = "import knock_magic.launch, errno\ndef no(*a, **k): raise OSError(errno.EAGAIN, 'no')\nknock_magic.launch.start = no"
    kernel.run(refuse)

    said = live(kernel)
    server.wait_for("finished")
    said += ask_around(kernel)

    assert "in the kernel itself" in said or "from the kernel" in said
    assert heard(said) == []
    assert heard_in_files(nest.folder / "knock", nest.folder / "run") == {}


def test_no_canary_is_heard_in_a_saved_notebook(nest: Home, mirror: Callable[..., Mirror]) -> None:
    """But where the person wrote it, or Python showed it."""
    server = mirror(404)
    sources = [LOGS, "%load_ext knock", FINISHES, "%knock", "%knock test", "%knock history", "%knock channels", FAILS]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    client = NotebookClient(notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": nest.work}})

    with pytest.raises(CellExecutionError):
        client.execute(
            env=nest.env(
                KNOCK_TO="webhook,notebook",
                KNOCK_WEBHOOK_URL=server.url,
                KNOCK_WEBHOOK_SECRET=SIGNING,
                SOME_API_KEY=ENV,
            )
        )

    ours = [output for cell in notebook.cells for output in cell.get("outputs", []) if output["output_type"] != "error"]
    assert MARK in json.dumps(ours)
    assert heard(json.dumps(ours)) == []
    assert heard(json.dumps(notebook.metadata)) == []


# What is printed by accident: objects, errors, logs.


def test_no_object_shows_what_is_set(tmp_path: Path) -> None:
    environ = {
        "KNOCK_HOME": str(tmp_path),
        "KNOCK_WEBHOOK_URL": f"https://example.com/{URL}",
        "KNOCK_WEBHOOK_SECRET": SIGNING,
    }
    said: List[str] = []
    door = Knocker(Sources(environ, {"Webhook": {"secret": SHOWN}}), say=said.append)
    channel = door.ready("webhook")

    objects = [
        door,
        channel,
        door.settings,
        door.configuration,
        door.configuration.sources,
        door.redactor,
        door.sidecar,
    ]
    objects += [*vars(door).values(), *vars(door.configuration).values()]

    for each in objects:
        assert heard(repr(each)) == []
        assert heard(str(each)) == []
    assert heard("\n".join(said)) == []


def test_a_wrong_setting_is_not_shown(tmp_path: Path) -> None:
    environ = {
        "KNOCK_HOME": str(tmp_path),
        "KNOCK_TO": "webhook",
        "KNOCK_WEBHOOK_URL": f"htp:/{URL}",
        "KNOCK_WEBHOOK_SECRT": SIGNING,
    }
    said: List[str] = []

    door = Knocker(Sources(environ, {"Webhook": {"secret": [SHOWN]}}), say=said.append)
    door.in_use()

    assert said
    assert heard("\n".join(said)) == []


def test_what_the_person_is_told_is_redacted(tmp_path: Path) -> None:
    said: List[str] = []
    door = Knocker(Sources({"KNOCK_HOME": str(tmp_path), "SOME_API_KEY": ENV}), say=said.append)

    door.warn(f"--show x: KeyError: {ENV!r}")
    door.trouble.append(f"a server said {ENV}")
    door.tell_trouble()

    assert said == [f"--show x: KeyError: '{MARK}'", f"a server said {MARK}"]


def test_a_fault_of_our_own_is_logged_without_secrets(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from knock_magic.guard import guarded

    monkeypatch.setenv("SOME_API_KEY", ENV)

    @guarded
    def hook() -> None:
        raise ValueError(f"a fault with {ENV} and password={THROWN}" + "x" * 1_000_000)

    with caplog.at_level(logging.ERROR):
        hook()

    said = "\n".join(logging.Formatter().format(record) for record in caplog.records)
    assert "ValueError" in said
    assert "in hook" in said
    assert heard(said) == []
    assert len(said) < 10_000


def test_what_a_channel_says_of_a_failure_is_redacted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of someone's own channel, which may say anything."""

    class Loud(Channel):
        key = "loud"
        label = {"en": "Loud", "ko": "Loud"}
        token = Secret().tag(config=True)

        def send(self, message: Message) -> None:
            raise DeliveryError(f"nobody at https://example.com/{self.token}", permanent=True)

    monkeypatch.setattr(channels, "find", lambda name: Loud)
    event = Event(event="finished", name="train", started_at=0.0)
    item = {"knock": event.id, "channel": "loud", "settings": {"token": URL}, "event": event.to_json(), "late_s": 0.0}

    result = delivery.send({**item, "lang": "en", "template": "standard"})

    assert result["reason"] == f"nobody at https://example.com/{MARK}"


def test_our_processes_get_no_settings_of_channels() -> None:
    environ = {
        "KNOCK_HOME": "/home",
        "KNOCK_LANG": "ko",
        "KNOCK_SLACK_WEBHOOK_URL": URL,
        "knock_kakao_refresh_token": SIGNING,
        "SOME_API_KEY": "mine",
        "HTTPS_PROXY": "http://proxy",
    }

    left = launch.environment(environ)

    assert left == {name: environ[name] for name in ("KNOCK_HOME", "KNOCK_LANG", "SOME_API_KEY", "HTTPS_PROXY")}
