"""The history: every run that was armed or long, as the outbox remembers it. Read-only, and within two seconds."""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
import statistics
import time
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from knock_magic import death, outbox
from knock_magic.curves import WIDTH, best, chosen, lower, read, sparkline
from knock_magic.durations import say_duration
from knock_magic.errors import UsageError, did_you_mean, seen
from knock_magic.language import current, pick
from knock_magic.rules import ENDINGS, FILTERS
from knock_magic.tables import Card, Table
from knock_magic.template import metric_text, outcome
from knock_magic.wording import ICONS

SHOWN = 20
MOST = 1000
ANSWER_S = 2.0  # the longest that reading may take
ID_LETTERS = 8  # of a run's id: enough to tell the runs of one person apart


@dataclasses.dataclass(frozen=True)
class Query:
    """What was asked for."""

    name: str = ""
    outcomes: Tuple[str, ...] = ()
    run: str = ""
    limit: int = SHOWN
    as_json: bool = False


@dataclasses.dataclass(frozen=True)
class Delivery:
    """One knock on its way to one channel, as the outbox has it."""

    channel: str
    state: str
    attempts: int
    late_s: float
    ended_at: Optional[float]
    next_at: float
    reason: Optional[str]
    maybe_sent: bool
    owner: str


@dataclasses.dataclass(frozen=True)
class Entry:
    """One run; or, in the detail of a run, one thing that was said of it."""

    run: str
    name: str
    outcome: str
    ended_at: float
    duration_s: float
    notebook: Optional[str]
    error_type: Optional[str]
    metrics: Mapping[str, Any]
    is_muted: bool
    here: Tuple[str, ...]
    deliveries: Tuple[Delivery, ...]
    usual_s: Optional[float] = None
    usual_of: int = 0
    metric: str = ""  # the one that its owner compares
    curves: Mapping[str, Sequence[float]] = dataclasses.field(default_factory=dict)
    lower: Mapping[str, bool] = dataclasses.field(default_factory=dict)  # of a curve whose direction is known: if down

    @property
    def started_at(self) -> float:
        """Seconds since the epoch; what a machine slept through is not taken off."""
        return self.ended_at - self.duration_s

    @property
    def goes_on(self) -> bool:
        """Whether it has not ended yet."""
        return self.outcome not in ENDINGS

    def to_json(self) -> Dict[str, Any]:
        """All of it, as ``knock history --json`` prints it."""
        deliveries = []
        for delivery in self.deliveries:
            said = dataclasses.asdict(delivery)
            said.pop("owner")
            deliveries.append({**said, "ended_at": _iso(delivery.ended_at), "next_at": _iso(delivery.next_at)})
        return {
            "run": self.run,
            "name": self.name,
            "outcome": self.outcome,
            "started_at": _iso(self.started_at),
            "ended_at": None if self.goes_on else _iso(self.ended_at),
            "duration_s": round(self.duration_s, 3),
            "usual_s": self.usual_s,
            "usual_of": self.usual_of,
            "notebook": self.notebook,
            "error_type": self.error_type,
            "metrics": dict(self.metrics),
            "curves": dict(self.curves),
            "muted": self.is_muted,
            "shown_here": list(self.here),
            "deliveries": deliveries,
        }


# Asking.


def parse(words: Sequence[str]) -> Query:
    """What ``%knock history WORDS`` asks for: words of the name, a number before or behind them, and options.

    A name that ends with a number stands in quotes: ``"resnet 50"`` is one word.

    Raises:
        UsageError: it can't be understood.
    """
    name: List[str] = []
    found: Dict[str, Any] = {}
    left = list(words)
    while left:
        word = left.pop(0)
        option, equals, value = word.partition("=")
        if option == "--json":
            found["as_json"] = True
        elif option in ("--outcome", "--run"):
            if not equals:
                value = left.pop(0) if left else ""
            found[_FIELDS[option]] = _READERS[option](value)
        elif word.startswith("--"):
            raise _unknown(word)
        elif _is_number(word) and not name and "limit" not in found:
            found["limit"] = _limit(word)
        else:
            name.append(word)
    if len(name) > 1 and _is_number(name[-1]) and "limit" not in found:
        found["limit"] = _limit(name.pop())
    return Query(name=" ".join(name), **found)


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal()


def _limit(word: str) -> int:
    return min(max(1, int(word[:9])), MOST)


def _outcomes(text: str) -> Tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    wrong = next((name for name in names if name not in FILTERS), None if names else "")
    if wrong is not None:
        known = ", ".join(FILTERS)
        hint_en, hint_ko = did_you_mean(wrong, FILTERS)
        raise UsageError(
            f"--outcome takes {known}{seen(wrong)[0]}.{hint_en}",
            f"--outcome에는 {known} 중에서 적어 주세요.{seen(wrong)[1]}{hint_ko}",
        )
    return tuple("progress" if name == "running" else name for name in names)


def _run_id(text: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F-]{4,36}", text):
        raise UsageError(
            f"--run takes the id of a run, as the last column shows it{seen(text)[0]}.",
            f"--run에는 마지막 열에 있는 ID를 적어 주세요.{seen(text)[1]}",
        )
    return text.lower()


_FIELDS = {"--outcome": "outcomes", "--run": "run"}
_READERS = {"--outcome": _outcomes, "--run": _run_id}
OPTIONS = ("--outcome", "--run", "--json")


def _unknown(word: str) -> UsageError:
    option = word.partition("=")[0][:40]
    hint_en, hint_ko = did_you_mean(option, OPTIONS)
    known = ", ".join(OPTIONS)
    return UsageError(
        f"history has no option {option}.{hint_en} There are: {known}.",
        f"history에 {option} 옵션은 없어요.{hint_ko} 쓸 수 있는 옵션: {known}",
    )


# Reading.


class History:
    """What the outboxes at `paths` remember."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = paths

    def entries(self, query: Query) -> List[Entry]:
        """The runs that `query` asks for, the latest first; those that go on stand before them."""
        until = time.monotonic() + ANSWER_S
        outcomes = f",{','.join(query.outcomes)}," if query.outcomes else ""
        rows = self._ask("history", (query.name, query.name, outcomes, outcomes, query.run, query.limit), until)
        ended = [_entry(group) for group in _by_knock(rows)]
        going = [entry for entry in self._open(until) if _fits(entry, query)]
        known = {entry.run for entry in ended}
        found = [*(entry for entry in going if entry.run not in known), *ended]
        found.sort(key=lambda entry: (not entry.goes_on, -entry.ended_at))
        return self._with_usual(found[: query.limit], until)

    def said_of(self, run: str) -> List[Entry]:
        """Everything that was said of the run with this id, in its order."""
        return [_entry(group) for group in _by_knock(self._ask("run", (run,), time.monotonic() + ANSWER_S))]

    def _open(self, until: float) -> Iterable[Entry]:
        for row in self._ask("open", (), until):
            event = json.loads(row["line"])["event"]
            # What went down with its machine is told, and put down, by the next courier.
            is_lost = death.is_gone(row["kernel"])
            now = row["seen_at"] if is_lost else time.time()
            yield Entry(
                run=row["run"],
                name=event["name"],
                outcome="died" if is_lost else "progress",
                ended_at=now,
                duration_s=max(0.0, now - event["started_at"]),
                notebook=event.get("notebook"),
                error_type="unknown" if is_lost else None,
                metrics={},
                is_muted=False,
                here=(),
                deliveries=(),
            )

    def _with_usual(self, entries: List[Entry], until: float) -> List[Entry]:
        """With what runs of the same name took before: the median of those that finished."""
        names = dict.fromkeys(entry.name for entry in entries)
        times = {name: self._ask("usual", (name, outbox.USUAL_OF), until) for name in names}
        found = []
        for entry in entries:
            before = [row["duration_s"] for row in times[entry.name] if row["happened_at"] < entry.ended_at]
            usual = statistics.median(before) if before else None
            curves, lower = self._curves(entry.run, until)
            found.append(dataclasses.replace(entry, usual_s=usual, usual_of=len(before), curves=curves, lower=lower))
        return found

    def _curves(self, run: str, until: float) -> Tuple[Mapping[str, Sequence[float]], Mapping[str, bool]]:
        """How the run's metrics went, as far as it was told, and which way they were to go."""
        for row in self._ask("curves", (run,), until):
            try:
                points = json.loads(row["points"])
                return read(points), lower(points)
            except outbox.DAMAGED:
                pass
        return {}, {}

    def _ask(self, question: str, parameters: Sequence[Any], until: float) -> List[Dict[str, Any]]:
        left = max(0.05, until - time.monotonic())
        return [row for path in self._paths for row in outbox.peek(path, question, parameters, left / len(self._paths))]


def _by_knock(rows: Iterable[Dict[str, Any]]) -> List[List[Dict[str, Any]]]:
    """Rows of a knock and one of its deliveries each, put together by knock."""
    groups: Dict[str, List[Dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["id"], []).append(row)
    return list(groups.values())


def _entry(rows: Sequence[Dict[str, Any]]) -> Entry:
    first = rows[0]
    rules = json.loads(first["rules"])
    fields = [field.name for field in dataclasses.fields(Delivery)]
    deliveries = [Delivery(**{name: row[name] for name in fields}) for row in rows if row["channel"]]
    return Entry(
        run=first["run"],
        name=first["name"],
        outcome=first["event"],
        ended_at=first["happened_at"],
        duration_s=first["duration_s"],
        notebook=first["notebook"],
        error_type=first["error_type"],
        metrics=json.loads(first["metrics"]),
        is_muted=bool(rules.get("muted")),
        here=tuple(rules.get("here") or ()),
        metric=rules.get("metric") or "",
        deliveries=tuple(deliveries),
    )


def _fits(entry: Entry, query: Query) -> bool:
    return (
        query.name.lower() in entry.name.lower()
        and (not query.outcomes or entry.outcome in query.outcomes)
        and entry.run.startswith(query.run)
    )


# Showing.

# In a column, one word each.
_OUTCOMES = {
    "en": {
        "finished": "finished",
        "failed": "failed",
        "interrupted": "interrupted",
        "died": "died",
        "progress": "running",
    },
    "ko": {"finished": "완료", "failed": "실패", "interrupted": "중단", "died": "비정상 종료", "progress": "진행 중"},
}


def table(entries: Sequence[Entry]) -> Table:
    """The runs, a line each."""
    heads = {
        "en": ("when", "outcome", "name", "took", "usually", "", "delivered", "run"),
        "ko": ("시각", "결과", "이름", "걸린 시간", "보통", "", "전달", "ID"),
    }
    rows = tuple(
        (
            _when(entry.started_at),
            f"{ICONS[entry.outcome]} {_OUTCOMES[current()][entry.outcome]}",
            entry.name,
            say_duration(entry.duration_s),
            say_duration(entry.usual_s) if entry.usual_s is not None else "",
            _what(entry),
            "\n".join(delivered(entry)),
            entry.run[:ID_LETTERS],
        )
        for entry in entries
    )
    return Table(heads[current()], rows, flexible=(6, 5, 2))


def nothing(query: Query) -> str:
    """What is said where there is no entry."""
    if query.name or query.outcomes or query.run:
        return pick({"en": "No run in the history fits.", "ko": "조건에 맞는 기록이 없어요."})
    return pick(
        {
            "en": "Nothing in the history yet: runs that were long, or asked to knock, are kept here.",
            "ko": "아직 기록이 없어요. 오래 걸렸거나 알림을 요청한 실행이 여기에 남아요.",
        }
    )


def detail(entry: Entry, said: Sequence[Entry]) -> Card:
    """One run, with all that was `said` of it."""
    texts = {
        "en": ("run", "started", "ended", "took", "metrics", "curves", "error", "notebook", "said"),
        "ko": ("ID", "시작", "끝", "걸린 시간", "지표", "곡선", "오류", "노트북", "알림"),
    }
    run, started, ended, took, metrics, curves, error, notebook, knocks = texts[current()]
    pairs = [
        (ICONS[entry.outcome], f"{entry.name} {outcome(entry.outcome, current())}"),
        (run, entry.run),
        (started, _when(entry.started_at, exactly=True)),
        (ended, "" if entry.goes_on else _when(entry.ended_at, exactly=True)),
        (took, say_duration(entry.duration_s) + _against_usual(entry)),
        (metrics, _metrics(entry.metrics)),
        (curves, "\n".join(_curve(name, points, WIDTH, entry.lower) for name, points in entry.curves.items())),
        (error, entry.error_type or ""),
        (notebook, entry.notebook or ""),
        (knocks, "\n".join(_told(each) for each in said)),
    ]
    return Card(tuple((name, text) for name, text in pairs if text))


def delivered(entry: Entry) -> List[str]:
    """Where it was delivered and how late, what still waits, and what was given up and why: a line each."""
    muted = [pick({"en": "muted", "ko": "알림 끔"})] if entry.is_muted else []
    # Muted or not, a line under the cell was shown, and a watch outside heard of it.
    return [*muted, *entry.here, *map(_delivery, entry.deliveries)]


def _delivery(delivery: Delivery) -> str:
    name, reason = delivery.channel, delivery.reason or ""
    because = f" ({reason})" if reason else ""
    if delivery.state == "done":
        late = say_duration(delivery.late_s)
        return pick({"en": f"{name}, {late} late", "ko": f"{name}, {late} 늦음"}) if delivery.late_s else name
    if delivery.state == "unshown":
        return pick({"en": "not shown: its kernel was gone", "ko": "커널이 종료돼서 보여 주지 못했어요"})
    if delivery.state == "merged":
        return pick({"en": f"{name}, with a later one", "ko": f"{name}, 뒤의 알림과 함께"})
    if delivery.state in ("due", "sending"):
        if death.is_gone(delivery.owner):
            return pick(
                {
                    "en": f"{name} waits for a kernel with the same settings{because}",
                    "ko": f"{name}, 같은 설정의 커널을 기다리는 중{because}",
                }
            )
        return pick({"en": f"{name} waits{because}", "ko": f"{name}, 대기 중{because}"})
    return pick({"en": f"{name} gave up{because}", "ko": f"{name}, 포기함{because}"})


def _told(entry: Entry) -> str:
    where = "; ".join(delivered(entry)) or pick({"en": "no knock was due", "ko": "알림 대상이 아님"})
    return f"{_when(entry.ended_at, exactly=True)}  {outcome(entry.outcome, current())}: {where}"


def _against_usual(entry: Entry) -> str:
    if entry.usual_s is None:
        return ""
    usual, count = say_duration(entry.usual_s), entry.usual_of
    runs = "run" if count == 1 else "runs"
    return pick({"en": f" (usually {usual}, {count} {runs})", "ko": f" (보통 {usual}, {count}번 기준)"})


def _what(entry: Entry) -> str:
    name = chosen(entry.curves, entry.metric)
    curve = _curve(name, entry.curves[name], WIDTH // 2, entry.lower) if name else ""
    return " · ".join(text for text in (entry.error_type or "", _metrics(entry.metrics), curve) if text)


def _curve(name: str, points: Sequence[float], width: int, lower: Mapping[str, bool]) -> str:
    """How a metric went, and its best value."""
    shown = f"{best(points, name, lower):.4g}"
    return pick(
        {
            "en": f"{name} {sparkline(points, width)} best {shown}",
            "ko": f"{name} {sparkline(points, width)} 가장 좋은 값 {shown}",
        }
    )


def _metrics(metrics: Mapping[str, Any]) -> str:
    return " · ".join(metric_text(name, value) for name, value in metrics.items())


def _when(seconds: float, *, exactly: bool = False) -> str:
    """The local time; without its year where that is this one."""
    moment = time.localtime(seconds)
    if exactly:
        return time.strftime("%Y-%m-%d %H:%M:%S", moment)
    return time.strftime("%m-%d %H:%M" if moment.tm_year == time.localtime().tm_year else "%Y-%m-%d", moment)


def _iso(seconds: Optional[float]) -> Optional[str]:
    return None if seconds is None else datetime.datetime.fromtimestamp(seconds).astimezone().isoformat()
