"""What a channel is tried on: an internet of one machine, and what a channel says of itself for its contract.

`Internet` stands where the network is: every name leads to its server on loopback, over real TLS whose
certificates a test CA signs. Nothing of a channel is replaced.
"""

from __future__ import annotations

import dataclasses
import email
import email.policy
import http.server
import json
import socket
import ssl
import struct
import threading
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union
from urllib.parse import parse_qsl

import pytest

from knock_magic.event import ErrorInfo, Event
from knock_magic.template import Message, render

trustme = pytest.importorskip("trustme")

CANARY = "cAnArY"  # in every secret of a contract; it may show up nowhere


def message(kind: str = "failed", template: str = "standard", **about: Any) -> Message:
    """What a channel is given of a training, in Korean."""
    error = ErrorInfo("ValueError", "loss is nan", "cell, 3, <module>") if kind == "failed" else None
    values = {"started_at": 0.0, "ended_at": 60.0, "duration_s": 60.0, "error": error, "metrics": {"acc": 0.91}}
    return render(Event(kind, **{"name": "학습", **values, **about}), template, lang="ko")


@dataclasses.dataclass
class Request:
    """One request as a service gets it."""

    host: str
    path: str
    headers: Dict[str, str]
    body: bytes
    method: str = "POST"

    @property
    def json(self) -> Dict[str, Any]:
        return json.loads(self.body)

    @property
    def form(self) -> Dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True, strict_parsing=True))

    @property
    def parts(self) -> Dict[str, Part]:
        """Of a multipart form, by name."""
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        found = email.message_from_bytes(head + self.body, policy=email.policy.HTTP)
        return {
            part.get_param("name", header="Content-Disposition"): Part(
                part.get_filename(), part.get_content_type(), part.get_payload(decode=True)
            )
            for part in found.iter_parts()
        }


class Part(NamedTuple):
    """One of a multipart form."""

    file_name: Optional[str]
    media_type: str
    content: bytes


@dataclasses.dataclass
class Answer:
    """What a service does: answer, or with `deed` something else (``hang``, ``reset``, ``reset early``)."""

    status: int = 200
    body: Union[str, Dict[str, Any]] = ""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    deed: str = ""

    @property
    def raw(self) -> bytes:
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


PAGE = Answer(
    200, "<!DOCTYPE html>\n<html><body>Please log in to FreeWifi</body></html>", {"Content-Type": "text/html"}
)


class Internet:
    """Every host there is, for one process: `http` requests are kept and answered, mail ports lead elsewhere."""

    def __init__(self, folder: Path) -> None:
        self.ca = trustme.CA()
        self.bundle = folder / "ca.pem"
        self.ca.cert_pem.write_to_path(str(self.bundle))
        self.requests: List[Request] = []
        self.answering: Callable[[Request], Answer] = lambda request: Answer()
        self.routes: Dict[int, int] = {}
        self.looked_up: List[str] = []
        self.address = ""
        self._contexts: Dict[str, ssl.SSLContext] = {}
        self._hanging = threading.Event()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        self.port: int = self._server.server_address[1]
        self.closed = socket.socket()  # bound and never listening: what is sent there is refused
        self.closed.bind(("127.0.0.1", 0))
        self.reset()

    def reset(self) -> None:
        """As on the first day."""
        self.requests.clear()
        self.looked_up.clear()
        self.address = "127.0.0.1"  # of every host
        self.answering = lambda request: Answer()
        self.routes = {443: self.port, 80: self.closed.getsockname()[1]}

    def close(self) -> None:
        self._hanging.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.closed.close()

    def unplug(self) -> None:
        """Nobody answers any more."""
        self.routes = dict.fromkeys((80, 443, 465, 587, 25), self.closed.getsockname()[1])

    def context(self) -> ssl.SSLContext:
        """TLS as every host speaks it: with a certificate for the name that was asked for."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert("unnamed.example").configure_cert(context)
        context.sni_callback = lambda tls, name, _: setattr(tls, "context", self._named(name)) if name else None
        return context

    def _named(self, host: str) -> ssl.SSLContext:
        if host not in self._contexts:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.ca.issue_cert(host).configure_cert(context)
            self._contexts[host] = context  # only now: other threads take what is there
        return self._contexts[host]

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Make this the network of the process."""
        real = socket.getaddrinfo

        def look_up(host: Any, port: Any, *rest: Any, **options: Any) -> Any:
            name = host.decode() if isinstance(host, bytes) else host
            if name in (None, "", "localhost", "127.0.0.1", "::1"):
                return real(host, port, *rest, **options)
            self.looked_up.append(name)
            number = {"https": 443, "http": 80}.get(port, port)
            to = self.routes.get(number, self.closed.getsockname()[1])
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (self.address, to))]

        patch.setattr(socket, "getaddrinfo", look_up)
        patch.setenv("REQUESTS_CA_BUNDLE", str(self.bundle))
        for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
            patch.delenv(name, raising=False)
            patch.delenv(name.upper(), raising=False)
        for name in ("CURL_CA_BUNDLE", "SSL_CERT_FILE"):
            patch.delenv(name, raising=False)

    # The servers' side.

    def take(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        request = Request(handler.headers["Host"], handler.path, dict(handler.headers.items()), body, handler.command)
        self.requests.append(request)
        answer = self.answering(request)
        if answer.deed == "hang":
            self._hanging.wait(60)
        elif answer.deed == "reset":
            break_off(handler.connection)
        if answer.deed:
            handler.close_connection = True
            return
        handler.send_response(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(answer.raw)))
        handler.end_headers()
        handler.wfile.write(answer.raw)


def break_off(connection: socket.socket) -> None:
    """End a connection as a crash does: by a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, internet: Internet) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1  # headers and body in one packet

            def do_POST(self) -> None:
                internet.take(self)

            do_GET = do_PUT = do_PATCH = do_DELETE = do_POST  # noqa: N815 - as the standard library calls them

            def log_message(self, *_: Any) -> None:
                pass

        self.tls = internet.context()
        super().__init__(("127.0.0.1", 0), Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """The handshake belongs to the request's own thread."""
        request.settimeout(30)
        with self.tls.wrap_socket(request, server_side=True) as encrypted:
            super().finish_request(encrypted, client_address)

    def handle_error(self, *_: Any) -> None:
        """Who hangs up in the middle is part of the tests."""


@dataclasses.dataclass
class Contract:
    """What the contract suite must know of a channel: its test file has one as `CONTRACT`.

    Args:
        settings: all that it needs, with `CANARY` in every secret.
        wire: how it speaks: ``http``, ``smtp``, ``kernel`` for one that speaks in the notebook, ``library`` for one
            that has another library speak HTTP (so what is only about our own HTTP is not asked of it), or
            ``program`` for one that runs a program of the machine (so there is no internet to ask about).
        needs: the library that it can't be tried without, which an extra brings.
        answer: HTTP: how the service answers when all is well, for each request.
        is_message: HTTP: whether a request is the one that carries the message (others fetch tokens and the like).
        read: the texts of a request (HTTP) or of a mail (SMTP) that a person reads.
        alive: what of a hostile text came alive in it; must be empty.
        inside: HTTP: answers of status 200 that are errors, and whether they are permanent.
        canaries: secrets that can't hold `CANARY`, for their form is fixed.
        takes_pages: HTTP: whether a page for people is a success all the same.
        gone: HTTP, where it edits: the answer to the edit of a message that is not there any more.
        program: for a channel that runs a program: puts one of our own in its place, and gives what gives the texts
            that each call of it got.
        below: HTTP, where it has threads: what in a request puts its message below another one.
    """

    settings: Dict[str, Any]
    wire: str = "http"
    needs: str = ""
    answer: Callable[[Request], Answer] = lambda request: Answer()
    is_message: Callable[[Request], bool] = lambda request: True
    read: Callable[[Any], List[str]] = lambda request: []
    alive: Callable[[Any], List[str]] = lambda request: []
    inside: Sequence[Tuple[str, Answer, bool]] = ()
    canaries: Sequence[str] = ()
    takes_pages: bool = False
    gone: Optional[Answer] = None
    below: Callable[[Request], Any] = lambda request: None
    program: Optional[Callable[[pytest.MonkeyPatch, Path], Callable[[], List[Any]]]] = None
