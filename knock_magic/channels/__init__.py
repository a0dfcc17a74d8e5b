"""Find a channel by the name people type: the one place that does.

Each of our own is one module of this folder with one class in it. Behind them come someone else's: a file in the
settings folder's ``channels/``, then an installed package's entry point. Our own names win, for a knock must
not lead elsewhere because of what was installed.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
import re
from typing import TYPE_CHECKING, List, Optional, Type

from knock_magic.channels.base import Channel
from knock_magic.errors import UsageError, did_you_mean, perhaps

if TYPE_CHECKING:
    from knock_magic.plugins import Files, Packages

_NO_CHANNEL = ("base",)

_folder = ""
_files: Optional[Files] = None
_packages: Optional[Packages] = None


@functools.lru_cache(maxsize=1)
def own() -> List[str]:
    """Our own channels, in alphabetical order."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name not in _NO_CHANNEL)


def names() -> List[str]:
    """The channels there are, in alphabetical order: our own, and then those of files and packages."""
    _in_packages()
    return near()


def near() -> List[str]:
    """The same, less those of packages that nobody has looked at yet, which takes its time."""
    ours = own()
    others = {*_in_files().names(), *(_packages.names() if _packages else ())}
    return [*ours, *sorted(others.difference(ours))]


def is_one(name: str) -> bool:
    """Whether there is a channel `name`; packages are looked at only for a name that nobody nearer has."""
    return name in own() or name in _in_files().names() or name in _in_packages().names()


def find(name: str) -> Type[Channel]:
    """The class of the channel `name`.

    Raises:
        UsageError: there is none; the text offers the likely one.
        SettingsError: it is someone else's, and can't be used; the text says why.
    """
    if name in own():
        return _own(name)
    if name in _in_files().names():
        return _in_files().find(name)
    if name in _in_packages().names():
        return _in_packages().find(name)
    raise unknown(name)


@functools.lru_cache(maxsize=None)
def _own(name: str) -> Type[Channel]:
    module = importlib.import_module(f"{__name__}.{name}")
    found = (value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Channel))
    return next(cls for cls in found if cls.__module__ == module.__name__ and cls.key == name)


def unknown(name: str) -> UsageError:
    """The error for a channel that is not there."""
    called = _called(name)
    hint_en, hint_ko = perhaps(called) if called else did_you_mean(name, names())
    known = ", ".join(names())
    return UsageError(
        f"no channel is called {name[:40]!r}.{hint_en} There are: {known}.",
        f"{name[:40]!r} 채널은 없어요.{hint_ko} 쓸 수 있는 채널: {known}",
    )


def _called(word: str) -> str:
    """Which of our own channels people call `word`, by label or otherwise; empty where it says as good as nothing."""
    typed = _plain(word)
    if not typed or typed in own():
        return typed
    labels = {name: [*_own(name).label.values(), *_own(name).also_called.split()] for name in own()}
    for matches in (str.__eq__, str.startswith):
        found = [name for name, texts in labels.items() if any(matches(_plain(text), typed) for text in texts)]
        if found:
            return ", ".join(found) if len(found) <= 2 else ""
    return ""


def _plain(word: str) -> str:
    return re.sub(r"[\W_]", "", word).casefold()


# Someone else's. What finds them is imported late: who has none does not pay for it.


def look_in(folder: str) -> None:
    """Look for the user's own files in `folder` from here on."""
    global _folder, _files
    if folder != _folder:
        _folder, _files = folder, None


def look_again() -> None:
    """Look for packages anew when they are next asked for: one may have been installed meanwhile."""
    global _packages
    _packages = None


def _in_files() -> Files:
    global _files
    if _files is None:
        from knock_magic.plugins import Files

        _files = Files(_folder)
    return _files


def _in_packages() -> Packages:
    global _packages
    if _packages is None:
        from knock_magic.plugins import Packages

        _packages = Packages()
    return _packages
