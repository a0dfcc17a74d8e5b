"""What ``knock.send(picture=...)`` takes, as a `Picture`: a path, bytes, or a figure that can ``savefig``."""

from __future__ import annotations

import base64
import io
import os
from typing import Any

from knock_magic.cleaning import one_line, safe_str
from knock_magic.errors import UsageError, a_kind
from knock_magic.event import Picture

MOST_BYTES = 5 * 1024 * 1024  # it travels through a pipe and waits in the outbox; the channels' own limits are near

# How a file of each kind begins.
_KINDS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
)


def is_one(picture: Any) -> bool:
    """Whether `picture` is of a kind that can be read."""
    return isinstance(picture, (str, os.PathLike, bytes, bytearray, memoryview)) or hasattr(picture, "savefig")


def wrong_kind(picture: Any) -> UsageError:
    """The error for what is none of these."""
    return UsageError(
        f"picture= takes a path, the bytes of an image, or a figure with savefig(), got {a_kind(picture)}.",
        f"picture=에는 파일 경로, 이미지 바이트, savefig()가 있는 그림을 넣어 주세요. 받은 것: {type(picture).__name__}",
    )


def read(picture: Any) -> Picture:
    """`picture` as it travels.

    Raises:
        UsageError: it can't be read, is no image, or is too large.
    """
    try:
        content = _bytes_of(picture)
    except Exception as error:  # a figure's savefig() runs the user's own drawing code
        why = error.strerror if isinstance(error, OSError) and error.strerror else one_line(safe_str(error), 200)
        raise UsageError(f"the picture can't be read: {why}.", f"그림을 읽을 수 없어요: {why}") from None
    if len(content) > MOST_BYTES:
        megabytes = f"{len(content) / 1024**2:.1f} MB"
        raise UsageError(
            f"the picture has {megabytes}; it may have 5 MB.", f"그림이 {megabytes}예요. 5 MB까지 보낼 수 있어요."
        )
    return Picture(_kind_of(content), base64.b64encode(content).decode("ascii"))


def _bytes_of(picture: Any) -> bytes:
    if isinstance(picture, (str, os.PathLike)):
        with open(picture, "rb") as file:
            return file.read(MOST_BYTES + 1)
    if isinstance(picture, (bytes, bytearray, memoryview)):
        return bytes(picture)
    page = io.BytesIO()
    picture.savefig(page, format="png", bbox_inches="tight")
    return page.getvalue()


def _kind_of(content: bytes) -> str:
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    kind = next((kind for start, kind in _KINDS if content.startswith(start)), None)
    if kind is None:
        raise UsageError(
            "the picture is no PNG, JPEG, GIF or WebP image.", "PNG, JPEG, GIF, WebP 이미지만 보낼 수 있어요."
        )
    return kind
