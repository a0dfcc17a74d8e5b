"""What people paste into a form, made into what belongs there: without quotes, spaces, and the command around it."""

from __future__ import annotations

import re
import shlex
import unicodedata
from typing import Tuple

from traitlets import Float, Integer, TraitType, Unicode

from knock_magic.settings import Secret

LONGEST = 8192  # characters; more is no setting, and every search here stays short

# Quotes of every kind, and the brackets that mail programs and chats put around an address.
_PAIRS = {'"': '"', "'": "'", "`": "`", "“": "”", "‘": "’", "«": "»", "<": ">", "「": "」"}
_ADDRESS = re.compile(r"https?://[^\s'\"<>`“”‘’\\]+")
_CURL = re.compile(r"\s*(?:\$\s*)?curl(?:\.exe)?\s", re.IGNORECASE)
# The options of curl whose value may be an address, though not the one it goes to (https://curl.se/docs/manpage.html).
_WITH_VALUE = re.compile(
    r"-[A-Za-z#]*[dHxeAbFoTuwK]|--(?:data[a-z-]*|json|header|proxy|preproxy|referer|user-agent|cookie|form|form-string"
    r"|url-query|output|upload-file|user|write-out|config|doh-url)"
)
_HEADER = re.compile(r"authorization\s*:\s*(?:bearer|bot|token)\s+([^\s'\"]+)", re.IGNORECASE)
_BEARER = re.compile(r"(?:authorization\s*:\s*)?bearer\s+", re.IGNORECASE)
# A shell's, Python's or JSON's: a name, maybe quoted, and what stands before its value.
_ASSIGNMENT = re.compile(
    r"(?:export\s+|set\s+|%env\s+|\$env:)?[\"']?[A-Za-z_][A-Za-z0-9_. -]{0,60}[\"']?\s{0,9}[=:]\s{0,9}"
)
_LINK = re.compile(r"\[[^\]]{0,200}\]\((https?://[^\s)]+)\)")


def cleaned(trait: TraitType, text: str) -> Tuple[str, bool]:
    """`text` as `trait` wants it, and whether something besides spaces had to be taken off.

    A password keeps what can be part of it: only what surely is none (line ends, invisible signs) is taken off.
    """
    whole = _visible(text[:LONGEST])
    bare = whole.strip()
    if _takes_address(trait):
        found = _address(bare)
    elif isinstance(trait, Secret):
        found = _key(bare) if _is_made_up(trait) else bare
    elif isinstance(trait, (Integer, Float)):
        found = unicodedata.normalize("NFKC", _unquoted(bare)).replace(",", "")
    else:
        found = _unquoted(bare)
    return found, found != bare


def _visible(text: str) -> str:
    """`text` in one line and without signs of no width, which web pages and chats add."""
    kept = (" " if letter in "\r\n\t\u00a0\u3000" else letter for letter in text)
    return "".join(letter for letter in kept if unicodedata.category(letter) not in ("Cf", "Cc"))


def _takes_address(trait: TraitType) -> bool:
    return hasattr(trait, "example") and isinstance(trait, Unicode)


def _is_made_up(trait: TraitType) -> bool:
    """Whether a machine made it up: it then has no quotes or spaces in it, as a person's own password may."""
    return hasattr(trait, "pattern")


def _address(text: str) -> str:
    """The address in a curl command, a Markdown link, an assignment or quotes."""
    link = _LINK.search(text)
    if link:
        return link.group(1)
    found = _ADDRESS.findall(text)
    if _CURL.match(text):
        return (_of_command(text) or (found[0] if found else text)).rstrip(",;")
    text = _unquoted(text)
    if len(found) == 1 and not text.startswith(("http:", "https:")) and _ASSIGNMENT.match(text):
        return str(found[0].rstrip(",;"))
    return text.rstrip(",;")


def _of_command(text: str) -> str:
    """The address that a curl command goes to, which is none in its data, its headers or its proxy; empty: unclear."""
    try:
        words = shlex.split(re.sub(r"\\\s", " ", text))
    except ValueError:
        return ""  # a quote is missing
    before = ""
    for word in words:
        if word.startswith(("http://", "https://")) and not _WITH_VALUE.fullmatch(before):
            return word
        before = word
    return ""


def _key(text: str) -> str:
    """The key in ``export TOKEN="..."``, ``Authorization: Bearer ...`` or quotes."""
    header = _HEADER.search(text) if _CURL.match(text) else None
    return header.group(1) if header else _bare(_unquoted(_bare(text)))


def _bare(text: str) -> str:
    """`text` without the name or the word that it is given to."""
    begins = _BEARER.match(text)
    if begins:
        return text[begins.end() :]
    assigned = _ASSIGNMENT.match(text)
    if assigned and _is_name(text[: assigned.end()]):
        return _unquoted(text[assigned.end() :].rstrip(",;"))
    return text


def _is_name(head: str) -> bool:
    """Whether what stands before the sign is a setting's name, and not the beginning of a key such as ``ab=``."""
    return any(word in head.lower() for word in ("token", "key", "secret", "password", "knock", "id", "url"))


def _unquoted(text: str) -> str:
    text = text.strip()
    while len(text) >= 2:
        inner = text.rstrip(",;")
        if not inner or _PAIRS.get(inner[0]) != inner[-1] or len(inner) < 2:
            break
        text = inner[1:-1].strip()
    return text
