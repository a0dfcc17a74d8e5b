"""Texts that someone sends: ``knock.send`` and ``knock send``."""

from __future__ import annotations

import time
from typing import Any, List, Optional, Sequence, Set, Tuple, Union

from knock_magic import knocker, pictures
from knock_magic.durations import say_duration
from knock_magic.errors import UsageError
from knock_magic.event import Event, Picture
from knock_magic.guard import guarded
from knock_magic.knocker import Knocker
from knock_magic.language import pick

TEST_SECONDS = 30.0

_said_without: Set[str] = set()


def send(text: Any, to: Union[str, Sequence[str], None], picture: Any) -> None:
    """What `knock.send` does; raises `KnockError` where what it was given can't be understood."""
    door = knocker.current()
    names = named(to)
    for name in names:
        door.ready(name)
    if picture is not None and not pictures.is_one(picture):
        raise pictures.wrong_kind(picture)
    if not door.settings.disable:
        _send(door, text, names, picture)


def named(to: Union[str, Sequence[str], None]) -> List[str]:
    """The channels in ``"slack,kakao"`` or ``["slack", "kakao"]``."""
    parts = to.split(",") if isinstance(to, str) else [str(part) for part in to or ()]
    return [part.strip() for part in parts if part.strip()]


@guarded
def _send(door: Knocker, text: Any, names: List[str], picture: Any) -> None:
    with_picture, words = attached(str(text), picture)
    event = door.send(words, names, picture=with_picture)
    if with_picture:
        say_who_leaves_it_out(door, event, names or door.in_use())


def attached(text: str, picture: Any) -> Tuple[Optional[Picture], str]:
    """The picture, and the text, which says so where the picture had to be left out."""
    if picture is None:
        return None, text
    try:
        return pictures.read(picture), text
    except UsageError as problem:
        return None, f"{text}\n({problem})"


def say_who_leaves_it_out(door: Knocker, event: Event, names: Sequence[str]) -> None:
    """Name, once, the channels that get the text alone."""
    without = [name for name in names if not door.channel(name).takes_pictures and name not in _said_without]
    _said_without.update(without)
    if without:
        shown = ", ".join(without)
        door.warn(
            pick(
                {
                    "en": f"{shown} takes no pictures; the text goes without it.",
                    "ko": f"{shown} 채널은 그림을 받지 못해서 글만 보내요.",
                }
            )
        )


def test(knocker: Knocker, names: List[str]) -> List[Tuple[str, bool]]:
    """Send a test knock on `names`: what each channel answered within half a minute, and whether that was good."""
    for name in names:
        knocker.ready(name)
    began = time.monotonic()
    event = knocker.send("", names, kind="test")
    answers = []
    for name, result in knocker.results(event, names, TEST_SECONDS).items():
        if result is None:
            texts = {
                "en": f"{name}: no answer yet; it is tried again.",
                "ko": f"{name}: 아직 응답이 없어요. 다시 시도할게요.",
            }
        elif result["ok"]:
            took = say_duration(time.monotonic() - began)
            texts = {"en": f"{name}: arrived ({took}).", "ko": f"{name}: 도착했어요 ({took})."}
        else:
            texts = {"en": f"{name}: {result['reason']}"}
        answers.append((pick(texts), bool(result and result["ok"])))
    return answers
