"""Find a channel by the name people type: each is one module of this folder with one class in it."""

from __future__ import annotations

import difflib
import functools
import importlib
import pkgutil
from typing import List, Type

from knock_magic.channels.base import Channel
from knock_magic.errors import UsageError

_NO_CHANNEL = ("base",)


@functools.lru_cache(maxsize=1)
def names() -> List[str]:
    """The channels there are, in alphabetical order."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name not in _NO_CHANNEL)


@functools.lru_cache(maxsize=None)
def find(name: str) -> Type[Channel]:
    """The class of the channel `name`.

    Raises:
        UsageError: there is none; the text offers the likely one.
    """
    if name not in names():
        raise unknown(name)
    module = importlib.import_module(f"{__name__}.{name}")
    found = (value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Channel))
    return next(cls for cls in found if cls.__module__ == module.__name__ and cls.key == name)


def unknown(name: str) -> UsageError:
    """The error for a channel that is not there."""
    likely = difflib.get_close_matches(name, names(), n=1)
    hint_en = f" Did you mean {likely[0]}?" if likely else ""
    hint_ko = f" 혹시 {likely[0]}인가요?" if likely else ""
    known = ", ".join(names())
    return UsageError(
        f"no channel is called {name[:40]!r}.{hint_en} There are: {known}.",
        f"{name[:40]!r} 채널은 없어요.{hint_ko} 쓸 수 있는 채널: {known}",
    )
