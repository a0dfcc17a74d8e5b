"""The short-lived process that sends: a job on stdin, one result a line on stdout, then it exits.

It sends everything of its job side by side, one thread a delivery. What hangs is killed by the courier
together with this process, so no server, DNS or TLS stall outlives its deadline.
"""

from __future__ import annotations

import json
import sys
import threading
from typing import Any, Callable, Dict, List, Mapping

from knock_magic import channels, language
from knock_magic.cleaning import one_line
from knock_magic.errors import DeliveryError
from knock_magic.event import Event
from knock_magic.template import render

Result = Dict[str, Any]


def main(arguments: List[str]) -> None:
    """Read a job, send it, tell the results."""
    job = json.loads(sys.stdin.buffer.readline())
    # At the end: what the kernel could import, these channels can too, but nothing there hides the standard library.
    sys.path.extend(folder for folder in job["sys_path"] if folder not in sys.path)
    telling = threading.Lock()

    def tell(result: Result) -> None:
        with telling:
            sys.stdout.buffer.write(json.dumps(result).encode("ascii") + b"\n")
            sys.stdout.buffer.flush()

    send_all(job["items"], tell)


def send_all(items: List[Mapping[str, Any]], tell: Callable[[Result], None]) -> None:
    """Send every item side by side; `tell` gets the result of each as it is known."""
    threads = [threading.Thread(target=lambda item=item: tell(send(item)), daemon=True) for item in items]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def send(item: Mapping[str, Any]) -> Result:
    """Send one item and say what became of it; it never raises."""
    result: Result = {"knock": item["knock"], "channel": item["channel"], "ok": True}
    try:
        channel_class = channels.find(item["channel"])
        channel = channel_class(**item["settings"])
        channel.send(render(Event.from_json(item["event"]), lang=item["lang"], late_s=item["late_s"]))
    except DeliveryError as error:
        result.update(
            ok=False,
            reason=language.pick(error.texts, item["lang"]),
            permanent=error.permanent,
            retry_after=error.retry_after,
            maybe_sent=error.maybe_sent,
        )
    except Exception as error:
        # A fault in a channel of ours or someone's own: its text may show a secret, its type can't.
        reason = one_line(f"{item['channel']}: {type(error).__name__} in its send()", 200)
        result.update(ok=False, reason=reason, permanent=False, retry_after=None, maybe_sent=True)
    return result
