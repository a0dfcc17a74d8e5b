"""Event → `Message`: the words a person would send, in the reader's language."""

from __future__ import annotations

import dataclasses
import re
import time
from string import Template
from typing import Dict, Mapping

from knock_magic import language
from knock_magic.durations import say_duration
from knock_magic.event import ErrorInfo, Event, Metric

ICONS = {
    "finished": "✅",
    "failed": "❌",
    "interrupted": "✋",
    "died": "💀",
    "stalled": "⏸️",
    "progress": "⏳",
    "started": "▶️",
    "message": "💬",
    "test": "🔔",
    "warning": "⚠️",
}

OUTCOME_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "finished": "finished",
        "failed": "failed",
        "interrupted": "was interrupted",
        "died": "died with its kernel",
        "stalled": "has stalled",
        "progress": "is going on",
        "started": "started",
        "message": "",
        "test": "knocks: this channel works",
        "warning": "needs a look",
    },
    "ko": {
        "finished": "끝났어요",
        "failed": "실패했어요",
        "interrupted": "중단됐어요",
        "died": "커널과 함께 죽었어요",
        "stalled": "멈춰 있어요",
        "progress": "진행 중이에요",
        "started": "시작했어요",
        "message": "",
        "test": "알림이 잘 도착했어요",
        "warning": "확인이 필요해요",
    },
}

# Words that say more than the outcome alone; the keys are `Event.note`.
NOTES: Mapping[str, Mapping[str, str]] = {
    "en": {"stopped": "was stopped by you"},
    "ko": {"stopped": "직접 멈췄어요"},
}

# What the causes of a death mean; the keys are `ErrorInfo.type`.
CAUSES: Mapping[str, Mapping[str, str]] = {
    "en": {
        "OOM": "the machine ran out of memory",
        "SIGKILL": "killed from outside, or for want of memory",
        "SIGSEGV": "a crash in native code",
        "SIGABRT": "native code gave up",
        "SIGTERM": "asked to end",
        "ExitCode": "the process ended by itself",
        "unknown": "the kernel went away",
    },
    "ko": {
        "OOM": "메모리가 부족했어요",
        "SIGKILL": "밖에서 강제 종료됐거나 메모리가 부족했어요",
        "SIGSEGV": "네이티브 코드에서 충돌이 났어요",
        "SIGABRT": "네이티브 코드가 스스로 중단했어요",
        "SIGTERM": "종료 요청을 받았어요",
        "ExitCode": "프로세스가 스스로 끝났어요",
        "unknown": "커널이 사라졌어요",
    },
}

_STANDARD = {
    "headline": "$icon $name $outcome · $duration",
    "body": "$metrics\n$error\n$late_line",
}
# These are no run, so they have no duration to tell.
_PLAIN_HEADLINES = {"message": "$icon $name", "test": "$icon $name $outcome"}

_LATE = {"en": "Sent $late late.", "ko": "$late 늦게 보냈어요."}

_PLACEHOLDER = re.compile(r"\$(?:\{([a-z_]+)\}|([a-z_]+))")


@dataclasses.dataclass(frozen=True)
class Message:
    """What a channel sends: a headline, the lines below it, and the event they tell of."""

    event: Event
    title: str
    body: str
    lang: str
    late_s: float = 0.0

    @property
    def text(self) -> str:
        """Headline and body together."""
        return f"{self.title}\n{self.body}" if self.body else self.title


def render(event: Event, *, lang: str = "", late_s: float = 0.0) -> Message:
    """`event` in words. `late_s` is how many seconds after the fact it is being sent; 0 is on time."""
    lang = lang or language.current()
    words = _words(event, lang, late_s)
    headline = _PLAIN_HEADLINES.get(event.event, _STANDARD["headline"])
    return Message(
        event=event,
        title=_fill(headline, words),
        body=_fill(_STANDARD["body"], words),
        lang=lang,
        late_s=late_s,
    )


def _fill(template: str, words: Mapping[str, str]) -> str:
    """`template` with its names replaced; a line whose placeholders are all empty goes."""
    lines = []
    for line in template.split("\n"):
        names = [braced or bare for braced, bare in _PLACEHOLDER.findall(line)]
        if not names or any(words.get(name, "") for name in names):
            lines.append(Template(line).safe_substitute(words).rstrip(" ·"))
    return "\n".join(lines)


def _words(event: Event, lang: str, late_s: float) -> Dict[str, str]:
    late = say_duration(late_s, lang) if late_s else ""
    return {
        "icon": ICONS[event.event],
        "name": event.text if event.event == "message" and event.text else event.name,
        "outcome": _outcome(event, lang),
        "duration": say_duration(event.duration_s, lang),
        "started": _clock_time(event.started_at),
        "ended": _clock_time(event.ended_at) if event.ended_at else "",
        "host": event.host,
        "user": event.user,
        "notebook": event.notebook or "",
        "metrics": " · ".join(f"{name} {_number(value)}" for name, value in event.metrics.items()),
        "error": _error(event.error, lang) if event.error else "",
        "error_type": event.error.type if event.error else "",
        "error_message": event.error.message if event.error else "",
        "late": late,
        "late_line": Template(_LATE[lang]).substitute(late=late) if late else "",
    }


def _outcome(event: Event, lang: str) -> str:
    return NOTES[lang].get(event.note or "") or OUTCOME_WORDS[lang][event.event]


def _error(error: ErrorInfo, lang: str) -> str:
    """Type and message, then where: only the innermost frame, for the rest is for a larger screen."""
    if error.type in CAUSES[lang]:
        first = f"{error.type}: {CAUSES[lang][error.type]}"
        return f"{first} ({error.message})" if error.type == "ExitCode" and error.message else first
    first = f"{error.type}: {error.message}" if error.message else error.type
    return f"{first}\n{error.traceback.splitlines()[-1]}" if error.traceback else first


def _number(value: Metric) -> str:
    """Four significant digits say enough of a metric; whole numbers stay whole."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _clock_time(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
