"""`Kakao`: a note to oneself in KakaoTalk (나에게 보내기)."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from typing import Any, Dict, Mapping, NamedTuple, Optional, Tuple

from traitlets import Integer

from knock_magic.channels.base import Answer, HttpChannel, Link, Token
from knock_magic.errors import DeliveryError, SettingsError
from knock_magic.template import Message
from knock_magic.vault import Kept, Vault

# https://developers.kakao.com/docs/latest/ko/kakaotalk-message/rest-api
MEMO = "https://kapi.kakao.com/v2/api/talk/memo/default/send"
# https://developers.kakao.com/docs/latest/ko/kakaologin/rest-api#refresh-token
OAUTH_TOKEN = "https://kauth.kakao.com/oauth/token"

ANY_LINK = "https://developers.kakao.com"  # the template must have one; Kakao's own examples have this
KOREA_S = 9 * 3600  # Korea is nine hours ahead of UTC all year
A_DAY_S = 86400
ABOUT_TO_EXPIRE_S = 60
TOKENS_AGAIN_S = 600  # Kakao counts the tokens that it gives out over ten minutes
MOST_LOGINS = 20


class Kakao(HttpChannel):
    """Send a knock to one's own KakaoTalk.

    The access token and, when Kakao renews it, the refresh token are kept in a private file in the state folder.
    """

    key = "kakao"
    label = {"en": "KakaoTalk", "ko": "카카오톡"}
    steps = {
        "en": "Good to know: KakaoTalk puts a note to yourself into your own chat, maybe without sound or banner. "
        "Use a second channel for what must not wait.\n"
        "1. Add an app at https://developers.kakao.com (its name and category are free).\n"
        "2. Under App > Platform key > REST API key, copy the key into rest_api_key, register a redirect URI "
        "(such as https://localhost), and copy the client secret into client_secret if it is switched on.\n"
        "3. Under Kakao Login, switch the login on.\n"
        "4. Under Kakao Login > Consent items, allow talk_message (send messages in KakaoTalk).\n"
        "5. Log in once with the scope talk_message, and set the refresh token that you get as refresh_token.\n"
        "6. For a button that leads somewhere: register the domain under App > Product link, and set link.",
        "ko": "알아 두세요: '나에게 보내기'는 나와의 채팅에 소리나 알림 없이 도착할 수 있어요. "
        "바로 알아야 하는 일은 다른 채널도 함께 써 주세요.\n"
        "1. https://developers.kakao.com 에서 앱을 추가해 주세요(이름과 카테고리는 자유예요).\n"
        "2. [앱] > [플랫폼 키] > [REST API 키]에서 키를 rest_api_key에 넣고, 리다이렉트 URI(예: https://localhost)를 "
        "등록해 주세요. 클라이언트 시크릿이 켜져 있으면 client_secret에 넣어 주세요.\n"
        "3. [카카오 로그인]에서 사용 설정을 켜 주세요.\n"
        "4. [카카오 로그인] > [동의항목]에서 '카카오톡 메시지 전송(talk_message)'을 설정해 주세요.\n"
        "5. talk_message 동의를 받아 한 번 로그인하고, 받은 리프레시 토큰을 refresh_token에 넣어 주세요.\n"
        "6. 버튼을 누를 때 열 주소가 있으면 [앱] > [제품 링크 관리]에 도메인을 등록하고 link에 넣어 주세요.",
    }
    # https://developers.kakao.com/docs/latest/ko/message-template/default#text. Which unit Kakao counts in is
    # not said; these are never fewer than the characters.
    limit = 200
    unit = "utf16"

    rest_api_key = Token(
        help="REST API key of your Kakao app.",
        pattern="[0-9a-fA-F]{32}$",
        like={
            "en": "a REST API key, 32 digits and letters from a to f",
            "ko": "숫자와 a~f로 된 32자의 REST API 키",
        },
    ).tag(config=True, required=True, ko="카카오 앱의 REST API 키")
    client_secret = Token(help="Client secret, if it is switched on for the key.").tag(
        config=True, ko="클라이언트 시크릿(켜져 있을 때)"
    )
    redirect_uri = Link(help="Redirect URI that is registered for the key.").tag(
        config=True, ko="키에 등록한 리다이렉트 URI"
    )
    refresh_token = Token(help="Refresh token from the login.").tag(
        config=True, required=True, ko="로그인하고 받은 리프레시 토큰"
    )
    link = Link(help="Where the button leads; its domain must be registered for the app.").tag(
        config=True, ko="버튼을 누르면 열 주소(앱에 등록한 도메인이어야 해요)"
    )
    daily = Integer(20, min=1, help="Most notes in a day; Kakao allows 20 between one sender and one recipient.").tag(
        config=True, ko="하루에 보낼 최대 개수(카카오는 같은 두 사람 사이에 하루 20개까지 허용해요)"
    )

    def send(self, message: Message) -> None:
        """Deliver `message`; a token that is no longer good is renewed once."""
        note = {"template_object": json.dumps(self.template(message), ensure_ascii=False)}
        vault = Vault(self.key, os.environ)
        try:
            token = vault.change(self._ticket)
            answer = self._post_note(note, token)
            if answer.json().get("code") == -401:
                token = vault.change(lambda kept: self._access_token(kept, refused=token))
                answer = self._post_note(note, token)
        except SettingsError as problem:
            raise DeliveryError(problem.texts) from None
        if answer.status != 200 or answer.json().get("result_code") != 0:
            raise self.refusal(answer, token)
        with contextlib.suppress(SettingsError):  # it is sent, whether it is counted or not
            vault.change(self._count)

    def template(self, message: Message) -> Dict[str, Any]:
        """The text template that is sent; Kakao takes none without a link."""
        link = self.link or ANY_LINK
        return {
            "object_type": "text",
            "text": self.fit(message),
            "link": {"web_url": link, "mobile_web_url": link},
            "button_title": {"en": "Open", "ko": "열기"}[message.lang],
        }

    def _post_note(self, note: Mapping[str, str], token: str) -> Answer:
        return self.request(MEMO, form=note, headers={"Authorization": f"Bearer {token}"})

    # Tokens. What is kept belongs to the refresh token in the settings: another login starts anew.

    def _own(self, kept: Kept) -> Kept:
        login = hashlib.sha256(f"{self.rest_api_key}\n{self.refresh_token}".encode()).hexdigest()[:32]
        logins = kept.setdefault("logins", {})
        own: Kept = logins.pop(login, {})
        logins[login] = own  # the last one used stands last
        for oldest in list(logins)[:-MOST_LOGINS]:
            del logins[oldest]
        return own

    def _ticket(self, kept: Kept) -> str:
        """A token, if there is still room today."""
        self._check_ceiling(kept)
        return self._access_token(kept)

    def _access_token(self, kept: Kept, refused: str = "") -> str:
        """A token that is good, as far as we know; `refused` is one that is not."""
        own = self._own(kept)
        token: str = own.get("access_token", "")
        # Whoever held the lock before may have renewed it.
        if not token or token == refused or own.get("expires_at", 0) - ABOUT_TO_EXPIRE_S < time.time():
            own.update(self._renew(own.get("refresh_token") or self.refresh_token))
            token = own["access_token"]
        return token

    def _renew(self, refresh_token: str) -> Kept:
        form = {"grant_type": "refresh_token", "client_id": self.rest_api_key, "refresh_token": refresh_token}
        if self.client_secret:
            form["client_secret"] = self.client_secret
        answer = self.request(OAUTH_TOKEN, form=form)
        data = answer.json()
        if answer.status != 200 or not isinstance(data.get("access_token"), str):
            failure = self.refusal(answer, refresh_token)
            failure.maybe_sent = False  # whatever became of the token, no note has been sent yet
            raise failure
        lasts = data.get("expires_in")
        new: Kept = {
            "access_token": data["access_token"],
            "expires_at": time.time() + (lasts if isinstance(lasts, (int, float)) else 0),
        }
        # One comes only when the old one nears its end, and the old one is dead then.
        if isinstance(data.get("refresh_token"), str) and data["refresh_token"]:
            new["refresh_token"] = data["refresh_token"]
        return new

    # The ceiling of a day, in Korea's time.

    def _check_ceiling(self, kept: Kept) -> None:
        own = self._own(kept)
        if own.get("day") == _today() and own.get("sent", 0) >= self.daily:
            raise self.error(
                f"today's {self.daily} notes are used up, so the next one goes out tomorrow.",
                f"오늘 보낼 수 있는 {self.daily}개를 다 썼어요. 다음 알림은 내일 보낼게요.",
                retry_after=until_tomorrow(),
            )

    def _count(self, kept: Kept) -> None:
        own = self._own(kept)
        sent = own.get("sent", 0) if own.get("day") == _today() else 0
        own.update(day=_today(), sent=sent + 1)

    # What Kakao refuses.

    def refusal(self, answer: Answer, *secrets: str) -> DeliveryError:
        """The error for what Kakao answered, by its code: kapi gives a number, kauth ``KOE`` and a number."""
        data = answer.json()
        code = data.get("error_code", data.get("code"))
        if code is None and data.get("error") == "invalid_grant":
            code = "KOE322"
        trouble = TROUBLES.get(code) if isinstance(code, (int, str)) else None
        if trouble is None:
            if answer.status >= 300 or answer.is_page:
                return super().refusal(answer)
            said = self.said(answer, *secrets)
            return self.error(f"it did not take the note{said}.", f"메시지를 받아 주지 않았어요{said}.", permanent=True)
        return self.error(
            f"{trouble.en} ({code}).",
            f"{trouble.ko} ({code}).",
            permanent=trouble.kind in ("permanent", "revoked"),
            revoked=trouble.kind == "revoked",
            retry_after={"tomorrow": until_tomorrow(), "minutes": TOKENS_AGAIN_S}.get(trouble.kind),
        )


def until_tomorrow(now: Optional[float] = None) -> float:
    """Seconds until the next midnight in Korea, when Kakao counts anew."""
    now = time.time() if now is None else now
    return A_DAY_S - (now + KOREA_S) % A_DAY_S


def _today() -> int:
    return int((time.time() + KOREA_S) // A_DAY_S)


class Trouble(NamedTuple):
    """What a code means, and what is to be done; `kind` says when it may work again.

    ``later``, in some ``minutes``, ``tomorrow``, never for this message (``permanent``), never with this
    login or app (``revoked``).
    """

    kind: str
    en: str
    ko: str


def _troubles() -> Dict[Any, Trouble]:
    rows: Tuple[Tuple[Tuple[Any, ...], Trouble], ...] = (
        (
            (-1, -7, -603, -9798, "KOE003"),
            Trouble("later", "Kakao has a problem or is being maintained", "카카오 서버에 문제가 있거나 점검 중이에요"),
        ),
        (
            (-2, -8, -9),
            Trouble("permanent", "Kakao could not read the request", "카카오가 요청을 이해하지 못했어요"),
        ),
        (
            (-3, "KOE004"),
            Trouble(
                "revoked",
                "this is not switched on for your app. In the console: Kakao Login > switch it on, and "
                "Consent items > talk_message",
                "앱에서 이 기능이 꺼져 있어요. [카카오 로그인]의 사용 설정을 켜고, [동의항목]에서 talk_message를 설정해 주세요",
            ),
        ),
        (
            (-4, -5, -6, -12),
            Trouble(
                "revoked",
                "Kakao does not allow it to this app or account. See the notices at developers.kakao.com",
                "이 앱이나 계정에는 허용되지 않아요. developers.kakao.com의 공지를 확인해 주세요",
            ),
        ),
        (
            (-10, -11, -531, -532, -533, -536),
            Trouble(
                "tomorrow",
                "the quota of messages is used up, so this one goes out tomorrow",
                "보낼 수 있는 메시지를 다 썼어요. 이 알림은 내일 보낼게요",
            ),
        ),
        (
            (-101, -103, -401, "KOE319", "KOE322"),
            Trouble(
                "revoked",
                "the login has expired or was taken back. Log in again and set the new refresh_token",
                "로그인이 만료됐거나 해제됐어요. 다시 로그인하고 새 refresh_token을 넣어 주세요",
            ),
        ),
        (
            (-402,),
            Trouble(
                "revoked",
                "you have not consented to messages yet. Log in again with the scope talk_message and tick "
                "'send messages in KakaoTalk'",
                "메시지 전송에 아직 동의하지 않았어요. talk_message로 다시 로그인하고 '카카오톡 메시지 전송'에 동의해 주세요",
            ),
        ),
        (
            (-501,),
            Trouble("revoked", "this account does not use KakaoTalk", "카카오톡을 쓰지 않는 계정이에요"),
        ),
        (
            ("KOE006",),
            Trouble(
                "revoked",
                "the redirect URI is not registered. Register it under App > Platform key > REST API key, "
                "exactly as in redirect_uri",
                "등록하지 않은 리다이렉트 URI예요. [앱] > [플랫폼 키] > [REST API 키]에 redirect_uri와 똑같이 등록해 주세요",
            ),
        ),
        (
            ("KOE010",),
            Trouble(
                "revoked",
                "the client secret does not fit. Look under App > Platform key > REST API key. If it is switched on, "
                "copy it into client_secret; if not, leave client_secret empty",
                "클라이언트 시크릿이 맞지 않아요. [앱] > [플랫폼 키] > [REST API 키]에서 켜져 있으면 client_secret에 넣고, "
                "꺼져 있으면 client_secret을 비워 주세요",
            ),
        ),
        (
            ("KOE101",),
            Trouble(
                "revoked",
                "this is not the app's REST API key (not the native, JavaScript or admin key). Copy it from App > Platform key",
                "앱의 REST API 키가 아니에요(네이티브, JavaScript, 어드민 키와 달라요). [앱] > [플랫폼 키]에서 복사해 주세요",
            ),
        ),
        (
            ("KOE205",),
            Trouble(
                "revoked",
                "talk_message is not set up for the app. Set it under Kakao Login > Consent items",
                "앱에 talk_message가 설정돼 있지 않아요. [카카오 로그인] > [동의항목]에서 설정해 주세요",
            ),
        ),
        (
            ("KOE320",),
            Trouble(
                "revoked",
                "the code from the login was used before or is too old. Log in again; each code works once",
                "로그인 코드를 이미 썼거나 시간이 지났어요. 다시 로그인해 주세요. 코드는 한 번만 쓸 수 있어요",
            ),
        ),
        (
            ("KOE237",),
            Trouble("minutes", "too many tokens were asked for", "토큰을 너무 자주 요청했어요"),
        ),
    )
    return {code: trouble for codes, trouble in rows for code in codes}


TROUBLES = _troubles()
