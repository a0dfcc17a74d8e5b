"""How long a cell is held up: against a slow server beside the peers, and under each fault."""

from __future__ import annotations

import contextlib
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Iterator

from figures import Figure, left_out, median, quantile, seconds, spread
from stage import LeftOut, Stage, run

SLOW_S = 2.0
FAULTS = {
    "none": "nothing wrong",
    "stopped": "courier stopped",
    "full": "courier stopped, pipe full",
    "killed": "courier killed, every 50 cells",
    "disk": "outbox on a full disk",
    "dead": "server dead",
}


def measure(stage: Stage) -> Iterator[Figure]:
    with slow_server() as url:
        yield from held_up(stage, url)
        try:
            yield from peers_held_up(stage, url)
        except LeftOut as why:
            yield left_out("knockknock, sentry-sdk", why)
    for fault, what in FAULTS.items():
        try:
            yield from under(stage, fault, what)
        except LeftOut as why:
            yield left_out(what, why)


# Against a slow server.


def held_up(stage: Stage, url: str) -> Iterator[Figure]:
    with stage.home() as home:
        env = home.env(KNOCK_TO="webhook", KNOCK_WEBHOOK_URL=url, KNOCK_AUTO="0.05")
        timings = stage.drive("hooks", "none", stage.pick(100, 1000), "long", "told", "failed", env=env)
    for kind, what in (("long", "long"), ("told", "finished %%knock"), ("failed", "failed %%knock")):
        after = [post for _, post, _ in timings[kind]]
        yield Figure(
            f"end of a {what} cell to the kernel's hands, server of 2 s",
            f"{seconds(median(after))}, p99 {seconds(quantile(after, 0.99))}",
            "p99 <= 50 µs",
            quantile(after, 0.99) <= 50e-6,
            f"control: {spread([post for _, post, _ in timings['control']])}",
            main=kind == "long",
        )


def peers_held_up(stage: Stage, url: str) -> Iterator[Figure]:
    python = stage.peers("knockknock", "sentry-sdk")
    for peer in ("knockknock", "sentry"):
        timings = stage.drive("peers", peer, url, env=dict(os.environ), python=python)
        for what, values in timings.items():
            yield Figure(f"  {peer}, {what}", seconds(median(values)), main=peer == "knockknock" and what == "finished")


@contextlib.contextmanager
def slow_server() -> Iterator[str]:
    """The address of a server that takes anything, and says so after two seconds."""
    closing = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            closing.wait(SLOW_S)
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, *_: Any) -> None:
            """Senders are killed when a measurement is over."""

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/hook"
    finally:
        closing.set()
        server.shutdown()
        server.server_close()


# Under each fault.


def under(stage: Stage, fault: str, what: str) -> Iterator[Figure]:
    with contextlib.ExitStack() as stack:
        home = stack.enter_context(stage.home())
        phone = stack.enter_context(stage.phone(answering=fault != "dead"))
        if fault == "disk":
            stack.enter_context(small_disk(home.folder / "knock"))
        timings = stage.drive("hooks", fault, stage.pick(300, 2000), "short", "told", env=home.knocking_at(phone))
    if fault == "none":
        yield Figure("the first cell, which starts the courier", seconds(sum(timings["first"][:2])))
    control = [post for _, post, _ in timings["control"]]
    for kind in ("short", "told"):
        both = [pre + post for pre, post, _ in timings[kind]]
        running = [pre + post - waited for pre, post, waited in timings[kind]]
        worst = quantile(both, 0.999)
        yield Figure(
            f"{what}: hooks of a {kind} cell",
            spread(both),
            "p99.9 <= 1 ms",
            worst <= 1e-3,
            f"without waiting for a CPU {spread(running)}; control {spread(control)}",
            main=kind == "told" and fault in ("none", "full"),
        )


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A file system of its own in `folder`, with room for an outbox and little more."""
    if not hasattr(os, "getuid") or os.getuid() != 0:
        raise LeftOut("only root can mount a small disk")
    folder.mkdir()
    try:
        run("mount", "-t", "tmpfs", "-o", "size=512k,mode=700", "none", folder)
    except (OSError, RuntimeError) as problem:
        raise LeftOut(f"a small disk can't be mounted here: {problem}") from None
    try:
        yield
    finally:
        run("umount", "--lazy", folder)
