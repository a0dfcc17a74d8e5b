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
import sys
import threading
import time
import uuid

from knock_magic import death, dispatch, language, life, mute, noise, retry, slate, stalls, watch
from knock_magic.names import name_of
from knock_magic.outbox import DAMAGED, spoken
from knock_magic.rules import ENDINGS, is_due, told, wanted
from knock_magic.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

    Line = Dict[str, Any]
    Cell = Tuple[float, float, int, str]

LEASE_S = dispatch.DEADLINE_S + 30.0
BATCH = 50
DYING_S = 5.0  # between closing its pipes and being dead, a process needs milliseconds
TICK_S = 60.0
CLOCK_SET_S = 2.0  # a wall clock that steps back by more was set
HISTORY_S = 180 * 86400.0
HANDLES_S = 2 * 86400.0  # after the last word of a run; longer than any knock is tried
CELL = "cell "

REASONS = {
    "overdue": {"en": "it did not end in time", "ko": "제때 끝나지 않았어요"},
    "expired": {"en": "a day has passed", "ko": "하루가 지났어요"},
    "damaged": {"en": "the outbox was damaged", "ko": "알림 보관함이 손상됐어요"},
}


def main(arguments: List[str]) -> None:
    """Serve the kernel whose pid and slate the arguments name, over stdin and stdout."""
    # Jupyter, terminals, schedulers and a machine's end send these to whole groups. They are not for us: there is
    # a last knock to send, and we end by ourselves.
    for name in ("SIGINT", "SIGHUP", "SIGTERM"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    parent, page = int(arguments[0]), slate.opened(arguments[1])
    # The numbers, not sys.stdin and sys.stdout: no buffer may keep a byte back.
    serve(parent, 0, 1, lambda: list(slate.read(page)))


def serve(parent: int, from_kernel: int, to_kernel: int, open_cells: Callable[[], List[Cell]]) -> None:
    """Serve the kernel `parent` over two descriptors until there is nothing more to do."""
    if sys.platform != "win32":
        os.set_blocking(to_kernel, False)
    courier = Courier(parent, to_kernel, open_cells)
    threading.Thread(target=watch.listen, args=(from_kernel, parent, courier.hear_kernel), daemon=True).start()
    courier.serve()


class Courier:
    """One kernel's courier."""

    def __init__(
        self,
        parent: int,
        to_kernel: int,
        open_cells: Callable[[], List[Cell]],
        deadline_s: float = dispatch.DEADLINE_S,
    ) -> None:
        self._parent = parent
        self._to_kernel = to_kernel
        self._open_cells = open_cells
        self._inbox: queue.SimpleQueue[Tuple[str, Any]] = queue.SimpleQueue()
        self._name = death.identity(os.getpid())
        self._kernel = death.identity(parent or os.getpid())
        self._handle = watch.process_handle(parent) if parent else -1
        self._noise = noise.Noise(self._kernel)
        self._dispatch = dispatch.Dispatch(
            lambda said: self._inbox.put(("delivery", said)), deadline_s, here=parent == watch.NOBODY
        )
        self._store: Optional[Store] = None
        self._partial = b""
        self._answers = b""
        self._hello: Line = {}
        self._auto: Line = {}
        self._settings: Dict[str, Dict[str, Any]] = {}  # by fingerprint; a secret is never written down
        self._current: Dict[str, str] = {}  # channel -> fingerprint
        self._failures: Dict[str, int] = {}  # in a row, by fingerprint
        self._out_of_order: Dict[str, float] = {}  # until when, by fingerprint
        self._expired: Dict[str, List[Line]] = {}  # by channel, what is still to be told of
        self._aside: Dict[str, str] = {}  # channel -> fingerprint, as the kernel was told
        self._runs: Dict[str, Line] = {}  # what is running, as the kernel told it
        self._pulses: Dict[str, stalls.Pulse] = {}  # of the runs whose interpreter gives beats
        self._work = life.Work(parent)
        self._noted_cells: Dict[str, str] = {}  # the ids of the knocks, should they be lost
        self._said_bye = False
        self._kernel_gone = False
        self._oom_kills = death.oom_kills()
        self._clock = time.time() - time.monotonic()
        self._next_tick = time.monotonic() + TICK_S

    def hear_kernel(self, data: bytes) -> None:
        """From any thread: bytes of the kernel; none at its end."""
        self._inbox.put(("kernel", data))

    def serve(self) -> None:
        """Go on until the kernel is gone and nothing of ours waits."""
        while not (self._kernel_gone and not self._dispatch and self._next_at() is None):
            try:
                source, data = self._inbox.get(timeout=self._patience())
            except queue.Empty:
                source, data = "", None
            if source == "kernel":
                self._hear(data)
            elif source == "delivery":
                self._hear_delivery(*data)
            self._mind_the_clock()
            self._feel_the_pulses()
            self._dispatch.kill_overdue()
            self._start_due()
            self._tell_of_the_expired()
            self._flush()
        if self._store:
            self._store.close()

    def _patience(self) -> float:
        """Seconds until there is something to do without being told."""
        moments = [self._next_tick - time.monotonic()]
        moments += [pulse.next_look - time.monotonic() for pulse in self._pulses.values()]
        deadline = self._dispatch.patience()
        if deadline is not None:
            moments.append(deadline)
        waiting = None if self._dispatch.is_full else self._next_at()
        if waiting is not None:
            moments.append(waiting - time.time())
        return max(0.01, min(moments))

    def _next_at(self) -> Optional[float]:
        return self._do("next_at", self._name, self._dispatch.busy()) if self._store else None

    def _do(self, method: str, *arguments: Any, **options: Any) -> Any:
        assert self._store
        return self._store.do(method, *arguments, **options)

    # What the kernel says.

    def _hear(self, data: bytes) -> None:
        if not data:
            self._kernel_gone = True
            self._tell_of_the_dead()
            return
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            try:
                getattr(self, "_on_" + message["op"])(message)
            except Exception as fault:
                # To end for it would be worse: the next courier would be told the same, and end as well.
                self._warn("line", f"{message['op']}: {type(fault).__name__}")
                if message["op"] == "tell":
                    self._answer({"op": "kept", "id": message["event"]["id"]})

    def _on_hello(self, message: Line) -> None:
        self._hello = message
        self._store = Store(message["outboxes"], self._name, self._warn)
        self._store.adopt(death.is_gone)
        now = time.time()
        self._do("forget_before", now - HISTORY_S)
        self._do("forget_handles_before", now - HANDLES_S)
        self._do("wait_until_at_most", now + retry.LONGEST_ASKED_S)
        self._go_on_with_notes()
        self._tell_of_the_lost()

    def _on_settings(self, message: Line) -> None:
        channel, fingerprint = message["channel"], message["fingerprint"]
        self._settings[fingerprint] = message["values"]
        self._current[channel] = fingerprint
        self._take_over([(channel, fingerprint)])
        self._answer_aside([(channel, fingerprint)])

    def _on_auto(self, message: Line) -> None:
        self._auto = message["rules"]

    def _on_open(self, message: Line) -> None:
        run = message["event"]["run"]
        message["death_id"] = str(uuid.uuid4())
        self._runs[run] = message
        self._oom_kills = death.oom_kills()
        self._note_open(run, message)
        message["earlier"] = self._earlier(message["event"]["name"], message["rules"])
        if message["rules"].get("here"):  # what is shown in the kernel itself
            self._answer({"op": "earlier", "run": run, **message["earlier"]})

    def _earlier(self, name: str, rules: Line) -> Line:
        """What a run is compared with: how long runs of its name took, and the best that they reached."""
        metric = rules.get("metric") if rules.get("baseline") == "best" else None
        found: Line = self._do("earlier", name, metric or "")
        values = found.pop("values")
        if metric:
            from knock_magic import verdict  # not above: few runs ask for it

            found.update(verdict.best_of(values))
        return found

    def _complete(self, event: Line, rules: Line) -> None:
        """Add what only the history knows, where the kernel could not."""
        run = self._runs.get(event["run"])
        if run is None:
            return
        if event["event"] == "progress" and event["progress"] is None:
            event.update({key: run["earlier"][key] for key in ("usual_s", "usual_of")})
        if event["event"] in ENDINGS and rules.get("metric") and event.get("verdict") is None:
            from knock_magic import verdict

            event["verdict"] = verdict.against(event["metrics"], rules, run["earlier"], event.get("lower"))

    def _on_beat(self, message: Line) -> None:
        """The interpreter that works on a run answers."""
        run, line = message["run"], self._runs.get(message["run"])
        if line is None:
            return
        line["event"]["progress"] = message["progress"]  # as far as it came, should it die
        if not message["limit_s"]:  # a run within it beats for both
            self._pulses.pop(run, None)
            return
        if self._pulses.setdefault(run, stalls.Pulse()).beat(time.monotonic(), message["limit_s"]):
            self._keep(_on_the_way(line, "progress", "again"), line["rules"])

    def _on_close(self, message: Line) -> None:
        self._pulses.pop(message["run"], None)
        if self._runs.pop(message["run"], None):
            self._do("close_runs", [message["run"]])

    def _on_tell(self, message: Line) -> None:
        event = message["event"]
        self._complete(event, message["rules"])
        self._keep(event, message["rules"], by_kernel=True)
        if event["progress"] and event["run"] in self._runs:
            # Newer than the last beat. Of what has died no time is left.
            self._runs[event["run"]]["event"]["progress"] = dict(event["progress"], eta_s=None)
        if event["event"] in ENDINGS:
            self._pulses.pop(event["run"], None)
            self._runs.pop(event["run"], None)
            self._do("close_runs", [event["run"], cell_run(event["started_at"])])
        self._answer({"op": "kept", "id": event["id"]})

    def _on_shown(self, message: Line) -> None:
        """The kernel has shown what the one before it could not."""
        self._do("done", message["id"], message["channel"], time.time(), message["late_s"])
        self._answer({"op": "kept", "id": message["id"]})

    def _on_bye(self, message: Line) -> None:
        self._said_bye = True

    def _feel_the_pulses(self) -> None:
        """An interpreter that gives no beat any more has hung; no thread of its own could tell."""
        now = time.monotonic()
        due = [run for run, pulse in self._pulses.items() if now >= pulse.next_look]
        if not due or self._kernel_gone:
            return
        worked = self._work.since_last(now, (os.getpid(),))
        for run in due:
            pulse, line = self._pulses[run], self._runs[run]
            if pulse.look(now, worked):
                self._keep(_on_the_way(line, "stalled", _hangs(line["rules"]), pulse.silent_s), line["rules"])

    def _keep(self, event: Line, rules: Line, *, by_kernel: bool = False) -> None:
        now = time.time()
        rules, unshown = (rules, []) if by_kernel else _without_kernel(event, rules)
        grouping, next_at = self._noise.place(event, rules, now)
        to = told(event, rules)
        if to and self._is_muted(event, now):
            to, rules = wanted(event, rules), dict(rules, muted=True)
        addresses = self._addresses(to, event["event"]) if to else []
        self._answer_aside([(channel, self._current[channel]) for channel in rules["to"] if channel in self._current])
        unshown = [] if addresses else unshown
        self._do("put", event, rules, addresses, self._name, now, next_at=next_at, grouping=grouping, unshown=unshown)

    def _is_muted(self, event: Line, now: float) -> bool:
        """Whether the user wants no knock now; who tests a channel does."""
        return event["event"] != "test" and now < mute.until(self._hello.get("mute", ""))

    def _addresses(self, to: List[str], kind: str = "") -> List[Tuple[str, str]]:
        """(channel, fingerprint) of those that can be sent to; what was put aside only gets a test."""
        aside = {} if kind == "test" else self._do("aside")
        known = [(channel, self._current[channel]) for channel in to if channel in self._current]
        return [address for address in known if address[1] not in aside]

    # The kernel's end.

    def _tell_of_the_dead(self) -> None:
        """A knock for each run that was still open, unless the kernel was stopped on purpose while idle."""
        runs = list(self._runs.values())
        if self._hello and self._auto:
            runs += [self._run_of_cell(*cell) for cell in self._open_cells()]
        if runs and self._is_over():
            error = None if self._said_bye else death.cause(self._parent, self._oom_kills, self._handle)
            for run in runs:
                event = ended(run, error, max(0.0, time.monotonic() - run["mono"]))
                if error is None:
                    event["note"] = "stopped"
                self._keep(event, run["rules"])
        if self._store:
            self._do("close_runs", [*(run["event"]["run"] for run in runs), *self._noted_cells])

    def _is_over(self) -> bool:
        """Whether the kernel is dead, and did not only lose its pipe to us; it then starts another courier."""
        if self._parent == watch.NOBODY:
            return False
        if sys.platform == "win32":
            return True
        return os.getppid() != self._parent or death.is_dead(self._parent, DYING_S)

    def _run_of_cell(self, started_at: float, started_mono: float, number: int, source: str) -> Line:
        from knock_magic.redaction import Redactor  # up to a megabyte, which only long and deadly cells are worth

        secrets = self._hello["secrets"]
        event = dict(
            self._hello["event"],
            run=str(uuid.uuid4()),
            name=Redactor(os.environ, lambda: secrets).text(name_of(source)),
            started_at=started_at,
            execution_count=number if number >= 0 else None,
        )
        death_id = self._noted_cells.get(cell_run(started_at)) or str(uuid.uuid4())
        return {"event": event, "rules": self._auto, "mono": started_mono, "death_id": death_id}

    # The end of everything at once: machine, container, or all processes of a user.

    def _note_open(self, run: str, line: Line) -> None:
        addresses = self._addresses(line["rules"]["to"])
        self._do("open_run", run, self._kernel, self._name, line, addresses, time.time())

    def _note_long_cells(self) -> None:
        """Plain cells are noted once they are long enough to be told of."""
        cells = self._open_cells() if self._auto else []
        noted = {}
        for cell in cells:
            if time.monotonic() - cell[1] >= self._auto["min_s"]:
                run = cell_run(cell[0])
                if run not in self._noted_cells:
                    line = self._run_of_cell(*cell)
                    self._noted_cells[run] = line["death_id"]
                    self._note_open(run, line)
                noted[run] = self._noted_cells[run]
        self._do("close_runs", [run for run in self._noted_cells if run not in noted])
        self._noted_cells = noted

    def _go_on_with_notes(self) -> None:
        """What a courier before this one noted of the kernel is ours to keep, and to close."""
        for row in self._do("open_runs"):
            if row["kernel"] == self._kernel and death.is_gone(row["owner"]):
                try:
                    line, addresses = json.loads(row["line"]), json.loads(row["addresses"])
                    if row["run"].startswith(CELL):
                        self._noted_cells[row["run"]] = line["death_id"]
                except DAMAGED:
                    self._do("close_runs", [row["run"]])
                    continue
                self._do("open_run", row["run"], self._kernel, self._name, line, addresses, row["seen_at"])

    def _tell_of_the_lost(self) -> None:
        """Runs that were open when kernel and courier went away together, told now by whoever comes next."""
        for row in self._do("open_runs"):
            if not (death.is_gone(row["kernel"]) and death.is_gone(row["owner"])):
                continue
            try:
                self._tell_of_a_lost_one(row)
            except DAMAGED:
                pass
            self._do("close_runs", [row["run"]])

    def _tell_of_a_lost_one(self, row: Line) -> None:
        line, now = json.loads(row["line"]), time.time()
        error = {"type": "unknown", "message": "", "traceback": None}
        event = ended(line, error, max(0.0, row["seen_at"] - line["event"]["started_at"]))
        event["note"] = "lost"
        rules, unshown = _without_kernel(event, dict(line["rules"], found_at=now))
        to = (wanted if self._is_muted(event, now) else told)(event, rules)
        addresses = [tuple(address) for address in json.loads(row["addresses"]) if address[0] in to]
        # In its old owner's name: it is taken over like any other, by who has the same settings. And as planned
        # for when it happened, so that it is late.
        unshown = [] if addresses else unshown
        self._do("put", event, rules, addresses, row["owner"], now, next_at=event["ended_at"], unshown=unshown)
        for channel in unshown:  # this kernel has looked for such before we found it
            self._answer({"op": "missed", "channel": channel, "event": event, "rules": rules})

    # What others left.

    def _take_over(self, addresses: List[Tuple[str, str]]) -> None:
        """Make ours what waits for `addresses` and whose courier is gone."""
        for owner in self._do("waiting_owners"):
            if owner != self._name and death.is_gone(owner):
                for channel, fingerprint in addresses:
                    self._do("take_over", owner, self._name, channel, fingerprint)

    def _expire_the_orphans(self) -> None:
        """What has waited for a day for someone with its settings is given up like all else."""
        before = time.time() - retry.EXPIRES_S
        for row in self._do("waiting_since_before", before):
            if row["owner"] == self._name or not death.is_gone(row["owner"]):
                continue
            try:
                if news_since(row) < before:
                    self._expire(row)
            except DAMAGED:
                self._do("give_up", row["knock"], row["channel"], time.time(), self._say("damaged"))

    # Deliveries.

    def _start_due(self) -> None:
        while self._store and not self._dispatch.is_full:
            now = time.time()
            rows = self._do("due", self._name, now, BATCH, self._dispatch.busy())
            items = self._items(rows, now)
            if items:
                try:
                    self._dispatch.send(items, self._hello["sys_path"], self._hello.get("own_channels", ""))
                except RuntimeError:  # no thread either: nothing was sent
                    for item in items:
                        self._do("untried", item["knock"], item["channel"], now + retry.LONGEST_S)
            if len(rows) < BATCH:
                return

    def _items(self, rows: List[Line], now: float) -> List[Line]:
        """The items of a delivery's job. Of one run one at a time to each address: the next may hang on its handle."""
        items: Dict[Tuple[str, str], List[Line]] = {}
        for row in rows:
            key = (row["run"], row["fingerprint"])
            items[key] = items.get(key) or self._claim(row, now)
        return [item for found in items.values() for item in found]

    def _claim(self, row: Line, now: float) -> List[Line]:
        """The row as an item of a delivery's job, if it is still ours to send; else nothing."""
        try:
            return self._item(row, now)
        except DAMAGED:
            self._do("give_up", row["knock"], row["channel"], now, self._say("damaged"))
            return []

    def _item(self, row: Line, now: float) -> List[Line]:
        knock, channel, fingerprint = row["knock"], row["channel"], row["fingerprint"]
        if row["refused"] and row["event"] != "test":
            self._do("give_up", knock, channel, now, row["refused"])
            return []
        if not row["in_digest"] and noise.goes_on(row["grouping"], now - row["happened_at"], self._is_working()):
            self._do("later", knock, channel, now + noise.BATCH_WAIT_S, "", False)
            return []
        if now - news_since(row) > retry.EXPIRES_S:
            self._expire(row)
            return []
        if fingerprint not in self._settings:
            return []
        if row["event"] in ("started", "stalled", "progress") and row["attempts"] and self._do("is_over", row):
            # What was tried comes after what was not: told now, it would seem that the run goes on.
            self._do("give_up", knock, channel, now, "", "merged")
            return []
        late_s = None
        if row["in_digest"]:
            row = self._do("merge", self._do("gather", row), now, noise.digest)
            knock, late_s = row["knock"], now - row["happened_at"]
        elif noise.is_live(row["grouping"]):
            if self._do("is_overtaken", row, now):
                return []
        elif row["grouping"] and row["attempts"] == 0:
            row = self._do("merge", row, now, noise.speaker)
            knock = row["knock"]
        attempts = row["attempts"] + 1
        handles = self._do("handles", row["run"], channel, fingerprint)
        item = {
            "knock": knock,
            "channel": channel,
            "fingerprint": fingerprint,
            "settings": self._settings[fingerprint],
            "event": dict(spoken(row), maybe_sent=bool(row["maybe_sent"])),
            "attempts": attempts,
            "late_s": retry.late(row["happened_at"], row["planned_at"], now, attempts) if late_s is None else late_s,
            "after": handles["first"],
            "live": handles["live"] if noise.is_live(row["grouping"]) else None,
            **json.loads(row["rules"]),
        }
        return [item] if self._do("claim", knock, channel, self._name, now, LEASE_S) else []

    def _is_working(self) -> bool:
        return bool(self._runs or self._open_cells())

    def _hear_delivery(self, number: int, line: Optional[bytes]) -> None:
        if line is not None:
            try:
                result = json.loads(line)
            except ValueError:  # what the start of a Python prints, where someone has set it up so
                return
            key = (result["knock"], result["channel"])
            if self._dispatch.answered(number, key):
                self._settle(result)
                self._dispatch.settled(number, key)
            return
        lost = {"ok": False, "permanent": False, "reason": self._say("overdue"), "maybe_sent": True}
        for (knock, channel), was_begun in self._dispatch.ended(number):
            self._settle({"knock": knock, "channel": channel, **(lost if was_begun else {"held": True})})

    def _settle(self, result: Line) -> None:
        """Write down what became of one item, and tell the kernel."""
        knock, channel, now = result["knock"], result["channel"], time.time()
        handle, lost = result.pop("handle", None), result.pop("lost", None)
        facts = self._do("facts", knock, channel)
        if facts is None:  # it was left behind in an outbox that broke
            return
        if result.get("held"):
            self._do("untried", knock, channel, max(now, self._out_of_order.get(facts["fingerprint"], 0.0)))
            return
        if result["ok"]:
            self._failures.pop(facts["fingerprint"], None)
            self._out_of_order.pop(facts["fingerprint"], None)
            late_s = retry.late(facts["happened_at"], facts["planned_at"], now, facts["attempts"])
            self._do("done", knock, channel, now, late_s, handle, lost or "")
            self._do("take_back", facts["fingerprint"], facts["event"] == "test")
        elif result["permanent"]:
            self._do("give_up", knock, channel, now, result["reason"])
            if result.get("revoked") and facts["event"] != "test":
                self._put_aside(facts["fingerprint"], channel, result["reason"], now)
        elif facts["event"] == "test":  # its answer is what was asked for; a test that comes later tests nothing
            self._do("give_up", knock, channel, now, result["reason"])
        else:
            self._put_off(facts, result, now)
        self._answer({"op": "result", "id": knock, "name": facts["name"], "event": facts["event"], **result})

    def _put_off(self, facts: Line, result: Line, now: float) -> None:
        fingerprint, asked = facts["fingerprint"], result.get("retry_after")
        self._failures[fingerprint] = self._failures.get(fingerprint, 0) + 1
        delay = retry.next_delay(facts["attempts"], asked, chance())
        self._do(
            "later", result["knock"], result["channel"], now + delay, result["reason"], bool(result.get("maybe_sent"))
        )
        self._pause(fingerprint, asked, bool(result.get("digest")))

    def _pause(self, fingerprint: str, asked: Optional[float], digest: bool) -> None:
        """The address is out of order, not the one knock that found it so: all of them wait."""
        until = time.time() + retry.next_delay(self._failures.get(fingerprint, 1), asked, chance())
        self._out_of_order[fingerprint] = until
        if asked is None:
            self._do("pause", self._name, fingerprint, until)
        else:
            self._do("pause_all", fingerprint, until, digest)

    # Bad news about an address.

    def _expire(self, row: Line) -> None:
        self._do("give_up", row["knock"], row["channel"], time.time(), self._say("expired"), "expired")
        if row["event"] != "warning":  # else two channels without a network would warn of each other for ever
            self._expired.setdefault(row["channel"], []).append(row)

    def _tell_of_the_expired(self) -> None:
        expired, self._expired = self._expired, {}
        for channel, rows in expired.items():
            name, more = rows[-1]["name"], len(rows) - 1
            self._answer({"op": "expired", "channel": channel, "name": name, "more": more})
            self._tell_elsewhere(channel, f"expired: {name}", "expired", json.loads(rows[-1]["rules"]), more)

    def _put_aside(self, fingerprint: str, channel: str, reason: str, now: float) -> None:
        if self._do("put_aside", fingerprint, channel, reason, now):
            self._answer_aside([(channel, fingerprint)])
            self._tell_elsewhere(channel, reason, "aside", self._auto or {"lang": self._hello.get("lang")})

    def _answer_aside(self, addresses: List[Tuple[str, str]]) -> None:
        """Tell the kernel which of `addresses` get nothing any more, whoever found that out."""
        reasons = self._do("aside")
        for channel, fingerprint in addresses:
            if fingerprint in reasons:
                self._aside[channel] = fingerprint
                self._answer({"op": "aside", "channel": channel, "reason": reasons[fingerprint]})

    def _answer_back(self) -> None:
        """Tell the kernel which work again, for another kernel has tried them."""
        reasons = self._do("aside")
        for channel, fingerprint in list(self._aside.items()):
            if fingerprint not in reasons:
                del self._aside[channel]
                self._answer({"op": "back", "channel": channel})

    def _tell_elsewhere(self, channel: str, text: str, note: str, rules: Line, more: int = 0) -> None:
        """Say through the other channels in use that `channel` does not work."""
        now = time.time()
        event = dict(
            self._hello["event"],
            id=str(uuid.uuid4()),
            run=str(uuid.uuid4()),
            event="warning",
            name=channel,
            text=text,
            note=note,
            more=more,
            started_at=now,
            ended_at=now,
        )
        addresses = self._addresses([name for name in self._current if name != channel])
        if addresses:
            self._do("put", event, {key: rules.get(key) for key in ("template", "lang")}, addresses, self._name, now)

    # Clocks.

    def _mind_the_clock(self) -> None:
        """Each minute note what still runs; a wall clock set back must not make what waits wait longer."""
        clock = time.time() - time.monotonic()
        if self._store and clock < self._clock - CLOCK_SET_S:
            self._do("shift", self._name, clock - self._clock)
        self._clock = clock
        if time.monotonic() >= self._next_tick:
            self._next_tick = time.monotonic() + TICK_S
            if self._store and not self._kernel_gone:
                self._note_long_cells()
                self._do("seen", self._name, time.time())
                self._take_over(list(self._current.items()))
                self._expire_the_orphans()
                self._answer_back()

    # What the kernel is told.

    def _say(self, what: str) -> str:
        return language.pick(REASONS[what], self._hello.get("lang"))

    def _warn(self, about: str, seen: str) -> None:
        self._answer({"op": "warn", "about": about, "seen": seen})

    def _answer(self, message: Line) -> None:
        self._answers += json.dumps(message).encode("ascii") + b"\n"

    def _flush(self) -> None:
        """Write what the pipe takes; a kernel that does not read must not hold us up."""
        if self._kernel_gone:
            self._answers = b""
        while self._answers:
            try:
                self._answers = self._answers[os.write(self._to_kernel, self._answers) :]
            except BlockingIOError:
                return
            except OSError:
                self._answers = b""


def chance() -> float:
    """A random number in [0, 1), without the megabyte that `random` brings."""
    return int.from_bytes(os.urandom(4), "big") / 2**32


def cell_run(started_at: float) -> str:
    """The name under which a plain cell is noted as open; its run gets an id only when it is told of."""
    return f"{CELL}{started_at!r}"


def news_since(row: Mapping[str, Any]) -> float:
    """From when on its day counts: a run that was lost with its machine is news when it is found."""
    return float(json.loads(row["rules"]).get("found_at", row["happened_at"]))


def ended(line: Line, error: Optional[Line], duration_s: float) -> Line:
    """The open run of `line` as it is told after the kernel's end: died of `error`, or stopped by its user."""
    event = line["event"]
    return dict(
        event,
        id=line["death_id"],
        event="died" if error else "interrupted",
        duration_s=duration_s,
        ended_at=event["started_at"] + duration_s,
        error=error,
        note=_note(line, error, os.environ),
    )


def _without_kernel(event: Line, rules: Line) -> Tuple[Line, List[str]]:
    """The rules of what we tell ourselves, which the kernel has not shown; and where an end would have been shown."""
    unshown = rules.get("here") or [] if event["event"] in ENDINGS and is_due(event, rules) else []
    return dict(rules, here=[]), unshown


def _on_the_way(line: Line, kind: str, note: str, still_s: float = 0.0) -> Line:
    """The open run of `line`, of which the kernel itself can't or need not tell this."""
    duration_s = max(0.0, time.monotonic() - line["mono"])
    return dict(line["event"], id=str(uuid.uuid4()), event=kind, note=note, duration_s=duration_s, still_s=still_s)


def _hangs(rules: Line) -> str:
    """What says that an interpreter does not answer: a kernel, or the Python of a script."""
    return "unresponsive script" if rules.get("script") else "unresponsive"


def _note(line: Line, error: Optional[Line], environ: Mapping[str, str]) -> Optional[str]:
    """What says more than "died with its kernel"."""
    if error and error["type"] == "SIGTERM" and death.is_scheduled(environ):
        return "scheduler"
    return "killed" if error and line["rules"].get("script") else None
