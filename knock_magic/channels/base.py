"""`Channel`: one class per service, its traits being its settings. `HttpChannel`: the one place that posts."""

from __future__ import annotations

import dataclasses
import datetime
import io
import json
import logging
import math
import re
import threading
import time
from email.utils import parsedate_to_datetime
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    Iterator,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
)
from urllib.parse import urlencode, urlsplit

from knock_magic import fitting, trust

# The kinds of settings that who writes a channel needs beside it.
from knock_magic.addresses import Link as Link, Token as Token, Url as Url, service_at as service_at
from knock_magic.cleaning import ELLIPSIS, one_line
from knock_magic.durations import LONGEST_S, say_duration
from knock_magic.errors import DeliveryError
from knock_magic.event import Picture
from knock_magic.redaction import Redactor
from knock_magic.settings import Secret, Settings
from knock_magic.template import Message

if TYPE_CHECKING:
    import requests

CONNECT_SECONDS = 10
READ_SECONDS = 20
ANSWER_BYTES = 64 * 1024  # more than any provider has to say
LONGEST_HANDLE = 500  # characters; it is kept in the outbox
NAMELESS = "knock"  # what is sent in place of nothing, which no service takes
USER_AGENT = "knock_magic (https://pypi.org/project/knock-magic)"

Texts = Mapping[str, str]


class Ending(NamedTuple):
    """Something without which a channel will not work, such as a login: when it ends, and what to do, to be told once."""

    at: float
    texts: Texts


class Channel(Settings):
    """A way to reach a person.

    A subclass gives `key` (what people type; also the module's name), `label` and `steps`
    (how to obtain the credentials) in each language, its settings as traits, and `send`.
    """

    label: Texts = {}
    steps: Texts = {}
    # A channel that shows in the notebook itself has no one to send to from another process.
    in_kernel = False
    # How a knock looks there, for a preview: "bubble" (KakaoTalk's), "talk", "chat" (of a team),
    # "mail", "push" (a lock screen) or "line" (under the cell).
    looks_like = "chat"
    # Further words that people look for it by, in any language; its key and its labels are looked for anyway.
    also_called = ""
    # A service that people in Korea look for first.
    is_korean = False
    # Whether its secrets come from ``knock login``.
    has_login = False
    # Whether it sends `message.event.picture` along.
    takes_pictures = False
    # Whether `edit` changes what `send` has sent: a run's progress is then one live message.
    edits = False
    # Whether its service knows a message by `message.event.id`, so that a second try never makes a second message.
    sends_once = False
    # What a test says of a success that is no arrival yet; most services answer once the message is there.
    only_taken: Texts = {}
    # Outcomes that it gets of each run that names it, whatever `--on`, `--min` and a mute say: what watches from
    # outside has to hear both of a run's beginning and of its end.
    wants: Sequence[str] = ()
    # Whether it can put a message below the one whose handle is `message.after`: a thread, or a reply.
    threads = False
    # The most that one message holds, in `unit`; None where that is more than a knock ever has.
    limit: Optional[int] = None
    unit = "characters"  # one of `fitting.UNITS`
    # The signs behind which a service that makes links of plain words sees a mention, a tag or a command;
    # "" where a service leaves plain words alone. `escape` breaks all of these up.
    signs = ""

    def send(self, message: Message) -> Optional[str]:
        """Deliver `message`, or raise `DeliveryError`.

        Returns:
            The handle by which the service knows what was sent, at most `LONGEST_HANDLE` characters and without
            a secret; None where `edits` and `threads` are both off.
        """
        raise NotImplementedError

    def edit(self, handle: str, message: Message) -> None:
        """Have what `send` returned `handle` for say `message` now; only where `edits` is on.

        Raises:
            DeliveryError: it can't be done; `permanent` and not `revoked` where the message is not there any
                more, or too old, so that a new one is sent in its place.
        """
        raise NotImplementedError

    def ending(self, now: float) -> Optional[Ending]:
        """What ends soon unless its owner does something, from what is known on this machine; waits for nothing."""
        return None

    def error(self, en: str, ko: str, **about: Any) -> DeliveryError:
        """A `DeliveryError` that begins with the channel's name."""
        return DeliveryError({"en": f"{self.label['en']}: {en}", "ko": f"{self.label['ko']}: {ko}"}, **about)

    def bare(self, reason: str) -> str:
        """`reason` without the channel's name before it, for where that stands already."""
        begins = (f"{name}: " for name in (*self.label.values(), self.key))
        return next((reason[len(start) :] for start in begins if reason.startswith(start)), reason)

    def escape(self, text: str) -> str:
        """`text` written so that nothing in it comes alive in this service; longer than it, maybe."""
        return _inert(text, self.signs) if self.signs else text

    def or_without_picture(self, send: Callable[[Message], Optional[str]], message: Message) -> Optional[str]:
        """What `send` returns for `message`; where its picture is refused, it goes without, and says so."""
        try:
            return send(message)
        except DeliveryError as failure:
            if message.event.picture is None or not failure.permanent or failure.revoked:
                raise
            return send(pictureless(message, failure))

    def uploaded(self, upload: Callable[[Picture], str], message: Message) -> Tuple[str, Message]:
        """What `upload` returns for the picture of `message`; where that fails, nothing, and the message says so.

        Nothing of the message itself was tried by then: the words do not wait until a store of files is well again.
        """
        picture = message.event.picture
        if picture is None:
            return "", message
        try:
            return upload(picture), message
        except DeliveryError as failure:
            return "", pictureless(message, failure)

    def fit(self, message: Message) -> str:
        """The text of `message`, not escaped yet, cut to this channel's limit."""
        return fit(message, self.limit, self.measure) or NAMELESS

    def fitted(self, message: Message, limit: Optional[int] = None) -> Message:
        """`message` with its text cut to `limit`, else to this channel's."""
        text = fit(message, limit or self.limit, self.measure) or NAMELESS
        title, _, body = text.partition("\n")
        return dataclasses.replace(message, title=title, body=body)

    def measure(self, text: str) -> int:
        """How much of the limit `text` takes at most; it adds up over characters."""
        unit = fitting.UNITS[self.unit]
        # What `_inert` puts in depends on what follows, so each place where it might is counted.
        places = sum(map(text.count, {*self.signs, "/", "."})) if self.signs else 0
        return unit(self.escape(text)) + places * unit(_ZERO_WIDTH_SPACE)

    def hide(self, text: str, *more: str) -> str:
        """`text` without this channel's secrets, and without `more` of them, however a server writes them."""
        own = [getattr(self, name) for name, trait in self.fields().items() if isinstance(trait, Secret)]
        return Redactor({}, lambda: [*filter(None, own), *more]).text(text)


def pictureless(message: Message, failure: DeliveryError) -> Message:
    """`message` without its picture, which says why."""
    what = {"en": "The picture could not be sent.", "ko": "그림은 보내지 못했어요."}[message.lang]
    event = dataclasses.replace(message.event, picture=None)
    body = f"{message.body}\n({what} {failure.texts[message.lang]})".lstrip("\n")
    return dataclasses.replace(message, event=event, body=body)


_ZERO_WIDTH_SPACE = "\u200b"


def _inert(text: str, signs: str) -> str:
    """`text` with something invisible behind each of `signs`, in addresses and in the names of hosts."""
    return re.sub(rf"(?<=[{re.escape(signs)}])(?=\S)|(?<=:/)(?=/)|(?<=\.)(?=[^\W\d_])", _ZERO_WIDTH_SPACE, text)


_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-!|>~])")
_NUMBERED = re.compile(r"^(\s*\d+)(?=\.\s)", re.MULTILINE)  # a list; `measure` allows for each dot


def in_markdown(text: str) -> str:
    """`text` with a backslash before each sign that Markdown knows (https://spec.commonmark.org/0.31.2/#backslash-escapes)."""
    return _NUMBERED.sub(r"\1\\", _MARKDOWN.sub(r"\\\1", text))


def keep_indents(text: str) -> str:
    """`text` with spaces that HTML does not fold, where a line begins with some."""
    return re.sub("^ +", lambda spaces: "\u00a0" * len(spaces[0]), text, flags=re.MULTILINE)


def fit(message: Message, limit: Optional[int], measure: fitting.Measure) -> str:
    """The text of `message` in at most `limit` by `measure`: headline, the error and how late it is stay."""
    if limit is None:
        return message.text
    text = _cut_to(limit, message, measure)
    head = text.partition("\n")[0]
    if head == message.title:
        return text
    room = measure(head) - measure(ELLIPSIS)  # the equal parts of what is dealt out are rounded
    shorter = dataclasses.replace(message, title=_with_less_of_the_name(message, room, measure))
    return _cut_to(limit, shorter, measure)


def _with_less_of_the_name(message: Message, limit: int, measure: fitting.Measure) -> str:
    """The headline within `limit`, cut within the name, so that how it went and how long it took stay."""
    before, name, behind = message.title.partition(message.event.name or "\0")
    room = limit - measure(before) - measure(behind)
    if not behind or measure(name) <= room or room < 2 * measure(ELLIPSIS):
        return message.title
    return f"{before}{fitting.cut(name, room, measure)}{behind}"


def _cut_to(limit: int, message: Message, measure: fitting.Measure) -> str:
    error = message.event.error
    keep = [say_duration(message.late_s, message.lang)] if message.late_s else []
    if error:
        last = next((line.strip() for line in reversed(error.message.splitlines()) if line.strip()), "")
        keep += [error.type, last[:40]]
    return fitting.fit(message.text, limit, measure, keep)


# HTTP.


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a server said: its status, its headers, and the beginning of its body."""

    status: int
    headers: Mapping[str, str]
    text: str

    def json(self) -> Dict[str, Any]:
        """The body as a JSON object; empty if it is none."""
        try:
            found = json.loads(self.text)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def is_page(self) -> bool:
        """Whether this is a page for people: what a network's login page puts in a service's place."""
        return self.text.lstrip()[:200].lower().startswith(("<!doctype html", "<html"))

    @property
    def is_blocked(self) -> bool:
        """Whether it is a filter's on the way: a company's page, or Cloudflare's "error code: 1010".

        See https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-1xxx-errors/.
        """
        return self.status == 403 and (self.is_page or re.match(r"error code: 1\d{3}\b", self.text) is not None)


_PROXY_LOGIN = {
    "en": "the proxy asks for a login (HTTP 407). Put it into HTTPS_PROXY, as http://user:password@proxy:port",
    "ko": "프록시가 로그인을 요구해요(HTTP 407). HTTPS_PROXY에 http://사용자:비밀번호@프록시:포트 형식으로 넣어 주세요",
}


class HttpChannel(Channel):
    """A channel behind HTTP(S)."""

    # What to do once the service does not know the address or key any more.
    anew: Texts = {"en": "Make a new one and set it", "ko": "새로 발급해서 설정해 주세요"}

    def post(self, url: str, **request: Any) -> Answer:
        """Send as `request` does it, and return an answer of 2xx.

        Raises:
            DeliveryError: no answer, or another one.
        """
        answer = self.request(url, **request)
        if not 200 <= answer.status < 300:
            raise self.refusal(answer)
        return answer

    def request(
        self,
        url: str,
        *,
        method: str = "POST",
        payload: Optional[Any] = None,
        form: Optional[Mapping[str, str]] = None,
        files: Optional[Mapping[str, Picture]] = None,
        body: Optional[bytes] = None,
        headers: Optional[Mapping[str, str]] = None,
    ) -> Answer:
        """Send `payload` as JSON, `form` as a form (with `files` as multipart), or `body` as it is.

        Returns:
            The answer, whatever it is.

        Raises:
            DeliveryError: there was none. Its text never has the address, which can be a secret.
        """
        import requests  # only a delivery pays the 170 ms that this takes

        kind = "application/json; charset=utf-8"
        if files:
            body, kind = _multipart(form or {}, files)
        elif form is not None:
            kind = "application/x-www-form-urlencoded;charset=utf-8"
            body = urlencode(form, errors="replace").encode("ascii")
        elif body is None:
            body = json.dumps(payload, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
        sending = _Body(body)
        # An answer is short; one that unpacks to gigabytes is none.
        all_headers = {"User-Agent": USER_AGENT, "Content-Type": kind, "Accept-Encoding": "identity", **(headers or {})}
        try:
            with requests.Session() as session, unlogged():
                self._refuse_inward(url, session)
                response = session.request(
                    method,
                    url,
                    data=sending if body else None,  # an empty one would go in chunks, as if its length were not known
                    headers=all_headers,
                    timeout=(CONNECT_SECONDS, READ_SECONDS),
                    allow_redirects=False,  # a redirect would carry the headers, and their secrets, to another host
                    stream=True,
                    verify=trust.ca_bundle() or True,
                    auth=_own_login,
                )
                return _read(response)
        except (requests.RequestException, OSError, ValueError) as error:
            # ValueError: an address or header that no request can be made of.
            failure = self._unreachable(error, sending.was_begun)
        raise failure  # out here, so that it does not carry what was caught, which shows the address

    def refusal(self, answer: Answer) -> DeliveryError:
        """The error for an `answer` that is no success; a service with words of its own looks for them first."""
        status, said = answer.status, self.said(answer)
        if answer.is_page and status < 400:
            return self.error(
                f"a web page answered (HTTP {status}), so nothing arrived. Does this network ask for a login?",
                f"웹 페이지가 대신 응답해서(HTTP {status}) 알림이 도착하지 않았어요. 로그인이 필요한 네트워크인지 확인해 주세요.",
            )
        if 300 <= status < 400:
            return self.error(
                f"it answered with a redirect (HTTP {status}), which is never followed. Check the address.",
                f"서버가 다른 주소로 보내려 해요(HTTP {status}). 주소를 확인해 주세요.",
                permanent=True,
            )
        if answer.is_blocked:
            return self.error(
                f"this network may be blocking it (HTTP {status}{said}). Try another network, or ask who runs this one.",
                f"이 네트워크가 막고 있을 수 있어요(HTTP {status}{said}). 다른 네트워크에서 보내 보거나 네트워크 관리자에게 문의해 주세요.",
            )
        if status == 407:
            return self.error(f"{_PROXY_LOGIN['en']}.", f"{_PROXY_LOGIN['ko']}.")
        if status in (401, 403, 404, 410):
            return self.error(
                f"it no longer accepts this address or key (HTTP {status}{said}). {self.anew['en']}.",
                f"이 주소나 키를 더는 받아 주지 않아요(HTTP {status}{said}). {self.anew['ko']}.",
                permanent=True,
                revoked=True,
            )
        if status == 429:
            return self.error(
                f"it asks to slow down (HTTP 429{said}).",
                f"너무 자주 보내서 잠시 기다려야 해요(HTTP 429{said}).",
                retry_after=self.wait(answer),
            )
        if status >= 500:
            return self.error(
                f"it has trouble of its own (HTTP {status}{said}).",
                f"서버에 문제가 있어요(HTTP {status}{said}).",
                retry_after=self.wait(answer),
                maybe_sent=True,  # the part that failed may be the one after the message went on
            )
        permanent = status not in (408, 425)
        return self.error(
            f"it answered HTTP {status}{said}.{' Check its settings.' if permanent else ''}",
            f"서버 응답: HTTP {status}{said}.{' 설정을 확인해 주세요.' if permanent else ''}",
            permanent=permanent,
            maybe_sent=status < 300,
        )

    def wait(self, answer: Answer) -> Optional[float]:
        """Seconds that `answer` asks to wait, if it does; some services say so in the body."""
        return retry_after(answer.headers)

    def said(self, answer: Answer, *secrets: str) -> str:
        """The beginning of the server's own words, to follow a number: enough to understand, too little to flood."""
        words = "" if answer.is_page else one_line(self.hide(answer.text, *secrets), 200)
        return f", {words}" if words not in ("", "{}", "[]", "null") else ""

    def _refuse_inward(self, url: str, session: requests.Session) -> None:
        import requests.utils

        parts = urlsplit(url)
        proxies = session.merge_environment_settings(url, {}, None, None, None)["proxies"]
        # Behind a proxy, names are the proxy's to look up; asking here could hang.
        direct = not requests.utils.select_proxy(url, proxies)
        trust.refuse_inward(parts.hostname or "", parts.port or 443, look_up=direct)

    def _unreachable(self, error: Exception, begun: bool) -> DeliveryError:
        """What stopped the request. Only the kind of `error` is told: its text would show the address.

        Neither does its kind tell whether the request was read (a proxy hides that), but `begun` does.
        """
        import requests

        malformed = False
        if isinstance(error, requests.exceptions.Timeout):
            why = {"en": "it did not answer in time", "ko": "제때 응답하지 않았어요"}
        elif begun:
            why = {"en": "the connection broke before it had answered", "ko": "응답을 받기 전에 연결이 끊겼어요"}
        elif isinstance(error, requests.exceptions.SSLError):
            why = {
                "en": "its TLS certificate could not be trusted. Check the address; a company's own CA goes into REQUESTS_CA_BUNDLE",
                "ko": "TLS 인증서를 믿을 수 없어요. 주소를 확인해 주세요. 회사 CA라면 REQUESTS_CA_BUNDLE에 넣어 주세요",
            }
        elif isinstance(error, requests.exceptions.ProxyError) and "failed: 407" in str(error):
            why = _PROXY_LOGIN
        elif isinstance(error, requests.exceptions.ProxyError):
            why = {"en": "the proxy did not let the request through", "ko": "프록시가 요청을 막았어요"}
        elif isinstance(error, requests.exceptions.ConnectionError):
            why = {
                "en": "it could not be reached. Check the address and the network",
                "ko": "연결하지 못했어요. 주소와 네트워크를 확인해 주세요",
            }
        elif isinstance(error, trust.Inward):
            malformed = True
            why = {
                "en": "link-local addresses and a cloud's metadata service are refused",
                "ko": "링크 로컬 주소와 클라우드 메타데이터 주소로는 보내지 않아요",
            }
        elif isinstance(error, requests.exceptions.InvalidSchema) and "SOCKS" in str(error):
            why = {
                "en": "your proxy speaks SOCKS, which needs: pip install pysocks",
                "ko": "SOCKS 프록시를 쓰려면 이 명령으로 설치해 주세요: pip install pysocks",
            }
        elif isinstance(error, OSError) and not isinstance(error, requests.RequestException):
            why = {
                "en": "the file that REQUESTS_CA_BUNDLE or SSL_CERT_FILE names can't be read",
                "ko": "REQUESTS_CA_BUNDLE이나 SSL_CERT_FILE에 적힌 파일을 읽을 수 없어요",
            }
        else:
            malformed = True
            why = {"en": "nothing can be sent to this address", "ko": "이 주소로는 보낼 수 없어요"}
        return self.error(f"{why['en']}.", f"{why['ko']}.", permanent=malformed, maybe_sent=begun)


class _Body(io.BytesIO):
    """A request's body that knows whether any of it was asked for: before that, the other side got no request."""

    was_begun = False

    def read(self, size: Optional[int] = -1) -> bytes:
        self.was_begun = True
        return super().read(size)

    def __iter__(self) -> Iterator[bytes]:
        self.was_begun = True
        return super().__iter__()


def _multipart(form: Mapping[str, str], files: Mapping[str, Picture]) -> Tuple[bytes, str]:
    """The body of a form with files, and its content type."""
    from urllib3.filepost import encode_multipart_formdata  # requests brings it

    parts: Dict[str, Any] = {name: text.encode("utf-8", "replace") for name, text in form.items()}
    parts.update({name: (file.file_name, file.content, file.media_type) for name, file in files.items()})
    return encode_multipart_formdata(parts)


def _read(response: requests.Response) -> Answer:
    body = b""
    with response:  # what is not read to its end is not closed by the session
        for chunk in response.iter_content(1024):
            body += chunk
            if len(body) >= ANSWER_BYTES:
                break
    return Answer(response.status_code, response.headers, body[:ANSWER_BYTES].decode("utf-8", "replace"))


def _own_login(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """The name and password that an address has in it, and else nothing.

    Without this, requests would put in what ``~/.netrc`` has for the host, over a header of our own.
    """
    from requests.auth import HTTPBasicAuth
    from requests.utils import get_auth_from_url

    user, password = get_auth_from_url(request.url or "")
    return HTTPBasicAuth(user, password)(request) if user or password else request


class unlogged:  # noqa: N801 - reads as what it does in a `with`
    """Keeps what urllib3 logs in this thread out of every log: at DEBUG it writes addresses with their keys."""

    _threads: Set[int] = set()
    _loggers = ("urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry", "urllib3.poolmanager")

    def __enter__(self) -> None:
        self._threads.add(threading.get_ident())
        for name in self._loggers:
            logging.getLogger(name).addFilter(self._passes)  # adding it again changes nothing

    def __exit__(self, *_: Any) -> None:
        self._threads.discard(threading.get_ident())

    @classmethod
    def _passes(cls, record: logging.LogRecord) -> bool:
        return threading.get_ident() not in cls._threads


def retry_after(headers: Mapping[str, str]) -> Optional[float]:
    """Seconds from now by a ``Retry-After`` header, a number or a date (RFC 9110, 10.2.3), if there is one."""
    value = headers.get("Retry-After", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        seconds = _seconds_until(value)
    return max(0.0, seconds) if math.isfinite(seconds) else None


def wait_of(value: Any) -> Optional[float]:
    """Seconds to wait that an answer names in its JSON, if `value` is a number of them."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return max(0.0, float(value)) if is_number and abs(value) <= LONGEST_S else None


def _seconds_until(date: str) -> float:
    try:
        moment = parsedate_to_datetime(date)
        if moment.tzinfo is None:  # "-0000", which says UTC and no more
            moment = moment.replace(tzinfo=datetime.timezone.utc)
        return moment.timestamp() - time.time()
    except (TypeError, ValueError, IndexError, OverflowError, OSError):
        return math.nan
