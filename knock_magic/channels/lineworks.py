"""`Lineworks`: a message in LINE WORKS (NAVER WORKS), through the Incoming Webhook app or as a bot of the company."""

from __future__ import annotations

import base64
import json
import re
import textwrap
import time
from typing import Any, List, Mapping
from urllib.parse import quote

from traitlets import Unicode

from knock_magic.channels.base import Answer, HttpChannel, Token, Url
from knock_magic.errors import DeliveryError
from knock_magic.settings import Explained, Secret
from knock_magic.template import Message

API = "https://www.worksapis.com/v1.0/bots/"  # https://developers.worksmobile.com/kr/docs/bot-api
OAUTH_TOKEN = "https://auth.worksmobile.com/oauth2/v2.0/token"  # https://developers.worksmobile.com/kr/docs/auth-jwt
JWT_LASTS_S = 600  # an hour is allowed; whose clock is a little fast still gets in
# Its limits are those of a minute, and this header has the seconds that are left of it
# (https://developers.worksmobile.com/kr/docs/rate-limits).
A_MINUTE_S = 60.0
RESET = "rateLimit-reset"

_PEM = re.compile(r"(-----BEGIN (?:RSA )?PRIVATE KEY-----)([A-Za-z0-9+/=\s]+)(-----END (?:RSA )?PRIVATE KEY-----)")


class PrivateKey(Secret):
    """A private key as PEM, whose line ends may have become spaces, or a backslash and an n, on the way."""

    info_text = "a private key"

    def validate(self, obj: Any, value: Any) -> Any:
        """The key with its lines put right."""
        text = super().validate(obj, value)
        if not text:
            return text
        found = _PEM.fullmatch(text.replace("\\n", "\n").strip())
        if found is None:
            raise Explained(
                "must be the text of the .key file, from -----BEGIN PRIVATE KEY----- to its END line.",
                "-----BEGIN PRIVATE KEY-----로 시작해 END 줄로 끝나는 .key 파일의 내용이어야 해요.",
            )
        begin, body, end = found.groups()
        return "\n".join([begin, *textwrap.wrap("".join(body.split()), 64), end, ""])


class Lineworks(HttpChannel):
    """Send a knock to a room or a member of LINE WORKS.

    A bot asks for a token with each knock, signed by its service account: none is kept anywhere.
    """

    key = "lineworks"
    is_korean = True
    label = {"en": "LINE WORKS", "ko": "네이버웍스"}
    also_called = "라인웍스 NAVER WORKS"
    steps = {
        "en": "The quick way, a webhook (where your company's App Directory has the free app Incoming Webhook):\n"
        "1. Add the app Incoming Webhook and invite its bot to the room.\n"
        "2. In the app's webhook list, add one for the room's channel ID and copy its address into webhook_url.\n"
        "Or as a bot, which needs: pip install 'knock-magic[lineworks]'\n"
        "1. At https://developers.worksmobile.com, in the Developer Console, add an app with the OAuth scope "
        "bot.message, and issue a service account and a private key. Copy the Client ID, Client Secret, Service "
        "Account and the key file's text into client_id, client_secret, service_account and private_key.\n"
        "2. Register a bot there, copy its number into bot_id, and have an admin add it under Service > Bot and make "
        "it public.\n"
        "3. Set user_id to your login (me@company), or invite the bot to a room and set channel_id.",
        "ko": "간단한 방법은 웹훅이에요(회사의 앱 디렉터리에 무료 앱 Incoming Webhook이 있을 때).\n"
        "1. Incoming Webhook 앱을 추가하고 그 봇을 메시지방에 초대해 주세요.\n"
        "2. 앱의 Webhook 목록에서 메시지방의 채널 ID로 새로 만들고, 나온 주소를 webhook_url에 넣어 주세요.\n"
        "봇으로 보내려면 먼저 설치해 주세요: pip install 'knock-magic[lineworks]'\n"
        "1. https://developers.worksmobile.com 의 Developer Console에서 앱을 만들어 OAuth Scope에 bot.message를 넣고, "
        "Service Account와 Private Key를 발급해 주세요. Client ID, Client Secret, Service Account와 키 파일의 내용을 "
        "client_id, client_secret, service_account, private_key에 넣어 주세요.\n"
        "2. 같은 곳에서 봇을 등록해 Bot ID를 bot_id에 넣고, 관리자가 [서비스] > [Bot]에서 추가해 공개하도록 해 주세요.\n"
        "3. user_id에 내 로그인 ID(me@company)를 넣거나, 봇을 메시지방에 초대하고 channel_id를 넣어 주세요.",
    }
    anew = {
        "en": "See whether the webhook is still there, or whether the bot is public and knows this user or room",
        "ko": "웹훅이 그대로 있는지, 봇이 공개돼 있고 받는 사람이나 메시지방이 맞는지 확인해 주세요",
    }
    # https://developers.worksmobile.com/jp/document/100500801; in which unit is not said, and these are never fewer
    # than the characters.
    limit = 2000
    unit = "utf16"
    signs = "@<"  # <m userId="..."> is a mention: https://developers.worksmobile.com/kr/docs/bot-mention

    webhook_url = Url(
        help="Address of the app Incoming Webhook.",
        hosts=("webhook.worksmobile.com",),
        example="https://webhook.worksmobile.com/message/...",
        paths=("/message/*",),
    ).tag(config=True, ko="Incoming Webhook 앱의 주소")
    bot_id = Unicode(help="Number of a bot, in place of a webhook.").tag(config=True, ko="웹훅 대신 쓸 봇의 Bot ID")
    user_id = Unicode(help="Member that the bot writes to: a login (me@company) or user ID.").tag(
        config=True, ko="봇이 메시지를 보낼 구성원의 로그인 ID(me@company)나 사용자 ID"
    )
    channel_id = Unicode(help="Room that the bot writes to, in place of a member.").tag(
        config=True, ko="구성원 대신 메시지를 보낼 메시지방의 채널 ID"
    )
    client_id = Token(help="Client ID of the app.").tag(config=True, ko="앱의 Client ID")
    client_secret = Token(help="Client Secret of the app.").tag(config=True, ko="앱의 Client Secret")
    service_account = Token(
        help="Service Account of the app.",
        pattern=r"[^@\s]+@[^@\s]+$",
        like={
            "en": "a service account such as ab1cd.serviceaccount@company",
            "ko": "ab1cd.serviceaccount@company 같은 서비스 계정",
        },
    ).tag(config=True, ko="앱의 Service Account")
    private_key = PrivateKey(help="Private Key of the app: the text of the .key file.").tag(
        config=True, ko="앱의 Private Key(.key 파일의 내용)"
    )

    def missing(self) -> List[str]:
        """What is needed: the webhook, or all that a bot and its service account need."""
        if self.webhook_url:
            return []
        return self._bot_lacks() if self.bot_id else [self.env_name("webhook_url")]

    def _bot_lacks(self) -> List[str]:
        names = ["bot_id", "client_id", "client_secret", "service_account", "private_key"]
        names += [] if self.channel_id else ["user_id"]
        return [self.env_name(name) for name in names if not getattr(self, name)]

    def send(self, message: Message) -> None:
        """Deliver `message`: as a bot where all that one needs is set, else through the webhook."""
        text = self.escape(self.fit(message))
        if not self._bot_lacks():
            kind, to = ("channels", self.channel_id) if self.channel_id else ("users", self.user_id)
            url = f"{API}{quote(self.bot_id, safe='')}/{kind}/{quote(to, safe='')}/messages"
            headers = {"Authorization": f"Bearer {self._access_token()}"}
            answer = self.request(url, payload={"content": {"type": "text", "text": text}}, headers=headers)
        else:
            answer = self.request(self.webhook_url, payload={"title": "knock", "body": {"text": text}})
        code = answer.json().get("code", 200)
        if answer.is_page or not 200 <= answer.status < 300 or str(code) not in ("200", "201"):
            raise self.refusal(answer)

    def refusal(self, answer: Answer) -> DeliveryError:
        """The error for what LINE WORKS answered; in an error's body a number is a status."""
        code = answer.json().get("code")
        if answer.status < 300 and isinstance(code, int) and 300 <= code < 600:
            answer = Answer(code, answer.headers, answer.text)
        if answer.status < 300 and not answer.is_page:
            said = self.said(answer)
            return self.error(
                f"it did not take the message{said}.", f"메시지를 받아 주지 않았어요{said}.", permanent=True
            )
        error = super().refusal(answer)
        if answer.status == 429 and error.retry_after is None:
            left = answer.headers.get(RESET, "")
            error.retry_after = float(left) if re.fullmatch(r"\d{1,5}", left) else A_MINUTE_S
        return error

    # A bot's token.

    def _access_token(self) -> str:
        try:
            return self._ask_for_token(self._assertion())
        except DeliveryError as failure:
            failure.maybe_sent = False  # whatever became of the token, no message has been sent yet
            raise

    def _ask_for_token(self, assertion: str) -> str:
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "assertion": assertion,
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "scope": "bot.message",
        }
        answer = self.request(OAUTH_TOKEN, form=form)
        token = answer.json().get("access_token")
        if answer.status == 200 and isinstance(token, str) and token:
            return token
        if not 400 <= answer.status < 404:
            raise self.refusal(answer)
        said = self.said(answer, assertion)
        raise self.error(
            f"it gives the service account no token (HTTP {answer.status}{said}). Compare client_id, client_secret, "
            "service_account and private_key with the Developer Console, and look at this machine's clock.",
            f"서비스 계정의 토큰을 받지 못했어요(HTTP {answer.status}{said}). client_id, client_secret, service_account, "
            "private_key가 Developer Console과 같은지, 컴퓨터 시계가 맞는지 확인해 주세요.",
            permanent=True,
            revoked=True,
        )

    def _assertion(self) -> str:
        """What the service account says of itself, signed by its key (RFC 7523, RS256)."""
        now = int(time.time())
        claims = {"iss": self.client_id, "sub": self.service_account, "iat": now, "exp": now + JWT_LASTS_S}
        signed = f"{_encoded({'alg': 'RS256', 'typ': 'JWT'})}.{_encoded(claims)}"
        return f"{signed}.{_base64url(self._sign(signed.encode('ascii')))}"

    def _sign(self, data: bytes) -> bytes:
        try:
            from cryptography.exceptions import UnsupportedAlgorithm
            from cryptography.hazmat.primitives import hashes, serialization
            from cryptography.hazmat.primitives.asymmetric import padding, rsa
        except ImportError:
            raise self.error(
                "a bot needs a package to sign with: pip install 'knock-magic[lineworks]'. A webhook needs none.",
                "봇으로 보내려면 이 명령으로 설치해 주세요: pip install 'knock-magic[lineworks]'. 웹훅은 설치 없이 쓸 수 있어요.",
                permanent=True,
                revoked=True,
            ) from None
        try:
            key = serialization.load_pem_private_key(self.private_key.encode("ascii"), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, rsa.RSAPrivateKey):
            raise self.error(
                "private_key can't be read. Download the key file anew from the Developer Console and copy all of it.",
                "private_key를 읽을 수 없어요. Developer Console에서 키 파일을 다시 받아 내용을 전부 넣어 주세요.",
                permanent=True,
                revoked=True,
            )
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())


def _encoded(part: Mapping[str, Any]) -> str:
    return _base64url(json.dumps(part, separators=(",", ":")).encode("ascii"))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
