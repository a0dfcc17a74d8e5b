"""`Link`, `Url` and `Token`: settings that are an address or a key, and refuse what can't be one where it is typed."""

from __future__ import annotations

import re
from typing import Any, Mapping, NoReturn, Optional, Sequence
from urllib.parse import SplitResult, parse_qsl, urlsplit

from traitlets import Unicode

from knock_magic.errors import a_kind
from knock_magic.settings import Explained, Secret

Texts = Mapping[str, str]

# Whose address it is, so that one that was put into the wrong setting is told from a mistyped one.
_SERVICES = {
    "slack.com": "Slack",
    "slack-gov.com": "Slack",
    "discord.com": "Discord",
    "discordapp.com": "Discord",
    "discord.gg": "Discord",
    "teams.microsoft.com": "Teams",
    "teams.cloud.microsoft": "Teams",
    "teams.live.com": "Teams",
    "make.powerautomate.com": "Power Automate",
    "webhook.office.com": "Teams",
    "outlook.office.com": "Teams",
    "logic.azure.com": "Teams",
    "api.powerplatform.com": "Teams",
    "chat.googleapis.com": "Google Chat",
    "chat.google.com": "Google Chat",
    "mail.google.com": "Gmail",
    "telegram.org": "Telegram",
    "t.me": "Telegram",
    "notify-api.line.me": "LINE Notify",
    "api.line.me": "LINE",
    "worksmobile.com": "LINE WORKS",
    "worksapis.com": "LINE WORKS",
    "jandi.com": "JANDI",
    "dooray.com": "Dooray!",
    "gov-dooray.com": "Dooray!",
    "dooray.co.kr": "Dooray!",
    "gov-dooray.co.kr": "Dooray!",
    "kakaowork.com": "KakaoWork",
    "ntfy.sh": "ntfy",
    "matrix.org": "Matrix",
    "element.io": "Element",
    "hc-ping.com": "Healthchecks",
    "healthchecks.io": "Healthchecks",
}


class Link(Unicode):
    """An http(s) address that anybody may see.

    With `beyond`, a pattern of host and path, it is a server's address such as `example`; what the pattern matches
    is that of something on it.
    """

    info_text = "an address that starts with https:// or http://"
    example = "https://example.com/hook"

    def __init__(self, *args: Any, example: str = example, beyond: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.example = example
        self.beyond = beyond

    def validate(self, obj: Any, value: Any) -> Any:
        """Refuse what no server could be behind."""
        text = super().validate(obj, value)
        if text:
            _refuse_no_address(text, self.example)
            if self.beyond and re.match(self.beyond, text.partition("://")[2], re.IGNORECASE):
                raise Explained(
                    f"must be the address of the server alone, such as {self.example}.",
                    f"{self.example}처럼 서버 주소만 넣어 주세요.",
                )
        return text


class Url(Secret):
    """An http(s) address that is a secret like any other, since many services put the key into it.

    With `hosts`, it is one that a service gives out at one of these (or below one with a dot before it), and looks
    like `example`. There its path begins like one of `paths`, in which ``*`` is any word, and its query has all that
    `needs` names: a terminal cuts an address at an ``&``.
    """

    info_text = Link.info_text

    def __init__(
        self,
        *args: Any,
        hosts: Sequence[str] = (),
        example: str = Link.example,
        paths: Sequence[str] = (),
        needs: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.hosts = hosts
        self.example = example
        self.paths = paths
        self.needs = needs

    def validate(self, obj: Any, value: Any) -> Any:
        """Refuse what no server could be behind, and another service's address."""
        text = super().validate(obj, value)
        if text:
            _refuse_no_address(text, self.example)
            self._refuse_misplaced(text)
        return text

    def _refuse_misplaced(self, text: str) -> None:
        """Refuse another service's address, and one that only looks like the service's own.

        One of neither is taken: a relay, or a server of one's own that speaks the same language.
        """
        if not self.hosts:
            return
        parts = urlsplit(text)
        host = (parts.hostname or "").lower()
        is_own = any(host == each or (each[0] == "." and host.endswith(each)) for each in self.hosts)
        if is_own and parts.scheme == "https":
            self._refuse_cut_off(parts)
        elif is_own or service_at(host) or any(name.lstrip(".") in host for name in self.hosts):
            raise self._misplaced("" if is_own else service_at(host))

    def _misplaced(self, owner: str) -> Explained:
        en, ko = "", ""
        if owner and owner == service_at(self.hosts[0].lstrip(".")):
            en = f"; this is another address of {owner}, not the webhook's"
            ko = f" 지금 넣은 것은 웹훅 주소가 아니라 다른 {owner} 주소예요."
        elif owner:
            en, ko = f"; this is an address of {owner}", f" 지금 넣은 것은 {owner} 주소예요."
        return Explained(f"must be an address such as {self.example}{en}.", f"{self.example} 같은 주소여야 해요.{ko}")

    def _refuse_cut_off(self, parts: SplitResult) -> None:
        steps = list(filter(None, parts.path.split("/")))
        ways = [path.strip("/").split("/") for path in self.paths]
        along = [way for way in ways if all(word in ("*", step) for word, step in zip(way, steps))]
        if ways and not (along and steps):
            raise self._misplaced(service_at(parts.hostname or ""))
        query = dict(parse_qsl(parts.query))
        lost = [f" {name}= is not in it." for name in self.needs if not query.get(name)]
        lost_ko = [f" {name}= 부분이 없어요." for name in self.needs if not query.get(name)]
        if lost or (along and all(len(steps) < len(way) for way in along)):
            raise Explained(
                f"is cut off.{''.join(lost[:1])} Copy the whole address, and put it into quotes in a shell.",
                f"주소가 잘렸어요.{''.join(lost_ko[:1])} 주소를 끝까지 복사하고, 셸에서는 따옴표로 감싸 주세요.",
            )

    def error(self, obj: Any, value: Any, error: Any = None, info: Any = None) -> NoReturn:
        """Raise without the value, which may hold a key."""
        raise Explained(f"must be {self.info_text}, got {a_kind(value)}.", "http(s) 주소여야 해요.")


def _refuse_wrapped(text: str) -> None:
    """Refuse what was copied with quotes, or with a word before it, by saying just that."""
    if not {text[0], text[-1]}.isdisjoint("\"'`“”‘’"):
        raise Explained("has quotes around it. Leave them out.", "따옴표를 빼고 넣어 주세요.")
    word = text.split(None, 1)[0]
    if word.lower() in ("bearer", "curl"):
        raise Explained(
            f"begins with the word {word}. Leave it out.", f"'{word}' 같은 앞뒤 글자는 빼고 값만 넣어 주세요."
        )


def _refuse_no_address(text: str, example: str) -> None:
    if text.strip():
        _refuse_wrapped(text.strip())
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool((parts.hostname or "").encode("idna")) and parts.port != 0
    except ValueError:
        good = False
    if good and not any(letter.isspace() for letter in text):
        return
    scheme = text.split("://")[0][:12] if "://" in text else ""
    seen_en = seen_ko = ""
    if scheme not in ("", "http", "https"):
        seen_en, seen_ko = f", got one that starts with {scheme}://", f" 지금 것은 {scheme}://로 시작해요."
    raise Explained(f"must be an address such as {example}{seen_en}.", f"{example} 같은 주소여야 해요.{seen_ko}")


def service_at(host: str) -> str:
    """The name of the service whose addresses are at `host`, if it is one that we know."""
    return next((name for suffix, name in _SERVICES.items() if f".{host}".endswith(f".{suffix}")), "")


class Token(Secret):
    """A secret that a machine made up: letters, digits and signs of ASCII, without spaces.

    With `pattern`, it looks as `like` says, in each language.
    """

    def __init__(self, *args: Any, pattern: str = "", like: Optional[Texts] = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pattern = re.compile(pattern)
        self.like = like or {"en": "letters and digits without spaces", "ko": "공백 없는 영문자와 숫자"}

    def validate(self, obj: Any, value: Any) -> Any:
        """Refuse what no header can carry, and what is another kind of key."""
        text = super().validate(obj, value)
        if text and not (re.fullmatch("[!-~]+", text) and self.pattern.match(text)):
            if text.strip():
                _refuse_wrapped(text.strip())
            raise Explained(f"must be {self.like['en']}.", f"{self.like['ko']}{_object(self.like['ko'])} 넣어 주세요.")
        return text


def _object(words: str) -> str:
    """The Korean mark of the object behind `words`, which depends on whether their last syllable, before brackets, ends in a consonant."""
    last = re.sub(r"\s*\([^()]*\)$", "", words)[-1]
    return "을" if "가" <= last <= "힣" and (ord(last) - ord("가")) % 28 else "를"
