"""`Phone`: a real HTTP server on loopback that takes knocks, and answers as it is told."""

from __future__ import annotations

import collections
import datetime
import http.server
import json
import threading
import time
from typing import Any, Callable, Deque, Dict, List, NamedTuple, Optional, Tuple

Answer = Tuple[int, Dict[str, str], float]
OK: Answer = (200, {}, 0.0)
ENDINGS = ("finished", "failed", "interrupted", "died")
SENTINEL = "sentinel: nothing else may have come"


class Knock(NamedTuple):
    """One request as it arrived; ``knock["event"]`` reads its JSON."""

    method: str
    path: str
    headers: Dict[str, str]
    raw: bytes
    json: Dict[str, Any]
    at: float
    status: int

    def __getitem__(self, field: Any) -> Any:
        return self.json[field] if isinstance(field, str) else tuple.__getitem__(self, field)


class Phone:
    """Where the knocks arrive. It is awaited by a condition; nothing here sleeps.

    ``Phone(answering=False)`` only holds its port, so that a connection is refused until `open`.
    """

    def __init__(self, *, answering: bool = True) -> None:
        self._news = threading.Condition()
        self._knocks: List[Knock] = []
        self._all: List[Knock] = []
        self._requests = 0
        self._since = 0.0
        self._answers: Deque[Answer] = collections.deque()
        self._closing = threading.Event()
        self._server = _Server(self)
        self._server.server_bind()
        self._thread: Optional[threading.Thread] = None
        if answering:
            self.open()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/knock"

    def open(self) -> None:
        """Answer from here on."""
        self._server.server_activate()
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        if self._thread:
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def answer(
        self, status: int, headers: Optional[Dict[str, str]] = None, *, delay: float = 0, times: int = 1
    ) -> None:
        """Answer the next `times` requests so; after them with 200 again."""
        self._answers.extend([(status, headers or {}, delay)] * times)

    # What came.

    @property
    def knocks(self) -> List[Knock]:
        with self._news:
            return list(self._knocks)

    def clear(self) -> None:
        """Forget what came, and what is still to come of work that began before now: of an earlier test."""
        with self._news:
            self._since = time.time()
            self._knocks.clear()
            self._answers.clear()
            self._requests = 0

    def wait(self, n: int = 1, timeout: float = 45) -> Knock:
        """The `n`-th knock since `clear`, as soon as it is there."""
        self._await(lambda: len(self._knocks) >= n, f"{n} knocks", timeout)
        return self.knocks[n - 1]

    def wait_for_request(self, n: int = 1, timeout: float = 45) -> None:
        """Wait until the `n`-th request since `clear` has come in, whether it is answered yet or not."""
        self._await(lambda: self._requests >= n, f"{n} requests", timeout)

    def wait_for(
        self, wanted: Optional[Callable[[Knock], bool]] = None, *, timeout: float = 45, **fields: Any
    ) -> Knock:
        """The first knock that `wanted` accepts and whose JSON has these `fields`."""

        def fits(knock: Knock) -> bool:
            same = all(knock.json.get(name) == value for name, value in fields.items())
            return same and (wanted is None or wanted(knock))

        self._await(lambda: any(map(fits, self._knocks)), f"a knock with {fields or wanted}", timeout)
        return next(filter(fits, self.knocks))

    def expect_none(self, until: Callable[[str], Any]) -> None:
        """Assert that nothing came: `until` sends the text that it is given, and only this arrives."""
        assert self.expect_only(until) == []

    def expect_only(self, until: Callable[[str], Any]) -> List[Tuple[str, str]]:
        """Event and name of all that came until the text that `until` sends, twice, has arrived.

        Twice, because two knocks may be on their way side by side: what was sent before the first has
        arrived when the second has.
        """
        for number in (1, 2):
            text = f"{SENTINEL} {number} {time.monotonic()}"
            until(text)
            self.wait_for(lambda knock, text=text: text in knock["text"], event="message")
        knocks = {knock["id"]: knock for knock in self.knocks if SENTINEL not in knock["text"]}
        return [(knock["event"], knock["name"]) for knock in knocks.values()]

    def told_twice(self) -> List[str]:
        """The names of all runs, since the phone was opened, that were told to have ended more than once.

        A second try of one knock bears its id and doesn't count.
        """
        with self._news:
            told = {knock["id"]: knock for knock in self._all if knock["event"] in ENDINGS}
        ends = collections.Counter((knock["run"], knock["name"]) for knock in told.values())
        return [name for (_, name), count in ends.items() if count > 1]

    def _await(self, there: Callable[[], bool], what: str, timeout: float) -> None:
        with self._news:
            if not self._news.wait_for(there, timeout):
                came = [(knock["event"], knock["name"], knock["text"]) for knock in self._knocks]
                raise AssertionError(f"{what} did not arrive within {timeout} s; what came: {came}")

    # The server's side.

    def take(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        raw = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        with self._news:
            status, headers, delay = self._answers.popleft() if self._answers else OK
            self._requests += 1
            self._news.notify_all()
        self._closing.wait(delay) if delay else None
        parsed = json.loads(raw)
        knock = Knock(
            handler.command, handler.path, dict(handler.headers.items()), raw, parsed, time.monotonic(), status
        )
        with self._news:
            self._all.append(knock)
            if _began(parsed) >= self._since:
                self._knocks.append(knock)
            self._news.notify_all()
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()


def _began(parsed: Dict[str, Any]) -> float:
    return datetime.datetime.fromisoformat(parsed["started_at"]).timestamp()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, phone: Phone) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                phone.take(self)

            def log_message(self, *_: Any) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler, bind_and_activate=False)

    def handle_error(self, *_: Any) -> None:
        """A sender that was killed while it was answered is part of the tests."""
