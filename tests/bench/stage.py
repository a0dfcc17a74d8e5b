"""The stage: a home, a phone, a kernel, a script in a Python of its own, and the peers, installed and thrown away."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, TypeVar

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent.parent
sys.path.insert(0, str(BENCH.parent))  # the tests' own stage

from conftest import Home, Kernel, end, poll  # noqa: E402  needs the line above
from phone import Phone  # noqa: E402

__all__ = ["Home", "Kernel", "LeftOut", "Phone", "Stage", "end", "poll", "run"]

INSTALL_SECONDS = 600
Choice = TypeVar("Choice")


class LeftOut(Exception):
    """A measurement that can't be taken here; the text says why."""


class Stage:
    """What all measurements share: a folder that is thrown away, and whether there is time for many rounds."""

    def __init__(self, folder: Path, *, full: bool) -> None:
        self.full = full
        self.folder = folder
        self._count = 0

    def pick(self, quick: Choice, full: Choice) -> Choice:
        return full if self.full else quick

    def new_folder(self, name: str) -> Path:
        self._count += 1
        folder = self.folder / f"{name}-{self._count}"
        folder.mkdir()
        return folder

    @contextlib.contextmanager
    def home(self) -> Iterator[Home]:
        """A home of its own; no process of ours outlives it."""
        home = Home(self.new_folder("home"))
        try:
            yield home
        finally:
            home.clean()

    @contextlib.contextmanager
    def phone(self, *, answering: bool = True) -> Iterator[Phone]:
        phone = Phone(answering=answering)
        try:
            yield phone
        finally:
            phone.close()

    @contextlib.contextmanager
    def kernel(self, home: Home, env: Dict[str, str]) -> Iterator[Kernel]:
        kernel = Kernel(env, home.work)
        try:
            yield kernel
        finally:
            kernel.close()

    def drive(self, script: str, *arguments: object, env: Dict[str, str], python: object = sys.executable) -> Any:
        """Run ``drivers/<script>.py``; what it prints last, as JSON."""
        return json.loads(run(python, BENCH / "drivers" / f"{script}.py", *arguments, env=env).splitlines()[-1])

    def peers(self, *requirements: str) -> Path:
        """The Python of a new environment with these installed; raises `LeftOut` where they can't be had."""
        return install(new_environment(self.new_folder("peers")), *requirements)

    def beside(self, *requirements: str) -> Path:
        """A folder with these and nothing else, to be put on the path of this very Python."""
        folder = self.new_folder("beside")
        pip(sys.executable, "install", "-q", "--no-deps", "--target", folder, *requirements)
        return folder


def run(*command: object, env: Optional[Dict[str, str]] = None, timeout: float = 600) -> str:
    """What the command prints; raises `RuntimeError` with its errors."""
    done = subprocess.run(
        [str(word) for word in command], env=env, capture_output=True, text=True, timeout=timeout, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{command[1]} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def new_environment(folder: Path) -> Path:
    """The Python of an empty environment."""
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def install(python: Path, *requirements: object) -> Path:
    pip(python, "install", "-q", *requirements)
    return python


def pip(python: object, *arguments: object) -> str:
    """Run this Python's pip for another one's environment."""
    options: List[object] = ["--disable-pip-version-check", "--python", python]
    try:
        return run(sys.executable, "-m", "pip", *options, *arguments, timeout=INSTALL_SECONDS)
    except (RuntimeError, subprocess.TimeoutExpired) as problem:
        lines = [line for line in str(problem).splitlines() if "ERROR" in line or "error:" in line]
        raise LeftOut(f"pip could not install it: {(lines or [str(problem)])[0][-160:]}") from None
