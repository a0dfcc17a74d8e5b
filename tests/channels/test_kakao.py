"""KakaoTalk: its tokens, its quota, its words, its link."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest

from knock_magic.channels import kakao
from knock_magic.channels.kakao import Kakao, until_tomorrow
from knock_magic.errors import DeliveryError, SettingsError
from knock_magic.event import Event
from knock_magic.settings import Secret
from knock_magic.template import Message, render

from .far_kakao import KEY, LASTS, Service, refused
from .stage import CANARY, Answer, Contract, Internet, Request


def is_note(request: Request) -> bool:
    return request.path == "/v2/api/talk/memo/default/send"


def note_of(request: Request) -> Dict[str, Any]:
    note: Dict[str, Any] = json.loads(request.form["template_object"])
    return note


def alive(request: Request) -> List[str]:
    note = note_of(request)
    plain = {"object_type": "text", "text": note["text"], "link": note["link"], "button_title": note["button_title"]}
    links = re.findall(r"\w+://\S+|[@#]\w+|\w\.[a-z]{2,}", note["text"])
    return links if note == plain and set(note["link"].values()) == {kakao.ANY_LINK} else [str(note)]


CONTRACT = Contract(
    settings={
        "rest_api_key": KEY,
        "client_secret": f"{CANARY}-secret",
        "refresh_token": f"{CANARY}-refresh-0",
    },
    answer=lambda request: (
        Answer(200, {"result_code": 0})
        if is_note(request)
        else Answer(200, {"access_token": f"{CANARY}-access", "expires_in": LASTS})
    ),
    is_message=is_note,
    read=lambda request: [note_of(request)["text"]],
    alive=alive,
    canaries=(KEY,),
    inside=[
        ("a code", Answer(200, {"msg": "no", "code": -2}), True),
        ("a quota", Answer(200, {"msg": "no", "code": -532}), False),
        ("another result", Answer(200, {"result_code": -1}), True),
        ("nothing", Answer(200, ""), True),
    ],
)


@pytest.fixture
def service(internet: Internet) -> Service:
    internet.answering = Service()
    return internet.answering


def channel(**settings: Any) -> Kakao:
    return Kakao(rest_api_key=KEY, refresh_token=f"{CANARY}-refresh-0", **settings)


def message(name: str = "학습") -> Message:
    return render(Event("finished", name, 0.0, 60.0, 60.0), lang="ko")


def error_of(sender: Kakao, lang: str = "en") -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        sender.send(message())
    return caught.value


def vault() -> Path:
    return Path(os.environ["KNOCK_HOME"], "kakao.json")


# The note.


def test_the_note_is_a_text_template_with_its_link(service: Service) -> None:
    channel(link="https://example.com/run").send(message())

    link = {"web_url": "https://example.com/run", "mobile_web_url": "https://example.com/run"}
    assert service.notes == [
        {"object_type": "text", "text": "✅ 학습 끝났어요 · 1분", "link": link, "button_title": "열기"}
    ]


def test_apprise_sends_the_same(service: Service, internet: Internet) -> None:
    """Its KakaoTalk plugin, written by others, is what our requests are compared with."""
    plugin = pytest.importorskip("apprise.plugins.kakaotalk")
    theirs = plugin.NotifyKakaoTalk(client_id=KEY, refresh_token=service.refresh_token)
    channel().send(message())
    ours = list(internet.requests)
    internet.requests.clear()

    assert theirs.send(body="✅ 학습 끝났어요 · 1분")

    assert [(request.host, request.path) for request in ours] == [
        (request.host, request.path) for request in internet.requests
    ]
    assert ours[0].form == internet.requests[0].form
    kinds = [{request.headers["Content-Type"].split(";")[0] for request in them} for them in (ours, internet.requests)]
    assert kinds[0] == kinds[1]
    assert ours[1].headers["Authorization"].split("-")[0] == internet.requests[1].headers["Authorization"].split("-")[0]
    mine, other = note_of(ours[1]), note_of(internet.requests[1])
    assert {**other, "button_title": "열기"} == mine


def test_emoji_count_as_kakao_may_count_them(service: Service) -> None:
    """Nobody says whether 200 are characters or UTF-16 units; what fits in both is sent."""
    channel().send(message("🎉" * 300))

    text = service.notes[0]["text"]
    assert len(text.encode("utf-16-le")) // 2 <= 200
    assert text.endswith("🎉… 끝났어요 · 1분")


# Its tokens.


def test_the_access_token_is_kept_and_not_fetched_for_each_note(service: Service) -> None:
    for _ in range(3):
        channel().send(message())

    assert service.renewals == 1
    assert len(service.notes) == 3


def test_a_renewed_refresh_token_takes_the_place_of_the_old_one(service: Service) -> None:
    service.rotating = True
    channel().send(message())
    service.access_token = "revoked"

    channel().send(message())

    assert service.renewals == 2
    assert len(service.notes) == 2


def test_the_old_refresh_token_stays_where_no_new_one_comes(service: Service) -> None:
    channel().send(message())
    service.access_token = "revoked"

    channel().send(message())

    assert (service.renewals, len(service.notes)) == (2, 2)


def test_a_token_that_is_about_to_expire_is_renewed_first(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    channel().send(message())
    now = time.time()
    monkeypatch.setattr(kakao.time, "time", lambda: now + LASTS - 30)

    channel().send(message())

    assert service.renewals == 2


def test_a_refused_token_is_renewed_once_and_no_more(service: Service) -> None:
    service.failures = [Answer(401, {"msg": "no", "code": -401}) for _ in range(9)]

    error = error_of(channel())

    assert (service.renewals, len(service.failures)) == (2, 7)
    assert (error.permanent, error.revoked) == (True, True)
    assert "Log in again" in str(error.texts["en"])


def test_a_new_login_leaves_the_tokens_of_the_old_one(service: Service) -> None:
    service.rotating = True
    channel().send(message())
    first = service.refresh_token
    service.rotating, service.refresh_token = False, f"{CANARY}-other"
    Kakao(rest_api_key=KEY, refresh_token=f"{CANARY}-other").send(message())
    service.refresh_token, service.access_token = first, "revoked"

    channel().send(message())

    assert len(service.notes) == 3


def test_what_is_kept_is_its_owner_s_alone(service: Service) -> None:
    os.umask(os.umask(0))
    before = os.umask(0)
    try:
        channel().send(message())
    finally:
        os.umask(before)

    if os.name == "posix":
        assert vault().stat().st_mode & 0o777 == 0o600
        assert vault().parent.stat().st_mode & 0o777 == 0o700
    assert f"{CANARY}-access-0-1" in vault().read_text()


@pytest.mark.skipif(os.name != "posix", reason="files have no such modes here")
def test_a_file_that_others_can_read_is_not_used(service: Service) -> None:
    channel().send(message())
    vault().chmod(0o644)

    error = error_of(channel())

    assert "chmod 600" in error.texts["en"]
    assert "chmod 600" in error.texts["ko"]
    assert CANARY not in str(error)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="nothing is read-only for root")
def test_it_sends_where_nothing_can_be_kept(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sealed = tmp_path / "sealed"
    sealed.mkdir(mode=0o500)
    monkeypatch.setenv("KNOCK_HOME", str(sealed / "knock"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(sealed))

    channel().send(message())

    assert len(service.notes) == 1


def test_it_sends_where_no_folder_can_be_made(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    for name in ("KNOCK_HOME", "TMPDIR", "TEMP"):
        monkeypatch.setenv(name, str(tmp_path / "file" / "folder"))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)

    for _ in range(2):
        channel().send(message())

    assert len(service.notes) == 2
    assert service.renewals == 1


SENDERS = """
import os, socket, sys
sys.path.insert(0, {package!r})

real = socket.getaddrinfo
def look_up(host, port, *rest, **options):
    if host in ("localhost", "127.0.0.1", None):
        return real(host, port, *rest, **options)
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", {port}))]
socket.getaddrinfo = look_up

import requests
from knock_magic.channels.kakao import Kakao
from knock_magic.event import Event
from knock_magic.settings import Secret
from knock_magic.template import render

message = render(Event("finished", "train", 0.0, 60.0, 60.0), lang="ko")
waiting, go = os.pipe()
children = []
for number in range({number}):
    child = os.fork()
    if not child:
        os.close(go)
        os.read(waiting, 1)  # until every process is there
        try:
            Kakao(rest_api_key={key!r}, refresh_token={token!r}).send(message)
            os._exit(0)
        except BaseException as error:
            print(repr(error), flush=True)
            os._exit(1)
    children.append(child)
os.close(go)
print([os.waitpid(child, 0)[1] for child in children])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="starting sixteen Pythons anew would take half a minute")
def test_sixteen_processes_renew_a_token_exactly_once(service: Service, internet: Internet) -> None:
    """Kakao makes the old refresh token worthless with a new one, so a second renewal would end the login."""
    service.rotating = True
    service.access_token = "revoked"
    package = str(Path(kakao.__file__).parents[2])
    code = SENDERS.format(package=package, port=internet.port, key=KEY, token=service.refresh_token, number=16)

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)

    assert done.stdout == f"{[0] * 16}\n", done.stderr
    assert service.renewals == 1
    assert len(service.notes) == 16


# Its quota.


def test_tomorrow_begins_at_midnight_in_korea() -> None:
    midnight = 1_829_660_400  # 2027-12-25 00:00 in Korea

    assert until_tomorrow(midnight) == 86_400
    assert until_tomorrow(midnight - 1) == 1
    assert until_tomorrow(midnight + 3600.5) == 86_400 - 3600.5


def test_the_ceiling_of_a_day_holds_and_ends_with_it(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    noon = 1_829_660_400 + 43_200
    monkeypatch.setattr(kakao.time, "time", lambda: float(noon))
    sender = channel(daily=3)
    for _ in range(3):
        sender.send(message())

    error = error_of(sender)

    assert (error.permanent, error.revoked, error.retry_after) == (False, False, 43_200)
    assert error.digest
    assert len(service.notes) == 3
    monkeypatch.setattr(kakao.time, "time", lambda: float(noon + 43_200))
    sender.send(message())
    assert len(service.notes) == 4


def test_what_failed_does_not_count(service: Service) -> None:
    sender = channel(daily=1)
    service.failures = [refused(-1)]
    error_of(sender)

    sender.send(message())

    assert len(service.notes) == 1


def test_the_ceiling_is_twenty_a_day(service: Service) -> None:
    for _ in range(20):
        channel().send(message())

    assert "20" in str(error_of(channel()).texts["en"])


# Its words.

CODES: List[Tuple[int, Tuple[bool, bool], str]] = [
    (-1, (False, False), "problem"),
    (-2, (True, False), "could not read"),
    (-3, (True, True), "talk_message"),
    (-10, (False, False), "tomorrow"),
    (-402, (True, True), "consent"),
    (-501, (True, True), "KakaoTalk"),
    (-531, (True, True), "next month"),
    (-532, (False, False), "tomorrow"),
    (-9798, (False, False), "maintained"),
]


@pytest.mark.parametrize(("code", "kind", "word"), CODES)
def test_a_code_says_what_to_do(service: Service, code: int, kind: Tuple[bool, bool], word: str) -> None:
    service.failures = [refused(code)]

    error = error_of(channel())

    assert (error.permanent, error.revoked) == kind
    assert word in error.texts["en"]
    assert f"({code})" in error.texts["ko"]
    if word == "tomorrow":
        assert 0 < error.retry_after <= 86_400
    assert error.digest is (word == "tomorrow")


@pytest.mark.parametrize(("code", "maybe"), [(-1, True), (-7, True), (-603, True), (-9798, False), (-2, False)])
def test_what_fails_within_kakao_may_have_been_sent(service: Service, code: int, maybe: bool) -> None:
    service.failures = [refused(code)]

    assert error_of(channel()).maybe_sent is maybe


def test_the_wait_that_comes_with_a_code_is_kept(service: Service) -> None:
    service.failures = [Answer(503, {"msg": "no", "code": -9798}, {"Retry-After": "120"})]

    assert error_of(channel()).retry_after == 120


def test_a_refused_address_is_no_login_that_ended(service: Service) -> None:
    service.failures = [Answer(401, {"msg": "ip mismatched! callerIp=203.0.113.7. check out", "code": -401})]

    error = error_of(channel())

    assert (error.permanent, error.revoked, service.renewals) == (True, True, 1)
    assert "이 컴퓨터의 IP(203.0.113.7)가 앱의 '호출 허용 IP'에 없어요" in error.texts["ko"]
    assert "address (203.0.113.7) is not among" in error.texts["en"]
    assert "login kakao" not in str(error.texts)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("KOE006", "redirect_uri"),
        ("KOE010", "client_secret"),
        ("KOE101", "REST API key"),
        ("KOE205", "Consent items"),
        ("KOE320", "once"),
        ("KOE322", "refresh_token"),
    ],
)
def test_a_login_that_is_refused_says_what_to_click(internet: Internet, code: str, words: str) -> None:
    internet.answering = lambda request: Answer(401, {"error": "invalid_client", "error_code": code})

    error = error_of(channel())

    assert (error.permanent, error.revoked, error.maybe_sent) == (True, True, False)
    assert words in error.texts["en"]
    assert code in error.texts["ko"]
    assert "[" in error.texts["ko"] or "refresh_token" in error.texts["ko"] or code == "KOE320"


@pytest.mark.parametrize("failing", [Answer(500, "oops"), Answer(deed="reset")])
def test_an_error_while_renewing_means_that_nothing_was_sent(internet: Internet, failing: Answer) -> None:
    internet.answering = lambda request: failing

    error = error_of(channel())

    assert (error.permanent, error.maybe_sent) == (False, False)


# Its settings.


def test_where_the_button_leads_is_no_secret() -> None:
    """What is one, is taken out of every message."""
    assert not [name for name in ("link", "redirect_uri") if isinstance(Kakao.fields()[name], Secret)]


@pytest.mark.parametrize("wrong", ["한글키", "abc", KEY + "0", "z" * 32])
def test_a_rest_api_key_that_is_none_is_refused_where_it_is_typed(wrong: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Kakao().put("rest_api_key", wrong)

    assert "32" in caught.value.texts["en"]
    assert wrong not in str(caught.value.texts)


def test_a_wrong_redirect_uri_is_told_what_one_looks_like() -> None:
    with pytest.raises(SettingsError, match="http://localhost:8910"):
        Kakao().put("redirect_uri", "localhost")
