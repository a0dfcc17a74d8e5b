"""``knock`` in a shell."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from typing import Callable, Dict, List, Mapping, NoReturn, Optional, Sequence, Tuple

from knock_magic import __version__, history, knocker, messages, options, shell, status
from knock_magic.durations import parse_duration
from knock_magic.errors import KnockError, UsageError, did_you_mean
from knock_magic.language import pick

ANSWER_SECONDS = 30.0
# What `knock run` can know of its command besides the end.
REPORTS = {
    "en": "Steps and metrics, for --every and --metric, are what COMMAND reports by knock.progress or a callback.\n"
    "The bars of another process can't be read, and on Windows only the end is told.",
    "ko": "진행 상황과 지표(--every, --metric)는 COMMAND가 knock.progress나 콜백으로 알려 줄 때만 보여요.\n"
    "다른 프로세스의 진행 막대는 읽지 못하고, Windows에서는 끝났을 때만 알려요.",
}
INTERRUPTED = 130  # 128 and SIGINT, as a shell says it


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Do what `arguments` say; 0 when it worked, 1 when it did not, 2 when it could not be understood."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal without Korean is no reason to fail
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _do(words)
    except KnockError as problem:
        knocker.say_on_stderr(str(problem))
        return 2
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # `knock history | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1


def _do(words: List[str]) -> int:
    parser, parsers = _parsers()
    command = next((word for word in words if not word.startswith("-")), "")
    if command and command not in _COMMANDS:
        raise _unknown(command)
    own = words[1:] if words[:1] == [command] else []
    ours = own[: own.index("--")] if "--" in own else own
    if command in ("run", "history") and not {"-h", "--help"} & set(ours):
        # These take words and options in any order, as their like in a notebook do, and a whole command.
        return shell.main(own) if command == "run" else _history(own)
    chosen, strange = parser.parse_known_args(words)
    if strange:
        raise _strange(parsers.get(command, parser), strange)
    if not command:
        parser.print_help()
        return 2
    return _COMMANDS[command](chosen)


def _unknown(command: str) -> UsageError:
    hint_en, hint_ko = did_you_mean(command, _COMMANDS)
    known = ", ".join(_COMMANDS)
    return UsageError(
        f"there is no command knock {command[:40]}.{hint_en} There are: {known}; knock --help tells what each does.",
        f"knock {command[:40]} 명령은 없어요.{hint_ko} 쓸 수 있는 명령: {known}. 자세한 설명은 knock --help로 볼 수 있어요.",
    )


# The commands.


def _send(chosen: argparse.Namespace) -> int:
    door = knocker.current()
    names = messages.named(chosen.to)
    for name in names:
        door.ready(name)
    text = " ".join(chosen.text)
    if not text.strip() and not chosen.picture:
        raise UsageError("knock send needs a text.", "knock send 뒤에 보낼 글을 적어 주세요.")
    event = messages.tell(door, text, names, chosen.picture)
    if status.muted_line(door):
        knocker.say_on_stderr(status.muted_line(door))
        return 0
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
    results = messages.test(door, names)
    print("\n".join(line for line, _ in results))
    if status.muted_line(door):
        print(status.muted_line(door))
    return 0 if all(good for _, good in results) else 1


def _history(words: Sequence[str]) -> int:
    query = history.parse(words)
    found = history.History(knocker.current().outbox_paths)
    entries = found.entries(query)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    if query.as_json:
        readable = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
        print(json.dumps([entry.to_json() for entry in entries], ensure_ascii=not readable, indent=2))
    elif not entries:
        print(history.nothing(query))
    elif query.run and len(entries) == 1:
        print(history.detail(entries[0], found.said_of(entries[0].run)).as_text(width))
    else:
        print(history.table(entries).as_text(width))
    return 0


def _mute(chosen: argparse.Namespace) -> int:
    door = knocker.current()
    if chosen.span:
        door.mute(0.0 if chosen.span == "off" else parse_duration(chosen.span))
    print(status.muted_line(door) or status.not_muted())
    return 0


def _unmute(chosen: argparse.Namespace) -> int:
    knocker.current().mute(0.0)
    print(status.not_muted())
    return 0


def _channels(chosen: argparse.Namespace) -> int:
    print("\n".join(status.channel_lines(knocker.current())))
    return 0


def _login(chosen: argparse.Namespace) -> int:
    from knock_magic import login  # brings a server along, which is for those who log in

    person = login.Terminal(opens_browser=not chosen.no_browser)
    words = [*chosen.channel, *([login.FRIENDS] if chosen.friends else [])]
    return 0 if login.run(knocker.current(), person, words) else 1


def _demo(chosen: argparse.Namespace) -> int:
    from knock_magic import demo

    return demo.main()


def _elsewhere(chosen: argparse.Namespace) -> int:
    raise AssertionError("main() does this one before the parser")


_COMMANDS: Dict[str, Callable[[argparse.Namespace], int]] = {
    "run": _elsewhere,
    "send": _send,
    "test": _test,
    "history": _elsewhere,
    "mute": _mute,
    "unmute": _unmute,
    "channels": _channels,
    "login": _login,
    "demo": _demo,
}


# What they take.


# argparse speaks English, unless someone installs a catalogue for it; what it says of our commands is this.
_ARGPARSE_KO = {
    "the following arguments are required": "빠진 것이 있어요",
    "expected one argument": "값을 하나 적어 주세요",
    "expected at least one argument": "값을 적어 주세요",
    "argument": "옵션",
}


def _strange(parser: argparse.ArgumentParser, words: Sequence[str]) -> UsageError:
    """The error for `words`, which `parser` does not know."""
    typed = next((word.partition("=")[0] for word in words if word.startswith("-")), "")
    known = [option for option in parser._option_string_actions if option.startswith("--")]
    hint_en, hint_ko = did_you_mean(typed, known)
    seen = " ".join(words)[:80]
    return UsageError(
        f"unrecognized arguments: {seen}.{hint_en} See {parser.prog} --help.",
        f"알 수 없는 옵션이 있어요: {seen}.{hint_ko} {parser.prog} --help를 참고해 주세요.",
    )


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line in the reader's language, like every other error."""
        korean = message
        for en, ko in _ARGPARSE_KO.items():
            korean = korean.replace(en, ko)
        raise UsageError(f"{message}. See {self.prog} --help.", f"{korean}. {self.prog} --help를 참고해 주세요.")


def _parsers() -> Tuple[argparse.ArgumentParser, Mapping[str, argparse.ArgumentParser]]:
    """The parser of ``knock``, and those of its commands."""
    parser = _Parser(
        prog="knock",
        description=pick(
            {"en": "Know how your training is doing, wherever you are.", "ko": "어디에 있든 학습 소식을 알려 드려요."}
        ),
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"knock_magic {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    def add(name: str, en: str, ko: str, usage: Optional[str] = None, epilog: str = "") -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=pick({"en": en, "ko": ko}),
            description=pick({"en": en, "ko": ko}),
            usage=usage,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    add(
        "run",
        "run a command, and knock when it is over",
        "명령을 실행하고 끝나면 알리기",
        "knock run [NAME ...] [OPTIONS] -- COMMAND",
        f"{options.usage(without=('show',))}\n\n{pick(REPORTS)}",
    )
    send = add("send", "knock with a text", "글 보내기")
    send.add_argument("text", nargs="+", help=pick({"en": "what to say", "ko": "보낼 글"}))
    send.add_argument(
        "--to", default="", help=pick({"en": "channels, e.g. slack,kakao", "ko": "채널, 예: slack,kakao"})
    )
    send.add_argument("--picture", metavar="FILE", help=pick({"en": "an image to send along", "ko": "함께 보낼 그림"}))
    test = add("test", "send a test knock", "시험 알림 보내기")
    test.add_argument(
        "channel",
        nargs="*",
        help=pick({"en": "channels; default: those in use", "ko": "채널, 기본값은 사용 중인 채널"}),
    )
    add(
        "history",
        "the runs so far: the last N, or those whose name has these words",
        "지금까지의 실행: 최근 N건, 또는 이름에 이 말이 들어간 것",
        "knock history [NAME ...] [N] [--outcome failed,died] [--run ID] [--json]",
    )
    mute = add(
        "mute", "no knock from anywhere for a while; they stay in the history", "잠시 모든 알림 끄기, 기록에는 남아요"
    )
    mute.add_argument("span", nargs="?", help=pick({"en": "how long, e.g. 2h", "ko": "얼마 동안, 예: 2h"}))
    add("unmute", "knock again", "다시 알리기")
    add("channels", "the channels there are", "쓸 수 있는 채널")
    log_in = add("login", "log in to KakaoTalk, step by step", "카카오톡에 차근차근 로그인하기")
    log_in.add_argument("channel", nargs="+", help=pick({"en": "kakao", "ko": "kakao"}))
    log_in.add_argument(
        "--friends",
        action="store_true",
        help=pick({"en": "choose friends who get your notes too", "ko": "알림을 함께 받을 친구 고르기"}),
    )
    log_in.add_argument(
        "--no-browser",
        action="store_true",
        help=pick({"en": "show the address, and open no browser", "ko": "브라우저를 열지 않고 주소만 보여 주기"}),
    )
    add("demo", "real cells that knock, nothing to configure", "설정 없이 실제 셀로 알림 체험")
    return parser, commands.choices
