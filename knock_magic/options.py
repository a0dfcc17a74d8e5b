"""The options of a cell and of ``knock run``: what was typed, checked, as `Options`."""

from __future__ import annotations

import dataclasses
import re
from typing import Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from knock_magic import channels, language
from knock_magic.durations import parse_duration
from knock_magic.errors import UsageError, a_kind, did_you_mean
from knock_magic.rules import OUTCOMES

# A token is quoted as a whole, an option with a quoted value, or a run of anything but space.
_TOKEN = re.compile(r"""(?:--[\w-]+=)?(?:"[^"]*"|'[^']*')(?=\s|$)|\S+""")

HELP: Dict[str, Dict[str, str]] = {
    "to": {"en": "channels to knock on, e.g. slack,kakao", "ko": "알림을 보낼 채널, 예: slack,kakao"},
    "template": {
        "en": "message template: short, standard, detailed, or one of your own",
        "ko": "메시지 템플릿: short, standard, detailed 또는 직접 만든 것",
    },
    "show": {
        "en": "expression to evaluate at the end and show; may be repeated",
        "ko": "끝났을 때 계산해서 보여 줄 식, 여러 번 쓸 수 있어요",
    },
    "on": {"en": f"outcomes that knock: {', '.join(OUTCOMES)}", "ko": f"알림을 보낼 결과: {', '.join(OUTCOMES)}"},
    "min": {"en": "knock only if it took this long, e.g. 60s", "ko": "이만큼 걸렸을 때만 알림, 예: 60s"},
    "every": {"en": "report progress this often, e.g. 30m", "ko": "이 간격으로 진행 상황 알림, 예: 30m"},
    "stall": {
        "en": "knock when nothing happened for this long, e.g. 15m",
        "ko": "이만큼 아무 일도 없으면 알림, 예: 15m",
    },
    "metric": {"en": "metric to compare, e.g. val_acc", "ko": "비교할 지표, 예: val_acc"},
    "baseline": {"en": "number to compare it with, e.g. 0.83, or best", "ko": "비교 기준값(예: 0.83) 또는 best"},
}


@dataclasses.dataclass(frozen=True)
class Options:
    """What one cell or command asked for; None or empty where it did not say."""

    name: str = ""
    to: Optional[Tuple[str, ...]] = None
    template: Optional[str] = None
    show: Tuple[str, ...] = ()
    on: Optional[Tuple[str, ...]] = None
    min: Optional[float] = None
    every: Optional[float] = None
    stall: Optional[float] = None
    metric: Optional[str] = None
    baseline: Optional[str] = None


def parse(line: str) -> Options:
    """The options in `line`; words that belong to none are the name.

    Raises:
        UsageError: an option or a value can't be understood.
    """
    return _parse(_TOKEN.findall(line), unquoted)


def words_of(line: str) -> List[str]:
    """The words of `line`; what is quoted is one."""
    return [unquoted(token) for token in _TOKEN.findall(line)]


def from_words(words: Sequence[str]) -> Options:
    """The options in `words`, which a shell has split and unquoted already; raises `UsageError`."""
    return _parse(words, str)


def from_values(name: str, given: Mapping[str, object]) -> Options:
    """The options of ``knock.run(name, **given)``: texts as in a cell's line, numbers, or several in a list.

    Raises:
        UsageError: an option or a value can't be understood.
    """
    read = {}
    for option, value in given.items():
        if option not in PYTHON_OPTIONS:
            raise _unknown_here(option)
        if value is not None:
            read[option] = _from_value(option, value)
    return Options(name=name, **read)  # type: ignore[arg-type]


def _parse(tokens: Iterable[str], unquote: Callable[[str], str]) -> Options:
    words: List[str] = []
    values: Dict[str, List[str]] = {}
    tokens = iter(tokens)
    for token in tokens:
        if not token.startswith("--") or token == "--":
            words.append(unquote(token))
            continue
        option, equals, value = token[2:].partition("=")
        if option not in HELP:
            raise _unknown(option)
        if not equals:
            value = next(tokens, "")
        if value == "" or value.startswith("--"):
            raise _valueless(option)
        values.setdefault(option, []).append(unquote(value))
    read = {name: _READERS[name](given) for name, given in values.items()}
    return Options(name=" ".join(words), **read)  # type: ignore[arg-type]


def unquoted(token: str) -> str:
    """`token` without its one outer pair of quotes."""
    if len(token) >= 2 and token[0] == token[-1] and token[0] in "\"'":
        return token[1:-1]
    return token


def _once(read: Callable[[str], object]) -> Callable[[List[str]], object]:
    """A reader that takes the last value given."""
    return lambda given: read(given[-1])


def _channels(text: str) -> Tuple[str, ...]:
    names = _words(text)
    for name in names:
        if not channels.is_one(name):
            raise channels.unknown(name)
    return names


def _outcomes(text: str) -> Tuple[str, ...]:
    names = _words(text)
    for name in names:
        if name not in OUTCOMES:
            known = ", ".join(OUTCOMES)
            hint_en, hint_ko = did_you_mean(name, OUTCOMES)
            raise UsageError(
                f"--on takes {known}; got {name[:40]!r}.{hint_en}",
                f"--on에는 {known} 중에서 적어 주세요. 받은 값: {name[:40]!r}.{hint_ko}",
            )
    return names


def _expression(text: str) -> str:
    try:
        compile(text, "--show", "eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:  # the last two: a thousand brackets
        why = error.msg if isinstance(error, SyntaxError) else str(error) or type(error).__name__
        raise UsageError(
            f"--show takes one Python expression (in quotes if it has spaces); got {text[:60]!r}: {why}.",
            f"--show에는 파이썬 식을 하나 적어 주세요. 띄어쓰기가 있으면 따옴표로 감싸 주세요. 받은 값: {text[:60]!r} ({why})",
        ) from None
    return text


def _baseline(text: str) -> str:
    try:
        float(text)
    except ValueError:
        if text != "best":
            raise UsageError(
                f"--baseline takes a number or best, got {text[:40]!r}.",
                f"--baseline에는 숫자나 best를 적어 주세요. 받은 값: {text[:40]!r}",
            ) from None
    return text


def _duration(option: str) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            return parse_duration(text)
        except UsageError as error:
            raise UsageError(f"--{option}: {error.texts['en']}", f"--{option}: {error.texts['ko']}") from None

    return read


_READERS: Dict[str, Callable[[List[str]], object]] = {
    "to": _once(_channels),
    "template": _once(str),
    "show": lambda given: tuple(_expression(text) for text in given),
    "on": _once(_outcomes),
    "min": _once(_duration("min")),
    "every": _once(_duration("every")),
    "stall": _once(_duration("stall")),
    "metric": _once(str),
    "baseline": _once(_baseline),
}


# A block of Python shows what it returns or reports; there is no namespace to evaluate an expression in.
PYTHON_OPTIONS = tuple(name for name in HELP if name != "show")


def _from_value(option: str, value: object) -> object:
    several = isinstance(value, (list, tuple, set, frozenset))
    if not several and (isinstance(value, bool) or not isinstance(value, (str, int, float))):
        raise UsageError(
            f"{option}= takes a text or a number, got {a_kind(value)}.",
            f"{option}=에는 글이나 숫자를 넣어 주세요. 받은 것: {type(value).__name__}",
        )
    text = ",".join(map(str, value)) if several else str(value)  # type: ignore[call-overload]
    try:
        if not text.strip():
            raise _valueless(option)
        return _READERS[option]([text])
    except UsageError as error:
        en, ko = (error.texts[lang].replace(f"--{option}", f"{option}=") for lang in ("en", "ko"))
        raise UsageError(en, ko) from None


def _unknown_here(option: str) -> UsageError:
    hint_en, hint_ko = did_you_mean(option, PYTHON_OPTIONS)
    known = ", ".join(PYTHON_OPTIONS)
    return UsageError(
        f"knock.run has no option {option[:40]}.{hint_en} There are: {known}.",
        f"knock.run에 {option[:40]} 옵션은 없어요.{hint_ko} 쓸 수 있는 옵션: {known}",
    )


def _words(text: str) -> Tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _unknown(option: str) -> UsageError:
    known = tuple(f"--{name}" for name in HELP)
    hint_en, hint_ko = did_you_mean(f"--{option}", known)
    return UsageError(
        f"there is no option --{option[:40]}.{hint_en} There are: {', '.join(known)}.",
        f"--{option[:40]} 옵션은 없어요.{hint_ko} 쓸 수 있는 옵션: {', '.join(known)}",
    )


def _valueless(option: str) -> UsageError:
    return UsageError(
        f"--{option} needs a value: {language.pick(HELP[option], 'en')}.",
        f"--{option}에는 값이 필요해요: {language.pick(HELP[option], 'ko')}.",
    )


def usage(lang: str = "", without: Sequence[str] = ()) -> str:
    """A line for each option, but those of `without`."""
    return "\n".join(
        f"  --{name:<9} {language.pick(texts, lang or None)}" for name, texts in HELP.items() if name not in without
    )
