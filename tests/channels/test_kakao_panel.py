"""Kakao's login in the panel: open the link, agree, paste. The far end is our own fake (`far_kakao`)."""

from __future__ import annotations

import html
import json
import os
from typing import Any, Iterator

import ipywidgets
import pytest
from conftest import end_of, poll

from knock_magic import language
from knock_magic.draft import Draft
from knock_magic.knocker import Knocker
from knock_magic.panel.channels_step import OneChannel
from knock_magic.settings import Sources

from .far_kakao import KEY, Service
from .stage import CANARY, Internet


@pytest.fixture
def service(internet: Internet) -> Service:
    internet.answering = Service()
    return internet.answering


@pytest.fixture
def one(service: Service) -> Iterator[OneChannel]:
    knocker = Knocker(Sources({"KNOCK_HOME": os.environ["KNOCK_HOME"], "KNOCK_LANG": "en"}), say=lambda _: None)
    language.use("en")
    yield OneChannel(knocker, Draft(knocker, "kakao"), lambda: None, lambda: None)
    language.use(None)
    ipywidgets.Widget.close_all()
    end_of(knocker)


def paste(one: OneChannel, text: str) -> str:
    """Paste into the login's field, and give what is said of it."""
    assert one.login
    one.login.pasted.set_state({"value": text})
    poll(lambda: "k-busy" not in one.login.answer.widget.value, "Kakao's answer")  # type: ignore[union-attr]
    return str(one.login.answer.widget.value)


def state() -> str:
    return json.dumps(ipywidgets.Widget.get_manager_state(), default=str)


def test_a_login_is_open_the_link_paste_done(one: OneChannel, service: Service) -> None:
    assert one.login
    assert "refresh_token" not in one.form.fields
    one.form.fields["rest_api_key"].set_state({"value": f" '{KEY}' "})

    one.login.start.click()
    address = _address(one)
    answer = paste(one, service.agree(address))

    assert "Logged in to KakaoTalk" in answer
    assert one.draft.missing() == []
    assert one.login.link.value == ""
    assert not [secret for secret in (CANARY, KEY, service.refresh_token) if secret in state()]


def _address(one: OneChannel) -> str:
    assert one.login
    return html.unescape(one.login.link.value.partition('href="')[2].partition('"')[0])


def test_a_wrong_paste_is_told_and_another_one_may_follow(one: OneChannel, service: Service) -> None:
    assert one.login
    one.form.fields["rest_api_key"].set_state({"value": KEY})
    one.login.start.click()
    address = _address(one)

    assert "from before the login" in paste(one, address)
    assert _address(one) == address
    assert "Logged in" in paste(one, service.agree(address))


def test_without_a_key_it_says_what_is_missing(one: OneChannel) -> None:
    assert one.login
    one.login.start.click()

    assert "rest_api_key" in one.login.answer.widget.value
    assert one.login.link.value == ""


def test_what_kakao_refuses_is_marked_at_its_field(one: OneChannel) -> None:
    assert one.login
    one.form.fields["rest_api_key"].set_state({"value": KEY})
    one.login.start.click()

    answer = paste(one, "KOE010")

    assert "the client secret does not fit" in answer
    assert "Look at this one" in one.form.hints["client_secret"].widget.value


def test_a_test_before_the_login_sends_nothing(one: OneChannel, service: Service) -> None:
    one.form.fields["rest_api_key"].set_state({"value": KEY})

    one.test_button.click()

    assert "log in to Kakao first" in one.answer.widget.value
    assert service.notes == []


def test_the_link_is_gone_when_its_time_is_over(one: OneChannel) -> None:
    assert one.login
    one.form.fields["rest_api_key"].set_state({"value": KEY})
    one.login.start.click()

    expiry: Any = one.login._expiry
    expiry.function()

    assert one.login.link.value == ""
    assert "Five minutes are over" in one.login.answer.widget.value
    assert KEY not in state()
