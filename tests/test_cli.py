"""`knock` in a shell: exit codes, one line for each mistake, and no traceback for any."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, List

import pytest
from conftest import Home
from phone import Phone

from knock_magic import pictures
from knock_magic.errors import UsageError

Shell = Callable[..., "subprocess.CompletedProcess[str]"]
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


@pytest.fixture
def shell(home: Home, phone: Phone) -> Shell:
    """Do ``knock WORDS``."""

    def shell(*words: str, **settings: Any) -> subprocess.CompletedProcess[str]:
        env = home.knocking_at(phone, **{"PYTHONIOENCODING": "utf-8", **settings})
        command = [sys.executable, "-m", "knock_magic", *words]
        return subprocess.run(command, env=env, cwd=home.work, capture_output=True, encoding="utf-8", timeout=60)

    return shell


def test_send_says_a_text(shell: Shell, phone: Phone) -> None:
    done = shell("send", "밥", "먹자")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert phone.wait(1)["text"] == "💬 밥 먹자"


def test_send_names_channels(shell: Shell, phone: Phone) -> None:
    assert shell("send", "hi", "--to", "webhook, notebook", KNOCK_TO=None).returncode == 0

    assert phone.wait(1)["event"] == "message"


def test_send_takes_a_picture(shell: Shell, phone: Phone, home: Home) -> None:
    (home.work / "plot.png").write_bytes(PNG)

    done = shell("send", "a plot", "--picture", "plot.png")
    lost = shell("send", "a plot", "--picture", "no such.png")

    assert (done.returncode, done.stderr) == (0, "knock: webhook takes no pictures; the text goes without it.\n")
    assert phone.wait_for(text="💬 a plot")["event"] == "message"
    assert lost.returncode == 0
    assert "the picture can't be read: No such file" in phone.wait_for(lambda knock: "(" in knock["text"])["text"]


def test_what_is_not_delivered_is_an_exit_code(shell: Shell, phone: Phone) -> None:
    phone.answer(500, times=9)
    assert shell("send", "refused").returncode == 1
    phone.clear()
    phone.answer(500, times=9)

    done = shell("test")

    assert done.returncode == 1
    assert "HTTP 500" in done.stdout


def test_test_says_what_each_channel_answered(shell: Shell, phone: Phone) -> None:
    done = shell("test", "webhook", "notebook")

    assert done.returncode == 0
    assert [line.split(":")[0] for line in sorted(done.stdout.splitlines())] == ["notebook", "webhook"]
    assert phone.wait(1)["event"] == "test"


def test_mute_lasts_until_unmute(shell: Shell, phone: Phone) -> None:
    assert "muted until" in shell("mute", "2h").stdout
    held = shell("send", "not now")
    assert "muted until" in shell("mute").stdout
    assert "not muted" in shell("unmute").stdout
    shell("send", "now")

    assert held.returncode == 0
    assert "kept in the history" in held.stderr
    assert phone.wait(1)["text"] == "💬 now"
    assert "not muted" in shell("mute", "off").stdout


def test_history_is_json_for_programs(shell: Shell, phone: Phone) -> None:
    shell("run", "학습", "--", sys.executable, "-c", "raise SystemExit(3)")
    phone.wait_for(name="학습")

    told = json.loads(shell("history", "--json").stdout)[0]
    ascii_only = shell("history", "--json", PYTHONIOENCODING="ascii").stdout

    assert (told["name"], told["outcome"], told["error_type"], told["metrics"]) == (
        "학습",
        "failed",
        "ExitCode",
        {"exit_code": 3},
    )
    assert [delivery["channel"] for delivery in told["deliveries"]] == ["webhook"]
    assert json.loads(ascii_only)[0]["name"] == "학습"


def test_a_reader_that_has_seen_enough_is_no_error(shell: Shell, home: Home, phone: Phone) -> None:
    line = f"{sys.executable} -m knock_magic channels | head -n 1"

    done = subprocess.run(line, shell=True, env=home.knocking_at(phone), capture_output=True, text=True, timeout=60)

    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1


def test_a_terminal_without_korean_is_no_error(shell: Shell, phone: Phone) -> None:
    assert shell("channels", KNOCK_LANG="ko", PYTHONIOENCODING="ascii").returncode == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sned", "hi"], "Did you mean send?"),
        (["send"], "required: text"),
        (["send", "hi", "--too", "slack"], "arguments: --too slack. Did you mean --to? See knock send --help."),
        (["send", "hi", "--pic", "x"], "arguments: --pic x. Did you mean --picture? See knock send --help."),
        (["--versoin"], "Did you mean --version? See knock --help."),
        (["send", "hi", "--to", "slakc"], "Did you mean slack?"),
        (["send", "hi", "--to", "slack"], "slack can't be used yet"),
        (["test", "slakc"], "Did you mean slack?"),
        (["history", "--outcome", "fialed"], "Did you mean failed?"),
        (["mute", "soon"], "a duration looks like"),
        (["mute", "2h", "3h"], "3h"),
        (["channels", "all"], "all"),
    ],
)
def test_a_mistake_is_told_in_one_line(shell: Shell, words: List[str], said: str) -> None:
    done = shell(*words)

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["send"], "knock: 빠진 것이 있어요: text. knock send --help를 참고해 주세요."),
        (["send", "hi", "--too", "slack"], "knock: 알 수 없는 옵션이 있어요: --too"),
        (["send", "hi", "--to"], "knock: 옵션 --to: 값을 하나 적어 주세요."),
    ],
)
def test_a_mistake_is_told_in_korean(shell: Shell, words: List[str], said: str) -> None:
    assert shell(*words, KNOCK_LANG="ko").stderr.startswith(said)


def test_every_command_explains_itself(shell: Shell) -> None:
    commands = ("run", "send", "test", "history", "mute", "unmute", "channels", "login", "demo")

    listed = shell("--help").stdout

    assert [name for name in commands if name not in listed] == []
    assert "--every" in shell("run", "--help").stdout
    assert "--outcome" in shell("history", "-h").stdout
    assert shell().returncode == 2
    assert shell("--version").stdout.startswith("knock_magic ")


# Pictures.


def test_a_picture_is_a_path_bytes_or_a_figure(tmp_path: Path) -> None:
    class Figure:
        def savefig(self, file: Any, format: str, **_: Any) -> None:
            file.write(PNG)

    path = tmp_path / "plot"
    path.write_bytes(PNG)

    for picture in (str(path), path, PNG, bytearray(PNG), memoryview(PNG), Figure()):
        assert pictures.is_one(picture)
        assert pictures.read(picture).content == PNG
        assert pictures.read(picture).media_type == "image/png"
    assert not pictures.is_one(3)


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"\xff\xd8\xff\xe0", "image/jpeg"), (b"GIF89a", "image/gif"), (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp")],
)
def test_pictures_are_known_by_how_they_begin(content: bytes, kind: str) -> None:
    assert pictures.read(content).media_type == kind


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (b"", "no PNG"),
        (b"%PDF-1.7", "no PNG"),
        ("no such file", "No such file"),
        (".", "directory"),
        (PNG + bytes(pictures.MOST_BYTES), "5 MB"),
    ],
)
def test_what_is_no_picture_is_told(picture: Any, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        pictures.read(picture)

    assert said in caught.value.texts["en"]


def test_a_figure_that_can_not_be_drawn_is_told() -> None:
    class Figure:
        def savefig(self, *_: Any, **__: Any) -> None:
            raise RuntimeError("no backend")

    with pytest.raises(UsageError) as caught:
        pictures.read(Figure())

    assert "no backend" in caught.value.texts["en"]
