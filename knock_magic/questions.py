"""``%knock setup`` in text: the panel's questions one after the other, where nothing can draw a panel."""

from __future__ import annotations

import getpass
import sys
import time
from typing import Any, Callable, Dict, Tuple

from traitlets import TraitType

from knock_magic import autoload, channels, draft, language, login, preview, rules, status
from knock_magic.channels.kakao import Kakao
from knock_magic.draft import Draft
from knock_magic.durations import parse_duration, say_duration
from knock_magic.errors import KnockError, SettingsError, UsageError
from knock_magic.knocker import Knocker
from knock_magic.language import pick
from knock_magic.messages import TEST_SECONDS
from knock_magic.settings import Secret, from_text, label_of

MOST_TRIES = 5
YES = ("y", "yes", "네", "예", "ㅇ", "응")


class Person:
    """Who answers: what is secret is not shown while it is typed, and stands in no notebook."""

    def say(self, text: str) -> None:
        """Print `text`, before whatever is asked next."""
        print(text, flush=True)

    def ask(self, prompt: str, *, is_secret: bool = False) -> str:
        """What the person types, without the spaces around it.

        Raises:
            UsageError: nobody can answer here.
        """
        try:
            # getpass would complain that it can't hide what comes through a pipe.
            hides = is_secret and ("ipykernel" in sys.modules or sys.stdin.isatty())
            return (getpass.getpass if hides else input)(f"{prompt} ").strip()
        except (EOFError, NotImplementedError):  # IPython's StdinNotImplementedError, where nobody sits in front of it
            raise _nobody() from None


def _nobody() -> UsageError:
    return UsageError(
        "nobody can answer here. Set KNOCK_TO and the variables that %knock channels lists, or run %knock setup in a "
        "notebook or terminal.",
        "여기서는 답할 사람이 없어요. KNOCK_TO와 %knock channels에 나오는 환경 변수를 정하거나, "
        "노트북이나 터미널에서 %knock setup을 실행해 주세요.",
    )


def run(knocker: Knocker, person: Person, channel: str = "", startup_folder: str = "", kakao: Any = None) -> None:
    """Ask for a channel and its settings, test it, then ask for what the panel's other steps have.

    Args:
        knocker: whose settings these are.
        person: who answers.
        channel: the channel to begin with; empty: that is asked first.
        startup_folder: where what is loaded by itself stands, if anywhere.
        kakao: the person as `login` asks them.

    Raises:
        UsageError: nobody can answer here, or there is no such channel.
    """
    try:
        name = channel or _choose(knocker, person)
        if name and _set_up(knocker, person, name, kakao) and not channel:
            _template(knocker, person)
            _duration(knocker, person, "auto")
            _more(knocker, person)
        _done(knocker, person)
        if not channel:
            _autoload(person, startup_folder)
    except KeyboardInterrupt:
        texts = {"en": "\nStopped; what was saved stays.", "ko": "\n그만뒀어요. 저장한 것은 그대로예요."}
        person.say(pick(texts))
    finally:
        if knocker.cells:
            knocker.cells.spoke()  # no cell that waits for a person is news


# A channel.


def _choose(knocker: Knocker, person: Person) -> str:
    """The channel that the person wants; empty for none."""
    names = sorted(channels.names(), key=_order)
    person.say(pick({"en": "Where should it knock?", "ko": "어디로 알려 드릴까요?"}))
    states = status.states(knocker)
    for number, name in enumerate(names, 1):
        person.say(f"  {number:>2}  {name:<14} {_label(name)} · {_state(states[name])}")
    prompt = pick({"en": "Number or name (nothing: leave it as it is):", "ko": "번호나 이름(그대로 두려면 엔터):"})
    for _ in range(MOST_TRIES):
        typed = person.ask(prompt)
        if not typed:
            return ""
        if typed.isdecimal() and 1 <= int(typed) <= len(names):
            return names[int(typed) - 1]
        try:
            channels.find(typed.lower())
            return typed.lower()
        except KnockError as problem:
            person.say(str(problem))
    return ""


def _order(name: str) -> Tuple[bool, bool, str]:
    """In Korean the Korean services first; what needs no setting is last."""
    try:
        found = channels.find(name)
    except KnockError:
        return True, True, name
    return found.in_kernel, language.current() == "ko" and not found.is_korean, name


def _label(name: str) -> str:
    try:
        return pick(channels.find(name).label)
    except KnockError:
        return name


def _state(state: status.State) -> str:
    words = {
        "ready": {"en": "ready", "ko": "준비됨"},
        "needs": {"en": "needs set-up", "ko": "설정 필요"},
        "aside": {"en": "put aside", "ko": "보내지 않는 중"},
        "broken": {"en": "can't be used", "ko": "쓸 수 없음"},
        "delivered": {"en": "delivered", "ko": "전달됨"},
        "failed": {"en": "failed", "ko": "실패"},
    }
    return pick(words[state.word])


def _set_up(knocker: Knocker, person: Person, name: str, kakao: Any) -> bool:
    """Ask for what the channel needs, and try it; whether it works now."""
    filled = Draft(knocker, name)
    person.say(f"\n{_label(name)}\n{pick(filled.channel.steps)}\n")
    if filled.channel.in_kernel:
        return True
    if name == Kakao.key and kakao is not None:
        worked = login.run(knocker, kakao, [name])
        if worked:
            draft.switch(knocker, name, True)
        return worked
    for each, trait in filled.fields.items():
        _fill(filled, person, each, trait)
    for each in filled.missing():
        person.say(pick({"en": f"{each} is needed.", "ko": f"{each} 값이 필요해요."}))
        _fill(filled, person, each, filled.fields[each])
    return _try_out(knocker, person, filled)


def _fill(filled: Draft, person: Person, name: str, trait: TraitType) -> None:
    """Ask for one setting; an empty answer leaves it as it is."""
    is_secret = isinstance(trait, Secret)
    kept = ""
    if filled.is_stored(name):
        kept = "••••" if is_secret else str(getattr(filled.channel, name))
    elif not is_secret and getattr(filled.channel, name) not in ("", None, []):
        kept = str(getattr(filled.channel, name))
    prompt = f"{label_of(trait).rstrip('.')} ({name}){kept and f' [{kept}]'}:"
    for _ in range(MOST_TRIES):
        typed = person.ask(prompt, is_secret=is_secret)
        if not typed:
            return
        taken = filled.take(name, typed)
        if taken.said:
            person.say(f"  {taken.said}")
        if not taken.is_fault:
            return


def _try_out(knocker: Knocker, person: Person, filled: Draft) -> bool:
    """Send a test knock, and save what works; or what the person insists on."""
    if filled.missing():
        person.say(
            pick(
                {
                    "en": f"Still missing: {', '.join(filled.missing())}. Nothing was saved.",
                    "ko": f"아직 빠진 값이 있어요: {', '.join(filled.missing())}. 저장하지 않았어요.",
                }
            )
        )
        return False
    person.say(pick({"en": "Knocking …", "ko": "보내는 중 …"}))
    began = time.monotonic()
    result = filled.outcome(filled.try_out(), TEST_SECONDS)
    if result is not None and result["ok"]:
        span = say_duration(time.monotonic() - began)
        filled.keep()
        draft.switch(knocker, filled.name, True)
        taken = knocker.channel(filled.name).only_taken
        if taken:
            person.say(f"{pick(taken)} {pick({'en': 'Saved.', 'ko': '저장했어요.'})}")
        else:
            person.say(pick({"en": f"Arrived in {span}, and saved.", "ko": f"{span} 만에 도착했고, 저장했어요."}))
        return True
    filled.withdraw()
    reason = result["reason"] if result is not None else pick({"en": "no answer yet.", "ko": "아직 응답이 없어요."})
    person.say(pick({"en": f"It did not arrive. {reason}", "ko": f"도착하지 않았어요. {reason}"}))
    insists = person.ask(pick({"en": "Save all the same? [y/N]", "ko": "그래도 저장할까요? [y/N]"}))
    if insists.lower() in YES:
        filled.keep()
    return False


# The rest.


def _template(knocker: Knocker, person: Person) -> None:
    person.say("\n" + "\n".join(preview.lines(knocker, knocker.settings.template)))
    names = ", ".join(knocker.configuration.template_names())
    prompt = f"{pick({'en': 'Template', 'ko': '템플릿'})} ({names}) [{knocker.settings.template}]:"
    _ask(knocker, person, prompt, "template", knocker.use_template)


DURATIONS: Dict[str, language.Texts] = {
    "auto": {"en": "Cells knock by themselves from", "ko": "이만큼 걸린 셀부터 자동으로 알리기"},
    "every": {"en": "Send progress every", "ko": "진행 상황을 알릴 간격"},
    "stall": {"en": "Tell me when nothing has happened for", "ko": "이만큼 아무 일도 없으면 알리기"},
}


def _duration(knocker: Knocker, person: Person, name: str) -> None:
    seconds = getattr(knocker.settings, name)
    now = "off" if seconds is None else f"{seconds:g}s"
    prompt = f"{pick(DURATIONS[name])} (60s, 15m, off) [{now}]:"
    _ask(knocker, person, prompt, name, lambda typed: _put(knocker, name, typed))


def _put(knocker: Knocker, name: str, typed: str) -> None:
    knocker.settings.put(name, typed, name)
    knocker.announce()


def _more(knocker: Knocker, person: Person) -> None:
    """What few people change: it is asked for only where one wants that."""
    prompt = {
        "en": "Outcomes, progress, stalls, language, mute too?",
        "ko": "결과, 진행 상황, 멈춤, 언어, 알림 끄기도 정할까요?",
    }
    if person.ask(f"{pick(prompt)} [y/N]").lower() not in YES:
        return
    on = ", ".join(knocker.settings.on or rules.DEFAULT_ON)
    prompt = {"en": "Outcomes that knock", "ko": "알림을 보낼 결과"}
    _ask(
        knocker,
        person,
        f"{pick(prompt)} ({', '.join(rules.OUTCOMES)}) [{on}]:",
        "on",
        lambda text: _put(knocker, "on", text),
    )
    _duration(knocker, person, "every")
    _duration(knocker, person, "stall")
    prompt = {"en": "Mute for (1h, 2d, 0 to unmute):", "ko": "알림을 끌 시간(1h, 2d, 다시 켜려면 0):"}
    _ask(knocker, person, pick(prompt), "", lambda text: knocker.mute(parse_duration(text)))
    prompt = {"en": "Language", "ko": "언어"}
    _ask(
        knocker, person, f"{pick(prompt)} (en, ko) [{language.current()}]:", "lang", lambda text: _speak(knocker, text)
    )


def _speak(knocker: Knocker, lang: str) -> None:
    _put(knocker, "lang", lang)
    language.use(knocker.settings.lang)


def _ask(knocker: Knocker, person: Person, prompt: str, name: str, go: Callable[[str], None]) -> None:
    """Go by what is typed, and save it as the setting `name`, if any; what can't be is told, and asked for again."""
    for _ in range(MOST_TRIES):
        typed = person.ask(prompt)
        if not typed:
            return
        try:
            go(typed)
            if name:
                knocker.configuration.save(name, from_text(knocker.settings.fields()[name], typed))
            return
        except (KnockError, SettingsError) as problem:
            person.say(f"  {problem}")


def _done(knocker: Knocker, person: Person) -> None:
    used = ", ".join(draft.in_use(knocker))
    texts = {
        "en": f"\nKnocks on: {used or 'the line under the cell'} · {status.auto_line(knocker)}\n"
        f"Settings: {knocker.configuration.file_name}\nIn the next notebook: %load_ext knock",
        "ko": f"\n알림 채널: {used or '셀 아래 한 줄'} · {status.auto_line(knocker)}\n"
        f"설정: {knocker.configuration.file_name}\n다음 노트북에서는: %load_ext knock",
    }
    person.say(pick(texts))


def _autoload(person: Person, startup_folder: str) -> None:
    if not startup_folder or autoload.is_on(startup_folder):
        return
    prompt = {"en": "Load it by itself in every later notebook?", "ko": "다음 노트북부터 자동으로 불러올까요?"}
    if person.ask(f"{pick(prompt)} [y/N]").lower() not in YES:
        return
    try:
        autoload.turn_on(startup_folder)
        person.say(autoload.line(startup_folder))
    except KnockError as problem:
        person.say(f"  {problem}")
