"""What we keep is its owner's alone, from its first moment, and nothing that could be a trap is used."""

from __future__ import annotations

import os
import re
import socket
import stat
from pathlib import Path
from typing import Callable, Dict, Iterator

import pytest
from conftest import Home, Kernel
from phone import Phone

from knock_magic import folders, language, outbox
from knock_magic.errors import SettingsError
from knock_magic.knocker import KEY_FILE, fingerprint_key
from knock_magic.outbox import Outbox

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX file modes")


@pytest.fixture(autouse=True)
def _in_english() -> Iterator[None]:
    language.use("en")
    yield
    language.use(None)


@pytest.fixture
def careless() -> Iterator[None]:
    """A process that opens everything it makes to everybody."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("careless")
def test_all_is_private_from_its_first_moment(tmp_path: Path) -> None:
    state = tmp_path / "new" / "state"
    made: Dict[str, int] = {}

    box = Outbox(outbox.path_in(str(state)))
    box.waiting_owners()
    fingerprint_key(str(state))
    for path in state.iterdir():
        made[path.name] = mode(path)
    box.close()

    assert {outbox.FILE, KEY_FILE} < set(made)
    assert set(made.values()) == {0o600}
    assert (mode(state), mode(state.parent)) == (0o700, 0o700)


def test_there_is_no_moment_when_a_new_file_is_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its mode is given when it is made; changing it later would leave a gap."""
    monkeypatch.setattr(os, "chmod", None)
    monkeypatch.setattr(os, "fchmod", None)

    folders.create_private(str(tmp_path / "file"))

    assert mode(tmp_path / "file") == 0o600


# Traps: each makes `path` something that must not be used.


def loose(path: Path) -> None:
    path.touch()
    path.chmod(0o644)


def group(path: Path) -> None:
    path.touch()
    path.chmod(0o660)


def link(path: Path) -> None:
    (path.parent / "elsewhere").touch(0o600)
    path.symlink_to(path.parent / "elsewhere")


def dangling_link(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere")


def folder(path: Path) -> None:
    path.mkdir(0o700)


def pipe(path: Path) -> None:
    os.mkfifo(path, 0o600)


def unix_socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # the path of a socket may have 108 characters
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)
    os.chdir(here)
    path.chmod(0o600)


TRAPS = [
    (loose, r"is open to others \(mode 0644\), so it is not used; `chmod 600 .*/outbox\.db` closes it"),
    (group, r"is open to others \(mode 0660\)"),
    (link, "is a link"),
    (dangling_link, "is a link"),
    (folder, "is no file"),
    (pipe, "is no file"),
    (unix_socket, "is no file"),
]


@pytest.mark.parametrize(("trap", "words"), TRAPS)
def test_an_outbox_that_is_a_trap_is_refused(trap: Callable[[Path], None], words: str, tmp_path: Path) -> None:
    path = tmp_path / outbox.FILE
    trap(path)
    before = path.lstat()

    with pytest.raises(PermissionError, match=words):
        Outbox(str(path))

    assert path.lstat() == before
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("beside", ["-wal", "-shm", "-journal"])
def test_so_is_one_with_a_trap_beside_it(beside: str, tmp_path: Path) -> None:
    path = tmp_path / outbox.FILE
    path.touch(0o600)
    link(tmp_path / f"{outbox.FILE}{beside}")

    with pytest.raises(PermissionError, match=f"outbox.db{beside} is a link"):
        Outbox(str(path))

    assert (tmp_path / "elsewhere").read_bytes() == b""


@pytest.mark.parametrize(("trap", "words"), TRAPS)
def test_a_key_that_is_a_trap_is_refused(trap: Callable[[Path], None], words: str, tmp_path: Path) -> None:
    trap(tmp_path / KEY_FILE)

    with pytest.raises(SettingsError, match=words.replace(r"outbox\.db", KEY_FILE)):
        fingerprint_key(str(tmp_path))


def test_what_belongs_to_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / outbox.FILE
    path.touch(0o600)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)

    with pytest.raises(PermissionError, match="belongs to another user"):
        Outbox(str(path))


def test_a_folder_that_another_user_put_where_all_may_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In ``/tmp`` the runtime folder's name can be guessed."""
    tmp_path.chmod(0o1777)
    (tmp_path / "planted").mkdir()
    (tmp_path / "linked").symlink_to(tmp_path / "planted")
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)

    for name in ("planted", "linked"):
        with pytest.raises(PermissionError, match=f"{name} belongs to another user"):
            folders.make_private(str(tmp_path / name))


def test_a_folder_of_the_users_own_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir(0o755)
    (tmp_path / "link").symlink_to(tmp_path / "mine")

    assert folders.make_private(str(tmp_path / "link")) == str(tmp_path / "link")
    Outbox(outbox.path_in(str(tmp_path / "link"))).close()
    assert mode(tmp_path / "mine") == 0o755


def test_a_filesystem_that_opens_everything_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as a USB stick: whatever mode is asked for, files are everybody's."""
    real = os.open

    def careless(path: str, flags: int, mode: int = 0o777, **options: int) -> int:
        fd = real(path, flags, mode, **options)
        os.fchmod(fd, 0o755)
        return fd

    monkeypatch.setattr(os, "open", careless)

    with pytest.raises(PermissionError, match=r"nothing can be kept private in .*Set KNOCK_HOME"):
        folders.create_private(str(tmp_path / "outbox.db"))

    assert list(tmp_path.iterdir()) == []


def test_the_refusal_speaks_korean(tmp_path: Path) -> None:
    language.use("ko")
    loose(tmp_path / outbox.FILE)

    with pytest.raises(PermissionError, match=re.escape("다른 사용자에게 열려 있어요(권한 0644)")):
        Outbox(str(tmp_path / outbox.FILE))


# The key.


def test_the_key_is_made_once_and_kept(tmp_path: Path) -> None:
    first = fingerprint_key(str(tmp_path / "state"))

    assert len(first) == 32
    assert fingerprint_key(str(tmp_path / "state")) == first


def test_a_key_that_was_not_written_whole_is_made_anew(tmp_path: Path) -> None:
    """Else every kernel from then on would have one of its own, and no knock were ever taken over."""
    (tmp_path / KEY_FILE).touch(0o600)

    first = fingerprint_key(str(tmp_path))

    assert len(first) == 32
    assert fingerprint_key(str(tmp_path)) == first


def test_all_who_start_at_once_have_the_same_key(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor
    from threading import Barrier

    together = Barrier(8)

    def start(_: int) -> bytes:
        together.wait()
        return fingerprint_key(str(tmp_path))

    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(start, range(8)))

    assert len(keys) == 1


# In a real kernel.


@pytest.fixture
def nest(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    yield home
    home.clean()


@pytest.mark.usefixtures("careless")
def test_all_that_a_kernel_leaves_is_its_owners_alone(
    nest: Home, phone: Phone, start_kernel: Callable[..., Kernel]
) -> None:
    """Also where its umask opens everything."""
    kernel = start_kernel(nest.knocking_at(phone))
    kernel.load().run("%%knock first\n1")
    phone.wait_for(name="first")
    kernel.run("%knock mute 1s\n%knock unmute\n%knock auto 2m --save\n%knock template short --save")
    kernel.send("second")
    phone.wait_for(event="message")

    state = nest.folder / "knock"
    modes = {path.name: mode(path) for path in state.rglob("*")}

    assert {outbox.FILE, KEY_FILE, "settings.json"} <= set(modes)
    assert set(modes.values()) == {0o600}
    assert mode(state) == 0o700


def test_a_knock_arrives_all_the_same_and_the_trap_is_told_once(
    nest: Home, phone: Phone, start_kernel: Callable[..., Kernel]
) -> None:
    state = nest.folder / "knock"
    state.mkdir(0o700)
    for name in (outbox.FILE, KEY_FILE):
        (nest.folder / name).touch(0o600)
        (state / name).symlink_to(nest.folder / name)
    runtime = nest.folder / "run"
    runtime.mkdir(0o700)
    kernel = start_kernel(nest.knocking_at(phone, XDG_RUNTIME_DIR=str(runtime)))

    said = kernel.run("%load_ext knock\n1").said
    for number in range(3):
        said += kernel.run(f"%%knock cell {number}\n1").said
        phone.wait_for(name=f"cell {number}")
    said += kernel.run("1").said

    for name in (outbox.FILE, KEY_FILE):
        assert said.count(f"{name} is a link, so it is not used; replace it by the file itself") == 1
        assert (nest.folder / name).read_bytes() == b""
