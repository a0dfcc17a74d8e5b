"""`Healthchecks`: tells a watch outside when a run begins and ends, so that it raises the alarm when the machine vanishes."""

from __future__ import annotations

import re
from typing import Dict
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from traitlets import Enum

from knock_magic import fitting
from knock_magic.channels.base import Answer, HttpChannel, Url, service_at
from knock_magic.errors import DeliveryError
from knock_magic.rules import ENDINGS, OUTCOMES
from knock_magic.settings import Explained
from knock_magic.template import Message

HEALTHCHECKS, UPTIME_KUMA, BETTER_STACK = "healthchecks", "uptime-kuma", "better-stack"

# What is behind each outcome; all else is said without changing how the check stands, or is one more sign of life.
# https://healthchecks.io/docs/http_api/
START, SUCCESS, FAIL, LOG = "/start", "", "/fail", "/log"
SIGNALS: Dict[str, str] = {
    "started": START,
    "finished": SUCCESS,
    "failed": FAIL,
    "died": FAIL,
    "interrupted": FAIL,  # it may have been the machine's end as well as a hand: better one alarm too many
    "stalled": FAIL,
}
# The hosted service answers 200 "OK (...)" to these too (https://github.com/healthchecks/healthchecks/issues/553).
NOT_FOUND, TOO_OFTEN = "OK (not found", "OK (rate"
TOO_OFTEN_S = 60.0  # it counts by the minute
KUMA_CHARACTERS = 250  # it shows the words in one line of a table


class PingUrl(Url):
    """The address that a check is pinged at, here or on a server of anybody's own."""

    def _refuse_misplaced(self, text: str) -> None:
        parts = urlsplit(text)
        owner = service_at((parts.hostname or "").lower())
        if owner not in ("", "Healthchecks"):
            raise Explained(
                f"must be an address such as {self.example}; this is an address of {owner}.",
                f"{self.example} 같은 주소여야 해요. 지금 넣은 것은 {owner} 주소예요.",
            )
        is_page = (parts.hostname or "").lower() == "healthchecks.io" and not parts.path.startswith("/ping/")
        if is_page or re.search("/checks/[^/]+/details|/projects/[^/]+/checks", parts.path):
            raise Explained(
                f"is the address of a page. Copy the check's ping URL from it, such as {self.example}.",
                f"화면 주소예요. 그 화면에 있는 핑 URL({self.example})을 복사해 넣어 주세요.",
            )


class Healthchecks(HttpChannel):
    """Ping Healthchecks.io, or a watch of another make, about each run.

    It also hears of the beginning of a run, so it is the watch that misses the end when machine and courier are gone.
    """

    key = "healthchecks"
    label = {"en": "Healthchecks", "ko": "Healthchecks"}
    also_called = "헬스체크"
    steps = {
        "en": "It raises the alarm when a run began and its end was never told: when a Colab machine vanished, say.\n"
        "1. Create a check at https://healthchecks.io or on a server of your own.\n"
        "2. Set its grace time to the longest that a run may take, and choose there how you are alarmed.\n"
        "3. Copy its ping URL into url, and name the channel in KNOCK_TO or --to.\n"
        "The push URL of Uptime Kuma and the heartbeat URL of Better Stack work too, but know no beginning: they "
        "expect a sign of life in each period, so use --every, and pause them when nothing runs.",
        "ko": "실행이 시작됐는데 끝났다는 소식이 없으면 대신 경보를 울려 줘요. Colab 가상 머신이 통째로 사라졌을 때가 그래요.\n"
        "1. https://healthchecks.io 나 직접 운영하는 서버에서 체크를 만들어 주세요.\n"
        "2. 유예 시간(grace time)을 학습이 걸릴 수 있는 가장 긴 시간으로 정하고, 경보를 받을 방법도 거기서 골라 주세요.\n"
        "3. 체크의 핑 URL을 url에 넣고, KNOCK_TO나 --to에 이 채널을 적어 주세요.\n"
        "Uptime Kuma의 푸시 URL과 Better Stack의 하트비트 URL도 쓸 수 있어요. 다만 이 둘은 시작을 모르고 주기마다 "
        "신호를 기다리니, --every와 함께 쓰고 돌리는 것이 없을 때는 멈춰 두세요.",
    }
    anew = {
        "en": "Copy an existing check's ping URL into url",
        "ko": "있는 체크의 핑 URL을 복사해 url에 넣어 주세요",
    }
    wants = ("started", *sorted(ENDINGS))
    # What a server of one's own keeps of a ping's words by default (PING_BODY_LIMIT,
    # https://healthchecks.io/docs/self_hosted_configuration/); the hosted service keeps more.
    limit = 10_000
    unit = "bytes"

    url = PingUrl(help="Ping URL of the check.", example="https://hc-ping.com/...").tag(
        config=True, required=True, ko="체크의 핑 URL"
    )
    service = Enum(
        ["", HEALTHCHECKS, UPTIME_KUMA, BETTER_STACK],
        "",
        help="Which service is behind the URL; empty: told by the URL.",
    ).tag(config=True, ko="URL 뒤에 있는 서비스(비우면 URL을 보고 알아내요)")

    def send(self, message: Message) -> None:
        """Deliver `message`; success is what the service calls so."""
        kind = self.service or service_of(self.url)
        if kind == UPTIME_KUMA:
            self._push(message)
        elif kind == BETTER_STACK:
            self._beat(message)
        else:
            self._ping(message)

    def _ping(self, message: Message) -> None:
        event = message.event
        # The run's id pairs an end with its beginning, where several runs share a check.
        more = {"rid": event.run} if event.event in OUTCOMES else {}
        answer = self._posted(_extended(self.url, SIGNALS.get(event.event, LOG), more), self.fit(message))
        if answer.text.strip() not in ("OK", "Created"):
            raise self.refusal(answer)

    def _beat(self, message: Message) -> None:
        # https://betterstack.com/docs/uptime/cron-and-heartbeat-monitor/: only a failure has a word of its own.
        answer = self._posted(_extended(self.url, FAIL if _is_bad(message) else SUCCESS, {}), self.fit(message))
        if answer.is_page:
            raise self.refusal(answer)

    def _push(self, message: Message) -> None:
        # https://github.com/louislam/uptime-kuma/blob/master/server/routers/api-router.js
        words = fitting.cut(message.text.replace("\n", " · "), KUMA_CHARACTERS, len)
        status = "down" if _is_bad(message) else "up"
        # By GET, which every version takes; only later ones take other methods as well.
        answer = self.post(
            _extended(self.url, "", {"status": status, "msg": words, "ping": ""}), method="GET", body=b""
        )
        if answer.json().get("ok") is not True:
            raise self.refusal(answer)

    def _posted(self, url: str, text: str) -> Answer:
        return self.post(
            url, body=text.encode("utf-8", "replace"), headers={"Content-Type": "text/plain; charset=utf-8"}
        )

    def refusal(self, answer: Answer) -> DeliveryError:
        """The error for what the service answered, by its words."""
        said = answer.text.strip()
        # A server of one's own says 404, and Uptime Kuma too, also for a monitor that is paused.
        if said.startswith(NOT_FOUND) or (answer.status == 404 and not answer.is_page):
            return self.error(
                f"this check is not there any more, or paused (HTTP {answer.status}{self.said(answer)}). {self.anew['en']}.",
                f"이 체크는 이제 없거나 멈춰 있어요(HTTP {answer.status}{self.said(answer)}). {self.anew['ko']}.",
                permanent=True,
                revoked=True,
            )
        if answer.status in (400, 409) and not answer.is_page:
            return self.error(
                f"this is not the ping URL of one check (HTTP {answer.status}{self.said(answer)}). {self.anew['en']}.",
                f"체크 하나의 핑 URL이 아니에요(HTTP {answer.status}{self.said(answer)}). {self.anew['ko']}.",
                permanent=True,
            )
        if said.startswith(TOO_OFTEN):
            return self.error(
                "a check takes only a few pings in a minute; this one has to wait.",
                "체크 하나는 1분에 핑을 몇 번만 받아요. 잠시 뒤에 다시 보내요.",
                retry_after=TOO_OFTEN_S,
            )
        if answer.status < 300 and not answer.is_page:
            return self.error(
                f"it did not take the ping{self.said(answer)}. Check url and service.",
                f"핑을 받아 주지 않았어요{self.said(answer)}. url과 service를 확인해 주세요.",
                permanent=True,
            )
        return super().refusal(answer)


def service_of(url: str) -> str:
    """Which service the address belongs to, by its form; Healthchecks where it is none of the others'."""
    parts = urlsplit(url)
    if "/api/push/" in parts.path:
        return UPTIME_KUMA
    host = f".{(parts.hostname or '').lower()}"
    if "/heartbeat/" in parts.path and host.endswith((".betterstack.com", ".betteruptime.com")):
        return BETTER_STACK
    return HEALTHCHECKS


def _is_bad(message: Message) -> bool:
    return SIGNALS.get(message.event.event) == FAIL


def _extended(url: str, signal: str, more: Dict[str, str]) -> str:
    """`url` with `signal` behind its path, and with `more` in its query; what is empty there goes."""
    parts = urlsplit(url)
    query = {**dict(parse_qsl(parts.query, keep_blank_values=True)), **more}
    filled = {name: value for name, value in query.items() if value}
    path = parts.path.rstrip("/") + signal
    return urlunsplit((parts.scheme, parts.netloc, path, urlencode(filled, quote_via=quote, errors="replace"), ""))
