"""Files that only their owner can read: read with care, written whole, and changed by one process at a time."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import sys
import time
import uuid
from typing import Iterator

from knock_magic import folders
from knock_magic.errors import SettingsError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

LOCK_SECONDS = 5.0  # a change takes milliseconds; what holds the lock longer is stuck
POLL_SECONDS = 0.01
LARGEST = 1024 * 1024  # bytes
_SMALLER = ("make it smaller", "내용을 줄여 주세요")

# A link is not followed, and opening a pipe that someone put there does not wait for its other end.
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)

# Filesystems without locks, and some network ones, say so by one of these.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


def read(path: str, *, others_may_read: bool = False) -> bytes:
    """What the file holds; with `others_may_read`, one that others can read is good too, if they can't change it.

    Raises:
        FileNotFoundError: there is none.
        SettingsError: it is a link, another's, open to others, or too large; the text says how to mend it.
        OSError: it can't be read.
    """
    try:
        fd = os.open(path, _READ)
    except FileNotFoundError:
        raise
    except OSError:
        _check(path, os.lstat(path), others_may_read)
        raise
    try:
        # Where links can't be kept from being followed, the name itself is looked at.
        _check(path, os.fstat(fd) if hasattr(os, "O_NOFOLLOW") else os.lstat(path), others_may_read)
    except SettingsError:
        os.close(fd)
        raise
    with os.fdopen(fd, "rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise SettingsError(**folders.refused(path, "is larger than 1 MiB", "1 MiB보다 커요", *_SMALLER))
    return data


def refuse_folder(folder: str) -> None:
    """Raise `SettingsError` where somebody else may have put something into `folder`; the text says how to mend it."""
    texts = folders.folder_refusal(folder, os.lstat(folder))
    if texts:
        raise SettingsError(**texts)


def _check(path: str, status: os.stat_result, others_may_read: bool) -> None:
    texts = folders.refusal(path, status, others_may_read=others_may_read)
    if texts:
        raise SettingsError(**texts)


def write(path: str, data: bytes) -> None:
    """Put `data` into the file, whole or not at all, with mode 0600 from its first moment.

    Raises:
        OSError: it can't be written; what was there stays.
        SettingsError: nothing can be kept private in this folder.
    """
    beside = f"{path}.{uuid.uuid4().hex}.tmp"
    try:
        with os.fdopen(os.open(beside, _CREATE, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            if hasattr(os, "fchmod"):
                os.fchmod(file.fileno(), 0o600)  # an umask can take the owner's own rights away
            if sys.platform != "win32" and os.fstat(file.fileno()).st_mode & 0o077:
                raise SettingsError(**folders.unkeepable(path))
        _replace(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise
    _sync_folder(os.path.dirname(path))


def _replace(source: str, target: str) -> None:
    until = time.monotonic() + 1.0
    while True:
        try:
            os.replace(source, target)
            return
        except PermissionError:
            # On Windows, a reader that has the file open forbids it for a moment.
            if os.name != "nt" or time.monotonic() > until:
                raise
        time.sleep(POLL_SECONDS)


def _sync_folder(folder: str) -> None:
    """Make the new name outlive a power cut, where folders can be opened."""
    with contextlib.suppress(OSError):
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


@contextlib.contextmanager
def locked(path: str, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Keep every other process and thread out that asks for the same `path`; its folder is made if need be.

    The lock is a file beside it, which stays: one that were removed could be locked twice. The system gives
    it up with the process that held it. Where the filesystem has no locks, there is none.

    Raises:
        SettingsError: it was not to be had within `seconds`.
        OSError: no file can be made there.
    """
    folders.make_private(os.path.dirname(path))
    fd = os.open(path + ".lock", os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        if _take(fd, path, time.monotonic() + seconds):
            _remove_leftovers(path)
        yield
    finally:
        os.close(fd)  # and with it the lock


def _take(fd: int, path: str, until: float) -> bool:
    while True:
        try:
            if sys.platform == "win32":
                msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError as error:
            if error.errno in _NO_LOCKS:
                return False
            if error.errno not in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
                raise
        if time.monotonic() > until:
            name = folders.shown(path)
            raise SettingsError(
                f"{name} is being changed by another process; try again in a moment.",
                f"다른 프로세스가 {name} 파일을 바꾸고 있어요. 잠시 뒤에 다시 해 주세요.",
            )
        time.sleep(POLL_SECONDS)


def _remove_leftovers(path: str) -> None:
    """Take away what a process left that was killed while it wrote; nobody else writes while we hold the lock."""
    for leftover in glob.glob(glob.escape(path) + ".*.tmp"):
        with contextlib.suppress(OSError):
            os.unlink(leftover)
