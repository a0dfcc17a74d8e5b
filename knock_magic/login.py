"""``%knock login kakao`` and ``knock login kakao``: the steps, what is missing, the address, and what came back.

What is secret is asked for as a password is: in a notebook it goes over the kernel's own channel for that,
and never into the document. The address to open holds the app's REST API key, so a notebook shows it only while
the login lasts.
"""

from __future__ import annotations

import contextlib
import getpass
import html
import os
import sys
import uuid
import webbrowser
from typing import TYPE_CHECKING, Any, ContextManager, Dict, Iterator, List, Mapping, Optional, Sequence

from knock_magic import folders, kakao_codes, messages, private_file
from knock_magic.channels.kakao import Kakao
from knock_magic.errors import KnockError, SettingsError, UsageError, did_you_mean, seen
from knock_magic.kakao_login import ASKED_FOR, KakaoLogin
from knock_magic.knocker import Knocker
from knock_magic.language import pick
from knock_magic.patience import Patience
from knock_magic.redirect import Redirect, is_here
from knock_magic.settings import Secret, label_of

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

MOST_TRIES = 5
NO_BROWSER = "--no-browser"
FRIENDS = "--friends"
OPTIONS = (FRIENDS, NO_BROWSER)


class Terminal:
    """The person in a terminal; their browser is opened where there is a display, unless they would rather not."""

    def __init__(self, opens_browser: bool) -> None:
        self._opens_browser = opens_browser

    def say(self, text: str) -> None:
        """Print `text`, before whatever is asked next."""
        print(text, flush=True)

    def ask(self, prompt: str, hidden: bool = True) -> str:
        """What the person types or pastes, which nobody sees if it is `hidden`.

        Raises:
            UsageError: there is nobody to ask.
        """
        try:
            if not sys.stdin.isatty():  # getpass would complain that it can't hide what comes through a pipe
                return _line(prompt)
            return (getpass.getpass if hidden else input)(f"{prompt} ")
        except EOFError:
            raise _nobody() from None

    def name(self, chosen: Mapping[int, str]) -> str:
        """Those who were chosen from a list: by their names, or where these had better not stay, by their numbers."""
        return ", ".join(chosen.values())

    @contextlib.contextmanager
    def _listing(self, lines: Sequence[str]) -> Iterator[None]:
        self.say("\n".join(lines))
        yield

    @contextlib.contextmanager
    def _showing(self, address: str) -> Iterator[None]:
        self.say(f"\n    {address}\n")
        with contextlib.ExitStack() as stack:
            if self._opens_browser and has_display(os.environ):
                with contextlib.suppress(OSError, SettingsError, webbrowser.Error):
                    webbrowser.open(f"file://{stack.enter_context(_leading_to(address))}")
            yield

    def showing(self, address: str) -> ContextManager[None]:
        """Show `address` as long as this lasts."""
        return self._showing(address)

    def listing(self, lines: Sequence[str]) -> ContextManager[None]:
        """Show `lines` as long as this lasts."""
        return self._listing(lines)


class Notebook(Terminal):
    """The person in a notebook."""

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(opens_browser=False)
        self._display: Any = shell.display_pub

    def ask(self, prompt: str, hidden: bool = True) -> str:
        """What the person types or pastes, in a field for passwords if it is `hidden`; else it stays in the document."""
        try:
            return (getpass.getpass if hidden else input)(f"{prompt} ")
        except (EOFError, NotImplementedError):  # IPython's StdinNotImplementedError, where nobody sits in front of it
            raise _nobody() from None

    def name(self, chosen: Mapping[int, str]) -> str:
        """The numbers of those who were chosen: the list has gone from the document."""
        return pick({"en": "{}", "ko": "{}번"}).format(", ".join(map(str, chosen)))

    def showing(self, address: str) -> ContextManager[None]:
        """Show `address` as long as this lasts, and take it out of the document then."""
        text = pick({"en": "Log in to Kakao", "ko": "카카오 로그인 열기"})
        page = f'<a href="{html.escape(address)}" target="_blank" rel="noopener noreferrer">{text}</a>'
        gone = pick({"en": "(The login's address was here.)", "ko": "(로그인 주소가 있던 자리예요.)"})
        return self._briefly(address, page, gone)

    def listing(self, lines: Sequence[str]) -> ContextManager[None]:
        """Show `lines` as long as this lasts: names of people are nothing for a document."""
        gone = pick({"en": "(Your friends were listed here.)", "ko": "(친구 목록이 있던 자리예요.)"})
        return self._briefly("\n".join(lines), "<br>".join(map(html.escape, lines)), gone)

    @contextlib.contextmanager
    def _briefly(self, text: str, page: str, gone: str) -> Iterator[None]:
        place = {"display_id": uuid.uuid4().hex}
        self._display.publish({"text/plain": text, "text/html": page}, transient=place)
        try:
            yield
        finally:
            self._display.publish({"text/plain": gone, "text/html": f"<i>{gone}</i>"}, transient=place, update=True)


def run(knocker: Knocker, person: Terminal, words: Sequence[str]) -> bool:
    """Log in to what `words` name, with `person`; whether that worked.

    Raises:
        KnockError: it can't be done at all; what goes wrong on the way is told to the person.
    """
    if [word for word in words if not word.startswith("-")] != [Kakao.key]:
        raise _what(words)
    kakao = _Kakao(knocker, person, FRIENDS in words)
    try:
        if kakao.run():
            _try_out(knocker, person)
    except KeyboardInterrupt:
        texts = {
            True: {"en": "Stopped; the login itself is kept.", "ko": "멈췄어요. 로그인은 되어 있어요."},
            False: {
                "en": "The login was cancelled; nothing was changed.",
                "ko": "로그인을 취소했어요. 바뀐 것은 없어요.",
            },
        }
        person.say("\n" + pick(texts[kakao.is_kept]))
    finally:
        if knocker.cells:
            knocker.cells.spoke()  # no cell that waits for a person is news
    return kakao.is_kept


def _try_out(knocker: Knocker, person: Terminal) -> None:
    for line, _ in messages.test(knocker, [Kakao.key]):
        person.say(line)
    in_use = knocker.settings.to
    if in_use and Kakao.key not in in_use:
        both = [*in_use, Kakao.key]
        how = f"%knock use {' '.join(both)} --save" if knocker.cells else f"KNOCK_TO={','.join(both)}"
        person.say(
            pick(
                {
                    "en": f"kakao is not among the channels in use yet. To have it there: {how}",
                    "ko": f"kakao는 아직 사용 중인 채널이 아니에요. 함께 쓰려면: {how}",
                }
            )
        )
    if "google.colab" in sys.modules and not os.environ.get("KNOCK_HOME"):
        person.say(
            pick(
                {
                    "en": "This login goes when Colab deletes the runtime. To keep it, mount your Drive, and run this before "
                    "you load knock: %env KNOCK_HOME=/content/drive/MyDrive/knock",
                    "ko": "Colab이 런타임을 삭제하면 이 로그인도 사라져요. 남겨 두려면 드라이브를 연결하고, "
                    "knock을 불러오기 전에 이 줄을 실행해 주세요: %env KNOCK_HOME=/content/drive/MyDrive/knock",
                }
            )
        )


class _Kakao:
    def __init__(self, knocker: Knocker, person: Terminal, friends: bool) -> None:
        self._person = person
        self._with_friends = friends
        self.is_kept = False
        self._login = KakaoLogin(knocker, friends=friends)
        self._app: Kakao = Kakao(**knocker.channel(Kakao.key).values())

    def run(self) -> bool:
        """Ask until it works or can't; whether it did."""
        names = self._unknown()
        if names:
            self._person.say(pick(Kakao.steps) + "\n")
        typed: Dict[str, str] = {}
        for _ in range(MOST_TRIES):
            for name in names:
                self._ask_for(name, typed)
            try:
                self._person.say(str(self._once(typed)))
                self.is_kept = True
                if self._with_friends:
                    self._choose_friends()
                return True
            except KnockError as problem:
                self._person.say(f"{problem}\n")
                wrong = kakao_codes.setting_of(str(problem))
                if not wrong:
                    return False
                names = [wrong]
        return False

    def _unknown(self) -> List[str]:
        """What to ask for at first: a new app's secret too, which not every app has."""
        missing = self._login.needs()
        is_new = "rest_api_key" in missing and not self._app.client_secret
        return [name for name in ASKED_FOR if name in missing or (name == "client_secret" and is_new)]

    def _ask_for(self, name: str, typed: Dict[str, str]) -> None:
        """Put into `typed` what the person wants as the setting `name`."""
        trait = self._app.fields()[name]
        is_secret = isinstance(trait, Secret)
        prompt = self._prompt_for(name, label_of(trait).rstrip("."))
        for _ in range(MOST_TRIES):
            value = self._person.ask(prompt, hidden=is_secret).strip()
            if not value and name == "redirect_uri":
                return  # it is registered now
            try:
                self._app.put(name, value, name)
                if value or name == "client_secret":
                    typed[name] = value
                    return
                self._person.say(pick({"en": "Nothing was typed.", "ko": "입력한 값이 없어요."}))
            except SettingsError as problem:
                self._person.say(str(problem))
        raise UsageError(f"the login needs {name}.", f"로그인하려면 {name} 값이 필요해요.")

    def _prompt_for(self, name: str, label: str) -> str:
        uri = self._login.redirect_uri
        texts = {
            "rest_api_key": {
                "en": f"{label} ({name}), not shown:",
                "ko": f"{label} ({name}), 입력해도 보이지 않아요:",
            },
            "client_secret": {
                "en": f"{label} ({name}), not shown; just Enter if it is off:",
                "ko": f"{label} ({name}), 입력해도 보이지 않아요. 꺼져 있으면 그냥 Enter:",
            },
            "redirect_uri": {
                "en": f"Register {uri} in the console and press Enter, or type the one that is there ({name}):",
                "ko": f"콘솔에 {uri} 을 등록한 뒤 Enter를 눌러 주세요. 다른 주소면 입력해 주세요({name}):",
            },
        }
        return pick(texts[name])

    def _once(self, typed: Mapping[str, str]) -> Any:
        """Show the address, and take what comes back."""
        begun = self._login.begin(**typed)
        self._person.say(
            pick(
                {
                    "en": "Open this address, agree, and copy the address that the browser ends at; "
                    "its page need not open. You have five minutes.",
                    "ko": "이 주소를 열어 동의한 다음, 브라우저가 마지막에 도착한 주소를 복사해 주세요. "
                    "페이지가 열리지 않아도 괜찮아요. 5분 안에 해 주세요.",
                }
            )
        )
        try:
            with self._person.showing(begun.address):
                return self._take_answer()
        finally:
            self._login.cancel()

    def _choose_friends(self) -> None:
        """Let the person choose among the friends that the app may know."""
        found = self._login.friends()
        if not found:
            self._person.say(
                pick(
                    {
                        "en": "Kakao names no friends: they have to log in to your app once, and be on its team "
                        "as long as it has not been reviewed.",
                        "ko": "보낼 수 있는 친구가 없어요. 친구도 내 앱에 한 번 로그인해야 하고, "
                        "심사를 받기 전에는 앱의 팀원이어야 해요.",
                    }
                )
            )
            return
        so_far = [number for number, uuid in enumerate(found, 1) if uuid in self._login.chosen]
        with self._person.listing([f"{number}. {name}" for number, name in enumerate(found.values(), 1)]):
            numbers = self._ask_for_numbers(len(found), so_far)
        if numbers is None:
            self._person.say(pick({"en": "Your friends stay as they are.", "ko": "친구는 그대로 두었어요."}))
            return
        everybody = list(found.items())
        self._login.choose([everybody[number - 1][0] for number in numbers])
        count = len(numbers)
        shown = self._person.name({number: everybody[number - 1][1] for number in numbers})
        self._person.say(
            pick(
                {
                    "en": f"Friends who get your notes too: {count}" + (f" ({shown})." if count else "."),
                    "ko": f"알림을 함께 받을 친구: {count}명" + (f" ({shown})" if count else ""),
                }
            )
        )

    def _ask_for_numbers(self, most: int, so_far: Sequence[int]) -> Optional[List[int]]:
        """Whom the person wants, each once; None where that stays as it is."""
        kept = ", ".join(map(str, so_far))
        texts = {
            "en": "Who gets your notes too? Numbers, separated by commas; 0 for nobody, just Enter "
            + (f"to keep {kept}:" if kept else "to change nothing:"),
            "ko": "알림을 함께 받을 친구의 번호를 쉼표로 나눠 적어 주세요. 아무도 없으면 0, "
            + (f"지금처럼 {kept}번이면 그냥 Enter:" if kept else "그대로 두려면 그냥 Enter:"),
        }
        for _ in range(MOST_TRIES):
            words = self._person.ask(pick(texts), hidden=False).replace(",", " ").split()
            if not words:
                return None
            if words == ["0"]:
                return []
            wrong = [word for word in words if not (word.isdecimal() and 0 < int(word) <= most)]
            if not wrong:
                return list(dict.fromkeys(map(int, words)))
            seen = ", ".join(wrong)[:40]
            self._person.say(
                pick(
                    {
                        "en": f"There is no friend {seen}. The numbers go from 1 to {most}.",
                        "ko": f"{seen}번 친구는 없어요. 1부터 {most}까지의 번호를 적어 주세요.",
                    }
                )
            )
        raise UsageError("no friends were chosen.", "친구를 고르지 않았어요.")

    def _take_answer(self) -> Any:
        for left in reversed(range(MOST_TRIES)):
            try:
                return self._login.finish(self._answer())
            except UsageError as problem:
                if not (left and self._login.is_open):
                    raise
                self._person.say(str(problem))
        raise AssertionError("the last try raises")

    def _answer(self) -> str:
        """What the person pastes, or their browser brings if it is on this machine; nothing when time is up."""
        pasted = ""
        with Patience(self._login.seconds_left) as patience, contextlib.ExitStack() as stack:
            if is_here(self._login.redirect_uri):
                with contextlib.suppress(OSError):  # then it is pasted
                    stack.enter_context(Redirect(self._login.redirect_uri, self._login.answers, patience.end))
            pasted = self._person.ask(
                pick(
                    {
                        "en": "Paste the address (it is not shown), or the KOE code if Kakao shows one:",
                        "ko": "도착한 주소를 붙여 넣어 주세요(보이지 않아요). KOE 코드가 보이면 그 코드를 적어 주세요:",
                    }
                )
            )
        if patience.is_over:
            self._person.say("")  # below the prompt
        return patience.found or pasted


def _what(words: Sequence[str]) -> UsageError:
    typed = " ".join(words)
    hints, (got_en, got_ko) = did_you_mean(typed, [Kakao.key]), seen(typed)
    return UsageError(
        f"only kakao has a login{got_en}.{hints[0]} Type: %knock login kakao; in a shell: knock login kakao.",
        f"로그인이 필요한 채널은 kakao뿐이에요.{got_ko}{hints[1]} "
        "%knock login kakao처럼 적어 주세요. 셸에서는 knock login kakao예요.",
    )


def _nobody() -> UsageError:
    return UsageError(
        "there is nobody to ask here. Log in where you can type: a notebook in a browser, or a terminal.",
        "여기서는 물어볼 수 없어요. 입력할 수 있는 노트북이나 터미널에서 로그인해 주세요.",
    )


def _line(prompt: str) -> str:
    print(prompt, flush=True)
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line


def has_display(environ: Mapping[str, str]) -> bool:
    """Whether a browser can be opened on this machine in front of the person."""
    if environ.get("SSH_CONNECTION"):
        return False
    return os.name == "nt" or sys.platform == "darwin" or bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


@contextlib.contextmanager
def _leading_to(address: str) -> Iterator[str]:
    """A page that leads to `address`, readable by its owner alone: a process's arguments are everybody's to see."""
    folder = folders.runtime_folder(os.environ)
    folders.make_private(folder)
    path = os.path.join(folder, f"login-{uuid.uuid4().hex}.html")
    page = f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={html.escape(address)}">'
    private_file.write(path, page.encode())
    try:
        yield path
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)
