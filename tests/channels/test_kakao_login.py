"""Logging in to Kakao: from the keys of an app to a login that is kept. The far end is our own fake (`far_kakao`)."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest
from phone import Phone
from traitlets.config import Config

from knock_magic import language, login as login_module, status
from knock_magic.channels.kakao import REDIRECT_URI, Kakao
from knock_magic.errors import DeliveryError, KnockError, SettingsError, UsageError
from knock_magic.event import Event
from knock_magic.kakao_login import LASTS_S, KakaoLogin
from knock_magic.knocker import Knocker
from knock_magic.login import Terminal
from knock_magic.settings import Sources
from knock_magic.template import render

from .far_kakao import CLIENT_SECRET, KEY, REFRESH_LASTS, Service
from .stage import CANARY, Answer, Internet


@pytest.fixture
def service(internet: Internet) -> Service:
    internet.answering = Service()
    return internet.answering


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def said() -> List[str]:
    return []


@pytest.fixture
def door(internet: Internet, said: List[str]) -> Iterator[Callable[..., Knocker]]:
    def start(**environ: str) -> Knocker:
        given = {"KNOCK_HOME": os.environ["KNOCK_HOME"], "KNOCK_LANG": "en", **environ}
        return Knocker(Sources(given, Config()), say=said.append)

    yield start
    language.use(None)


def settings() -> Dict[str, Any]:
    return json.loads(Path(os.environ["KNOCK_HOME"], "settings.json").read_text())["channels"]["kakao"]


def vault() -> str:
    path = Path(os.environ["KNOCK_HOME"], "kakao.json")
    return path.read_text() if path.exists() else ""


def note(channel: Any) -> None:
    channel.send(render(Event("finished", "학습", 0.0, 60.0, 60.0), lang="ko"))


def problem_of(login: KakaoLogin, pasted: str, kind: type = UsageError) -> KnockError:
    """What is said of what was pasted, in which nothing secret is."""
    with pytest.raises(kind) as caught:
        login.finish(pasted)
    assert isinstance(caught.value, KnockError)
    assert not [text for text in caught.value.texts.values() if CANARY in text or KEY in text]
    return caught.value


# All is well.


def test_a_login_sets_up_the_channel_and_is_used_at_once(service: Service, door: Callable[..., Knocker]) -> None:
    service.client_secret = CLIENT_SECRET
    knocker = door()
    login = KakaoLogin(knocker)
    assert login.needs() == ["rest_api_key"]

    begun = login.begin(rest_api_key=f" {KEY}\n", client_secret=CLIENT_SECRET)
    done = login.finish(service.agree(begun.address))

    assert settings() == {
        "rest_api_key": KEY,
        "client_secret": CLIENT_SECRET,
        "refresh_token": service.refresh_token,
    }
    assert "Logged in" in str(done)
    assert not [secret for secret in (CANARY, KEY) if secret in str(done) + repr(begun) + repr(done)]
    note(knocker.ready("kakao"))
    assert len(service.notes) == 1
    assert service.renewals == 0  # the login brought an access token along
    assert login.needs() == []


def test_what_is_set_need_not_be_typed_and_is_not_written_down(service: Service, door: Callable[..., Knocker]) -> None:
    login = KakaoLogin(door(KNOCK_KAKAO_REST_API_KEY=KEY, KNOCK_KAKAO_REDIRECT_URI="https://localhost"))

    begun = login.begin()
    login.finish(service.agree(begun.address))

    assert "redirect_uri=https%3A%2F%2Flocalhost&" in begun.address
    assert settings() == {"refresh_token": service.refresh_token}


def test_it_is_known_when_the_login_ends(service: Service, door: Callable[..., Knocker]) -> None:
    login = KakaoLogin(door())

    done = login.finish(service.agree(login.begin(rest_api_key=KEY).address))

    kept = json.loads(vault())["logins"]
    assert [round(login["ends_at"] - login["expires_at"]) for login in kept.values()] == [REFRESH_LASTS - 21_599]
    assert done.ends_at in [login["ends_at"] for login in kept.values()]


def test_what_it_writes_is_its_owner_s_alone(service: Service, door: Callable[..., Knocker]) -> None:
    login = KakaoLogin(door())
    before = os.umask(0)
    try:
        login.finish(service.agree(login.begin(rest_api_key=KEY).address))
    finally:
        os.umask(before)

    if os.name == "posix":
        home = Path(os.environ["KNOCK_HOME"])
        assert {path.name: oct(path.stat().st_mode & 0o777) for path in home.iterdir()} == dict.fromkeys(
            [path.name for path in home.iterdir()], "0o600"
        )
        assert home.stat().st_mode & 0o777 == 0o700


def test_an_old_token_in_the_environment_leads_to_the_new_login(service: Service, door: Callable[..., Knocker]) -> None:
    """In Colab it stands among the secrets, which we can't change."""
    old = {"KNOCK_KAKAO_REST_API_KEY": KEY, "KNOCK_KAKAO_REFRESH_TOKEN": f"{CANARY}-long-dead"}
    login = KakaoLogin(door(**old))
    done = login.finish(service.agree(login.begin().address))
    service.access_token, service.rotating = "revoked", True

    note(door(**old).ready("kakao"))
    note(Kakao(rest_api_key=KEY, refresh_token=f"{CANARY}-refresh-of-login-1"))

    assert done.stronger == []
    assert (len(service.notes), service.renewals) == (2, 1)


def test_what_wins_over_the_file_is_named(service: Service, door: Callable[..., Knocker]) -> None:
    login = KakaoLogin(door(KNOCK_KAKAO_REST_API_KEY=KEY, KNOCK_KAKAO_CLIENT_SECRET="of another app"))

    done = login.finish(service.agree(login.begin(client_secret="mine").address))

    assert done.stronger == ["KNOCK_KAKAO_CLIENT_SECRET"]
    assert "But it is overruled by KNOCK_KAKAO_CLIENT_SECRET" in str(done)


def test_other_settings_in_the_file_stay(service: Service, door: Callable[..., Knocker]) -> None:
    knocker = door()
    knocker.configuration.save_channel("kakao", {"daily": 5})
    knocker.configuration.save("template", "short")
    login = KakaoLogin(knocker)

    login.finish(service.agree(login.begin(rest_api_key=KEY).address))

    assert settings()["daily"] == 5
    assert json.loads(Path(os.environ["KNOCK_HOME"], "settings.json").read_text())["template"] == "short"


@pytest.mark.parametrize(
    "paste",
    [
        lambda address: f"  <{address}>\n",
        lambda address: address.replace("http://", ""),  # some browsers hide it
        lambda address: f"{address}#",
        lambda address: address.replace("?", "/?"),
    ],
)
def test_an_address_may_be_pasted_as_browsers_give_it(
    service: Service, door: Callable[..., Knocker], paste: Callable[[str], str]
) -> None:
    login = KakaoLogin(door())

    login.finish(paste(service.agree(login.begin(rest_api_key=KEY).address)))

    assert service.logins == 1


# The wrong thing comes back.

NONSENSE = [
    ("", "nothing was pasted"),
    ("hello", "not the address"),
    (f"{REDIRECT_URI}/", "not the address"),
    ("https://example.com/?x=1", "not the address"),
    ("?" * 5000, "not the address"),
    ("한글", "not the address"),
    ("\ud800", "not the address"),
    (f"{CANARY}-code-of-enough-letters", "only the code"),
    (f"{REDIRECT_URI}?code={CANARY}-code", "only the code"),
    (f"code={CANARY}", "not the address"),
    (f"https://kauth.kakao.com/oauth/authorize?client_id={KEY}&state={CANARY}", "before the login"),
    (f"https://accounts.kakao.com/login/?continue=https%3A%2F%2Fkauth.kakao.com%2F{CANARY}", "before the login"),
    (f"{REDIRECT_URI}?code={CANARY}&state={CANARY}", "another login"),
    (f"{REDIRECT_URI}?code={CANARY}&state=%F0%9F%98%80", "another login"),
    (f"{REDIRECT_URI}?error=access_denied&state={CANARY}", "another login"),
]


@pytest.mark.parametrize(("pasted", "words"), NONSENSE)
def test_what_is_no_answer_is_refused_and_the_right_one_still_taken(
    service: Service, door: Callable[..., Knocker], pasted: str, words: str
) -> None:
    login = KakaoLogin(door())
    begun = login.begin(rest_api_key=KEY)

    problem = problem_of(login, pasted)

    assert words in problem.texts["en"]
    assert login.is_open
    assert vault() == ""
    login.finish(service.agree(begun.address))
    assert service.logins == 1


def test_an_answer_works_once(service: Service, door: Callable[..., Knocker]) -> None:
    login = KakaoLogin(door())
    address = service.agree(login.begin(rest_api_key=KEY).address)
    login.finish(address)

    problem = problem_of(login, address)

    assert "works once" in problem.texts["en"]
    assert service.logins == 1


def test_nothing_is_taken_before_it_has_begun_or_after_it_was_cancelled(
    service: Service, door: Callable[..., Knocker]
) -> None:
    login = KakaoLogin(door())
    assert "is over" in problem_of(login, f"{REDIRECT_URI}?code=a&state=b").texts["en"]
    address = service.agree(login.begin(rest_api_key=KEY).address)
    login.cancel()

    assert "is over" in problem_of(login, address).texts["en"]


def test_only_the_last_one_that_was_begun_counts(service: Service, door: Callable[..., Knocker]) -> None:
    login = KakaoLogin(door())
    first = login.begin(rest_api_key=KEY)
    second = login.begin(rest_api_key=KEY)

    assert first.state != second.state
    assert "another login" in problem_of(login, service.agree(first.address)).texts["en"]


def test_after_five_minutes_it_is_over(service: Service, door: Callable[..., Knocker]) -> None:
    clock = Clock()
    login = KakaoLogin(door(), clock=clock)
    address = service.agree(login.begin(rest_api_key=KEY).address)
    clock.now += LASTS_S

    problem = problem_of(login, address)

    assert "five minutes" in problem.texts["en"]
    assert "5분" in problem.texts["ko"]
    assert not login.is_open
    assert service.codes  # nobody asked for its token


def test_who_declines_is_told_how_to_try_again(service: Service, door: Callable[..., Knocker]) -> None:
    login = KakaoLogin(door())

    problem = problem_of(login, service.decline(login.begin(rest_api_key=KEY).address))

    assert "did not agree" in problem.texts["en"]
    assert not login.is_open


def test_another_error_is_named_but_no_text_of_others_is_shown(service: Service, door: Callable[..., Knocker]) -> None:
    login = KakaoLogin(door())
    begun = login.begin(rest_api_key=KEY)
    address = service.decline(begun.address)

    assert "server_error" in str(problem_of(login, address.replace("access_denied", "server_error")))
    begun = login.begin(rest_api_key=KEY)
    evil = service.decline(begun.address).replace("access_denied", "%3Cb%3E" + CANARY)
    assert "(?)" in str(problem_of(login, evil))


def test_the_code_on_kakao_s_page_may_be_pasted_in_place_of_an_address(
    service: Service, door: Callable[..., Knocker]
) -> None:
    """Kakao shows an error of the app in the browser, and leads nowhere."""
    login = KakaoLogin(door())
    login.begin(rest_api_key=KEY)

    problem = problem_of(login, "앱 관리자 설정 오류 (KOE006)", DeliveryError)

    assert "App > Platform key > REST API key" in problem.texts["en"]
    assert "[플랫폼 키]" in problem.texts["ko"]
    assert login.is_open


@pytest.mark.parametrize("pasted", ["koe006", "KOE 006", "오류 코드: KOE006."])
def test_a_code_may_be_typed_as_people_type_it(door: Callable[..., Knocker], pasted: str) -> None:
    login = KakaoLogin(door(KNOCK_KAKAO_REDIRECT_URI="https://localhost"))
    login.begin(rest_api_key=KEY)

    problem = problem_of(login, pasted, DeliveryError)

    assert "https://localhost is not registered" in problem.texts["en"]
    assert "리다이렉트 URI https://localhost 은 등록되어 있지 않아요" in problem.texts["ko"]


@pytest.mark.parametrize("pasted", ["KOE204", "koe 009", "(KOE301)"])
def test_a_code_that_nobody_told_of_is_no_wrong_address(door: Callable[..., Knocker], pasted: str) -> None:
    login = KakaoLogin(door())
    login.begin(rest_api_key=KEY)

    problem = problem_of(login, pasted)

    assert problem.texts["ko"].startswith("KOE")
    assert "처음 보는 코드예요" in problem.texts["ko"]
    assert "Troubleshooting" in problem.texts["en"]
    assert login.is_open


def test_a_shell_is_told_of_commands_of_its_own(service: Service, door: Callable[..., Knocker]) -> None:
    login = KakaoLogin(door())
    declined = problem_of(login, service.decline(login.begin(rest_api_key=KEY).address))
    over = problem_of(login, "KOE006")

    assert not [problem for problem in (declined, over) if "%" in str(problem.texts)]
    assert "knock login kakao" in declined.texts["ko"]


# A person at a prompt.


class Someone(Terminal):
    """Types `answers` in turn; sees the address that is shown."""

    def __init__(self, *answers: Any) -> None:
        super().__init__(opens_browser=False)
        self.answers = list(answers)
        self.asked: List[str] = []
        self.hidden: List[bool] = []
        self.said: List[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)
        if "https://kauth" in text:
            self.address = text.strip()

    def ask(self, prompt: str, hidden: bool = True) -> str:
        self.asked.append(prompt)
        self.hidden.append(hidden)
        answer = self.answers.pop(0)
        return answer(self.address) if callable(answer) else answer


@pytest.fixture
def log_in(door: Callable[..., Knocker], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Someone]:
    """`knock login kakao` by someone who types these answers, without the test note at the end."""
    monkeypatch.setattr(login_module.messages, "test", lambda *_: [])

    def run(*answers: Any, friends: bool = False, **environ: str) -> Someone:
        someone = Someone(*answers)
        login_module.run(door(**environ), someone, ["kakao", *(["--friends"] if friends else [])])
        assert someone.answers == []
        return someone

    return run


def test_who_has_registered_the_address_presses_enter(service: Service, log_in: Callable[..., Someone]) -> None:
    someone = log_in(KEY, "", "KOE006", "", service.agree)

    assert someone.asked[3].startswith(f"Register {REDIRECT_URI} in the console and press Enter")
    assert f"{REDIRECT_URI} is not registered" in "".join(someone.said)
    assert someone.hidden[:4] == [True, True, True, False]
    assert settings() == {"rest_api_key": KEY, "client_secret": "", "refresh_token": service.refresh_token}


def test_who_has_another_address_types_it(service: Service, log_in: Callable[..., Someone]) -> None:
    log_in(KEY, "", "KOE006", "https://localhost", service.agree)

    assert settings()["redirect_uri"] == "https://localhost"


def test_what_is_hidden_says_so_and_an_empty_key_is_told(service: Service, log_in: Callable[..., Someone]) -> None:
    someone = log_in("", KEY, "", service.agree)

    assert all("not shown" in prompt for prompt in someone.asked)
    assert "just Enter if it is off" in someone.asked[2]
    assert someone.said.count("Nothing was typed.") == 1


FRIENDS = {"KNOCK_KAKAO_REST_API_KEY": KEY}


def test_a_typing_error_costs_no_friend(service: Service, log_in: Callable[..., Someone]) -> None:
    log_in(service.agree, "1 3", friends=True, **FRIENDS)

    someone = log_in(service.agree, "13", "1, 99", "x", "3, 3 2", friends=True, **FRIENDS)

    said = "\n".join(someone.said)
    assert "There is no friend 13. The numbers go from 1 to 7." in said
    assert "There is no friend 99." in said
    assert "There is no friend x." in said
    assert "to keep 1, 3:" in someone.asked[1]
    assert "too: 2 (친구 3, 친구 2)." in said
    assert settings()["friends"] == ["uuid-of-friend-3", "uuid-of-friend-2"]


@pytest.mark.parametrize(("typed", "left"), [("", ["uuid-of-friend-1"]), ("0", [])])
def test_enter_keeps_friends_and_a_zero_lets_them_go(
    service: Service, log_in: Callable[..., Someone], typed: str, left: List[str]
) -> None:
    log_in(service.agree, "1", friends=True, **FRIENDS)

    log_in(service.agree, typed, friends=True, **FRIENDS)

    assert settings()["friends"] == left


# Kakao refuses.


@pytest.mark.parametrize("code", ["KOE010", "KOE101", "KOE303", "KOE320"])
def test_a_refusal_says_what_to_click(internet: Internet, door: Callable[..., Knocker], code: str) -> None:
    login = KakaoLogin(door())
    address = Service().agree(login.begin(rest_api_key=KEY).address)
    said = {"error": "invalid", "error_description": f"code={CANARY}-code-0", "error_code": code}
    internet.answering = lambda request: Answer(400, said)

    problem = problem_of(login, address, DeliveryError)

    assert f"({code})" in problem.texts["en"]
    assert not login.is_open
    assert vault() == ""


@pytest.mark.parametrize(
    "answer",
    [
        Answer(400, {"error": "odd", "error_description": f"code={CANARY}-code-0 is odd"}),
        Answer(200, {"access_token": f"{CANARY}-a"}),
        Answer(200, "<html>Please log in"),
        Answer(200, ""),
        Answer(503, f"{CANARY}-code-0"),
        Answer(deed="reset"),
    ],
)
def test_an_odd_answer_is_one_clear_error(internet: Internet, door: Callable[..., Knocker], answer: Answer) -> None:
    login = KakaoLogin(door())
    address = Service().agree(login.begin(rest_api_key=KEY).address)
    internet.answering = lambda request: answer

    problem = problem_of(login, address, DeliveryError)

    assert problem.texts["en"].startswith("KakaoTalk: ")
    assert vault() == ""


def test_who_does_not_tick_messages_is_told_to(service: Service, door: Callable[..., Knocker]) -> None:
    """The consent is optional, so the login works without it, and no note ever would."""
    service.scope = "profile_nickname"
    login = KakaoLogin(door())

    problem = problem_of(login, service.agree(login.begin(rest_api_key=KEY).address), DeliveryError)

    assert "tick" in problem.texts["en"]
    assert vault() == ""


# What is typed.


@pytest.mark.parametrize("wrong", ["", "한글키", KEY + "0", CANARY])
def test_a_key_that_is_none_is_refused_before_anything_begins(door: Callable[..., Knocker], wrong: str) -> None:
    login = KakaoLogin(door())

    with pytest.raises(SettingsError) as caught:
        login.begin(rest_api_key=wrong)

    assert "rest_api_key" in caught.value.texts["en"]
    assert "rest_api_key" in caught.value.texts["ko"]
    assert CANARY not in str(caught.value.texts)
    assert not login.is_open


def test_where_the_file_can_not_be_changed_that_is_said(service: Service, door: Callable[..., Knocker]) -> None:
    login = KakaoLogin(door())
    begun = login.begin(rest_api_key=KEY)
    Path(os.environ["KNOCK_HOME"]).mkdir(mode=0o700)
    Path(os.environ["KNOCK_HOME"], "settings.json").write_text("{")
    Path(os.environ["KNOCK_HOME"], "settings.json").chmod(0o600)

    problem = problem_of(login, service.agree(begun.address), SettingsError)

    assert "settings.json" in problem.texts["en"]
    assert Path(os.environ["KNOCK_HOME"], "settings.json").read_text() == "{"


# The end of a login: sixty days, unless it is used in the last month.


def days_left(login: Any, days: float) -> float:
    """The moment at which `login` has so many days left."""
    return float(login.ends_at) - days * 86_400


def test_a_week_before_its_end_a_login_is_told_of(service: Service, door: Callable[..., Knocker]) -> None:
    knocker = door()
    login = KakaoLogin(knocker)
    done = login.finish(service.agree(login.begin(rest_api_key=KEY).address))
    kakao = knocker.ready("kakao")

    told = {days: kakao.ending(days_left(done, days)) for days in (59, 8, 3, -1)}

    assert told[59] is told[8] is None
    assert "ends in 3 d" in told[3].texts["en"]
    assert "3일 뒤에 끝나요" in told[3].texts["ko"]
    assert "has ended" in told[-1].texts["en"]


def test_a_login_that_is_used_does_not_end(service: Service, door: Callable[..., Knocker]) -> None:
    """Kakao gives a new refresh token to who uses the old one in its last month."""
    knocker = door()
    login = KakaoLogin(knocker)
    done = login.finish(service.agree(login.begin(rest_api_key=KEY).address))
    kept = json.loads(vault())
    for each in kept["logins"].values():
        each.update(ends_at=each["ends_at"] - 57 * 86_400, expires_at=0)
    Path(os.environ["KNOCK_HOME"], "kakao.json").write_text(json.dumps(kept))
    now = days_left(done, 60)
    assert knocker.ready("kakao").ending(now)
    service.rotating = True

    note(knocker.ready("kakao"))

    assert knocker.ready("kakao").ending(now) is None


def test_of_a_refresh_token_that_somebody_else_got_nothing_is_known(door: Callable[..., Knocker]) -> None:
    assert door(KNOCK_KAKAO_REST_API_KEY=KEY, KNOCK_KAKAO_REFRESH_TOKEN="x").ready("kakao").ending(2e9) is None


def test_it_is_told_once_here_and_through_another_channel(
    service: Service, door: Callable[..., Knocker], phone: Phone
) -> None:
    login = KakaoLogin(door())
    login.finish(service.agree(login.begin(rest_api_key=KEY).address))
    kept = json.loads(vault())
    for each in kept["logins"].values():
        each["ends_at"] -= 57 * 86_400
    Path(os.environ["KNOCK_HOME"], "kakao.json").write_text(json.dumps(kept))
    in_use = {"KNOCK_TO": "kakao,webhook", "KNOCK_WEBHOOK_URL": phone.url}
    first, second = door(**in_use), door(**in_use)

    for knocker in (first, second):
        knocker.look_ahead()

    knock = phone.wait()
    assert (knock["event"], knock["title"]) == ("warning", "⚠️ kakao needs a look")
    assert "%knock login kakao" in knock["text"]
    assert [len(first.trouble), len(second.trouble)] == [1, 0]
    assert status.card(second).as_text().count("ends in 2 d") == 1
    courier = first.sidecar._courier
    first.close()
    assert isinstance(courier, subprocess.Popen)
    courier.wait(60)
    assert second.sidecar.courier_pid is None
    assert len(phone.knocks) == 1
