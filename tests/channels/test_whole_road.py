"""From a person's command to a service's answer, through the courier and the delivery, as real processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Callable, Dict

import pytest
from conftest import Home, poll

from .far_kakao import KEY, Service
from .stage import CANARY, Answer, Internet
from .test_base import Proxy, proxy  # noqa: F401 - a fixture
from .test_slack import HOOK


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
