"""``%knock setup`` in text: the panel's questions one after the other, where nothing can draw a panel."""

from __future__ import annotations

import getpass
import sys
import time
from typing import Any, Callable

from traitlets import TraitType

from knock_magic import autoload, channels, draft, login, preview, status
from knock_magic.channels.kakao import Kakao
from knock_magic.draft import Draft
from knock_magic.durations import say_duration
from knock_magic.errors import KnockError, SettingsError, UsageError
from knock_magic.knocker import Knocker
from knock_magic.language import pick
from knock_magic.messages import TEST_SECONDS
from knock_magic.settings import Secret, label_of

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
    """Ask for a channel and its settings, test it, then ask for template and threshold.

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
            _auto(knocker, person)
        _done(knocker, person, startup_folder)
    except KeyboardInterrupt:
        texts = {"en": "\nStopped; what was saved stays.", "ko": "\n그만뒀어요. 저장한 것은 그대로예요."}
        person.say(pick(texts))
    finally:
        if knocker.cells:
            knocker.cells.spoke()  # no cell that waits for a person is news


# A channel.


def _choose(knocker: Knocker, person: Person) -> str:
    """The channel that the person wants; empty for none."""
    names = channels.names()
    person.say(pick({"en": "Where shall it knock?", "ko": "어디로 알려 드릴까요?"}))
    states = status.states(knocker)
    for number, name in enumerate(names, 1):
        person.say(f"  {number:>2}  {name:<14} {_label(name)} · {_state(states[name])}")
    prompt = pick({"en": "Number or name (nothing: leave it as it is):", "ko": "번호나 이름(그대로 두려면 엔터):"})
    for _ in range(MOST_TRIES):
        typed = person.ask(prompt)
        if not typed:
            return ""
        if typed.isdigit() and 1 <= int(typed) <= len(names):
            return names[int(typed) - 1]
        try:
            channels.find(typed.lower())
            return typed.lower()
        except KnockError as problem:
            person.say(str(problem))
    return ""


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
    typed = person.ask(f"{pick({'en': 'Template', 'ko': '템플릿'})} ({names}) [{knocker.settings.template}]:")
    _keep(knocker, person, "template", typed, lambda: knocker.use_template(typed))


def _auto(knocker: Knocker, person: Person) -> None:
    now = "off" if knocker.settings.auto is None else f"{knocker.settings.auto:g}s"
    prompt = {"en": "Cells knock by themselves from", "ko": "이만큼 걸린 셀부터 자동으로 알리기"}
    typed = person.ask(f"{pick(prompt)} (60s, 15m, off) [{now}]:")

    def go() -> None:
        knocker.settings.put("auto", typed, "auto")
        knocker.announce()

    _keep(knocker, person, "auto", typed, go)


def _keep(knocker: Knocker, person: Person, name: str, typed: str, go: Callable[[], None]) -> None:
    if not typed:
        return
    try:
        go()
        knocker.configuration.save(name, typed)
    except (KnockError, SettingsError) as problem:
        person.say(f"  {problem}")


def _done(knocker: Knocker, person: Person, startup_folder: str) -> None:
    used = ", ".join(draft.in_use(knocker))
    texts = {
        "en": f"\nKnocks on: {used or 'the line under the cell'} · {status.auto_line(knocker)}\n"
        f"Settings: {knocker.configuration.file_name}\nIn the next notebook: %load_ext knock",
        "ko": f"\n알림 채널: {used or '셀 아래 한 줄'} · {status.auto_line(knocker)}\n"
        f"설정: {knocker.configuration.file_name}\n다음 노트북에서는: %load_ext knock",
    }
    person.say(pick(texts))
    if startup_folder and not autoload.is_on(startup_folder):
        person.say(pick({"en": "Without that line: %knock autoload on", "ko": "그 줄 없이 쓰려면: %knock autoload on"}))
