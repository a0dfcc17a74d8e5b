"""`Redactor`: takes what must stay secret out of a text before it leaves the kernel.

Three sieves, in this order, on at most 64 KiB:

1. what is known to be secret: settings of channels, and the values of environment variables with TOKEN, KEY,
   SECRET, PASSWORD or the like in their names; as they are, and as a URL, JSON, a repr or base64 writes them;
   and the beginning of one at the end of a text that was cut there,
2. what looks like a secret that some service gave out,
3. what stands behind a word such as ``password=``.

All else stays, for a message has to say something: numbers, paths, and also hashes and ids that no such word
stands before (a git commit looks just like a key).

No quantifier of a pattern is unbounded, and no match can begin again inside of what was just passed over, so the
time grows with the length of a text and not with its square.
"""

from __future__ import annotations

import binascii
import json
import re

from knock_magic import suspects
from knock_magic.cleaning import ELLIPSIS, clean
from knock_magic.suspects import MARK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Iterable, Iterator, Mapping, Set, Tuple

    from knock_magic.event import ErrorInfo, Event, Metric

    Redact = Callable[[str], str]

LIMIT = 64 * 1024  # characters
SHORTEST = 6  # characters; anything shorter stands in too many innocent words
LONGEST = 16 * 1024


class Redactor:
    """Takes secrets out of texts.

    >>> Redactor({"HF_TOKEN": "abc123def"}).text("401 for abc123def")
    '401 for [redacted]'

    Args:
        environ: the environment, looked at anew whenever it has changed.
        own: gives further secrets, such as the settings of channels.
    """

    def __init__(self, environ: Mapping[str, str], own: Callable[[], Iterable[str]] = tuple) -> None:
        self._environ = environ
        self._own = own
        self._seen: Tuple[Any, Tuple[str, ...]] = ({}, ())
        self._forms: Tuple[str, ...] = ()

    def text(self, text: str) -> str:
        """`text`, cleaned and capped, with a mark in the place of each secret."""
        return _redacted(clean(text, LIMIT), self._known())

    def event(self, event: Event) -> Event:
        """`event` with the same done to each text of it that comes from the user's code."""
        known = self._known()
        everything = " ".join(_texts(event))
        if len(everything) <= LIMIT and everything.isprintable() and not _is_suspect(everything, known):
            return event

        def redact(text: str) -> str:
            return _redacted(clean(text, LIMIT), known)

        changed = {
            "name": redact(event.name),
            "text": event.text and redact(event.text),
            "tail": event.tail and redact(event.tail),
            "curves": {redact(name): points for name, points in event.curves.items()},
            "error": event.error and _redacted_error(event.error, redact),
            "metrics": dict(_redacted_metric(name, value, redact) for name, value in event.metrics.items()),
            "before": dict(_redacted_metric(name, value, redact) for name, value in event.before.items()),
        }
        return type(event)(**{**vars(event), **changed})

    def _known(self) -> Tuple[str, ...]:
        """All forms of all known secrets, the longest first: what a shorter one begins must not be left over."""
        # os.environ decodes every value each time; what it keeps them in is compared in 3 µs.
        environ, own = getattr(self._environ, "_data", self._environ), tuple(self._own())
        if (environ, own) != self._seen:
            self._seen = (dict(environ), own)
            secrets = {clean(secret.strip(), LONGEST) for secret in (*own, *secrets_in(self._environ))}
            parts = {part for secret in secrets for part in (secret, *parts_of_address(secret))}
            forms = {form for part in parts if len(part) >= SHORTEST for form in forms_of(part)}
            self._forms = tuple(sorted((form for form in forms if form not in MARK), key=len, reverse=True))
        return self._forms


def _redacted(text: str, known: Tuple[str, ...]) -> str:
    for form in known:
        if form in text:
            text = text.replace(form, MARK)
    if text.endswith(ELLIPSIS):
        text = _without_beginning(text[:-1], known) + ELLIPSIS
    return suspects.hidden(text)


def _is_suspect(text: str, known: Tuple[str, ...]) -> bool:
    """Whether there may be anything to take out; nearly always there is not, and this is quick to say."""
    return ELLIPSIS in text or any(form in text for form in known) or suspects.may_be_in(text)


# Events.


def _texts(event: Event) -> Iterator[str]:
    yield event.name
    if event.text:
        yield event.text
    if event.tail:
        yield event.tail
    if event.error:
        yield from (event.error.type, event.error.message, event.error.traceback or "")
    for name, value in (*event.metrics.items(), *event.before.items()):
        yield f"{name}={value}"
    yield from event.curves


def _redacted_error(error: ErrorInfo, redact: Redact) -> ErrorInfo:
    traceback = redact(error.traceback) if error.traceback else error.traceback
    return type(error)(redact(error.type), redact(error.message), traceback)


def _redacted_metric(name: str, value: Metric, redact: Redact) -> Tuple[str, Metric]:
    """A metric's name may be what tells that its value is a secret: ``--show password``."""
    if redact(f"{name}={value}") == f"{name}={value}":
        return name, value
    hidden = redact(value) if isinstance(value, str) else value
    tells = hidden == value and redact(f"{name}={value}") != f"{redact(name)}={value}"
    return redact(name), MARK if tells else hidden


# Known secrets.

_NAMES = re.compile(
    r"TOKEN(?!IZ)|KEY|SECRET|PASSW(?:OR)?D|PASSPHRASE|CREDENTIAL|WEBHOOK|KNOCK_\w{1,64}URL", re.IGNORECASE
)
_SURELY = re.compile(r"SECRET|PASS", re.IGNORECASE)
_ABOUT_ONE = re.compile(r"_(?:NAME|FILE|PATH|DIR|TYPE|HEADER|COLUMN)\Z", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?[\d.,:/%eE+-]{1,40}")
_FILE = re.compile(
    r"~?/(?:home|root|Users|content|kaggle|workspaces?|run|var|tmp|opt|usr|etc|mnt|media|data)/|[A-Z]:\\"
)


def secrets_in(environ: Mapping[str, str]) -> Iterator[str]:
    """The values in `environ` that their names tell to be secret.

    ``MAX_TOKENS=100000`` is none; ``SSH_KEY=/home/me/.ssh/id`` and ``SECRET_NAME=training`` tell of one, not what it is.
    """
    for name, value in environ.items():
        may_be_one = _NAMES.search(name) and not (_ABOUT_ONE.search(name) or _FILE.match(value))
        if may_be_one and (_SURELY.search(name) or not _NUMBER.fullmatch(value)):
            yield value


def parts_of_address(address: str) -> Iterator[str]:
    """What of an address can be the key in it; libraries also print it without scheme and host."""
    rest = address.partition("://")[2]
    host, slash, path = rest.partition("/")
    for part in (slash + path, *_SIGNS.split(host.rpartition("@")[0]), *_SIGNS.split(path)):
        is_word = part.strip("/").isalpha() and part.islower()  # "services", "webhooks"
        if len(part) >= (16 if is_word else 8) and not _NUMBER.fullmatch(part):
            yield part


_SIGNS = re.compile("[/?&=#:;]")


def forms_of(secret: str) -> Set[str]:
    """`secret` as it is, and as a URL, JSON, a repr and base64 write it."""
    data = secret.encode("utf-8")
    quoted = [_quoted(data, spared) for spared in (b"", b"/", b" ")]  # whole, in a path, in a form
    return {
        secret,
        *(each.replace(" ", "+") for each in quoted),
        *(re.sub("%..", lambda match: match[0].lower(), each) for each in quoted[:1]),
        *(json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]),
        *_in_base64(data),
    }


def _quoted(data: bytes, spared: bytes) -> str:
    """`data` with % and two digits for all but `spared` and what is never quoted (RFC 3986, 2.3)."""
    return "".join(chr(byte) if byte in spared or byte in _UNRESERVED else f"%{byte:02X}" for byte in data)


_UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"


def _in_base64(data: bytes) -> Iterator[str]:
    """What `data` leads to in base64, whatever stands before and behind it (``user:password``)."""
    for before, skipped in ((0, 0), (1, 2), (2, 3)):  # characters that share bits with the bytes before
        whole = (before + len(data)) * 8 // 6
        written = binascii.b2a_base64(bytes(before) + data, newline=False).decode("ascii")[skipped:whole]
        yield written
        yield written.replace("+", "-").replace("/", "_")


def _without_beginning(text: str, known: Tuple[str, ...]) -> str:
    """`text` without the beginning of a secret that it ends with."""
    for form in known:
        at = text.rfind(form[:SHORTEST])
        if at >= 0 and form.startswith(text[at:]):
            return text[:at] + MARK
    return text
