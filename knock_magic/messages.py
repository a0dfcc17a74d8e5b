"""Texts that someone sends: ``knock.send`` and ``knock send``."""

from __future__ import annotations

import time
from typing import Any, List, Mapping, Optional, Sequence, Set, Tuple, Union

from knock_magic import knocker, pictures
from knock_magic.channels.base import Channel
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
    if not str(text).strip() and picture is None:  # said, and not raised: it may come out of a long training
        door.warn(
            pick({"en": "knock.send got no text; nothing is sent.", "ko": "knock.send에 글이 없어서 보내지 않았어요."})
        )
    elif not door.settings.disable:
        guarded(tell)(door, str(text), names, picture)


def named(to: Union[str, Sequence[str], None]) -> List[str]:
    """The channels in ``"slack,kakao"`` or ``["slack", "kakao"]``."""
    parts = to.split(",") if isinstance(to, str) else [str(part) for part in to or ()]
    return [part.strip() for part in parts if part.strip()]


def tell(door: Knocker, text: str, names: List[str], picture: Any = None) -> Event:
    """Send `text`, with the picture where a channel takes any, through `names`; else through those in use."""
    with_picture, words = attached(text, picture)
    event = door.send(words, names, picture=with_picture)
    if with_picture:
        say_who_leaves_it_out(door, event, names or door.in_use())
    return event


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
    without = [name for name in names if not door.takes_pictures(name) and name not in _said_without]
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
    """Send a test knock on `names`: what became of each within half a minute, and whether that was good."""
    knocker.configuration.refresh(names)  # what was just put right is tried, not what was read before
    missing = {name: knocker.channel(name).missing() for name in names}
    ready = [name for name in names if not missing[name]]
    answers = [(_not_set_up(knocker, name, missing[name]), False) for name in missing if missing[name]]
    if not ready:
        return answers
    began = time.monotonic()
    event = knocker.send("", ready, kind="test")
    shown = time.monotonic()
    results = knocker.results(event, ready, TEST_SECONDS)
    where = "%knock" if knocker.cells else "knock history"
    return answers + [
        (_answer(knocker.channel(name), result, shown - began, began, where), bool(result and result["ok"]))
        for name, result in results.items()
    ]


def _not_set_up(knocker: Knocker, name: str, missing: List[str]) -> str:
    refused = knocker.channel(name).refused
    # What was refused may not be what is missed now: without its token, Slack asks for a webhook.
    wrong = [refused[variable] for variable in missing if variable in refused] or [*refused.values()]
    if wrong:
        return f"{name}: {wrong[0]}"
    needed, where = ", ".join(missing), knocker.configuration.file_name
    texts = {
        "en": f'{name}: not set up yet. Set {needed} in the environment, or put it under "channels" in {where}.',
        "ko": f'{name}: 아직 설정하지 않았어요. 환경 변수 {needed} 값을 정하거나 {where} 파일의 "channels"에 적어 주세요.',
    }
    steps = pick(knocker.channel(name).steps).splitlines()
    return "\n".join([pick(texts), *(f"    {line}" for line in steps)])


def _answer(channel: Channel, result: Optional[Mapping[str, Any]], shown_s: float, began: float, where: str) -> str:
    """What became of a test knock, in plain words; what to do next is in the channel's own reason."""
    name = channel.key
    if result is None:
        texts = {
            "en": f"{name}: no answer yet; `{where}` shows what becomes of it.",
            "ko": f"{name}: 아직 응답이 없어요. 결과는 `{where}` 명령으로 볼 수 있어요.",
        }
    elif result["ok"]:
        span = say_duration(result["heard_mono"] - began if "heard_mono" in result else shown_s)
        texts = {"en": f"{name}: arrived ({span}).", "ko": f"{name}: 도착했어요 ({span})."}
        if channel.only_taken:
            texts = {lang: f"{name}: {text}" for lang, text in channel.only_taken.items()}
    else:
        reason = channel.bare(result["reason"])
        is_certain = not result.get("maybe_sent")
        texts = {
            "en": f"{name}: {'did not arrive' if is_certain else 'may not have arrived'}: {reason}",
            "ko": f"{name}: {'도착하지 않았어요' if is_certain else '도착했는지 알 수 없어요'}. {reason}",
        }
        again = {} if result["permanent"] else _again(result.get("retry_after"))
        texts = {lang: " ".join([text, *([again[lang]] if again else [])]) for lang, text in texts.items()}
    return pick(texts)


def _again(after_s: Optional[float]) -> Mapping[str, str]:
    """When to test again; nobody else does it, for a test that comes later tests nothing."""
    if not after_s:
        return {
            "en": "Test it again in a few minutes.",
            "ko": "시험 알림은 다시 보내지 않으니 몇 분 뒤에 다시 해 보세요.",
        }
    return {
        "en": f"Test it again in {say_duration(after_s, 'en')}.",
        "ko": f"시험 알림은 다시 보내지 않으니 {say_duration(after_s, 'ko')} 뒤에 다시 해 보세요.",
    }
