"""`Outbox`: all the SQL. A knock put here survives the kernel, the courier and the machine's power.

A knock is one event; a delivery is that knock on its way to one channel. A delivery is `due`, then
`sending` under a lease, then `done`, `failed` or `expired`. What is sending when its courier dies is
due again when the lease ends. A knock's body goes once all its deliveries have ended; its facts stay
as the history. Times are seconds since the epoch.
"""

from __future__ import annotations

import json
import os
import sqlite3

from knock_magic import folders

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

    Row = Dict[str, Any]

VERSION = 1
FILE = "outbox.db"
BUSY_MS = 5000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS knocks (
    id TEXT PRIMARY KEY,
    run TEXT NOT NULL,
    event TEXT NOT NULL,
    name TEXT NOT NULL,
    happened_at REAL NOT NULL,
    duration_s REAL NOT NULL,
    notebook TEXT,
    error_type TEXT,
    metrics TEXT NOT NULL,
    rules TEXT NOT NULL,
    body TEXT
);
CREATE INDEX IF NOT EXISTS knocks_by_time ON knocks (happened_at);
CREATE TABLE IF NOT EXISTS deliveries (
    knock TEXT NOT NULL REFERENCES knocks (id),
    channel TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    owner TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'due',
    attempts INTEGER NOT NULL DEFAULT 0,
    next_at REAL NOT NULL,
    lease_until REAL NOT NULL DEFAULT 0,
    ended_at REAL,
    late_s REAL NOT NULL DEFAULT 0,
    maybe_sent INTEGER NOT NULL DEFAULT 0,
    reason TEXT,
    PRIMARY KEY (knock, channel)
);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (state, next_at);
"""


def path_in(state_folder: str) -> str:
    """The outbox's file in `state_folder`."""
    return os.path.join(state_folder, FILE)


class Outbox:
    """One process's connection to the outbox at `path` (or ``:memory:``)."""

    def __init__(self, path: str) -> None:
        if path != ":memory:":
            folders.make_private(os.path.dirname(path))
            folders.create_private(path)
        self._db = sqlite3.connect(path, isolation_level=None, timeout=BUSY_MS / 1000)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        # FULL: what was answered as kept must outlive a power cut, not only a crash. 0.2 ms, paid by the courier.
        self._db.execute("PRAGMA synchronous = FULL")
        with self._db:
            self._db.executescript(_SCHEMA)
            self._db.execute(f"PRAGMA user_version = {VERSION}")

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def put(
        self,
        event: Mapping[str, Any],
        rules: Mapping[str, Any],
        addresses: Iterable[Tuple[str, str]],
        owner: str,
        now: float,
    ) -> bool:
        """Keep `event`, due now at each (channel, fingerprint) of `addresses`; False if it was here already."""
        addresses = list(addresses)
        error = event.get("error") or {}
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:
            added = self._db.execute(
                "INSERT OR IGNORE INTO knocks VALUES (?,?,?,?,?,?,?,?,?,?,?)",
                (
                    event["id"],
                    event["run"],
                    event["event"],
                    event["name"],
                    event["ended_at"] or now,
                    event["duration_s"],
                    event.get("notebook"),
                    error.get("type"),
                    json.dumps(event.get("metrics") or {}),
                    json.dumps({key: rules.get(key) for key in ("template", "lang")}),
                    json.dumps(event) if addresses else None,
                ),
            ).rowcount
            if not added:
                return False
            self._db.executemany(
                "INSERT INTO deliveries (knock, channel, fingerprint, owner, next_at) VALUES (?,?,?,?,?)",
                [(event["id"], channel, fingerprint, owner, now) for channel, fingerprint in addresses],
            )
        return True

    def due(self, owner: str, now: float, limit: int) -> List[Row]:
        """Deliveries of `owner` whose time has come, the longest waiting first."""
        rows = self._db.execute(
            "SELECT d.knock, d.channel, d.fingerprint, d.attempts, k.happened_at, k.rules, k.body "
            "FROM deliveries d JOIN knocks k ON k.id = d.knock "
            "WHERE d.owner = ? AND (d.state = 'due' AND d.next_at <= ? OR d.state = 'sending' AND d.lease_until <= ?) "
            "ORDER BY d.next_at LIMIT ?",
            (owner, now, now, limit),
        )
        return [dict(row) for row in rows]

    def claim(self, knock: str, channel: str, owner: str, now: float, lease_s: float) -> bool:
        """Take one due delivery for `lease_s` seconds; False if someone else was faster."""
        with self._db:
            return (
                self._db.execute(
                    "UPDATE deliveries SET state = 'sending', lease_until = ?, attempts = attempts + 1 "
                    "WHERE knock = ? AND channel = ? AND owner = ? "
                    "AND (state = 'due' AND next_at <= ? OR state = 'sending' AND lease_until <= ?)",
                    (now + lease_s, knock, channel, owner, now, now),
                ).rowcount
                == 1
            )

    def done(self, knock: str, channel: str, now: float, late_s: float) -> None:
        """The provider took it."""
        self._end(knock, channel, "done", now, late_s, None)

    def give_up(self, knock: str, channel: str, now: float, reason: str, state: str = "failed") -> None:
        """It will not be tried again: the provider refused for good (``failed``), or its day is over (``expired``)."""
        self._end(knock, channel, state, now, 0.0, reason)

    def later(self, knock: str, channel: str, next_at: float, reason: str, maybe_sent: bool) -> None:
        """It did not get through; try again at `next_at`."""
        with self._db:
            self._db.execute(
                "UPDATE deliveries SET state = 'due', next_at = ?, reason = ?, maybe_sent = maybe_sent OR ? "
                "WHERE knock = ? AND channel = ?",
                (next_at, reason, maybe_sent, knock, channel),
            )

    def _end(self, knock: str, channel: str, state: str, now: float, late_s: float, reason: Optional[str]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:
            self._db.execute(
                "UPDATE deliveries SET state = ?, ended_at = ?, late_s = ?, reason = ? WHERE knock = ? AND channel = ?",
                (state, now, late_s, reason, knock, channel),
            )
            self._db.execute(
                "UPDATE knocks SET body = NULL WHERE id = ? AND NOT EXISTS "
                "(SELECT 1 FROM deliveries WHERE knock = ? AND state IN ('due', 'sending'))",
                (knock, knock),
            )

    def facts(self, knock: str, channel: str) -> Row:
        """The name of a knock, when it happened, and how often it was tried on `channel`."""
        row = self._db.execute(
            "SELECT k.name, k.happened_at, d.attempts FROM deliveries d JOIN knocks k ON k.id = d.knock "
            "WHERE d.knock = ? AND d.channel = ?",
            (knock, channel),
        ).fetchone()
        return dict(row)

    def next_at(self, owner: str) -> Optional[float]:
        """When `owner` has to look again; None when nothing of it waits."""
        row = self._db.execute(
            "SELECT min(CASE state WHEN 'due' THEN next_at ELSE lease_until END) AS at FROM deliveries "
            "WHERE owner = ? AND state IN ('due', 'sending')",
            (owner,),
        ).fetchone()
        return None if row["at"] is None else float(row["at"])

    def waiting_owners(self) -> List[str]:
        """Whose deliveries have not ended yet."""
        rows = self._db.execute("SELECT DISTINCT owner FROM deliveries WHERE state IN ('due', 'sending')")
        return [row["owner"] for row in rows]

    def take_over(self, gone: str, owner: str, channel: str, fingerprint: str, now: float) -> int:
        """Make `gone`'s waiting deliveries `owner`'s where the settings are the same; how many."""
        with self._db:
            return self._db.execute(
                "UPDATE deliveries SET owner = ?, state = 'due', next_at = min(next_at, ?) "
                "WHERE owner = ? AND channel = ? AND fingerprint = ? AND state IN ('due', 'sending')",
                (owner, now, gone, channel, fingerprint),
            ).rowcount


def read_only(path: str, seconds: float = 2.0) -> Optional[sqlite3.Connection]:
    """A connection that can't write and waits `seconds` at most; None where there is no outbox yet."""
    if not os.path.exists(path):
        return None
    quoted = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    db = sqlite3.connect(f"file:{quoted}?mode=ro", uri=True, timeout=seconds)
    db.row_factory = sqlite3.Row
    return db


def peek(path: str, sql_name: str, parameters: Sequence[Any] = ()) -> List[Row]:
    """Rows of one of the read-only questions of `QUESTIONS`; none where the outbox can't be read now."""
    try:
        db = read_only(path)
        if db is None:
            return []
        try:
            return [dict(row) for row in db.execute(QUESTIONS[sql_name], parameters)]
        finally:
            db.close()
    except sqlite3.Error:
        return []


QUESTIONS = {
    "waiting": "SELECT k.name, k.event, k.happened_at, d.channel, d.attempts, d.next_at, d.reason "
    "FROM deliveries d JOIN knocks k ON k.id = d.knock "
    "WHERE d.state IN ('due', 'sending') ORDER BY k.happened_at",
    "last": "SELECT d.channel, max(d.ended_at) AS ended_at, d.state, d.reason FROM deliveries d "
    "WHERE d.state IN ('done', 'failed', 'expired') GROUP BY d.channel",
}
