"""The options of a cell and of ``knock run``: what was typed, checked, as `Options`."""

from __future__ import annotations

import dataclasses
import re
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from knock_magic import channels, language
from knock_magic.durations import parse_duration
from knock_magic.errors import UsageError, a_kind, did_you_mean
from knock_magic.rules import OUTCOMES

# A token is quoted as a whole, an option with a quoted value, or a run of anything but space.
_TOKEN = re.compile(r"""(?:--[\w-]+=)?(?:"[^"]*"|'[^']*')(?=\s|$)|\S+""")

# What an editor makes of two dashes, and who types one alone.
_DASHED = re.compile(r"[-\u2010-\u2015\u2212]{1,2}([a-z]+)(=|\Z)")

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
    "metric": {
        "en": "metric to compare, e.g. val_acc, or place:min where less is better and its name does not say so",
        "ko": "비교할 지표, 예: val_acc. 이름만으로 알 수 없고 작을수록 좋으면 place:min",
    },
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


def parse(line: str) -> Tuple[Options, List[UsageError]]:
    """The options in `line`, and what of it can't be understood; words that belong to no option are the name.

    What is wrong costs nothing else: the rest counts as if it had not been typed.
    """
    return _parse(_TOKEN.findall(line), unquoted, tuple(HELP))


def words_of(line: str) -> List[str]:
    """The words of `line`; what is quoted is one."""
    return [unquoted(token) for token in _TOKEN.findall(line)]


def split_off(line: str, names: Sequence[str]) -> Tuple[str, Dict[str, str]]:
    """A text, and the values of the options `names` that stand before it, in it or behind it.

    Raises:
        UsageError: an option has no value, or one that is not there stands before the text.
    """
    given: Dict[str, str] = {}
    kept, at = [], 0
    tokens = list(_TOKEN.finditer(line))[::-1]
    while tokens:
        token = tokens.pop()
        option, equals, value = token[0].partition("=")
        end = token.end()
        if option not in _dashed(names):
            if token.start() == 0 and re.fullmatch(r"--[a-z]+", option):
                raise _unknown(option[2:], names)
            continue
        if not equals and tokens:
            value, end = tokens[-1][0], tokens.pop().end()
        if not value:
            raise UsageError(f"{option} needs a value.", f"{option} 뒤에 값을 적어 주세요.")
        given[option[2:]] = unquoted(value)
        kept.append(line[at : token.start()].rstrip())
        at = end
    return unquoted("".join([*kept, line[at:]]).strip()), given


def from_words(words: Sequence[str], known: Sequence[str]) -> Tuple[Options, List[UsageError]]:
    """The same in `words`, which a shell has split and unquoted already; only the options `known` are meant."""
    return _parse(words, str, known)


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
    if "baseline" in read and "metric" not in read:
        raise _alone("baseline=", "metric=", 'metric="val_acc"')
    return Options(name=name, **read)  # type: ignore[arg-type]


def _parse(
    tokens: Sequence[str], unquote: Callable[[str], str], known: Sequence[str]
) -> Tuple[Options, List[UsageError]]:
    words: List[str] = []
    values: Dict[str, List[str]] = {}
    problems: List[UsageError] = []
    left = list(reversed(tokens))
    while left:
        token = left.pop()
        found = _option_in(token, known)
        if found is None:
            words.append(unquote(token))
            continue
        option, equals, value = found
        # What follows a misspelt option is its value; what follows a word that is no option may be of the name.
        takes_value = option in HELP or any(did_you_mean(f"--{option}", _dashed(known)))
        if not equals and takes_value:
            value = left.pop() if left and not left[-1].startswith("--") else ""
        problem = _problem_with(token, option, unquote(value), known)
        if problem:
            problems.append(problem)
        else:
            values.setdefault(option, []).append(unquote(value))
    read = _read(values, problems)
    if "baseline" in read and not any(token.startswith("--metric") for token in tokens):
        del read["baseline"]
        problems.append(_alone("--baseline", "--metric", "--metric val_acc"))
    return Options(name=" ".join(words), **read), problems  # type: ignore[arg-type]


def _option_in(token: str, known: Sequence[str]) -> Optional[Tuple[str, str, str]]:
    """The option that `token` names, whether an equals sign follows, and the value behind it; None: it names none."""
    if token.startswith("--") and token != "--":
        return token[2:].partition("=")
    dashed = _DASHED.match(token)
    if dashed and dashed.group(1) in known:
        return dashed.group(1), dashed.group(2), token[dashed.end() :]
    return None


def _problem_with(token: str, option: str, value: str, known: Sequence[str]) -> Optional[UsageError]:
    if option not in known:
        return _unknown(option, known)
    if not token.startswith("--"):
        return _one_dash(token.partition("=")[0], option)
    return None if value.strip() else _valueless(option)


def _read(values: Mapping[str, Sequence[str]], problems: List[UsageError]) -> Dict[str, object]:
    """The values that are good, of each option; what is wrong with the others is added to `problems`."""
    good: Dict[str, object] = {}
    for option, given in values.items():
        fine = []
        for text in given:
            try:
                _READERS[option]([text])
                fine.append(text)
            except UsageError as problem:
                problems.append(problem)
        if fine:
            good[option] = _READERS[option](fine)
    return good


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


def metric_of(asked: Optional[str]) -> Tuple[Optional[str], Optional[bool]]:
    """The name of the metric that was `asked` for, and whether less of it is better: ``place:min``; None: not said."""
    name, _, way = (asked or "").rpartition(":")
    if name and way in ("min", "max"):
        return name, way == "min"
    return asked, None


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


def _unknown(option: str, names: Sequence[str]) -> UsageError:
    if option == "show":
        return UsageError(
            f"--{option} is for cells: nobody can look into a command. Its exit code is shown.",
            f"--{option} 옵션은 셀에서만 쓸 수 있어요. 명령 안은 볼 수 없어서 종료 코드를 보여 드려요.",
        )
    known = _dashed(names)
    hint_en, hint_ko = did_you_mean(f"--{option}", known)
    return UsageError(
        f"there is no option --{option[:40]}.{hint_en} There are: {', '.join(known)}.",
        f"--{option[:40]} 옵션은 없어요.{hint_ko} 쓸 수 있는 옵션: {', '.join(known)}",
    )


def _dashed(names: Sequence[str]) -> List[str]:
    return [f"--{name}" for name in names]


def _one_dash(typed: str, option: str) -> UsageError:
    return UsageError(
        f"{typed} is no option: write --{option}, with two dashes.",
        f"{typed} 대신 --{option}처럼 하이픈 두 개로 적어 주세요.",
    )


def _alone(option: str, needs: str, example: str) -> UsageError:
    return UsageError(
        f"{option} needs {needs}, e.g. {example}.",
        f"{option} 옵션은 {needs} 옵션과 함께 써 주세요(예: {example}).",
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
