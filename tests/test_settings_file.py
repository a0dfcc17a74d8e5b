"""The settings file: its owner's alone, written whole, shared by processes, and never in the way."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from knock_magic import private_file
from knock_magic.errors import SettingsError
from knock_magic.settings_file import FILE, SettingsFile

posix_only = pytest.mark.skipif(os.name != "posix", reason="modes and links of POSIX")
SECRET = "xoxb-canary-9f8e7d6c5b4a"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "knock"


@pytest.fixture
def file(folder: Path) -> SettingsFile:
    return SettingsFile(str(folder))


def put(folder: Path, content: Any, mode: int = 0o600) -> Path:
    """Write the settings file as its owner does with an editor."""
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / FILE
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    path.chmod(mode)
    return path


def setting(name: str, value: Any) -> Callable[[Dict[str, Any]], None]:
    return lambda data: data.__setitem__(name, value)


def said(problems: List[SettingsError]) -> str:
    return "\n".join(text for problem in problems for text in problem.texts.values())


# Read and written.


def test_without_a_file_nothing_is_set_and_nothing_is_made(file: SettingsFile, folder: Path) -> None:
    assert file.read() == ({}, [])
    assert not folder.exists()


def test_what_is_saved_is_read(file: SettingsFile) -> None:
    file.update(setting("to", ["slack"]))
    file.update(setting("lang", "ko"))

    data, problems = file.read()

    assert (data["to"], data["lang"], problems) == (["slack"], "ko", [])


def test_a_change_keeps_all_the_rest_as_its_owner_wrote_it(file: SettingsFile, folder: Path) -> None:
    path = put(folder, '{"zeta": 1, "channels": {"slack": {"token": "비밀"}}, "auto": "60s"}'.encode())

    file.update(setting("auto", "2m"))

    assert json.loads(path.read_text("utf-8")) == {
        "zeta": 1,
        "channels": {"slack": {"token": "비밀"}},
        "auto": "2m",
    }
    assert list(json.loads(path.read_text("utf-8"))) == ["zeta", "channels", "auto"]
    assert "비밀" in path.read_text("utf-8")


def test_what_windows_notepad_saves_is_read(file: SettingsFile, folder: Path) -> None:
    put(folder, b'\xef\xbb\xbf{\r\n"lang": "ko"\r\n}\r\n')

    assert file.read()[0]["lang"] == "ko"


@posix_only
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_it_is_the_owners_alone_whatever_the_umask(umask: int, file: SettingsFile, folder: Path) -> None:
    before = os.umask(umask)
    try:
        file.update(setting("lang", "ko"))
    finally:
        os.umask(before)

    assert stat.S_IMODE(folder.stat().st_mode) & 0o077 == 0
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert stat.S_IMODE((folder / FILE).stat().st_mode) == 0o600


@posix_only
def test_it_is_private_from_its_first_moment(file: SettingsFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not made open and closed later: the mode is given where the file is made."""
    modes = []
    real = os.open

    def watching(path: Any, flags: int, mode: int = 0o777, **options: Any) -> int:
        if flags & os.O_CREAT:
            modes.append(mode)
        return real(path, flags, mode, **options)

    monkeypatch.setattr(os, "open", watching)
    file.update(setting("lang", "ko"))

    assert modes
    assert set(modes) == {0o600}


# Refused.


@posix_only
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602, 0o660])
def test_a_file_that_is_open_to_others_is_refused(mode: int, file: SettingsFile, folder: Path) -> None:
    put(folder, {"channels": {"slack": {"token": SECRET}}}, mode)

    data, problems = file.read()

    assert data == {}
    assert f"{mode:04o}" in said(problems)
    assert "chmod 600" in said(problems)
    with pytest.raises(SettingsError):
        file.update(setting("lang", "ko"))


@posix_only
def test_a_link_is_refused_and_what_it_points_to_stays(file: SettingsFile, folder: Path, tmp_path: Path) -> None:
    target = put(tmp_path / "elsewhere", {"lang": "ko"})
    folder.mkdir()
    (folder / FILE).symlink_to(target)

    data, problems = file.read()

    assert data == {}
    assert "link" in said(problems)
    with pytest.raises(SettingsError):
        file.update(setting("lang", "en"))
    assert json.loads(target.read_text()) == {"lang": "ko"}


@posix_only
@pytest.mark.skipif(os.name == "posix" and os.geteuid() != 0, reason="only root can give a file away")
def test_another_users_file_is_refused(file: SettingsFile, folder: Path) -> None:
    os.chown(put(folder, {"lang": "ko"}), 12345, -1)

    data, problems = file.read()

    assert data == {}
    assert "another user" in said(problems)


@posix_only
@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_what_is_no_file_is_refused_and_waits_for_nobody(kind: str, file: SettingsFile, folder: Path) -> None:
    folder.mkdir()
    os.mkfifo(str(folder / FILE)) if kind == "pipe" else (folder / FILE).mkdir()

    data, problems = file.read()

    assert data == {}
    assert "no file" in said(problems)


def test_a_file_that_is_far_too_large_is_refused(file: SettingsFile, folder: Path) -> None:
    put(folder, {"x": "y" * (private_file.LARGEST + 1)})

    data, problems = file.read()

    assert data == {}
    assert "1 MiB" in said(problems)


# Broken.


@pytest.mark.parametrize(
    ("content", "where", "expected"),
    [
        (b'{\n"to": ["slack"],\n}', "line", "comma"),
        (b"{'to': 1}", "line 1, column 2", "double quotes"),
        (b'{\n"to" 1}', "line 2, column 6", "colon"),
        (b'{"a": 1\n"b": 2}', "line 2, column 1", "comma"),
        (b'{"a": slack}', "line 1, column 7", "a value"),
        (b'{"a": "sla}', "line 1, column 7", "closing double quote"),
        (b'{"a": "s\nla"}', "line 1, column 9", "one line"),
        (b'{"a": "C:\\knock"}', "line 1", "backslash"),
        (b'{"a": 1} {}', "line 1, column 10", "nothing after"),
        (b"", "line 1", "a value"),
        (b'{"a": 1}\n{', "line 2", "nothing after"),
        (b'{\n"a": "\xff"}', "line 2", "UTF-8"),
        (b'["slack"]', "line 1", "object"),
        (b'{"a": NaN}', "", "JSON"),
        (b"[" * 100_000, "", "JSON"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "", ""),
    ],
)
def test_a_broken_file_is_named_with_line_and_what_was_expected(
    content: bytes, where: str, expected: str, file: SettingsFile, folder: Path
) -> None:
    put(folder, content)

    data, problems = file.read()

    if expected:  # only newer Pythons refuse numbers of any length
        assert data == {}
        assert len(problems) == 1
        assert FILE in problems[0].texts["en"]
        assert FILE in problems[0].texts["ko"]
        assert where in problems[0].texts["en"]
        assert expected in problems[0].texts["en"]


def test_the_last_good_settings_are_used_while_the_file_is_broken(file: SettingsFile, folder: Path) -> None:
    put(folder, {"lang": "ko", "channels": {"slack": {"token": SECRET}}})
    file.read()
    put(folder, b'{"lang": "ko", "channels": {"slack": {"token": "' + SECRET.encode() + b"}}}")

    data, problems = file.read()

    assert data["channels"] == {"slack": {"token": SECRET}}
    assert "last good" in said(problems)
    assert SECRET not in said(problems)


def test_another_process_knows_the_last_good_settings_too(file: SettingsFile, folder: Path) -> None:
    file.update(setting("lang", "ko"))
    put(folder, b"{")

    assert SettingsFile(str(folder)).read()[0]["lang"] == "ko"


def test_a_mended_file_is_used_again(file: SettingsFile, folder: Path) -> None:
    file.update(setting("lang", "ko"))
    put(folder, b"{")
    file.read()
    put(folder, {"lang": "en"})

    data, problems = file.read()

    assert (data["lang"], problems) == ("en", [])


def test_a_broken_file_is_not_overwritten(file: SettingsFile, folder: Path) -> None:
    """It may have hours of its owner's work in it."""
    path = put(folder, b'{"channels": ')

    with pytest.raises(SettingsError):
        file.update(setting("lang", "ko"))

    assert path.read_bytes() == b'{"channels": '


def test_who_removes_the_file_leaves_no_secret_behind(file: SettingsFile, folder: Path) -> None:
    put(folder, {"channels": {"slack": {"token": SECRET}}})
    file.read()
    (folder / FILE).unlink()

    assert file.read() == ({}, [])
    assert not any(SECRET.encode() in path.read_bytes() for path in folder.iterdir())


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ({"channels": ["slack"]}, "channels must be an object"),
        ({"channels": {"slack": SECRET}}, "channels.slack must be an object"),
        ({"templates": SECRET}, "templates must be an object"),
    ],
)
def test_what_is_no_section_is_named_and_the_rest_is_used(
    content: Dict[str, Any], named: str, file: SettingsFile, folder: Path
) -> None:
    put(folder, {"lang": "ko", **content})

    data, problems = file.read()

    assert data["lang"] == "ko"
    assert named in problems[0].texts["en"]
    assert SECRET not in said(problems)


# Where it can't be.


def test_a_place_that_can_not_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "knock").write_text("a file where the folder should be")

    with pytest.raises(SettingsError) as error:
        SettingsFile(str(tmp_path / "knock")).update(setting("lang", "ko"))

    assert "can't be written" in error.value.texts["en"]
    assert "쓸 수 없어요" in error.value.texts["ko"]


def test_a_disk_that_fills_up_costs_nothing_of_what_was_there(
    file: SettingsFile, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.update(setting("lang", "ko"))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SettingsError, match="No space left"):
        file.update(setting("lang", "en"))
    monkeypatch.undo()

    assert file.read()[0]["lang"] == "ko"
    assert not [path for path in folder.iterdir() if path.suffix == ".tmp"]


def test_a_filesystem_without_locks_costs_only_the_lock(file: SettingsFile, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")

    def no_locks(*_: Any) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    file.update(setting("lang", "ko"))

    assert file.read()[0]["lang"] == "ko"


def test_a_lock_that_is_held_too_long_is_said(file: SettingsFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private_file.locked.__wrapped__, "__defaults__", (0.1,))
    with private_file.locked(file.path), pytest.raises(SettingsError, match="another process"):
        file.update(setting("lang", "ko"))


# Several at once.

WRITER = """
import sys
from knock_magic.settings_file import SettingsFile
folder, name, times = sys.argv[1], sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
for number in range(times):
    SettingsFile(folder).update(lambda data: data.__setitem__(name, data.get(name, 0) + 1))
    SettingsFile(folder).update(lambda data: data.__setitem__("all", data.get("all", 0) + 1))
    print(number, flush=True)
"""


def start_writer(folder: Path, name: str, times: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), name, str(times)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )


@pytest.fixture
def writers(folder: Path) -> Iterator[Callable[[int, int], List[subprocess.Popen[str]]]]:
    """Start processes that count in the file, all ready to begin at once."""
    started: List[subprocess.Popen[str]] = []

    def start(count: int, times: int) -> List[subprocess.Popen[str]]:
        started.extend(start_writer(folder, f"w{number}", times) for number in range(count))
        for writer in started:
            assert writer.stdout
            assert writer.stdout.readline() == "ready\n"
        for writer in started:
            writer.stdin.write("\n")  # type: ignore[union-attr]
            writer.stdin.flush()  # type: ignore[union-attr]
        return started

    yield start
    for writer in started:
        writer.kill()
        writer.communicate()


def test_no_change_of_any_process_is_lost(
    folder: Path, file: SettingsFile, writers: Callable[[int, int], List[subprocess.Popen[str]]]
) -> None:
    """And whoever reads meanwhile sees a whole file."""
    running = writers(6, 15)
    stop, wrong = threading.Event(), []  # type: ignore[var-annotated]

    def read() -> None:
        while not stop.is_set():
            wrong.extend(SettingsFile(str(folder)).read()[1])

    reader = threading.Thread(target=read)
    reader.start()
    codes = [(writer.communicate(timeout=100), writer.returncode)[1] for writer in running]
    stop.set()
    reader.join()

    data, problems = file.read()
    assert codes == [0] * 6
    assert {name: data[name] for name in data if name.startswith("w")} == {f"w{number}": 15 for number in range(6)}
    assert data["all"] == 90
    assert (wrong, problems) == ([], [])


@posix_only
def test_a_process_that_is_killed_while_it_writes_leaves_a_whole_file_and_no_lock(
    folder: Path, file: SettingsFile, writers: Callable[[int, int], List[subprocess.Popen[str]]]
) -> None:
    for writer in writers(4, 10_000):
        assert writer.stdout
        for _ in range(3):
            writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
        writer.wait()

        data, problems = file.read()
        assert problems == []
        assert data["all"] >= 3

    file.update(setting("lang", "ko"))

    assert sorted(path.name for path in folder.iterdir()) == [FILE, f"{FILE}.last-good", f"{FILE}.lock"]


# Whatever it holds.

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["channels", "templates", "to", "slack", "webhook", "mine"]) | st.text(), inner
        )
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(), JSON.map(lambda value: json.dumps(value).encode())))
def test_whatever_it_holds_is_settings_or_a_clear_line(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "knock"
    put(folder, content)

    data, problems = SettingsFile(str(folder)).read()

    assert isinstance(data, dict)
    assert all(isinstance(data.get(name, {}), dict) for name in ("channels", "templates"))
    assert all(isinstance(section, dict) for section in data.get("channels", {}).values())
    for problem in problems:
        for text in problem.texts.values():
            assert FILE in text
            assert len(text) < 400
            assert "\n" not in text
