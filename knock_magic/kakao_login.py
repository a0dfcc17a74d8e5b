"""`KakaoLogin`: from an app's keys to a login that is kept, in two steps with a browser between them.

::

    login = KakaoLogin(knocker)
    begun = login.begin(rest_api_key="...")  # what is set already need not be given
    ...                                      # the person opens begun.address, agrees, and copies where it led
    done = login.finish(pasted)              # asks Kakao for the tokens, and keeps them
    print(done)

Nothing here prints, asks or waits for a person; `finish` waits for Kakao, half a minute at most.
https://developers.kakao.com/docs/latest/ko/kakaologin/rest-api#request-code
"""

from __future__ import annotations

import dataclasses
import hmac
import re
import secrets
import time
from typing import Callable, Dict, List, Optional, Sequence
from urllib.parse import parse_qs, quote, urlencode

from knock_magic.channels.kakao import MESSAGES, Kakao
from knock_magic.errors import KnockError, SettingsError, UsageError
from knock_magic.kakao_codes import TROUBLES
from knock_magic.knocker import Knocker
from knock_magic.language import pick

AUTHORIZE = "https://kauth.kakao.com/oauth/authorize"
FRIENDS = "friends"  # the scope of whom notes may go to
LASTS_S = 300.0  # from `begin` to `finish`
NEEDED = ("rest_api_key", "redirect_uri")
ASKED_FOR = ("rest_api_key", "client_secret", "redirect_uri")
_CODE = re.compile(r"(?<![a-z\d_-])koe\s?(\d{3})(?!\d)", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Begun:
    """A login that has begun: the address to open, and the `state` that comes back with the answer.

    The address holds the REST API key, as every browser that logs in gets to see it; a document should not keep it.
    """

    address: str = dataclasses.field(repr=False)
    state: str = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class Done:
    """A login that is kept; as a text, what to tell its owner.

    Args:
        file_name: the settings file, as its owner calls it.
        stronger: settings that win over what was written there, as they are written.
        ends_at: when the login ends unless it is used, in seconds since the epoch; None where Kakao did not tell.
    """

    file_name: str
    stronger: List[str]
    ends_at: Optional[float]

    def __str__(self) -> str:
        stronger = ", ".join(self.stronger)
        return pick(
            {
                "en": f"Logged in to KakaoTalk; it is kept in {self.file_name}."
                + (f" But it is overruled by {stronger}." if stronger else ""),
                "ko": f"카카오톡에 로그인했어요. {self.file_name} 파일에 저장했어요."
                + (f" 다만 {stronger} 값이 우선해요." if stronger else ""),
            }
        )


class KakaoLogin:
    """One login to Kakao for the settings of `knocker`, which it is then used with at once.

    `begin` may be called again and again; only the last one counts, for five minutes, and once. Each error is a
    `KnockError` whose text says what to do, and which holds nothing secret; after one of `finish`, `is_open` tells
    whether another address may be pasted, or `begin` comes first. With `friends`, the person is asked to let the
    app know them, too: `friends` lists them after `finish`, and `choose` has them get each note.
    """

    def __init__(self, knocker: Knocker, *, friends: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._knocker = knocker
        self._clock = clock
        self._with_friends = friends
        self._typed: Dict[str, str] = {}
        self._state = ""  # empty: nothing has begun
        self._until = 0.0
        self._app = Kakao()
        self._command = f"{knocker.prefix} login kakao"
        knocker.configuration.refresh([Kakao.key])  # from all sources, for the person waits for it

    @property
    def is_open(self) -> bool:
        """Whether the address that `begin` gave can still be used."""
        return bool(self._state) and self._clock() < self._until

    @property
    def seconds_left(self) -> float:
        """For how long it can still be used."""
        return max(0.0, self._until - self._clock()) if self._state else 0.0

    @property
    def redirect_uri(self) -> str:
        """Where the browser is sent with the answer."""
        return str(self._app.redirect_uri)

    def needs(self) -> List[str]:
        """The settings that `begin` still has to be given."""
        app = self._settings()
        return [name for name in NEEDED if not getattr(app, name)]

    def begin(self, **typed: str) -> Begun:
        """Begin with what is set and what was `typed` (``rest_api_key``, ``client_secret``, ``redirect_uri``).

        What was typed is kept in the settings file, once the login has worked.

        Raises:
            SettingsError: something is missing or malformed.
        """
        app = self._settings()
        for name, value in typed.items():
            app.put(name, value.strip(), name)
        missing = [name for name in NEEDED if not getattr(app, name)]
        if missing:
            names = ", ".join(missing)
            raise SettingsError(
                f"the login to KakaoTalk needs {names} first.", f"카카오톡에 로그인하려면 {names} 값이 먼저 필요해요."
            )
        self._app, self._typed = app, {name: getattr(app, name) for name in typed}
        self._state, self._until = secrets.token_urlsafe(32), self._clock() + LASTS_S
        query = {
            "response_type": "code",
            "client_id": app.rest_api_key,
            "redirect_uri": app.redirect_uri,
            "scope": f"{FRIENDS},{MESSAGES}" if self._with_friends or app.friends else MESSAGES,
            "state": self._state,
        }
        return Begun(f"{AUTHORIZE}?{urlencode(query, safe=',', quote_via=quote)}", self._state)

    def finish(self, pasted: str) -> Done:
        """Keep the login that the browser came back with; `pasted` is the address that it ended at.

        Raises:
            UsageError: it is not that address, or not of this login, or too late; what it is, is told.
            DeliveryError: Kakao refused, with its code and what to click; or it could not be reached.
            SettingsError: the login can't be kept.
        """
        answer = self._answer(pasted)
        self._state = ""  # once, whatever comes of it
        if "error" in answer:
            raise _declined(answer["error"], self._command)
        return self._keep(self._app.log_in(answer["code"]))

    def answers(self, pasted: str) -> bool:
        """Whether `pasted` is an answer to this login: something else must not end the wait for it."""
        try:
            self._answer(pasted)
        except KnockError:
            return False
        return True

    def friends(self) -> Dict[str, str]:
        """The friends who can be chosen: their names by their uuids; after `finish`.

        Raises:
            DeliveryError: Kakao did not tell.
        """
        return self._app.list_friends()

    @property
    def chosen(self) -> List[str]:
        """The uuids of those who get each note so far."""
        return list(self._settings().friends)

    def choose(self, uuids: Sequence[str]) -> None:
        """Have these friends get each note too, from here on.

        Raises:
            SettingsError: that can't be kept.
        """
        self._app.put("friends", list(uuids), "friends")
        self._knocker.configuration.save_channel(Kakao.key, {"friends": self._app.friends})
        self._knocker.reread(Kakao.key)

    def cancel(self) -> None:
        """Nothing that comes back counts any more."""
        self._state = ""

    def _settings(self) -> Kakao:
        """What is set now, apart from what the knocker goes by."""
        return Kakao(**self._knocker.channel(Kakao.key).values())

    def _read(self, pasted: str) -> Dict[str, str]:
        """The answer in an address, or the error for what was pasted in its place."""
        text = pasted.strip().strip("<>\"'")
        answer = {name: values[-1] for name, values in parse_qs(text.partition("?")[2].partition("#")[0]).items()}
        shown = _CODE.search(text)
        if shown and "code" not in answer:  # what the browser shows in place of an answer
            code = f"KOE{shown[1]}"
            raise self._app.trouble(code) if code in TROUBLES else _unknown(code)
        if {"state", "code"} <= set(answer) or {"state", "error"} <= set(answer):
            return answer
        raise _no_answer(text, answer)

    def _answer(self, pasted: str) -> Dict[str, str]:
        """The answer to this login that `pasted` is."""
        if not self._state:
            raise UsageError(
                f"this login is over, for each address works once. Begin again: {self._command}.",
                f"이 로그인은 이미 끝났어요. 주소는 한 번만 쓸 수 있으니 {self._command}로 다시 시작해 주세요.",
            )
        if not self.is_open:
            raise UsageError(
                f"five minutes are over, so this login is no longer taken. Begin again: {self._command}.",
                f"5분이 지나서 이 로그인은 쓸 수 없어요. {self._command}로 다시 시작해 주세요.",
            )
        answer = self._read(pasted)
        if not hmac.compare_digest(answer["state"].encode("utf-8", "replace"), self._state.encode("ascii")):
            raise UsageError(
                "this address belongs to another login. Open the address above, and paste where it leads.",
                "다른 로그인의 주소예요. 위의 주소를 열고, 마지막에 나온 주소를 붙여 넣어 주세요.",
            )
        return answer

    def _keep(self, ends_at: Optional[float]) -> Done:
        """Write down what was typed and the login, and go by it; the tokens are in the vault already."""
        configuration = self._knocker.configuration
        token = {"refresh_token": self._app.refresh_token}
        stronger = configuration.save_channel(Kakao.key, {**self._typed, **token})
        # Who has an older refresh token in the environment need not change it: it leads to the new login from here on.
        for written in [each for each in stronger if _is_token(each)]:
            self._app.succeed(str(stronger.pop(written)))
        self._knocker.reread(Kakao.key)
        return Done(configuration.file_name, list(stronger), ends_at)


def _is_token(written: str) -> bool:
    return written.lower().endswith("refresh_token")


def _unknown(code: str) -> UsageError:
    return UsageError(
        f"{code} is new to this version. Look for it at developers.kakao.com under Documents > Kakao Login > Troubleshooting.",
        f"{code}: 처음 보는 코드예요. developers.kakao.com > 문서 > 카카오 로그인 > 문제 해결에서 찾아 주세요.",
    )


def _declined(error: str, command: str) -> UsageError:
    if error == "access_denied":
        return UsageError(
            f"you did not agree, so nothing was set up. To try again: {command}.",
            f"동의하지 않아서 로그인하지 않았어요. 다시 하려면 {command}를 실행해 주세요.",
        )
    shown = error if re.fullmatch("[a-z_]{1,40}", error) else "?"
    return UsageError(
        f"Kakao did not log you in ({shown}). Begin again: {command}.",
        f"카카오 로그인이 되지 않았어요({shown}). {command}로 다시 시작해 주세요.",
    )


def _no_answer(text: str, answer: Dict[str, str]) -> UsageError:
    """What was pasted in place of the address with the answer; it is never shown."""
    if not text:
        return UsageError(
            "nothing was pasted. Paste the address that the browser ended at.",
            "붙여 넣은 내용이 없어요. 브라우저가 마지막에 도착한 주소를 붙여 넣어 주세요.",
        )
    if "client_id" in answer or "continue" in answer:
        return UsageError(
            "this is the address from before the login. Agree in the browser first, then paste where it leads.",
            "로그인하기 전의 주소예요. 브라우저에서 동의한 다음, 마지막에 나온 주소를 붙여 넣어 주세요.",
        )
    if "code" in answer or re.fullmatch(r"[\w-]{20,}", text):
        return UsageError(
            "this is only the code. Paste the whole address, with state= in it: it shows that the answer is to this login.",
            "코드만 있어요. state=까지 들어 있는 주소 전체를 붙여 넣어 주세요. 이 로그인의 답인지 확인하는 데 필요해요.",
        )
    return UsageError(
        "this is not the address. Copy all of the browser's address bar after you have agreed; "
        "the page itself need not open.",
        "필요한 주소가 아니에요. 동의한 뒤 브라우저 주소창의 주소를 전부 복사해 주세요. 페이지가 열리지 않아도 괜찮아요.",
    )
