"""`Redirect`: catches where a browser on this machine is sent, for a login whose answer is an address."""

from __future__ import annotations

import http.server
import os
import socketserver
import threading
from typing import Any, Callable
from urllib.parse import urlsplit

from knock_magic.language import current

HOST = "127.0.0.1"
SLOW_S = 10.0  # a browser may open a connection ahead of time, and say nothing on it

_PAGES = {
    "en": "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
    "<title>knock</title><p>You can close this window, and go back to where you came from.",
    "ko": "<!doctype html><html lang=ko><meta charset=utf-8><meta name=viewport content='width=device-width'>"
    "<title>knock</title><p>이 창을 닫고 원래 화면으로 돌아가 주세요.",
}


def is_here(uri: str) -> bool:
    """Whether a browser that is sent to `uri` looks for it on its own machine, without encryption."""
    parts = urlsplit(uri)
    return parts.scheme == "http" and parts.hostname in ("localhost", HOST)


class Redirect:
    """While it is entered, a server at the port of `uri` that waits for the one address of which `is_answer` is true.

    It listens on the loopback interface only, says the same to everybody, and logs nothing. Of the first such
    address `caught` is told, from another thread; whatever else is asked for is not found. The port can't be
    chosen at random: a service sends browsers only to addresses that were registered, ports included.

    Raises:
        OSError: the port is in use, or not for us.
    """

    def __init__(self, uri: str, is_answer: Callable[[str], bool], caught: Callable[[str], None]) -> None:
        self._path = urlsplit(uri).path or "/"
        self._is_answer = is_answer
        self._caught = caught
        self._is_waiting = threading.Lock()
        self._server = _Server((HOST, urlsplit(uri).port or 80), self._handler())

    def __enter__(self) -> None:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def __exit__(self, *_: Any) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _take(self, target: str) -> bool:
        """Whether `target` is what is waited for, and the first one that is."""
        return (
            urlsplit(target).path == self._path and self._is_answer(target) and self._is_waiting.acquire(blocking=False)
        )

    def _handler(self) -> Any:
        redirect = self

        class Handler(http.server.BaseHTTPRequestHandler):
            timeout = SLOW_S

            def do_GET(self) -> None:
                is_it = redirect._take(self.path)
                page = _PAGES[current()].encode() if is_it else b""
                self.send_response(200 if is_it else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(page)))
                self.send_header("Cache-Control", "no-store")
                self.send_header("Referrer-Policy", "no-referrer")
                self.send_header("Content-Security-Policy", "default-src 'none'")
                self.end_headers()
                self.wfile.write(page)
                self.wfile.flush()
                if is_it:
                    redirect._caught(self.path)

            def log_message(self, *_: Any) -> None:
                """Nothing: the address is a secret."""

        return Handler


class _Server(socketserver.ThreadingTCPServer):  # not HTTPServer, which asks the DNS for its own name
    daemon_threads = True
    allow_reuse_address = os.name == "posix"  # elsewhere it would let others take the port away

    def handle_error(self, *_: Any) -> None:
        """Who hangs up is nobody's concern, and a traceback would show the address."""
