"""KakaoTalk: friends who get each note too. The far end is our own fake (`far_kakao`)."""

from __future__ import annotations

import dataclasses
from typing import Any, List

import pytest

from knock_magic.channels.kakao import Kakao
from knock_magic.errors import DeliveryError, SettingsError
from knock_magic.event import Event
from knock_magic.template import Message, render

from .far_kakao import KEY, Service
from .stage import CANARY, Answer, Internet

ALL = [f"uuid-of-friend-{number}" for number in range(1, 8)]


@pytest.fixture
def service(internet: Internet) -> Service:
    internet.answering = Service()
    return internet.answering


def channel(friends: List[str], **settings: Any) -> Kakao:
    return Kakao(rest_api_key=KEY, refresh_token=f"{CANARY}-refresh-0", friends=friends, **settings)


def message(name: str = "resnet", **more: Any) -> Message:
    return render(dataclasses.replace(Event("finished", name, 0.0, 60.0, 60.0), **more), lang="en")


def refusal_of(sender: Kakao, note: Message) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        sender.send(note)
    assert not [uuid for uuid in ALL if uuid in str(caught.value.texts)]
    return caught.value


def counts(service: Service) -> List[int]:
    """How many notes oneself and each friend has."""
    return [len(service.notes), *map(len, service.friends_notes.values())]


def test_each_friend_and_oneself_gets_the_note(service: Service) -> None:
    channel(ALL).send(message())

    assert counts(service) == [1] * 8
    assert service.calls == [5, 2]
    assert service.friends_notes[ALL[0]] == ["✅ resnet finished · 1 min"]
    assert service.renewals == 1


def test_only_who_was_refused_for_now_is_sent_it_again(service: Service) -> None:
    service.refusing = {ALL[1]: -1, ALL[5]: -7}
    sender, note = channel(ALL), message()

    error = refusal_of(sender, note)
    service.refusing = {}
    service.calls.clear()
    sender.send(note)

    assert (error.permanent, error.revoked, error.retry_after) == (False, False, None)
    assert "2 of 7 friends" in error.texts["en"]
    assert service.calls == [2]
    assert counts(service) == [1] * 8


def test_who_is_over_a_quota_is_promised_nothing(service: Service) -> None:
    service.refusing = {ALL[0]: -532, ALL[1]: -1}

    mixed = refusal_of(channel(ALL[:3]), message("mixed"))
    service.refusing = {ALL[0]: -531}
    some = refusal_of(channel(ALL[:2]), message("some"))
    alone = refusal_of(channel(ALL[:1]), message("alone"))  # answered with a 400

    assert (mixed.permanent, some.permanent, alone.permanent) == (False, True, True)
    assert "이 가운데 1명에게는 나중에 보낼 수 있어요" in mixed.texts["ko"]
    for error in (some, alone):
        assert (error.revoked, error.digest, error.retry_after) == (False, False, None)
        assert "이 알림은 다시 보내지 않아요 (-531)" in error.texts["ko"]
        assert "not sent again (-531)" in error.texts["en"]


@pytest.mark.parametrize("code", [-502, -530, -532, -536, -99999])
def test_who_can_not_be_reached_costs_nobody_else_anything(service: Service, code: int) -> None:
    """A friend's quota too: waiting for it would keep one's own notes back until tomorrow."""
    service.refusing = {ALL[0]: code}
    sender, note = channel(ALL[:3]), message()

    error = refusal_of(sender, note)
    sender.send(note)  # whoever tries it again all the same

    assert (error.permanent, error.revoked, error.digest) == (True, False, False)
    assert f"({code})" in error.texts["ko"]
    assert counts(service)[:4] == [1, 0, 1, 1]


def test_where_the_permission_is_missing_it_is_said_what_to_do(service: Service, internet: Internet) -> None:
    def without(request: Any) -> Answer:
        is_memo = "memo" in request.path or "token" in request.path
        return service(request) if is_memo else Answer(403, {"msg": "no", "code": -5})

    internet.answering = without

    error = refusal_of(channel(ALL[:1]), message())

    assert "permission" in error.texts["en"]
    assert "[추가 기능 신청]" in error.texts["ko"]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, ""),
        Answer(200, {"successful_receiver_uuids": None, "failure_info": [None, {"receiver_uuids": None}]}),
        Answer(503, "oops"),
    ],
)
def test_an_odd_answer_is_no_success(service: Service, internet: Internet, answer: Answer) -> None:
    internet.answering = lambda request: service(request) if "friends" not in request.path else answer
    sender, note = channel(ALL[:2]), message()

    refusal_of(sender, note)
    internet.answering = service
    sender.send(note)

    assert counts(service)[:3] == [1, 1, 1]


def test_a_note_that_came_to_speak_for_others_goes_to_everybody(service: Service) -> None:
    sender, note = channel(ALL[:1]), message()
    sender.send(note)

    sender.send(dataclasses.replace(note, event=dataclasses.replace(note.event, more=3)))

    assert counts(service)[:2] == [2, 2]


def test_friends_count_as_one_note_of_the_day(service: Service) -> None:
    sender = channel(ALL, daily=2)
    sender.send(message("a"))
    sender.send(message("b"))

    assert refusal_of(sender, message("c")).digest


@pytest.mark.parametrize("wrong", [["a b c d"], ["한글친구"], ["abc"], ["x" * 101]])
def test_what_is_no_uuid_is_refused_where_it_is_typed(wrong: List[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        Kakao().put("friends", wrong)

    assert "--friends" in caught.value.texts["en"]


def test_the_friends_there_are_can_be_listed(service: Service) -> None:
    found = channel([]).list_friends()

    assert list(found) == ALL
    assert found[ALL[0]] == "친구 1"
