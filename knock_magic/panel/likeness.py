"""What a knock will look like where it arrives: a chat bubble, a message, a mail, a push on a lock screen.

Drawn with HTML from the same text that is sent, cut to the channel's own limit. The colours are those of the
places shown, so they stay as they are in a light and in a dark notebook.
"""

from __future__ import annotations

import html
from typing import Callable, Dict

from knock_magic.channels.base import Channel
from knock_magic.language import pick
from knock_magic.panel.words import say
from knock_magic.template import Message

_FACE = "color:#1c1c1f;border-radius:14px;padding:14px;min-height:132px;overflow:hidden"
_TEXT = "white-space:pre-wrap;word-break:keep-all;overflow-wrap:anywhere;line-height:1.5;font-size:13.5px"


def as_html(channel: Channel, message: Message) -> str:
    """`message` as it will look on `channel`, with how much of the channel's limit it takes."""
    text = channel.fit(message)
    draw = _DRAWN.get(channel.looks_like, _chat)
    head = f"<b>{html.escape(pick(channel.label))}</b><span>{html.escape(_used(channel, message, text))}</span>"
    return f'<div class="k-shot"><p>{head}</p>{draw(channel, text)}</div>'


def _used(channel: Channel, message: Message, text: str) -> str:
    if channel.limit is None:
        return ""
    used = say("of limit", used=channel.measure(text), limit=channel.limit, unit=say(channel.unit))
    return f"{used} · {say('cut')}" if text.strip() != message.text.strip() else used


def _parts(text: str) -> Dict[str, str]:
    title, _, body = text.partition("\n")
    return {"title": html.escape(title), "body": html.escape(body), "text": html.escape(text)}


def _bubble(channel: Channel, text: str) -> str:
    """A note to oneself in KakaoTalk: one's own yellow bubble on the chat's blue, with the button below it."""
    parts = _parts(text)
    button = {"en": "Open", "ko": "열기"}
    return (
        f'<div style="{_FACE};background:#b2c7da;display:flex;flex-direction:column;align-items:flex-end">'
        f'<div style="max-width:92%;background:#fee500;border-radius:14px 4px 14px 14px;padding:10px 12px;{_TEXT}">{parts["text"]}'
        f'<div style="margin-top:9px;padding:6px;border-radius:7px;background:rgba(255,255,255,.72);text-align:center;'
        f'font-size:12.5px">{pick(button)}</div></div></div>'
    )


def _talk(channel: Channel, text: str) -> str:
    """A message of a bot in a messenger: its bubble, with the time in the corner."""
    parts = _parts(text)
    return (
        f'<div style="{_FACE};background:#d7e4d3;display:flex;gap:8px;align-items:flex-end">'
        '<div style="flex:none;width:30px;height:30px;border-radius:50%;background:#4b45d1;color:#fff;display:grid;'
        'place-items:center;font-weight:700;font-size:13px">K</div>'
        f'<div style="max-width:88%;background:#fff;border-radius:14px 14px 14px 4px;padding:9px 12px;{_TEXT}">{parts["text"]}'
        '<div style="text-align:right;color:#7d8a79;font-size:11px;line-height:1.2">3:42</div></div></div>'
    )


def _chat(channel: Channel, text: str) -> str:
    """A message of an app in a work chat: a square face, a name, the time, the text."""
    parts = _parts(text)
    return (
        f'<div style="{_FACE};background:#fff;border:1px solid rgba(0,0,0,.13)"><div style="display:flex;gap:10px">'
        '<div style="flex:none;width:34px;height:34px;border-radius:8px;background:#4b45d1;color:#fff;display:grid;'
        'place-items:center;font-weight:700">K</div>'
        '<div style="min-width:0"><div style="font-size:13.5px;line-height:1.4"><b>knock</b> '
        '<span style="font-size:10px;background:#e8e8ea;border-radius:3px;padding:1px 4px;color:#55565e">APP</span> '
        '<span style="color:#6b6c75;font-size:11.5px">3:42</span></div>'
        f'<div style="{_TEXT};font-weight:700">{parts["title"]}</div><div style="{_TEXT}">{parts["body"]}</div>'
        "</div></div></div>"
    )


def _mail(channel: Channel, text: str) -> str:
    """A mail that is open: its subject, who it is from, and its text."""
    parts = _parts(text)
    return (
        f'<div style="{_FACE};background:#fff;border:1px solid rgba(0,0,0,.13)">'
        f'<div style="font-size:15px;font-weight:700;line-height:1.4;word-break:keep-all">{parts["title"]}</div>'
        '<div style="display:flex;gap:8px;align-items:center;margin:8px 0 10px;padding-bottom:10px;'
        'border-bottom:1px solid rgba(0,0,0,.1);color:#6b6c75;font-size:12px">'
        '<span style="width:22px;height:22px;border-radius:50%;background:#1a7f4b;color:#fff;display:grid;place-items:center;'
        f'font-size:11px;font-weight:700">K</span>knock · {html.escape(pick(channel.label))}</div>'
        f'<div style="{_TEXT}">{parts["body"] or parts["title"]}</div></div>'
    )


def _push(channel: Channel, text: str) -> str:
    """A push on a phone's lock screen: only its first lines are seen."""
    parts = _parts(text)
    return (
        f'<div style="{_FACE};background:linear-gradient(160deg,#31304f,#5d5a8c 60%,#8f7fa8);padding:20px 14px">'
        '<div style="background:rgba(250,250,252,.93);border-radius:16px;padding:10px 12px;display:flex;gap:10px">'
        '<div style="flex:none;width:34px;height:34px;border-radius:9px;background:#4b45d1;color:#fff;display:grid;'
        'place-items:center;font-weight:700">K</div><div style="min-width:0;flex:1">'
        f'<div style="display:flex;gap:6px;font-size:13px;line-height:1.45;font-weight:650"><span style="flex:1;min-width:0;'
        f'word-break:keep-all">{parts["title"]}</span>'
        '<span style="color:#6b6c75;font-size:11.5px;font-weight:400">3:42</span></div>'
        f'<div style="{_TEXT};font-size:13px;display:-webkit-box;-webkit-line-clamp:4;-webkit-box-orient:vertical;overflow:hidden">'
        f"{parts['body']}</div></div></div></div>"
    )


def _line(channel: Channel, text: str) -> str:
    """A line under the cell."""
    parts = _parts(text)
    return (
        f'<div style="{_FACE};background:#fff;border:1px solid rgba(0,0,0,.13)">'
        '<div style="font:12.5px/1.6 ui-monospace,Menlo,Consolas,monospace;background:#f4f4f6;border-radius:6px;padding:6px 9px;'
        'color:#44454e">train(model)</div>'
        f'<div style="margin-top:10px;border-left:3px solid #2e9e5b;padding-left:9px;{_TEXT}">{parts["text"]}</div></div>'
    )


_DRAWN: Dict[str, Callable[[Channel, str], str]] = {
    "bubble": _bubble,
    "talk": _talk,
    "mail": _mail,
    "push": _push,
    "chat": _chat,
    "line": _line,
}
LOOKS = tuple(_DRAWN)  # what is a person's own comes before what a team shares
