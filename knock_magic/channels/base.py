"""`Channel`: one class per service, its traits being its settings. `HttpChannel`: the one place that posts."""

from __future__ import annotations

import json
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Dict, Mapping, NoReturn, Optional
from urllib.parse import urlsplit

from traitlets import Unicode

from knock_magic.cleaning import one_line
from knock_magic.errors import DeliveryError
from knock_magic.settings import Explained, Settings
from knock_magic.template import Message

if TYPE_CHECKING:
    import requests

CONNECT_SECONDS = 10
READ_SECONDS = 20
USER_AGENT = "knock_magic (https://pypi.org/project/knock-magic)"

Texts = Mapping[str, str]


class Channel(Settings):
    """A way to reach a person.

    A subclass gives `key` (what people type; also the module's name), `label` and `steps`
    (how to obtain the credentials) in each language, its settings as traits, and `send`.
    """

    label: Texts = {}
    steps: Texts = {}
    # A channel that shows in the notebook itself has no one to send to from another process.
    in_kernel = False

    def send(self, message: Message) -> None:
        """Deliver `message`, or raise `DeliveryError`."""
        raise NotImplementedError


class HttpChannel(Channel):
    """A channel behind HTTP(S)."""

    def post(
        self,
        url: str,
        *,
        payload: Optional[Any] = None,
        body: Optional[bytes] = None,
        headers: Optional[Mapping[str, str]] = None,
    ) -> requests.Response:
        """Post `payload` as JSON, or `body` as it is, and return an answer of 2xx.

        Raises:
            DeliveryError: no answer, or another one. Its text never has the address, which can be a secret.
        """
        import requests  # only a delivery pays the 170 ms that this takes

        all_headers: Dict[str, str] = {"User-Agent": USER_AGENT, **(headers or {})}
        if body is None:
            body = json.dumps(payload, ensure_ascii=False, allow_nan=False).encode("utf-8")
            all_headers.setdefault("Content-Type", "application/json; charset=utf-8")
        try:
            response = requests.post(
                url,
                data=body,
                headers=all_headers,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,  # a redirect would carry the headers, and their secrets, to another host
            )
        except requests.RequestException as error:
            raise self._unreachable(error) from None
        self._check(response)
        return response

    def _check(self, response: requests.Response) -> None:
        status = response.status_code
        if 200 <= status < 300:
            return
        label = self.label
        if 300 <= status < 400:
            raise DeliveryError(
                {
                    "en": f"{label['en']} answered with a redirect (HTTP {status}), which is never followed. Check the address.",
                    "ko": f"{label['ko']} 서버가 다른 주소로 보내려 해요(HTTP {status}). 주소를 확인해 주세요.",
                },
                permanent=True,
            )
        raise DeliveryError(
            {
                "en": f"{label['en']} answered HTTP {status}: {_answer(response)}",
                "ko": f"{label['ko']} 서버의 응답: HTTP {status}, {_answer(response)}",
            },
            permanent=status not in (408, 425, 429) and status < 500,
            retry_after=retry_after(response.headers),
        )

    def _unreachable(self, error: Exception) -> DeliveryError:
        """What stopped the request. Only the kind of `error` is told: its text would show the address."""
        import requests

        if isinstance(error, requests.exceptions.SSLError):
            why = {"en": "its TLS certificate could not be trusted", "ko": "TLS 인증서를 믿을 수 없어요"}
        elif isinstance(error, requests.exceptions.ProxyError):
            why = {"en": "the proxy did not let the request through", "ko": "프록시가 요청을 막았어요"}
        elif isinstance(error, requests.exceptions.ConnectTimeout):
            why = {"en": "it could not be reached in time", "ko": "제때 연결되지 않았어요"}
        elif isinstance(error, requests.exceptions.Timeout):
            why = {"en": "it did not answer in time", "ko": "제때 응답하지 않았어요"}
        elif isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)):
            why = {"en": "the address is malformed", "ko": "주소 형식이 잘못됐어요"}
        else:
            why = {"en": "the connection failed", "ko": "연결하지 못했어요"}
        # A request that may have been read before the time ran out or the line broke may have been acted on.
        sent = isinstance(error, requests.exceptions.Timeout) or "Connection aborted" in str(error)[:200]
        return DeliveryError(
            {"en": f"{self.label['en']}: {why['en']}.", "ko": f"{self.label['ko']}: {why['ko']}."},
            permanent=isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)),
            maybe_sent=sent and not isinstance(error, requests.exceptions.ConnectTimeout),
        )


class Url(Unicode):
    """An http(s) address; it is a secret like any other, since many services put the key into it."""

    info_text = "an address that starts with https:// or http://"

    def validate(self, obj: Any, value: Any) -> Any:
        """Refuse what no server could be behind."""
        text = super().validate(obj, value)
        if text == "":
            return text
        try:
            parts = urlsplit(text)
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            good = False
        if not good or any(letter.isspace() for letter in text):
            scheme = text.split("://")[0][:12] if "://" in text else ""
            seen_en = f", got one that starts with {scheme}://" if scheme not in ("", "http", "https") else ""
            raise Explained(
                f"must be an address such as https://example.com/hook{seen_en}.",
                "https://example.com/hook 같은 주소여야 해요.",
            )
        return text

    def error(self, obj: Any, value: Any, error: Any = None, info: Any = None) -> NoReturn:
        """Raise without the value, which may hold a key."""
        raise Explained(f"must be {self.info_text}, got a {type(value).__name__}.", "http(s) 주소여야 해요.")


def retry_after(headers: Mapping[str, str]) -> Optional[float]:
    """Seconds from now by a ``Retry-After`` header, a number or a date (RFC 9110, 10.2.3), if there is one."""
    value = headers.get("Retry-After", "").strip()
    try:
        return max(0.0, float(value)) if value else None
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def _answer(response: requests.Response) -> str:
    """The beginning of the provider's own words: enough to understand, too little to flood a phone."""
    return one_line(response.text, 200) or response.reason or ""
