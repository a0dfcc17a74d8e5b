"""``%knock autoload``: load the extension with every later kernel and terminal of this IPython profile.

A file of our own in the profile's ``startup`` folder, which both run (IPython 7.34 to 9): nothing of the user's is
touched, and where knock_magic is not installed the file does nothing, for environments share the profile. An
entry in ``c.InteractiveShellApp.extensions`` would mean editing the user's file, and fail aloud in each of those.
"""

from __future__ import annotations

import os

from knock_magic import private_file
from knock_magic.errors import SettingsError
from knock_magic.language import pick

NAME = "90-knock_magic.py"
_MARK = "# Written by `%knock autoload on`; `%knock autoload off` removes it."
_CONTENT = f"""{_MARK}
if __import__("importlib.util").util.find_spec("knock_magic"):
    get_ipython().extension_manager.load_extension("knock_magic")
"""


def path_in(startup_folder: str) -> str:
    """Our file in a profile's ``startup`` folder."""
    return os.path.join(startup_folder, NAME)


def is_on(startup_folder: str) -> bool:
    """Whether it is loaded by itself."""
    return os.path.exists(path_in(startup_folder))


def line(startup_folder: str) -> str:
    """How it stands, in a line."""
    path = path_in(startup_folder)
    if is_on(startup_folder):
        return pick(
            {
                "en": f"Loaded in every later kernel of this profile, by {path}.",
                "ko": f"이 프로필의 다음 커널부터 자동으로 불러와요: {path}",
            }
        )
    return pick(
        {
            "en": "Not loaded by itself. To change that: %knock autoload on",
            "ko": "자동으로 불러오지 않아요. 바꾸려면 %knock autoload on을 실행해 주세요.",
        }
    )


def turn_on(startup_folder: str) -> None:
    """Write our file. Raises `SettingsError` where that can't be."""
    path = path_in(startup_folder)
    _check(path)
    try:
        os.makedirs(startup_folder, exist_ok=True)
        private_file.write(path, _CONTENT.encode("utf-8"))
    except OSError as error:
        raise _unwritable(path, error) from None


def turn_off(startup_folder: str) -> None:
    """Remove our file. Raises `SettingsError` where that can't be."""
    path = path_in(startup_folder)
    _check(path)
    try:
        os.remove(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _unwritable(path, error) from None


def _check(path: str) -> None:
    """Refuse a file of this name that is not ours."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            first = file.readline().rstrip("\r\n")
    except OSError:
        return
    if first != _MARK:
        raise SettingsError(
            f"{path} was not written by %knock autoload, and stays as it is. Rename it first.",
            f"{path} 파일은 %knock autoload가 만든 것이 아니어서 그대로 뒀어요. 먼저 이름을 바꿔 주세요.",
        )


def _unwritable(path: str, error: OSError) -> SettingsError:
    why = error.strerror or str(error)
    return SettingsError(f"{path} can't be changed: {why}.", f"{path} 파일을 바꿀 수 없어요: {why}")
