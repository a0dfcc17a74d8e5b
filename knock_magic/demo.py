"""``knock demo``: real cells through the whole road to a receiver on this machine, nothing to configure."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Dict, Iterator, List, Tuple

from knock_magic.durations import say_duration
from knock_magic.language import current, pick

ARRIVES_WITHIN_S = 60.0
MARK = "running in process"  # printed by a cell once it is inside its work

Knock = Tuple[Dict[str, Any], float]


@dataclasses.dataclass(frozen=True)
class Scene:
    """One cell, what is done to it while it runs, and the outcome that has to arrive."""

    title: Dict[str, str]
    cell: str
    outcome: str
    signal: str = ""


_TRAINING = """%%knock {name}{options}
import os, time
for epoch in range(3):
    time.sleep(0.2)
    acc = 0.71 + 0.1 * epoch
{end}
"""
_WAIT = f"print('{MARK}', os.getpid(), flush=True)\ntime.sleep(600)"

SCENES = (
    Scene(
        {"en": "a training that finishes", "ko": "끝까지 가는 학습"},
        _TRAINING.format(name="resnet", options=" --show acc", end=""),
        "finished",
    ),
    Scene(
        {"en": "one that fails", "ko": "실패하는 학습"},
        _TRAINING.format(name="bert", options="", end="raise ValueError('loss is nan at epoch 3')"),
        "failed",
    ),
    Scene(
        {"en": "one that is interrupted", "ko": "중단하는 학습"},
        _TRAINING.format(name="gan", options="", end=_WAIT),
        "interrupted",
        "SIGINT",
    ),
    Scene(
        {"en": "one whose kernel is killed", "ko": "커널이 죽는 학습"},
        _TRAINING.format(name="llm", options="", end=_WAIT),
        "died",
        "SIGKILL",
    ),
)


def main() -> int:
    """Play the scenes and print what arrives; 0 when every knock did."""
    arrivals: queue.Queue[Knock] = queue.Queue()
    with tempfile.TemporaryDirectory(prefix="knock-demo-") as folder, _receiver(arrivals) as url:
        environ = _environ(folder, url)
        with_kernel = all(importlib.util.find_spec(name) for name in ("ipykernel", "jupyter_client"))
        shell = "ipykernel" if with_kernel else "IPython"
        print(
            pick(
                {"en": f"Each cell runs in a real {shell} of its own.\n", "ko": f"셀마다 진짜 {shell}에서 실행돼요.\n"}
            )
        )
        return max(_play(scene, environ, arrivals, with_kernel) for scene in SCENES)


def _play(scene: Scene, environ: Dict[str, str], arrivals: queue.Queue[Knock], with_kernel: bool) -> int:
    print(f"▸ {pick(scene.title)}", flush=True)
    play = _in_kernel if with_kernel else _in_shell
    with play(scene, environ):
        try:
            knock, arrived_at = arrivals.get(timeout=ARRIVES_WITHIN_S)
        except queue.Empty:
            print(pick({"en": "  nothing arrived.", "ko": "  도착한 알림이 없어요."}))
            return 1
    _print(knock, arrived_at)
    return 0 if knock["event"] == scene.outcome else 1


def _print(knock: Dict[str, Any], arrived_at: float) -> None:
    import datetime

    ended = datetime.datetime.fromisoformat(knock["ended_at"]).timestamp()
    after = say_duration(arrived_at - ended)
    print("  📱 " + "\n     ".join(knock["text"].splitlines()))
    print(
        pick({"en": f"     (arrived {after} after the end)\n", "ko": f"     (끝난 지 {after} 만에 도착)\n"}), flush=True
    )


# A phone: a server on the loopback interface.


@contextlib.contextmanager
def _receiver(arrivals: queue.Queue[Knock]) -> Iterator[str]:
    class Phone(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            arrivals.put((json.loads(body), time.time()))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:
            """Print nothing: only what arrived is shown."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Phone)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def _environ(folder: str, url: str) -> Dict[str, str]:
    """The environment of the cells: the person's own, but no setting and no file of theirs is used or touched."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("KNOCK_")}
    environ.update(
        KNOCK_WEBHOOK_URL=url, KNOCK_TO="webhook", KNOCK_LANG=current(), KNOCK_HOME=os.path.join(folder, "home")
    )
    environ.update(NO_PROXY="127.0.0.1", no_proxy="127.0.0.1", PYTHONIOENCODING="utf-8")
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        environ[name] = os.path.join(folder, name.lower())
    return environ


# Two ways to have a real shell.


@contextlib.contextmanager
def _in_kernel(scene: Scene, environ: Dict[str, str]) -> Iterator[None]:
    """An ipykernel, driven as a front end does it."""
    from jupyter_client.manager import KernelManager

    with _environment(environ):  # the connection file's folder is looked up here too
        manager = KernelManager(kernel_name="python3")
        # This Python, whatever kernels are installed under that name.
        assert manager.kernel_spec
        manager.kernel_spec.argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        manager.start_kernel(env=environ, stderr=subprocess.DEVNULL)
        client = manager.blocking_client()
        client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        client.execute_interactive("%load_ext knock", timeout=60, output_hook=lambda message: None)
        client.execute(scene.cell)
        if scene.signal:
            pid = _pid_from_kernel(client)
            if scene.signal == "SIGINT":
                manager.interrupt_kernel()
            else:
                os.kill(pid, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
        yield
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _pid_from_kernel(client: Any) -> int:
    text = ""
    while "\n" not in text.partition(MARK)[2]:
        message = client.get_iopub_msg(timeout=60)
        if message["msg_type"] == "stream":
            text += message["content"]["text"]
    return int(text.partition(MARK)[2].split()[0])


@contextlib.contextmanager
def _in_shell(scene: Scene, environ: Dict[str, str]) -> Iterator[None]:
    """A plain IPython shell in a child process: the four required packages bring no kernel."""
    flags = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)  # Windows
    child = subprocess.Popen(
        [sys.executable, "-c", "from knock_magic.demo import run_child; run_child()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environ,
        encoding="utf-8",
        creationflags=flags,
    )
    assert child.stdin and child.stdout
    try:
        child.stdin.write(scene.cell)
        child.stdin.close()
        if scene.signal:
            _wait_for_mark(child.stdout)
            if scene.signal == "SIGINT":
                child.send_signal(getattr(signal, "CTRL_BREAK_EVENT", signal.SIGINT))
            else:
                child.kill()
        yield
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def _wait_for_mark(lines: Iterator[str]) -> None:
    for line in lines:
        if MARK in line:
            return


def run_child() -> None:
    """In the child: the cell that stands on stdin, in a real IPython shell with the extension loaded."""
    from IPython.core.interactiveshell import InteractiveShell

    if hasattr(signal, "SIGBREAK"):
        signal.signal(signal.SIGBREAK, signal.default_int_handler)
    source = sys.stdin.read()
    shell = InteractiveShell.instance()
    shell.run_cell("%load_ext knock")
    shell.run_cell(source, store_history=True)


@contextlib.contextmanager
def _environment(environ: Dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


__all__: List[str] = ["SCENES", "Scene", "main", "run_child"]
