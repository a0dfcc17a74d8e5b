"""`Dispatch`: the delivery processes of one courier: started, fed, heard, and killed at their deadline."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time

from knock_magic import launch, watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from typing import Any, Callable, Dict, List, Optional, Tuple

    Item = Dict[str, Any]
    Key = Tuple[str, str]

DEADLINE_S = 60.0  # a delivery that takes longer is killed, whatever it waits for
MOST = 16  # deliveries at once; an address has one at most, so only who hangs at more of them makes others wait
DYING_S = 5.0  # a killed process closes its pipes at once, unless it left a child behind that holds them too


class Flight:
    """One delivery under way."""

    def __init__(self, items: List[Item], deadline: float, process: Optional[subprocess.Popen[bytes]]) -> None:
        self.process = process
        self.deadline = deadline
        # With the fingerprint of each, in the order in which they are sent.
        self.unanswered: Dict[Key, str] = {(item["knock"], item["channel"]): item["fingerprint"] for item in items}
        self.was_killed = False


class Dispatch:
    """The deliveries under way. `put` gets (number, line) for each answer, and (number, None) at the end of one.

    They are threads of this process where no process can be started, and with `here`.
    """

    def __init__(
        self, put: Callable[[Tuple[int, Optional[bytes]]], None], deadline_s: float = DEADLINE_S, *, here: bool = False
    ) -> None:
        self._put = put
        self._here = here
        self._deadline_s = deadline_s
        self._flights: Dict[int, Flight] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._flights)

    @property
    def is_full(self) -> bool:
        """Whether another one has to wait."""
        return len(self._flights) >= MOST

    def busy(self) -> List[str]:
        """The fingerprints that something is on its way to: one at a time, so that no server is stormed."""
        return sorted({name for flight in self._flights.values() for name in flight.unanswered.values()})

    def patience(self) -> Optional[float]:
        """Seconds until the next deadline; None while nothing is under way."""
        if not self._flights:
            return None
        return min(flight.deadline for flight in self._flights.values()) - time.monotonic()

    def send(self, items: List[Item], sys_path: List[str], own_channels: str = "") -> None:
        """Start a delivery of `items`; in this process where no other can be started.

        Channels of other people's making are found by the kernel's `sys_path`, and in the folder `own_channels`.

        Raises:
            RuntimeError: not even a thread can be.
        """
        self._count += 1
        number = self._count
        try:
            process = None if self._here else launch.start("delivery")
        except OSError:
            process = None
        self._flights[number] = Flight(items, time.monotonic() + self._deadline_s, process)
        if process is None:
            work, arguments = self._send_here, (number, items)
        else:
            job = _encoded(
                {"sys_path": sys_path, "own_channels": own_channels, "items": items, "deadline_s": self._deadline_s}
            )
            work, arguments = self._attend, (number, process, job)  # type: ignore[assignment]
        try:
            threading.Thread(target=work, args=arguments, daemon=True).start()
        except RuntimeError:
            flight = self._flights.pop(number)
            if flight.process:
                flight.process.kill()
                flight.process.wait()
            raise

    def answered(self, number: int, key: Key) -> bool:
        """Note an answer; False for one that was not asked for, or comes after its delivery was given up."""
        flight = self._flights.get(number)
        if flight is None or key not in flight.unanswered:
            return False
        del flight.unanswered[key]
        return True

    def settled(self, number: int, key: Key) -> None:
        """Tell the delivery that its answer is written down: it begins nothing more at that address before."""
        flight = self._flights.get(number)
        if flight and flight.process and flight.process.stdin:
            try:
                flight.process.stdin.write(_encoded(key))  # a few lines, so the pipe never fills
            except OSError:
                pass  # it has ended

    def ended(self, number: int) -> List[Tuple[Key, bool]]:
        """Forget a delivery that has ended; what it left unanswered, and whether it had begun with that.

        It sends to each address one after the other, so of each it had begun with the first one left.
        """
        flight = self._flights.pop(number, None)
        if flight is None:
            return []
        if flight.process and flight.process.stdin:
            flight.process.stdin.close()
        first = {name: key for key, name in reversed(list(flight.unanswered.items()))}
        return [(key, first[name] == key) for key, name in flight.unanswered.items()]

    def kill_overdue(self) -> None:
        """End what is past its deadline; give up what can't be ended: a thread, or what left its pipe to a child."""
        for number, flight in list(self._flights.items()):
            if time.monotonic() < flight.deadline:
                continue
            if flight.process and not flight.was_killed:
                flight.was_killed = True
                flight.deadline = time.monotonic() + DYING_S
                _kill(flight.process)
            else:
                flight.deadline = float("inf")
                self._put((number, None))  # its real end, should it come, tells no one

    def _attend(self, number: int, process: subprocess.Popen[bytes], job: bytes) -> None:
        """In a thread of its own: give the delivery its job, pass on its lines, and see it end."""
        assert process.stdin and process.stdout
        try:
            view = memoryview(job)
            while view:
                view = view[process.stdin.write(view) or 0 :]
        except OSError:
            pass  # it died before it had read all; its end tells
        rest = b""
        while True:
            data = process.stdout.read(watch.CHUNK)
            if not data:
                break
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._put((number, line))
        process.stdout.close()
        process.wait()
        self._put((number, None))

    def _send_here(self, number: int, items: List[Item]) -> None:
        from knock_magic import delivery  # brings requests along; only here is that the courier's own affair

        delivery.send_all(items, lambda result: self._put((number, json.dumps(result).encode("ascii"))))
        self._put((number, None))


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill `process` and what it started, which is in its group and would keep its pipe open."""
    if sys.platform == "win32":
        process.kill()
        return
    try:
        if process.returncode is None:  # not waited for yet, so that the number is still its own
            os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # but just now


def _encoded(line: Any) -> bytes:
    return json.dumps(line).encode("ascii") + b"\n"
