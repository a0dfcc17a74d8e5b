"""What must stay secret is taken out of a text, and what is worth reading stays."""

from __future__ import annotations

import base64
import json
import re
import time
from pathlib import Path
from typing import Any, Dict, List
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings, strategies as st

from knock_magic import redaction, suspects
from knock_magic.event import ErrorInfo, Event
from knock_magic.redaction import LIMIT, MARK, Redactor

SECRET = 'pa55/w0rd+&=é"x'
nobody = Redactor({})


def redacted(text: str, secret: str = SECRET) -> str:
    return Redactor({}, lambda: [secret]).text(text)


# Known secrets.


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        quote(SECRET, safe="").lower(),
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        repr(SECRET)[1:-1],
        base64.b64encode(SECRET.encode()).decode().rstrip("="),
        base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
    ],
)
def test_a_known_secret_is_hidden_however_it_is_written(written: str) -> None:
    text = redacted(f"401 for <{written}>, sorry")

    assert written not in text
    assert text.startswith("401 for <")
    assert MARK in text
    assert text.endswith(">, sorry")


@pytest.mark.parametrize("user", ["", "u:", "me:", "someone:"])
def test_a_password_is_found_in_basic_authentication(user: str) -> None:
    """Base64 shifts by what stands before the secret."""
    header = base64.b64encode(f"{user}{SECRET}".encode()).decode()

    assert re.fullmatch(rf"Basic .{{0,16}}{re.escape(MARK)}.{{0,4}}", redacted(f"Basic {header}"))


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cs", "Z"]), min_size=6), st.text())
def test_no_secret_is_left_over(secret: str, around: str) -> None:
    forms = redaction.forms_of(secret)

    for form in forms:
        if form not in MARK:
            assert form not in redacted(f"{around} {form} {around}", secret).replace(MARK, " ")


def test_a_secret_that_begins_like_another_leaves_no_tail() -> None:
    both = Redactor({"A_TOKEN": "abc123", "B_TOKEN": "abc123def456"})

    assert both.text("abc123def456 abc123") == f"{MARK} {MARK}"


@pytest.mark.parametrize("length", range(6, len(SECRET)))
def test_a_secret_that_was_cut_off_is_known_by_its_beginning(length: int) -> None:
    assert redacted(f"login({SECRET[:length]}…") == f"login({MARK}…"


def test_a_secret_across_the_cap_is_cut_off_too() -> None:
    text = redacted("x" * (LIMIT - 8) + SECRET)

    assert text.endswith(f"x{MARK}…")


@pytest.mark.parametrize(
    "name", ["HF_TOKEN", "OPENAI_API_KEY", "MY_SECRET", "PGPASSWORD", "db_passwd", "SLACK_WEBHOOK", "KNOCK_SLACK_URL"]
)
def test_it_knows_the_environment_by_its_names(name: str) -> None:
    assert Redactor({name: "canary7"}).text("a canary7 sings") == f"a {MARK} sings"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MODEL", "resnet50"),
        ("MAX_TOKENS", "100000"),
        ("TOKENIZER_NAME", "bert-base"),
        ("SSH_KEY", "/home/me/.ssh/id_rsa"),
        ("SECRET_NAME", "training"),
        ("KEY_COLUMN", "accuracy"),
        ("MY_TOKEN", "short"),
        ("TOKENIZERS_PARALLELISM", "false"),
    ],
)
def test_what_is_no_secret_in_the_environment_stays(name: str, value: str) -> None:
    assert Redactor({name: value}).text(f"with {value}.") == f"with {value}."


def test_a_password_of_digits_is_one() -> None:
    assert Redactor({"DB_PASSWORD": "20261123"}).text("pin 20261123") == f"pin {MARK}"


def test_it_notices_when_the_environment_or_the_settings_change() -> None:
    environ: Dict[str, str] = {}
    own = []
    redactor = Redactor(environ, lambda: own)

    before = redactor.text("canary7 sparrow8")
    environ["NEW_TOKEN"] = "canary7"
    own.append("sparrow8")
    after = redactor.text("canary7 sparrow8")
    del environ["NEW_TOKEN"]

    assert before == "canary7 sparrow8"
    assert after == f"{MARK} {MARK}"
    assert redactor.text("canary7 sparrow8") == f"canary7 {MARK}"


def test_it_sees_what_a_cell_puts_into_the_real_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    redactor = Redactor(os.environ)

    assert redactor.text("canary7") == "canary7"
    monkeypatch.setenv("LATE_TOKEN", "canary7")
    assert redactor.text("canary7") == MARK


def test_the_key_in_an_address_is_hidden_also_without_the_rest() -> None:
    redactor = Redactor({}, lambda: ["https://chat.example.com/v1/rooms/messages/k3y-of-the-room?sig=abcd1234"])

    text = redactor.text("Max retries exceeded with url: /v1/rooms/messages/k3y-of-the-room?sig=abcd1234 (host chat)")
    alone = redactor.text("room k3y-of-the-room has no messages")

    assert text == f"Max retries exceeded with url: {MARK} (host chat)"
    assert alone == f"room {MARK} has no messages"


def test_it_shows_nothing_of_what_it_knows() -> None:
    redactor = Redactor({"MY_TOKEN": "canary7"}, lambda: ["sparrow8"])
    redactor.text("")

    assert "canary7" not in repr(redactor)
    assert "sparrow8" not in repr(redactor)


# Shapes.

SHAPES = {
    "Slack bot": "xoxb-1234567890-abcdefGHIJKL",
    "Slack app": "xapp-1-A0123-456-abcdef",
    "Slack hook": ("hooks.slack.com/", "services/T00000000/B00000000/abcdefghijklmnopqrstuvwx"),
    "Slack workflow": ("hooks.slack.com/", "workflows/T000/A000/123/abcdef"),
    "Slack path": ("url: /services/", "T00000000/B00000000/abcdefghijklmnopqrstuvwx"),
    "Dooray": ("https://hook.dooray.com/services/", "1234567890/2345678901/abcdefghijkl"),
    "Discord": ("https://discord.com/api/webhooks/", "123456789012345678/abc-DEF_ghi"),
    "Discord path": ("/api/v10/webhooks/", "123456789012345678/abc-DEF_ghi"),
    "JANDI": ("https://wh.jandi.com/connect-api/webhook/", "12345678/0123456789abcdef0123456789abcdef"),
    "KakaoWork": ("https://kakaowork.com/bots/hook/", "0123456789abcdef0123456789abcdef"),
    "LINE WORKS": ("https://webhook.worksmobile.com/message/", "01234567-89ab-cdef-0123-456789abcdef"),
    "Mattermost": ("https://chat.example.com/hooks/", "abcdefghijklmnopqrstuvwxy1"),
    "Lark": ("/open-apis/bot/v2/hook/", "12345678-1234-1234-1234-123456789012"),
    "Google Chat": ("/v1/spaces/S/messages?", ("key=", "abcdefg"), "&", ("token=", "hijklmn"), ""),
    "Teams": ("/paths/invoke?api-version=1&sp=%2Ftriggers&sv=1.0&", ("sig=", "aBc-dEf_gHi"), ""),
    "S3": ("https://b.s3.amazonaws.com/x?X-Amz-Signature=", "0123456789abcdef"),
    "Telegram": ("https://api.telegram.org/bot123456789:", "AAEabcdefghijklmnopqrstuvwxyz012345", "/sendMessage"),
    "Hugging Face": "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH",
    "OpenAI": "sk-abcdefghijklmnopqrstuvwx1234",
    "OpenAI project": "sk-proj-abc_DEF-123456789",
    "Stripe": "sk_live_abcdefghijkl",
    "GitHub": "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "GitHub server": "ghs_abcdefghijklmnopqrstuvwxyz0123456789",
    "GitHub fine-grained": "github_pat_11ABCDEFG0abcdefghijkl_mnopqrst",
    "GitLab": "glpat-abcdefghijklmnopqrst",
    "AWS": "AKIAIOSFODNN7EXAMPLE",
    "Google": "AIzaSyA-bcdefghijklmnopqrstuvwxyz01234567",
    "JWT": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    "Bearer": ("Bearer ", "abc.def-ghi_1"),
    "user and password": ("postgres://", "me:hunter2", "@db.example.com/x"),
    "a password with an at": ("https://", "me:hunt@er2", "@example.com/"),
    "a token for a user": ("https://", "abcdefghijklmnop", "@github.com/x"),
    "PEM": "-----BEGIN RSA PRIVATE KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0B\n-----END RSA PRIVATE KEY-----",
    "PEM in a repr": "-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBg\\n-----END PRIVATE KEY-----\\n",
    "wandb": ("wandb login ", "0123456789abcdef0123456789abcdef01234567"),
}


@pytest.mark.parametrize("case", SHAPES)
def test_the_shape_of_a_key_is_known(case: str) -> None:
    """And what is beside it stays."""
    shape: Any = SHAPES[case]
    parts = (
        [shape]
        if isinstance(shape, str)
        else [each for part in shape for each in ([part] if isinstance(part, str) else part)]
    )
    secret_at = {1: (0,), 2: (1,), 3: (1,)}.get(len(parts), range(2, len(parts), 3))
    secrets = [parts[at] for at in secret_at]

    text = nobody.text(f"before {''.join(parts)} after")

    assert suspects.may_be_in("".join(parts))
    for secret in secrets:
        assert secret.strip("\\n") not in text
    for at, part in enumerate(parts):
        assert at in secret_at or part in text
    assert text.count(MARK) == len(secrets)
    assert text.startswith("before ")
    assert text.endswith(" after")


def test_a_key_in_pem_that_was_cut_is_hidden_to_its_end() -> None:
    lines = "\n".join(["MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"] * 5)

    assert nobody.text(f"key -----BEGIN PRIVATE KEY-----\n{lines}\nMIIEv…") == f"key {MARK}…"
    assert nobody.text("no -----BEGIN PRIVATE KEY----- in the file") == f"no {MARK} in the file"


# Words.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("password=hunter2", f"password={MARK}"),
        ("Password: hunter2, then", f"Password: {MARK}, then"),
        ("{'password': 'hunter2', 'user': 'me'}", f"{{'password': '{MARK}', 'user': 'me'}}"),
        ('{"password": "hunter2", "n": 3}', f'{{"password": "{MARK}", "n": 3}}'),
        (r'"{\"password\": \"hunter2\", \"n\": 3}"', rf'"{{\"password\": \"{MARK}\", \"n\": 3}}"'),
        (r"password='it\'s me'", f"password='{MARK}'"),
        ("passwd='''two\nlines'''", f"passwd='''{MARK}'''"),
        ("password=b'hunter2'", f"password=b'{MARK}'"),
        ("os.environ['DB_PASSWORD'] = 'hunter2'", f"os.environ['DB_PASSWORD'] = '{MARK}'"),
        ("os.getenv('DB_PASSWORD', 'hunter2')", f"os.getenv('DB_PASSWORD', '{MARK}')"),
        ("[('password', 'hunter2')]", f"[('password', '{MARK}')]"),
        ("connect(host='db', password='hunter2')", f"connect(host='db', password='{MARK}')"),
        ("MYSQL_ROOT_PASSWORD: 12345", f"MYSQL_ROOT_PASSWORD: {MARK}"),
        ("mysql --password hunter2 -u me", f"mysql --password {MARK} -u me"),
        ("tool --auth-token=hunter2 run", f"tool --auth-token={MARK} run"),
        ("['mysql', '--password', 'hunter2']", f"['mysql', '--password', '{MARK}']"),
        ("a=1&password=hunter2&b=2", f"a=1&password={MARK}&b=2"),
        ("api_key=abc", f"api_key={MARK}"),
        ("OpenAI(api_key='abc')", f"OpenAI(api_key='{MARK}')"),
        ("x-api-key: abc", f"x-api-key: {MARK}"),
        ("SECRET_KEY = 'abc'", f"SECRET_KEY = '{MARK}'"),
        ("aws_secret_access_key=abc/def+ghi", f"aws_secret_access_key={MARK}"),
        ("client_secret: abc", f"client_secret: {MARK}"),
        ("access_token=abc", f"access_token={MARK}"),
        ("token: a1b2c3d4e5", f"token: {MARK}"),
        ("token=canary-of-mine", f"token={MARK}"),
        ('{"token": "abcdefgh"}', f'{{"token": "{MARK}"}}'),
        ("Authorization: Bearer abc.def", f"Authorization: Bearer {MARK}"),
        ("'Authorization': 'Basic YWJj'", f"'Authorization': '{MARK}'"),
        ("wandb.login(key='0123456789abcdef0123456789abcdef01234567')", f"wandb.login(key='{MARK}')"),
        ("비밀번호: hunter2 였어요", f"비밀번호: {MARK} 였어요"),
        ("암호='hunter2'", f"암호='{MARK}'"),
        ("토큰=a1b2c3d4e5", f"토큰={MARK}"),
        ("password='hunter2… ", f"password='{MARK}"),
    ],
)
def test_what_stands_behind_a_telling_word_is_hidden(text: str, expected: str) -> None:
    assert nobody.text(text) == expected
    assert suspects.may_be_in(text)


ORDINARY = [
    "token 5/100",
    "token: 5/100",
    "tokens: 512, tokens/s = 1234.5",
    "max_tokens=4096, num_tokens=1e6",
    "KeyError: 'loss'",
    "key error: 'loss'",
    "key='val_accuracy'",
    "cache key: resnet50-imagenet-fold3",
    "no key=0.5 in {'key': 3}",
    "pad_token='[PAD]', eos_token='</s>', unk_token=<unk>, bos_token='<|endoftext|>'",
    "pad_token=eos_token",
    "Unexpected token: identifier1",
    "SyntaxError: Unexpected token: 'identifier1'",
    "token = tokenizer.encode(text)",
    "token=args.token",
    "client = OpenAI(api_key=os.environ['OPENAI_API_KEY'])",
    "password = getpass.getpass()",
    "def login(user: str, password: str) -> None:",
    "login(password=None)",
    "password: required",
    "the password is wrong",
    "a secret that nobody knows",
    "pwd: /home/me/project",
    "cat: /etc/passwd: Permission denied",
    "open('/etc/passwd', 'rb')",
    "commit 3f786850e387550fdab836ed7e6dc881de23001b",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "run 550e8400-e29b-41d4-a716-446655440000",
    "/home/me/checkpoints/epoch=12-val_loss=0.231.ckpt",
    "File train.py, line 88, in step",
    "CUDA out of memory. Tried to allocate 2.00 GiB (GPU 0; 15.78 GiB total capacity)",
    "from torch.hooks/module_hooks_for_everything import x",
    "hf_hub_download('bert-base-uncased')",
    "risk-adjusted-return-of-portfolio-3, task-specific-head-for-model-2",
    "http://127.0.0.1:8000/a@b",
    "git@github.com:me/project.git, ssh://git@github.com/me/project",
    "loss 0.231 · acc 0.913 · lr 1e-3",
    "https://example.com/datasets?name=imagenet&split=train",
    "2026-11-23 01:29:35",
    "학습 토큰 512개, 키 값 3",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_stays(text: str) -> None:
    assert nobody.text(text) == text


@pytest.mark.parametrize(
    "text", [text for text in ORDINARY if not re.search("token|key|passw|secret|pwd|토큰|암호", text, re.I)]
)
def test_ordinary_text_is_not_even_suspected(text: str) -> None:
    """So that it costs next to nothing in a hook."""
    assert not suspects.may_be_in(text)


# Any text.


def texts() -> Any:
    """Anything, often made of what the patterns look for."""
    words = ["password", "token", "key", "api_", "secret", "eyJ", "sk-", "xoxb-", "hf_", "A1b2c3d4", "…"]
    signs = [*"=:,'\"\\[](){}@-?&/. \n\t", "://", "--"]
    return st.one_of(st.text(), st.lists(st.sampled_from(words + signs), max_size=60).map("".join))


@given(texts())
def test_it_takes_any_text_and_taking_out_again_changes_nothing(text: str) -> None:
    once = redacted(text)

    assert redacted(once) == once
    once.encode("utf-8")


@given(texts())
def test_what_is_not_suspected_has_nothing_to_hide(text: str) -> None:
    """The quick look never overlooks what the sieves would find."""
    if not suspects.may_be_in(text):
        assert suspects.hidden(text) == text


def test_a_huge_text_is_capped_before_anything_is_looked_for() -> None:
    text = redacted("password=hunter2 " + "x" * 50_000_000)

    assert text.startswith(f"password={MARK} xxx")
    assert len(text) <= LIMIT + len(MARK)


HARD = [
    *("eyJ", "sk-", "-", "--", "--a-", "://a:", "://" + "a" * 30, "?a_", "?a-sig", "/hook/" + "a" * 40, "12345678:"),
    *("-----BEGIN A-----", "-----BEGIN A-----" + "A" * 70 + "\\n", "/services/aaaaaa/aaaaaa/a", "bearer ", "Bearer a"),
    *("password=", 'password="', 'password="\\', "password        ", "'password'        ,        ", "api_key ", "pass"),
    *(
        "token: ",
        "token: " + "a" * 30 + "_",
        "key: Aa1",
        "key",
        "password='''",
        "@",
        "://@",
        "\x1b[",
        "\x1b]",
        "x",
        "…",
    ),
]


def least_seconds(text: str) -> float:
    taken = []
    for _ in range(3):
        began = time.process_time()
        suspects.hidden(text)
        taken.append(time.process_time() - began)
    return min(taken)


def filled(size: int, bit: str) -> str:
    return (bit * (size // len(bit) + 1))[:size]


def is_linear(bit: str) -> bool:
    """Whether four times the text takes about four times as long, for squared it would be sixteen times.

    And no more than a hundred times as long as harmless text: a match that begins again at each letter, and
    goes on to a bound of thousands, would be linear too.
    """
    short, long, harmless = (filled(LIMIT // 4, bit), filled(LIMIT, bit), filled(LIMIT, "loss 0.25 "))
    return any(
        least_seconds(long) < max(9 * least_seconds(short), 0.01)
        and least_seconds(long) < max(100 * least_seconds(harmless), 0.1)
        for _ in range(3)
    )


@pytest.mark.parametrize("bit", HARD)
def test_time_grows_with_the_length_and_not_with_its_square(bit: str) -> None:
    assert is_linear(bit)


@pytest.mark.once
@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(HARD), min_size=1, max_size=4).map("".join))
def test_time_grows_so_for_any_mixture(bit: str) -> None:
    assert is_linear(bit)


def test_every_quantifier_is_bounded() -> None:
    """Read off the patterns themselves."""
    sources = [Path(module.__file__ or "").read_text(encoding="utf-8") for module in (suspects, redaction)]
    patterns: List[str] = [
        value.pattern
        for module in (suspects, redaction)
        for name, each in vars(module).items()
        for value in ([shape[1] for shape in each] if name == "_SHAPES" else [each])
        if isinstance(value, (re.Pattern, suspects._Pattern))
    ]

    assert len(patterns) > 30
    for pattern in patterns:
        bare = re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]])*\]", "", pattern)
        assert not re.search(r"[*+]|\{\d+,\}", bare), pattern
    assert all(".*" not in source for source in sources)


# Events.


def event(**changes: Any) -> Event:
    return Event(**{"event": "failed", "name": "train", "started_at": 0.0, **changes})


def test_every_text_of_an_event_is_redacted() -> None:
    redactor = Redactor({"MY_TOKEN": "canary7"})
    error = ErrorInfo("canary7", "of canary7", "canary7.py, line 1, in canary7")
    dirty = event(name="a canary7", text="b canary7", error=error, metrics={"canary7": 1.0, "x": "canary7", "n": 3})

    clean = redactor.event(dirty)

    assert "canary7" not in json.dumps(clean.to_json())
    assert clean.metrics == {MARK: 1.0, "x": MARK, "n": 3}
    assert (clean.id, clean.run, clean.started_at) == (dirty.id, dirty.run, dirty.started_at)


def test_a_metric_can_be_a_secret_by_its_name() -> None:
    """``--show password``: name and value are apart, and only together they tell."""
    shown = {"password": "hunter2", "db.api_key": "abc", "pin_password": 1234, "token": 5, "tokenizer": "bert-base-1"}

    metrics = nobody.event(event(metrics=shown)).metrics

    assert metrics == {
        "password": MARK,
        "db.api_key": MARK,
        "pin_password": MARK,
        "token": 5,
        "tokenizer": "bert-base-1",
    }


def test_an_ordinary_event_is_left_as_it_is() -> None:
    ordinary = event(event="finished", name="resnet50 fold 3", metrics={"acc": 0.91, "best": "epoch 12"})

    assert nobody.event(ordinary) is ordinary


def test_the_texts_of_an_event_are_cleaned_and_capped() -> None:
    """What ``knock.send`` was given has met nobody before."""
    sent = nobody.event(event(event="message", text="a\x00\x1b[31mb\ud800" + "x" * 100_000))

    assert sent.text is not None
    assert sent.text.startswith("ab\ufffdxxx")
    assert len(sent.text) == LIMIT
    assert sent.text.endswith("…")
