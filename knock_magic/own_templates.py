"""The person's own templates, as the settings file has them: read, checked, and made ready to travel."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Tuple

from knock_magic.cleaning import clean
from knock_magic.errors import SettingsError, did_you_mean
from knock_magic.settings_file import plain
from knock_magic.template import BUILT_IN, DEFAULT, OWN_KEYS, faults

LONGEST = 4000  # characters of one text; it is sent along with each knock

Own = Dict[str, str]  # a text by outcome
Misfit = Callable[[str, str, str], SettingsError]


def read(section: Mapping[str, Any], misfit: Misfit) -> Tuple[Dict[str, Own], List[SettingsError]]:
    """The templates in `section` by name, and what of it can't be used.

    Args:
        section: name to a text, a list of lines, or one of these for each outcome.
        misfit: makes the error for a path in the file and what was expected there.
    """
    found: Dict[str, Own] = {}
    problems: List[SettingsError] = []
    for name, value in section.items():
        path = f"templates.{clean(name, 40)}"
        if name in BUILT_IN or not name.strip():
            problems.append(misfit(path, "called otherwise: this name is taken", "다른 이름(이미 쓰는 이름이에요)"))
            continue
        own, wrong = _read_one(value, path, misfit)
        problems += wrong
        if own:
            found[name] = own
    return found, problems


def check(name: str, own: Own) -> List[SettingsError]:
    """What is wrong in the texts of the template `name`, each said once."""
    found = {texts["en"]: texts for text in own.values() for texts in faults(name, text)}
    return [SettingsError(texts["en"], texts["ko"]) for texts in found.values()]


def _read_one(value: Any, path: str, misfit: Misfit) -> Tuple[Own, List[SettingsError]]:
    own: Own = {}
    problems: List[SettingsError] = []
    for key, given in (value if isinstance(value, dict) else {DEFAULT: value}).items():
        where = f"{path}.{plain(key)}" if isinstance(value, dict) else path
        text = _text(given)
        if key not in OWN_KEYS:
            hint_en, hint_ko = did_you_mean(key, OWN_KEYS)
            known = ", ".join(OWN_KEYS)
            problems.append(misfit(where, f"for one of {known}.{hint_en}".rstrip("."), f"{known} 중 하나.{hint_ko}"))
        elif text is None:
            problems.append(misfit(where, "a text, or a list of its lines", "글 또는 줄 목록"))
        elif len(text) > LONGEST:
            problems.append(misfit(where, f"at most {LONGEST} characters", f"{LONGEST}자 이하의 글"))
        elif text.strip():
            own[key] = clean(text, LONGEST)
    return own, problems


def _text(value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "\n".join(value)
    return value if isinstance(value, str) else None
