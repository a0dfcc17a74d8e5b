"""Someone else's channels: files in the settings folder, and installed packages; none may break the list, or run if loose."""

from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path
from typing import Any, Callable, Dict, Iterator

import pytest
from conftest import Home, Kernel
from phone import Phone

from knock_magic import channels, delivery, status
from knock_magic.errors import SettingsError
from knock_magic.event import Event
from knock_magic.knocker import Knocker
from knock_magic.settings import Sources

posix_only = pytest.mark.skipif(os.name != "posix", reason="modes and links of POSIX")

MINE = '''
from knock_magic.channels.base import Url
from knock_magic.channels.webhook import Webhook


class Mine(Webhook):
    """A webhook by another name."""

    key = "mine"
    label = "Mine"
'''


# What a channel may do with the streams that its process was given.
CHATTY = """
    def send(self, message):
        import subprocess, sys
        print("noise", flush=True)
        sys.stdin.read()
        subprocess.Popen(["sleep", "2"])
        super().send(message)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """The folder of someone's own channels, and this process looking into it."""
    folder = tmp_path / "channels"
    folder.mkdir(mode=0o755)
    before = channels._folder
    channels.look_in(str(folder))
    yield folder
    channels.look_in(before)
    for name in [name for name in sys.modules if name.startswith("knock_own_channel_")]:
        del sys.modules[name]


def put(folder: Path, source: str = MINE, name: str = "mine", mode: int = 0o644) -> Path:
    path = folder / f"{name}.py"
    path.write_text(source, encoding="utf-8")
    path.chmod(mode)
    return path


def refused(name: str = "mine") -> Dict[str, str]:
    with pytest.raises(SettingsError) as caught:
        channels.find(name)
    return dict(caught.value.texts)


# A file.


def test_a_file_is_a_channel(folder: Path) -> None:
    put(folder)

    assert "mine" in channels.names()
    assert channels.find("mine").key == "mine"
    assert channels.find("mine") is channels.find("mine")


def test_its_texts_are_in_every_language_whatever_it_says(folder: Path) -> None:
    put(folder)

    found = channels.find("mine")

    assert found.label == {"en": "Mine", "ko": "Mine"}
    assert set(found.steps) == {"en", "ko"}


def test_a_file_that_was_changed_is_read_anew(folder: Path) -> None:
    put(folder)
    before = channels.find("mine")

    put(folder, MINE + "\n    limit = 7\n")

    assert channels.find("mine").limit == 7
    assert before.limit is None


def test_a_file_that_was_taken_away_is_no_channel_any_more(folder: Path) -> None:
    put(folder)
    assert "mine" in channels.names()

    (folder / "mine.py").unlink()

    assert not channels.is_one("mine")


@posix_only
@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_a_file_that_others_can_change_is_not_run(folder: Path, mode: int) -> None:
    path = put(folder, "raise SystemExit('it ran')", mode=mode)

    texts = refused()

    assert f"can be changed by others (mode 0{mode:o})" in texts["en"]
    assert f"chmod go-w {path}" in texts["ko"]


@posix_only
def test_a_link_is_not_run(folder: Path, tmp_path: Path) -> None:
    put(tmp_path)
    (folder / "mine.py").symlink_to(tmp_path / "mine.py")

    assert "is a link" in refused()["en"]


@posix_only
def test_nothing_in_a_folder_that_others_can_change_is_run(folder: Path) -> None:
    put(folder)
    folder.chmod(0o775)

    assert "can be changed by others (mode 0775)" in refused()["en"]


@posix_only
def test_nothing_in_a_folder_behind_a_link_is_run(folder: Path, tmp_path: Path) -> None:
    put(folder)
    (tmp_path / "link").symlink_to(folder)
    channels.look_in(str(tmp_path / "link"))

    assert "is no folder" in refused()["en"]


@posix_only
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a file away")
def test_somebody_else_s_file_is_not_run(folder: Path) -> None:
    os.chown(put(folder), 65534, 65534)

    assert "belongs to another user" in refused()["en"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import knock_no_such_thing", "line 1: ModuleNotFoundError: No module named 'knock_no_such_thing'"),
        ("x = 1\ndef broken(:", "line 2: SyntaxError"),
        ("raise SystemExit('no')", "line 1: SystemExit: no"),
        ("x = 1", "it defines no class derived from Channel"),
        ("from knock_magic.channels.webhook import Webhook", "it defines no class derived from Channel"),
        (MINE.replace('"mine"', '"yours"'), "key must be 'mine', got 'yours'"),
        (MINE + "    in_kernel = True\n", "in_kernel is for the notebook channel only"),
    ],
)
def test_what_can_t_be_used_says_where_and_why(folder: Path, source: str, said: str) -> None:
    path = put(folder, source)

    texts = refused()

    assert texts["en"].startswith(f"{path} can't be used as a channel: ")
    assert said in texts["en"]
    assert texts["ko"].startswith(f"{path}: 채널로 쓸 수 없어요. ")


def test_our_own_names_win(folder: Path) -> None:
    put(folder, "raise SystemExit('it ran')", name="slack")

    assert channels.find("slack").__module__ == "knock_magic.channels.slack"
    assert channels.names().count("slack") == 1


def test_a_broken_one_is_told_in_the_list_and_once_in_use(folder: Path, tmp_path: Path) -> None:
    put(folder, "import knock_no_such_thing")
    put(folder, MINE.replace('"mine"', '"other"'), name="other")
    said = []
    environ = {"KNOCK_HOME": str(tmp_path), "KNOCK_TO": "mine,other", "KNOCK_OTHER_URL": "https://x.example/"}
    knocker = Knocker(Sources(environ), say=said.append)

    in_use = [knocker.in_use() for _ in range(3)][-1]
    lines = status.channel_lines(knocker)

    assert in_use == ("other",)
    assert [text for text in said if "knock_no_such_thing" in text] == said[:1]
    assert any(line.startswith("mine: ") and "can't be used" in line for line in lines)
    assert any("other (Mine): ready" in line for line in lines)


# A package.


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Where a package with two channels, one of them broken, is installed."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "their_package.py").write_text(MINE.replace('"mine"', '"theirs"'), encoding="utf-8")
    info = site / "their_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n", encoding="utf-8")
    points = """
        [knock_magic.channels]
        theirs = their_package:Mine
        broken = their_package:Missing
        slack = their_package:Mine
    """
    (info / "entry_points.txt").write_text(textwrap.dedent(points), encoding="utf-8")
    return site


def test_an_installed_package_brings_its_channels(site: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(site))
    channels.look_again()

    try:
        assert {"theirs", "broken"} <= set(channels.names())
        assert channels.find("theirs").__module__ == "their_package"
        assert channels.find("slack").__module__ == "knock_magic.channels.slack"
        assert refused("broken")["en"].startswith("broken (their_package:Missing) can't be used as a channel: Attrib")
        put(folder, MINE.replace('"mine"', '"theirs"'), name="theirs")
        assert channels.find("theirs").__module__ == "knock_own_channel_theirs"
    finally:
        sys.modules.pop("their_package", None)
        channels.look_again()


def test_nobody_looks_at_packages_for_the_sake_of_our_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would make every loading slow."""
    channels.look_again()
    monkeypatch.setattr("knock_magic.plugins.Packages.__init__", lambda self: pytest.fail("looked"))
    environ = {"KNOCK_HOME": str(folder.parent), "KNOCK_TO": "slack", "KNOCK_SLACK_WEBHOOK_URL": "https://x.example/"}

    knocker = Knocker(Sources(environ))

    assert knocker.in_use() == ("slack",)


def test_a_fault_in_send_is_told_by_its_kind_and_place_and_not_by_its_text(folder: Path) -> None:
    put(
        folder,
        MINE + "\n    def send(self, message):\n        helped()\n\ndef helped():\n    raise KeyError('canary')\n",
    )
    event = Event("test", "", 0.0).to_json()
    item = {"knock": "k", "channel": "mine", "settings": {}, "event": event, "late_s": 0.0}

    said = {lang: delivery.send({**item, "lang": lang, "after": None, "live": None})["reason"] for lang in ("en", "ko")}

    assert said["en"] == "mine: KeyError in its send() (mine.py, line 16)"
    assert said["ko"] == "mine: 알림을 보내다가 KeyError 오류가 났어요(mine.py 16번째 줄)"


# In the kernel and in the process that delivers, also after the kernel's death.


def test_both_kinds_deliver_also_after_the_kernel_s_death(
    home: Home, phone: Phone, site: Path, start_kernel: Callable[[Dict[str, Any]], Kernel]
) -> None:
    settings = {"KNOCK_MINE_URL": phone.url, "KNOCK_THEIRS_URL": phone.url, "PYTHONPATH": str(site)}
    kernel = start_kernel(home.env(**settings)).load()
    folder = home.folder / "knock" / "channels"
    kernel.run(f"import os; os.umask(0o022); os.makedirs({str(folder)!r})")
    kernel.run(f"%%writefile {folder}/mine.py\n{MINE}{CHATTY}")

    said = kernel.run("%knock test mine theirs")
    listed = kernel.run("%knock channels")
    kernel.start("%%knock last --to mine,theirs\nimport os, time\nos.kill(os.getpid(), 9)")

    assert "mine: arrived" in said.text, said.text
    assert "theirs: arrived" in said.text
    assert "mine (Mine): ready" in listed.text
    phone.wait_for(lambda knock: len([each for each in phone.knocks if each["event"] == "died"]) == 2, timeout=60)


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("카카오톡", "kakao"),
        ("카톡", "kakao"),
        ("네이버", "lineworks, naver"),
        ("카카오", "kakao, kakaowork"),
        ("Slack", "slack"),
        ("슬랙", "slack"),
        ("Google Chat", "googlechat"),
        ("slakc", "slack"),
        ("휴대폰", ""),
        ("", ""),
        ("!!", ""),
    ],
)
def test_a_channel_is_offered_by_what_people_call_it(typed: str, key: str) -> None:
    texts = channels.unknown(typed).texts

    assert (f"혹시 {key}인가요?" in texts["ko"]) == bool(key)
    assert ("Did you mean" in texts["en"]) == bool(key)
