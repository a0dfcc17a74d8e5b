"""Someone else's channels: one file each in the settings folder's ``channels/``, or an installed package's entry point.

A file is run as code, so it is looked at as carefully as one that holds secrets: it must be ours, no link, and
nobody else may be able to change it or its folder.
"""

from __future__ import annotations

import os
import re
import sys
import traceback
import types
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Mapping, Tuple, Type

from knock_magic import folders, private_file
from knock_magic.channels.base import Channel
from knock_magic.cleaning import one_line
from knock_magic.errors import SettingsError
from knock_magic.language import LANGUAGES
from knock_magic.redaction import Redactor

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

FOLDER = "channels"
GROUP = "knock_magic.channels"
_MODULE = "knock_own_channel_"  # and its name: what its classes say they come from
_NAME = re.compile("[a-z][a-z0-9_]{0,39}")

Stamp = Tuple[int, int]


class Files:
    """The channels of the files in `folder`; there need not be one."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._listed: Tuple[int, Dict[str, str]] = (0, {})
        self._loaded: Dict[str, Tuple[Stamp, Type[Channel]]] = {}

    def names(self) -> Iterable[str]:
        """The channels there are now; a look at the folder's time is all that this costs when nothing has changed."""
        try:
            changed = os.stat(self._folder).st_mtime_ns if self._folder else 0
        except OSError:
            changed = 0
        if changed != self._listed[0]:
            self._listed = (changed, self._paths())
        return self._listed[1].keys()

    def _paths(self) -> Dict[str, str]:
        try:
            files = [name for name in os.listdir(self._folder) if name.endswith(".py")]
        except OSError:
            return {}
        return {name[:-3]: os.path.join(self._folder, name) for name in files if _NAME.fullmatch(name[:-3])}

    def find(self, name: str) -> Type[Channel]:
        """The class of the channel `name`, of the file as it is now.

        Raises:
            SettingsError: it can't be used; the text says what is wrong with it, and where.
        """
        path = self._listed[1][name]
        try:
            status = os.stat(path)
            stamp = (status.st_mtime_ns, status.st_size)
            if self._loaded.get(name, (None, None))[0] != stamp:
                self._loaded[name] = (stamp, self._load(name, path))
        except OSError as error:
            raise unusable(folders.shown(path), error.strerror or type(error).__name__) from None
        return self._loaded[name][1]

    def _load(self, name: str, path: str) -> Type[Channel]:
        private_file.refuse_folder(self._folder)
        source = private_file.read(path, others_may_read=True)
        module = types.ModuleType(_MODULE + name)
        module.__file__ = path
        sys.modules[module.__name__] = module  # where its classes are looked for, by dataclasses and the like
        try:
            exec(compile(source, path, "exec"), module.__dict__)
        except (Exception, SystemExit) as error:
            raise unusable(folders.shown(path), *_said(error, path)) from None
        return chosen(name, module, folders.shown(path))


class Packages:
    """The channels of the packages that are installed. Looking for them takes 20 ms for a hundred packages."""

    def __init__(self) -> None:
        found = _entry_points()
        self._found = {each.name: each for each in found if _NAME.fullmatch(each.name)}

    def names(self) -> Iterable[str]:
        """The channels there are."""
        return self._found.keys()

    def find(self, name: str) -> Type[Channel]:
        """The class of the channel `name`; raises `SettingsError` where it can't be used."""
        point = self._found[name]
        where = f"{name} ({point.value})"
        try:
            loaded = point.load()
        except (Exception, SystemExit) as error:
            raise unusable(where, *_said(error, "")) from None
        return chosen(name, loaded, where)


def _entry_points() -> List[EntryPoint]:
    import importlib.metadata

    found: Any = importlib.metadata.entry_points()
    if hasattr(found, "select"):  # since Python 3.10; before, it was a dict by the groups' names
        return list(found.select(group=GROUP))
    return list(found.get(GROUP, ()))


def chosen(name: str, loaded: Any, where: str) -> Type[Channel]:
    """The channel `name`, which is the class `loaded` or stands in that module, fit to be listed like our own.

    Raises:
        SettingsError: there is none, or it can't work.
    """
    classes = [loaded] if isinstance(loaded, type) else list(vars(loaded).values())
    own = [each for each in classes if isinstance(each, type) and issubclass(each, Channel)]
    if not isinstance(loaded, type):
        own = [each for each in own if each.__module__ == loaded.__name__]
    found = next((each for each in own if each.key == name), None)
    if not own:
        raise unusable(where, "it defines no class derived from Channel", "Channel을 상속한 클래스가 없어요")
    if found is None:
        keys = ", ".join(repr(each.key) for each in own)
        raise unusable(where, f"key must be {name!r}, got {keys}", f"key는 {name!r}이어야 해요(지금은 {keys})")
    if found.in_kernel:
        raise unusable(where, "in_kernel is for the notebook channel only", "in_kernel은 notebook 채널만 쓸 수 있어요")
    found.label = _in_each_language(found.label, name)
    found.steps = _in_each_language(found.steps, (found.__doc__ or name).strip())
    return found


def _in_each_language(texts: Any, default: str) -> Mapping[str, str]:
    """`texts` in every language we speak, for it may have been written in one, or as one text for all."""
    if isinstance(texts, str):
        default, texts = texts, {}
    any_text = texts.get("en") or next(iter(texts.values()), "") or default
    return {lang: texts.get(lang) or any_text for lang in LANGUAGES}


def unusable(where: str, en: str, ko: str = "") -> SettingsError:
    """The error for the channel `where` that can't be used, and why."""
    return SettingsError(f"{where} can't be used as a channel: {en}.", f"{where}: 채널로 쓸 수 없어요. {ko or en}.")


def _said(error: BaseException, path: str) -> Tuple[str, str]:
    """What `error` says, and on which line of the file at `path`, in English and in Korean."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    said = one_line(Redactor(os.environ).text(f"{type(error).__name__}: {text}"), 200).rstrip(".")
    return (f"line {line}: {said}", f"{line}번째 줄: {said}") if line else (said, said)
