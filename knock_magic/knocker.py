"""The door: general settings, channels in use, and the way of an event to the notebook and the courier."""

from __future__ import annotations

import collections
import hashlib
import hmac
import json
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Callable, Deque, Dict, Mapping, Optional, Sequence, Set, Tuple

from knock_magic import death, folders, language, mute, outbox, private_file, retry, rules, runs
from knock_magic.channels.base import Channel
from knock_magic.cleaning import one_line
from knock_magic.configuration import Configuration
from knock_magic.errors import KnockError, SettingsError, UsageError
from knock_magic.event import Event, Picture
from knock_magic.options import Options, metric_of
from knock_magic.output import output
from knock_magic.redaction import Redactor
from knock_magic.settings import Sources
from knock_magic.sidecar import Sidecar
from knock_magic.template import STANDARD, WITH_SOURCE, Message, render
from knock_magic.vault import Vault

if TYPE_CHECKING:
    from knock_magic.plots import Plots
    from knock_magic.watcher import CellWatcher

FALLBACK = "notebook"
KEY_FILE = "fingerprint.key"
KEY_BYTES = 32
KEY_SECONDS = 1.0  # another process needs milliseconds to make the key
MOMENT_S = 1.0
LOOK_BACK_S = 0.2  # the longest that loading waits for an outbox
MOST_MISSED = 5
NAME_LIMIT = 200  # characters, of a text in the history

Show = Callable[[Message], None]
Say = Callable[[str], None]


def say_on_stderr(text: str) -> None:
    """One line to the user, beside the output of what they ran."""
    print(f"knock: {text}", file=sys.stderr)


def show_on_terminal(message: Message) -> None:
    """What the embedded default does where there is no shell: a line on stderr."""
    say_on_stderr(message.text)


class Knocker:
    """All that knocks in one process goes through one of these.

    Args:
        sources: where the settings are read from.
        show: how the embedded default shows a message here.
        say: how a line of help or trouble reaches the user.
        notebook: gives the path of the notebook, where there is one.
        shows_pictures: whether the embedded default can show them here.
    """

    def __init__(
        self,
        sources: Sources,
        *,
        show: Show = show_on_terminal,
        say: Say = say_on_stderr,
        notebook: Callable[[], Optional[str]] = lambda: None,
        shows_pictures: bool = False,
    ) -> None:
        self._shows_pictures = shows_pictures
        self._show = show
        # What the person is told goes through it too: a notebook's outputs are saved, and shared.
        self.redactor = Redactor(sources.environ)
        self._say: Say = lambda text: say(self.redactor.text(text))
        self.notebook = notebook
        self.configuration = Configuration(sources, self._say)
        self.redactor = Redactor(sources.environ, self.configuration.secrets)
        self.settings = self.configuration.general
        self._sources = self.configuration.sources
        self._refused: Set[str] = set()
        self._aside: Set[str] = set()  # channels whose address refused for good
        self._warned: Set[str] = set()
        self._taught: Dict[str, str] = {}
        self._results: Dict[Tuple[str, str], Mapping[str, Any]] = {}
        self._heard = threading.Condition()
        self.last_results: Dict[str, Mapping[str, Any]] = {}
        self.trouble: Deque[str] = collections.deque(maxlen=20)
        self._missed: Deque[Mapping[str, Any]] = collections.deque()  # what a kernel before this one could not show
        self.outbox_path = outbox.path_in(folders.state_folder(sources.environ))
        # Where the outbox is kept, and where instead if that can't be written.
        self.outbox_paths = [self.outbox_path, outbox.path_in(folders.runtime_folder(sources.environ))]
        self.mute_path = mute.path_in(os.path.dirname(self.outbox_path))
        self.sidecar = Sidecar(self._hello, self._hear)
        self.is_left_behind = False  # whether knocks of the dead wait for a courier
        self._earlier: Dict[str, Mapping[str, Any]] = {}  # of open runs that are shown here, what came before them
        self.plots: Optional[Plots] = None  # what is shown here, if anybody looks
        output.keeps = self.settings.tail
        self.cells: Optional[CellWatcher] = None  # who watches the cells here, if any

    @property
    def prefix(self) -> str:
        """What commands begin with here: a cell takes ``%knock test``, a shell ``knock test``."""
        return "%knock" if self.cells else "knock"

    # Channels.

    def in_use(self) -> Tuple[str, ...]:
        """The channels that knocks go to where nothing else is said."""
        chosen = self.settings.to or [name for name in self.configuration.mentioned() if self._is_ready(name)]
        return self.usable(chosen)

    def usable(self, names: Sequence[str]) -> Tuple[str, ...]:
        """Those of `names` that can be used; why one can't is said once. The embedded default where none is left."""
        good = []
        for name in names:
            try:
                self.ready(name)
                if name not in self._aside:
                    good.append(name)
            except KnockError as problem:
                if name not in self._refused and not self.configuration.has_said(str(problem)):
                    self._say(str(problem))
                self._refused.add(name)
        return tuple(dict.fromkeys(good)) or (FALLBACK,)

    def channel(self, name: str) -> Channel:
        """The channel `name` with its settings; raises `UsageError` where there is none of that name."""
        return self.configuration.channel(name)

    def takes_pictures(self, name: str) -> bool:
        """Whether a picture that is sent through the channel `name` can be seen there."""
        channel = self.channel(name)
        return channel.takes_pictures or (channel.in_kernel and self._shows_pictures)

    def ready(self, name: str) -> Channel:
        """The channel `name`, fit to send; raises `KnockError` with what is missing."""
        channel = self.channel(name)
        missing = channel.missing()
        for variable in missing:
            if variable in channel.refused:  # it is set, and that something is wrong with it has been said
                raise channel.refused[variable]
        if missing:
            raise SettingsError(
                f"{name} can't be used yet: set {', '.join(missing)}.",
                f"{name} 채널은 아직 쓸 수 없어요. {', '.join(missing)} 값을 설정해 주세요.",
            )
        return channel

    def use(self, names: Sequence[str]) -> None:
        """Knock on `names` from here on; raises `KnockError`, and changes nothing, if one can't be used."""
        self._read_again(names)
        for name in names:
            self.ready(name)
        self.settings.to = list(dict.fromkeys(names))
        self.announce()

    def reread(self, name: str) -> None:
        """Go by what is set for the channel `name` now: something of it has just been saved."""
        self._read_again([name])
        self.announce()

    def _read_again(self, names: Sequence[str]) -> None:
        self._refused.difference_update(names)
        self._aside.difference_update(names)  # a new address is another one; the courier tells if it is still the old
        self.configuration.refresh(names)

    def auto(self, seconds: Optional[float]) -> None:
        """Knock for every cell that ran at least `seconds`; None: only when asked."""
        self.settings.auto = seconds
        self.announce()

    def _is_ready(self, name: str) -> bool:
        return not self.channel(name).missing()

    def use_template(self, name: str) -> None:
        """Write messages by the template `name` from here on; raises `UsageError` where there is none."""
        self.configuration.template(name)
        self.settings.template = name
        self.announce()

    @property
    def aside(self) -> Set[str]:
        """The channels that nothing is sent to, since their address refused for good."""
        return set(self._aside)

    # Rules.

    def rules(self, options: Options, *, min_s: float) -> Dict[str, Any]:
        """Who is told of a run with `options`, when, and how; `min_s` where they do not say."""
        every = options.every or self.settings.every
        metric, lower = metric_of(options.metric)
        outcomes = [*(options.on or self.settings.on or rules.DEFAULT_ON), *(["progress"] if every else [])]
        rank = runs.rank(self._sources.environ)
        template = self.configuration.usable_template(options.template or self.settings.template)
        to = self.usable(options.to) if options.to else self.in_use()
        wants = {name: list(self.channel(name).wants) for name in to if self.channel(name).wants}
        return {
            "to": to,
            # Of a distributed job the first rank speaks; of the others only what went wrong is news.
            "on": [each for each in outcomes if not rank or each in ("failed", "died")],
            "wants": {} if rank else wants,
            "min_s": min_s if options.min is None else options.min,
            "every_s": every,
            "stall_s": options.stall or self.settings.stall,
            "metric": metric,
            "lower": lower,
            "baseline": options.baseline,
            "rank": rank,
            "job": runs.job(self._sources.environ) if rank is not None else None,
            "template": template,
            "with_source": template == WITH_SOURCE,
            "lang": language.current(),
        }

    def announce(self) -> None:
        """Tell the courier what it must know of the plain cells: who is told, and from when."""
        seconds = self.settings.auto
        if seconds is not None:
            # No beginning of a plain cell is told, so there is no end that anybody has to hear of.
            about = {**self.rules(Options(), min_s=seconds), "wants": {}}
            self.sidecar.know("auto", {"op": "auto", "rules": self._outside(about)})

    def _outside(self, about: Mapping[str, Any]) -> Dict[str, Any]:
        """The rules as the courier gets them: only channels that it can reach, whose settings it then knows."""
        outside = [name for name in about["to"] if not self.channel(name).in_kernel]
        for name in outside:
            self._teach(name)
        return {**about, "to": outside, "here": [name for name in about["to"] if name not in outside]}

    def _teach(self, name: str) -> None:
        """Have each courier know the settings of the channel, unless they are as they were."""
        values = self.channel(name).values()
        written = json.dumps([name, values], sort_keys=True)
        if self._taught.get(name) == written:
            return
        self._taught[name] = written
        fingerprint = hmac.new(self._key(), written.encode("ascii"), hashlib.sha256).hexdigest()
        line = {"op": "settings", "channel": name, "fingerprint": fingerprint, "values": values}
        self.sidecar.know(f"settings {name}", line)

    def _key(self) -> bytes:
        if not hasattr(self, "_read_key"):
            try:
                self._read_key = fingerprint_key(os.path.dirname(self.outbox_path))
            except (OSError, SettingsError) as problem:
                # Good for as long as this process lives; where there is no folder to write in, the outbox says so.
                self._read_key = os.urandom(KEY_BYTES)
                if isinstance(problem, SettingsError):
                    self.trouble.append(str(problem))
        return self._read_key

    # The way of an event.

    def begin(self, event: Event, about: Mapping[str, Any], started_mono: float) -> None:
        """A run has begun."""
        event = self.redactor.event(event)
        line = {"op": "open", "event": event.to_json(), "rules": self._outside(about), "mono": started_mono}
        self.sidecar.open(event.run, line)
        if "started" in about["on"] or rules.wanted({"event": "started"}, about):
            self.tell(event, about)

    def tell(self, event: Event, about: Mapping[str, Any]) -> None:
        """Pass `event` on to everybody its rules name."""
        event = self.redactor.event(self._whole(event, about))
        data = event.to_json()
        is_due = rules.is_due(data, about)
        outside = self._outside(about)
        line = {"op": "tell", "event": data, "rules": outside if is_due else {**outside, "here": []}}
        if event.event == "progress" and not event.note:
            self.sidecar.progress(line)
        else:
            self.sidecar.tell(event.id, line, ends=event.run if event.event in rules.ENDINGS else "")
        if is_due and any(self.channel(name).in_kernel for name in about["to"]):
            self._show(render(event, about["template"], lang=about["lang"]))

    def _whole(self, event: Event, about: Mapping[str, Any]) -> Event:
        """`event` with what came out of its run; what only the history knows, the courier adds."""
        facts: Dict[str, Any] = {}
        if event.event == "progress" and event.progress is None and event.run in self._earlier:
            facts = {key: self._earlier[event.run][key] for key in ("usual_s", "usual_of")}
        elif event.event in rules.ENDINGS:
            earlier, since = self._earlier.pop(event.run, None), time.monotonic() - event.duration_s
            if about.get("metric"):
                from knock_magic import verdict  # not at load: few ask for it

                facts["verdict"] = verdict.against(event.metrics, about, earlier, event.lower)
            if self.plots and any(self.channel(name).takes_pictures for name in about["to"]):
                facts["picture"] = self.plots.since(since)
            if self.settings.tail:
                facts["tail"] = output.tail(since)
        return event.but(**facts) if facts else event

    def send(
        self,
        text: str,
        to: Optional[Sequence[str]] = None,
        kind: str = "message",
        picture: Optional[Picture] = None,
        name: str = "knock",
    ) -> Event:
        """Knock with `text`, which belongs to no run."""
        now = time.time()
        event = Event(
            event=kind,
            name=one_line(text, NAME_LIMIT) if kind == "message" else name,
            text=text,
            picture=picture,
            started_at=now,
            ended_at=now,
            host=runs.host(),
            user=runs.user(),
            notebook=self.notebook(),
        )
        about = self.rules(Options(to=tuple(to) if to else None), min_s=0.0)
        if kind == "test" and to:
            about = {**about, "to": tuple(to)}  # also one that was put aside: a test is how it comes back
        self.tell(event, about)
        return event

    def look_ahead(self) -> None:
        """Tell once of what ends soon, such as a channel's login: here with the next cell, and through the others."""
        now = time.time()
        for name in self.in_use():
            ending = self.channel(name).ending(now)
            if ending and self._is_news(name, ending.at):
                text = language.pick(ending.texts)
                self.trouble.append(f"{name}: {text}")
                others = [other for other in self.in_use() if other != name and not self.channel(other).in_kernel]
                if others:
                    self.send(text, others, kind="warning", name=name)

    def _is_news(self, name: str, at: float) -> bool:
        def note(kept: Dict[str, Any]) -> bool:
            known, kept[name] = kept.get(name), at
            return bool(known != at)

        try:
            return Vault("endings", self._sources.environ).change(note, MOMENT_S)
        except SettingsError:
            return False  # then somebody else is telling

    def results(self, event: Event, names: Sequence[str], seconds: float) -> Dict[str, Optional[Mapping[str, Any]]]:
        """What became of `event` on each of `names`, after `seconds` at most; None: not known yet.

        A channel of the kernel's own is always done, for it was shown before this was called.
        """
        outside = [name for name in names if not self.channel(name).in_kernel]
        keys = [(event.id, name) for name in outside]
        with self._heard:
            self._heard.wait_for(lambda: all(key in self._results for key in keys), seconds)
        here = {name: {"ok": True} for name in names if name not in outside}
        return {**here, **{name: self._results.get((event.id, name)) for name in outside}}

    def mute(self, seconds: float) -> None:
        """No knock for this user, wherever it comes from, for so many seconds; 0 ends that.

        What is kept back stays in the history; a line under the cell disturbs nobody, and is still shown.

        Raises:
            SettingsError: it can't be written down.
            UsageError: that is too long.
        """
        if seconds >= mute.LONGEST_S:
            raise UsageError("knocks can be muted for a year at most.", "알림은 1년까지만 끌 수 있어요.")
        until = time.time() + seconds if seconds else 0.0
        folder = os.path.dirname(self.mute_path)
        try:
            folders.make_private(folder)
            private_file.write(self.mute_path, f"{until:.3f}".encode("ascii"))
        except OSError as error:
            what, what_ko = ("muted", "끌") if until else ("unmuted", "다시 켤")
            raise SettingsError(
                f"{folder} can't be written ({error.strerror}), so knocks can't be {what}.",
                f"{folder}에 쓸 수 없어서({error.strerror}) 알림을 {what_ko} 수 없어요.",
            ) from None

    def close(self) -> None:
        """End: what is due is still delivered, by the courier."""
        self.sidecar.close()

    # The courier's end.

    def _hello(self, to_a_process: bool) -> Dict[str, Any]:
        event = Event(
            event="started", name="", started_at=0.0, host=runs.host(), user=runs.user(), notebook=self.notebook()
        )
        # The empty entry and the current folder are the user's own; nothing of ours is looked for there.
        own = ("", current_folder())
        sys_path = [folder for folder in sys.path if isinstance(folder, str) and folder not in own]
        return {
            "op": "hello",
            # A courier in this process dies with it; what it kept in a file would only seem to be in good hands.
            "outboxes": self.outbox_paths if to_a_process else [],
            "mute": self.mute_path,
            "secrets": self.configuration.secrets(),  # a cell that dies is named by who outlives it
            "sys_path": sys_path,
            "own_channels": self.configuration.own_channels,
            "lang": language.current(),
            "event": event.to_json(),
        }

    def _hear(self, answer: Mapping[str, Any]) -> None:
        """In the daemon thread: note what the courier says."""
        if answer["op"] in ("warn", "aside", "expired"):
            self._note_trouble(answer)
        if answer["op"] == "missed":
            self._missed.append(answer)
        if answer["op"] == "earlier":
            self._earlier[answer["run"]] = answer
        if answer["op"] == "back":
            self._aside.discard(answer["channel"])
        if answer["op"] != "result":
            return
        with self._heard:
            self._results[answer["id"], answer["channel"]] = {**answer, "heard_mono": time.monotonic()}
            self.last_results[answer["channel"]] = answer
            self._heard.notify_all()
        if answer["ok"]:
            self._aside.discard(answer["channel"])
        elif answer["permanent"] and answer["event"] != "test" and not answer.get("revoked"):
            self.trouble.append(answer["reason"])

    def _note_trouble(self, answer: Mapping[str, Any]) -> None:
        """What the user has to know, to be said once with the next cell."""
        if answer["op"] == "aside":
            if answer["channel"] in self._aside:
                return
            self._aside.add(answer["channel"])
        text = _warning(answer)
        if text not in self._warned or answer["op"] == "aside":
            self._warned.add(text)
            self.trouble.append(text)

    def warn(self, text: str) -> None:
        """One line of help or trouble to the user."""
        self._say(text)

    def look_back(self) -> None:
        """Find what the dead have left: knocks nobody sends any more, and deaths to be shown here, the latest few."""
        for path in self.outbox_paths:
            owners = outbox.peek(path, "owners", (), LOOK_BACK_S)
            self.is_left_behind |= any(death.is_gone(row["owner"]) for row in owners)
            rows = outbox.peek(path, "unshown", (MOST_MISSED,), LOOK_BACK_S)
            for row in reversed(rows):
                about = {key: json.loads(row[name]) for key, name in (("event", "body"), ("rules", "rules"))}
                self._missed.append({"channel": row["channel"], **about})

    def take_up(self) -> None:
        """Have the courier send what was left behind, also where no cell needs one."""
        self.is_left_behind = False
        for name in self.in_use():
            if not self.channel(name).in_kernel:
                self._teach(name)
        self.sidecar.ensure()

    @property
    def has_news(self) -> bool:
        """Whether there is something for `tell_trouble` to say."""
        return bool(self.trouble or self._missed)

    def tell_trouble(self) -> None:
        """Say what went wrong meanwhile, once."""
        while self._missed:
            missed = self._missed.popleft()
            event = Event.from_json(missed["event"])
            ended_at = event.ended_at or event.started_at
            late_s = retry.late(ended_at, ended_at, time.time(), attempts=1)
            self._show(render(event, missed["rules"].get("template") or STANDARD, late_s=late_s))
            self.sidecar.tell(event.id, {"op": "shown", "id": event.id, "channel": missed["channel"], "late_s": late_s})
        while self.trouble:
            self._say(self.trouble.popleft())


def _warning(answer: Mapping[str, Any]) -> str:
    if answer["op"] == "aside":
        name, reason = answer["channel"], answer["reason"]
        return language.pick(
            {
                "en": f"{reason} Nothing more is sent to {name} until `%knock test {name}` works again.",
                "ko": f"{reason} `%knock test {name}` 시험이 성공할 때까지 {name} 채널로는 보내지 않아요.",
            }
        )
    if answer["op"] == "expired":
        name, run, more = answer["channel"], answer["name"], answer["more"]
        all_en = f"{run} and {more} more" if more else run
        all_ko = f"{run} 외 {more}건의" if more else run
        return language.pick(
            {
                "en": f"{all_en} could not be delivered to {name} for a day; no more tries.",
                "ko": f"{all_ko} 알림을 하루 동안 {name} 채널로 보내지 못해서 그만뒀어요.",
            }
        )
    seen = answer["seen"]
    texts = {
        "broken": {
            "en": f"the outbox was broken ({seen}); it was moved aside, and a new one begun.",
            "ko": f"알림 보관함이 손상돼 있었어요({seen}). 옆으로 옮겨 두고 새로 만들었어요.",
        },
        "moved": {
            "en": f"the outbox can't be kept in its folder ({seen}); it is kept in the runtime folder until the machine stops.",
            "ko": f"알림 보관함을 원래 폴더에 둘 수 없어요({seen}). 컴퓨터가 꺼질 때까지 임시 폴더에 보관해요.",
        },
        "memory": {
            "en": f"the outbox can't be written ({seen}); knocks are kept in memory, and lost if the machine stops.",
            "ko": f"알림 보관함에 쓸 수 없어요({seen}). 메모리에만 두니 컴퓨터가 꺼지면 사라져요.",
        },
        "line": {
            "en": f"a knock could not be kept ({seen}); that is a fault of knock_magic, please report it.",
            "ko": f"알림 하나를 보관하지 못했어요({seen}). knock_magic의 결함이니 제보해 주세요.",
        },
        "courier": {
            "en": f"no process can be started here ({seen}); knocks are sent from the kernel itself, and end with it.",
            "ko": f"프로세스를 시작할 수 없어요({seen}). 커널 안에서 알림을 보내니, 커널이 죽으면 알릴 수 없어요.",
        },
        "nothing": {
            "en": f"neither a process nor a thread can be started here ({seen}); knocks wait until one can.",
            "ko": f"프로세스도 스레드도 시작할 수 없어요({seen}). 시작할 수 있을 때까지 알림이 기다려요.",
        },
    }
    return language.pick(texts[answer["about"]])


def fingerprint_key(state_folder: str) -> bytes:
    """The random key of this user's fingerprints, made if there is none.

    Raises:
        OSError: it can't be kept there.
        SettingsError: nor can it be used, since it is a link, another's, or open to others.
    """
    path = os.path.join(state_folder, KEY_FILE)
    key = _read_key(path)
    if len(key) != KEY_BYTES:
        with private_file.locked(path, KEY_SECONDS):
            key = _read_key(path)
            if len(key) != KEY_BYTES:
                key = os.urandom(KEY_BYTES)
                private_file.write(path, key)
    return key


def _read_key(path: str) -> bytes:
    try:
        return private_file.read(path)
    except FileNotFoundError:
        return b""


def current_folder() -> Optional[str]:
    """The current folder; None where it was removed under us."""
    try:
        return os.getcwd()
    except OSError:
        return None


_knocker: Optional[Knocker] = None


def current() -> Knocker:
    """This process's knocker; one that reads the environment is made where no extension was loaded."""
    global _knocker
    if _knocker is None:
        _knocker = Knocker(Sources(os.environ))
    return _knocker


def present() -> Optional[Knocker]:
    """This process's knocker, if there is one yet."""
    return _knocker


def become_current(knocker: Optional[Knocker]) -> None:
    """Make `knocker` the one that `current` gives."""
    global _knocker
    _knocker = knocker
