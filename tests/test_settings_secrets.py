"""Secrets that Colab or Kaggle keeps. Both are our own fakes here, modules of their names that behave as theirs do."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest
from conftest import Home, Kernel
from phone import Phone
from traitlets.config import Config

from knock_magic import language
from knock_magic.knocker import Knocker
from knock_magic.options import Options
from knock_magic.settings import Sources

URL = "https://example.com/hook/canary-9f8e7d6c"


class NotebookAccessError(Exception):
    """Colab's: the person has not switched the secret on for this notebook."""


class SecretNotFoundError(Exception):
    """Colab's: there is no such secret."""


class TimeoutException(Exception):
    """Colab's: no browser answers."""


class BackendError(Exception):
    """Kaggle's: what comes for a secret that is not attached."""


class Place:
    """A fake Colab or Kaggle; `asked` is what it was asked for."""

    def __init__(self) -> None:
        self.secrets: Dict[str, Any] = {}
        self.asked: List[str] = []
        self.missing: type = SecretNotFoundError

    def get(self, name: str) -> str:
        self.asked.append(name)
        value = self.secrets.get(name, self.missing(f"canary text about {name}"))
        if isinstance(value, Exception):
            raise value
        return str(value)


@pytest.fixture
def colab(monkeypatch: pytest.MonkeyPatch) -> Place:
    place = Place()
    userdata = types.ModuleType("google.colab.userdata")
    userdata.get = place.get  # type: ignore[attr-defined]
    package, colab = types.ModuleType("google"), types.ModuleType("google.colab")
    colab.userdata = userdata  # type: ignore[attr-defined]
    for module in (package, colab, userdata):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return place


@pytest.fixture
def kaggle(monkeypatch: pytest.MonkeyPatch) -> Place:
    place = Place()
    place.missing = BackendError

    class UserSecretsClient:
        def get_secret(self, label: str) -> str:
            return place.get(label)

    module = types.ModuleType("kaggle_secrets")
    module.UserSecretsClient = UserSecretsClient  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "kaggle_secrets", module)
    return place


@pytest.fixture
def said() -> List[str]:
    return []


@pytest.fixture
def load(tmp_path: Path, said: List[str]) -> Iterator[Callable[..., Knocker]]:
    def load(**environ: str) -> Knocker:
        given = {"KNOCK_HOME": str(tmp_path / "knock"), "KNOCK_LANG": "en", **environ}
        return Knocker(Sources(given, Config()), say=said.append)

    yield load
    language.use(None)


@pytest.mark.parametrize("service", ["colab", "kaggle"])
def test_a_channel_in_use_is_set_up_by_secrets(
    service: str, request: pytest.FixtureRequest, load: Callable[..., Knocker], said: List[str]
) -> None:
    place: Place = request.getfixturevalue(service)
    place.secrets = {"KNOCK_TO": "webhook", "KNOCK_WEBHOOK_URL": f" {URL}\n"}

    knocker = load()

    assert knocker.in_use() == ("webhook",)
    assert knocker.channel("webhook").values()["url"] == URL
    assert said == []


def test_who_keeps_the_channels_there_may_keep_the_rest_there(colab: Place, load: Callable[..., Knocker]) -> None:
    colab.secrets = {"KNOCK_TO": "notebook", "KNOCK_AUTO": "2m", "KNOCK_LANG": "ko"}

    found = load().settings

    assert (found.to, found.auto, found.lang) == (["notebook"], 120.0, "en")  # the environment has a language


def test_nothing_but_the_channels_in_use_is_asked_for(colab: Place, load: Callable[..., Knocker]) -> None:
    load(KNOCK_TO="webhook", KNOCK_WEBHOOK_SECRET="s")

    assert colab.asked == ["KNOCK_WEBHOOK_URL"]


def test_one_question_finds_out_that_nothing_is_kept_there(colab: Place, load: Callable[..., Knocker]) -> None:
    assert load().in_use() == ("notebook",)
    assert colab.asked == ["KNOCK_TO"]


def test_no_hook_asks(colab: Place, load: Callable[..., Knocker], said: List[str]) -> None:
    """A cell may name a channel that was not in use: it is then known as far as it was read already."""
    colab.secrets = {"KNOCK_WEBHOOK_URL": URL}
    knocker = load()
    colab.asked.clear()

    knocker.rules(Options(to=("webhook",)), min_s=0.0)

    assert colab.asked == []
    assert "KNOCK_WEBHOOK_URL" in said[0]


def test_choosing_a_channel_asks(colab: Place, load: Callable[..., Knocker], said: List[str]) -> None:
    colab.secrets = {"KNOCK_WEBHOOK_URL": URL}
    knocker = load()

    knocker.use(["webhook"])

    assert knocker.in_use() == ("webhook",)
    assert said == []


def test_what_was_added_meanwhile_is_found_by_choosing_again(colab: Place, load: Callable[..., Knocker]) -> None:
    knocker = load(KNOCK_TO="webhook")
    assert knocker.in_use() == ("notebook",)
    colab.secrets = {"KNOCK_WEBHOOK_URL": URL}

    knocker.use(["webhook"])

    assert knocker.in_use() == ("webhook",)


def test_the_environment_wins_and_the_file_loses(colab: Place, load: Callable[..., Knocker], tmp_path: Path) -> None:
    knocker = load()
    knocker.configuration._file.update(
        lambda data: data.update(to=["webhook"], channels={"webhook": {"url": URL + "/file", "secret": "file"}})
    )
    colab.secrets = {"KNOCK_WEBHOOK_URL": URL + "/vault", "KNOCK_WEBHOOK_SECRET": "vault"}

    found = load(KNOCK_WEBHOOK_URL=URL + "/env").channel("webhook").values()

    assert (found["url"], found["secret"]) == (URL + "/env", "vault")


@pytest.mark.parametrize(
    ("error", "word"),
    [(NotebookAccessError, "notebook access"), (TimeoutException, "TimeoutException"), (RuntimeError, "RuntimeError")],
)
def test_what_can_not_be_read_is_one_quiet_line(
    error: type, word: str, colab: Place, load: Callable[..., Knocker], said: List[str]
) -> None:
    """Without what the service said: it may have more in it than one wants in a notebook."""
    colab.missing = error

    knocker = load(KNOCK_TO="webhook")

    assert len(said) == 1
    assert word in said[0]
    assert "Colab" in said[0]
    assert "canary" not in said[0]
    assert knocker.in_use() == ("notebook",)


def test_a_service_that_does_not_answer_is_not_asked_again_and_again(
    colab: Place, load: Callable[..., Knocker]
) -> None:
    """Each question may take seconds to fail."""
    colab.missing = TimeoutException

    load(KNOCK_TO="webhook")

    assert len(colab.asked) == 1


def test_switched_off_it_asks_for_nothing(colab: Place, load: Callable[..., Knocker]) -> None:
    load(KNOCK_DISABLE="1", KNOCK_TO="webhook")

    assert colab.asked == []


def test_a_malformed_secret_is_named_but_not_shown(colab: Place, load: Callable[..., Knocker], said: List[str]) -> None:
    colab.secrets = {"KNOCK_WEBHOOK_URL": "canary-9f8e7d6c"}

    load(KNOCK_TO="webhook").in_use()

    assert "KNOCK_WEBHOOK_URL must be" in said[0]
    assert "canary" not in "".join(said)


def test_in_a_kernel_a_secret_brings_the_knock_to_the_phone(tmp_path: Path, phone: Phone) -> None:
    """Our own fake of Colab's module, put into a real kernel before the extension is loaded."""
    home = Home(tmp_path)
    kernel = Kernel(home.env(), home.work)
    try:
        kernel.run(
            "import sys, types\n"
            "userdata, colab = types.ModuleType('google.colab.userdata'), types.ModuleType('google.colab')\n"
            f"userdata.get = {{'KNOCK_TO': 'webhook', 'KNOCK_WEBHOOK_URL': '{phone.url}'}}.__getitem__\n"
            "colab.userdata = userdata\n"
            "sys.modules['google.colab'], sys.modules['google.colab.userdata'] = colab, userdata"
        )
        kernel.run("%load_ext knock")
        kernel.run("%%knock resnet\npass")

        assert phone.wait()["name"] == "resnet"
    finally:
        kernel.close()
        home.clean()
