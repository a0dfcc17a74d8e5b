"""What nobody could be shown, for its kernel was gone: said truly in the history, and shown by the next kernel."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict

from conftest import LOAD, Home, Kernel, poll

from knock_magic.history import History, Query, delivered

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
