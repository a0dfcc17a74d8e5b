"""The process beside the kernel: it watches, keeps what happened in the outbox, and decides what is due when.

It reads the kernel's lines, answers each knock once it is in the outbox, starts a delivery for what is due,
and goes on after the kernel's death until nothing of its own waits. It never touches the network. Standard
library only, and little of that: it lives as long as the kernel does.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sqlite3
import sys
import threading
import time
import uuid

from knock_magic import death, launch, outbox, retry, slate, watch
from knock_magic.names import name_of
from knock_magic.rules import ENDINGS, is_due

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from typing import Any, Callable, Dict, List, Optional, Set, Tuple

    Line = Dict[str, Any]

DEADLINE_S = 60.0  # a delivery that takes longer is killed, whatever it waits for
LEASE_S = DEADLINE_S + 30.0
DYING_S = 5.0  # between closing its pipes and being dead, a process needs milliseconds
BATCH = 64
MOST_DELIVERIES = 4


def main(arguments: List[str]) -> None:
    """Serve the kernel whose pid and slate the arguments name, over stdin and stdout."""
    parent, slate_handle = int(arguments[0]), arguments[1]
    for name in ("SIGINT", "SIGHUP"):  # Jupyter and terminals send these to whole groups; they are not for us
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    page = slate.opened(slate_handle)
    inbox: queue.SimpleQueue[Tuple[str, Any]] = queue.SimpleQueue()
    if sys.platform != "win32":
        os.set_blocking(1, False)
    courier = Courier(parent, inbox, open_cells=lambda: list(slate.read(page)))
    # The numbers, not sys.stdin: no buffer may keep a byte back.
    threading.Thread(
        target=watch.listen, args=(0, parent, lambda data: inbox.put(("kernel", data))), daemon=True
    ).start()
    courier.serve()


class Courier:
    """One kernel's courier. `inbox` brings ("kernel", bytes) and ("delivery", (number, line or None))."""

    def __init__(
        self,
        parent: int,
        inbox: queue.SimpleQueue[Tuple[str, Any]],
        open_cells: Callable[[], List[Tuple[float, float, int, str]]],
    ) -> None:
        self._parent = parent
        self._inbox = inbox
        self._open_cells = open_cells
        self._name = death.identity(os.getpid())
        self._outbox: Optional[outbox.Outbox] = None
        self._partial = b""
        self._answers = b""
        self._hello: Line = {}
        self._auto: Line = {}
        self._settings: Dict[str, Dict[str, Any]] = {}  # by fingerprint; a secret is never written down
        self._current: Dict[str, str] = {}  # channel -> fingerprint
        self._runs: Dict[str, Line] = {}  # what is running, as the kernel told it
        self._said_bye = False
        self._kernel_gone = False
        self._deliveries: Dict[int, Tuple[subprocess.Popen[bytes], float, Set[Tuple[str, str]]]] = {}
        self._started = 0

    def serve(self) -> None:
        """Go on until the kernel is gone and nothing of ours waits."""
        while True:
            try:
                source, data = self._inbox.get(timeout=self._patience())
            except queue.Empty:
                source, data = "", None
            if source == "kernel":
                self._hear(data)
            elif source == "delivery":
                self._hear_delivery(*data)
            self._kill_overdue()
            self._start_due()
            self._flush()
            if self._kernel_gone and not self._deliveries and self._next_at() is None:
                return

    def _patience(self) -> Optional[float]:
        """Seconds until there is something to do without being told; None: nothing."""
        moments = [deadline - time.monotonic() for _, deadline, _ in self._deliveries.values()]
        waiting = self._next_at() if len(self._deliveries) < MOST_DELIVERIES else None
        if waiting is not None:
            moments.append(waiting - time.time())
        # Looked at again at least each minute: the wall clock may be set while we wait.
        return min(max(0.01, min(moments)), 60.0) if moments else None

    def _next_at(self) -> Optional[float]:
        return self._outbox.next_at(self._name) if self._outbox else None

    # What the kernel says.

    def _hear(self, data: bytes) -> None:
        if not data:
            self._kernel_gone = True
            self._tell_of_the_dead()
            return
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            getattr(self, "_on_" + message["op"])(message)

    def _on_hello(self, message: Line) -> None:
        self._hello = message
        try:
            self._outbox = outbox.Outbox(message["outbox"])
        except (sqlite3.Error, OSError) as problem:
            # Better a knock that a power cut can lose than none.
            self._outbox = outbox.Outbox(":memory:")
            self._answer({"op": "warn", "about": "outbox", "seen": str(problem)})

    def _on_settings(self, message: Line) -> None:
        channel, fingerprint = message["channel"], message["fingerprint"]
        self._settings[fingerprint] = message["values"]
        self._current[channel] = fingerprint
        assert self._outbox
        for owner in self._outbox.waiting_owners():
            if owner != self._name and death.is_gone(owner):
                self._outbox.take_over(owner, self._name, channel, fingerprint, time.time())

    def _on_auto(self, message: Line) -> None:
        self._auto = message["rules"]

    def _on_open(self, message: Line) -> None:
        self._runs[message["event"]["run"]] = message

    def _on_close(self, message: Line) -> None:
        self._runs.pop(message["run"], None)

    def _on_tell(self, message: Line) -> None:
        event = message["event"]
        if event["event"] in ENDINGS:
            self._runs.pop(event["run"], None)
        self._keep(event, message["rules"])
        self._answer({"op": "kept", "id": event["id"]})

    def _on_bye(self, message: Line) -> None:
        self._said_bye = True

    def _keep(self, event: Line, rules: Line) -> None:
        assert self._outbox
        to = rules["to"] if is_due(event, rules) else []
        addresses = [(channel, self._current[channel]) for channel in to if channel in self._current]
        self._outbox.put(event, rules, addresses, self._name, time.time())

    # The kernel's end.

    def _tell_of_the_dead(self) -> None:
        """A knock for each run that was still open, unless the kernel was stopped on purpose while idle."""
        runs = list(self._runs.values())
        if self._hello and self._auto:
            runs += [self._run_of_cell(*cell) for cell in self._open_cells()]
        if not runs or not self._is_over():
            return
        error = None if self._said_bye else death.cause(self._parent)
        for run in runs:
            duration = max(0.0, time.monotonic() - run["mono"])
            self._keep(ended(run["event"], error, duration), run["rules"])

    def _is_over(self) -> bool:
        """Whether the kernel is dead, and did not only lose its pipe to us; it then starts another courier."""
        if sys.platform == "win32":
            return True
        return os.getppid() != self._parent or death.is_dead(self._parent, DYING_S)

    def _run_of_cell(self, started_at: float, started_mono: float, number: int, source: str) -> Line:
        event = dict(
            self._hello["event"],
            run=str(uuid.uuid4()),
            name=name_of(source),
            started_at=started_at,
            execution_count=number if number >= 0 else None,
        )
        return {"event": event, "rules": self._auto, "mono": started_mono}

    # Deliveries.

    def _start_due(self) -> None:
        if not self._outbox or len(self._deliveries) >= MOST_DELIVERIES:
            return
        now = time.time()
        items = [item for row in self._outbox.due(self._name, now, BATCH) for item in self._claim(row, now)]
        if not items:
            return
        try:
            process = launch.start("delivery")
        except OSError as error:
            for item in items:
                self._put_off(item, {"reason": f"no process could be started ({error.strerror})"})
            return
        self._started += 1
        claimed = {(item["knock"], item["channel"]) for item in items}
        self._deliveries[self._started] = (process, time.monotonic() + DEADLINE_S, claimed)
        job = json.dumps({"sys_path": self._hello["sys_path"], "items": items}).encode("ascii") + b"\n"
        threading.Thread(target=self._attend, args=(self._started, process, job), daemon=True).start()

    def _claim(self, row: Line, now: float) -> List[Line]:
        """The row as an item of a delivery's job, if it is still ours to send; else nothing."""
        assert self._outbox
        if now - row["happened_at"] > retry.EXPIRES_S:
            self._outbox.give_up(row["knock"], row["channel"], now, "a day has passed", "expired")
            return []
        settings = self._settings.get(row["fingerprint"])
        if settings is None or not self._outbox.claim(row["knock"], row["channel"], self._name, now, LEASE_S):
            return []
        attempts = row["attempts"] + 1
        return [
            {
                "knock": row["knock"],
                "channel": row["channel"],
                "settings": settings,
                "event": json.loads(row["body"]),
                "attempts": attempts,
                "late_s": retry.late(row["happened_at"], now, attempts),
                **json.loads(row["rules"]),
            }
        ]

    def _attend(self, number: int, process: subprocess.Popen[bytes], job: bytes) -> None:
        """In a thread of its own: give the delivery its job, pass on its lines, and see it end."""
        assert process.stdin and process.stdout
        try:
            view = memoryview(job)
            while view:
                view = view[process.stdin.write(view) or 0 :]
            process.stdin.close()
        except OSError:
            pass  # it died before it had read all; its end tells
        rest = b""
        while True:
            data = process.stdout.read(watch.CHUNK)
            if not data:
                break
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._inbox.put(("delivery", (number, line)))
        process.wait()
        self._inbox.put(("delivery", (number, None)))

    def _hear_delivery(self, number: int, line: Optional[bytes]) -> None:
        if line is None:
            _, _, unanswered = self._deliveries.pop(number)
            for knock, channel in unanswered:
                reason = "the delivery ended before it answered"
                self._put_off({"knock": knock, "channel": channel}, {"reason": reason, "maybe_sent": True})
            return
        result = json.loads(line)
        self._deliveries[number][2].discard((result["knock"], result["channel"]))
        self._settle(result)

    def _settle(self, result: Line) -> None:
        assert self._outbox
        knock, channel, now = result["knock"], result["channel"], time.time()
        facts = self._outbox.facts(knock, channel)
        if result["ok"]:
            late_s = retry.late(facts["happened_at"], now, facts["attempts"])
            self._outbox.done(knock, channel, now, late_s)
        elif result["permanent"]:
            self._outbox.give_up(knock, channel, now, result["reason"])
        else:
            self._put_off(result, result)
        self._answer({"op": "result", "id": knock, "name": facts["name"], **result})

    def _put_off(self, item: Line, result: Line) -> None:
        assert self._outbox
        facts = self._outbox.facts(item["knock"], item["channel"])
        chance = int.from_bytes(os.urandom(4), "big") / 2**32
        delay = retry.next_delay(facts["attempts"], result.get("retry_after"), chance)
        self._outbox.later(
            item["knock"], item["channel"], time.time() + delay, result["reason"], result.get("maybe_sent", False)
        )

    def _kill_overdue(self) -> None:
        for process, deadline, _ in self._deliveries.values():
            if time.monotonic() > deadline:
                process.kill()

    # What the kernel is told.

    def _answer(self, message: Line) -> None:
        self._answers += json.dumps(message).encode("ascii") + b"\n"

    def _flush(self) -> None:
        """Write what the pipe takes; a kernel that does not read must not hold us up."""
        if self._kernel_gone:
            self._answers = b""
        while self._answers:
            try:
                self._answers = self._answers[os.write(1, self._answers) :]
            except BlockingIOError:
                return
            except OSError:
                self._answers = b""


def ended(event: Line, error: Optional[Line], duration_s: float) -> Line:
    """The open run `event` as it is told after the kernel's end: died of `error`, or stopped by its user."""
    return dict(
        event,
        id=str(uuid.uuid4()),
        event="died" if error else "interrupted",
        duration_s=duration_s,
        ended_at=event["started_at"] + duration_s,
        error=error,
        note=None if error else "stopped",
    )
