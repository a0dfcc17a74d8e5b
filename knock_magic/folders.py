"""Where settings and the outbox live, made so that only their owner can read them."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Mapping

APP = "knock_magic"


def settings_folder(environ: Mapping[str, str]) -> str:
    """``KNOCK_HOME``, or the platform's folder for settings."""
    return _home(environ) or _platform(environ, "XDG_CONFIG_HOME", ".config")


def state_folder(environ: Mapping[str, str]) -> str:
    """``KNOCK_HOME``, or the platform's folder for what a program remembers."""
    return _home(environ) or _platform(environ, "XDG_STATE_HOME", os.path.join(".local", "state"))


def runtime_folder(environ: Mapping[str, str]) -> str:
    """Where things can be kept until the machine stops, when the state folder can't be written."""
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if runtime and os.path.isdir(runtime):
        return os.path.join(runtime, APP)
    owner = os.getuid() if hasattr(os, "getuid") else environ.get("USERNAME", "")
    return os.path.join(environ.get("TMPDIR") or environ.get("TEMP") or "/tmp", f"{APP}-{owner}")


def make_private(folder: str) -> str:
    """`folder`, made with mode 0700 if it was not there. Raises `OSError` where it can't be."""
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        if not os.path.isdir(folder):
            raise
    return folder


def create_private(path: str) -> None:
    """An empty file with mode 0600, unless there is one: a mode set later would leave a moment's gap."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        pass


def _home(environ: Mapping[str, str]) -> str:
    home = environ.get("KNOCK_HOME", "").strip()
    return os.path.abspath(os.path.expanduser(home)) if home else ""


def _platform(environ: Mapping[str, str], xdg: str, below_home: str) -> str:
    home = os.path.expanduser("~")
    if sys.platform == "win32":
        return os.path.join(environ.get("LOCALAPPDATA") or home, APP)
    if sys.platform == "darwin":
        return os.path.join(home, "Library", "Application Support", APP)
    return os.path.join(environ.get(xdg) or os.path.join(home, below_home), APP)
