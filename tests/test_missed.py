"""What nobody could be shown, for its kernel was gone: said truly in the history, and shown by the next kernel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any, Callable, Dict, List

from conftest import LOAD, Home, Kernel, end_of, poll

from knock_magic import death, language
from knock_magic.event import Event
from knock_magic.history import History, Query, delivered
from knock_magic.knocker import Knocker
from knock_magic.outbox import Outbox
from knock_magic.rules import DEFAULT_ON
from knock_magic.settings import Sources
from knock_magic.template import Message

Start = Callable[..., Kernel]

SCRIPT = "import knock, os, signal\nwith knock.run('script'): os.kill(os.getpid(), signal.SIGKILL)"


def test_a_death_without_a_channel_is_told_by_the_next_kernel(home: Home, tmp_path: Path, start_kernel: Start) -> None:
    env = home.env(KNOCK_HOME=str(tmp_path))
    kernel = start_kernel(env).load()
    kernel.start("%%knock deadly\nprint('in', 'side', flush=True)\nimport time; time.sleep(60)")
    kernel.until("in side")
    kernel.kill()
    subprocess.run([sys.executable, "-c", SCRIPT], env=env, cwd=str(home.work), timeout=60)

    poll(lambda: list(where(tmp_path).values()) == [["not shown: its kernel was gone"]] * 2, "both deaths")
    kernel = start_kernel(env)
    shown = kernel.run(LOAD)

    assert ["deadly died with its kernel" in text for text in shown.displays] == [True, False]
    assert shown.displays[1].startswith("💀 script")
    assert kernel.run("%unload_ext knock").status == "ok"
    assert kernel.run(LOAD).displays == [], "once"
    poll(lambda: set(map(tuple, where(tmp_path).values())) == {("notebook",)}, "both to be known as shown")


def test_a_run_that_went_with_its_courier_is_shown_by_the_kernel_that_finds_it(tmp_path: Path) -> None:
    nobody = death.identity(os.getpid()).replace(f"|{os.getpid()}|", "|999999999|")
    event = Event("started", "lost night", time.time() - 60)
    rules = {"to": [], "here": ["notebook"], "on": DEFAULT_ON, "min_s": 0.0, "template": "standard", "lang": "en"}
    line = {"event": event.to_json(), "rules": rules, "mono": 0.0, "death_id": str(uuid.uuid4())}
    box = Outbox(str(tmp_path / "outbox.db"))
    box.open_run(event.run, nobody, nobody, line, [], time.time())
    box.close()
    shown: List[Message] = []
    knocker = Knocker(Sources({"KNOCK_HOME": str(tmp_path), "KNOCK_LANG": "en"}), show=shown.append)

    knocker.sidecar.ensure()
    poll(lambda: knocker.has_news, "the lost run")
    knocker.tell_trouble()

    assert [message.title.startswith("💀 lost night") for message in shown] == [True]
    poll(lambda: where(tmp_path) == {"lost night": ["notebook"]}, "it to be known as shown")
    end_of(knocker)
    language.use(None)


def test_what_was_not_shown_is_not_called_delivered(home: Home, tmp_path: Path, start_kernel: Start) -> None:
    kernel = start_kernel(home.env(KNOCK_HOME=str(tmp_path))).load()

    results = [kernel.run(f"%%knock {line}\n1") for line in ("a --on failed", "b --min 60s", "c")]

    assert [len(result.displays) for result in results] == [0, 0, 1]
    poll(lambda: len(where(tmp_path)) == 3, "the runs")
    assert where(tmp_path) == {"a": [], "b": [], "c": ["notebook"]}
    listed: Any = kernel.run("%knock history --json").text
    assert {run["name"]: run["shown_here"] for run in json.loads(listed)} == {"a": [], "b": [], "c": ["notebook"]}


def where(folder: Path) -> Dict[str, Any]:
    """Where each run that is over was delivered."""
    found = History([str(folder / "outbox.db")]).entries(Query())
    return {entry.name: delivered(entry) for entry in found if not entry.goes_on}
