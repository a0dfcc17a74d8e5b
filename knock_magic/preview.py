"""What a template makes of each outcome, as it would look on a channel: for eyes, before anything is sent."""

from __future__ import annotations

import time
from typing import List, Optional, Sequence

from knock_magic import language, runs
from knock_magic.channels.base import Channel
from knock_magic.event import ErrorInfo, Event, Progress
from knock_magic.knocker import Knocker
from knock_magic.language import pick
from knock_magic.rules import OUTCOMES
from knock_magic.template import NAMES, WITH_SOURCE, Choice, render
from knock_magic.tracebacks import INDENT

MAIN = ("finished", "failed", "died")
ALL = OUTCOMES

_FRAMES = (
    ("cell, line 12, in <module>", "train(model, loader)"),
    ("train.py, line 88, in train", "loss = step(batch)"),
    ("train.py, line 41, in step", "logits = model(images)"),
)


def lines(knocker: Knocker, name: str = "", channel: str = "") -> List[str]:
    """Samples of the template `name`, or of all, as they look on `channel` or the first one in use."""
    configuration, current = knocker.configuration, knocker.settings.template
    on = knocker.channel(channel or knocker.in_use()[0])
    found = [pick({"en": f"As it looks on {on.label['en']}:", "ko": f"{on.label['ko']}에서 보이는 모습:"})]
    for each in [name] if name else configuration.template_names():
        in_use = pick({"en": " (in use)", "ko": " (사용 중)"}) if each == current else ""
        texts = shown(configuration.template(each), on, ALL if name else MAIN, language.current())
        found += ["", f"{each}{in_use}", *_framed(texts), *map(str, configuration.faults_of(each))]
    names = " ".join(f"${word}" for word in NAMES)
    example = '{"templates": {"mine": "$icon $name · $duration"}}'
    how = {
        "en": [
            "Choose one: %knock template short (add --save to keep it).",
            f"Your own: put for example {example} into {configuration.file_name}.",
            f"Names: {names}",
        ],
        "ko": [
            "고르기: %knock template short (계속 쓰려면 --save).",
            f"직접 만들기: {configuration.file_name} 파일에 이렇게 적어 주세요. {example}",
            f"쓸 수 있는 이름: {names}",
        ],
    }
    return found if name else [*found, "", *how[language.current()]]


def _framed(texts: List[str]) -> List[str]:
    return [f"  │ {line}".rstrip() for text in texts for line in ["", *text.split("\n")]][1:]


def shown(template: Choice, channel: Channel, outcomes: Sequence[str], lang: str) -> List[str]:
    """The text of a sample of each of `outcomes`, cut to the channel's limit."""
    events = [sample(outcome, with_source=template == WITH_SOURCE) for outcome in outcomes]
    return [channel.fit(render(event, template, lang=lang)) for event in events]


_PROGRESS = {"progress": Progress(step=30, total=50, eta_s=5320.0), "stalled": Progress(step=30, total=50)}


def sample(outcome: str, *, with_source: bool = False) -> Event:
    """An event as a training has it."""
    now = time.time()
    duration = 34.0 if outcome == "failed" else 7980.0
    is_over = outcome not in ("stalled", "progress", "started")
    return Event(
        event=outcome,
        name="resnet50",
        started_at=now - duration,
        ended_at=now if is_over else None,
        duration_s=duration,
        host=runs.host(),
        user=runs.user(),
        notebook="resnet.ipynb",
        error=_error(outcome, with_source),
        metrics={"val_acc": 0.9127, "loss": 0.0312} if outcome in ("finished", "progress") else {},
        before={"val_acc": 0.9053, "loss": 0.0347} if outcome == "progress" else {},
        progress=_PROGRESS.get(outcome),
        still_s=1800.0 if outcome == "stalled" else 0.0,
    )


def _error(outcome: str, with_source: bool) -> Optional[ErrorInfo]:
    if outcome == "died":
        return ErrorInfo("OOM", "")
    if outcome != "failed":
        return None
    lines = [line for frame, source in _FRAMES for line in ([frame, INDENT + source] if with_source else [frame])]
    return ErrorInfo("RuntimeError", "CUDA out of memory. Tried to allocate 2.00 GiB.", "\n".join(lines))
