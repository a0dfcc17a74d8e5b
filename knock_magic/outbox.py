"""`Outbox`: all the SQL. A knock put here survives the kernel, the courier and the machine's power.

A knock is one event; a delivery is that knock on its way to one channel. A delivery is `due`, then
`sending` under a lease, then `done`, `failed`, `expired` or `merged` (told by a later one of its group).
What only the kernel could have shown, and that kernel is gone, is `unshown` until another one shows it.
What is sending when its courier dies is due again when the lease ends. A knock's body goes once all its
deliveries have ended; its facts stay as the history. Times are seconds since the epoch.

By its handles a run's message is found again: the `first` one, which a thread hangs on, and the `live` one, which is
edited. Of a run's progress only the newest matters, so what waits of it goes with what comes after it.

A later version may add tables, and columns with a default; it never renames or removes one, so an older
courier beside it goes on working. Hence every INSERT names its columns.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time

from knock_magic import folders, noise
from knock_magic.rules import ENDINGS, OUTCOMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Collection, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

    Row = Dict[str, Any]
    File = Tuple[int, int]
    Speaker = Callable[[List[Row]], Tuple[int, Row]]

VERSION = 5
FILE = "outbox.db"
BUSY_MS = 5000
POLL_S = 0.01
MEMORY = ":memory:"
USUAL_OF = 50  # earlier runs that the usual is made of
MOST_KNOCKS = 20_000  # in the history: some megabytes
MOST_EARLIER = 1000  # runs among which the best is looked for
DIGEST = "digest"  # the grouping of what waited for a new day
DAMAGED = (AttributeError, KeyError, TypeError, ValueError)  # what comes of reading a row in which bytes are others
NO_FILE = (0, 0)

# Where SQLite's shared memory does not work across machines, the older journal does (sqlite.org/wal.html).
# FUSE is a network more often than not: sshfs, Google Drive in Colab, s3fs, GlusterFS.
_NETWORK_FILESYSTEMS = frozenset(
    {"nfs", "nfs4", "lustre", "cifs", "smb3", "ceph", "gpfs", "beegfs", "9p", "afs", "drvfs", "virtiofs", "vboxsf"}
)
_MOUNTS = "/proc/self/mounts"

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
CREATE INDEX IF NOT EXISTS knocks_by_run ON knocks (run);
CREATE TABLE IF NOT EXISTS deliveries (
    knock TEXT NOT NULL REFERENCES knocks (id),
    channel TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    owner TEXT NOT NULL,
    grouping TEXT NOT NULL DEFAULT '',
    speaks_for TEXT,
    state TEXT NOT NULL DEFAULT 'due',
    attempts INTEGER NOT NULL DEFAULT 0,
    next_at REAL NOT NULL,
    planned_at REAL,
    lease_until REAL NOT NULL DEFAULT 0,
    ended_at REAL,
    late_s REAL NOT NULL DEFAULT 0,
    maybe_sent INTEGER NOT NULL DEFAULT 0,
    reason TEXT,
    PRIMARY KEY (knock, channel)
);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (owner, state, next_at);
CREATE TABLE IF NOT EXISTS open_runs (
    run TEXT PRIMARY KEY,
    kernel TEXT NOT NULL,
    owner TEXT NOT NULL,
    seen_at REAL NOT NULL,
    line TEXT NOT NULL,
    addresses TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS handles (
    run TEXT NOT NULL,
    channel TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    first TEXT NOT NULL,
    live TEXT,
    told_at REAL NOT NULL,
    PRIMARY KEY (run, channel, fingerprint)
);
CREATE TABLE IF NOT EXISTS curves (
    run TEXT PRIMARY KEY,
    points TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS pauses (
    fingerprint TEXT PRIMARY KEY,
    until REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS digests (
    fingerprint TEXT PRIMARY KEY
);
CREATE TABLE IF NOT EXISTS aside (
    fingerprint TEXT PRIMARY KEY,
    channel TEXT NOT NULL,
    since REAL NOT NULL,
    reason TEXT NOT NULL
);
"""

_WAITS = "state IN ('due', 'sending')"
# When it was to go, wherever a pause of its address has moved that since.
_PLANNED = "coalesce(d.planned_at, d.next_at) AS planned_at"
_QUOTED_ENDINGS = ", ".join(f"'{each}'" for each in sorted(ENDINGS))


def path_in(state_folder: str) -> str:
    """The outbox's file in `state_folder`."""
    return os.path.join(state_folder, FILE)


class Outbox:
    """One process's connection to the outbox at `path` (or `MEMORY`).

    Raises:
        OSError, sqlite3.Error: it can't be kept there; so may every method.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        if path != MEMORY:
            folders.make_private(os.path.dirname(path))
            folders.create_private(path)
        self._db = sqlite3.connect(path, isolation_level=None, timeout=BUSY_MS / 1000)
        try:
            self.file = identity(path)
            self._prepare_with_patience(time.monotonic() + BUSY_MS / 1000)
        except BaseException:
            self._db.close()
            raise

    def _prepare_with_patience(self, until: float) -> None:
        """Where several begin an outbox at once, SQLite does not wait by itself: the way into WAL mode has no queue."""
        while True:
            try:
                return self._prepare()
            except sqlite3.OperationalError as problem:
                if "locked" not in str(problem) or time.monotonic() > until:
                    raise
            time.sleep(POLL_S)

    def _prepare(self) -> None:
        self._db.row_factory = sqlite3.Row
        self._db.execute(f"PRAGMA journal_mode = {'DELETE' if _is_remote(self.path) else 'WAL'}")
        # FULL: what was answered as kept must outlive a power cut, not only a crash. 0.2 ms, paid by the courier.
        self._db.execute("PRAGMA synchronous = FULL")
        # What is deleted is overwritten: a body that has been delivered must not rest in a free page.
        self._db.execute("PRAGMA secure_delete = ON")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version < VERSION:
            self._db.executescript(_SCHEMA)
            self._lead_on()

    def _lead_on(self) -> None:
        """Add to an older version's tables what they lack."""
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:
            if "planned_at" not in {row["name"] for row in self._db.execute("PRAGMA table_info(deliveries)")}:
                self._db.execute("ALTER TABLE deliveries ADD COLUMN planned_at REAL")
            self._db.execute(f"PRAGMA user_version = {VERSION}")

    def check(self) -> None:
        """Raise `sqlite3.DatabaseError` if the file is damaged: better at once than at some row, later."""
        said = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if said != "ok":
            raise sqlite3.DatabaseError(f"malformed: {said}")

    @property
    def is_in_place(self) -> bool:
        """Whether the file is still what stands at its path: nobody has deleted it, or moved it aside."""
        try:
            return self.file == identity(self.path)
        except OSError:
            return True  # that can't be known now

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    # A knock comes.

    def put(
        self,
        event: Mapping[str, Any],
        rules: Mapping[str, Any],
        addresses: Iterable[Tuple[str, str]],
        owner: str,
        now: float,
        *,
        next_at: Optional[float] = None,
        grouping: str = "",
        unshown: Sequence[str] = (),
    ) -> bool:
        """Keep `event`, due at `next_at` (else now) at each (channel, fingerprint); False if it was here already.

        On the channels `unshown` the kernel would have shown it, had it lived.
        What shares a `grouping` and waits at the same address is told by one message. Progress of the run that still
        waits is told by it too, if `event` is newer progress or the run's end.
        """
        addresses, planned_at = list(addresses), now if next_at is None else next_at
        error = event.get("error") or {}
        kept_rules = {key: value for key, value in rules.items() if key not in ("to", "on", "wants", "min_s")}
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:
            added = self._db.execute(
                "INSERT OR IGNORE INTO knocks (id, run, event, name, happened_at, duration_s, notebook, error_type, "
                "metrics, rules, body) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
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
                    json.dumps(kept_rules),
                    json.dumps(event) if addresses or unshown else None,
                ),
            ).rowcount
            if not added:
                return False

            def paused(address: Sequence[str]) -> str:  # whoever tests it wants to hear now that it is left alone
                return "" if event["event"] == "test" else address[1]

            self._db.executemany(
                "INSERT INTO deliveries (knock, channel, fingerprint, owner, grouping, planned_at, next_at) VALUES "
                "(?,?,?,?,?,?, max(?, coalesce((SELECT until FROM pauses WHERE fingerprint = ?), 0)))",
                [
                    (event["id"], *address, owner, grouping, planned_at, planned_at, paused(address))
                    for address in addresses
                ],
            )
            self._db.executemany(
                "INSERT INTO deliveries (knock, channel, fingerprint, owner, state, next_at) VALUES (?,?,'',?,'unshown',?)",
                [(event["id"], channel, owner, now) for channel in unshown],
            )
            if event.get("curves"):
                self._db.execute(
                    "INSERT OR REPLACE INTO curves (run, points) VALUES (?,?)",
                    (event["run"], json.dumps(event["curves"])),
                )
            if noise.is_live(grouping) or event["event"] in ENDINGS:
                for address in addresses:
                    self._overtake(event["run"], event["id"], address, now)
        return True

    def _overtake(self, run: str, newer: str, address: Tuple[str, str], now: float) -> None:
        waiting = self._db.execute(
            "SELECT d.knock, d.channel, d.speaks_for, k.body FROM knocks k JOIN deliveries d ON d.knock = k.id "
            "WHERE k.run = ? AND d.grouping = ? AND k.id <> ? AND d.channel = ? AND d.fingerprint = ? "
            "AND d.state = 'due' ORDER BY d.rowid DESC",
            (run, noise.live(run), newer, *address),
        ).fetchall()
        for row in waiting:
            self._hand_on(dict(row), newer, now)

    def _hand_on(self, row: Row, newer: str, now: float) -> None:
        """The progress in `row` goes with the `newer` knock, whose changes are then those since before both."""
        knock, channel = row["knock"], row["channel"]
        before = json.dumps({"before": spoken(row).get("before") or {}}) if is_readable(row) else None
        self._db.execute(
            "UPDATE deliveries SET speaks_for = ? WHERE knock = ? AND channel = ? AND state = 'due' "
            "AND grouping = (SELECT grouping FROM deliveries WHERE knock = ? AND channel = ?)",
            (before, newer, channel, knock, channel),
        )
        self._db.execute(
            "UPDATE deliveries SET state = 'merged', ended_at = ? WHERE knock = ? AND channel = ?",
            (now, knock, channel),
        )
        self._db.execute(_FORGET_BODY, (knock, knock))

    def is_overtaken(self, row: Mapping[str, Any], now: float) -> bool:
        """Whether newer news of its run made the due progress in `row` stale while it was on its way; it goes with that."""
        newer = self._db.execute(
            "SELECT e.knock FROM deliveries d JOIN deliveries e ON e.channel = d.channel AND e.fingerprint = d.fingerprint "
            "JOIN knocks k ON k.id = e.knock WHERE d.knock = ? AND d.channel = ? AND e.rowid > d.rowid AND k.run = ? "
            f"AND (e.grouping = d.grouping OR k.event IN ({_QUOTED_ENDINGS})) ORDER BY e.rowid LIMIT 1",
            (row["knock"], row["channel"], row["run"]),
        ).fetchone()
        if newer is None:
            return False
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:
            self._hand_on(dict(row), newer["knock"], now)
        return True

    def is_over(self, row: Mapping[str, Any]) -> bool:
        """Whether the end of the run in `row` is told at the same address."""
        found = self._db.execute(
            "SELECT 1 FROM deliveries d JOIN knocks k ON k.id = d.knock WHERE k.run = ? AND d.channel = ? "
            f"AND d.fingerprint = ? AND k.event IN ({_QUOTED_ENDINGS}) LIMIT 1",
            (row["run"], row["channel"], row["fingerprint"]),
        )
        return found.fetchone() is not None

    # Its deliveries.

    def due(self, owner: str, now: float, limit: int, busy: Collection[str] = ()) -> List[Row]:
        """Deliveries of `owner` whose time has come, but not those of `busy` fingerprints.

        The least tried come first: one that fails each time must not stand before the others of its address.
        """
        marks = ",".join("?" * len(busy))
        rows = self._db.execute(
            "SELECT d.knock, d.channel, d.fingerprint, d.grouping, d.attempts, d.maybe_sent, d.next_at, k.happened_at, "
            f"{_PLANNED}, d.speaks_for, k.run, k.event, k.name, k.rules, k.body, a.reason AS refused, "
            "g.fingerprint IS NOT NULL AND k.event <> 'test' AS in_digest FROM deliveries d JOIN knocks k ON k.id = d.knock "
            "LEFT JOIN aside a ON a.fingerprint = d.fingerprint LEFT JOIN digests g ON g.fingerprint = d.fingerprint "
            "WHERE d.owner = ? AND (d.state = 'due' AND d.next_at <= ? OR d.state = 'sending' AND d.lease_until <= ?) "
            f"AND d.fingerprint NOT IN ({marks}) ORDER BY d.attempts, d.next_at, k.happened_at LIMIT ?",
            (owner, now, now, *busy, limit),
        )
        return [dict(row) for row in rows]

    def claim(self, knock: str, channel: str, owner: str, now: float, lease_s: float) -> bool:
        """Take one due delivery for `lease_s` seconds; False if someone else was faster."""
        return self._changed(
            "UPDATE deliveries SET state = 'sending', lease_until = ?, attempts = attempts + 1 "
            "WHERE knock = ? AND channel = ? AND owner = ? "
            "AND (state = 'due' AND next_at <= ? OR state = 'sending' AND lease_until <= ?)",
            (now + lease_s, knock, channel, owner, now, now),
        )

    def merge(self, row: Mapping[str, Any], now: float, speaker: Speaker) -> Row:
        """Let one of the waiting group of the due `row` speak for all of them, and give that one.

        `speaker` picks it of the events, the oldest first, and says what of the others it tells. They may be anybody's:
        several processes of one job speak with one voice, which becomes the owner's of `row`. Each address has its
        own group, so what is told of the others stands with the delivery and not in the knock.
        """
        key = (row["grouping"], row["channel"], row["fingerprint"])
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:
            group = [
                dict(found)
                for found in self._db.execute(
                    "SELECT d.knock, d.channel, d.fingerprint, d.grouping, d.attempts, d.maybe_sent, d.next_at, "
                    f"{_PLANNED}, "
                    "d.speaks_for, k.happened_at, k.run, k.event, k.name, k.rules, k.body FROM deliveries d "
                    "JOIN knocks k ON k.id = d.knock WHERE d.grouping = ? AND d.channel = ? AND d.fingerprint = ? "
                    "AND d.state = 'due' ORDER BY k.happened_at, d.rowid",
                    key,
                )
            ]
            readable = [each for each in group if is_readable(each)]
            if not readable:
                return dict(row)
            index, told = speaker([spoken(each) for each in readable])
            chosen = readable[index]
            chosen["speaks_for"] = json.dumps(told)
            self._db.execute(
                "UPDATE deliveries SET next_at = ?, speaks_for = ?, owner = "
                "(SELECT owner FROM deliveries WHERE knock = ? AND channel = ?) WHERE knock = ? AND channel = ?",
                (now, chosen["speaks_for"], row["knock"], row["channel"], chosen["knock"], chosen["channel"]),
            )
            self._db.execute(
                "UPDATE deliveries SET state = 'merged', ended_at = ? WHERE grouping = ? AND channel = ? "
                "AND fingerprint = ? AND state = 'due' AND knock <> ?",
                (now, *key, chosen["knock"]),
            )
            self._db.executemany(_FORGET_BODY, [(each["knock"],) * 2 for each in group if each is not chosen])
        return chosen

    def gather(self, row: Mapping[str, Any]) -> Row:
        """Group all that waits at the address of the due `row`, whoever has it, so that one of them can tell of all."""
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:
            self._db.execute(
                "UPDATE deliveries SET grouping = ? WHERE channel = ? AND fingerprint = ? AND state = 'due' "
                "AND knock NOT IN (SELECT id FROM knocks WHERE event = 'test')",
                (DIGEST, row["channel"], row["fingerprint"]),
            )
            self._db.execute("DELETE FROM digests WHERE fingerprint = ?", (row["fingerprint"],))
        return {**row, "grouping": DIGEST}

    def done(
        self, knock: str, channel: str, now: float, late_s: float, handle: Optional[str] = None, lost: str = ""
    ) -> None:
        """The provider took it, and knows it by `handle`; `lost` is a handle that was no good any more."""
        self._end(knock, channel, "done", now, late_s, None, handle, lost)

    def give_up(self, knock: str, channel: str, now: float, reason: str, state: str = "failed") -> None:
        """It will not be tried again: the provider refused for good (``failed``), or its day is over (``expired``)."""
        self._end(knock, channel, state, now, 0.0, reason)

    def later(self, knock: str, channel: str, next_at: float, reason: str, maybe_sent: bool) -> None:
        """It did not get through, or has to wait for others; try again at `next_at`."""
        self._changed(
            "UPDATE deliveries SET state = 'due', next_at = ?, planned_at = ?, reason = ?, maybe_sent = maybe_sent OR ? "
            "WHERE knock = ? AND channel = ?",
            (next_at, next_at, reason, maybe_sent, knock, channel),
        )

    def untried(self, knock: str, channel: str, next_at: float) -> None:
        """It was claimed, but its address was found out of order before its turn; this was no try."""
        self._changed(
            "UPDATE deliveries SET state = 'due', next_at = ?, attempts = attempts - 1 WHERE knock = ? AND channel = ?",
            (next_at, knock, channel),
        )

    def pause(self, owner: str, fingerprint: str, until: float) -> None:
        """It is out of order: nothing of `owner` that waits for this address goes there before `until`."""
        self._changed(
            "UPDATE deliveries SET next_at = max(next_at, ?) WHERE owner = ? AND fingerprint = ? AND state = 'due'",
            (until, owner, fingerprint),
        )

    def pause_all(self, fingerprint: str, until: float, digest: bool = False) -> None:
        """It asked to be left alone: nothing goes there before `until`, whoever has it and whatever is still to come.

        With `digest`, what waits there by then is to be told by one message.
        """
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:
            if digest:
                self._db.execute("INSERT OR IGNORE INTO digests (fingerprint) VALUES (?)", (fingerprint,))
            self._db.execute("INSERT OR REPLACE INTO pauses (fingerprint, until) VALUES (?,?)", (fingerprint, until))
            self._db.execute(
                "UPDATE deliveries SET next_at = max(next_at, ?) WHERE fingerprint = ? AND state = 'due'",
                (until, fingerprint),
            )

    def shift(self, owner: str, seconds: float) -> None:
        """The wall clock was set by `seconds`: what waits, waits as long as it was meant to."""
        self._changed(
            "UPDATE deliveries SET next_at = next_at + ?, planned_at = planned_at + ?, lease_until = lease_until + ? "
            f"WHERE owner = ? AND {_WAITS}",
            (seconds, seconds, seconds, owner),
        )
        self._changed("UPDATE pauses SET until = until + ?", (seconds,))

    def wait_until_at_most(self, latest: float) -> None:
        """Nothing waits for longer than this: what would, was told by a clock that has been set since."""
        self._changed(f"UPDATE deliveries SET next_at = ? WHERE next_at > ? AND {_WAITS}", (latest, latest))
        self._changed("UPDATE pauses SET until = ? WHERE until > ?", (latest, latest))

    def _end(
        self,
        knock: str,
        channel: str,
        state: str,
        now: float,
        late_s: float,
        reason: Optional[str],
        handle: Optional[str] = None,
        lost: str = "",
    ) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:
            self._db.execute(
                "UPDATE deliveries SET state = ?, ended_at = ?, late_s = ?, reason = ? WHERE knock = ? AND channel = ?",
                (state, now, late_s, reason, knock, channel),
            )
            self._db.execute(_FORGET_BODY, (knock, knock))
            if handle:
                self._remember(knock, channel, handle, lost, now)

    def _remember(self, knock: str, channel: str, handle: str, lost: str, now: float) -> None:
        row = self._db.execute(
            "SELECT k.run, k.event, d.fingerprint, d.grouping FROM deliveries d JOIN knocks k ON k.id = d.knock "
            "WHERE d.knock = ? AND d.channel = ?",
            (knock, channel),
        ).fetchone()
        if row is None or row["event"] not in OUTCOMES or row["event"] in ENDINGS:
            return  # nothing follows it
        known = self.handles(row["run"], channel, row["fingerprint"])
        first = known["first"] if known["first"] not in (None, lost) else handle
        live = handle if noise.is_live(row["grouping"]) or row["event"] == "started" else known["live"]
        self._db.execute(
            "INSERT OR REPLACE INTO handles (run, channel, fingerprint, first, live, told_at) VALUES (?,?,?,?,?,?)",
            (row["run"], channel, row["fingerprint"], first, live, now),
        )

    def _changed(self, sql: str, parameters: Sequence[Any]) -> bool:
        with self._db:
            return self._db.execute(sql, parameters).rowcount == 1

    # Questions of the courier.

    def handles(self, run: str, channel: str, fingerprint: str) -> Row:
        """What this address knows the `first` and the `live` message of `run` by; None where there is none."""
        row = self._db.execute(
            "SELECT first, live FROM handles WHERE run = ? AND channel = ? AND fingerprint = ?",
            (run, channel, fingerprint),
        ).fetchone()
        return dict(row) if row else {"first": None, "live": None}

    def earlier(self, name: str, metric: str = "") -> Row:
        """How long runs called `name` took that finished, as `usual_s` and `usual_of`, and the `values` of `metric`."""
        rows = self._db.execute(
            "SELECT duration_s, metrics FROM knocks WHERE event = 'finished' AND name = ? "
            "ORDER BY happened_at DESC LIMIT ?",
            (name, MOST_EARLIER if metric else USUAL_OF),
        ).fetchall()
        times = sorted(row["duration_s"] for row in rows[:USUAL_OF])
        values = [_values(row["metrics"]).get(metric) for row in rows] if metric else []
        middle = len(times) // 2
        usual = (times[middle] + times[-middle - 1]) / 2 if times else None
        return {"usual_s": usual, "usual_of": len(times), "values": values}

    def facts(self, knock: str, channel: str) -> Optional[Row]:
        """What a delivery is of, when that happened, and how often it was tried; None if it is not here."""
        row = self._db.execute(
            f"SELECT k.name, k.event, k.happened_at, d.attempts, d.fingerprint, {_PLANNED} FROM deliveries d "
            "JOIN knocks k ON k.id = d.knock WHERE d.knock = ? AND d.channel = ?",
            (knock, channel),
        ).fetchone()
        return dict(row) if row else None

    def next_at(self, owner: str, busy: Collection[str] = ()) -> Optional[float]:
        """When `owner` has to look again, leaving `busy` fingerprints out; None when nothing of it waits."""
        marks = ",".join("?" * len(busy))
        row = self._db.execute(
            "SELECT min(CAST(CASE state WHEN 'due' THEN next_at ELSE lease_until END AS REAL)) AS at FROM deliveries "
            f"WHERE owner = ? AND {_WAITS} AND fingerprint NOT IN ({marks})",
            (owner, *busy),
        ).fetchone()
        return None if row["at"] is None else float(row["at"])

    # What others left.

    def waiting_owners(self) -> List[str]:
        """Whose deliveries have not ended yet."""
        rows = self._db.execute(f"SELECT DISTINCT owner FROM deliveries WHERE {_WAITS}")
        return [row["owner"] for row in rows]

    def waiting_since_before(self, moment: float) -> List[Row]:
        """What happened before `moment` and has not been delivered yet, whose ever it is."""
        rows = self._db.execute(
            "SELECT d.knock, d.channel, d.owner, k.event, k.name, k.rules, k.happened_at FROM deliveries d "
            f"JOIN knocks k ON k.id = d.knock WHERE k.happened_at < ? AND d.{_WAITS}",
            (moment,),
        )
        return [dict(row) for row in rows]

    def take_over(self, gone: str, owner: str, channel: str, fingerprint: str) -> int:
        """Make `gone`'s waiting deliveries `owner`'s where the settings are the same; how many."""
        with self._db:
            return self._db.execute(
                "UPDATE deliveries SET owner = ?, state = 'due' "
                f"WHERE owner = ? AND channel = ? AND fingerprint = ? AND {_WAITS}",
                (owner, gone, channel, fingerprint),
            ).rowcount

    # Another outbox: the one before this, or one in another place.

    def take_from(self, other: Outbox, whose: Callable[[str], bool]) -> None:
        """Go on with what `other` began: what has ended there has ended here, and what waits there waits here too.

        Of those owners that `whose` accepts. It takes row by row: what can't be read in a broken one is left behind.
        """
        for row in self._readable("SELECT knock, channel FROM deliveries WHERE " + _WAITS):
            there = "SELECT state, ended_at, late_s, reason FROM deliveries WHERE knock = ? AND channel = ?"
            for end in other._readable(f"{there} AND NOT ({_WAITS})", tuple(row.values())):
                self._end(row["knock"], row["channel"], end["state"], end["ended_at"], end["late_s"], end["reason"])
        for row in other._readable(f"SELECT knock, channel, owner FROM deliveries WHERE {_WAITS}"):
            if whose(row["owner"]):
                self._take_row(other, "knocks", "id = ?", (row["knock"],))
                self._take_row(other, "curves", "run = (SELECT run FROM knocks WHERE id = ?)", (row["knock"],))
                self._take_row(other, "deliveries", "knock = ? AND channel = ?", (row["knock"], row["channel"]))
        for row in other._readable("SELECT run, owner FROM open_runs"):
            if whose(row["owner"]):
                self._take_row(other, "open_runs", "run = ?", (row["run"],))
        for row in other._readable("SELECT rowid FROM handles"):
            self._take_row(other, "handles", "rowid = ?", (row["rowid"],))
        self.close_runs(row["run"] for row in self.open_runs() if other._saw_end_of(row))

    def _take_row(self, other: Outbox, table: str, where: str, key: Sequence[Any]) -> None:
        known = {row["name"] for row in self._readable(f"PRAGMA table_info({table})")}
        for row in other._readable(f"SELECT * FROM {table} WHERE {where}", key):
            taken = {name: value for name, value in row.items() if name in known}
            marks = ",".join("?" * len(taken))
            self._changed(f"INSERT OR IGNORE INTO {table} ({','.join(taken)}) VALUES ({marks})", tuple(taken.values()))

    def _saw_end_of(self, open_run: Row) -> bool:
        """Whether the run noted as open has ended here; a plain cell is known by its name and its start."""
        try:
            event = json.loads(open_run["line"])["event"]
            key = (open_run["run"], event["name"], event["started_at"])
        except DAMAGED:
            return False
        endings = ("finished", "failed", "interrupted", "died")
        return any(
            self._readable(
                "SELECT 1 FROM knocks WHERE event IN (?,?,?,?) AND "
                "(run = ? OR name = ? AND abs(happened_at - duration_s - ?) < 2) LIMIT 1",
                (*endings, *key),
            )
        )

    def _readable(self, sql: str, parameters: Sequence[Any] = ()) -> List[Row]:
        """The rows up to the first one that can't be read."""
        rows: List[Row] = []
        try:
            for row in self._db.execute(sql, parameters):
                rows.append(dict(row))
        except sqlite3.Error:
            pass
        return rows

    def give_away(self, whose: Callable[[str], bool], to: Outbox) -> None:
        """Let `to` go on with what waits here of those owners.

        Raises:
            sqlite3.Error: nothing can be written here; then nothing was given.
        """
        owners = [owner for owner in self._owners() if whose(owner)]
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:
            to.take_from(self, whose)
            for owner in owners:
                self._db.execute("DELETE FROM open_runs WHERE owner = ?", (owner,))
                waits = f"SELECT knock FROM deliveries WHERE owner = ? AND {_WAITS}"
                done = f"SELECT knock FROM deliveries WHERE NOT (owner = ? AND {_WAITS})"
                self._db.execute(f"DELETE FROM knocks WHERE id IN ({waits}) AND id NOT IN ({done})", (owner, owner))
                self._db.execute(f"DELETE FROM deliveries WHERE owner = ? AND {_WAITS}", (owner,))

    def _owners(self) -> List[str]:
        owners = self._db.execute("SELECT owner FROM deliveries UNION SELECT owner FROM open_runs")
        return [row["owner"] for row in owners]

    # Runs that are open, for the case that the whole machine goes.

    def open_run(
        self,
        run: str,
        kernel: str,
        owner: str,
        line: Mapping[str, Any],
        addresses: Sequence[Tuple[str, str]],
        now: float,
    ) -> None:
        """A run goes on, as of now."""
        with self._db:
            self._db.execute(
                "INSERT OR REPLACE INTO open_runs (run, kernel, owner, seen_at, line, addresses) VALUES (?,?,?,?,?,?)",
                (run, kernel, owner, now, json.dumps(line), json.dumps(addresses)),
            )

    def close_runs(self, runs: Iterable[str]) -> None:
        """They have ended."""
        with self._db:
            self._db.executemany("DELETE FROM open_runs WHERE run = ?", [(run,) for run in runs])

    def seen(self, owner: str, now: float) -> None:
        """The open runs of `owner` still go on."""
        self._changed("UPDATE open_runs SET seen_at = ? WHERE owner = ?", (now, owner))

    def open_runs(self) -> List[Row]:
        """All that is noted as open, whoever wrote it."""
        return [dict(row) for row in self._db.execute("SELECT * FROM open_runs")]

    # Addresses that refused for good.

    def put_aside(self, fingerprint: str, channel: str, reason: str, now: float) -> bool:
        """Send nothing more to this address; False if that was so already."""
        return self._changed(
            "INSERT OR IGNORE INTO aside (fingerprint, channel, since, reason) VALUES (?,?,?,?)",
            (fingerprint, channel, now, reason),
        )

    def take_back(self, fingerprint: str, by_a_test: bool) -> bool:
        """The address works again; False if it had not been put aside.

        What waits there for a new day still does, and is told by one message, if this was found out `by_a_test`.
        """
        if not by_a_test:
            self._changed("DELETE FROM digests WHERE fingerprint = ?", (fingerprint,))
        return self._changed("DELETE FROM aside WHERE fingerprint = ?", (fingerprint,))

    def aside(self) -> Dict[str, str]:
        """Why each address that was put aside was; by fingerprint."""
        return {row["fingerprint"]: row["reason"] for row in self._db.execute("SELECT fingerprint, reason FROM aside")}

    def forget_before(self, moment: float, most: int = MOST_KNOCKS) -> None:
        """Drop the history before `moment`, and what is older than the last `most` knocks; what still waits stays."""
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:
            eldest = self._db.execute(
                "SELECT happened_at FROM knocks ORDER BY happened_at DESC LIMIT 1 OFFSET ?", (most - 1,)
            ).fetchone()
            before = max(moment, eldest["happened_at"]) if eldest else moment
            old = f"SELECT id FROM knocks WHERE happened_at < ? AND id NOT IN (SELECT knock FROM deliveries WHERE {_WAITS})"
            self._db.execute(f"DELETE FROM deliveries WHERE knock IN ({old})", (before,))
            self._db.execute(f"DELETE FROM knocks WHERE id IN ({old})", (before,))
            self._db.execute("DELETE FROM curves WHERE run NOT IN (SELECT run FROM knocks)")
            self._db.execute("DELETE FROM pauses WHERE until < ?", (moment,))

    def forget_handles_before(self, moment: float) -> None:
        """Drop the handles of runs that are over, and of which nothing was sent since `moment`."""
        self._changed(
            "DELETE FROM handles WHERE told_at < ? AND run NOT IN (SELECT run FROM open_runs) AND run NOT IN "
            f"(SELECT k.run FROM knocks k JOIN deliveries d ON d.knock = k.id WHERE d.{_WAITS})",
            (moment,),
        )


def _values(metrics: str) -> Mapping[str, Any]:
    try:
        found = json.loads(metrics)
    except DAMAGED:
        return {}
    return found if isinstance(found, dict) else {}


_FORGET_BODY = (
    f"UPDATE knocks SET body = NULL WHERE id = ? AND NOT EXISTS (SELECT 1 FROM deliveries WHERE knock = ? AND {_WAITS})"
)


_ENDINGS = ("-wal", "-shm", "-journal", "")  # the file itself last: what stands beside it must not meet a new one


def identity(path: str) -> File:
    """What tells this very file from another one of its name.

    Raises:
        OSError: that can't be known.
    """
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return NO_FILE
    return status.st_dev, status.st_ino


def spoken(row: Mapping[str, Any]) -> Row:
    """The event of the waiting delivery `row`, with what it tells of others.

    Raises:
        DAMAGED: it can't be read.
    """
    return {**json.loads(row["body"]), **json.loads(row["speaks_for"] or "{}")}


def is_readable(row: Mapping[str, Any]) -> bool:
    """Whether the event of the waiting delivery `row` can be read."""
    try:
        return isinstance(spoken(row)["name"], str)
    except DAMAGED:
        return False


def move_aside(path: str, broken: File) -> str:
    """Move the `broken` outbox out of the way, to be looked at; its new name, empty if it has been moved already.

    Raises:
        OSError: it can't be moved.
    """
    number = 1
    while os.path.exists(f"{path}.broken-{number}"):
        number += 1
    if identity(path) != broken:
        return ""  # another courier was faster, and this one is new
    for ending in _ENDINGS:
        if os.path.exists(path + ending):
            os.replace(path + ending, f"{path}.broken-{number}{ending}")
    return f"{path}.broken-{number}"


def is_broken(problem: Exception) -> bool:
    """Whether `problem` says that the file itself is no outbox any more."""
    return isinstance(problem, sqlite3.DatabaseError) and any(words in str(problem) for words in _BROKEN)


# As SQLite says it; the last are of a schema or a text in which some bytes are others.
_BROKEN = ("malformed", "not a database", "no such table", "no such column", "has no column", "decode to UTF-8")


def _is_remote(path: str) -> bool:
    """Whether `path` lies on a network file system, as far as the system tells (Linux)."""
    try:
        with open(_MOUNTS, encoding="utf-8", errors="replace") as file:
            mounts = [line.split() for line in file]
    except OSError:
        return False
    real = os.path.realpath(path)
    # Of two at the same place, the later one hides the earlier.
    holding = [(len(mount[1]), at, mount[2]) for at, mount in enumerate(mounts) if _holds(_unescaped(mount[1]), real)]
    kind = max(holding, default=(0, 0, ""))[2]
    return kind in _NETWORK_FILESYSTEMS or kind.startswith("fuse.")


def _unescaped(folder: str) -> str:
    """A folder as /proc/self/mounts writes it, where space, tab, newline and backslash are octal (proc(5))."""
    for code in ("040", "011", "012", "134"):
        folder = folder.replace(f"\\{code}", chr(int(code, 8)))
    return folder


def _holds(folder: str, path: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/")


def read_only(path: str, seconds: float = 2.0) -> Optional[sqlite3.Connection]:
    """A connection that can't write and waits `seconds` at most; None where there is no outbox yet."""
    if not os.path.exists(path):
        return None
    quoted = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    db = sqlite3.connect(f"file:{quoted}?mode=ro", uri=True, timeout=seconds)
    db.row_factory = sqlite3.Row
    return db


def peek(path: str, question: str, parameters: Sequence[Any] = (), seconds: float = 2.0) -> List[Row]:
    """Rows of one of the read-only `QUESTIONS`; none where the outbox can't be read within `seconds`."""
    until = time.monotonic() + seconds
    try:
        db = read_only(path, seconds)
        if db is None:
            return []
        try:
            db.set_progress_handler(
                lambda: time.monotonic() > until, 10_000
            )  # steps of SQLite's machine: a millisecond
            return [dict(row) for row in db.execute(QUESTIONS[question], parameters)]
        finally:
            db.close()
    except sqlite3.Error:
        return []


_KNOCK = "id, run, event, name, happened_at, duration_s, notebook, error_type, metrics, rules"
_WITH_DELIVERIES = (
    "SELECT k.*, d.channel, d.state, d.attempts, d.late_s, d.ended_at, d.next_at, d.reason, d.maybe_sent, d.owner "
    "FROM ({}) k LEFT JOIN deliveries d ON d.knock = k.id ORDER BY k.happened_at {}, d.rowid"
)

QUESTIONS = {
    "waiting": "SELECT k.name, k.event, k.happened_at, d.channel, d.attempts, d.next_at, d.reason, d.owner, d.grouping "
    "FROM deliveries d JOIN knocks k ON k.id = d.knock "
    f"WHERE d.{_WAITS} ORDER BY k.happened_at",
    "aside": "SELECT fingerprint, channel, since, reason FROM aside",
    # Who stops a kernel knows that he did; only deaths are news.
    "unshown": "SELECT d.channel, k.happened_at, k.rules, k.body FROM deliveries d JOIN knocks k ON k.id = d.knock "
    "WHERE d.state = 'unshown' AND k.event = 'died' ORDER BY k.happened_at DESC LIMIT ?",
    # Parts of the name (twice), outcomes as `,failed,died,` (twice), the beginning of a run's id, how many.
    "history": _WITH_DELIVERIES.format(
        f"SELECT {_KNOCK} FROM knocks WHERE event IN ('finished', 'failed', 'interrupted', 'died') "
        "AND (? = '' OR instr(lower(name), lower(?)) > 0) AND (? = '' OR instr(?, ',' || event || ',') > 0) "
        "AND run LIKE ? || '%' ORDER BY happened_at DESC LIMIT ?",
        "DESC",
    ),
    "run": _WITH_DELIVERIES.format(f"SELECT {_KNOCK} FROM knocks WHERE run = ?", "ASC"),
    "curves": "SELECT points FROM curves WHERE run = ?",
    "usual": "SELECT happened_at, duration_s FROM knocks WHERE event = 'finished' AND name = ? "
    "ORDER BY happened_at DESC LIMIT ?",
    "open": "SELECT run, kernel, seen_at, line FROM open_runs",
    "owners": f"SELECT owner FROM deliveries WHERE {_WAITS} UNION SELECT owner FROM open_runs",
    "last": "SELECT channel, state, reason, max(ended_at) AS ended_at FROM deliveries "
    "WHERE state IN ('done', 'failed', 'expired') GROUP BY channel",
}
