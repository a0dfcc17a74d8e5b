"""The desktop: what is special about it. The program that shows it is a fake on PATH, which keeps what it is given."""

from __future__ import annotations

import base64
import html
import re
import sys
from pathlib import Path
from typing import Callable, List

import pytest

from knock_magic.channels import desktop
from knock_magic.channels.desktop import Desktop, call_for
from knock_magic.errors import DeliveryError
from knock_magic.event import Event
from knock_magic.template import render

from .stage import Contract

HOSTILE = "<b>bold</b> & \\n $(touch it) `touch it` $env:PATH '; touch it; ' \"quoted\" --urgency=low"
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="notify-send is Linux's")


def fake(patch: pytest.MonkeyPatch, folder: Path) -> Callable[[], List[List[str]]]:
    """A desktop with a `notify-send`; gives the arguments of each call."""
    folder = folder / "bin"
    folder.mkdir()
    program = folder / "notify-send"
    program.write_text(f"""#!/bin/sh\nprintf '%s\\0' "$@" >> '{folder}/calls'\nprintf '\\1' >> '{folder}/calls'\n""")
    program.chmod(0o755)
    patch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    patch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
    for name in ("COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE"):
        patch.delenv(name, raising=False)

    def calls() -> List[List[str]]:
        written = (folder / "calls").read_text(encoding="utf-8") if (folder / "calls").exists() else ""
        return [call.split("\0")[:-1] for call in written.split("\1")[:-1]]

    return calls


def alive(call: List[str]) -> List[str]:
    """Markup in the body; the title is none."""
    return re.findall(r"<[a-z!/@]|&(?!amp;|lt;|gt;)", call[-1])


def read(call: List[str]) -> List[str]:
    """Title and body, as a desktop shows them."""
    return [text for text in (call[-2], html.unescape(call[-1])) if text]


CONTRACT = Contract(settings={}, wire="program", program=fake, read=read, alive=alive)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], List[List[str]]]:
    return fake(monkeypatch, tmp_path)


def send(kind: str = "failed", text: str = "resnet") -> None:
    event = Event(kind, text, 1.0, 61.0, 60.0, text=text, metrics={"loss": text})
    Desktop().send(render(event, lang="en"))


def error() -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        send()
    return caught.value


@pytest.mark.parametrize(
    ("kind", "urgency"), [("failed", "critical"), ("finished", "normal"), ("progress", "low"), ("died", "critical")]
)
def test_trouble_stays_until_it_is_seen(calls: Callable[[], List[List[str]]], kind: str, urgency: str) -> None:
    send(kind)

    assert calls()[0][:3] == ["--app-name=knock", f"--urgency={urgency}", "--"]
    assert "resnet" in calls()[0][3]


def test_what_came_from_a_cell_is_neither_option_nor_markup_nor_shell(calls: Callable[[], List[List[str]]]) -> None:
    send("message", f"--help {HOSTILE}\n{HOSTILE}")

    (call,) = calls()
    assert call[:3] == ["--app-name=knock", "--urgency=normal", "--"]
    assert call[-2].endswith(HOSTILE)
    assert call[-1].startswith("&lt;b&gt;bold&lt;/b&gt; &amp; \\\\n $(touch it)")
    assert len(call) == 5


def test_korean_arrives_whatever_the_locale_is(
    calls: Callable[[], List[List[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C")

    send("finished", "학습 🎉")

    assert "학습 🎉" in calls()[0][3]


def test_a_program_that_fails_is_told_with_its_words(
    calls: Callable[[], List[List[str]]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "bin" / "notify-send").write_text("#!/bin/sh\necho 'The name is not activatable.' >&2\nexit 1\n")

    caught = error()

    assert str(caught) == "Desktop: notify-send could not show it (The name is not activatable)."
    assert (caught.permanent, caught.maybe_sent) == (False, False)


def test_a_program_that_hangs_is_given_up(
    calls: Callable[[], List[List[str]]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(desktop, "READ_SECONDS", 0.2)
    (tmp_path / "bin" / "notify-send").write_text("#!/bin/sh\nexec sleep 30\n")

    assert error().maybe_sent


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("program", "notify-send is missing on this machine. On Linux: sudo apt install libnotify-bin."),
        ("session", "this machine has no desktop (no session bus). Use another channel."),
        ("Colab", "this kernel runs in a data centre, where nobody sees a desktop. Use another channel."),
    ],
)
def test_where_nobody_looks_it_says_so_once_for_all(
    calls: Callable[[], List[List[str]]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, missing: str, said: str
) -> None:
    if missing == "program":
        monkeypatch.setenv("PATH", str(tmp_path))
    elif missing == "session":
        monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS")
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    else:
        monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab_20260101")

    caught = error()

    assert str(caught) == f"Desktop: {said}"
    assert (caught.permanent, caught.revoked) == (True, True)
    assert calls() == []


def test_a_bus_at_its_usual_place_is_found(
    calls: Callable[[], List[List[str]]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "bus").touch()

    send()

    assert len(calls()) == 1


# The other platforms: what would be run there.


def test_on_macos_the_texts_are_arguments_and_no_part_of_the_script() -> None:
    call = call_for("darwin", HOSTILE, f"-e {HOSTILE}", "loud")

    assert call.program == "osascript"
    assert call.arguments == ["-", HOSTILE, f"-e {HOSTILE}", "loud"]
    assert "touch" not in call.input


def test_on_windows_the_texts_are_in_the_environment_and_no_part_of_the_script() -> None:
    call = call_for("win32", HOSTILE, "body", "normal")

    assert call.environ == {"KNOCK_TOAST_TITLE": HOSTILE, "KNOCK_TOAST_BODY": "body"}
    assert call.arguments[:3] == ["-NoProfile", "-NonInteractive", "-EncodedCommand"]
    script = base64.b64decode(call.arguments[3]).decode("utf-16-le")
    assert "CreateTextNode($env:KNOCK_TOAST_TITLE)" in script
    assert "touch" not in script
