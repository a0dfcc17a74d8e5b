"""What Kakao's codes mean: kapi answers with a number, kauth with ``KOE`` and a number.

Each is translated into what to click. The menus are those of developers.kakao.com since December 2025, where
redirect URIs and the client secret belong to a REST API key.

https://developers.kakao.com/docs/latest/ko/rest-api/reference#error-code,
https://developers.kakao.com/docs/latest/ko/kakaologin/trouble-shooting
"""

from __future__ import annotations

import re
from typing import Any, Dict, NamedTuple, Tuple


class Trouble(NamedTuple):
    """What a code means, and what is to be done; `kind` says when it may work again.

    ``later``, in some ``minutes``, ``tomorrow``, never for this message (``permanent``), never with this
    login or app (``revoked``).
    """

    kind: str
    en: str
    ko: str


_ROWS: Tuple[Tuple[Tuple[Any, ...], Trouble], ...] = (
    (
        (-1, -7, -603, -9798, "KOE003"),
        Trouble("later", "Kakao has a problem or is being maintained", "카카오 서버에 문제가 있거나 점검 중이에요"),
    ),
    (
        (-2, -8, -9, "KOE001", "KOE002"),
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
            "Kakao does not allow this for your app or account. See the notices at developers.kakao.com; notes to "
            "friends need a permission of their own (App > Additional features)",
            "이 앱이나 계정에는 허용되지 않아요. developers.kakao.com의 공지를 확인해 주세요. "
            "친구에게 보내려면 [앱] > [추가 기능 신청]에서 권한을 받아야 해요",
        ),
    ),
    (
        (-10, -11, -532, -533, -536),
        Trouble(
            "tomorrow",
            "the quota of messages is used up; there is a new one tomorrow",
            "보낼 수 있는 메시지를 다 썼어요. 내일부터 다시 보낼 수 있어요",
        ),
    ),
    (
        (-531,),
        Trouble(
            "revoked",
            "this month's quota of messages is used up. There is a new one next month",
            "이번 달에 보낼 수 있는 메시지를 다 썼어요. 다음 달에 다시 보낼 수 있어요",
        ),
    ),
    (
        (-101, -103, -401, "KOE319", "KOE322"),
        Trouble(
            "revoked",
            "the login has expired or was taken back. Log in again: %knock login kakao (in a shell: knock login kakao), "
            "or set a new refresh_token",
            "로그인이 만료됐거나 해제됐어요. %knock login kakao(셸에서는 knock login kakao)로 다시 로그인하거나 "
            "새 refresh_token을 넣어 주세요",
        ),
    ),
    (
        (-402,),
        Trouble(
            "revoked",
            "you have not consented to messages yet. Log in again and tick 'send messages in KakaoTalk' "
            "(talk_message): %knock login kakao (in a shell: knock login kakao)",
            "메시지 전송에 아직 동의하지 않았어요. %knock login kakao(셸에서는 knock login kakao)로 다시 로그인하고 "
            "'카카오톡 메시지 전송'(talk_message)에 동의해 주세요",
        ),
    ),
    (
        (-406,),
        Trouble(
            "revoked",
            "Kakao does not allow this for users under 14",
            "만 14세 미만 사용자에게는 허용되지 않아요",
        ),
    ),
    (
        (-501,),
        Trouble("revoked", "this account does not use KakaoTalk", "카카오톡을 쓰지 않는 계정이에요"),
    ),
    (
        (-502, -504, -530),
        Trouble(
            "permanent",
            "this is no friend in KakaoTalk, or takes no messages from this app. Both have to have logged in to the app",
            "카카오톡 친구가 아니거나 이 앱의 메시지를 받지 않아요. 두 사람 모두 앱에 로그인했어야 해요",
        ),
    ),
    (
        ("KOE005",),
        Trouble(
            "revoked",
            "this is a test app, and the account is not on its team. Invite it under App > Members",
            "테스트 앱인데 이 계정이 팀원이 아니에요. [앱] > [멤버]에서 초대해 주세요",
        ),
    ),
    (
        ("KOE006", "KOE303"),
        Trouble(
            "revoked",
            "the redirect URI {redirect_uri} is not registered. Register it under App > Platform key > REST API key, "
            "letter by letter, or set redirect_uri to the one that is there",
            "리다이렉트 URI {redirect_uri} 은 등록되어 있지 않아요. [앱] > [플랫폼 키] > [REST API 키]에 똑같이 등록하거나, "
            "이미 등록한 주소로 redirect_uri를 바꿔 주세요",
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
        ("KOE008", "KOE101"),
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
            "talk_message (for friends: friends too) is not set up for the app. Set it under Kakao Login > Consent items",
            "앱에 talk_message(친구에게 보내려면 friends도)가 설정돼 있지 않아요. "
            "[카카오 로그인] > [동의항목]에서 설정해 주세요",
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

TROUBLES: Dict[Any, Trouble] = {code: trouble for codes, trouble in _ROWS for code in codes}

# A code by itself does not tell it: kapi answers -401 with "ip mismatched! callerIp=...".
WRONG_PLACE = Trouble(
    "revoked",
    "this machine's address{ip} is not among the allowed ones of your app. Empty the list of allowed IP addresses under "
    "App > Platform key > REST API key, or add this one; in Colab it changes, so empty the list",
    "이 컴퓨터의 IP{ip}가 앱의 '호출 허용 IP'에 없어요. [앱] > [플랫폼 키] > [REST API 키]에서 '호출 허용 IP'를 비우거나 "
    "이 IP를 추가해 주세요. Colab은 IP가 계속 바뀌니 비워 주세요",
)

# What a quota means for a friend: their note is given up, so that nobody else waits for tomorrow.
QUOTAS = frozenset((-10, -11, -531, -532, -533, -536))
NOT_AGAIN = Trouble(
    "permanent",
    "Kakao's quota is used up, and this one is not sent again",
    "카카오 한도를 다 써서 이 알림은 다시 보내지 않아요",
)

# Which setting is wrong where one of these comes.
SETTING_OF = {"KOE006": "redirect_uri", "KOE008": "rest_api_key", "KOE010": "client_secret", "KOE101": "rest_api_key"}


def setting_of(text: str) -> str:
    """The setting that is wrong by the code in an error's `text`; empty if none is."""
    return next((SETTING_OF[code] for code in re.findall(r"KOE\d{3}", text) if code in SETTING_OF), "")
