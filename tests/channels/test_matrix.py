"""Matrix: its events, its codes, and a real homeserver."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional
from urllib.parse import quote

import pytest
from conftest import Home

from knock_magic.channels.matrix import Matrix
from knock_magic.errors import DeliveryError, SettingsError
from knock_magic.event import ErrorInfo, Picture

from .stage import CANARY, Answer, Contract, Internet, Request, message

ROOM = "!AbCdEf:example.org"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def content(request: Request) -> Dict[str, Any]:
    return request.json.get("m.new_content", request.json)


def alive(request: Request) -> List[str]:
    """Tags but ours, and what a client would link or call."""
    found = [] if content(request)["m.mentions"] == {} else ["m.mentions"]
    page = content(request)["formatted_body"]
    found += set(re.findall(r"<[^>]*>", page)) - {f"<{end}{tag}>" for tag in TAGS for end in ("", "/")}
    prose = re.sub(r"<pre>.*?</pre>", "", page, flags=re.DOTALL)
    return found + re.findall(r"\w+://\S+|[@#!]\w+|\w\.[a-z]{2,}", prose)


TAGS = ("strong", "br", "code", "pre")

CONTRACT = Contract(
    settings={"homeserver": "https://matrix.example.org", "token": f"syt_{CANARY}_xxxxx", "room": ROOM},
    answer=lambda request: Answer(
        200, {"content_uri": "mxc://example.org/a"} if "/upload?" in request.path else {"event_id": "$abc"}
    ),
    is_message=lambda request: "/send/" in request.path and request.json["msgtype"] != "m.image",
    read=lambda request: [content(request)["body"], content(request)["formatted_body"]],
    alive=alive,
    inside=[("nothing", Answer(200, ""), True), ("no event", Answer(200, {}), True)],
    below=lambda request: request.json.get("m.relates_to", {}).get("rel_type") == "m.thread",
)


def error_of(channel: Matrix) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        channel.send(message())
    return caught.value


def test_the_words_stand_in_plain_text_and_in_html(internet: Internet) -> None:
    internet.answering = CONTRACT.answer

    Matrix(**CONTRACT.settings).send(message())

    request = internet.requests[0]
    assert (request.method, request.json["msgtype"]) == ("PUT", "m.text")
    assert request.json["body"] == message().text
    assert request.json["formatted_body"] == (
        "<strong>❌ 학습 실패했어요 · 1분</strong><br>acc <code>0.91</code><br>"
        "<pre><code>ValueError: loss is nan\ncell, 3, &lt;module&gt;</code></pre>"
    )


def test_the_transaction_is_the_knock_s_own(internet: Internet) -> None:
    internet.answering = CONTRACT.answer
    told = message("finished")

    Matrix(**CONTRACT.settings).send(told)

    assert internet.requests[0].path == (
        f"/_matrix/client/v3/rooms/%21AbCdEf%3Aexample.org/send/m.room.message/{told.event.id}"
    )


def test_what_is_told_on_the_way_is_a_notice(internet: Internet) -> None:
    internet.answering = CONTRACT.answer

    for kind in ("progress", "finished"):
        Matrix(**CONTRACT.settings).send(message(kind))

    assert [request.json["msgtype"] for request in internet.requests] == ["m.notice", "m.text"]


def test_the_largest_edit_is_within_an_event(internet: Internet) -> None:
    internet.answering = CONTRACT.answer

    Matrix(**CONTRACT.settings).edit("$abc", message(error=ErrorInfo("ValueError", '"\\\n' * 9000, "")))

    assert len(internet.requests[0].body) < 60_000


@pytest.mark.parametrize(
    ("status", "code", "revoked", "hint"),
    [
        (401, "M_UNKNOWN_TOKEN", True, "token"),
        (403, "M_FORBIDDEN", True, "Invite"),
        (404, "M_UNRECOGNIZED", True, "homeserver"),
        (413, "M_TOO_LARGE", False, "too large"),
        (400, "M_BAD_JSON", False, "M_BAD_JSON"),
    ],
)
def test_a_code_says_what_to_do(internet: Internet, status: int, code: str, revoked: bool, hint: str) -> None:
    internet.answering = lambda request: Answer(status, {"errcode": code, "error": "no"})

    error = error_of(Matrix(**CONTRACT.settings))

    assert (error.permanent, error.revoked) == (True, revoked)
    assert hint in error.texts["en"]


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "3"}])
def test_the_waiting_time_is_in_a_header_or_in_milliseconds(internet: Internet, headers: Dict[str, str]) -> None:
    limited = {"errcode": "M_LIMIT_EXCEEDED", "error": "Too Many Requests", "retry_after_ms": 2500}
    internet.answering = lambda request: Answer(429, limited, headers)

    error = error_of(Matrix(**CONTRACT.settings))

    assert (error.permanent, error.retry_after) == (False, 3.0 if headers else 2.5)


@pytest.mark.parametrize("room", ["#knocks:matrix.org", "https://matrix.to/#/!AbCdEf:matrix.org", "AbCdEf:matrix.org"])
def test_a_room_that_is_no_internal_id_is_explained_where_it_is_typed(room: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Matrix().put("room", room, "KNOCK_MATRIX_ROOM")

    for text in caught.value.texts.values():
        assert "!AbCdEf:matrix.org" in text


# A real homeserver: Synapse, in a Python of its own, on loopback.


class Account(NamedTuple):
    server: str
    token: str

    def call(self, method: str, path: str, body: Optional[Any] = None) -> Any:
        request = urllib.request.Request(
            f"{self.server}/_matrix/client/v3/{path}",
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {self.token}"} if self.token else {},
            method=method,
        )
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
            return json.loads(answer.read())

    def joined(self, name: str) -> Account:
        login = {"username": name, "password": "a long pass phrase", "auth": {"type": "m.login.dummy"}}
        return Account(self.server, self.call("POST", "register", login)["access_token"])

    def wait_for(self, relation: str) -> None:
        """Wait until a message that stands in this relation to another has come."""
        since, deadline, came = "", time.monotonic() + 60, []
        while relation not in came:
            assert time.monotonic() < deadline, came
            news = self.call("GET", f"sync?timeout=20000{since}")
            since = f"&since={news['next_batch']}"
            for room in news.get("rooms", {}).get("join", {}).values():
                contents = [event["content"] for event in room["timeline"]["events"]]
                came += [content.get("m.relates_to", {}).get("rel_type", "") for content in contents]

    def events(self, room: str) -> List[Dict[str, Any]]:
        """The room's messages, the oldest first, as its members see them."""
        found = self.call("GET", f"rooms/{quote(room, safe='')}/messages?dir=b&limit=50")["chunk"]
        return [event for event in reversed(found) if event["type"] == "m.room.message"]


@pytest.fixture(scope="module")
def synapse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    python = os.environ.get("KNOCK_TEST_SYNAPSE")
    if not python:
        pytest.skip("needs matrix-synapse: KNOCK_TEST_SYNAPSE=the python of an environment that has it")
    home = tmp_path_factory.mktemp("synapse")
    command = [python, "-m", "synapse.app.homeserver", "--config-path", "homeserver.yaml"]
    made = [*command, "--server-name", "localhost", "--generate-config", "--report-stats=no"]
    subprocess.run(made, cwd=home, check=True, capture_output=True, timeout=60)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ours = {
        "listeners": [{"port": port, "type": "http", "bind_addresses": ["127.0.0.1"], "resources": RESOURCES}],
        "enable_registration": True,
        "enable_registration_without_verification": True,
        "trusted_key_servers": [],
        "suppress_key_server_warning": True,
        "rc_message": {"per_second": 0.5, "burst_count": 12},  # one test wants to be refused
        **{f"rc_{what}": {"per_second": 100, "burst_count": 100} for what in ("registration", "room_creation")},
    }
    (home / "ours.yaml").write_text(json.dumps(ours))
    yield from _running([*command, "--config-path", "ours.yaml"], home, Account(f"http://127.0.0.1:{port}", ""))


RESOURCES = [{"names": ["client"], "compress": False}]


def _running(command: List[str], home: Path, server: Account) -> Iterator[Account]:
    """Start it, and wait until it says that it is ready, as it says to systemd."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready, (home / "output").open("wb") as output:
        name = f"\0knock-{os.getpid()}-{os.urandom(4).hex()}"  # abstract: a temporary folder's path can be too long
        ready.bind(name)
        ready.settimeout(60)
        env = {**os.environ, "NOTIFY_SOCKET": f"@{name[1:]}"}
        process = subprocess.Popen(command, cwd=home, env=env, stdout=output, stderr=output)
        try:
            while b"READY=1" not in ready.recv(1024):
                pass
            yield server
        finally:
            process.terminate()
            process.wait(30)


@pytest.mark.once
def test_a_real_homeserver_shows_it_once_and_edited_and_threaded_and_with_its_picture(synapse: Account) -> None:
    account = synapse.joined("knock")
    room = account.call("POST", "createRoom", {"preset": "private_chat"})["room_id"]
    channel = Matrix(homeserver=synapse.server, token=account.token, room=room)
    told, picture = message(), Picture("image/png", base64.b64encode(PNG).decode())

    handle = channel.send(told)
    again = channel.send(told)
    channel.edit(handle, message("progress", name="바뀐 이름"))
    channel.send(dataclasses.replace(message("finished", picture=picture), after=handle))

    assert handle == again
    first, edit, words, image = account.events(room)
    assert first["event_id"] == handle
    assert "바뀐 이름" in edit["content"]["m.new_content"]["body"]
    shown = account.call("GET", f"rooms/{quote(room, safe='')}/event/{quote(handle, safe='')}")
    replaced = shown["unsigned"]["m.relations"]["m.replace"]
    assert replaced["event_id"] == edit["event_id"]
    assert words["content"]["m.relates_to"]["event_id"] == handle
    assert (image["content"]["msgtype"], image["content"]["url"][:16]) == ("m.image", "mxc://localhost/")
    assert shown["unsigned"]["m.relations"]["m.thread"]["count"] == 2


@pytest.mark.once
def test_a_real_homeserver_s_refusals_are_told_for_what_they_are(synapse: Account) -> None:
    account, other = synapse.joined("knock2"), synapse.joined("other")
    room = account.call("POST", "createRoom", {"preset": "private_chat"})["room_id"]

    def refused(**changes: str) -> DeliveryError:
        return error_of(Matrix(**{"homeserver": synapse.server, "token": account.token, "room": room, **changes}))

    errors = [refused(token="syt_wrong"), refused(token=other.token), refused(homeserver=f"{synapse.server}/no")]
    channel = Matrix(homeserver=synapse.server, token=account.token, room=room)
    limited: Optional[DeliveryError] = None
    for _ in range(30):
        try:
            channel.send(message("progress"))
        except DeliveryError as error:
            limited = error
            break

    assert [(error.permanent, error.revoked) for error in errors] == [(True, True)] * 3
    assert "M_UNKNOWN_TOKEN" in str(errors[0].texts)
    assert "M_FORBIDDEN" in str(errors[1].texts)
    assert limited is not None
    assert not limited.permanent
    assert 0 < (limited.retry_after or 0) < 10


LIVE = """
import sys, threading, knock
over = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
with knock.run("학습", on=["progress", "finished"], every="1s", min=0):
    step = 0
    while not over.wait(0.05):
        step += 1
        knock.progress(step, 1000, loss=1 / step)
"""


@pytest.mark.once
def test_a_run_is_one_live_message_and_its_end_stands_below_it(synapse: Account, tmp_path: Path) -> None:
    """The whole road: a program, the courier, the delivery, a homeserver that is not ours."""
    account, home = synapse.joined("live"), Home(tmp_path)
    room = account.call("POST", "createRoom", {"preset": "private_chat"})["room_id"]
    settings = {"HOMESERVER": synapse.server, "TOKEN": account.token, "ROOM": room}
    env = home.env(
        KNOCK_TO="matrix", KNOCK_LANG="ko", **{f"KNOCK_MATRIX_{name}": value for name, value in settings.items()}
    )
    try:
        with subprocess.Popen([sys.executable, "-c", LIVE], cwd=home.work, env=env, stdin=subprocess.PIPE) as program:
            account.wait_for("m.replace")
            program.communicate(timeout=60)
        account.wait_for("m.thread")
    finally:
        home.clean()

    first, *edits, end = [(event["event_id"], event["content"]) for event in account.events(room)]
    assert edits
    assert {edit["m.relates_to"]["event_id"] for _, edit in edits} == {first[0]}
    assert (end[1]["m.relates_to"]["rel_type"], end[1]["m.relates_to"]["event_id"]) == ("m.thread", first[0])
