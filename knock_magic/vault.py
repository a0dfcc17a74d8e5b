"""`Vault`: what a channel has to remember from one delivery to the next, such as a token that was renewed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from typing import Any, Callable, Dict, List, Mapping, TypeVar

from knock_magic import folders, private_file
from knock_magic.errors import KnockError

Kept = Dict[str, Any]
T = TypeVar("T")

# Who holds the lock may be waiting for a server, and gives up before this.
LOCK_SECONDS = 45.0

REMEMBERED_S = 2 * 86400  # longer than any knock is tried

# What no folder took, by the place that was meant for it: better remembered by one process than by none.
_unwritten: Dict[str, Kept] = {}


class Vault:
    """A private JSON file that all processes of one user share.

    It lies in the state folder; where nothing can be written there, in the runtime folder; else in memory.
    """

    def __init__(self, name: str, environ: Mapping[str, str]) -> None:
        places = (folders.state_folder(environ), folders.runtime_folder(environ))
        self._paths = [os.path.join(place, f"{name}.json") for place in places]

    def change(self, edit: Callable[[Kept], T], seconds: float = LOCK_SECONDS) -> T:
        """What `edit` answers when it is given what is kept; what it changes there is kept from then on.

        Nobody else changes anything meanwhile, in no process: who waits, for so many `seconds` at most, sees what
        `edit` made of it.

        Raises:
            SettingsError: the file is open to others, or is held for too long.
        """
        with contextlib.ExitStack() as stack:
            path = self._lock(stack, seconds)
            kept = self._read(path)
            before = json.dumps(kept)
            answer = edit(kept)
            if json.dumps(kept) != before:
                self._write(path, kept)
            return answer

    def peek(self) -> Kept:
        """What is kept, as it was last written; waits for nobody, and never fails."""
        for path in self._paths:
            with contextlib.suppress(KnockError):
                if os.path.exists(path):
                    return self._read(path)
        return dict(_unwritten.get(self._paths[0], {}))

    def _lock(self, stack: contextlib.ExitStack, seconds: float) -> str:
        """The first place that can be locked, or nothing."""
        for path in self._paths:
            with contextlib.suppress(OSError):
                stack.enter_context(private_file.locked(path, seconds))
                return path
        return ""

    def _read(self, path: str) -> Kept:
        if self._paths[0] in _unwritten:
            return _unwritten[self._paths[0]]
        try:
            kept = json.loads(private_file.read(path)) if path else {}
        except (OSError, ValueError):
            return {}  # none yet, or nothing that we wrote
        return kept if isinstance(kept, dict) else {}

    def _write(self, path: str, kept: Kept) -> None:
        try:
            if not path:
                raise OSError
            private_file.write(path, json.dumps(kept).encode("ascii"))
            _unwritten.pop(self._paths[0], None)
        except OSError:
            _unwritten[self._paths[0]] = kept


# Several recipients, of whom some were refused: only these are sent to again.


def mark(address: str) -> str:
    """What stands for a recipient where nobody needs to know who it is."""
    return hashlib.sha256(address.encode()).hexdigest()[:16]


def settled_of(kept: Kept, knock: str) -> List[str]:
    """In what a vault keeps, the marks of those whom `knock` needs not be sent to any more."""
    now = time.time()
    for old in [each for each, entry in kept.items() if now - entry["at"] > REMEMBERED_S]:
        del kept[old]
    marks: List[str] = kept.setdefault(knock, {"at": now, "settled": []})["settled"]
    return marks
