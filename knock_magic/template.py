"""Event → `Message`: the words a person would send, in the reader's language.

A template is a text with names in it, `string.Template`'s: ``$name finished in $duration``. Names are plain, and
what they stand for is text already, so a template can't reach into anything. The first line is the headline.

- A line goes if all its names stand for nothing; so does a part of a line between two `` · ``.
- ``$$`` is a dollar. A name that does not exist stays as written, and is told below the text.
- A template that can't be used never costs a knock: the built-in text goes out, and why below it.
"""

from __future__ import annotations

import dataclasses
import math
import re
import time
from string import Template
from typing import Any, Dict, List, Mapping, Optional, Tuple, Union

from knock_magic import language
from knock_magic.cleaning import clean, one_line, quoted_cause
from knock_magic.durations import say_duration
from knock_magic.event import ErrorInfo, Event, Metric, Progress
from knock_magic.hints import hint, hint_called
from knock_magic.rules import ENDINGS, OUTCOMES
from knock_magic.tracebacks import INDENT
from knock_magic.wording import BODIES, CAUSES, FAULTS, HEADLINES, ICONS, LINES, NOTES, OUTCOME_WORDS, became

BUILT_IN = ("short", "standard", "detailed")
STANDARD = "standard"
WITH_SOURCE = "detailed"  # only this one shows lines of the program
NAMES = (
    *("icon", "name", "outcome", "duration", "started", "ended", "host", "user", "notebook"),
    *(
        "error",
        "error_type",
        "error_message",
        "metrics",
        "progress",
        "eta",
        "eta_at",
        "late",
        "tail",
        "hint",
        "gpu",
        "memory",
    ),
)

# What stands for an outcome in a person's own template; `DEFAULT` for all that have no text of their own.
DEFAULT = "default"
OWN_KEYS = (DEFAULT, *OUTCOMES, "message", "test", "warning")

# As rules carry it: the name of a built-in one, or a person's own as {"name": ..., "texts": {outcome: text}}.
Choice = Union[str, Mapping[str, Any]]
Texts = Mapping[str, str]

LOUD = ("failed", "died", "stalled", "warning")
QUIET = ("progress", "started")

LONGEST_TEXT = 20_000  # characters of a message; a template can name its error a thousand times
LONGEST_SHORT_ERROR = 100
LONGEST_ERROR = 500  # the whole message is in `detailed`
MOST_NAMES = 5  # of others that a knock tells of, as `noise` leaves them
LONGEST_NAME = 40
LONGEST_DIGESTED = 20
DIGEST = "digest"  # the note of an event that speaks for what waited for a new day
# Both of KS X 1001, so that a Korean font draws them equally wide, and no emoji, which phones draw in sizes of their own.
FULL, EMPTY = "■", "□"
CELLS = 10
UP, DOWN = "▲", "▼"
DAY = len("2026-11-30")
FRAMES = 3  # the innermost ones; all are in `detailed`
BETWEEN = " · "
HINT = "💡"
GIB = 1024**3


@dataclasses.dataclass(frozen=True)
class Message:
    """What a channel sends: a headline, the lines below it, and the event they tell of."""

    event: Event
    title: str
    body: str
    lang: str
    late_s: float = 0.0
    after: Optional[str] = None  # the handle of this run's first message there, for services that have threads

    @property
    def text(self) -> str:
        """Headline and body together."""
        return f"{self.title}\n{self.body}" if self.body else self.title

    @property
    def loudness(self) -> str:
        """``loud`` where something went wrong, ``quiet`` for what is told on the way, else ``normal``."""
        if self.event.event in LOUD:
            return "loud"
        return "quiet" if self.event.event in QUIET else "normal"


def render(event: Event, template: Choice = STANDARD, *, lang: str = "", late_s: float = 0.0) -> Message:
    """`event` in the words of `template`. `late_s` is how many seconds after the fact it is being sent; 0 is on time."""
    lang = lang if lang in language.LANGUAGES else language.current()
    text, wrong = _own_text(event, template, lang, late_s)
    own_tells_late = bool(text) and "late" in _names(_own(template, event.event))
    if not text:
        text = _built_in_text(event, template if template in BUILT_IN else STANDARD, lang)
    below = "\n".join([*_always_told(event, lang, 0.0 if own_tells_late else late_s), *wrong])
    below = clean(below, LONGEST_TEXT // 2)
    text = clean(text.strip("\n"), LONGEST_TEXT - len(below) - 1)  # the text is cut, and not what is always told
    title, _, body = f"{text}\n{below}".strip("\n").partition("\n")
    return Message(event=event, title=title, body=body, lang=lang, late_s=late_s)


def uses(template: Choice, event: str, name: str) -> bool:
    """Whether `template` says `name` of such an event."""
    own = _own(template, event)
    return name in _names(
        own or BODIES["en"][template if isinstance(template, str) and template in BUILT_IN else STANDARD]
    )


def called(template: Choice) -> str:
    """What the person calls it."""
    return template if isinstance(template, str) else clean(str(template.get("name", "")), 40)


def faults(name: str, text: str) -> List[Texts]:
    """What is wrong with the text of the own template `name`, in each language."""
    broken = _broken_at(text)
    if broken:
        line, column = broken
        return [_said("broken", name=name, line=line, column=column)]
    unknown = [each for each in _names(text) if each not in NAMES]
    if not unknown:
        return []
    hints = {lang: ", ".join(f"${each}{_hint(each, lang)}" for each in unknown[:5]) for lang in language.LANGUAGES}
    return [{lang: FAULTS[lang]["unknown"].format(name=name, names=hints[lang]) for lang in language.LANGUAGES}]


def _said(fault: str, **values: Any) -> Texts:
    return {lang: FAULTS[lang][fault].format(**values) for lang in language.LANGUAGES}


def _hint(word: str, lang: str) -> str:
    import difflib

    likely = difflib.get_close_matches(word.lower()[:80], NAMES, n=1)
    return {"en": f" (${likely[0]}?)", "ko": f"(혹시 ${likely[0]}?)"}[lang] if likely else ""


# Filling.


def _own_text(event: Event, template: Choice, lang: str, late_s: float) -> Tuple[str, List[str]]:
    """What the person's own `template` makes of `event`, if it has a text for it; and what is wrong with it."""
    text = _own(template, event.event)
    name = called(template)
    if not text:
        known = not isinstance(template, str) or template in BUILT_IN
        return "", [] if known else [_said("none", name=name)[lang]]
    found = [each[lang] for each in faults(name, text)]
    if _broken_at(text):
        return "", found
    filled = clean(fill(text, _words(event, lang, STANDARD, late_s)), LONGEST_TEXT)
    return (filled, found) if filled.strip() else ("", [_said("empty", name=name)[lang]])


def _own(template: Choice, event: str) -> str:
    if isinstance(template, str) or not isinstance(template.get("texts"), Mapping):
        return ""
    texts = template["texts"]
    text = texts.get(event, texts.get(DEFAULT, "") if event in OUTCOMES else "")
    return text if isinstance(text, str) else ""


def _built_in_text(event: Event, template: str, lang: str) -> str:
    words = _words(event, lang, template)
    if event.event in OUTCOMES and event.event != "started":
        headline = HEADLINES[lang]["over" if event.event in ENDINGS else "going"]
    else:
        headline = HEADLINES[lang]["no run"]
    return fill(headline + BODIES[lang][template], words)


def fill(text: str, words: Mapping[str, str]) -> str:
    """`text` with its names replaced, less the lines and parts of lines whose names all stand for nothing."""
    filled = []
    for line in text.split("\n"):
        if _is_empty(line, words):
            continue
        parts = [part for part in line.split(BETWEEN) if not _is_empty(part, words)]
        filled.append(Template(BETWEEN.join(parts)).safe_substitute(words).rstrip())
    return "\n".join(filled)


def _is_empty(text: str, words: Mapping[str, str]) -> bool:
    names = _names(text)
    return bool(names) and not any(words.get(name, "?") for name in names)


def _names(text: str) -> List[str]:
    found = (match.group("named") or match.group("braced") for match in Template.pattern.finditer(text))
    return [name for name in dict.fromkeys(found) if name]


def _broken_at(text: str) -> Optional[Tuple[int, int]]:
    """Line and column of the first dollar that stands for nothing."""
    for match in Template.pattern.finditer(text):
        if match.group("invalid") is not None:
            before = text[: match.start()]
            return before.count("\n") + 1, match.start() - before.rfind("\n")
    return None


# Words.


def _words(event: Event, lang: str, template: str, late_s: float = 0.0) -> Dict[str, str]:
    """What each name stands for; all are there."""
    is_run = event.event in OUTCOMES
    error, progress = event.error, event.progress
    return {
        "icon": ICONS.get(event.event, ICONS["message"]),
        "name": event.text if event.event == "message" and event.text else event.name,
        "outcome": outcome(event.event, lang, event.note),
        "duration": _duration(event, lang) if is_run and event.event != "started" else "",
        "started": _clock_time(event.started_at) if is_run else "",
        "ended": _clock_time(event.ended_at) if is_run and event.ended_at else "",
        "host": event.host,
        "gpu": event.gpu or "",
        "memory": _memory(event.peak_bytes or 0),
        "user": event.user,
        "notebook": event.notebook or "",
        "metrics": _metrics(event, lang, template),
        "tail": event.tail or "",
        "error": _error(error, event, lang, template) if error else _warning(event, lang, template),
        "hint": _next_thing(event, lang),
        "error_type": error.type if error else "",
        "error_message": error.message if error else "",
        "progress": _progress(progress, lang, template) if progress else _usual(event, lang),
        **_eta(event, lang),
        "late": say_duration(late_s, lang) if late_s else "",
    }


def outcome(event: str, lang: str, note: Optional[str] = None) -> str:
    """What has become of it, as the end of a sentence that begins with its name."""
    return NOTES[lang].get(note or "") or OUTCOME_WORDS[lang].get(event, "")


def _duration(event: Event, lang: str) -> str:
    """How long it took; of what was lost, only when it was last seen is known."""
    span = say_duration(event.duration_s, lang)
    return LINES[lang]["at least"].format(span=span) if event.note == "lost" else span


def _memory(peak_bytes: int) -> str:
    if peak_bytes >= GIB:
        return f"{peak_bytes / GIB:.1f} GiB"
    mib = round(peak_bytes * 1024 / GIB)
    return f"{mib} MiB" if mib else ""


def _error(error: ErrorInfo, event: Event, lang: str, template: str) -> str:
    if event.note == "lost":  # the outcome says it
        return ""
    if event.event == "died" and error.type in CAUSES[lang]:
        cause = CAUSES[lang][error.type]
        code = f" ({error.message})" if error.type == "ExitCode" and error.message else ""
        return f"{cause}{code}" if error.type == "unknown" else f"{error.type}: {cause}{code}"
    if error.type == "ExitCode" and error.message:  # the tail of what a command said; its code is a metric
        return error.message if template == "detailed" else _tail(error.message, template)
    if error.type == "ExitCode":
        return ""
    said = f"{error.type}: {error.message}" if error.message else error.type
    if template == "detailed":
        return f"{said}\n{error.traceback}" if error.traceback else said
    cause = quoted_cause(error.message)
    if template == "short":
        return one_line(cause or said, LONGEST_SHORT_ERROR)
    if cause:
        first = (error.message.strip().splitlines() or [""])[0]
        said = f"{error.type}: {clean(first, LONGEST_ERROR // 2)}\n…\n{cause}"
    return "\n".join([clean(said, LONGEST_ERROR), *_last_frames(error.traceback or "")])


def _next_thing(event: Event, lang: str) -> str:
    """What to try next, where the error is a known one."""
    said = hint_called("nan loss") if event.note == "nan" else hint(event.error)
    return f"{HINT} {said[lang]}" if said else ""


def _tail(text: str, template: str) -> str:
    """The last lines of `text`, for there it says what went wrong."""
    lines = text.rstrip().splitlines() or [""]
    if template == "short":
        return one_line(lines[-1], LONGEST_SHORT_ERROR)
    kept = [clean(lines.pop(), LONGEST_ERROR)]
    while lines and sum(map(len, kept)) + len(lines[-1]) <= LONGEST_ERROR:
        kept.insert(0, lines.pop())
    return "\n".join(kept)


def _last_frames(traceback: str) -> List[str]:
    """Where it happened, without source: the innermost frames, and the line of the cell that led there."""
    frames = [line for line in traceback.splitlines() if not line.startswith(INDENT)]
    last, before = frames[-FRAMES:], frames[:-FRAMES]
    in_cell = [line for line in before if line.startswith("cell, ")]
    return [in_cell[-1], *last[1:]] if in_cell and not any(line.startswith("cell, ") for line in last) else last


def _warning(event: Event, lang: str, template: str) -> str:
    """What a warning is about."""
    if event.event != "warning" or not event.text:
        return ""
    said = event.text
    if event.note == "nan":
        said = became(event.text, str(event.metrics.get(event.text, "nan")))[lang]
    elif event.note == "expired":
        key = "given up more" if event.more else "given up"
        said = LINES[lang][key].format(name=said.partition(": ")[2] or said, count=event.more)
    return one_line(said, LONGEST_SHORT_ERROR) if template == "short" else said


def _always_told(event: Event, lang: str, late_s: float) -> List[str]:
    """What no template may leave out, for it changes what the rest means."""
    lines, said = [], LINES[lang]
    if event.note == DIGEST:
        return [*_digest(event, lang), *_told_of_itself(event, lang, late_s)]
    ranks = [each for each in event.among if each.startswith("rank ")]
    names = [each for each in event.among if each not in ranks]
    if len(ranks) > 1:
        lines.append(said["ranks"].format(ranks=_spans([int(each[5:]) for each in ranks]), step=event.rank))
    elif event.rank:
        lines.append(said["rank"].format(ranks=event.rank))
    elif event.more and event.event != "warning":  # which says it in its own words
        key = "more" if not names else "more finished" if event.event == "finished" else "more of"
        left_out = "…, " if len(names) >= MOST_NAMES and event.more > len(names) else ""
        shown = ", ".join(one_line(each, LONGEST_NAME) for each in names)
        lines.append(said[key].format(count=event.more, names=left_out + shown))
    return [*lines, *_told_of_itself(event, lang, late_s)]


def _digest(event: Event, lang: str) -> List[str]:
    """What else waited for a new day."""
    names = [each.partition(" ") for each in event.among]
    shown = [f"{ICONS.get(kind, ICONS['message'])} {one_line(name, LONGEST_DIGESTED)}" for kind, _, name in names]
    left_out = ", …" if event.more > len(shown) else ""
    return [LINES[lang]["digest"].format(count=event.more, names=", ".join(shown) + left_out)]


def _told_of_itself(event: Event, lang: str, late_s: float) -> List[str]:
    lines, said = [], LINES[lang]
    if event.still_s:
        key = "silent" if (event.note or "").startswith("unresponsive") else "still"
        lines.append(said[key].format(span=say_duration(event.still_s, lang)))
    if event.slept_s:
        lines.append(said["slept"].format(span=say_duration(event.slept_s, lang)))
    if late_s:
        lines.append(said["late"].format(span=say_duration(late_s, lang)))
    if event.maybe_sent:
        lines.append(said["maybe twice"])
    return lines


def _spans(numbers: List[int]) -> str:
    """``0–3, 5`` for 0, 1, 2, 3 and 5: of a thousand ranks nobody wants to read each."""
    spans: List[List[int]] = []
    for number in sorted(set(numbers)):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(f"{first}" if first == last else f"{first}–{last}" for first, last in spans)


def _progress(progress: Progress, lang: str, template: str) -> str:
    step, total = progress.step, progress.total
    if not total or total < 0:
        return LINES[lang]["step"].format(step=step)
    share = 1.0 if step >= total else max(step, 0) / total
    # It is full, and 100 %, at the end and not before; else the nearest whole one, as tqdm shows it.
    percent, full = f"{100 if share == 1.0 else min(round(share * 100), 99)}%", int(share * CELLS)
    if template == "short":
        return f"{step}/{total} ({percent})"
    return f"{FULL * full}{EMPTY * (CELLS - full)} {percent} ({step}/{total})"


def _eta(event: Event, lang: str) -> Dict[str, str]:
    """What is left, as a span and as the clock time then; that with its day where it is not the one of the message."""
    left = event.progress.eta_s if event.progress else max(0.0, (event.usual_s or 0.0) - event.duration_s)
    now = event.started_at + event.duration_s + event.slept_s
    then = _clock_time(now + left) if left and math.isfinite(left) else ""
    is_today = then[:DAY] == _clock_time(now)[:DAY]
    return {
        "eta": say_duration(left, lang) if left and then else "",
        "eta_at": then[DAY + 1 :] if is_today else then[len("2026-") :],
    }


def _usual(event: Event, lang: str) -> str:
    """How long earlier runs took, where nothing tells how far this one is."""
    if event.event != "progress" or not event.usual_s:
        return ""
    key = "usual" if event.usual_of > 1 else "usual of one"
    return LINES[lang][key].format(span=say_duration(event.usual_s, lang), count=event.usual_of)


def _metrics(event: Event, lang: str, template: str) -> str:
    told = [metric_text(name, value) + _change(event.before.get(name), value) for name, value in event.metrics.items()]
    shown, compared = BETWEEN.join(told), _verdict(event.verdict, lang) if event.verdict else ""
    between = BETWEEN if template == "short" else "\n"
    return between.join(part for part in (shown, compared) if part)


def _verdict(verdict: Mapping[str, Any], lang: str) -> str:
    """Whether its metric is better than what it is compared with, and by how much."""
    said = LINES[lang]
    if verdict["value"] is None:
        seen = verdict.get("seen")
        return said["no number" if seen else "no metric"].format(metric=verdict["metric"], seen=seen)
    words = {"metric": verdict["metric"], "value": _number(verdict["value"])}
    if verdict["baseline"] is None:
        return said["nothing before"].format(**words)
    baseline, runs = _number(verdict["baseline"]), verdict["runs"]
    if runs:
        baseline = said["best so far" if runs > 1 else "best of one"].format(count=runs, baseline=baseline)
    key = "same" if verdict["better"] is None else "better" if verdict["better"] else "worse"
    direction = said["lower" if verdict["lower"] else "higher"]
    return said[key].format(**words, baseline=baseline, by=_number(verdict["by"]), direction=direction)


def _change(before: Optional[Metric], value: Metric) -> str:
    """By how much `value` went up or down since it was `before`, where that can be seen."""
    if before is None or isinstance(before, str) or isinstance(value, str) or _number(before) == _number(value):
        return ""
    amount = abs(value - before)
    shown = str(amount) if isinstance(amount, int) else f"{amount:.0f}" if 100 <= amount < 1e15 else f"{amount:.2g}"
    return f" {UP if value > before else DOWN}{shown}"


def metric_text(name: str, value: Metric) -> str:
    """Name and value; with a sign between them where the name is an expression, or the value a sentence."""
    is_sentence = isinstance(value, str) and " " in value
    between = ": " if is_sentence else " " if re.fullmatch(r"[\w./@-]{1,80}", name) else " = "
    return f"{name}{between}{_number(value)}"


def _number(value: Metric) -> str:
    """Four significant digits say enough of a metric; whole numbers stay whole."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:.4g}"


def _clock_time(seconds: float) -> str:
    """The local time with its zone: a machine in a cloud is seldom in its user's."""
    try:
        local = time.localtime(seconds)
    except (OverflowError, OSError, ValueError):  # a clock that was never set
        return ""
    zone = local.tm_zone or ""
    if not re.fullmatch(r"[A-Z]{3,5}", zone):  # Windows has whole sentences, some systems have numbers
        hours, minutes = divmod(abs(local.tm_gmtoff or 0) // 60, 60)
        sign = "-" if (local.tm_gmtoff or 0) < 0 else "+"
        zone = f"UTC{sign}{hours}" + (f":{minutes:02d}" if minutes else "")
    return time.strftime("%Y-%m-%d %H:%M ", local) + zone
