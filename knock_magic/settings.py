"""A class's traits are its settings: their order, their environment names, their checks.

A class that derives from `Settings` declares its settings once, as traits::

    class Ntfy(Channel):
        key = "ntfy"
        topic = Unicode(help="Topic the phone subscribes to.").tag(config=True, required=True, ko="구독한 토픽")

From them come the environment variable (``KNOCK_NTFY_TOPIC``), ``c.Ntfy.topic`` in IPython's config,
the forms and tables, and the words of an error.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, Iterator, List, Mapping, NoReturn, Optional, Tuple

from traitlets import Bool, Enum, Float, HasTraits, Integer, List as ListTrait, TraitError, TraitType, Unicode
from traitlets.config import Config
from traitlets.config.loader import LazyConfigValue

from knock_magic import language
from knock_magic.durations import parse_duration
from knock_magic.errors import SettingsError, UsageError

TRUE_WORDS = ("1", "true", "yes", "on")
FALSE_WORDS = ("0", "false", "no", "off")


class Secret(Unicode):
    """A text that no repr and no error shows."""

    info_text = "a secret text"

    def error(self, obj: Any, value: Any, error: Any = None, info: Any = None) -> NoReturn:
        """Raise without the value, which traitlets would print."""
        raise TraitError(f"{self.name} must be {self.info_text}, got a {type(value).__name__}")


class Duration(TraitType):
    """Seconds as a float; a text such as ``1h30m`` is understood, and ``off`` is None."""

    info_text = "a duration such as 60s, 15m or 1h30m, or off"
    allow_none = True

    def validate(self, obj: Any, value: Any) -> Optional[float]:
        """Seconds, or None for ``off``."""
        if value is None or (isinstance(value, str) and value.strip().lower() in ("off", "none")):
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            self.error(obj, value)
        try:
            return parse_duration(str(value))
        except UsageError as problem:
            raise TraitError(str(problem)) from None


@dataclasses.dataclass(frozen=True)
class Sources:
    """Where settings come from, weakest first: the environment, then IPython's config."""

    environ: Mapping[str, str]
    config: Mapping[str, Any] = dataclasses.field(default_factory=dict)


class Settings(HasTraits):
    """Base of all that has settings. `key` is the name people type."""

    key = ""

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    @classmethod
    def fields(cls) -> Dict[str, TraitType]:
        """The settings by name, in the order the class declares them."""
        own = cls.class_traits(config=True)
        order = [name for base in reversed(cls.__mro__) for name in vars(base) if name in own]
        return {name: own[name] for name in dict.fromkeys(order)}

    @classmethod
    def env_name(cls, name: str) -> str:
        """The environment variable of the setting `name`."""
        return "_".join(part for part in ("KNOCK", cls.key.upper(), name.upper()) if part)

    @classmethod
    def read(cls, sources: Sources) -> Tuple[Settings, List[SettingsError]]:
        """An instance with what `sources` say, and what of it could not be taken (the default stays)."""
        found = cls()
        problems = []
        for name, written, value in cls._values(sources):
            try:
                found.put(name, value, written)
            except SettingsError as problem:
                problems.append(problem)
        return found, problems

    @classmethod
    def is_mentioned(cls, sources: Sources) -> bool:
        """Whether `sources` set anything of this class."""
        return any(True for _ in cls._values(sources))

    @classmethod
    def _values(cls, sources: Sources) -> Iterator[Tuple[str, str, Any]]:
        section = sources.config.get(cls.__name__, {}) if cls.__name__ in sources.config else {}
        for name, trait in cls.fields().items():
            written = cls.env_name(name)
            text = sources.environ.get(written, "").strip()
            if text:
                yield name, written, text
            if name in section:
                yield name, f"c.{cls.__name__}.{name}", _plain(section[name], trait)

    def put(self, name: str, value: Any, written: str = "") -> None:
        """Set `name` to `value`, a text being read as its trait wants it.

        Raises:
            SettingsError: it does not fit. The text names the setting as `written`, and never shows a secret.
        """
        trait = self.fields()[name]
        written = written or f"{type(self).__name__}.{name}"
        try:
            setattr(self, name, from_text(trait, value) if isinstance(value, str) else value)
        except (TraitError, ValueError) as problem:
            raise self._misfit(trait, written, value, problem) from None

    def _misfit(self, trait: TraitType, written: str, value: Any, problem: Exception) -> SettingsError:
        if isinstance(problem, Explained):
            return SettingsError(f"{written} {problem.texts['en']}", f"{written} 값: {problem.texts['ko']}")
        shown = "" if isinstance(trait, Secret) else f", got {value!r:.60}"
        shown_ko = "" if isinstance(trait, Secret) else f" 받은 값: {value!r:.60}"
        expected = trait.info()
        return SettingsError(
            f"{written} must be {expected}{shown}.",
            f"{written} 값을 확인해 주세요. 필요한 형식: {_korean(trait, expected)}.{shown_ko}",
        )

    def missing(self) -> List[str]:
        """The required settings that are still empty, by their environment names."""
        needed = (name for name, trait in self.fields().items() if trait.metadata.get("required"))
        return [self.env_name(name) for name in needed if not getattr(self, name)]

    def values(self) -> Dict[str, Any]:
        """Every setting as plain JSON, secrets included: for the pipes only, never for a file or a screen."""
        return {name: getattr(self, name) for name in self.fields()}


class Explained(TraitError):
    """A validator's refusal with its words in each language, to follow the setting's name."""

    def __init__(self, en: str, ko: str) -> None:
        super().__init__(en)
        self.texts = {"en": en, "ko": ko}


def from_text(trait: TraitType, text: str) -> Any:
    """What `text` means for `trait`: lists by commas, booleans by the usual words, numbers."""
    text = text.strip()
    if isinstance(trait, ListTrait):
        return [part.strip() for part in text.split(",") if part.strip()]
    if isinstance(trait, Bool):
        word = text.lower()
        if word not in TRUE_WORDS + FALSE_WORDS:
            raise ValueError(text)
        return word in TRUE_WORDS
    if isinstance(trait, Integer):
        return int(text)
    if isinstance(trait, Float):
        return float(text)
    return text


def _plain(value: Any, trait: TraitType) -> Any:
    """A config value as itself: the command line defers texts, and ``c.X.y.append`` is lazy."""
    if isinstance(value, LazyConfigValue):
        return value.get_value(trait.default() if trait.default_value is None else trait.default_value)
    if isinstance(value, Config):
        return dict(value)
    if isinstance(value, str):
        return str(value)
    return value


_KOREAN_FORMS = (
    (Secret, "비밀 값(텍스트)"),
    (Duration, "60s, 15m, 1h30m 같은 시간 또는 off"),
    (Bool, "1/true/yes/on 또는 0/false/no/off"),
    (Integer, "정수"),
    (Float, "숫자"),
    (ListTrait, "쉼표로 나눈 목록"),
)


def _korean(trait: TraitType, expected: str) -> str:
    if isinstance(trait, Enum):
        return ", ".join(str(value) for value in trait.values or ())
    return next((words for kind, words in _KOREAN_FORMS if isinstance(trait, kind)), expected)


def label_of(trait: TraitType, lang: str = "") -> str:
    """What the setting is for, in the reader's language."""
    texts = {"en": trait.help, "ko": trait.metadata.get("ko", trait.help)}
    return language.pick(texts, lang or None)
