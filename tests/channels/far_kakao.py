"""The far end of KakaoTalk, faked: what of kauth.kakao.com and kapi.kakao.com is used, and the person with a browser."""

from __future__ import annotations

import json
import threading
from typing import Any, Dict, List
from urllib.parse import parse_qsl, quote, urlsplit

from .stage import CANARY, Answer, Request

KEY = "0123456789abcdef0123456789abcdef"
CLIENT_SECRET = f"{CANARY}-client-secret"
LASTS = 21_599
REFRESH_LASTS = 5_183_999


class Service:
    """Kakao as far as we use it: it logs in, renews tokens, rotates refresh tokens when told so, and takes notes."""

    def __init__(self, refresh_token: str = f"{CANARY}-refresh-0") -> None:
        self.refresh_token = refresh_token
        self.access_token = ""
        self.renewals = 0
        self.rotating = False
        self.client_secret = ""  # empty: not switched on
        self.scope = "talk_message"  # what the person ticks
        self.codes: Dict[str, str] = {}  # that were given out, with the redirect URI they are for
        self.logins = 0
        self.notes: List[Dict[str, Any]] = []
        self.failures: List[Answer] = []
        self.friends = {f"uuid-of-friend-{number}": f"친구 {number}" for number in range(1, 8)}
        self.friends_notes: Dict[str, List[str]] = {uuid: [] for uuid in self.friends}
        self.refusing: Dict[str, int] = {}  # friends, and the code that each is refused with
        self.calls: List[int] = []  # how many receivers each had
        self._busy = threading.Lock()

    # The person, in a browser.

    def agree(self, address: str) -> str:
        """Open `address`, agree, and see where that leads."""
        asked = self._opened(address)
        code = f"{CANARY}-code-{len(self.codes)}"
        self.codes[code] = asked["redirect_uri"]
        return f"{asked['redirect_uri']}?code={code}&state={quote(asked['state'])}"

    def decline(self, address: str) -> str:
        """Open `address`, and press "cancel"."""
        asked = self._opened(address)
        return (
            f"{asked['redirect_uri']}?error=access_denied&error_description=User%20denied%20access"
            f"&state={quote(asked['state'])}"
        )

    def _opened(self, address: str) -> Dict[str, str]:
        parts = urlsplit(address)
        asked = dict(parse_qsl(parts.query, strict_parsing=True))
        assert (parts.scheme, parts.netloc, parts.path) == ("https", "kauth.kakao.com", "/oauth/authorize")
        assert (asked["response_type"], asked["client_id"]) == ("code", KEY)
        assert "talk_message" in asked["scope"].split(",")
        return asked

    # The servers.

    def __call__(self, request: Request) -> Answer:
        with self._busy:
            return self._token(request.form) if request.path == "/oauth/token" else self._api(request)

    def _token(self, form: Dict[str, str]) -> Answer:
        assert form["client_id"] == KEY
        if self.client_secret and form.get("client_secret") != self.client_secret:
            said = {"error": "invalid_client", "error_description": "Bad client credentials", "error_code": "KOE010"}
            return Answer(401, said)
        return {"authorization_code": self._log_in, "refresh_token": self._renew}[form["grant_type"]](form)

    def _log_in(self, form: Dict[str, str]) -> Answer:
        if self.codes.pop(form["code"], None) != form["redirect_uri"]:
            said = f"authorization code not found for code={form['code']}"
            return Answer(400, {"error": "invalid_grant", "error_description": said, "error_code": "KOE320"})
        self.logins += 1
        self.refresh_token = f"{CANARY}-refresh-of-login-{self.logins}"
        return Answer(200, {**self._fresh(), **self._rotated(), "scope": self.scope})

    def _renew(self, form: Dict[str, str]) -> Answer:
        if form.get("refresh_token") != self.refresh_token:
            return Answer(400, {"error": "invalid_grant", "error_description": "expired", "error_code": "KOE322"})
        self.renewals += 1
        if self.rotating:
            self.refresh_token = f"{CANARY}-refresh-{self.renewals}"
        return Answer(200, {**self._fresh(), **(self._rotated() if self.rotating else {})})

    def _fresh(self) -> Dict[str, Any]:
        self.access_token = f"{CANARY}-access-{self.logins}-{self.renewals}"
        return {"token_type": "bearer", "access_token": self.access_token, "expires_in": LASTS}

    def _rotated(self) -> Dict[str, Any]:
        return {"refresh_token": self.refresh_token, "refresh_token_expires_in": REFRESH_LASTS}

    def _api(self, request: Request) -> Answer:
        if self.failures:
            return self.failures.pop(0)
        if request.headers["Authorization"] != f"Bearer {self.access_token}":
            return Answer(401, {"msg": "this access token does not exist", "code": -401})
        if request.path.startswith("/v1/api/talk/friends?"):
            elements = [{"uuid": uuid, "profile_nickname": name} for uuid, name in self.friends.items()]
            return Answer(200, {"elements": elements, "total_count": len(elements)})
        note = json.loads(request.form["template_object"])
        if request.path == "/v1/api/talk/friends/message/default/send":
            return self._note_to_friends(note, json.loads(request.form["receiver_uuids"]))
        assert request.path == "/v2/api/talk/memo/default/send"
        self.notes.append(note)
        return Answer(200, {"result_code": 0})

    def _note_to_friends(self, note: Dict[str, Any], uuids: List[str]) -> Answer:
        assert 0 < len(uuids) <= 5
        self.calls.append(len(uuids))
        refused = [uuid for uuid in uuids if uuid in self.refusing]
        for uuid in uuids:
            if uuid not in refused:
                self.friends_notes[uuid].append(note["text"])
        failures = [{"code": self.refusing[uuid], "msg": "no", "receiver_uuids": [uuid]} for uuid in refused]
        if len(refused) == len(uuids):
            return (
                Answer(400, {"code": self.refusing[uuids[0]], "msg": "no"})
                if len(uuids) == 1
                else Answer(200, {"successful_receiver_uuids": [], "failure_info": failures})
            )
        answer: Dict[str, Any] = {"successful_receiver_uuids": [uuid for uuid in uuids if uuid not in refused]}
        return Answer(200, {**answer, **({"failure_info": failures} if failures else {})})


def refused(code: int) -> Answer:
    return Answer(400, {"msg": "no", "code": code})
