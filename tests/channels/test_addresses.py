"""The likeliest wrong addresses: a page of the service's own, a half of the right one, another service's."""

from __future__ import annotations

import pytest

from knock_magic import channels
from knock_magic.errors import SettingsError

ANOTHER = "웹훅 주소가 아니라 다른 {} 주소예요"
CUT_OFF = "주소가 잘렸어요"
ALONE = "서버 주소만"


@pytest.mark.parametrize(
    ("setting", "address", "hint"),
    [
        ("discord.webhook_url", "https://discord.com/channels/1/2", ANOTHER.format("Discord")),
        ("discord.webhook_url", "https://discord.gg/abcdef", ANOTHER.format("Discord")),
        ("discord.webhook_url", "https://discord.com/api/webhooks/123456789", CUT_OFF),
        ("discord.webhook_url", "https://discord.com/", ANOTHER.format("Discord")),
        ("teams.webhook_url", "https://teams.microsoft.com/l/channel/19%3a1/General", ANOTHER.format("Teams")),
        ("teams.webhook_url", "https://make.powerautomate.com/environments/1/flows/2", "Power Automate 주소예요"),
        ("googlechat.webhook_url", "https://chat.google.com/room/AAAA", ANOTHER.format("Google Chat")),
        ("googlechat.webhook_url", "https://mail.google.com/chat/u/0/#chat/space/AAAA", "Gmail 주소예요"),
        ("googlechat.webhook_url", "https://chat.googleapis.com/v1/spaces/AAAA?key=1&token=2", CUT_OFF),
        ("slack.webhook_url", "https://app.slack.com/client/T0/C0", ANOTHER.format("Slack")),
        ("slack.webhook_url", "https://lab.slack.com/archives/C0", ANOTHER.format("Slack")),
        ("jandi.webhook_url", "https://lab.jandi.com/app/#!/room/1", ANOTHER.format("JANDI")),
        ("jandi.webhook_url", "https://wh.jandi.com/connect-api/webhook/12345678", CUT_OFF),
        ("dooray.webhook_url", "https://lab.dooray.com/messenger/1", ANOTHER.format("Dooray!")),
        ("dooray.webhook_url", "https://hook.dooray.com/", ANOTHER.format("Dooray!")),
        ("dooray.webhook_url", "https://hook.dooray.com/services/1/2", CUT_OFF),
        ("kakaowork.webhook_url", "https://kakaowork.com/", ANOTHER.format("KakaoWork")),
        ("kakaowork.webhook_url", "https://www.kakaowork.com/bots/hook/1", ANOTHER.format("KakaoWork")),
        ("kakaowork.webhook_url", "https://kakaowork.com/bots/hook/", CUT_OFF),
        ("lineworks.webhook_url", "https://talk.worksmobile.com/", ANOTHER.format("LINE WORKS")),
        ("lineworks.webhook_url", "https://webhook.worksmobile.com/message", CUT_OFF),
        ("healthchecks.url", "https://healthchecks.io/checks/0a1b/details/", "화면 주소예요"),
        ("healthchecks.url", "https://checks.lab.example/checks/0a1b/details/", "화면 주소예요"),
        ("healthchecks.url", "https://hooks.slack.com/services/T/B/x", "Slack 주소예요"),
        ("matrix.homeserver", "https://app.element.io/#/room/!a:matrix.org", ALONE),
        ("mattermost.server", "https://chat.corp.example/hooks/x", ALONE),
        ("mattermost.server", "https://chat.corp.example/lab/channels/town-square", ALONE),
        ("mattermost.webhook_url", "https://chat.corp.example/hooks/", "/hooks/..."),
        ("ntfy.server", "https://ntfy.sh/knock-8f3kq2x7", ALONE),
    ],
)
def test_a_wrong_address_is_told_for_what_it_is_where_it_is_typed(setting: str, address: str, hint: str) -> None:
    name, _, trait = setting.partition(".")

    with pytest.raises(SettingsError) as caught:
        channels.find(name)().put(trait, address, "X")

    assert hint in caught.value.texts["ko"]
    assert address.endswith(("com/", "hook/")) or address not in str(caught.value.texts)  # which the example has
    assert "\n" not in str(caught.value.texts)


@pytest.mark.parametrize(
    ("setting", "address"),
    [
        ("discord.webhook_url", "https://ptb.discord.com/api/v10/webhooks/1/abc"),
        ("discord.webhook_url", "https://relay.example/discord/1"),
        ("dooray.webhook_url", "https://hook.gov-dooray.com/services/1/2/abc"),
        ("jandi.webhook_url", "https://wh.jandi.com/connect-api/webhook/1/abc/"),
        ("googlechat.webhook_url", "https://chat.googleapis.com/v1/spaces/A/messages?key=1&token=2&threadKey=3"),
        ("healthchecks.url", "https://hc-ping.com/0a1b"),
        ("healthchecks.url", "https://hc-ping.com/key/training?create=1"),
        ("healthchecks.url", "https://healthchecks.io/ping/0a1b"),
        ("healthchecks.url", "https://lab.example/checks/ping/0a1b"),
        ("healthchecks.url", "https://uptime.lab.example/api/push/abc?status=up&msg=OK&ping="),
        ("matrix.homeserver", "https://matrix.org"),
        ("mattermost.server", "https://corp.example/chat"),
        ("ntfy.server", "https://ntfy.sh/"),
        ("ntfy.server", "https://push.example.com/ntfy"),
    ],
)
def test_a_right_address_is_taken_as_it_is(setting: str, address: str) -> None:
    name, _, trait = setting.partition(".")
    channel = channels.find(name)()

    channel.put(trait, address)

    assert getattr(channel, trait) == address


@pytest.mark.parametrize(
    ("setting", "value", "ko", "en"),
    [
        ("slack.webhook_url", '"https://hooks.slack.com/services/T/B/x"', "따옴표를 빼고", "quotes"),
        ("slack.webhook_url", "curl -X POST https://hooks.slack.com/services/T/B/x", "'curl'", "the word curl"),
        ("slack.webhook_url", "ttps://hooks.slack.com/services/T/B/x", "지금 것은 ttps://로 시작해요", "ttps://"),
        ("slack.token", "'xoxb-1234'", "따옴표를 빼고", "quotes"),
        ("slack.token", "Bearer xoxb-1234", "'Bearer'", "the word Bearer"),
        ("ntfy.server", "“https://ntfy.sh”", "따옴표를 빼고", "quotes"),
    ],
)
def test_what_stands_around_a_value_is_named(setting: str, value: str, ko: str, en: str) -> None:
    name, _, trait = setting.partition(".")

    with pytest.raises(SettingsError) as caught:
        channels.find(name)().put(trait, value, "X")

    assert ko in caught.value.texts["ko"]
    assert en in caught.value.texts["en"]
    assert value not in str(caught.value.texts)
