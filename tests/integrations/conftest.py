"""Fixtures for the callbacks: this process's own knocker, which knocks at the phone."""

from __future__ import annotations

import subprocess
from typing import Iterator

import pytest
from conftest import Home
from phone import Phone

from knock_magic import knocker, loose
from knock_magic.knocker import Knocker
from knock_magic.settings import Sources


@pytest.fixture
def door(home: Home, phone: Phone, monkeypatch: pytest.MonkeyPatch) -> Iterator[Knocker]:
    monkeypatch.setenv("KNOCK_LANG", "en")
    door = Knocker(Sources(home.knocking_at(phone)))
    knocker.become_current(door)
    yield door
    loose.end_all(None)
    knocker.become_current(None)
    door.close()
    courier = door.sidecar._courier
    if isinstance(courier, subprocess.Popen):
        courier.wait(30)
