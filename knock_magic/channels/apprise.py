"""`Apprise`: hands a knock to the library of that name, which speaks to more than a hundred services."""

from __future__ import annotations

import logging
import re
import threading
from typing import Any, List, Optional

from knock_magic import fitting, trust
from knock_magic.channels.base import CONNECT_SECONDS, NAMELESS, READ_SECONDS, Channel, fit, unlogged
from knock_magic.errors import DeliveryError
from knock_magic.settings import Explained, Secret
from knock_magic.template import Message

# A new address begins with its kind; so a comma within one, between two recipients, parts nothing.
_BETWEEN = re.compile(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)")
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,30})://\S")
_PARTS = re.compile("[/:@?&=,]+")
_KEY = re.compile(r"(?=.*\d)[\w.~-]{16,}")
# Its plug-ins say in their warnings what a server answered; all but the number may show an address.
_STATUS = re.compile(r"\berror\s*[=:]\s*([45]\d\d)\b")
# What can't be guessed for a hundred services: whether a sign begins a mention or a link. A space of no width parts it.
_ALIVE = re.compile(r"([@<])(?=\S)|(\])(?=\()")

TYPES = {
    "finished": "success",
    "failed": "failure",
    "died": "failure",
    "interrupted": "warning",
    "stalled": "warning",
    "warning": "warning",
}
JOINT = 8  # characters that Apprise may put between title and body
LONGEST = 20_000  # characters, where the service takes more


class Urls(Secret):
    """Addresses as Apprise writes them: a list, or one text with spaces, new lines or commas between them."""

    info_text = "addresses such as tgram://..., separated by spaces or commas"

    def validate(self, obj: Any, value: Any) -> Any:
        """Refuse what does not begin with its kind."""
        if isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value):
            value = " ".join(value)
        text = super().validate(obj, value).strip()
        wrong = [number for number, each in enumerate(split(text), 1) if not _ADDRESS.match(each)]
        if wrong:
            raise Explained(
                f"must be addresses of Apprise such as pover://..., separated by spaces; number {wrong[0]} is none.",
                f"pover://... 같은 Apprise 주소를 공백으로 나눠 적어 주세요. {wrong[0]}번째는 주소가 아니에요.",
            )
        return text


def split(text: str) -> List[str]:
    """The addresses in `text`."""
    return [each for each in _BETWEEN.split(text) if each]


class Apprise(Channel):
    """Send a knock through Apprise (https://github.com/caronc/apprise), each address for itself."""

    key = "apprise"
    label = {"en": "Apprise", "ko": "Apprise"}
    also_called = "어프라이즈 SMS 문자 푸시 휴대폰 핸드폰 phone Pushover Signal WhatsApp"
    steps = {
        "en": "For the services that have no channel of their own here: SMS (Twilio and others), Pushover, Gotify, "
        "DingTalk, WeCom, Feishu, Zulip, Webex, Rocket.Chat and a hundred more.\n"
        '1. Install it: pip install "knock-magic[apprise]".\n'
        "2. Look up your service's address at https://github.com/caronc/apprise/wiki, pover://USER@TOKEN for "
        "Pushover, say.\n"
        "3. Put it into urls; several are separated by spaces.",
        "ko": "여기에 따로 채널이 없는 서비스를 쓸 때 골라 주세요. 문자(Twilio 등), Pushover, Gotify, DingTalk, WeCom, Feishu, "
        "Zulip, Webex, Rocket.Chat을 비롯해 백 가지가 넘어요.\n"
        '1. 이 명령으로 설치해 주세요: pip install "knock-magic[apprise]"\n'
        "2. https://github.com/caronc/apprise/wiki 에서 서비스의 주소 형식을 찾아 주세요. Pushover라면 "
        "pover://USER@TOKEN 이에요.\n"
        "3. 그 주소를 urls에 넣어 주세요. 여럿이면 공백으로 나눠 주세요.",
    }
    takes_pictures = True

    urls = Urls(help="Addresses of Apprise, separated by spaces or commas.").tag(
        config=True, required=True, ko="Apprise 주소(여럿이면 공백이나 쉼표로 구분)"
    )

    def secrets(self) -> List[str]:
        """Each address for itself, and what in it looks like a key: its parts have no fixed places."""
        addresses = split(self.urls)
        return [*addresses, *(part for each in addresses for part in _PARTS.split(each) if _KEY.fullmatch(part))]

    def escape(self, text: str) -> str:
        """`text` in which nothing becomes a mention or a link."""
        return _ALIVE.sub("\\g<0>\u200b", text)

    def send(self, message: Message) -> None:
        """Deliver `message` to every address; where only some took it, that is final, for the others have it."""
        with unlogged(), _Heard() as heard:
            library = self._library()
            services = self._services(library)
            refused = []
            for service in services:
                heard.status = None
                if not self._sent(library, service, message):
                    refused.append((str(service.service_name), heard.status))
        if refused:
            raise self._refusal(refused, len(services))

    def _library(self) -> Any:
        try:
            import apprise
        except ImportError:
            pass
        else:
            return apprise
        raise self.error(
            'it is not installed. Install it with: pip install "knock-magic[apprise]"',
            '아직 설치되지 않았어요. 이 명령으로 설치해 주세요: pip install "knock-magic[apprise]"',
            permanent=True,
        )

    def _services(self, library: Any) -> List[Any]:
        """What Apprise makes of each address; nothing is sent where it does not know one of them."""
        asset = library.AppriseAsset(async_mode=False, app_id="knock", app_desc="knock_magic")
        # No thread may go on behind our back: a stuck one ends with the delivery. Before 2.3 there is neither.
        for name, value in (("_service_timeout", 0.0), ("http_redirects", False)):
            if hasattr(asset, name):
                setattr(asset, name, value)
        found = []
        for number, url in enumerate(split(self.urls), 1):
            service = library.Apprise.instantiate(url, asset=asset)
            if not service:
                raise self._not_understood(number, url)
            # Its own 4 seconds would make a slow server one that has to be tried again, and so told twice.
            service.socket_connect_timeout = max(service.socket_connect_timeout, float(CONNECT_SECONDS))
            service.socket_read_timeout = max(service.socket_read_timeout, float(READ_SECONDS))
            found.append(service)
        return found

    def _not_understood(self, number: int, url: str) -> DeliveryError:
        kind = _ADDRESS.match(url)
        named = f" ({kind.group(1).lower()}://)" if kind else ""
        return self.error(
            f"it does not understand address number {number}{named} of urls. Compare it with "
            "https://github.com/caronc/apprise/wiki; some services need a further package.",
            f"urls의 {number}번째 주소{named}를 이해하지 못했어요. https://github.com/caronc/apprise/wiki 에서 형식을 "
            "확인해 주세요. 패키지를 더 설치해야 하는 서비스도 있어요.",
            permanent=True,
        )

    def _sent(self, library: Any, service: Any, message: Message) -> bool:
        host = getattr(service, "host", None) or ""
        try:
            trust.refuse_inward(host, getattr(service, "port", None) or 443, look_up=not trust.is_this_machine(host))
        except trust.Inward:
            failure = self.error(
                "link-local addresses and a cloud's metadata service are refused.",
                "링크 로컬 주소와 클라우드 메타데이터 주소로는 보내지 않아요.",
                permanent=True,
            )
        else:
            title, body = self.words(message, service.title_maxlen, service.body_maxlen)
            sender = library.Apprise(asset=service.asset)
            sender.add(service)
            done = sender.notify(
                body=body,
                title=title,
                notify_type=TYPES.get(message.event.event, "info"),
                body_format="text",
                attach=_attached(message),
            )
            return bool(done)
        raise failure

    def words(self, message: Message, title_limit: int, body_limit: int) -> List[str]:
        """The title and the body; a knock of one line is a body alone, for there is no service without one."""
        limit = min(body_limit or LONGEST, LONGEST) - JOINT
        text = self.escape(fit(message, limit, self.measure)) or NAMELESS
        title, _, body = text.partition("\n")
        if not body:
            return ["", title]
        if title_limit > 0:
            return [fitting.cut(title, title_limit), body]
        return [title, body]

    def _refusal(self, refused: List[Any], count: int) -> DeliveryError:
        names = ", ".join(name + (f" (HTTP {status})" if status else "") for name, status in refused)
        if len(refused) < count:
            return self.error(
                f"{names} did not take it; the other {count - len(refused)} did.",
                f"{names} 쪽은 받아 주지 않았어요. 나머지 {count - len(refused)}곳에는 도착했어요.",
                permanent=True,
            )
        statuses = {status for _, status in refused}
        return self.error(
            f"{names} did not take it. Check its address in urls.",
            f"{names} 쪽에서 받아 주지 않았어요. urls의 주소를 확인해 주세요.",
            permanent=statuses <= {400, 401, 403, 404, 405, 410, 413, 422},
            revoked=statuses <= {401, 403, 404, 410},
            maybe_sent=any(status is None or status >= 500 for status in statuses),
        )


def _attached(message: Message) -> Any:
    """The picture as Apprise takes one from memory (since 1.9.1), if there is one."""
    picture = message.event.picture
    if picture is None:
        return None
    try:
        from apprise.attachment.memory import AttachMemory
    except ImportError:
        return None
    name = f"knock.{picture.media_type.rpartition('/')[2]}"
    return AttachMemory(content=picture.content, name=name, mimetype=picture.media_type)


class _Heard:
    """Keeps what Apprise logs in this thread out of every log, for it shows addresses; but hears a server's number."""

    def __init__(self) -> None:
        self.status: Optional[int] = None
        self._thread = threading.get_ident()
        self._logger = logging.getLogger("apprise")

    def __enter__(self) -> _Heard:
        self._logger.addFilter(self._passes)
        return self

    def __exit__(self, *_: Any) -> None:
        self._logger.removeFilter(self._passes)

    def _passes(self, record: logging.LogRecord) -> bool:
        if threading.get_ident() != self._thread:
            return True
        found = _STATUS.search(record.getMessage())
        if found:
            self.status = int(found.group(1))
        return False
