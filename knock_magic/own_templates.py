"""The person's own templates, as the settings file has them: read, checked, and made ready to travel."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Tuple

from knock_magic.cleaning import clean
from knock_magic.errors import SettingsError, did_you_mean
from knock_magic.settings_file import plain
from knock_magic.template import BUILT_IN, DEFAULT, OWN_KEYS, faults

LONGEST = 4000  # characters of one text; it is sent along with each knock

Own = Dict[str, str]  # a text by outcome


def read(section: Mapping[str, Any], file_name: str) -> Tuple[Dict[str, Own], List[SettingsError]]:
    """The templates in `section` by name, and what of it can't be used.

    Args:
        section: name to a text, a list of lines, or one of these for each outcome.
        file_name: how its owner calls the file.
    """
    found: Dict[str, Own] = {}
    problems: List[SettingsError] = []
    for name, value in section.items():
        path = f"{file_name}: templates.{clean(name, 40)}"
        if name in BUILT_IN or not name.strip():
            problems.append(_error(path, "needs another name, this one is taken", "다른 이름을 써 주세요"))
            continue
        texts = value if isinstance(value, dict) else {DEFAULT: value}
        wrong = {key: _wrong(key, text, path, isinstance(value, dict)) for key, text in texts.items()}
        problems += [problem for problem in wrong.values() if problem]
        own = {key: clean(_joined(text), LONGEST) for key, text in texts.items() if not wrong[key]}
        if any(own.values()):
            found[name] = own
    return found, problems


def check(name: str, own: Own) -> List[SettingsError]:
    """What is wrong in the texts of the template `name`, each said once."""
    found = {texts["en"]: texts for text in own.values() for texts in faults(name, text)}
    return [SettingsError(texts["en"], texts["ko"]) for texts in found.values()]


def _wrong(key: str, value: Any, path: str, is_by_outcome: bool) -> Optional[SettingsError]:
    path = f"{path}.{plain(key)}" if is_by_outcome else path
    if key not in OWN_KEYS:
        known = ", ".join(OWN_KEYS)
        hint_en, hint_ko = did_you_mean(key, OWN_KEYS)
        return _error(
            path, f"is no outcome.{hint_en} There are: {known}", f"없는 결과예요.{hint_ko} 쓸 수 있는 결과: {known}"
        )
    if not isinstance(value, str) and not (isinstance(value, list) and all(isinstance(line, str) for line in value)):
        return _error(path, "must be a text, or a list of its lines", "글이나 줄 목록이어야 해요")
    if len(_joined(value)) > LONGEST:
        return _error(path, f"must have at most {LONGEST} characters", f"{LONGEST}자를 넘을 수 없어요")
    return None


def _joined(value: Any) -> str:
    return "\n".join(value) if isinstance(value, list) else str(value)


def _error(path: str, en: str, ko: str) -> SettingsError:
    return SettingsError(f"{path} {en}.", f"{path}: {ko}.")
