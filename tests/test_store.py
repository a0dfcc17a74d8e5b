"""The outbox's place under fire: a knock is kept somewhere and arrives, the user is told once, and a cell never hears."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Callable, Iterator, List, Optional, Sequence

import pytest
from conftest import end, linux_only
from fire import setting, strace_skip
from phone import Phone
from road import ANY_NAME, Road, boot

from knock_magic import death, launch, outbox, sidecar
from knock_magic.event import ErrorInfo
from knock_magic.outbox import Outbox

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="ends processes by signals")

Build = Callable[..., Road]

_NO_STRACE = strace_skip()
needs_strace = pytest.mark.skipif(_NO_STRACE is not None, reason=str(_NO_STRACE))
needs_mount = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0 or not sys.platform.startswith("linux"),
    reason="mounts a file system, which only root may",
)

RULES = {"template": "short", "lang": "en"}
NOBODY = "|".join([*death.identity(os.getpid()).split("|")[:2], "0", "0"])  # a process of this machine that is gone
KILLS = int(os.environ.get("KNOCK_TEST_KILLS", "20"))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state" / outbox.FILE


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    return tmp_path / "runtime" / outbox.FILE


@pytest.fixture
def road(tmp_path: Path, state: Path, runtime: Path, phone: Phone, monkeypatch: pytest.MonkeyPatch) -> Iterator[Build]:
    """Build a road to the phone, with a state and a runtime folder."""
    roads: List[Road] = []
    monkeypatch.setattr(sidecar, "RESTART_S", (0.0, 0.05))

    def build(*lines: str, places: Optional[Sequence[Path]] = None) -> Road:
        monkeypatch.setattr(launch, "_BOOT", boot(*ANY_NAME, *lines))
        roads.append(Road(tmp_path, [state, runtime] if places is None else places))
        roads[-1].teach("phone", phone.url)
        return roads[-1]

    yield build
    for each in roads:
        each.kill()


def warnings(here: Road) -> List[str]:
    return [answer["about"] for answer in here.said("warn")]


def knock_through(here: Road, phone: Phone, *names: str) -> None:
    """Tell them, and see each kept and arrive."""
    for name in names:
        here.tell_kept(name)
    for name in names:
        phone.wait_for(name=name)


# Places that can't be used from the start.


def loose(path: Path) -> None:
    make_whole(path)
    path.chmod(0o644)


def link(path: Path) -> None:
    make_whole(path.with_name("elsewhere.db"))
    path.symlink_to(path.with_name("elsewhere.db"))


def folder(path: Path) -> None:
    path.mkdir(parents=True)


def no_folder(path: Path) -> None:
    path.parent.write_text("a file where the folder should be")


def loose_beside(path: Path) -> None:
    """SQLite would put what it keeps into a log that stands there already, and that everybody can read."""
    make_whole(path)
    beside = path.with_name(path.name + "-wal")
    beside.write_bytes(b"")
    beside.chmod(0o666)


def foreign(path: Path) -> None:
    make_whole(path)
    os.chown(path, 12345, 12345)


def make_whole(path: Path) -> None:
    Outbox(str(path)).close()


ONLY_ROOT = pytest.param(
    foreign,
    marks=pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away"),
)


@pytest.mark.parametrize("spoil", [loose, link, folder, no_folder, loose_beside, ONLY_ROOT])
def test_a_place_that_can_not_be_trusted_is_left_for_the_runtime_folder(
    spoil: Callable[[Path], None], state: Path, runtime: Path, road: Build, phone: Phone
) -> None:
    spoil(state)

    here = road()
    knock_through(here, phone, "one", "two")
    here.end()

    assert warnings(here) == ["moved"]
    assert here.states(place=1) == {"done": 2}
    assert stat.S_IMODE(runtime.stat().st_mode) == 0o600


def test_with_no_folder_at_all_it_is_memory_and_one_warning(
    state: Path, runtime: Path, road: Build, phone: Phone
) -> None:
    loose(state)
    no_folder(runtime)

    here = road()
    knock_through(here, phone, "one", "two")

    assert warnings(here) == ["memory"]
    assert "chmod 600" in here.said("warn")[0]["seen"]  # how to mend the first place, not the second


# Broken files.


def garbage(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(20_000) if sys.version_info >= (3, 9) else os.urandom(20_000))


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size * 3 // 5)


def no_header(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(100))


def no_tables(path: Path) -> None:
    """The version says that the tables are there."""
    db = sqlite3.connect(str(path))
    for table in ("knocks", "deliveries", "open_runs", "aside", "pauses"):
        db.execute(f"DROP TABLE {table}")
    db.commit()
    db.close()


def fill(path: Path, count: int = 200) -> None:
    """A history of knocks that a gone kernel left, the last of which wait."""
    box = Outbox(str(path))
    for number in range(count):
        event = {"id": f"old {number}", "run": str(number), "event": "finished", "name": f"old {number}"}
        event.update(ended_at=float(number), duration_s=1.0, metrics={}, error=None, text="x" * 300)
        box.put(event, RULES, [("phone", "print")], NOBODY, float(number))
        if number < count - 5:
            box.done(event["id"], "phone", float(number), 0.0)
    box.close()


@pytest.mark.parametrize("spoil", [garbage, truncated, no_header, no_tables])
def test_a_broken_outbox_is_moved_aside_and_a_new_one_begun(
    spoil: Callable[[Path], None], state: Path, road: Build, phone: Phone
) -> None:
    fill(state)
    spoil(state)
    before = state.read_bytes()

    here = road()
    knock_through(here, phone, "one", "two")
    here.end()

    assert warnings(here) == ["broken"]
    assert state.with_name(outbox.FILE + ".broken-1").read_bytes()[:1000] == before[:1000]
    assert here.rows("SELECT count(*) FROM knocks WHERE name IN ('one', 'two')") == [(2,)]


def test_an_empty_file_is_a_new_outbox(state: Path, road: Build, phone: Phone) -> None:
    make_whole(state)
    os.truncate(state, 0)

    here = road()
    knock_through(here, phone, "one")

    assert warnings(here) == []


@pytest.mark.parametrize("seed", range(int(os.environ.get("KNOCK_TEST_FLIPS", "6"))))
def test_flipped_bytes_never_stop_it(seed: int, state: Path, road: Build, phone: Phone) -> None:
    """SQLite has no checksums: what is flipped may break the file, or only mean something else now."""
    chance = random.Random(seed)
    fill(state, 60)
    data = bytearray(state.read_bytes())
    for _ in range(chance.choice([1, 10, 100, 1000])):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    state.write_bytes(bytes(data))

    here = road(setting("courier", "TICK_S", 0.3))
    courier = here.courier
    knock_through(here, phone, "one", "two")

    assert here.courier == courier
    assert len(warnings(here)) <= 1


@pytest.mark.parametrize("column", ["body", "rules", "metrics", "name", "happened_at"])
def test_a_row_that_means_nothing_any_more_stops_none_of_the_others(
    column: str, state: Path, road: Build, phone: Phone
) -> None:
    here = road()
    here.teach("phone", "http://127.0.0.1:9/nobody")
    here.tell_kept("spoilt")
    here.hear("result", ok=False)
    here.change(f"UPDATE knocks SET {column} = '{{not json'")
    here.change("UPDATE deliveries SET next_at = 0, fingerprint = (SELECT 'x')") if column == "name" else None
    here.teach("phone", phone.url)
    courier = here.courier

    knock_through(here, phone, "one", "two")

    assert here.courier == courier


def test_an_open_run_or_an_owner_that_means_nothing_any_more_stops_nothing(
    state: Path, road: Build, phone: Phone
) -> None:
    fill(state, 3)
    here = road()
    here.tell_kept("first")
    here.kill()
    here.change("INSERT INTO open_runs VALUES ('a', 'nobody', 'a|b', 1.0, '{', '[')")
    here.change("INSERT INTO open_runs VALUES ('b', '|||', '||x|', 1.0, '[]', 'null')")
    here.change("UPDATE deliveries SET owner = '|' WHERE state = 'due'")

    here = road()
    knock_through(here, phone, "one")

    assert here.rows("SELECT count(*) FROM open_runs") == [(0,)]


def test_what_a_broken_file_still_tells_is_not_lost(state: Path, road: Build, phone: Phone) -> None:
    """An index is broken, but the knocks that wait can be read: they go into the new one, and arrive."""
    first = road()
    first.teach("later", "http://127.0.0.1:9/nobody", "the same")
    waiting = [f"waiting {number}" for number in range(5)]
    for name in waiting:
        first.tell_kept(name, ["later"])
    run = first.begin("a run that was open")
    first.tell_kept("told after it", ["nowhere"])
    first.kill()
    first.change("PRAGMA wal_checkpoint(TRUNCATE)")
    ((page,),) = first.rows("SELECT rootpage FROM sqlite_master WHERE name = 'knocks_by_time'")
    ((size,),) = first.rows("PRAGMA page_size")
    with state.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"x" * size)

    second = road()
    second.teach("later", phone.url, "the same")
    knock_through(second, phone, "one")

    assert warnings(second) == ["broken"]
    for name in waiting:
        phone.wait_for(name=name)
    assert second.rows("SELECT run FROM open_runs") == [(run,)]  # of this very process, which is not gone


def test_a_knock_that_can_not_be_written_down_stops_none_of_the_others(road: Build, phone: Phone) -> None:
    here = road()
    courier = here.courier

    here.tell_kept("strange", notebook="\ud800")
    knock_through(here, phone, "one")

    assert here.courier == courier
    assert warnings(here) == ["line"]


# Places that fail later.


class Faults:
    """System calls of couriers that fail, in one folder only."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self._plain, self._patch, self._log = launch.command, monkeypatch, tmp_path / "strace"

    def inject(self, files: Sequence[Path], *faults: str) -> None:
        names = [f"{file}{ending}" for file in files for ending in ("", "-wal", "-shm", "-journal")]
        places = [option for name in names for option in ("-P", name)]
        options = [option for fault in faults for option in ("-e", f"inject={fault}")]

        def command(module: str, *arguments: str) -> List[str]:
            words = self._plain(module, *arguments)
            if module != "courier":
                return words
            return ["strace", "-D", "-qq", "-o", str(self._log), *places, *options, "--", *words]

        self._patch.setattr(launch, "command", command)


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Faults:
    return Faults(monkeypatch, tmp_path)


FAULTS = {
    "disk full": ["pwrite64:error=ENOSPC"],
    "disk full after a while": ["pwrite64:error=ENOSPC:when=40+"],
    "write error": ["pwrite64:error=EIO:when=30+"],
    "sync error": ["fdatasync:error=EIO:when=4+", "fsync:error=EIO:when=4+"],
    "read error": ["pread64:error=EIO"],
    "no locks": ["fcntl:error=ENOLCK"],
    "locks that are never free": ["fcntl:error=EAGAIN"],
    "locks that fail after a while": ["fcntl:error=ENOLCK:when=60+"],
}


@needs_strace
@pytest.mark.parametrize("fault", FAULTS)
def test_where_the_state_folder_fails_it_goes_on_in_the_runtime_folder(
    fault: str, state: Path, road: Build, phone: Phone, faults: Faults
) -> None:
    faults.inject([state], *FAULTS[fault])

    here = road(setting("outbox", "BUSY_MS", 300))
    courier = here.courier
    names = [f"knock {number}" for number in range(12)]
    knock_through(here, phone, *names)

    assert warnings(here) == ["moved"], here.said("warn")
    assert here.courier == courier
    assert len(phone.knocks) <= len(names) + 1


@pytest.mark.once
@needs_strace
def test_where_both_fail_it_goes_on_in_memory(
    state: Path, runtime: Path, road: Build, phone: Phone, faults: Faults
) -> None:
    faults.inject([state, runtime], "fcntl:error=ENOLCK")

    here = road()
    knock_through(here, phone, "one", "two")

    assert warnings(here) == ["memory"]


def test_a_deleted_folder_is_made_anew_and_what_waits_is_kept(state: Path, road: Build, phone: Phone) -> None:
    """Someone clears their home while a training runs."""
    here = road(setting("retry", "LONGEST_S", 1.0))
    here.teach("later", "http://127.0.0.1:9/nobody", "the same")
    here.tell_kept("waiting", ["later"])

    shutil.rmtree(state.parent)
    here.teach("later", phone.url, "the same")
    knock_through(here, phone, "one")
    phone.wait_for(name="waiting")
    here.end()

    assert warnings(here) == []
    assert here.states() == {"done": 2}


def test_what_was_kept_in_the_runtime_folder_is_sent_by_the_next_kernel(
    state: Path, runtime: Path, road: Build, phone: Phone
) -> None:
    """And what ended there is not told again as open or waiting."""
    first = road(setting("retry", "LONGEST_S", 1.0))
    first.teach("later", "http://127.0.0.1:9/nobody", "the same")
    first.tell_kept("in the state folder", ["later"])
    first.kill()
    state.chmod(0o644)
    second = road(setting("retry", "LONGEST_S", 1.0))
    second.teach("later", "http://127.0.0.1:9/nobody", "the same")
    second.tell_kept("in the runtime folder", ["later"])
    second.kill()
    state.chmod(0o600)

    third = road()
    third.teach("later", phone.url, "the same")

    phone.wait_for(name="in the state folder")
    phone.wait_for(name="in the runtime folder")
    third.end()
    assert [knock["name"] for knock in phone.knocks].count("in the state folder") == 1
    assert third.states() == {"done": 2}
    assert third.states(place=1) == {}


# Mounted.


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    places: List[Path] = []

    def mount(options: str) -> Path:
        place = tmp_path / f"mounted {len(places)}"
        place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], check=True)
        places.append(place)
        return place

    yield mount
    for place in places:
        subprocess.run(["umount", "-l", str(place)], check=True)


@needs_mount
def test_on_a_full_disk_it_goes_on_elsewhere(
    mounted: Callable[..., Path], runtime: Path, road: Build, phone: Phone
) -> None:
    disk = mounted("size=128k,mode=700")

    here = road(places=[disk / "state" / outbox.FILE, runtime])
    knock_through(here, phone, "while there is room")
    try:
        (disk / "checkpoint.pt").write_bytes(bytes(1_000_000))
    except OSError:
        pass
    knock_through(here, phone, *[f"knock {number}" for number in range(30)])

    assert warnings(here) == ["moved"]
    assert len(phone.knocks) <= 32


@needs_mount
def test_a_run_that_ended_after_the_disk_was_full_is_not_told_as_lost(
    mounted: Callable[..., Path], runtime: Path, road: Build, phone: Phone
) -> None:
    disk = mounted("size=128k,mode=700")
    places = [disk / "state" / outbox.FILE, runtime]
    first = road(places=places)
    run = first.begin("training")
    knock_through(first, phone, "beside it")
    with (disk / "ballast").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    knock_through(first, phone, *[f"knock {number}" for number in range(30)])
    first.tell_kept("training", event="finished", run=run)
    phone.wait_for(name="training", event="finished")
    first.kill()
    (disk / "ballast").unlink()

    second = road(places=places)
    knock_through(second, phone, "second")

    assert [knock["event"] for knock in phone.knocks if knock["name"] == "training"] == ["finished"]


@needs_mount
def test_a_read_only_home_is_left_for_the_runtime_folder(
    mounted: Callable[..., Path], runtime: Path, road: Build, phone: Phone
) -> None:
    disk = mounted("size=4m,mode=700")
    state = disk / "state" / outbox.FILE
    make_whole(state)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)

    here = road(places=[state, runtime])
    knock_through(here, phone, "one", "two")

    assert warnings(here) == ["moved"]


# Several at once.


def test_many_couriers_can_begin_one_outbox_at_once(state: Path, road: Build, phone: Phone) -> None:
    """All ranks of a job start together."""
    roads = [road() for _ in range(8)]
    for number, each in enumerate(roads):
        each.tell(f"rank {number}")

    for number in range(8):
        phone.wait_for(name=f"rank {number}")
    assert [warnings(each) for each in roads] == [[]] * 8


@pytest.mark.once
@linux_only
def test_several_couriers_at_one_outbox_lose_nothing_when_they_are_killed(
    state: Path, road: Build, phone: Phone
) -> None:
    """Each kill costs one extra copy at most, of what was on its way; without one, nothing is ever sent twice."""
    chance = random.Random(os.environ.get("KNOCK_TEST_SEED", "7"))
    roads = [road() for _ in range(4)]
    over = threading.Event()
    told: List[str] = []

    def tell(number: int) -> None:
        count = 0
        while not over.wait(0.05):
            told.append(f"{number}.{count}")
            roads[number].tell(told[-1])
            count += 1

    tellers = [threading.Thread(target=tell, args=(number,)) for number in range(4)]
    for teller in tellers:
        teller.start()
    kills = 0
    while kills < KILLS:
        victim = chance.choice(roads).sidecar.courier_pid
        if victim:
            over.wait(chance.random() * 0.3)
            end(victim)
            kills += 1
        over.wait(0.05)
    over.set()
    for teller in tellers:
        teller.join()

    for name in told:
        phone.wait_for(name=name, timeout=60)
    for each in roads:
        each.end()
    copies = len(phone.knocks) - len(told)
    assert copies <= KILLS
    assert set(roads[0].states()) == {"done"}


def test_only_who_has_the_same_settings_takes_over(state: Path, road: Build, phone: Phone) -> None:
    first = road()
    first.teach("mine", "http://127.0.0.1:9/nobody", "mine")
    first.teach("yours", "http://127.0.0.1:9/nobody", "yours")
    first.tell_kept("of both", ["mine", "yours"])
    first.kill()

    second = road()
    second.teach("mine", phone.url, "mine")
    second.teach("yours", phone.url, "another")

    phone.wait_for(name="of both")
    second.end()
    assert len(phone.knocks) == 1
    rows = second.rows("SELECT channel, state FROM deliveries ORDER BY channel")
    assert rows in ([("mine", "done"), ("yours", "due")], [("mine", "done"), ("yours", "sending")])


def test_a_neighbour_takes_over_without_being_started_anew(state: Path, road: Build, phone: Phone) -> None:
    """Two kernels of one project; the other one's processes are gone, and this one has been there all the time."""
    neighbour = road(setting("courier", "TICK_S", 0.5))
    neighbour.teach("mine", phone.url, "mine")
    neighbour.tell_kept("there")
    first = road()
    first.teach("mine", "http://127.0.0.1:9/nobody", "mine")
    first.tell_kept("left", ["mine"])
    first.kill()

    phone.wait_for(name="left")


# The file over the years.


def test_a_later_version_of_the_file_is_used_as_it_is(state: Path, road: Build, phone: Phone) -> None:
    make_whole(state)
    db = sqlite3.connect(str(state))
    db.executescript(
        "ALTER TABLE knocks ADD COLUMN mood TEXT NOT NULL DEFAULT 'fine';"
        "ALTER TABLE deliveries ADD COLUMN thread TEXT;"
        "ALTER TABLE open_runs ADD COLUMN gpu INTEGER NOT NULL DEFAULT 0;"
        "CREATE TABLE pictures (knock TEXT PRIMARY KEY, data BLOB);"
        "CREATE INDEX by_mood ON knocks (mood);"
        "PRAGMA user_version = 7;"
    )
    db.close()

    here = road()
    knock_through(here, phone, "one", "two")
    here.end()

    assert warnings(here) == []
    assert here.rows("PRAGMA user_version") == [(7,)]
    assert here.rows("SELECT count(*) FROM knocks WHERE mood = 'fine'") == [(2,)]


def test_what_waits_in_a_later_version_can_be_taken_into_this_one(tmp_path: Path) -> None:
    later, here = Outbox(str(tmp_path / "later.db")), Outbox(str(tmp_path / "here.db"))
    later._db.execute("ALTER TABLE knocks ADD COLUMN mood TEXT NOT NULL DEFAULT 'fine'")
    event = {"id": "a", "run": "a", "event": "finished", "name": "train", "ended_at": 1.0, "duration_s": 1.0}
    later.put(event, {}, [("phone", "print")], "me", 1.0)

    later.give_away(lambda owner: owner == "me", here)

    assert [row["knock"] for row in here.due("me", 2.0, 10)] == ["a"]
    assert later.due("me", 2.0, 10) == []
    later.close()
    here.close()


def test_the_history_stays_and_the_bodies_go(state: Path, road: Build, phone: Phone) -> None:
    """Also of what was merged into another knock, was refused, or went to nobody. No byte of them is left."""
    phone.answer(400)
    here = road(setting("noise", "WINDOW_S", 0.5))
    failed = ErrorInfo("ValueError", "canary", "canary")
    now = time.time()
    started = {"started_at": now, "ended_at": now + 8, "duration_s": 8.0}
    here.hear("result", id=here.tell("refused", text="canary"))
    for _ in range(5):
        here.tell("again", event="failed", error=failed, **started)
    here.tell("to nobody", ["unknown"], text="canary")
    here.tell("metrics", event="finished", metrics={"acc": 0.9}, text="canary", **started)

    phone.wait(4)
    here.end()

    assert here.states() == {"failed": 1, "done": 3, "merged": 3}
    assert here.rows("SELECT count(*), count(body) FROM knocks") == [(8, 0)]
    facts = here.rows("SELECT name, event, duration_s, error_type, metrics FROM knocks WHERE name = 'metrics'")
    assert facts == [("metrics", "finished", 8.0, None, json.dumps({"acc": 0.9}))]
    assert here.rows("SELECT DISTINCT error_type FROM knocks WHERE name = 'again'") == [("ValueError",)]
    rest = b"".join(path.read_bytes() for path in state.parent.iterdir())
    assert b"canary" not in rest


MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/home /home nfs4 rw,relatime 0 0
/dev/sdb1 /home/local ext4 rw 0 0
//nas/work /mnt/my\\040work cifs rw 0 0
drive /content/drive fuse.drive rw 0 0
tmpfs /scratch tmpfs rw 0 0
scratch@o2ib:/fs /scratch lustre rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "journal"),
    [
        ("/home/ada/.local/state/knock_magic/outbox.db", "delete"),
        ("/home/local/ada/outbox.db", "wal"),
        ("/homestead/outbox.db", "wal"),
        ("/mnt/my work/outbox.db", "delete"),
        ("/content/drive/MyDrive/knock/outbox.db", "delete"),
        ("/scratch/ada/outbox.db", "delete"),  # mounted over another one
        ("/var/lib/outbox.db", "wal"),
    ],
)
def test_on_a_network_file_system_it_uses_the_older_journal(
    path: str, journal: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """WAL needs memory that is shared, which two machines do not have (sqlite.org/wal.html)."""
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS.replace(" /", f" {tmp_path}/").replace(f" {tmp_path}/ ", " / "))
    monkeypatch.setattr(outbox, "_MOUNTS", str(mounts))

    box = Outbox(f"{tmp_path}{path}")

    assert box._db.execute("PRAGMA journal_mode").fetchone()[0] == journal
    box.put({"id": "a", "run": "a", "event": "e", "name": "n", "ended_at": 1.0, "duration_s": 0.0}, {}, [], "me", 1.0)
    assert os.path.exists(f"{tmp_path}{path}-wal") == (journal == "wal")
    box.close()
