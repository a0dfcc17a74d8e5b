"""What every channel keeps, whoever writes it: looked up by name, so a new channel is in it by itself.

Its test file, ``test_<name>.py`` beside this one, says as `CONTRACT` what has to be known of it.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import importlib
import json
import logging
import re
import socket
import traceback
import unicodedata
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional

import pytest

from knock_magic import channels, delivery, fitting
from knock_magic.channels import base, email as email_channel
from knock_magic.errors import DeliveryError
from knock_magic.event import ErrorInfo, Event, Picture
from knock_magic.redaction import Redactor
from knock_magic.settings import Secret
from knock_magic.template import Message, render

from .mails import MailServer
from .stage import CANARY, PAGE, Answer, Contract, Internet, Request

regex = pytest.importorskip("regex")

HANGUL = re.compile("[가-힣]")
INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
FAMILY = "👨🏻‍👩🏽‍👧🏿‍👦"
NFD = unicodedata.normalize("NFD", "한글")

HOSTILE = (
    "<!channel> <!everyone> <@U012AB3CD> @everyone @here <https://evil.example|click> [click](https://evil.example) "
    "<script>alert(1)</script><img src=x onerror=alert(1)> </div></td> *b* _i_ ~s~ `c` ```code``` **b** || & &lt; "
    "\x00\x07\x1b[31mred\x1b[0m\x1b]0;title\x07 \u202egnp.exe\u202c \u2066x\u2069 \ud800 "
    "\r\nBcc: thief@evil.example\r\nSubject: other\r\n\r\n.\r\nMAIL FROM:<x@evil.example> "
    '" \' \\ {0} {name} %s ${host} {"object_type":"feed"} '
)


def contract_of(name: str) -> Contract:
    try:
        return importlib.import_module(f".test_{name}", __package__).CONTRACT
    except (ImportError, AttributeError) as error:
        raise AssertionError(f"tests/channels/test_{name}.py must have a CONTRACT for this suite: {error}") from None


def named(wire: str) -> List[str]:
    """The channels of a wire; one without a contract is in all of them, so that it fails."""
    found = []
    for name in channels.own():
        with contextlib.suppress(AssertionError):
            if contract_of(name).wire != wire:
                continue
        found.append(name)
    return found


every = pytest.mark.parametrize("name", channels.own())
over_http = pytest.mark.parametrize("name", named("http"))
over_smtp = pytest.mark.parametrize("name", named("smtp"))
over_internet = pytest.mark.parametrize("name", sorted({*named("http"), *named("smtp"), *named("library")}))
sending = pytest.mark.parametrize(
    "name", sorted({*named("http"), *named("smtp"), *named("library"), *named("program")})
)


def event(kind: str = "failed", **about: Any) -> Event:
    error = ErrorInfo("ValueError", "loss is nan", "cell, 3, <module>") if kind == "failed" else None
    values = {"name": "resnet", "started_at": 1.0, "ended_at": 61.0, "duration_s": 60.0, "error": error, **about}
    return Event(kind, **values)


class Stage:
    """A channel with its service around it."""

    def __init__(self, name: str, internet: Internet, patch: pytest.MonkeyPatch) -> None:
        self.contract = contract_of(name)
        self.channel = channels.find(name)()
        for setting, value in self.contract.settings.items():
            self.channel.put(setting, value)
        self.internet = internet
        self.patch = patch
        self.mails: Any = None
        self.called: Optional[Callable[[], List[Any]]] = None
        self.failing: Any = None
        self.shown: Callable[[], List[str]] = list
        internet.answering = self._answer

    def _answer(self, request: Request) -> Answer:
        if self.failing is not None and self.contract.is_message(request):
            return self.failing(request) if callable(self.failing) else self.failing
        return self.contract.answer(request)

    def send(self, message: Message) -> Any:
        """Send, and give what arrived: the request or the mail that carries the message."""
        self.channel.send(message)
        return self.arrived[-1]

    @property
    def arrived(self) -> List[Any]:
        if self.mails:
            return self.mails.mails
        if self.called:
            return self.called()
        return [request for request in self.internet.requests if self.contract.is_message(request)]

    def refused(self) -> DeliveryError:
        """The error of a knock that can't be delivered; no secret may show in it, nor in any log or output."""
        with pytest.raises(DeliveryError) as caught:
            self.channel.send(render(event(), lang="en"))
        self._assert_silent(caught.value)
        return caught.value

    def _assert_silent(self, error: DeliveryError) -> None:
        chain: List[BaseException] = [error]
        while chain[-1].__cause__ or chain[-1].__context__:
            chain.append(chain[-1].__cause__ or chain[-1].__context__)  # type: ignore[arg-type]
        texts = [text for each in chain for text in (str(each), repr(each), repr(each.args))]
        texts += [*error.texts.values(), *traceback.format_exception(type(error), error, error.__traceback__)]
        for canary in (CANARY, *self.contract.canaries):
            assert not [text for text in (*texts, *self.shown()) if canary in text]

    def hurry(self) -> None:
        """Wait for no answer long; only where none will come."""
        self.patch.setattr(base, "READ_SECONDS", 0.5)
        self.patch.setattr(email_channel, "READ_SECONDS", 1.0)  # a mail server has to greet within it


@pytest.fixture
def stage(
    name: str,
    internet: Internet,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture,
    tmp_path: Path,
) -> Iterator[Stage]:
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # aiosmtpd's own: the server may know
    caplog.set_level(logging.DEBUG)
    if contract_of(name).needs:
        pytest.importorskip(contract_of(name).needs)
    made = Stage(name, internet, monkeypatch)
    made.shown = lambda: [caplog.text, *(repr(vars(record)) for record in caplog.records), *capfd.readouterr()]
    if made.contract.program:
        made.called = made.contract.program(monkeypatch, tmp_path)
    if made.contract.wire == "smtp":
        made.mails = MailServer(internet, made.channel.port, made.channel.password)
    yield made
    if made.mails:
        made.mails.close()


# What it says of itself.


@every
def test_it_has_a_contract(name: str) -> None:
    contract = contract_of(name)

    secrets = [each for each, trait in channels.find(name).fields().items() if isinstance(trait, Secret)]
    for each in secrets:
        value = contract.settings.get(each, CANARY)
        assert CANARY in value or value in contract.canaries, f"{each} needs {CANARY} in it"


@every
def test_it_is_found_by_its_name(name: str) -> None:
    found = channels.find(name)

    assert found.key == name
    assert found.__doc__
    assert found.unit in fitting.UNITS


@every
def test_its_texts_are_in_both_languages(name: str) -> None:
    found = channels.find(name)

    for texts in (found.label, found.steps):
        assert set(texts) == {"en", "ko"}
        assert all(text.strip() for text in texts.values())
        assert not HANGUL.search(texts["en"])
    assert HANGUL.search(found.steps["ko"])
    for setting, trait in found.fields().items():
        assert trait.help, f"{setting} has no help"
        assert not HANGUL.search(trait.help)
        assert HANGUL.search(trait.metadata.get("ko", "")), f"{setting} has no Korean help"


@every
def test_its_steps_name_what_it_needs(name: str) -> None:
    found = channels.find(name)

    for lang in ("en", "ko"):
        for setting, trait in found.fields().items():
            if trait.metadata.get("required"):
                assert setting in found.steps[lang]


@pytest.mark.parametrize("name", [name for name in channels.own() if channels.find(name).is_korean])
def test_a_korean_service_s_steps_lead_to_its_page(name: str) -> None:
    found = channels.find(name)

    for lang in ("en", "ko"):
        assert "https://" in found.steps[lang]


@every
def test_it_is_complete_with_the_settings_of_its_contract_and_not_without(name: str) -> None:
    found = channels.find(name)
    settings = contract_of(name).settings

    assert found(**settings).missing() == []
    assert (found().missing() == []) == (not settings)


@every
def test_its_settings_pass_the_pipe(name: str) -> None:
    found = channels.find(name)
    channel = found(**contract_of(name).settings)

    again = found(**json.loads(json.dumps(channel.values())))

    assert again.values() == channel.values()


@every
def test_it_shows_no_secret_of_its_own(name: str) -> None:
    channel = channels.find(name)(**contract_of(name).settings)

    assert CANARY not in repr(channel) + str(channel) + f"{channel!r}"
    for setting, trait in channel.fields().items():
        if isinstance(trait, Secret):
            with pytest.raises(Exception) as caught:
                channel.put(setting, [CANARY])
            assert CANARY not in "".join(traceback.format_exception(type(caught.value), caught.value, None))


# What arrives.


@sending
@pytest.mark.parametrize(
    ("kind", "lang"),
    [("finished", "en"), ("failed", "ko"), ("died", "ko"), ("progress", "ko"), ("message", "ko"), ("test", "en")],
)
def test_a_knock_arrives_with_its_words(stage: Stage, kind: str, lang: str) -> None:
    about: Dict[str, Any] = {"text": "안녕하세요"} if kind == "message" else {"metrics": {"val_acc": 0.91}}
    message = render(event(kind, **about), lang=lang)

    arrived = "\n".join(stage.contract.read(stage.send(message)))

    for line in message.text.splitlines():
        for words in line.split(" · "):
            name = words.partition(" 0.91")[0]
            assert stage.channel.escape(name) in arrived or name in arrived  # nothing is escaped within code


@sending
def test_a_long_text_is_cut_to_the_limit_between_characters(stage: Stage) -> None:
    channel = stage.channel
    if channel.limit is None:
        pytest.skip("this channel takes everything")

    for shift in range(12):
        lines = "\n".join(["x" * shift + (FAMILY + NFD + "한글🇰🇷e\u0301<&>") * 300, "the last line <said>"])
        message = render(event(error=ErrorInfo("ValueError", lines, "cell, 3, <module>")), "detailed", lang="ko")
        text = channel.fit(message)

        stage.send(message)

        assert fitting.UNITS[channel.unit](channel.escape(text)) <= channel.limit
        assert text.startswith(message.title + "\nValueError: ")
        assert "the last line <said>" in text
        cut = next(line for line in text.splitlines() if line.endswith("…"))
        whole = next(line for line in message.text.splitlines() if line.startswith(cut[:20]))
        assert len(cut) - 1 in _borders(whole)


def _borders(text: str) -> List[int]:
    return [match.end() for match in regex.finditer(r"\X", text)]


@sending
def test_a_late_knock_says_so_even_where_it_is_cut(stage: Stage) -> None:
    message = render(event(error=ErrorInfo("ValueError", "x" * 50_000)), "detailed", lang="en", late_s=7260.0)

    texts = stage.contract.read(stage.send(message))

    assert any("2 h 1 min late" in text for text in texts)


@sending
@pytest.mark.parametrize("place", ["name", "message", "error", "metric"])
def test_text_from_a_cell_stays_text(stage: Stage, place: str) -> None:
    about: Dict[str, Any] = {
        "name": {"name": HOSTILE},
        "message": {"kind": "message", "text": HOSTILE},
        "error": {"error": ErrorInfo("ValueError", HOSTILE * 3, HOSTILE)},
        "metric": {"metrics": {HOSTILE: HOSTILE}},
    }[place]

    arrived = stage.send(render(event(**{"kind": "failed", **about}), lang="ko"))

    texts = stage.contract.read(arrived)
    assert "click" in "".join(texts)
    assert not any(INVISIBLE.search(text.replace("\r\n", "\n")) for text in texts)
    assert stage.contract.alive(arrived) == []


@sending
def test_an_empty_knock_has_something_to_read_too(stage: Stage) -> None:
    """Services refuse a message without a letter."""
    arrived = stage.send(Message(event=event("message", name="", text=""), title="", body="", lang="en"))

    if stage.channel.limit:
        assert all(text.strip() for text in stage.contract.read(arrived))


# What some can do besides. `PNG` is a whole image of one pixel.

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def with_picture() -> Message:
    about = {"text": "손실 곡선", "picture": Picture("image/png", base64.b64encode(PNG).decode())}
    return render(event("message", **about), lang="ko")


@over_http
def test_what_it_returns_is_a_handle_without_a_secret_where_it_needs_one(stage: Stage) -> None:
    for message in (render(event(), lang="ko"), with_picture()):
        handle = stage.channel.send(message)

        if not (stage.channel.edits or stage.channel.threads):
            assert handle is None
            continue
        assert isinstance(handle, str)
        assert 0 < len(handle) <= base.LONGEST_HANDLE
        assert handle.isprintable()
        assert not any(canary in handle for canary in (CANARY, *stage.contract.canaries))


@over_http
@pytest.mark.parametrize("first", ["words", "picture"])
def test_an_edit_has_the_new_words(stage: Stage, first: str) -> None:
    if not stage.channel.edits:
        pytest.skip("this channel can't edit")
    handle = stage.channel.send(with_picture() if first == "picture" else render(event("started"), lang="ko"))
    stage.internet.requests.clear()
    message = render(event("progress", metrics={"val_acc": 0.91}), lang="ko")

    stage.channel.edit(handle, message)

    arrived = "\n".join(stage.contract.read(stage.arrived[-1]))
    assert stage.channel.escape(message.title) in arrived
    assert "val_acc" in arrived.replace("\\", "")


@over_http
def test_an_edit_of_what_is_gone_is_given_up_and_the_address_is_not(stage: Stage) -> None:
    if stage.contract.gone is None:
        pytest.skip("this channel can't edit, or its service takes an edit of anything")
    handle = stage.channel.send(render(event("started"), lang="ko"))
    stage.failing = stage.contract.gone

    with pytest.raises(DeliveryError) as caught:
        stage.channel.edit(handle, render(event("progress"), lang="ko"))

    assert (caught.value.permanent, caught.value.revoked) == (True, False)
    assert_readable(caught.value, stage)


@over_http
@pytest.mark.parametrize("failure", ["429", "500", "reset", "refused"])
def test_an_edit_that_fails_on_the_way_is_tried_again(stage: Stage, failure: str) -> None:
    if not stage.channel.edits:
        pytest.skip("this channel can't edit")
    handle = stage.channel.send(render(event("started"), lang="ko"))
    stage.failing = HTTP_FAILURES[failure][0] if failure != "refused" else None
    if failure == "refused":
        stage.internet.unplug()

    with pytest.raises(DeliveryError) as caught:
        stage.channel.edit(handle, render(event("progress"), lang="ko"))

    assert not caught.value.permanent
    assert_readable(caught.value, stage)


@over_http
def test_a_later_message_goes_below_the_first(stage: Stage) -> None:
    if not stage.channel.threads:
        pytest.skip("this channel has no threads")
    message = render(event(), lang="ko")
    handle = stage.channel.send(message)
    first = stage.arrived[-1]

    stage.channel.send(dataclasses.replace(message, after=handle))

    assert not stage.contract.below(first)
    assert stage.contract.below(stage.arrived[-1])


@pytest.mark.parametrize("name", sorted({*named("http"), *named("smtp")}))
def test_a_picture_goes_along_with_its_words(stage: Stage) -> None:
    """From the courier's job on."""
    if not stage.channel.takes_pictures:
        pytest.skip("this channel takes no pictures")
    told = json.loads(json.dumps(with_picture().event.to_json()))
    job = {"knock": told["id"], "channel": stage.channel.key, "settings": stage.channel.values(), "event": told}

    result = delivery.send({**job, "lang": "ko", "late_s": 0.0})

    assert result["ok"], result
    arrived = stage.arrived[-1]
    if stage.mails:
        assert PNG in [part.get_content() for part in arrived.message.walk() if part.get_content_maintype() == "image"]
    else:
        assert any(PNG in request.body for request in stage.internet.requests)
    assert "손실 곡선" in "".join(stage.contract.read(arrived))


@pytest.mark.parametrize("name", ["googlechat", "line", "matrix"])
def test_a_second_try_where_the_service_knows_the_knock_is_not_called_a_maybe(stage: Stage) -> None:
    told = dict(json.loads(json.dumps(event("finished").to_json())), maybe_sent=True)
    job = {"knock": told["id"], "channel": stage.channel.key, "settings": stage.channel.values(), "event": told}

    assert delivery.send({**job, "lang": "ko", "late_s": 0.0})["ok"]

    arrived = stage.arrived[-1]
    assert told["id"] in f"{arrived.path} {arrived.headers}"
    assert "이미 받은" not in "".join(stage.contract.read(arrived))


@over_http
def test_a_picture_that_is_refused_costs_no_words(stage: Stage) -> None:
    if not stage.channel.takes_pictures:
        pytest.skip("this channel takes no pictures")
    answer = stage.internet.answering
    stage.internet.answering = lambda request: (
        Answer(413, "too large") if PNG in request.body else answer(request)  # whatever carries the picture
    )

    arrived = stage.send(with_picture())

    said = "".join(stage.contract.read(arrived))
    assert "손실 곡선" in said
    assert "그림은 보내지 못했어요" in said.replace("\\", "")


@over_http
@pytest.mark.parametrize("failure", ["500", "429", "reset"])
def test_words_do_not_wait_for_a_picture_that_can_not_be_uploaded_now(stage: Stage, failure: str) -> None:
    if not stage.channel.takes_pictures:
        pytest.skip("this channel takes no pictures")
    answer = stage.internet.answering
    uploads: List[Request] = []

    def answering(request: Request) -> Answer:
        if stage.contract.is_message(request):
            return answer(request)
        uploads.append(request)
        return HTTP_FAILURES[failure][0]

    stage.internet.answering = answering

    arrived = stage.send(with_picture())

    if not uploads:
        pytest.skip("this channel sends the picture with the words")
    said = "".join(stage.contract.read(arrived))
    assert "손실 곡선" in said
    assert "그림은 보내지 못했어요" in said.replace("\\", "")


# What can go wrong on the way.

HTTP_FAILURES: Dict[str, Any] = {
    "400": (Answer(400, "no"), {"permanent": True, "revoked": False}),
    "401": (Answer(401, "no"), {"permanent": True, "revoked": True}),
    "403": (Answer(403, "no"), {"permanent": True, "revoked": True}),
    "404": (Answer(404, "no"), {"permanent": True, "revoked": True}),
    "410": (Answer(410, "no"), {"permanent": True, "revoked": True}),
    "429": (Answer(429, "slow", {"Retry-After": "7"}), {"permanent": False, "retry_after": 7.0, "maybe_sent": False}),
    "500": (Answer(500, "oops"), {"permanent": False, "maybe_sent": True}),
    "503": (Answer(503, "", {"Retry-After": "70"}), {"permanent": False, "retry_after": 70.0}),
    "redirect": (Answer(302, "", {"Location": "https://elsewhere.example/"}), {"permanent": True}),
    "time-out": (Answer(deed="hang"), {"permanent": False, "maybe_sent": True}),
    "reset": (Answer(deed="reset"), {"permanent": False, "maybe_sent": True}),
}


@over_http
@pytest.mark.parametrize("failure", HTTP_FAILURES)
def test_a_failure_is_told_for_what_it_is(stage: Stage, failure: str) -> None:
    stage.failing, expected = HTTP_FAILURES[failure]
    if failure == "time-out":
        stage.hurry()

    error = stage.refused()

    assert {name: getattr(error, name) for name in expected} == expected
    assert "elsewhere.example" not in stage.internet.looked_up
    assert_readable(error, stage)


@over_http
def test_a_refused_connection_is_no_try_that_may_have_arrived(stage: Stage) -> None:
    stage.internet.unplug()

    error = stage.refused()

    assert (error.permanent, error.maybe_sent) == (False, False)
    assert_readable(error, stage)


@over_http
def test_a_page_for_people_is_no_success(stage: Stage) -> None:
    """A network's login page answers 200 in the place of every service."""
    if stage.contract.takes_pages:
        pytest.skip("the user's own server may answer as it likes")
    stage.failing = PAGE

    error = stage.refused()

    assert not error.permanent
    assert "FreeWifi" not in str(error)


@over_http
def test_a_filter_s_page_puts_no_address_aside(stage: Stage) -> None:
    """A company's network answers 403 in the place of what it blocks."""
    if stage.contract.takes_pages:
        pytest.skip("the user's own server may answer as it likes")
    stage.failing = Answer(403, PAGE.body, PAGE.headers)

    error = stage.refused()

    assert (error.permanent, error.revoked) == (False, False)
    assert "이 네트워크가 막고 있을 수 있어요" in error.texts["ko"]


@over_http
def test_an_error_inside_a_200_is_an_error(stage: Stage) -> None:
    for what, answer, permanent in stage.contract.inside:
        stage.failing = answer

        error = stage.refused()

        assert error.permanent == permanent, what
        assert_readable(error, stage)


@over_http
def test_a_certificate_that_nobody_signed_stops_it(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")

    error = stage.refused()

    assert (error.permanent, error.maybe_sent) == (False, False)
    assert "certificate" in str(error)
    assert stage.internet.requests == []


@over_http
def test_an_endless_answer_is_read_no_further_than_needed(stage: Stage) -> None:
    stage.failing = Answer(400, "x" * 5_000_000)

    assert len(str(stage.refused())) < 600


SMTP_FAILURES: Dict[str, Any] = {
    "wrong password": ("AUTH", "535 5.7.8 Bad credentials", {"permanent": True, "revoked": True}),
    "login not now": ("AUTH", "454 4.7.0 Temporary failure", {"permanent": False, "revoked": False}),
    "connection lost at the login": ("AUTH", "drop", {"permanent": False, "maybe_sent": False}),
    "busy": ("MAIL", "421 4.3.2 Shutting down", {"permanent": False, "maybe_sent": False}),
    "sender refused": ("MAIL", "553 5.7.1 Not your address", {"permanent": True, "revoked": True}),
    "greylisted": ("RCPT", "450 4.2.0 Try later", {"permanent": False, "maybe_sent": False}),
    "no such user": ("RCPT", "550 5.1.1 No such user", {"permanent": True, "maybe_sent": False}),
    "mail not now": ("DATA", "451 4.3.0 Try later", {"permanent": False, "maybe_sent": False}),
    "mail refused": ("DATA", "554 5.7.1 Spam", {"permanent": True, "maybe_sent": False}),
    "too large": ("DATA", "552 5.3.4 Too large", {"permanent": True}),
    "quota of the day": (
        "DATA",
        "550 5.4.5 Daily user sending limit exceeded",
        {"permanent": False, "retry_after": 21600},
    ),
    "connection lost after the mail": ("DATA", "drop", {"permanent": False, "maybe_sent": True}),
    "no answer to the mail": ("DATA", "hang", {"permanent": False, "maybe_sent": True}),
}


@over_smtp
@pytest.mark.parametrize("failure", SMTP_FAILURES)
def test_a_mail_server_s_failure_is_told_for_what_it_is(stage: Stage, failure: str) -> None:
    command, reply, expected = SMTP_FAILURES[failure]
    if reply == "hang" and stage.channel.key != "email":
        pytest.skip("what email does, its presets do; waiting takes a second")
    stage.mails.reply(command, reply, times=3)
    if reply == "hang":
        stage.hurry()

    error = stage.refused()

    assert {name: getattr(error, name) for name in expected} == expected
    assert stage.mails.mails == []
    assert_readable(error, stage)


@over_smtp
def test_a_mail_server_that_is_not_there_is_no_try_that_may_have_arrived(stage: Stage) -> None:
    stage.internet.unplug()

    error = stage.refused()

    assert (error.permanent, error.maybe_sent) == (False, False)
    assert_readable(error, stage)


@over_smtp
def test_a_mail_server_that_says_nothing_is_given_up(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(email_channel, "CONNECT_SECONDS", 0.4)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        stage.internet.routes = dict.fromkeys((465, 587), silent.getsockname()[1])

        error = stage.refused()

    assert (error.permanent, error.maybe_sent) == (False, False)
    assert "in time" in str(error)


@over_smtp
def test_a_mail_server_whose_certificate_nobody_signed_gets_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")

    error = stage.refused()

    assert (error.permanent, error.maybe_sent) == (False, False)
    assert "certificate" in str(error)
    assert stage.mails.logins == []


def assert_readable(error: DeliveryError, stage: Stage) -> None:
    """In each language: begins with the channel, one line, and says something."""
    for lang, text in error.texts.items():
        assert text.startswith(f"{stage.channel.label[lang]}: "), text
        assert 12 < len(text) < 600
        assert "\n" not in text
        assert "None" not in text
        assert Redactor({}).text(text) == text, "a later sieve would take this for a secret"
    assert HANGUL.search(error.texts["ko"])
    assert not HANGUL.search(error.texts["en"].partition(": ")[2])


# What servers say back. That no secret shows in any other error is part of `Stage.refused`.


@over_http
def test_what_a_server_says_back_is_shown_without_secrets(stage: Stage) -> None:
    stage.failing = lambda request: Answer(400, f"{request.path} {request.headers} {request.body.decode()}")

    stage.refused()


@over_smtp
def test_what_a_mail_server_says_back_is_shown_without_secrets(stage: Stage) -> None:
    stage.mails.reply("AUTH", f"535 5.7.8 {stage.channel.password} is wrong", times=3)

    assert "is wrong" in str(stage.refused())


@over_internet
def test_nothing_is_sent_to_where_a_cloud_keeps_its_keys(stage: Stage) -> None:
    stage.internet.address = "169.254.169.254"

    error = stage.refused()

    assert error.permanent
    assert "link-local" in str(error)


# A channel that speaks in the notebook.


@pytest.mark.parametrize("name", named("kernel"))
def test_a_channel_of_the_kernel_s_own_is_not_sent_to(name: str) -> None:
    assert channels.find(name).in_kernel
