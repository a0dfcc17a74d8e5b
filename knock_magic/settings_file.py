"""`SettingsFile`: what ``settings.json`` says, and how it is changed.

It stands in the settings folder (``KNOCK_HOME`` or the platform's own), never in the current one: a cloned
repository must not choose where knocks go. All of it is optional::

    {
      "to": ["slack", "kakao"],
      "auto": "60s",
      "template": "mine",
      "lang": "ko",
      "templates": {
        "mine": "$icon $name $outcome · $duration",
        "two": {"default": ["$icon $name", "$metrics"], "failed": "$icon $name: $error"}
      },
      "channels": {
        "slack": {"webhook_url": "https://hooks.slack.com/services/..."}
      }
    }

``to``, ``auto``, ``template``, ``on``, ``every``, ``stall``, ``lang``, ``tail`` and ``disable`` are the general
settings, ``channels`` holds a section for each channel with its settings, and ``templates`` the person's own
templates: a text (or a list of its lines), or one for each outcome. Secrets may stand here: only the owner can read the file.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any, Callable, Dict, List, Mapping, Tuple

from knock_magic import folders, private_file
from knock_magic.errors import SettingsError

FILE = "settings.json"
LAST_GOOD = FILE + ".last-good"

Data = Dict[str, Any]

# What the JSON reader of Python says, by its first words, and how to put it right.
_BROKEN = (
    (
        "Expecting property name",
        "expected a name in double quotes; after the last value comes no comma",
        "큰따옴표로 감싼 이름이 와야 해요. 마지막 값 뒤에는 쉼표를 쓰지 않아요",
    ),
    ("Illegal trailing comma", "expected no comma before the closing bracket", "닫는 괄호 앞에는 쉼표를 쓰지 않아요"),
    ("Expecting ':'", "expected a colon after the name", "이름 뒤에는 콜론(:)이 와야 해요"),
    ("Expecting ','", "expected a comma or a closing bracket", "쉼표나 닫는 괄호가 와야 해요"),
    (
        "Expecting value",
        'expected a value: "text", a number, true, false, [..] or {..}',
        '값이 와야 해요("글", 숫자, true, false, [..], {..})',
    ),
    ("Unterminated string", "expected a closing double quote", "큰따옴표를 닫아 주세요"),
    (
        "Invalid control character",
        "expected a text on one line (\\n is a new line)",
        "글은 한 줄로 써 주세요(줄바꿈은 \\n)",
    ),
    ("Invalid \\", "expected \\\\ for a backslash", "역슬래시는 \\\\로 써 주세요"),
    ("Extra data", "expected nothing after the closing bracket", "닫는 괄호 뒤에는 아무것도 없어야 해요"),
    ("", "expected JSON", "JSON 형식으로 써 주세요"),
)


class SettingsFile:
    """The settings file in `folder`; there need not be one."""

    def __init__(self, folder: str) -> None:
        self.path = os.path.join(folder, FILE)
        self.shown = folders.shown(self.path)
        self._last_good = os.path.join(folder, LAST_GOOD)
        self.read_from = self.shown  # what a complaint about its content names

    def read(self) -> Tuple[Data, List[SettingsError]]:
        """What it says, and what in it can't be used; where it can't be read, what it said when it last could be."""
        self.read_from = self.shown
        try:
            raw = private_file.read(self.path)
            data = self._parsed(raw)
        except FileNotFoundError:
            self._forget()
            return {}, []
        except SettingsError as problem:
            return self._fall_back(problem)
        except OSError as error:
            return self._fall_back(self._unreadable(error))
        self._keep(raw)
        return self._shaped(data)

    def update(self, change: Callable[[Data], None]) -> None:
        """Let `change` edit what it says, alone among all processes; the file is made if there is none.

        Raises:
            SettingsError: it is refused or broken, and left as it is; or it can't be written.
        """
        try:
            with private_file.locked(self.path):
                try:
                    data = self._parsed(private_file.read(self.path))
                except FileNotFoundError:
                    data = {}
                change(data)
                raw = (json.dumps(data, ensure_ascii=False, indent=2) + "\n").encode("utf-8", "replace")
                private_file.write(self.path, raw)
                self._copy(raw)
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise SettingsError(
                f"{self.shown} can't be written ({why}).", f"{self.shown} 파일에 쓸 수 없어요({why})."
            ) from None

    def _parsed(self, raw: bytes) -> Data:
        try:
            data = json.loads(raw.decode("utf-8-sig"), parse_constant=_no_number)
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            raise self._broken("expected text in UTF-8", "UTF-8로 저장해 주세요", line) from None
        except json.JSONDecodeError as error:
            en, ko = next((en, ko) for begins, en, ko in _BROKEN if error.msg.startswith(begins))
            raise self._broken(en, ko, error.lineno, error.colno) from None
        except (ValueError, RecursionError):  # a number too long to read, NaN, a thousand brackets
            raise self._broken("expected plain JSON", "평범한 JSON 형식으로 써 주세요") from None
        if not isinstance(data, dict):
            raise self._broken("expected an object: {..}", "전체를 {..}로 감싸 주세요", 1)
        return data

    def _broken(self, en: str, ko: str, line: int = 0, column: int = 0) -> SettingsError:
        where_en = (f", line {line}" if line else "") + (f", column {column}" if column else "")
        where_ko = (f" {line}번째 줄" if line else "") + (f" {column}번째 글자" if column else "")
        return SettingsError(f"{self.shown}{where_en}: {en}.", f"{self.shown}{where_ko}: {ko}.")

    def _unreadable(self, error: OSError) -> SettingsError:
        why = error.strerror or type(error).__name__
        return SettingsError(f"{self.shown} can't be read ({why}).", f"{self.shown} 파일을 읽을 수 없어요({why}).")

    # The last good one.

    def _fall_back(self, problem: SettingsError) -> Tuple[Data, List[SettingsError]]:
        try:
            data, _ = self._shaped(self._parsed(private_file.read(self._last_good)))
        except (OSError, SettingsError):
            return {}, [problem]
        self.read_from = folders.shown(self._last_good)
        return data, [
            SettingsError(
                f"{problem.texts['en']} The last good settings are used.",
                f"{problem.texts['ko']} 마지막으로 읽힌 설정을 써요.",
            )
        ]

    def _keep(self, raw: bytes) -> None:
        """Have a copy for the day when the file is broken, unless the file is being changed right now."""
        with contextlib.suppress(OSError, SettingsError):
            if private_file.read(self._last_good) == raw:
                return
        with contextlib.suppress(OSError, SettingsError), private_file.locked(self.path, 0.0):
            if private_file.read(self.path) == raw:
                self._copy(raw)

    def _copy(self, raw: bytes) -> None:
        """Put `raw` beside the file; no harm where it can't be kept."""
        with contextlib.suppress(OSError, SettingsError):
            private_file.write(self._last_good, raw)

    def _forget(self) -> None:
        """Who removes the settings wants no copy of their secrets to stay behind."""
        with contextlib.suppress(OSError):
            os.unlink(self._last_good)

    # Its shape.

    def _shaped(self, data: Data) -> Tuple[Data, List[SettingsError]]:
        """`data` with nothing but sections where sections belong, and what had to go."""
        problems: List[SettingsError] = []

        def sections(name: str, holder: Mapping[str, Any], path: str) -> Data:
            value = holder.get(name)
            if value is None or isinstance(value, dict):
                return value or {}
            problems.append(self._misfit(path, "an object: {..}", "{..}로 감싼 객체"))
            return {}

        channels = sections("channels", data, "channels")
        shaped = {
            **data,
            "channels": {name: sections(name, channels, f"channels.{plain(name)}") for name in channels},
            "templates": sections("templates", data, "templates"),
        }
        return shaped, problems

    def _misfit(self, path: str, en: str, ko: str) -> SettingsError:
        """The error for a value that is not what belongs there; it never shows the value."""
        return SettingsError(
            f"{self.shown}: {path} must be {en}.", f"{self.shown}: {path} 값을 확인해 주세요. 필요한 형식: {ko}."
        )


def plain(key: str) -> str:
    """`key` as it may be shown: someone who mixes up name and value would have a secret for a key."""
    return key if len(key) <= 30 and key.replace("_", "").replace("-", "").isalpha() else "…"


def _no_number(word: str) -> None:
    raise ValueError(word)
