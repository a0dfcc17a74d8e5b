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
import functools
from typing import Any, Dict, Iterator, List, Mapping, NoReturn, Optional, Tuple

from traitlets import Bool, Enum, Float, HasTraits, Integer, List as ListTrait, TraitError, TraitType, Unicode
from traitlets.config import Config
from traitlets.config.loader import LazyConfigValue

from knock_magic import language
from knock_magic.durations import LONGEST_S, parse_duration
from knock_magic.errors import SettingsError, UsageError, a_kind, nearest, perhaps
from knock_magic.settings_file import plain

TRUE_WORDS = ("1", "true", "yes", "on")
FALSE_WORDS = ("0", "false", "no", "off")


class Secret(Unicode):
    """A text that no repr and no error shows."""

    info_text = "a secret text"

    def error(self, obj: Any, value: Any, error: Any = None, info: Any = None) -> NoReturn:
        """Raise without the value, which traitlets would print."""
        raise TraitError(f"{self.name} must be {self.info_text}, got {a_kind(value)}")


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
        if not isinstance(value, str):
            if not 0 <= value <= LONGEST_S:
                self.error(obj, value)
            return float(value)
        try:
            return parse_duration(value)
        except UsageError as problem:
            raise TraitError(str(problem)) from None


class Language(Enum):
    """A language we speak, however a locale spells it (``ko``, ``ko_KR.UTF-8``, ``Korean``); empty is none."""

    def __init__(self, **options: Any) -> None:
        super().__init__(["", *language.LANGUAGES], "", **options)

    def validate(self, obj: Any, value: Any) -> Any:
        """The two letters."""
        return super().validate(obj, value.strip().lower()[:2] if isinstance(value, str) else value)


@dataclasses.dataclass(frozen=True)
class Sources:
    """Where settings come from, weakest first.

    Args:
        file: what the settings file says, in the shape that `SettingsFile.read` gives.
        file_name: how its owner calls that file.
        secrets: what Colab or Kaggle keeps, by the environment variables' names.
        environ: the environment.
        config: IPython's config.
    """

    environ: Mapping[str, str] = dataclasses.field(repr=False)  # no secret in any repr
    config: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False)
    file: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False)
    file_name: str = "settings.json"
    secrets: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)


class Settings(HasTraits):
    """Base of all that has settings. `key` is the name people type."""

    key = ""

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        # Why what was set could not be taken, by the settings' environment names.
        self.refused: Dict[str, SettingsError] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    @classmethod
    @functools.lru_cache(maxsize=None)  # asked for with each knock
    def fields(cls) -> Mapping[str, TraitType]:
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
        """An instance with what `sources` say, and what of it could not be taken (the next weaker one's stays)."""
        found = cls()
        problems = cls._strays(sources)
        for name, written, value in cls.written(sources):
            try:
                found.put(name, value, written)
            except SettingsError as problem:
                problems.append(problem)
                found.refused[cls.env_name(name)] = problem
        return found, problems

    @classmethod
    def written(cls, sources: Sources) -> Iterator[Tuple[str, str, Any]]:
        """All that `sources` say: a setting's name, how it is written there, and the value; the strongest last."""
        in_file, in_config = cls._in_file(sources), cls._in_config(sources)
        for name, trait in cls.fields().items():
            variable = cls.env_name(name)
            if in_file.get(name) not in (None, ""):
                yield name, f"{sources.file_name}: {cls._path(name)}", in_file[name]
            if sources.secrets.get(variable):
                yield name, variable, sources.secrets[variable]
            text = sources.environ.get(variable, "").strip()
            if text:
                yield name, variable, text
            if name in in_config:
                yield name, f"c.{cls.__name__}.{name}", _plain(in_config[name], trait)

    @classmethod
    def _in_file(cls, sources: Sources) -> Mapping[str, Any]:
        if not cls.key:
            return sources.file
        section: Mapping[str, Any] = sources.file.get("channels", {}).get(cls.key, {})
        return section

    @classmethod
    def _in_config(cls, sources: Sources) -> Mapping[str, Any]:
        section: Mapping[str, Any] = sources.config.get(cls.__name__, {})
        return section

    @classmethod
    def _path(cls, name: str) -> str:
        return f"channels.{cls.key}.{name}" if cls.key else name

    @classmethod
    def _strays(cls, sources: Sources) -> List[SettingsError]:
        """What stands in our sections and is no setting of ours."""
        in_file = {key for key in cls._in_file(sources) if cls.key or key not in ("channels", "templates")}
        written = [(key, f"{sources.file_name}: {cls._path(plain(key))}") for key in sorted(in_file)]
        written += [(key, f"c.{cls.__name__}.{plain(key)}") for key in sorted(cls._in_config(sources))]
        return [cls.unknown(key, where) for key, where in written if key not in cls.fields()]

    @classmethod
    def unknown(cls, name: str, written: str) -> SettingsError:
        """The error for a setting `name` that this class does not have."""
        known, likely = list(cls.fields()), nearest(name.lower(), cls.fields())
        if written.startswith("KNOCK_"):
            known, likely = [cls.env_name(each) for each in known], likely and cls.env_name(likely)
        hint_en, hint_ko = perhaps(likely)
        return SettingsError(
            f"{written} is no setting, and is ignored.{hint_en} There are: {', '.join(known)}.",
            f"{written}: 없는 설정이라 무시해요.{hint_ko} 쓸 수 있는 설정: {', '.join(known)}.",
        )

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
        expected = expected_of(trait)
        shown = self._shown(value)
        return SettingsError(
            f"{written} must be {expected['en']}{shown and f', got {shown}'}.",
            f"{written} 값을 확인해 주세요. 필요한 형식: {expected['ko']}.{shown and f' 받은 값: {shown}'}",
        )

    @classmethod
    def _shown(cls, value: Any) -> str:
        """`value` for an error; nothing where it may be a secret that came to stand in the wrong place."""
        is_short = isinstance(value, (bool, int, float)) or (isinstance(value, str) and len(value) <= 20)
        has_secrets = any(isinstance(trait, Secret) for trait in cls.fields().values())
        return repr(value) if is_short and not (has_secrets and isinstance(value, str)) else ""

    def missing(self) -> List[str]:
        """The required settings that are still empty, by their environment names."""
        needed = (name for name, trait in self.fields().items() if trait.metadata.get("required"))
        return [self.env_name(name) for name in needed if not getattr(self, name)]

    def secrets(self) -> List[str]:
        """The values that no text may show."""
        found = (getattr(self, name) for name, trait in self.fields().items() if isinstance(trait, Secret))
        return [value for value in found if value]

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
    if isinstance(trait, Enum):
        return next((value for value in trait.values or () if str(value).lower() == text.lower()), text)
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


_FORMS = (
    (Secret, {"en": "a secret text", "ko": "비밀 값(글)"}),
    (Duration, {"en": "a duration such as 60s, 15m or 1h30m, or off", "ko": "60s, 15m, 1h30m 같은 시간 또는 off"}),
    (Bool, {"en": "true or false", "ko": "true 또는 false"}),
    (Integer, {"en": "a whole number", "ko": "정수"}),
    (Float, {"en": "a number", "ko": "숫자"}),
    (ListTrait, {"en": "names, separated by commas", "ko": "쉼표로 나눈 이름들"}),
    (Unicode, {"en": "a text", "ko": "글"}),
)


def expected_of(trait: TraitType) -> Dict[str, str]:
    """What a value of `trait` has to look like, in each language."""
    if isinstance(trait, Enum):
        known = [str(value) for value in trait.values or () if value != ""]
        return {"en": f"one of {', '.join(known)}", "ko": ", ".join(known)}
    found = next((texts for kind, texts in _FORMS if isinstance(trait, kind)), None)
    texts = found or {"en": trait.info(), "ko": trait.info()}
    if isinstance(trait, (Integer, Float)) and None not in (trait.min, trait.max):
        ko = f"{trait.min}부터 {trait.max}까지의 {texts['ko']}"
        return {"en": f"{texts['en']} from {trait.min} to {trait.max}", "ko": ko}
    if isinstance(trait, (Integer, Float)) and trait.min is not None:
        return {"en": f"{texts['en']}, {trait.min} or more", "ko": f"{trait.min} 이상의 {texts['ko']}"}
    return texts


def label_of(trait: TraitType, lang: str = "") -> str:
    """What the setting is for, in the reader's language."""
    texts = {"en": trait.help, "ko": trait.metadata.get("ko", trait.help)}
    return language.pick(texts, lang or None)
