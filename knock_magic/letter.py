"""Message → a mail: the text as it is, and the same words as a page that looks good on a phone."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, List, Mapping, Sequence

from knock_magic.cleaning import one_line
from knock_magic.event import Picture
from knock_magic.outline import Code, Facts, Outline, Part, outline
from knock_magic.tables import columns
from knock_magic.template import BETWEEN, Message

if TYPE_CHECKING:
    from email.message import EmailMessage

SUBJECT = 150  # characters; a phone shows 40
WIDTH = 438  # pixels within the card, for programs that do not fit a picture to its place

# How loud a mail is: the first is what most programs look at, the second is Outlook's (RFC 4021, 2.1.54).
_LOUDNESS: Mapping[str, Mapping[str, str]] = {
    "loud": {"X-Priority": "1", "Importance": "high"},
    "normal": {},
    "quiet": {"X-Priority": "5", "Importance": "low"},
}
LONG_NAME = 30
SHORT_VALUE = 20  # columns, which leave room for its name at 360 pixels

# Colours of an outcome, for light and for dark: the accent, and the tint behind the icon.
_GREEN = ("#1a7f4b", "#e4f5ec", "#4ccb8a", "#16352a")
_RED = ("#c62f37", "#fdeaea", "#ff7b80", "#3b1d20")
_AMBER = ("#9a6200", "#fdf1d8", "#f3b950", "#3a2d12")
_BLUE = ("#2f5fd0", "#e8effd", "#86a9ff", "#1b2747")
_COLOURS = {
    "finished": _GREEN,
    "failed": _RED,
    "died": _RED,
    "interrupted": _AMBER,
    "stalled": _AMBER,
    "warning": _AMBER,
}

_FONT = (
    "-apple-system,BlinkMacSystemFont,'Apple SD Gothic Neo','Pretendard','Noto Sans KR','Malgun Gothic',"
    "'Segoe UI',Roboto,sans-serif"
)
_MONO = "ui-monospace,SFMono-Regular,Menlo,Consolas,'D2Coding','Noto Sans Mono CJK KR',monospace"

# In the head for who reads it (dark mode); all else is on the elements, for programs that drop the head.
_DARK = """\
:root{{color-scheme:light dark;supported-color-schemes:light dark}}
@media (prefers-color-scheme:dark){{
.page{{background:#101216!important}}.card{{background:#1b1e24!important;border-color:#2b2f38!important}}
.ink{{color:#eceef2!important}}.body{{color:#c9ced7!important}}.soft{{color:#9aa1ad!important}}.line{{border-color:#2b2f38!important}}
.accent{{color:{bright}!important}}.tint{{background:{deep}!important}}.bar{{background:{bright}!important}}.edge{{border-color:{bright}!important}}
.code{{background:#13151a!important;color:#e3e6eb!important}}}}"""

_PAGE = """\
<!DOCTYPE html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<meta name="format-detection" content="telephone=no,date=no,address=no,email=no,url=no">
<title>{subject}</title>
<style>
{dark}
</style>
</head>
<body class="page" style="margin:0;padding:0;background:#f1f3f6;font-family:{font};-webkit-text-size-adjust:100%">
<div style="display:none;max-height:0;overflow:hidden;font-size:1px;line-height:1px;color:transparent">{preview}</div>
<table role="presentation" class="page" width="100%" cellpadding="0" cellspacing="0" style="background:#f1f3f6">
<tr><td align="center" style="padding:16px 12px 28px">
<table role="presentation" class="card" width="100%" cellpadding="0" cellspacing="0" style="max-width:480px;table-layout:fixed;background:#ffffff;border:1px solid #e3e6ea;border-radius:16px;border-collapse:separate;overflow:hidden;text-align:left">
<tr><td class="bar" style="height:4px;line-height:4px;font-size:0;background:{accent}">&nbsp;</td></tr>
<tr><td style="padding:20px 20px 4px">{head}</td></tr>
{rows}<tr><td style="height:18px;line-height:18px;font-size:0">&nbsp;</td></tr>
</table>
<div class="soft" style="padding:14px 0 0;font-size:12px;line-height:18px;color:#7b828d">{foot}</div>
</td></tr>
</table>
</body>
</html>
"""

_WRAP = "white-space:pre-wrap;word-break:keep-all;overflow-wrap:anywhere"
_ICON = (
    '<td width="44" valign="top" style="width:44px;padding:0 12px 0 0"><div class="tint" style="width:44px;height:44px;'
    'border-radius:22px;background:{tint};text-align:center;font-size:22px;line-height:44px">{icon}</div></td>'
)
_BELOW = (
    '<div class="accent" style="margin-top:2px;font-size:15px;line-height:22px;font-weight:600;color:{accent};'
    + _WRAP
    + '">{words}</div>'
)
_CODE = (
    '<div class="code edge" style="padding:12px 14px;background:#f6f7f9;border-left:3px solid {accent};border-radius:4px 10px 10px 4px;'
    f"font-family:{html.escape(_MONO)};font-size:13px;line-height:20px;color:#23262d;{_WRAP}"
    '">{text}{where}</div>'
)
_WHERE = '<div class="soft" style="margin-top:8px;font-size:12px;line-height:18px;color:#5c6470">{text}</div>'
_TEXT = f'<div class="body" style="font-size:14px;line-height:22px;color:#3d434d;{_WRAP}">' + "{text}</div>"
# A figure drawn for white paper stays readable on a dark page.
_PICTURE = (
    '<tr><td style="padding:14px 20px 0"><img src="cid:{cid}" alt="{title}" width="{width}" style="display:block;width:auto;'
    'max-width:100%;height:auto;border-radius:10px;background:#ffffff"></td></tr>\n'
)
_FOOT = {"en": "Sent by knock_magic", "ko": "knock_magic이 보낸 알림이에요"}


def mail(message: Message, sender: str, to: Sequence[str]) -> EmailMessage:
    """`message` as a mail: plain text first, for who reads only that, then as a page.

    Its ID is the knock's own, so that programs know a second copy for what it is, and what answers to it.
    """
    from email.headerregistry import Address
    from email.message import EmailMessage
    from email.policy import SMTP
    from email.utils import format_datetime, localtime

    letter = EmailMessage(policy=SMTP)
    letter["Subject"] = one_line(message.title, SUBJECT)
    letter["From"] = Address("knock", addr_spec=sender)
    letter["To"] = [Address(addr_spec=each) for each in to]
    letter["Date"] = format_datetime(localtime())
    letter["Message-ID"] = name_of(message, sender)
    if message.after:
        letter["In-Reply-To"] = letter["References"] = message.after
    for name, value in _LOUDNESS[message.loudness].items():
        letter[name] = value
    letter["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday note answers it
    # Base64 passes every server as it is, whatever the text has in it.
    letter.set_content(message.text + "\n", cte="base64")
    letter.add_alternative(as_html(message), subtype="html", cte="base64")
    if message.event.picture:
        _add_picture(letter, message.event.picture, _content_id(message))
    return letter


def name_of(message: Message, sender: str) -> str:
    """The Message-ID of the mail that tells `message`."""
    return f"<{message.event.id}@{sender.rpartition('@')[2]}>"


def _content_id(message: Message) -> str:
    return f"picture.{message.event.id}@knock"


def _add_picture(letter: EmailMessage, picture: Picture, content_id: str) -> None:
    """Put `picture` beside the page, which shows it by its content ID (RFC 2392): nothing is fetched from elsewhere."""
    kind, _, subtype = picture.media_type.partition("/")
    page: Any = letter.get_body(("html",))
    page.add_related(
        picture.content, kind, subtype, cid=f"<{content_id}>", filename=picture.file_name, disposition="inline"
    )


def as_html(message: Message) -> str:
    """`message` as a page; whatever came from a cell stays text."""
    told = outline(message)
    accent, tint, bright, deep = _COLOURS.get(message.event.event, _BLUE)
    preview = next((part.text for part in told.parts if isinstance(part, Code)), message.body)
    rows = "".join(f'<tr><td style="padding:12px 20px 0">{_part(part, accent)}</td></tr>\n' for part in told.parts)
    return _PAGE.format(
        lang=message.lang,
        subject=html.escape(one_line(message.title, SUBJECT)),
        dark=_DARK.format(bright=bright, deep=deep),
        font=html.escape(_FONT),
        preview=html.escape(one_line(preview, 120)),
        accent=accent,
        head=_head(told, accent, tint),
        rows=rows + _picture(message),
        foot=html.escape(_FOOT[message.lang]),
    )


def _head(told: Outline, accent: str, tint: str) -> str:
    """The icon; beside it the name, and under that how it went and how long it took."""
    below = BETWEEN.join(words for words in (told.outcome, told.span) if words)
    icon = _ICON.format(tint=tint, icon=html.escape(told.icon)) if told.icon else ""
    size = "18px;line-height:26px" if len(told.name) <= LONG_NAME else "16px;line-height:24px"
    return (
        '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="table-layout:fixed"><tr>'
        f'{icon}<td valign="middle"><div class="ink" style="font-size:{size};font-weight:700;color:#16181d;{_WRAP}">'
        f"{html.escape(told.name)}</div>{_BELOW.format(accent=accent, words=html.escape(below)) if below else ''}</td>"
        "</tr></table>"
    )


def _picture(message: Message) -> str:
    if message.event.picture is None:
        return ""
    return _PICTURE.format(cid=_content_id(message), title=html.escape(message.title), width=WIDTH)


def _part(part: Part, accent: str) -> str:
    if isinstance(part, Facts):
        return _table(part)
    if isinstance(part, Code):
        where = _WHERE.format(text=html.escape(part.where)) if part.where else ""
        return _CODE.format(accent=accent, text=html.escape(part.text), where=where)
    return _TEXT.format(text=html.escape(part.text))


def _table(facts: Facts) -> str:
    rows: List[str] = []
    for name, value in facts.pairs:
        cell = "padding:9px 0;border-top:1px solid #eceef1;font-size:14px;line-height:20px"
        rows.append(
            f'<tr><td class="soft line" style="{cell};padding-right:12px;color:#5c6470;overflow-wrap:anywhere">{html.escape(name)}</td>'
            f'<td class="ink line" align="right" style="{cell};font-weight:600;color:#16181d;{_wrap_of(value)};'
            f'font-variant-numeric:tabular-nums">{html.escape(value)}</td></tr>'
        )
    return f'<table role="presentation" width="100%" cellpadding="0" cellspacing="0">{"".join(rows)}</table>'


def _wrap_of(value: str) -> str:
    """How a value may be broken: a number never, and only a word that is too long for a phone within itself."""
    if columns(value) <= SHORT_VALUE:
        return "white-space:nowrap"
    return f"overflow-wrap:{'anywhere' if max(map(columns, value.split())) > SHORT_VALUE else 'normal'}"
