"""Where settings and the outbox live, made so that only their owner can read them."""

from __future__ import annotations

import os
import stat
import sys
import zlib

from knock_magic import language

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Mapping, Optional

    from knock_magic.language import Texts

APP = "knock_magic"
DRIVE = "/content/drive/MyDrive"  # where everybody mounts it, as Colab's own button does


def settings_folder(environ: Mapping[str, str]) -> str:
    """``KNOCK_HOME``, a Google Drive where Colab has one with settings of ours, or the platform's folder for settings."""
    home, drive = _home(environ), drive_folder()
    if not home and drive and os.path.exists(os.path.join(drive, "settings.json")):
        return drive
    return home or _platform(environ, "XDG_CONFIG_HOME", ".config")


def drive_folder() -> str:
    """Where settings would be on the Google Drive that is mounted in Colab; empty where none is."""
    return os.path.join(DRIVE, APP) if "google.colab" in sys.modules and os.path.isdir(DRIVE) else ""


def state_folder(environ: Mapping[str, str]) -> str:
    """``KNOCK_HOME``, or the platform's folder for what a program remembers."""
    return _home(environ) or _platform(environ, "XDG_STATE_HOME", os.path.join(".local", "state"))


def runtime_folder(environ: Mapping[str, str]) -> str:
    """Where things can be kept until the machine stops, when the state folder can't be written."""
    # A home of its own is a world of its own: what another one could not keep is none of its history.
    home = _home(environ)
    name = f"{APP}-{zlib.crc32(home.encode('utf-8', 'surrogateescape')):08x}" if home else APP
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if runtime and os.path.isdir(runtime):
        return os.path.join(runtime, name)
    owner = os.getuid() if hasattr(os, "getuid") else environ.get("USERNAME", "")
    return os.path.join(environ.get("TMPDIR") or environ.get("TEMP") or "/tmp", f"{name}-{owner}")


def make_private(folder: str) -> str:
    """`folder`, made with mode 0700 if it was not there, and so its parents.

    Raises:
        OSError: it can't be made, or somebody else could have put it there.
    """
    parent = os.path.dirname(os.path.abspath(folder))
    if not os.path.isdir(parent):
        make_private(parent)
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        if not os.path.isdir(folder):
            raise
        _refuse_planted(folder, parent)
    else:
        _give_owner(folder, 0o700)
    return folder


def _give_owner(path: str, rights: int) -> None:
    """The owner's own `rights` to what was just made, if an umask took them away."""
    try:
        if os.lstat(path).st_mode & rights != rights:
            os.chmod(path, rights)
    except OSError:
        pass  # where modes can't be kept, what is checked next says so


def _refuse_planted(folder: str, parent: str) -> None:
    """In a place where everybody may make folders (``/tmp``), one with our name can be a trap."""
    if sys.platform != "win32" and os.stat(parent).st_mode & stat.S_IWOTH:
        if os.lstat(folder).st_uid != os.geteuid():
            raise _error(refused(folder, *_FOREIGN))


def create_private(path: str) -> None:
    """A file with mode 0600 from its first moment, unless it is there.

    Raises:
        OSError: it can't be made, or it or one of SQLite's files beside it is a link, another's, or open to others.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        pass
    else:
        _give_owner(path, 0o600)
        if refusal(path, os.lstat(path)):
            os.unlink(path)
            raise _error(unkeepable(path))
    for each in (path, f"{path}-wal", f"{path}-shm", f"{path}-journal"):
        if os.path.lexists(each):
            _refuse_unsafe(each)


def _refuse_unsafe(path: str) -> None:
    try:
        texts = refusal(path, os.lstat(path))
    except FileNotFoundError:
        return  # SQLite takes the files beside its own away when the last connection closes
    if texts:
        raise _error(texts)


def _error(texts: Texts) -> OSError:
    return PermissionError(language.pick(texts).rstrip("."))


# What is wrong with a file, and how to mend it, in each language.
_LINK = ("is a link", "링크예요", "replace it by the file itself", "파일 자체로 바꿔 주세요")
_NO_FILE = ("is no file", "파일이 아니에요", "replace it by a file", "파일로 바꿔 주세요")
_NO_FOLDER = ("is no folder", "폴더가 아니에요", "replace it by a folder", "폴더로 바꿔 주세요")
_FOREIGN = (
    "belongs to another user",
    "다른 사용자의 것이에요",
    "replace it by one of your own",
    "직접 만든 것으로 바꿔 주세요",
)


_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def folder_refusal(folder: str, status: os.stat_result) -> Optional[Texts]:
    """Why what stands in `folder` of this `status` must not be used; None where only we can have put it there."""
    if not stat.S_ISDIR(status.st_mode):
        return refused(folder, *_NO_FOLDER)
    if sys.platform == "win32":
        return None
    if status.st_uid != os.geteuid():
        return refused(folder, *_FOREIGN)
    return _changeable(folder, status) if status.st_mode & _OTHERS_WRITE else None


def refusal(path: str, status: os.stat_result, *, others_may_read: bool = False) -> Optional[Texts]:
    """Why the file `path` of this `status` must not be used; None where it is its owner's alone, and we are the owner."""
    if stat.S_ISLNK(status.st_mode):
        return refused(path, *_LINK)
    if not stat.S_ISREG(status.st_mode):
        return refused(path, *_NO_FILE)
    if sys.platform == "win32":  # access is governed by lists there, and the user's own folders are private
        return None
    if status.st_uid != os.geteuid():
        return refused(path, *_FOREIGN)
    if others_may_read:
        return _changeable(path, status) if status.st_mode & _OTHERS_WRITE else None
    if status.st_mode & 0o077:
        mode, mend = f"{stat.S_IMODE(status.st_mode):04o}", f"chmod 600 {shown(path)}"
        return refused(
            path,
            f"is open to others (mode {mode})",
            f"다른 사용자에게 열려 있어요(권한 {mode})",
            f"`{mend}` closes it",
            f"`{mend}` 명령으로 닫을 수 있어요",
        )
    return None


def _changeable(path: str, status: os.stat_result) -> Texts:
    mode, mend = f"{stat.S_IMODE(status.st_mode):04o}", f"chmod go-w {shown(path)}"
    return refused(
        path,
        f"can be changed by others (mode {mode})",
        f"다른 사용자가 바꿀 수 있어요(권한 {mode})",
        f"`{mend}` closes it",
        f"`{mend}` 명령으로 닫을 수 있어요",
    )


def refused(path: str, en: str, ko: str, mend_en: str, mend_ko: str) -> Texts:
    """That `path` is not used, since it `en`, and how to mend it."""
    name = shown(path)
    return {
        "en": f"{name} {en}, so it is not used; {mend_en}.",
        "ko": f"{name}: {ko}. 그래서 쓰지 않아요. {mend_ko}.",
    }


def unkeepable(path: str) -> Texts:
    """What to say where a file just made is open to others all the same."""
    folder = shown(os.path.dirname(path))
    return {
        "en": f"nothing can be kept private in {folder}: its filesystem gives every file to everybody. "
        "Set KNOCK_HOME to a folder on another one.",
        "ko": f"{folder} 폴더는 파일을 모두에게 여는 파일 시스템에 있어서 비밀 값을 둘 수 없어요. "
        "KNOCK_HOME을 다른 폴더로 정해 주세요.",
    }


def shown(path: str) -> str:
    """`path` as its owner calls it, with ``~`` for the home folder."""
    home = os.path.expanduser("~")
    return "~" + path[len(home) :] if path.startswith(home + os.sep) else path


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
