"""`NotebookSecrets`: what Colab or Kaggle keeps for a person, under the names of the environment variables.

Asking takes a way to the browser (Colab) or to a server (Kaggle), so it is done only where the person waits for
it: when the extension is loaded and when a channel is chosen. In between, only what was answered is looked at.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

from knock_magic.errors import SettingsError

Ask = Callable[[str], Any]

# Colab says SecretNotFoundError (google/colab/userdata.py in googlecolab/colabtools). Kaggle has no word of its
# own for it: a label that is not attached to the notebook is an unexpected answer, BackendError
# (patches/kaggle_secrets.py in Kaggle/docker-python). A stand-in for either is often a dict.
_NOT_THERE = ("SecretNotFoundError", "BackendError", "KeyError")


class NotebookSecrets:
    """What was asked for so far is in `values`, by name."""

    def __init__(self) -> None:
        self.values: Dict[str, str] = {}

    def fetch(self, names: Iterable[str]) -> List[SettingsError]:
        """Ask for the secrets called `names`; what stood in the way. One that is not there is nothing to tell."""
        service = _service()
        if service is None:
            return []
        label, ask = service
        denied: List[str] = []
        problems: List[SettingsError] = []
        for name in names:
            try:
                self.values[name] = str(ask(name) or "").strip()
            except Exception as error:  # each service has its own errors, and each version other ones
                # By name: importing the services' classes would tie us to their versions.
                kind = type(error).__name__
                if kind not in ("NotebookAccessError", *_NOT_THERE):
                    problems.append(_unreachable(label, kind))
                    break  # each further name would wait for the same end
                self.values.pop(name, None)
                denied += [name] if kind == "NotebookAccessError" else []
        return [*([_denied(label, ", ".join(denied))] if denied else []), *problems]


def service_name() -> str:
    """Whose secrets can be asked for here: ``Colab``, ``Kaggle``, or nobody's."""
    service = _service()
    return service[0] if service else ""


def _denied(label: str, names: str) -> SettingsError:
    return SettingsError(
        f"{label} does not let this notebook read {names}. "
        "Switch on the notebook access of the secret (the key on the left), then run %knock use CHANNEL.",
        f"{label}에서 이 노트북이 보안 비밀({names})을 읽지 못해요. "
        "왼쪽 열쇠 메뉴에서 노트북 액세스를 켜고 %knock use 채널을 실행해 주세요.",
    )


def _unreachable(label: str, kind: str) -> SettingsError:
    # What the service says is not passed on: Kaggle's has the whole answer of its server in it.
    return SettingsError(
        f"the secrets of {label} can't be read now ({kind}). "
        "Set the values as environment variables, or run %knock use CHANNEL to try again.",
        f"지금은 {label} 보안 비밀을 읽을 수 없어요({kind}). "
        "값을 환경 변수로 정하거나 %knock use 채널로 다시 해 주세요.",
    )


def _service() -> Optional[Tuple[str, Ask]]:
    """Where there are secrets to be asked for: its name, and how; None elsewhere."""
    # Kaggle first: its image is built upon Colab's.
    if "kaggle_secrets" in sys.modules or importlib.util.find_spec("kaggle_secrets"):
        return "Kaggle", _ask_kaggle
    # Looked up, not imported: where it is only installed, asking would wait for a browser that never answers.
    return ("Colab", _ask_colab) if "google.colab" in sys.modules else None


def _ask_kaggle(name: str) -> Any:
    from kaggle_secrets import UserSecretsClient

    return UserSecretsClient().get_secret(name)


def _ask_colab(name: str) -> Any:
    from google.colab import userdata

    return userdata.get(name)
