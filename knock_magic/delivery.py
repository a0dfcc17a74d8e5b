"""The short-lived process that sends: a job on stdin, one result a line on stdout, then it exits.

It sends to all addresses of its job side by side, to each one message after the other. What hangs is killed by the courier
together with this process, so no server, DNS or TLS stall outlives its deadline. A courier that is killed is
succeeded by another, which sends again what was not written down as sent; so nothing new is begun then.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import threading
import time
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Set, Tuple

from knock_magic import language
from knock_magic.cleaning import one_line
from knock_magic.errors import DeliveryError, SettingsError
from knock_magic.event import Event, Picture
from knock_magic.rules import ENDINGS
from knock_magic.template import STANDARD, Message, render, uses

TYPE_CHECKING = False
if TYPE_CHECKING:
    from knock_magic.channels.base import Channel

Result = Dict[str, Any]

MOST_GPUS = 8  # more lines than that nobody reads on a phone
BUDGET_S = 20.0  # nothing new is begun after this; with the longest time-outs it then ends before its deadline


def main(arguments: List[str]) -> None:
    """Read a job, send it, tell the results."""
    job = json.loads(sys.stdin.buffer.readline())
    # At the end: what the kernel could import, these channels can too, but nothing there hides the standard library.
    sys.path.extend(folder for folder in job["sys_path"] if folder not in sys.path)
    telling, settled = threading.Lock(), Settled()
    from_courier, to_courier = _our_pipes()
    threading.Thread(target=settled.listen, args=(from_courier,), daemon=True).start()
    alarm = threading.Timer(job["deadline_s"], os._exit, (1,))  # for the case that the courier is gone by then
    alarm.daemon = True
    alarm.start()

    def tell(result: Result) -> None:
        with telling:
            line = json.dumps(result).encode("ascii") + b"\n"
            while line:
                line = line[os.write(to_courier, line) :]

    from knock_magic import channels  # not before the kernel's path is there: traitlets may be found by it alone

    channels.look_in(job["own_channels"])
    send_all(job["items"], tell, settled.wait)


def _our_pipes() -> Tuple[int, int]:
    """The courier's pipes, where only we find them.

    Someone's own channel, or the library that it uses, may print, read or start a process: none of that may stand
    among our results, take the courier's lines, or hold its pipe open.
    """
    ours = os.dup(sys.stdin.fileno()), os.dup(sys.stdout.fileno())
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdin, sys.stdout):
        os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
    return ours


class Settled:
    """Which results the courier has written down.

    What goes to one address waits for the one before it to be settled. So a courier's death costs one extra copy
    per address at most: of the message that was on its way.
    """

    def __init__(self) -> None:
        self._news = threading.Condition()
        self._keys: Set[Tuple[str, str]] = set()
        self._courier_is_gone = False

    def listen(self, fd: int) -> None:
        """Hear the courier until its end. Not by `sys.stdin`, whose lock must be free when Python ends."""
        rest = b""
        while True:
            data = os.read(fd, 4096)
            *lines, rest = (rest + data).split(b"\n")
            with self._news:
                self._keys.update(tuple(json.loads(line)) for line in lines)
                self._courier_is_gone = not data
                self._news.notify_all()
            if not data:
                return

    def wait(self, result: Result) -> bool:
        """Wait until `result` is settled; False when the courier is gone, and will not do it."""
        key = (result["knock"], result["channel"])
        with self._news:
            self._news.wait_for(lambda: key in self._keys or self._courier_is_gone)
            return key in self._keys


def send_all(
    items: Sequence[Mapping[str, Any]],
    tell: Callable[[Result], None],
    settled: Callable[[Result], bool] = lambda result: True,
) -> None:
    """Send every item, the addresses side by side; `tell` gets the result of each as it is known."""
    by_address: Dict[str, List[Mapping[str, Any]]] = {}
    for item in items:
        by_address.setdefault(item["fingerprint"], []).append(item)
    threads = [
        threading.Thread(target=_send_in_turn, args=(turn, tell, settled), daemon=True) for turn in by_address.values()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _send_in_turn(
    items: List[Mapping[str, Any]], tell: Callable[[Result], None], settled: Callable[[Result], bool]
) -> None:
    """Send what goes to one address one after the other; once it is out of order, the rest is held back."""
    in_order, until = True, time.monotonic() + BUDGET_S
    result: Optional[Result] = None
    for item in items:
        if result is not None and not settled(result):
            return
        if in_order and time.monotonic() < until:
            result = send(item)
            in_order = result["ok"] or (result["permanent"] and not result["revoked"])
        else:
            result = {"knock": item["knock"], "channel": item["channel"], "ok": False, "held": True}
        tell(result)


def send(item: Mapping[str, Any]) -> Result:
    """Send one item and say what became of it; it never raises."""
    from knock_magic import channels  # late, for the same reason as in `main`

    result: Result = {"knock": item["knock"], "channel": item["channel"], "ok": True}
    try:
        channel_class = channels.find(item["channel"])
        channel = channel_class(**item["settings"])
        event, template = Event.from_json(item["event"]), item.get("template") or STANDARD
        if channel.takes_pictures and event.may_draw and event.picture is None and event.event in ENDINGS:
            event = dataclasses.replace(event, picture=_curves(event))
        if not item["late_s"] and uses(template, event.event, "gpu"):
            event = dataclasses.replace(event, gpu=_gpus(event))
        if channel.sends_once or (item.get("live") and channel.edits):
            event = dataclasses.replace(event, maybe_sent=False)  # trying again makes no second message
        result.update(_deliver(channel, render(event, template, lang=item["lang"], late_s=item["late_s"]), item))
    except DeliveryError as error:
        result.update(
            ok=False,
            reason=channel.hide(language.pick(error.texts, item["lang"])),  # someone's own channel may say anything
            permanent=error.permanent,
            retry_after=error.retry_after,
            maybe_sent=error.maybe_sent,
            revoked=error.revoked,
            digest=error.digest,
        )
    except SettingsError as error:  # someone's own channel that can't be used: its file may be half written, or gone
        result.update(
            ok=False,
            reason=language.pick(error.texts, item["lang"]),
            permanent=False,
            retry_after=None,
            maybe_sent=False,
            revoked=False,
        )
    except Exception as error:
        reason = one_line(language.pick(_fault(item["channel"], error), item["lang"]), 200)
        result.update(ok=False, reason=reason, permanent=False, retry_after=None, maybe_sent=True, revoked=False)
    return result


def _fault(channel: str, error: Exception) -> Dict[str, str]:
    """Where a channel, ours or someone's own, went wrong: the text of `error` may show a secret, its type can't."""
    import traceback

    kind = type(error).__name__
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    own = [frame for frame in frames if frame.filename == frames[0].filename]
    file, line = (os.path.basename(own[-1].filename), own[-1].lineno) if own else ("", 0)
    return {
        "en": f"{channel}: {kind} in its send()" + (f" ({file}, line {line})" if own else ""),
        "ko": f"{channel}: 알림을 보내다가 {kind} 오류가 났어요" + (f"({file} {line}번째 줄)" if own else ""),
    }


def _curves(event: Event) -> Optional[Picture]:
    from knock_magic import drawing  # brings matplotlib along

    return drawing.of(event)


def _gpus(event: Event) -> Optional[str]:
    """The GPUs of this machine, if it happened here. They are asked once for all that is sent now."""
    from knock_magic import gpus, runs

    with _asking:
        if not _seen:
            _seen.append(gpus.seen() or [])
    return "\n".join(map(str, _seen[0][:MOST_GPUS])) or None if event.host == runs.host() else None


_asking, _seen = threading.Lock(), []  # type: ignore[var-annotated]


def _deliver(channel: Channel, message: Message, item: Mapping[str, Any]) -> Result:
    """Have the run's live message say it, or send a new one below its first; its ``handle``, and one that is ``lost``.

    Raises:
        DeliveryError: it did not arrive.
    """
    live, lost = item.get("live") if channel.edits else None, None
    after = item.get("after") if channel.threads else None
    if live:
        try:
            channel.edit(live, message)
            return {}
        except DeliveryError as error:
            if not _is_about_the_message(error):
                raise
        lost = live
    if after and after != lost:
        try:
            return {"handle": _handle(channel.send(dataclasses.replace(message, after=after))), "lost": lost}
        except DeliveryError as error:
            if not _is_about_the_message(error):
                raise
        lost = after
    return {"handle": _handle(channel.send(message)), "lost": lost}


def _is_about_the_message(error: DeliveryError) -> bool:
    """Whether the earlier message may be what it was refused for: it is not there any more, or too old."""
    return error.permanent and not error.revoked


def _handle(given: Any) -> Optional[str]:
    """What a channel, maybe someone's own, gave as a handle, if it can be kept as one."""
    from knock_magic.channels.base import LONGEST_HANDLE

    return given if isinstance(given, str) and 0 < len(given) <= LONGEST_HANDLE else None
