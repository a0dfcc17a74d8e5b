"""How things stand: channels and their health, the rules, what waits, the courier. A card, or three lines."""

from __future__ import annotations

import dataclasses
import time
from typing import Any, Dict, List, Mapping, Optional

from knock_magic import channels, death, folders, mute, outbox
from knock_magic.channels.base import Channel
from knock_magic.durations import say_duration
from knock_magic.errors import KnockError
from knock_magic.head import MARK
from knock_magic.knocker import Knocker
from knock_magic.language import current, pick
from knock_magic.settings import label_of
from knock_magic.tables import Card
from knock_magic.template import called, outcome

MOST_SHOWN = 5  # of what waits
ANSWER_S = 0.6  # for each of three questions, so that all take less than two seconds


def card(knocker: Knocker) -> Card:
    """How things stand with `knocker` and its user's outbox."""
    now = time.time()
    heads = {"en": ("channels", "auto", "courier"), "ko": ("채널", "자동", "전달")}
    in_use, auto, courier = heads[current()]
    rules = "" if knocker.settings.disable else _rules_line(knocker)  # no cell is watched then
    pairs = (
        (in_use, "\n".join(_channels(knocker, now))),
        (auto, "\n".join(line for line in (rules, muted_line(knocker)) if line)),
        (courier, "\n".join(_courier(knocker, now))),
    )
    return Card(tuple((head, text) for head, text in pairs if text))


def _channels(knocker: Knocker, now: float) -> List[str]:
    """The channels in use in a line, and a line for each that has trouble."""
    names = knocker.in_use()
    if knocker.settings.disable:
        return [
            pick(
                {
                    "en": "switched off by KNOCK_DISABLE: no cell is watched",
                    "ko": "KNOCK_DISABLE로 꺼져 있어서 셀을 지켜보지 않아요",
                }
            )
        ]
    reasons = {row["channel"]: row["reason"] for row in _ask(knocker, "aside")}
    last = {row["channel"]: row for row in _ask(knocker, "last")}
    trouble = []
    for name in sorted(knocker.aside):
        # The outbox may be too busy to answer; who was here when it was refused knows it as well.
        reason = reasons.get(name) or knocker.last_results.get(name, {}).get("reason") or ""
        trouble.append(_aside_line(name, knocker.channel(name).bare(reason)))
    for name in names:
        here = knocker.last_results.get(name)
        if here and not here["ok"]:
            trouble.append(f"{name}: {knocker.channel(name).bare(here['reason'])}")
        elif not here and name in last and last[name]["state"] != "done":
            trouble.append(f"{name}: {knocker.channel(name).bare(last[name]['reason'])}")
        ending = knocker.channel(name).ending(now)
        if ending:
            trouble.append(f"{name}: {pick(ending.texts)}")
    return [", ".join(_with_health(name, last.get(name), now) for name in names), *trouble]


def _aside_line(name: str, reason: str) -> str:
    return pick(
        {
            "en": f"{name}: put aside. {reason} Then: %knock test {name}",
            "ko": f"{name}: 보내지 않는 중. {reason} 그다음: %knock test {name}",
        }
    )


def _with_health(name: str, last: Any, now: float) -> str:
    if not last or last["state"] != "done":
        return name
    ago = say_duration(now - last["ended_at"])
    return pick({"en": f"{name} (delivered {ago} ago)", "ko": f"{name} ({ago} 전에 전달)"})


def auto_line(knocker: Knocker) -> str:
    """The threshold, in a line."""
    seconds = knocker.settings.auto
    if seconds is None:
        return pick({"en": f"off: only {MARK} cells knock", "ko": f"꺼짐, {MARK} 셀만 알려요"})
    if not seconds:
        return pick({"en": "every cell", "ko": "모든 셀을 알려요"})
    span = say_duration(seconds)
    return pick({"en": f"every cell that runs at least {span}", "ko": f"{span} 이상 걸린 셀은 모두 알려요"})


def _rules_line(knocker: Knocker) -> str:
    """From when, for what and how cells knock; of the outcomes and spans only what was chosen."""
    chosen = knocker.settings
    template = called(knocker.configuration.usable_template(chosen.template))
    parts = [auto_line(knocker), pick({"en": f"template {template}", "ko": f"템플릿 {template}"})]
    if chosen.on:
        names = ", ".join(chosen.on)
        parts.append(pick({"en": f"only {names}", "ko": f"{names}일 때만"}))
    if chosen.every:
        span = say_duration(chosen.every)
        parts.append(pick({"en": f"progress every {span}", "ko": f"진행 상황 {span}마다"}))
    if chosen.stall:
        span = say_duration(chosen.stall)
        parts.append(pick({"en": f"stalled after {span}", "ko": f"{span} 멈추면 알림"}))
    return {"en": "; ", "ko": ", "}[current()].join(parts)


def muted_line(knocker: Knocker) -> str:
    """Until when nothing knocks; empty where that is not so."""
    until = mute.until(knocker.mute_path)
    left = until - time.time()
    if left <= 0:
        return ""
    clock = time.strftime("%H:%M" if left < 86400 else "%Y-%m-%d %H:%M", time.localtime(until))
    span = say_duration(left)
    texts = {
        "en": f"muted until {clock} ({span} left): only a test is sent, all else is kept in the history",
        "ko": f"{clock}까지 알림 끔 ({span} 남음). 시험 알림만 보내고 나머지는 기록에만 남아요",
    }
    if any(knocker.channel(name).in_kernel for name in knocker.in_use()):
        texts = {"en": f"{texts['en']}; lines under a cell go on", "ko": f"{texts['ko']}. 셀 아래에는 계속 보여요"}
    return pick(texts)


def not_muted() -> str:
    """The opposite."""
    return pick({"en": "not muted: knocks are sent", "ko": "알림이 켜져 있어요"})


def _courier(knocker: Knocker, now: float) -> List[str]:
    """The courier and how much waits in a line, and a line for each of the first that do."""
    waiting = _ask(knocker, "waiting")
    pid, count = knocker.sidecar.courier_pid, len(waiting)
    if knocker.sidecar.is_process:
        runs = f"running (pid {pid})" if pid else "starts with the next cell"
        runs_ko = f"동작 중 (pid {pid})" if pid else "다음 셀에서 시작해요"
    else:
        runs = "inside this kernel, for no process can be started"
        runs_ko = "프로세스를 시작할 수 없어서 커널 안에서 동작 중"
    lines = [pick({"en": f"{runs}; {count} waiting", "ko": f"{runs_ko}, 대기 {count}건"})]
    lines += [_waiting_line(row, now) for row in waiting[:MOST_SHOWN]]
    return [*lines, "…"] if count > MOST_SHOWN else lines


def _waiting_line(row: Dict[str, Any], now: float) -> str:
    since = say_duration(now - row["happened_at"])
    words = (row["name"], outcome(row["event"], current()), "→", row["channel"])  # a text has no outcome
    what = " ".join(word for word in words if word)
    why = row["reason"] or ""
    if death.is_gone(row["owner"]):
        why = pick({"en": "until a kernel with the same settings starts", "ko": "같은 설정의 커널이 시작되면 보내요"})
    else:
        why = " ".join(part for part in (why, _next_try(row, now)) if part)
    because = f" ({why})" if why else ""
    return pick({"en": f"waiting: {what}, for {since}{because}", "ko": f"대기: {what}, {since}째{because}"})


def _next_try(row: Mapping[str, Any], now: float) -> str:
    """When it goes out, where that is not at once."""
    left = (row["next_at"] or now) - now
    if left < 1:
        return ""
    en, ko = say_duration(left, "en"), say_duration(left, "ko")
    if row["attempts"]:
        return pick({"en": f"Next try in {en}.", "ko": f"{ko} 뒤에 다시 보내요."})
    if row["grouping"]:
        return pick({"en": f"what comes meanwhile goes along, in {en}", "ko": f"잠시 모아서 {ko} 뒤에 한 번에 보내요"})
    return pick({"en": f"goes out in {en}", "ko": f"{ko} 뒤에 보내요"})


def _ask(knocker: Knocker, question: str) -> List[Dict[str, Any]]:
    share = ANSWER_S / len(knocker.outbox_paths)
    return [row for path in knocker.outbox_paths for row in outbox.peek(path, question, (), share)]


@dataclasses.dataclass(frozen=True)
class State:
    """How a channel stands: a word for it, how that is (``good``, ``bad``, ``warn`` or nothing), how long ago."""

    word: str
    kind: str = ""
    ago_s: Optional[float] = None


def states(knocker: Knocker) -> Dict[str, State]:
    """Every channel with its state, by its settings, its last knock and its last failure."""
    now = time.time()
    last = {row["channel"]: row for row in _ask(knocker, "last")}
    return {name: _state(knocker, name, last.get(name), now) for name in channels.names()}


def _state(knocker: Knocker, name: str, last: Any, now: float) -> State:
    try:
        missing = knocker.channel(name).missing()
    except KnockError:
        return State("broken", "bad")
    if missing:
        return State("needs")
    if name in knocker.aside:
        return State("aside", "bad")
    if last:
        word, kind = ("delivered", "good") if last["state"] == "done" else ("failed", "bad")
        return State(word, kind, max(0.0, now - last["ended_at"]))
    return State("ready", "good")


def channel_lines(knocker: Knocker) -> List[str]:
    """Every channel with its state and its settings, those that are ready first."""
    ready: List[str] = []
    others: List[str] = []
    for name in channels.names():
        try:
            channel = knocker.channel(name)
        except KnockError as problem:  # someone else's, and broken
            others.append(f"{name}: {problem}")
            continue
        (others if channel.missing() else ready).extend(_channel_lines(channel))
    folder = folders.shown(knocker.configuration.own_channels)
    last = {
        "en": [
            f"A channel of your own is one file in {folder}.",
            "How to set one up: %knock setup, or %knock test slack (in a shell: knock test slack).",
        ],
        "ko": [
            f"직접 만든 채널은 {folder} 폴더에 파일 하나로 두면 돼요.",
            "설정하는 방법: %knock setup이나 %knock test slack(셸에서는 knock test slack)을 실행해 보세요.",
        ],
    }
    return [*ready, *others, *last[current()]]


def _channel_lines(channel: Channel) -> List[str]:
    """A channel with its state, and a line for each of its settings."""
    state = {"en": "ready", "ko": "준비됨"}
    if channel.missing():
        login = f": %knock login {channel.key}" if channel.has_login else ""
        state = {"en": f"needs setting up{login}", "ko": f"설정 필요{login}"}
    lines = [f"{channel.key} ({pick(channel.label)}): {pick(state)}"]
    fields = channel.fields()
    for name, trait in fields.items():
        needed = pick({"en": " (required)", "ko": " (필수)"}) if trait.metadata.get("required") else ""
        lines.append(f"    {channel.env_name(name)}  {label_of(trait)}{needed}")
    shortest = type(channel)().missing()
    if shortest and not any(trait.metadata.get("required") for trait in fields.values()):
        variables = ", ".join(shortest)
        texts = {
            "en": f"    Required: {variables}, or the settings that take its place.",
            "ko": f"    필수: {variables}, 또는 그 대신 쓰는 설정",
        }
        lines.append(pick(texts))
    return lines
