"""What looks like a secret: by the shape that a service gives its keys, or by the word that stands before it."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, List, Match, Tuple

MARK = "[redacted]"


class _Pattern:
    """A pattern that is compiled once it is needed: for all of these that takes 3 ms, and a notebook waits for it."""

    def __init__(self, *about: Any) -> None:
        self._about = about

    def __getattr__(self, method: str) -> Any:
        found = getattr(re.compile(*self._about), method)
        setattr(self, method, found)
        return found


def hidden(text: str) -> str:
    """`text` with `MARK` in the place of each suspect."""
    for hints, pattern, replace in _SHAPES:
        if any(hint in text for hint in hints):
            text = pattern.sub(replace, text)
    return _without_values(_without_pem(text))


def may_be_in(text: str) -> bool:
    """Whether there may be a suspect in `text`: nearly always there is not, and this is quick to say."""
    if _PEM in text or any(True for _ in _words(text)):
        return True
    return any(hint in text and pattern.search(text) for hint, pattern in _HINTED)


# Shapes: strings of which one must be there (looking for these is a hundred times as fast), the pattern, and
# what takes its place. A pattern begins with a literal where it can; what stands before that is looked at behind it.


def _if_digit(match: Match[str]) -> str:
    """Hide a word only if it has a digit, as nearly all that is drawn by chance has."""
    return MARK if any(letter.isdigit() for letter in match[0]) else match[0]


_SHAPES: List[Tuple[Tuple[str, ...], Any, Any]] = [
    # user:password@ or a long name alone, in any URL
    (("@",), _Pattern(r"://(?:[^\s/?#'\"<>@:]{0,128}:[^\s/'\"<>]{1,512}|[^\s/?#'\"<>@:]{16,512})@"), f"://{MARK}@"),
    # Slack: tokens, and the addresses of hooks, whole or from the path on; Dooray!'s are of the same kind
    (("xox", "xapp-"), _Pattern(r"x(?:ox[a-z]|app)-[A-Za-z0-9.-]{8,512}"), MARK),
    (("hooks.slack",), _Pattern(r"(hooks\.slack(?:-gov)?\.com/)[A-Za-z0-9_/+-]{16,512}"), rf"\1{MARK}"),
    (("/services/",), _Pattern(r"(/services/)[A-Za-z0-9]{6,32}/[A-Za-z0-9]{6,32}/[\w-]{8,128}"), rf"\1{MARK}"),
    # Discord: /webhooks/ID/TOKEN; JANDI: /webhook/ID/TOKEN
    (("/webhook",), _Pattern(r"(/webhooks?/)\d{1,25}/[\w-]{8,256}"), rf"\1{MARK}"),
    # Mattermost, Rocket.Chat, Lark, KakaoWork: /hooks/KEY, /hook/KEY
    (("/hook",), _Pattern(r"(/hooks?/)(?:[A-Za-z0-9]{16,32}/)?[A-Za-z0-9-]{16,128}(?![\w.])"), rf"\1{MARK}"),
    (("worksmobile",), _Pattern(r"(webhook\.worksmobile\.com/message/)[\w.~-]{8,128}"), rf"\1{MARK}"),
    # What signs or opens an address: ?sig=, &token=, ?key=
    (
        ("?", "&"),
        _Pattern(
            r"([?&](?:[\w-]{0,32}[_-])?(?i:sig|sign|signature|key|token|secret|password|credential)=)"
            r"[^\s&#'\"<>\[\]]{6,2048}"
        ),
        rf"\1{MARK}",
    ),
    # Telegram: the number is the bot's, and no secret
    ((":",), _Pattern(r":(?<=\d{8}:)[A-Za-z0-9_-]{30,128}"), f":{MARK}"),
    (("hf_",), _Pattern(r"hf_(?<![A-Za-z0-9]hf_)[A-Za-z0-9]{16,128}"), MARK),
    (("sk-",), _Pattern(r"sk-(?<![A-Za-z0-9]sk-)[A-Za-z0-9_-]{16,256}"), _if_digit),
    (("k_live_", "k_test_"), _Pattern(r"[sr]k_(?:live|test)_[A-Za-z0-9]{10,256}"), MARK),
    (("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), _Pattern(r"gh[a-z]_[A-Za-z0-9]{16,255}"), MARK),
    (("github_pat_",), _Pattern(r"github_pat_\w{16,255}"), MARK),
    (("glpat-", "nvapi-"), _Pattern(r"(?:glpat|nvapi)-[\w-]{16,128}"), MARK),
    (("AKIA", "ASIA"), _Pattern(r"A(?:KI|SI)A(?<![A-Za-z0-9]A[KS]IA)[A-Z0-9]{16,32}"), MARK),
    (("AIza",), _Pattern(r"AIza[A-Za-z0-9_-]{30,64}"), MARK),
    # JWT: header and body are JSON, so both begin with {" in base64
    (
        ("eyJ",),
        _Pattern(r"eyJ(?<![\w-]eyJ)[\w-]{4,8192}\.[\w-]{4,8192}(?:\.[\w-]{0,8192})?", re.ASCII),
        MARK,
    ),
    (("wandb login",), _Pattern(r"(wandb login (?:--\w{1,20} )?)[0-9A-Za-z_-]{20,128}"), rf"\1{MARK}"),
    (("earer ",), _Pattern(r"([Bb]earer )(?=[^\d\s]{0,64}\d)[A-Za-z0-9._~+/=-]{8,1024}"), rf"\1{MARK}"),
    # mysql --password hunter2
    (
        ("--",),
        _Pattern(r"(--(?<![\w-]--)[\w-]{0,40}(?:password|passwd|secret|token|key)[ \t]{1,4})[^\s'\"-][^\s'\"]{3,1024}"),
        rf"\1{MARK}",
    ),
]

_HINTED = [(hint, pattern) for hints, pattern, _ in _SHAPES for hint in hints]

_PEM = "-----BEGIN "
_PEM_BEGIN = _Pattern(r"-----BEGIN [A-Z0-9 ]{1,40}-----")
_PEM_END = _Pattern(r"-----END [A-Z0-9 ]{1,40}-----")
# Where it was cut, the lines are known by their length; in a repr their ends are written out.
_PEM_LINES = _Pattern(r"(?:[\s\\nr]{0,8}[A-Za-z0-9+/=]{20,76}){0,400}(?:[\s\\nr]{0,8}[A-Za-z0-9+/=]{1,76}(?=…))?")


def _without_pem(text: str) -> str:
    """`text` without the keys and certificates in it; public ones say nothing to a reader either."""
    kept, at, is_whole = [], 0, True
    for begin in _PEM_BEGIN.finditer(text) if _PEM in text else ():
        if begin.start() < at:
            continue
        end = _PEM_END.search(text, begin.end()) if is_whole else None
        is_whole = end is not None
        kept += [text[at : begin.start()], MARK]
        at = (end or _PEM_LINES.match(text, begin.end()) or begin).end()
    return "".join([*kept, text[at:]])


# Words: what stands behind them is hidden, `password=…` as well as `{"password": "…"}` and `('password', '…')`.

_WORDS = (
    *("password", "passwd", "passphrase", "passcode", "pwd", "secret", "credential", "credentials", "authorization"),
    *("비밀번호", "암호", "패스워드"),
)
_TOKENS = ("token", "토큰")
_KEYS = ("key",)
# With one of these before it, a token or a key is surely none of a language model or a dictionary.
_SURE = _Pattern(
    r"(?:api|access|account|secret|private|auth|app|encryption|signing|service|subscription|shared|master|deploy"
    r"|refresh|bot|id|session|bearer|security|personal|hf|github|gitlab|slack)[ _-]?\Z",
    re.IGNORECASE,
)
_VALUE = _Pattern(
    r"(?:(?:\\{0,3}[\"'])?\]?[ \t]{0,8}(?:=>|:=|={1,2}|:)[ \t]{0,8}"
    r"|\\{0,3}[\"'][ \t]{0,8},[ \t]{0,8}(?=[bru]{0,2}\\{0,3}[\"']))"
    r"(?:[bru]{0,2}(?:\"{3}|'{3})(?P<long>[^\"']{1,1024})"
    r"|[bru]{0,2}\"(?P<double>(?:[^\"\\\n]|\\.){1,1024})"
    r"|[bru]{0,2}'(?P<single>(?:[^'\\\n]|\\.){1,1024})"
    r"|\\{1,3}[\"'](?P<escaped>[^\"'\\\n]{1,1024})"
    r"|(?:(?i:bearer|basic|token|digest)[ \t]{1,4})?(?P<plain>[^\s,;&'\"()\[\]{}<>…]{1,1024}))"
)
_HARMLESS = frozenset(
    (
        *("none", "null", "nil", "true", "false", "str", "bytes", "string", "required", "optional"),
        *("bearer", "basic", "token", "digest"),  # what is behind them is the secret
        *("missing", "invalid", "incorrect", "expired", "empty", "unset", "undefined"),
    )
)


def _without_values(text: str) -> str:
    kept, at = [], 0
    for start, word in sorted(_words(text)):
        value = _VALUE.match(text, start + len(word)) if start >= at else None
        if value and _tells(text, start, word, value):
            begin, end = value.span(str(value.lastgroup))
            kept += [text[at:begin], MARK]
            at = end
    return "".join([*kept, text[at:]])


def _words(text: str) -> Iterator[Tuple[int, str]]:
    """Where one of the words begins, in any case of letters."""
    lowered = text.replace("İ", "I").lower()  # the one letter that is two in lower case
    for word in (*_WORDS, *_TOKENS, *_KEYS):
        at = lowered.find(word)
        while at >= 0:
            yield at, word
            at = lowered.find(word, at + len(word))


def _tells(text: str, start: int, word: str, value: Match[str]) -> bool:
    """Whether `word` at `start` tells that the value behind it is a secret."""
    said, is_quoted = value[str(value.lastgroup)], value.lastgroup != "plain"
    if said.lower() in _HARMLESS or (not is_quoted and _is_code(text, value)):
        return False
    if word == "passwd" and text[max(0, start - 1) : start] == "/":
        return False  # the file of that name, and what was wrong with it
    if word == "pwd":
        return not said.startswith(("/", "~"))  # it is also what the current folder is called
    if word in _WORDS or _SURE.search(text, max(0, start - 16), start):
        return True
    before = text[max(0, start - 11) : start]
    is_alone = not before[-1:].isalnum() and before[-1:] != "_"
    if word in _KEYS:
        return is_alone and bool(_KEY.fullmatch(said))
    return not before.lower().endswith("unexpected ") and _is_random(said, is_sure=is_alone and is_quoted)


def _is_code(text: str, value: Match[str]) -> bool:
    """Whether the value is a call or an item, as in ``api_key=os.environ["KEY"]``."""
    return text[value.end() : value.end() + 1] in ("(", "[") and bool(_DOTTED.fullmatch(value["plain"]))


_DOTTED = _Pattern(r"[A-Za-z_][\w.]{0,200}")
_NUMBER = _Pattern(r"[\d.,:/%eE+-]{1,40}")
_TOKEN = _Pattern(r"[\w.~+/=:-]{8,1024}", re.ASCII)
_NAME = _Pattern(
    r"[A-Za-z_]{1,64}(?:\.[A-Za-z_]{1,64}){1,9}|[a-z]{1,15}|[a-z]{0,64}_[a-z_]{0,64}|[A-Z]{0,64}_[A-Z_]{0,64}"
)
# wandb's and the like: 32 to 64 hex digits; or 20 and more letters and digits of all kinds
_KEY = _Pattern(r"[0-9a-f]{32,64}|(?=\D{0,99}\d)(?=[^a-z]{0,99}[a-z])(?=[^A-Z]{0,99}[A-Z])[A-Za-z0-9_-]{20,200}")


def _is_random(value: str, *, is_sure: bool) -> bool:
    """Whether `value` looks drawn by chance; a language model's tokens are words, marks and numbers."""
    if not _TOKEN.fullmatch(value) or _NUMBER.fullmatch(value):
        return False
    return is_sure or not _NAME.fullmatch(value)
