"""`Pager`: a channel that edits and threads, as a delivery process finds it. What it sends goes to a `Phone`."""

from __future__ import annotations

from pathlib import Path

from knock_magic.channels.webhook import Webhook, payload
from knock_magic.template import Message

# Lines for `road.boot`: every name is a pager in the deliveries.
ANY_PAGER = (
    "if sys.argv[2] == 'delivery':",
    f"    sys.path.append({str(Path(__file__).parent)!r})",
    "    importlib.import_module('knock_magic.channels').find = lambda name: importlib.import_module('pager').Pager",
)


class Pager(Webhook):
    """A handle is ``m-`` and the id of the knock that was sent; a phone that answers 400 has lost it."""

    edits = True
    threads = True

    def send(self, message: Message) -> str:  # type: ignore[override]
        self.post(self.url, payload={**payload(message), "did": "send", "after": message.after})
        return f"m-{message.event.id}"

    def edit(self, handle: str, message: Message) -> None:
        self.post(self.url, payload={**payload(message), "did": "edit", "handle": handle})
