"""What is pasted into a form becomes what belongs there."""

from __future__ import annotations

import pytest
from traitlets import Integer, Unicode

from knock_magic.channels.base import Link, Token, Url
from knock_magic.pasted import cleaned
from knock_magic.settings import Secret

HOOK = "https://hooks.slack.com/services/T0/B0/xyz"
CURL = f"""curl -X POST -H 'Content-type: application/json' --data '{{"text":"Hello, World!"}}' {HOOK}"""


@pytest.mark.parametrize(
    "text",
    [
        HOOK, f"  {HOOK}\n", f'"{HOOK}"', f"'{HOOK}',", f"<{HOOK}>", f"“{HOOK}”", f"\u200b{HOOK}\ufeff",
        CURL, CURL.replace(HOOK, f'"{HOOK}"'), f"$ curl {HOOK} \\\n  -d '{{}}'", f"[my hook]({HOOK})",
        f"KNOCK_SLACK_WEBHOOK_URL={HOOK}", f'export KNOCK_SLACK_WEBHOOK_URL="{HOOK}"', f"webhook_url: {HOOK}",
    ],
)  # fmt: skip
def test_an_address_is_found_in_what_was_pasted(text: str) -> None:
    assert cleaned(Url(), text)[0] == HOOK
    assert cleaned(Link(), text)[0] == HOOK


@pytest.mark.parametrize(
    "command",
    [
        f"""curl -d '{{"u":"http://a.example"}}' {HOOK}""",
        f"curl -d http://a.example/x {HOOK}",
        f"curl -H 'Referer: https://a.example/' {HOOK}",
        f"curl -sSLx http://proxy.example:8080 --referer https://a.example/ -s {HOOK}",
        f"curl --data-raw https://a.example/ \\\n  --url {HOOK}",
        f'curl -s -L {HOOK} -d \'{{"text": "https://a.example"}}\'',
        f"curl {HOOK} -d 'a quote is missing",
    ],
)
def test_a_commands_address_is_the_one_it_goes_to(command: str) -> None:
    assert cleaned(Url(), command)[0] == HOOK


@pytest.mark.parametrize(
    "text",
    ["abc-123", " abc-123 ", "'abc-123'", "Bearer abc-123", "Authorization: Bearer abc-123",
     "SLACK_TOKEN=abc-123", 'export TOKEN="abc-123"', '"token": "abc-123",', "abc-123\u200b",
     "curl -X POST -H 'Authorization: Bearer abc-123' -H 'Content-type: application/json' https://slack.com/api/x",
     'curl https://a.example -H "authorization: Bot abc-123"'],
)  # fmt: skip
def test_a_key_is_found_in_what_was_pasted(text: str) -> None:
    assert cleaned(Token(), text)[0] == "abc-123"


@pytest.mark.parametrize("password", ['it\'s "quoted"', "'a'", "token=1", "a b"])
def test_a_persons_own_password_is_left_as_it_is(password: str) -> None:
    assert cleaned(Secret(), f"{password}\n") == (password, False)


@pytest.mark.parametrize(("text", "number"), [("587", "587"), (" ５８７ ", "587"), ("1,000", "1000"), ("'20'", "20")])
def test_a_number_is_read_as_people_write_it(text: str, number: str) -> None:
    assert cleaned(Integer(), text)[0] == number


def test_it_tells_whether_anything_was_taken_off() -> None:
    assert cleaned(Url(), HOOK) == (HOOK, False)
    assert cleaned(Url(), f" {HOOK} ") == (HOOK, False)
    assert cleaned(Url(), CURL) == (HOOK, True)
    assert cleaned(Unicode(), "'me'") == ("me", True)


def test_what_has_no_address_in_it_stays_for_its_error() -> None:
    assert cleaned(Url(), "curl --help")[0] == "curl --help"
    assert cleaned(Url(), "hooks.slack.com/x")[0] == "hooks.slack.com/x"
    assert len(cleaned(Url(), "curl " + "h" * 100_000)[0]) < 10_000
