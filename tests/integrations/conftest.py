"""Fixtures for the callbacks: this process's own knocker, which knocks at the phone."""

from __future__ import annotations

import subprocess
from typing import Callable, Iterator, List

import pytest
from conftest import Home
from phone import Phone

from knock_magic import knocker, loose
from knock_magic.event import Progress
from knock_magic.knocker import Knocker
from knock_magic.settings import Sources


@pytest.fixture
def door(home: Home, phone: Phone, monkeypatch: pytest.MonkeyPatch) -> Iterator[Knocker]:
    monkeypatch.setenv("KNOCK_LANG", "en")
    door = Knocker(Sources(home.knocking_at(phone)))
    tell, told = door.tell, []
    monkeypatch.setattr(door, "tell", lambda event, about: (told.append(event), tell(event, about)))
    door.told = told  # type: ignore[attr-defined]
    knocker.become_current(door)
    yield door
    loose.end_all(None)
    knocker.become_current(None)
    door.close()
    courier = door.sidecar._courier
    if isinstance(courier, subprocess.Popen):
        courier.wait(30)


@pytest.fixture
def steps(door: Knocker) -> Callable[[], List[Progress]]:
    """How far the run was said to be, each time it was told; on its way an end overtakes what was told before."""
    return lambda: [event.progress for event in door.told if event.progress]  # type: ignore[attr-defined]
