"""`Telegram`: a message from a bot of one's own."""

from __future__ import annotations

import json
import re
from typing import Any, Dict, List, Mapping, Optional, Tuple

from traitlets import Integer, Unicode

from knock_magic import fitting
from knock_magic.channels.base import NAMELESS, Answer, HttpChannel, Token, wait_of
from knock_magic.cleaning import one_line
from knock_magic.errors import DeliveryError
from knock_magic.outline import Code, Facts, outline
from knock_magic.settings import Explained
from knock_magic.template import Message

# https://core.telegram.org/bots/api: sendMessage, sendPhoto, editMessageText, editMessageCaption, MessageEntity
API = "https://api.telegram.org"
TEXT = 4096
CAPTION = 1024

# The beginnings of what Telegram says, in small letters (https://github.com/TelegramBotAPI/errors); whether the
# bot or the chat itself is no good any more, and what that means.
TROUBLES: Tuple[Tuple[Tuple[str, ...], bool, str, str], ...] = (
    (
        ("unauthorized", "not found"),
        True,
        "this token is not valid. Send /mybots to @BotFather, copy the token anew and set token",
        "토큰이 유효하지 않아요. @BotFather에게 /mybots를 보내 토큰을 다시 복사하고 token에 넣어 주세요",
    ),
    (
        ("forbidden: bot was blocked", "forbidden: bot can't initiate", "forbidden: user is deactivated"),
        True,
        "the bot may not write to you. Open the bot in Telegram and press Start",
        "봇이 메시지를 보낼 수 없어요. 텔레그램에서 봇을 열고 '시작'을 눌러 주세요",
    ),
    (
        (
            "bad request: not enough rights to send photos",
            "bad request: chat_send_photos_forbidden",
            "bad request: chat_send_media_forbidden",
        ),
        False,
        "the bot may not send pictures there",
        "이 대화방에서는 봇이 그림을 보낼 수 없어요",
    ),
    (
        ("forbidden: bot can't send messages to", "forbidden: bots can't send messages to"),
        True,
        "chat_id is the number of a bot. Set your own, from step 3",
        "chat_id가 봇의 번호예요. 3단계에서 찾은 내 번호를 chat_id에 넣어 주세요",
    ),
    (
        (
            "forbidden: bot was kicked",
            "forbidden: bot is not a member",
            "forbidden: chat_write_forbidden",
            "bad request: need administrator rights",
            "bad request: not enough rights",
            "bad request: have no rights to send",
            "bad request: chat_write_forbidden",
            "bad request: chat_admin_required",
        ),
        True,
        "the bot is not in the chat, or may not write there. Add it again; in a channel, as an administrator",
        "봇이 대화방에 없거나 쓸 권한이 없어요. 다시 초대해 주세요. 채널이라면 관리자로 추가해 주세요",
    ),
    (
        (
            "forbidden: the group chat was deleted",
            "forbidden: group chat was deleted",
            "bad request: group chat was deactivated",
        ),
        True,
        "the group is gone. Set chat_id to another one",
        "그룹이 삭제됐어요. 다른 대화방의 번호를 chat_id에 넣어 주세요",
    ),
    (
        ("bad request: topic_closed",),
        True,
        "the topic is closed. Reopen it, set another topic, or leave topic empty",
        "닫힌 토픽이에요. 다시 열거나, 다른 topic을 넣거나 비워 주세요",
    ),
    (
        ("bad request: chat not found", "bad request: peer_id_invalid"),
        True,
        "there is no such chat for this bot. Press Start in the bot first; the chat_id of a supergroup or a channel "
        "begins with -100",
        "이 봇이 쓸 수 있는 대화방이 아니에요. 먼저 봇에서 '시작'을 눌러 주세요. 슈퍼그룹과 채널의 chat_id는 -100으로 시작해요",
    ),
    (
        ("bad request: message thread not found",),
        True,
        "the topic is not there. Set topic anew, or leave it empty",
        "토픽을 찾을 수 없어요. topic을 다시 정하거나 비워 주세요",
    ),
    (
        (
            "bad request: message to edit not found",
            "bad request: message can't be edited",
            "bad request: message_id_inv",
        ),
        False,
        "the earlier message is gone",
        "앞서 보낸 메시지가 없어졌어요",
    ),
)
UNCHANGED = "bad request: message is not modified"  # an edit to what it already says


class BotToken(Token):
    """A bot's token, also out of an address of its API."""

    def validate(self, obj: Any, value: Any) -> Any:
        """The token alone."""
        found = re.search(r"(?:^|/)bot(\d{5,20}:[\w-]{20,})(?:/|$)", value) if isinstance(value, str) else None
        return super().validate(obj, found[1] if found else value)


class ChatId(Unicode):
    """A chat of Telegram, by its number or by its public name."""

    info_text = "a chat id such as 123456789 or -1001234567890"

    def validate(self, obj: Any, value: Any) -> Any:
        """Refuse what is no chat, and say what it should be where that can be seen."""
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else super().validate(obj, value)
        # The web apps' address of a person has no minus; only a group's number needs the 100.
        group = re.search(r"(?:t\.me/c/|web\.telegram\.org/\S*#-(?:100)?)(\d{5,})", text)
        person = re.search(r"web\.telegram\.org/\S*#(\d{5,})", text)
        likely = f"-100{group[1]}" if group else person[1] if person else ""
        likely = likely or (f"-{text}" if re.fullmatch(r"100\d{10}", text) else "")
        bot = obj.token.partition(":")[0]
        if bot and bot in (text, likely):
            raise Explained(
                "is the bot's own number. Set yours, from step 3.",
                "봇 자신의 번호예요. 3단계에서 찾은 내 번호를 넣어 주세요.",
            )
        if text and (likely or not re.fullmatch(r"-?\d{1,20}|@\w{4,40}", text)):
            raise Explained(
                "must be a number such as 123456789 (you), -1001234567890 (a supergroup or channel, whose ids begin "
                f"with -100), or @name of a public channel.{likely and f' Yours may be {likely}.'}",
                "123456789(나) 같은 번호, -100으로 시작하는 번호(슈퍼그룹이나 채널), 공개 채널의 @이름이어야 해요."
                f"{likely and f' 아마 {likely}일 거예요.'}",
            )
        return text


class Telegram(HttpChannel):
    """Send a knock through a Telegram bot.

    Success is what Telegram calls so: ``"ok": true``.
    """

    key = "telegram"
    looks_like = "talk"
    label = {"en": "Telegram", "ko": "텔레그램"}
    also_called = "휴대폰 핸드폰 phone"
    steps = {
        "en": "1. Open https://t.me/BotFather, send /newbot, and paste the token you get into token.\n"
        "2. Open your new bot and press Start: a bot can't write first.\n"
        "3. Send it any message, open https://api.telegram.org/bot<token>/getUpdates, and set the number at "
        '"chat": {"id": ...} as chat_id. "result":[] means that it got no message yet: send one and load the page again.\n'
        "4. For a group, add the bot there and send /start@your_bot; its id begins with a minus.",
        "ko": "1. https://t.me/BotFather 에서 /newbot을 보내고, 받은 토큰을 token에 넣어 주세요.\n"
        "2. 새로 만든 봇을 열고 '시작'을 눌러 주세요. 봇은 먼저 말을 걸 수 없어요.\n"
        "3. 봇에게 아무 말이나 보낸 다음 https://api.telegram.org/bot<토큰>/getUpdates 를 열고, "
        '"chat": {"id": ...} 자리의 번호를 chat_id에 넣어 주세요. "result":[]만 보이면 봇이 아직 메시지를 못 받은 거예요. '
        "한 번 더 보내고 새로고침해 주세요.\n"
        "4. 그룹으로 받으려면 봇을 초대하고 그룹에서 /start@봇이름 을 보내 주세요. 그룹의 번호는 -로 시작해요.",
    }
    anew = {
        "en": "Check chat_id, and whether the bot may write there",
        "ko": "chat_id가 맞는지, 봇이 그 대화방에 쓸 수 있는지 확인해 주세요",
    }
    takes_pictures = True
    edits = True
    threads = True
    # "1-4096 characters after entities parsing"; entities are counted in UTF-16, which is never fewer.
    limit = TEXT
    unit = "utf16"
    # What https://github.com/tdlib/td (MessageEntity.cpp) makes of plain words, though never in code.
    signs = "@#/$"

    token = BotToken(
        help="Token of your bot, from @BotFather.",
        pattern=r"\d{5,20}:[\w-]{20,}$",
        like={
            "en": "a bot token from @BotFather, with its number and the colon: 123456789:AAE...",
            "ko": "@BotFather에게 받은 봇 토큰(앞의 숫자와 콜론까지 모두: 123456789:AAE...)",
        },
    ).tag(config=True, required=True, ko="@BotFather에게 받은 봇 토큰")
    chat_id = ChatId(help="Chat that gets the knocks, by its number.").tag(
        config=True, required=True, ko="알림을 받을 대화방의 번호"
    )
    topic = Integer(help="Topic of a group with topics, by its number.").tag(
        config=True, ko="토픽이 있는 그룹이라면 토픽 번호"
    )

    def send(self, message: Message) -> Optional[str]:
        """Deliver `message`; the handle is the message's number, with ``p`` where it is a picture's caption."""
        return self.or_without_picture(self._send, message)

    def _send(self, message: Message) -> str:
        request: Dict[str, Any] = {"chat_id": self.chat_id, "disable_notification": message.loudness == "quiet"}
        if self.topic:
            request["message_thread_id"] = self.topic
        if message.after:
            earlier = int(message.after.rstrip("p"))
            request["reply_parameters"] = {"message_id": earlier, "allow_sending_without_reply": True}
        picture = message.event.picture
        if picture is None:
            data = self._call("sendMessage", {**request, **self._text(message)})
        else:
            data = self._call("sendPhoto", {**request, **self._caption(message)}, photo=picture)
        number = (data.get("result") or {}).get("message_id", 0)
        return f"{number}p" if picture else f"{number}"

    def edit(self, handle: str, message: Message) -> None:
        """Have that message say `message`; one with a picture keeps the picture."""
        request = {"chat_id": self.chat_id, "message_id": int(handle.rstrip("p"))}
        if handle.endswith("p"):
            self._call("editMessageCaption", {**request, **self._caption(message)})
        else:
            self._call("editMessageText", {**request, **self._text(message)})

    def _call(self, method: str, request: Dict[str, Any], **files: Any) -> Mapping[str, Any]:
        address = f"{API}/bot{self.token}/{method}"
        if files:
            form = {key: value if isinstance(value, str) else json.dumps(value) for key, value in request.items()}
            answer = self.request(address, form=form, files=files)
        else:
            answer = self.request(address, payload=request)
        data = answer.json()
        moved_to = _parameters(data).get("migrate_to_chat_id")  # the group has become a supergroup
        if isinstance(moved_to, int) and request["chat_id"] != moved_to:
            return self._call(method, {**request, "chat_id": moved_to}, **files)
        if data.get("ok") is not True and not self._said(data).lower().startswith(UNCHANGED):
            raise self.refusal(answer)
        return data

    # What is sent. Entities say what is bold and what is code, so no sign in a text can.

    def _text(self, message: Message) -> Dict[str, Any]:
        text, entities = self.formatted(self.fitted(message))
        return {"text": text, "entities": entities, "link_preview_options": {"is_disabled": True}}

    def _caption(self, message: Message) -> Dict[str, Any]:
        text, entities = self.formatted(self.fitted(message, CAPTION))
        return {"caption": text, "caption_entities": entities}

    def formatted(self, message: Message) -> Tuple[str, List[Dict[str, Any]]]:
        """The text and its entities: a bold headline, values and errors as code."""
        told = outline(message)
        pieces = [(self.escape(told.headline or NAMELESS), "bold")]
        for part in told.parts:
            if isinstance(part, Facts):
                for name, value in part.pairs:
                    pieces += [(f"\n{self.escape(name)} ", ""), (value, "code")]
            elif isinstance(part, Code):
                pieces += [("\n", ""), (part.whole, "pre")]
            else:
                pieces.append((f"\n{self.escape(part.text)}", ""))
        length, entities, at = fitting.UNITS["utf16"], [], 0
        for text, kind in pieces:
            if kind and text.strip():
                entities.append({"type": kind, "offset": at, "length": length(text)})
            at += length(text)
        return "".join(text for text, _ in pieces), entities

    # What Telegram refuses.

    def refusal(self, answer: Answer) -> DeliveryError:
        """The error for what Telegram answered, by its words: one number stands for many things."""
        said = self._said(answer.json())
        for words, revoked, en, ko in TROUBLES:
            if said.lower().startswith(words):
                return self.error(f"{en} ({said}).", f"{ko} ({said}).", permanent=True, revoked=revoked)
        return super().refusal(answer)

    def wait(self, answer: Answer) -> Optional[float]:
        """Telegram names the seconds in the body."""
        return wait_of(_parameters(answer.json()).get("retry_after")) or super().wait(answer)

    def _said(self, data: Mapping[str, Any]) -> str:
        found = data.get("description")
        return one_line(self.hide(found), 200) if isinstance(found, str) else ""


def _parameters(data: Mapping[str, Any]) -> Mapping[str, Any]:
    found = data.get("parameters")
    return found if isinstance(found, dict) else {}
