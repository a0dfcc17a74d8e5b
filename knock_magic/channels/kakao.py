"""`Kakao`: a note to oneself in KakaoTalk (나에게 보내기)."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import re
import time
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Union

from traitlets import Integer, List as ListTrait, Unicode

from knock_magic.channels.base import Answer, Ending, HttpChannel, Link, Token
from knock_magic.cleaning import one_line
from knock_magic.durations import say_duration
from knock_magic.errors import DeliveryError, SettingsError
from knock_magic.kakao_codes import NOT_AGAIN, QUOTAS, TROUBLES, WRONG_PLACE, Trouble
from knock_magic.language import LANGUAGES
from knock_magic.settings import Explained
from knock_magic.template import Message
from knock_magic.vault import Kept, Vault, mark, settled_of

# https://developers.kakao.com/docs/latest/ko/kakaotalk-message/rest-api
MEMO = "https://kapi.kakao.com/v2/api/talk/memo/default/send"
FRIENDS_NOTE = "https://kapi.kakao.com/v1/api/talk/friends/message/default/send"
FRIENDS = "https://kapi.kakao.com/v1/api/talk/friends?limit=100"
MOST_RECEIVERS = 5  # of one call
# https://developers.kakao.com/docs/latest/ko/kakaologin/rest-api#refresh-token
OAUTH_TOKEN = "https://kauth.kakao.com/oauth/token"

# A browser on this machine is caught there; on another one it finds nothing, and its address bar has the answer.
REDIRECT_URI = "http://localhost:8910"
MESSAGES = "talk_message"  # the scope of notes
MAYBE_SENT = (-1, -7, -603)  # what failed inside Kakao may have done so after the note went on
_CALLER = re.compile(r"callerIp=([0-9A-Fa-f.:]{2,44}[0-9A-Fa-f])")
MYSELF = "me"  # no uuid is that short
UNKNOWN = Trouble("permanent", "Kakao refused them", "카카오가 거절했어요")

ANY_LINK = "https://developers.kakao.com"  # the template must have one; Kakao's own examples have this
KOREA_S = 9 * 3600  # Korea is nine hours ahead of UTC all year
A_DAY_S = 86400
ABOUT_TO_EXPIRE_S = 60
TOKENS_AGAIN_S = 600  # Kakao counts the tokens that it gives out over ten minutes
MOST_LOGINS = 20
WARNED_BEFORE_S = 7 * A_DAY_S  # of the sixty days that a login lasts unless it is used


class Friends(ListTrait):
    """Friends, as Kakao numbers them for an app."""

    info_text = "uuids of friends, separated by commas"

    def validate(self, obj: Any, value: Any) -> Any:
        """Refuse what is no uuid; each friend is there once."""
        texts = [value] if isinstance(value, str) else super().validate(obj, value) or []
        if not all(re.fullmatch(r"[\w=+/-]{4,100}", text, re.ASCII) for text in texts):
            raise Explained(
                "must be uuids of friends, as `knock login kakao --friends` finds them, separated by commas.",
                "친구의 uuid를 쉼표로 나눠 적어 주세요. `knock login kakao --friends`로 찾을 수 있어요.",
            )
        return list(dict.fromkeys(texts))


class Kakao(HttpChannel):
    """Send a knock to one's own KakaoTalk.

    The access token and, when Kakao renews it, the refresh token are kept in a private file in the state folder.
    """

    key = "kakao"
    has_login = True
    looks_like = "bubble"
    is_korean = True
    label = {"en": "KakaoTalk", "ko": "카카오톡"}
    also_called = "카톡 휴대폰 핸드폰 phone"
    steps = {
        "en": "Good to know: KakaoTalk puts a note to yourself into your own chat, maybe without sound or banner. "
        "Pair it with a channel that rings (Telegram, ntfy, Slack, mail) for what must not wait.\n"
        "1. Add an app at https://developers.kakao.com (its name, company and category are free).\n"
        "2. Under App > Platform key > REST API key, copy the key into rest_api_key.\n"
        f"3. In the same place, register the redirect URI {REDIRECT_URI} (or your own, and set redirect_uri), "
        "and copy the client secret into client_secret if it is switched on. Leave the list of allowed IP addresses "
        "empty: Colab's address changes.\n"
        "4. Under Kakao Login, switch the login on.\n"
        f"5. Under Kakao Login > Consent items, set {MESSAGES} (send messages in KakaoTalk) to optional consent, and save.\n"
        "6. Only for a button that leads somewhere: register its domain under App > Product link, and set link. Without "
        "link, the button that every note has opens nothing.\n"
        "7. Log in: %knock login kakao in a notebook, knock login kakao in a shell. It asks for "
        "what is missing, and keeps the refresh_token.\n"
        "Friends too, if you like: knock login kakao --friends. They log in to your app once as well; without Kakao's "
        "review only members of your app's team can be reached, and the review is for notes that a person sends from a "
        "business app.",
        "ko": "알아 두세요: '나에게 보내기'는 나와의 채팅에 소리나 알림 없이 도착할 수 있어요. "
        "바로 알아야 하는 일은 소리가 나는 채널(텔레그램, ntfy, Slack, 메일)과 함께 써 주세요.\n"
        "1. https://developers.kakao.com 에서 앱을 추가해 주세요(앱 이름, 회사명, 카테고리는 자유예요).\n"
        "2. [앱] > [플랫폼 키] > [REST API 키]에서 키를 복사해 rest_api_key에 넣어 주세요.\n"
        f"3. 같은 곳에 리다이렉트 URI {REDIRECT_URI} 을 등록해 주세요(다른 주소를 쓰려면 redirect_uri도 바꿔 주세요). "
        "클라이언트 시크릿이 켜져 있으면 client_secret에 넣어 주세요. '호출 허용 IP'는 비워 두세요. Colab은 IP가 계속 바뀌어요.\n"
        "4. [카카오 로그인]에서 사용 설정을 켜 주세요.\n"
        f"5. [카카오 로그인] > [동의항목]에서 '카카오톡 메시지 전송({MESSAGES})'을 [선택 동의]로 설정하고 저장해 주세요.\n"
        "6. 버튼을 누를 때 열 주소가 있을 때만 [앱] > [제품 링크 관리]에 도메인을 등록하고 link에 넣어 주세요. "
        "link가 없으면 메시지에 늘 붙는 버튼을 눌러도 열리지 않아요.\n"
        "7. 로그인해 주세요. 노트북에서는 %knock login kakao, 셸에서는 knock login kakao예요. "
        "빠진 값은 그때 물어보고, 받은 refresh_token은 알아서 보관해요.\n"
        "친구에게도 보내려면(선택): knock login kakao --friends. 친구도 내 앱에 한 번 로그인해야 해요. 카카오 심사 전에는 "
        "앱의 팀원에게만 보낼 수 있고, 심사는 비즈 앱에서 사람이 직접 보내는 메시지를 위한 거예요.",
    }
    # https://developers.kakao.com/docs/latest/ko/message-template/default#text. Which unit Kakao counts in is
    # not said; these are never fewer than the characters.
    limit = 200
    unit = "utf16"
    signs = "@#"  # the app makes links of addresses, and searches of tags

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
    redirect_uri = Link(REDIRECT_URI, example=REDIRECT_URI, help="Redirect URI that is registered for the key.").tag(
        config=True, ko="키에 등록한 리다이렉트 URI"
    )
    refresh_token = Token(help="Refresh token from the login.").tag(
        config=True, required=True, ko="로그인하고 받은 리프레시 토큰"
    )
    link = Link(help="Where the button leads; its domain must be registered for the app.").tag(
        config=True, ko="버튼을 누르면 열 주소(앱에 등록한 도메인이어야 해요)"
    )
    friends = Friends(
        Unicode(), help="Friends that get each note too, by their uuids, separated by commas; needs a permission."
    ).tag(config=True, ko="알림을 함께 받을 친구의 uuid(쉼표로 구분, 권한이 필요해요)")
    daily = Integer(20, min=1, help="Most notes in a day; Kakao allows 20 between one sender and one recipient.").tag(
        config=True, ko="하루에 보낼 최대 개수(카카오는 같은 두 사람 사이에 하루 20개까지 허용해요)"
    )

    def send(self, message: Message) -> None:
        """Deliver `message`; a token that is no longer good is renewed once.

        With friends, those who have it are not sent it again when others are.
        """
        note = {"template_object": json.dumps(self.template(message), ensure_ascii=False)}
        knock = f"{message.event.id} {message.event.more}"  # one that came to speak for others is another note
        told = self._told(knock)
        owed = [friend for friend in self.friends if mark(friend) not in told]
        if mark(MYSELF) not in told:
            answer, token = self._call(MEMO, note, self._ticket)
            if answer.status != 200 or answer.json().get("result_code") != 0:
                raise self.refusal(answer, token)
            with contextlib.suppress(SettingsError):  # it is sent, whether it is counted or not
                Vault(self.key, os.environ).change(self._count)
            self._told(knock, MYSELF)
        refused: Dict[str, Any] = {}
        for some in [owed[at : at + MOST_RECEIVERS] for at in range(0, len(owed), MOST_RECEIVERS)]:
            refused.update(self._send_to_friends(note, some, knock))
        if refused:
            raise self._some_refused(refused)

    def _call(self, url: str, form: Mapping[str, str], token_of: Callable[[Kept], str]) -> Tuple[Answer, str]:
        """What Kakao answers to the holder of a good token, and that token."""
        vault = Vault(self.key, os.environ)
        try:
            token = vault.change(token_of)
            answer = self._ask(url, form, token)
            if answer.json().get("code") == -401 and not _is_elsewhere(answer):
                token = vault.change(lambda kept: self._access_token(kept, refused=token))
                answer = self._ask(url, form, token)
        except SettingsError as problem:
            raise DeliveryError(problem.texts) from None
        return answer, token

    def _ask(self, url: str, form: Mapping[str, str], token: str) -> Answer:
        return self.request(url, form=form, headers={"Authorization": f"Bearer {token}"})

    # Friends.

    def _told(self, knock: str, *more: str) -> List[str]:
        """The marks of those who need not be sent `knock` any more, now with `more` of them."""
        if not self.friends:
            return []

        def add(kept: Kept) -> List[str]:
            told = settled_of(kept, knock)
            told.extend(map(mark, more))
            return [*told]

        with contextlib.suppress(SettingsError):  # better twice than never
            return Vault(f"{self.key}_friends", os.environ).change(add)
        return []

    def _send_to_friends(self, note: Mapping[str, str], some: List[str], knock: str) -> Dict[str, Any]:
        """Send to `some` friends; who was refused, and by which code.

        https://developers.kakao.com/docs/latest/ko/kakaotalk-message/rest-api#default-template-msg-friend
        """
        answer, token = self._call(FRIENDS_NOTE, {**note, "receiver_uuids": json.dumps(some)}, self._access_token)
        data = answer.json()
        failures = data.get("failure_info") or data.get("failure_infos") or []  # the SDKs have it in the plural
        got = [uuid for uuid in some if uuid in (data.get("successful_receiver_uuids") or [])]
        refused = {
            uuid: failure.get("code")
            for failure in failures
            if isinstance(failure, dict)
            for uuid in failure.get("receiver_uuids") or []
            if uuid in some and uuid not in got
        }
        if answer.status != 200 and _is_about_friends(data.get("code")):
            refused = dict.fromkeys(some, data["code"])  # what one alone is refused with
        elif answer.status != 200 or not (got or refused):
            raise self.refusal(answer, token)
        refused.update({uuid: None for uuid in some if uuid not in got and uuid not in refused})
        self._told(knock, *got, *(uuid for uuid, code in refused.items() if not _may_pass(code)))
        return refused

    def _some_refused(self, refused: Dict[str, Any]) -> DeliveryError:
        later = [code for code in refused.values() if _may_pass(code)]
        code = (later or list(refused.values()))[0]
        known = TROUBLES.get(code, UNKNOWN) if isinstance(code, int) else UNKNOWN
        trouble = NOT_AGAIN if _is_quota(code) else known
        shown = "" if code is None else f" ({code})"
        some, all_ = len(refused), len(self.friends)
        return self.error(
            f"{some} of {all_} friends did not get it: {trouble.en}{shown}."
            + (f" It may work later for {len(later)} of them." if later else " Everybody else has it."),
            f"친구 {all_}명 가운데 {some}명이 받지 못했어요: {trouble.ko}{shown}. "
            + (f"이 가운데 {len(later)}명에게는 나중에 보낼 수 있어요." if later else "다른 사람에게는 도착했어요."),
            permanent=not later,
            maybe_sent=any(code in MAYBE_SENT for code in later),
        )

    def list_friends(self) -> Dict[str, str]:
        """The friends that notes can go to: their names by their uuids.

        https://developers.kakao.com/docs/latest/ko/kakaotalk-social/rest-api#get-friends

        Raises:
            DeliveryError: Kakao did not tell.
        """
        vault = Vault(self.key, os.environ)
        token = vault.change(self._access_token)
        answer = self.request(FRIENDS, method="GET", body=b"", headers={"Authorization": f"Bearer {token}"})
        found = answer.json().get("elements")
        if answer.status != 200 or not isinstance(found, list):
            raise self.refusal(answer, token)
        return {
            each["uuid"]: one_line(str(each.get("profile_nickname") or "?"), 40)
            for each in found
            if isinstance(each, dict) and isinstance(each.get("uuid"), str)
        }

    def template(self, message: Message) -> Dict[str, Any]:
        """The text template that is sent; Kakao takes none without a link."""
        link = self.link or ANY_LINK
        return {
            "object_type": "text",
            "text": self.escape(self.fit(message)),
            "link": {"web_url": link, "mobile_web_url": link},
            "button_title": {"en": "Open", "ko": "열기"}[message.lang],
        }

    # Tokens. What is kept belongs to the refresh token in the settings: another login starts anew.

    def _name(self, refresh_token: str) -> str:
        return hashlib.sha256(f"{self.rest_api_key}\n{refresh_token}".encode()).hexdigest()[:32]

    def _own(self, kept: Kept) -> Kept:
        logins = kept.setdefault("logins", {})
        login = self._name(self.refresh_token)
        names = [login]
        while login in logins and logins[login].get("heir", login) not in names:
            login = logins[login]["heir"]
            names.append(login)
        for name in names:  # the last one used stands last
            logins[name] = logins.pop(name, {})
        for oldest in list(logins)[:-MOST_LOGINS]:
            del logins[oldest]
        own: Kept = logins[login]
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
        return self._tokens({"grant_type": "refresh_token", "refresh_token": refresh_token}, refresh_token)

    def _tokens(self, form: Mapping[str, str], *secrets: str) -> Kept:
        """What Kakao gives out for `form`, as it is kept: no refresh token where the one before stays good."""
        form = {"client_id": self.rest_api_key, **form}
        if self.client_secret:
            form["client_secret"] = self.client_secret
        try:
            answer = self.request(OAUTH_TOKEN, form=form)
            data = answer.json()
            if answer.status != 200 or not isinstance(data.get("access_token"), str):
                raise self.refusal(answer, *secrets)
        except DeliveryError as failure:
            failure.maybe_sent = False  # whatever became of the token, no note has been sent yet
            raise
        new: Kept = {"access_token": data["access_token"], "expires_at": _moment(data.get("expires_in"))}
        # One comes only when the old one nears its end, and the old one is dead then.
        if isinstance(data.get("refresh_token"), str) and data["refresh_token"]:
            new["refresh_token"] = data["refresh_token"]
            new["ends_at"] = _moment(data.get("refresh_token_expires_in"))
        if isinstance(data.get("scope"), str):
            new["scope"] = data["scope"]
        return new

    # Logging in.

    def log_in(self, code: str) -> Optional[float]:
        """Turn the `code` that a browser came back with into a login, which is kept; its `refresh_token` is set here.

        Returns:
            When the login ends, in seconds since the epoch, if Kakao told.

        Raises:
            DeliveryError: Kakao gave none, or one that can't send.
            SettingsError: it can't be kept.
        """
        form = {"grant_type": "authorization_code", "redirect_uri": self.redirect_uri, "code": code}
        new = self._tokens(form, code)
        if MESSAGES not in new.get("scope", MESSAGES).split():
            raise self.trouble(-402)  # who agrees to the login need not tick what is optional
        if "refresh_token" not in new:
            raise self.error("it gave no refresh token.", "리프레시 토큰을 받지 못했어요.", permanent=True)
        self.refresh_token = new["refresh_token"]
        Vault(self.key, os.environ).change(lambda kept: self._own(kept).update(new))
        return new["ends_at"] or None

    def succeed(self, refresh_token: str) -> None:
        """Have whoever still has `refresh_token` in their settings go on with the login of this one."""
        heir = self._name(self.refresh_token)
        if self._name(refresh_token) != heir:
            Vault(self.key, os.environ).change(
                lambda kept: kept.setdefault("logins", {}).update({self._name(refresh_token): {"heir": heir}})
            )

    def ending(self, now: float) -> Optional[Ending]:
        """Kakao gives a new refresh token only to who uses the old one in its last month."""
        ends_at = self._own(Vault(self.key, os.environ).peek()).get("ends_at") or 0.0
        if not ends_at or ends_at - now > WARNED_BEFORE_S:
            return None
        if ends_at <= now:
            return Ending(
                ends_at,
                {
                    "en": "the login to KakaoTalk has ended. Log in again: %knock login kakao",
                    "ko": "카카오톡 로그인이 만료됐어요. 다시 로그인해 주세요: %knock login kakao",
                },
            )
        left = {lang: say_duration(ends_at - now, lang) for lang in LANGUAGES}
        return Ending(
            ends_at,
            {
                "en": f"the login to KakaoTalk ends in {left['en']}. %knock test kakao renews it; "
                "if that fails, log in again: %knock login kakao",
                "ko": f"카카오톡 로그인이 {left['ko']} 뒤에 끝나요. %knock test kakao를 실행하면 연장되고, "
                "안 되면 %knock login kakao로 다시 로그인해 주세요",
            },
        )

    # The ceiling of a day, in Korea's time.

    def _check_ceiling(self, kept: Kept) -> None:
        own = self._own(kept)
        if own.get("day") == _today() and own.get("sent", 0) >= self.daily:
            raise self.error(
                f"today's quota of {self.daily} is used up; there is a new one tomorrow.",
                f"오늘 보낼 수 있는 {self.daily}개를 다 썼어요. 내일부터 다시 보낼 수 있어요.",
                retry_after=until_tomorrow(),
                digest=True,
            )

    def _count(self, kept: Kept) -> None:
        own = self._own(kept)
        sent = own.get("sent", 0) if own.get("day") == _today() else 0
        own.update(day=_today(), sent=sent + 1)

    # What Kakao refuses.

    def refusal(self, answer: Answer, *secrets: str) -> DeliveryError:
        """The error for what Kakao answered, by its code: kapi gives a number, kauth ``KOE`` and a number."""
        data = answer.json()
        answer = dataclasses.replace(answer, text=self.hide(answer.text, *secrets))  # it quotes what it was sent
        code = data.get("error_code", data.get("code"))
        if code is None and data.get("error") == "invalid_grant":
            code = "KOE322"
        if _is_elsewhere(answer):
            found = _CALLER.search(answer.text)
            ip = f" ({found[1]})" if found else ""
            place = {"en": WRONG_PLACE.en.format(ip=ip), "ko": WRONG_PLACE.ko.format(ip=ip.strip())}
            return self.error(f"{place['en']}.", f"{place['ko']}.", permanent=True, revoked=True)
        if isinstance(code, (int, str)) and code in TROUBLES:
            return self.trouble(code, self.wait(answer))
        if answer.status >= 300 or answer.is_page:
            return super().refusal(answer)
        said = self.said(answer)
        return self.error(f"it did not take the note{said}.", f"메시지를 받아 주지 않았어요{said}.", permanent=True)

    def trouble(self, code: Union[int, str], wait: Optional[float] = None) -> DeliveryError:
        """The error for one of the codes of `TROUBLES`; `wait` is for how many seconds Kakao asks."""
        trouble = TROUBLES[code]
        tomorrow = trouble.kind == "tomorrow"
        return self.error(
            f"{trouble.en} ({code}).".replace("{redirect_uri}", self.redirect_uri),
            f"{trouble.ko} ({code}).".replace("{redirect_uri}", self.redirect_uri),
            permanent=trouble.kind in ("permanent", "revoked"),
            revoked=trouble.kind == "revoked",
            retry_after=until_tomorrow() if tomorrow else wait or {"minutes": TOKENS_AGAIN_S}.get(trouble.kind),
            digest=tomorrow,
            maybe_sent=code in MAYBE_SENT,
        )


def until_tomorrow(now: Optional[float] = None) -> float:
    """Seconds until the next midnight in Korea, when Kakao counts anew."""
    now = time.time() if now is None else now
    return A_DAY_S - (now + KOREA_S) % A_DAY_S


def _today() -> int:
    return int((time.time() + KOREA_S) // A_DAY_S)


def _is_elsewhere(answer: Answer) -> bool:
    """Whether Kakao does not like where this comes from, for which it has no code of its own."""
    return answer.status >= 400 and "ip mismatched" in answer.text.lower()


def _is_about_friends(code: Any) -> bool:
    """Whether a refusal is about those whom the note was for, and about nothing of ours."""
    return _is_quota(code) or code in (-502, -504, -530)


def _is_quota(code: Any) -> bool:
    return isinstance(code, int) and code in QUOTAS


def _may_pass(code: Any) -> bool:
    """Whether a friend's refusal is over soon. A quota is not: it would hold up everybody else until tomorrow."""
    return isinstance(code, int) and code in TROUBLES and TROUBLES[code].kind in ("later", "minutes")


def _moment(seconds: Any) -> float:
    """When `seconds` from now are over; 0 where that was not told."""
    return time.time() + seconds if isinstance(seconds, (int, float)) else 0.0
