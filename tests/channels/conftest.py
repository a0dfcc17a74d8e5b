"""Fixtures for channels: one internet for all, plugged in for each test."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest

from knock_magic.channels import dooray

from .stage import Internet


@pytest.fixture(scope="session")
def whole_internet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Internet]:
    internet = Internet(tmp_path_factory.mktemp("internet"))
    yield internet
    internet.close()


@pytest.fixture
def internet(whole_internet: Internet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Internet:
    """Every host there is, and a home for what a channel keeps."""
    whole_internet.reset()
    whole_internet.install(monkeypatch)
    monkeypatch.setattr(dooray, "APART_S", 0.0)
    monkeypatch.setenv("KNOCK_HOME", str(tmp_path / "knock"))
    return whole_internet
