"""From a person's command to a service's answer, through the courier and the delivery, as real processes."""

from __future__ import annotations

import base64
import contextlib
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

import pytest
from conftest import LOAD, Home, Kernel, end, linux_only, poll

from knock_magic import outbox

from .far_kakao import KEY, Service
from .stage import CANARY, Answer, Internet, Request
from .test_base import Proxy, proxy  # noqa: F401 - a fixture
from .test_contract import PNG
from .test_slack import HOOK, TOKEN, Service as Workspace


@pytest.fixture
def shell(internet: Internet, proxy: Callable[[str], Proxy], tmp_path: Path) -> Callable[..., str]:  # noqa: F811
    """A shell whose network is the internet of the tests: through a proxy, which every process of ours honours."""
    home = Home(tmp_path)
    network = {"HTTPS_PROXY": proxy("pass").url, "REQUESTS_CA_BUNDLE": str(internet.bundle)}

    def run(*words: str, **settings: str) -> str:
        env: Dict[str, str] = {**home.env(**settings), **network}
        command = [sys.executable, "-m", "knock_magic", *words]
        done = subprocess.run(command, env=env, cwd=home.work, capture_output=True, text=True, timeout=90)
        assert CANARY not in done.stdout + done.stderr
        return done.stdout + done.stderr

    yield run
    home.clean()


def test_slack_gets_a_test_knock(internet: Internet, shell: Callable[..., str]) -> None:
    internet.answering = lambda request: Answer(200, "ok")

    said = shell("test", "slack", KNOCK_SLACK_WEBHOOK_URL=HOOK)

    assert "slack" in said.lower()
    assert internet.requests[0].host == "hooks.slack.com"


def test_a_webhook_that_is_gone_is_told_with_the_next_step(internet: Internet, shell: Callable[..., str]) -> None:
    internet.answering = lambda request: Answer(404, "no_service")

    said = shell("test", "slack", KNOCK_SLACK_WEBHOOK_URL=HOOK, KNOCK_LANG="ko")

    assert "Incoming Webhooks에서 새로 만들어" in said


def test_kakaotalk_gets_a_test_knock_with_a_token_of_its_own(internet: Internet, shell: Callable[..., str]) -> None:
    service = internet.answering = Service()

    shell("test", "kakao", KNOCK_KAKAO_REST_API_KEY=KEY, KNOCK_KAKAO_REFRESH_TOKEN=service.refresh_token)

    assert len(service.notes) == 1


def test_what_is_more_than_a_day_of_kakaotalk_waits_for_the_digest_of_the_next(
    internet: Internet, shell: Callable[..., str], tmp_path: Path
) -> None:
    service = internet.answering = Service()
    settings = {"KNOCK_KAKAO_REST_API_KEY": KEY, "KNOCK_KAKAO_REFRESH_TOKEN": service.refresh_token}

    said = [shell("send", text, KNOCK_KAKAO_DAILY="1", **settings) for text in ("one", "two")]

    assert said[0] == ""
    assert "today's quota of 1 is used up" in said[1]
    with contextlib.closing(sqlite3.connect(tmp_path / "knock" / "outbox.db")) as db:
        waiting = db.execute(
            "SELECT d.next_at - k.happened_at > 0 FROM deliveries d JOIN knocks k ON k.id = d.knock "
            "JOIN digests g ON g.fingerprint = d.fingerprint WHERE d.state = 'due'"
        ).fetchall()
    assert waiting == [(1,)]


def test_a_setting_that_is_wrong_is_told_in_one_line(internet: Internet, shell: Callable[..., str]) -> None:
    said = shell("test", "slack", KNOCK_SLACK_WEBHOOK_URL=f"https://discord.com/api/webhooks/1/{CANARY}")

    assert "KNOCK_SLACK_WEBHOOK_URL must be an address such as https://hooks.slack.com" in said
    assert "Discord" in said


def test_the_watch_outside_hears_beginning_and_end_whatever_was_asked_for(
    internet: Internet, shell: Callable[..., str]
) -> None:
    internet.answering = lambda request: Answer(200, "OK")
    shell("mute", "2h")

    shell(
        *("run", "nightly", "--to", "healthchecks", "--on", "died", "--min", "1h", "--", "true"),
        KNOCK_HEALTHCHECKS_URL=f"https://hc-ping.com/{CANARY}0123456789",
    )

    poll(lambda: len(internet.requests) >= 2, "both pings")
    began, ended = (request.path.partition("?rid=") for request in internet.requests)
    assert began[0].endswith("/start")
    assert ended[0] == f"/{CANARY}0123456789"
    assert began[2] == ended[2] != ""


# A training, told in one message.


@pytest.fixture
def kernel(internet: Internet, proxy: Callable[[str], Proxy], tmp_path: Path) -> Iterator[Tuple[Kernel, Home]]:  # noqa: F811
    """A real kernel that knocks on Slack as a bot."""
    home = Home(tmp_path)
    settings = {"KNOCK_TO": "slack", "KNOCK_SLACK_TOKEN": TOKEN, "KNOCK_SLACK_CHANNEL": "#training"}
    network = {"HTTPS_PROXY": proxy("pass").url, "REQUESTS_CA_BUNDLE": str(internet.bundle)}
    kernel = Kernel(home.env(KNOCK_LANG="ko", **settings, **network), home.work)
    kernel.run(LOAD)
    yield kernel, home
    kernel.close()
    home.clean()


TRAINING = """%%knock 학습 --every 0.05
import knock, pathlib, time
for step in range(1, 5):
    while not pathlib.Path(f"go {step}").exists():
        time.sleep(0.005)
    time.sleep(0.06)
    knock.progress(step, 4, loss=1 / step)
"""


@linux_only
def test_a_training_is_one_message_that_changes_and_its_end_in_the_thread(
    internet: Internet, kernel: Tuple[Kernel, Home]
) -> None:
    """Through a courier's death in between; and a picture comes along with what is sent after it."""
    internet.answering = Workspace()
    running, home = kernel

    def chats() -> List[Request]:
        return [request for request in list(internet.requests) if "/chat." in request.path]

    def go(step: int) -> None:
        (home.work / f"go {step}").touch()
        poll(lambda: any(f"({step}/4)" in request.json["text"] for request in chats()), f"step {step}")

    running.start(TRAINING)
    go(1)
    poll(lambda: _settled(home), "the first message to be written down")
    courier = home.courier(running.pid)
    end(courier)
    home.courier(running.pid, but=courier)
    go(2)
    go(3)
    (home.work / "go 4").touch()  # the end overtakes this one, or does not
    assert running.finish().status == "ok"
    poll(lambda: "끝났어요" in chats()[-1].json["text"], "the end")

    first, *changes, last = chats()
    assert [first.path, last.path] == ["/api/chat.postMessage"] * 2
    assert {change.path for change in changes} == {"/api/chat.update"}
    assert {change.json["ts"] for change in changes} == {"1503435956.000001"}
    assert "■■■■■□□□□□ 50% (2/4)" in "".join(change.json["text"] for change in changes)
    # Not that of step 2: step 1 may have been on its way when the courier died, and then counts as not told.
    assert "loss 0.3333 ▼0.17" in "".join(change.json["text"] for change in changes)
    assert (last.json["thread_ts"], last.json["reply_broadcast"]) == ("1503435956.000001", True)

    running.run(f"import base64\nknock.send('손실 곡선', picture=base64.b64decode({base64.b64encode(PNG)!r}))")

    poll(lambda: internet.requests[-1].path == "/api/files.completeUploadExternal", "the picture")
    assert PNG in [request.body for request in internet.requests]
    assert CANARY not in str(outbox.peek(outbox.path_in(_state(home)), "waiting"))


def _state(home: Home) -> str:
    return str(next((home.folder / "knock").rglob(outbox.FILE)).parent)


def _settled(home: Home) -> List[Dict[str, Any]]:
    return outbox.peek(outbox.path_in(_state(home)), "last")
