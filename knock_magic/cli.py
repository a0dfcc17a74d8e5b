"""``knock`` in a shell."""

from __future__ import annotations

import argparse
from typing import List, Optional, Sequence

from knock_magic import __version__, knocker, magics
from knock_magic.errors import KnockError
from knock_magic.language import pick

ANSWER_SECONDS = 30.0


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Do what `arguments` say; 0 when it worked, 1 when it did not, 2 when it could not be understood."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if not chosen.command:
        parser.print_help()
        return 2
    try:
        return int(_COMMANDS[chosen.command](chosen))
    except KnockError as problem:
        knocker.say_on_stderr(str(problem))
        return 2
    except KeyboardInterrupt:
        return 130


def _send(chosen: argparse.Namespace) -> int:
    door = knocker.current()
    names = _named(chosen.to)
    for name in names:
        door.ready(name)
    event = door.send(" ".join(chosen.text), names)
    results = door.results(event, names or door.in_use(), ANSWER_SECONDS)
    for name, result in results.items():
        if result is None:
            print(pick({"en": f"{name}: kept; it is tried again.", "ko": f"{name}: 보관했어요. 다시 시도할게요."}))
        elif not result["ok"]:
            knocker.say_on_stderr(result["reason"])
    return 0 if all(result is None or result["ok"] for result in results.values()) else 1


def _test(chosen: argparse.Namespace) -> int:
    door = knocker.current()
    names = chosen.channel or list(door.in_use())
    results = magics.test(door, names)
    print("\n".join(line for line, _ in results))
    return 0 if all(good for _, good in results) else 1


def _channels(chosen: argparse.Namespace) -> int:
    print("\n".join(magics.channel_lines(knocker.current())))
    return 0


def _demo(chosen: argparse.Namespace) -> int:
    from knock_magic import demo

    return demo.main()


_COMMANDS = {"send": _send, "test": _test, "channels": _channels, "demo": _demo}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="knock",
        description=pick(
            {"en": "Know how your training is doing, wherever you are.", "ko": "어디에 있든 학습 소식을 알려 드려요."}
        ),
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"knock_magic {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    send = commands.add_parser("send", help=pick({"en": "knock with a text", "ko": "글 보내기"}), allow_abbrev=False)
    send.add_argument("text", nargs="+", help=pick({"en": "what to say", "ko": "보낼 글"}))
    send.add_argument(
        "--to", default="", help=pick({"en": "channels, e.g. slack,kakao", "ko": "채널, 예: slack,kakao"})
    )
    test = commands.add_parser(
        "test", help=pick({"en": "send a test knock", "ko": "시험 알림 보내기"}), allow_abbrev=False
    )
    test.add_argument(
        "channel",
        nargs="*",
        help=pick({"en": "channels; default: those in use", "ko": "채널, 기본값은 사용 중인 채널"}),
    )
    commands.add_parser("channels", help=pick({"en": "the channels there are", "ko": "쓸 수 있는 채널"}))
    commands.add_parser(
        "demo", help=pick({"en": "real cells that knock, nothing to configure", "ko": "설정 없이 실제 셀로 알림 체험"})
    )
    return parser


def _named(text: str) -> List[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
