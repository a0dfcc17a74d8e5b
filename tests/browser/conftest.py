"""Fixtures: one browser for all, and a notebook server for each file and front end.

``KNOCK_TEST_BROWSER=lab,notebook`` names the front ends that have to be there: what lacks for these is a failure.
Without it, each front end that this machine can't show is skipped, with what it lacks.
"""

from __future__ import annotations

import os
from typing import Any, Callable, Iterator, List

import pytest
from conftest import Home

from .fronts import ARGUMENTS, CHROMIUM, KINDS, PATIENCE_MS, FrontEnd, missing

WANTED = [name for name in os.environ.get("KNOCK_TEST_BROWSER", "").split(",") if name]
Start = Callable[..., FrontEnd]


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """Chromium, headless. It ends with this folder's tests: Playwright keeps an event loop in the main thread."""
    if not WANTED:  # before any front end is looked for
        pytest.importorskip("playwright", reason="a browser needs playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS, timeout=PATIENCE_MS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module", params=WANTED or list(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    """Each front end in turn."""
    lacks = missing(request.param)
    if lacks:
        (pytest.fail if WANTED else pytest.skip)(f"{request.param} in a browser needs {lacks}")
    return str(request.param)


@pytest.fixture
def start_front(kind: str, browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start a server of this kind with an empty home, and with an environment."""
    started: List[FrontEnd] = []

    def start(**env: str) -> FrontEnd:
        home = Home(tmp_path_factory.mktemp("home"))
        started.append(FrontEnd(kind, home, browser, env))
        return started[-1]

    yield start
    for front in started:
        front.close()
        front.home.clean()


@pytest.fixture(scope="module")
def front(kind: str, browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontEnd]:
    """A server that the tests of one file share."""
    home = Home(tmp_path_factory.mktemp("home"))
    found = FrontEnd(kind, home, browser)
    yield found
    found.close()
    home.clean()
