"""What the README says is held to what the code does: the channels' table is the traits, and its Python runs."""

from __future__ import annotations

import http.server
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from knock_magic import channels, cli, history, language, options
from knock_magic.channels import webhook
from knock_magic.event import Event
from knock_magic.knocker import Knocker
from knock_magic.magics import KnockMagics
from knock_magic.settings import Sources, label_of
from knock_magic.template import render

ROOT = Path(__file__).parent.parent
PAGES = {"README.md": "en", "README.ko.md": "ko"}
HEADS = {"en": "| channel | settings |", "ko": "| 채널 | 설정 |"}
BEGIN, END = "<!-- channels: begin -->\n", "<!-- channels: end -->"


def table(lang: str) -> str:
    """The channels' table, from the traits."""
    rows = [HEADS[lang], "|---|---|"]
    for name in channels.own():
        channel = channels.find(name)
        settings = [
            f"`{channel.env_name(trait)}` {label_of(found, lang).rstrip('.')}"
            for trait, found in channel.fields().items()
        ]
        rows.append(f"| `{name}` {language.pick(channel.label, lang)} | {'<br>'.join(settings)} |")
    return "\n".join(rows) + "\n"


def between(text: str) -> str:
    return text.partition(BEGIN)[2].partition(END)[0]


@pytest.mark.parametrize("page", PAGES)
def test_the_table_of_channels_is_that_of_the_code(page: str) -> None:
    """`KNOCK_WRITE_README=1` before pytest writes it anew."""
    path = ROOT / page
    text, made = path.read_text(encoding="utf-8"), table(PAGES[page])
    if os.environ.get("KNOCK_WRITE_README"):
        path.write_text(text.replace(BEGIN + between(text) + END, BEGIN + made + END), encoding="utf-8")
        text = path.read_text(encoding="utf-8")

    assert between(text) == made


@pytest.mark.parametrize("page", PAGES)
def test_the_webhook_s_fields_are_in_each_language(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    body = webhook.payload(render(Event("finished", "resnet", 0.0, 1.0, 1.0), lang="en"))

    assert not [field for field in body if not re.search(rf"^\|[^|]*`{field}`", text, re.MULTILINE)]
    assert "X-Knock-Signature: sha256=" in text


def blocks(page: str, kind: str) -> List[str]:
    text = (ROOT / page).read_text(encoding="utf-8").replace("~/.config/knock_magic", "$KNOCK_HOME")
    return re.findall(rf"^```{kind}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def environ(home: Path) -> Dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KNOCK_")}
    return {**clean, "KNOCK_HOME": str(home), "IPYTHONDIR": str(home / "ipython")}


class Lamp(http.server.ThreadingHTTPServer):
    """What the README's own channel speaks to."""

    def __init__(self) -> None:
        lamp, self.told = self, []  # type: ignore[var-annotated]

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                lamp.told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/on"


@pytest.fixture
def lamp() -> Iterator[Lamp]:
    lamp = Lamp()
    thread = threading.Thread(target=lamp.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield lamp
    lamp.shutdown()
    thread.join()
    lamp.server_close()


@pytest.mark.parametrize("page", PAGES)
def test_its_cells_run(page: str, tmp_path: Path, lamp: Lamp) -> None:
    """In one shell, one after the other, as a reader types them, also where files of a group are open to it."""
    cells = [
        "from os import environ; KNOCK_HOME = environ['KNOCK_HOME']\ndef train(model): pass\ndef evaluate(model): return 0.913\nmodel = None",
        *blocks(page, "python"),
    ]
    code = (
        "import os, sys, json\n"
        "os.umask(0o002)\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "for cell in json.load(sys.stdin):\n"
        "    shell.run_cell(cell, store_history=True).raise_error()\n"
    )

    settings = {"KNOCK_LANG": PAGES[page], "KNOCK_DESK_LAMP_URL": lamp.url}
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(cells),
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**environ(tmp_path), **settings, "PYTHONIOENCODING": "utf-8"},
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    assert "resnet" in done.stdout
    assert "acc 0.913" in done.stdout
    assert any(word in done.stdout for word in ("desk_lamp: arrived", "desk_lamp: 도착했어요")), done.stdout
    assert [list(each) for each in lamp.told] == [["text"]]


@pytest.mark.parametrize("page", PAGES)
def test_its_settings_file_is_understood(page: str, tmp_path: Path) -> None:
    (settings,) = blocks(page, "json")
    path = tmp_path / "settings.json"
    path.write_text(settings.replace("/services/...", "/services/T0/B0/x"), encoding="utf-8")
    path.chmod(0o600)

    done = subprocess.run(
        [sys.executable, "-m", "knock_magic", "channels"],
        capture_output=True,
        text=True,
        env=environ(tmp_path),
        timeout=60,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "slack (Slack): ready" in done.stdout


@pytest.mark.parametrize("page", PAGES)
def test_it_names_every_command_and_option(page: str, tmp_path: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    magics = KnockMagics(None, Knocker(Sources({"KNOCK_HOME": str(tmp_path)})))  # type: ignore[arg-type]

    wanted = [f"`%knock {name}" for name in magics.commands]
    wanted += [f"`knock {name}" for name in cli._COMMANDS]
    wanted += [f"`--{name}" for name in options.HELP if name != "baseline"]
    wanted += [f"`{name}" for name in history.OPTIONS]
    assert [words for words in wanted if words not in text] == []


def test_both_pages_have_the_same_commands() -> None:
    assert blocks("README.md", "sh") == blocks("README.ko.md", "sh")


@pytest.mark.parametrize("page", PAGES)
def test_its_pictures_are_there(page: str) -> None:
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", (ROOT / page).read_text(encoding="utf-8"))

    assert pictures
    assert [path for path in pictures if not (ROOT / path).is_file()] == []
