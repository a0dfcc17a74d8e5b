"""Where settings come from, which source wins, and what is said of those that make no sense."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import pytest
from conftest import Home, Kernel
from hypothesis import HealthCheck, given, settings as hypothesis_settings, strategies as st
from phone import Phone
from traitlets.config import Config

from knock_magic import language
from knock_magic.errors import KnockError
from knock_magic.knocker import Knocker
from knock_magic.options import Options
from knock_magic.settings import Sources

SECRET = "Canary9f8e7d6c5b4a"  # of no shape that the redaction of all that is said would know
URL = "https://example.com/hook"


class Desk:
    """A knocker over a settings folder, an environment and a config of the test's own; `said` is what it told."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "settings.json"
        self.environ = {"KNOCK_HOME": str(folder), "KNOCK_LANG": "en"}
        self.config = Config()
        self.said: List[str] = []

    def file(self, **settings: Any) -> None:
        self.write(json.dumps(settings))

    def write(self, text: str) -> None:
        self.path.parent.mkdir(mode=0o700, exist_ok=True)
        self.path.write_text(text, "utf-8")
        self.path.chmod(0o600)

    def saved(self) -> Dict[str, Any]:
        found: Dict[str, Any] = json.loads(self.path.read_text("utf-8"))
        return found

    def open(self) -> Knocker:
        return Knocker(Sources(self.environ, self.config), say=self.said.append)

    @property
    def text(self) -> str:
        return "\n".join(self.said)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    yield Desk(tmp_path / "knock")
    language.use(None)


# Which source wins.


def test_the_file_wins_over_the_default(desk: Desk) -> None:
    desk.file(auto="2m", template="short", to=["notebook"], disable=True)

    found = desk.open().settings

    assert (found.auto, found.template, found.to, found.disable) == (120.0, "short", ["notebook"], True)


def test_what_every_run_goes_by_comes_from_the_settings_unless_a_cell_says(desk: Desk) -> None:
    desk.environ.update(KNOCK_ON="failed,died", KNOCK_EVERY="30m", KNOCK_STALL="15m")
    knocker = desk.open()

    general = knocker.rules(Options(), min_s=0.0)
    cells = knocker.rules(Options(on=("finished",), every=60.0, stall=120.0), min_s=0.0)

    assert (general["on"], general["every_s"], general["stall_s"]) == (["failed", "died", "progress"], 1800.0, 900.0)
    assert (cells["on"], cells["every_s"], cells["stall_s"]) == (["finished", "progress"], 60.0, 120.0)


def test_what_is_no_outcome_is_told(desk: Desk) -> None:
    desk.environ["KNOCK_ON"] = "failed,fnished"

    assert desk.open().settings.on == []
    assert "KNOCK_ON takes these outcomes" in desk.text
    assert "Did you mean finished?" in desk.text


def test_the_environment_wins_over_the_file(desk: Desk) -> None:
    desk.file(auto="2m", template="short")
    desk.environ["KNOCK_AUTO"] = "3m"

    found = desk.open().settings

    assert (found.auto, found.template) == (180.0, "short")


def test_ipythons_config_wins_over_the_environment(desk: Desk) -> None:
    desk.file(auto="2m")
    desk.environ["KNOCK_AUTO"] = "3m"
    desk.config.Knock.auto = "4m"

    assert desk.open().settings.auto == 240.0


def test_what_is_said_in_this_kernel_wins_over_the_config(desk: Desk) -> None:
    desk.config.Knock.auto = "4m"
    desk.config.Knock.template = "short"
    knocker = desk.open()

    knocker.auto(300.0)
    knocker.use_template("detailed")

    about = knocker.rules(Options(), min_s=0.0)
    assert (knocker.settings.auto, about["template"]) == (300.0, "detailed")


def test_what_the_cell_says_wins_over_all(desk: Desk) -> None:
    knocker = desk.open()
    knocker.use_template("detailed")

    assert knocker.rules(Options(template="short"), min_s=0.0)["template"] == "short"
    assert knocker.rules(Options(), min_s=0.0)["template"] == "detailed"


@pytest.mark.parametrize("source", ["file", "environment", "config"])
def test_a_channel_is_set_up_by_any_source(source: str, desk: Desk) -> None:
    if source == "file":
        desk.file(channels={"webhook": {"url": URL}})
    elif source == "environment":
        desk.environ["KNOCK_WEBHOOK_URL"] = URL
    else:
        desk.config.Webhook.url = URL

    knocker = desk.open()

    assert knocker.in_use() == ("webhook",)
    assert knocker.channel("webhook").values()["url"] == URL
    assert desk.said == []


def test_each_setting_of_a_channel_comes_from_its_strongest_source(desk: Desk) -> None:
    desk.file(channels={"webhook": {"url": URL, "secret": SECRET}})
    desk.environ["KNOCK_WEBHOOK_URL"] = URL + "/env"

    found = desk.open().channel("webhook").values()

    assert (found["url"], found["secret"]) == (URL + "/env", SECRET)


@pytest.mark.parametrize("empty", ["", "  "])
def test_empty_is_unset(empty: str, desk: Desk) -> None:
    desk.file(auto="2m", template=None, to="")
    desk.environ["KNOCK_AUTO"] = empty

    found = desk.open().settings

    assert (found.auto, found.template, found.to) == (120.0, "standard", [])
    assert desk.said == []


def test_settings_in_the_current_folder_are_never_read(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cloned repository must not choose where knocks go."""
    cloned = tmp_path / "cloned"
    cloned.mkdir()
    for name in ("settings.json", "knock.json", ".knock", "knock_magic.json"):
        (cloned / name).write_text('{"auto": "1s", "to": ["webhook"]}')
        (cloned / name).chmod(0o600)
    monkeypatch.chdir(cloned)

    assert desk.open().settings.auto == 60.0


@pytest.mark.parametrize(
    ("typed", "found"),
    [("off", None), ("OFF", None), ("90", 90.0), ("1h30m", 5400.0), (90, 90.0), (1.5, 1.5), ("30분", 1800.0)],
)
def test_a_duration_is_written_as_one_likes(typed: Any, found: Optional[float], desk: Desk) -> None:
    desk.file(auto=typed)

    assert desk.open().settings.auto == found


@pytest.mark.parametrize("typed", ["ko", "KO", "ko_KR.UTF-8", "ko-KR", "Korean"])
def test_a_language_is_written_as_locales_write_it(typed: str, desk: Desk) -> None:
    desk.environ["KNOCK_LANG"] = typed

    assert desk.open().settings.lang == "ko"
    assert language.current() == "ko"


@pytest.mark.parametrize(
    ("typed", "found"), [("webhook, notebook", ["webhook", "notebook"]), (["notebook"], ["notebook"])]
)
def test_a_list_is_a_list_or_has_commas(typed: Any, found: List[str], desk: Desk) -> None:
    desk.file(to=typed)

    assert desk.open().settings.to == found


# What makes no sense is named, and changes nothing else.


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"auto": "soon"}, ["settings.json: auto must be a duration", "got 'soon'"]),
        ({"auto": -5}, ["auto must be a duration"]),
        ({"auto": [60]}, ["auto must be a duration"]),
        ({"lang": "fr"}, ["settings.json: lang must be one of en, ko", "got 'fr'"]),
        ({"disable": "maybe"}, ["disable must be true or false", "got 'maybe'"]),
        ({"to": {"slack": SECRET}}, ["to must be names"]),
        ({"to": 5}, ["to must be names"]),
        ({"tempalte": "short"}, ["settings.json: tempalte is no setting", "Did you mean template?"]),
        ({"template": "shrot"}, ["no template is called 'shrot'", "Did you mean short?"]),
        ({"webhook": {"url": URL}}, ['webhook belongs under "channels"']),
        ({"channels": {"webhok": {"url": URL}}}, ["channels.webhok is no channel", "Did you mean webhook?"]),
        ({"channels": {"webhook": {"ulr": URL}}}, ["channels.webhook.ulr is no setting", "Did you mean url?"]),
        ({"channels": {"webhook": {"url": 5}}}, ["channels.webhook.url must be"]),
        ({"channels": {"webhook": {"url": SECRET}}}, ["channels.webhook.url must be"]),
        ({"channels": {"webhook": SECRET}}, ["channels.webhook must be an object"]),
        ({"to": ["webhok"]}, ["no channel is called 'webhok'", "Did you mean webhook?"]),
    ],
)
def test_what_makes_no_sense_in_the_file_is_named_once(settings: Dict[str, Any], said: List[str], desk: Desk) -> None:
    desk.file(**settings)

    knocker = desk.open()
    for _ in range(3):
        knocker.rules(Options(), min_s=0.0)

    assert len(desk.said) == 1
    for words in said:
        assert words in desk.text
    assert SECRET not in desk.text


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("KNOCK_AUTO", "soon", ["KNOCK_AUTO must be a duration such as 60s, 15m or 1h30m, or off, got 'soon'."]),
        ("KNOCK_LANG", "fr", ["KNOCK_LANG must be one of en, ko"]),
        ("KNOCK_DISABLE", "maybe", ["KNOCK_DISABLE must be true or false"]),
        ("KNOCK_TEMPLATE", "nope", ["no template is called 'nope'", "standard is used"]),
        ("KNOCK_TO", "webhok", ["Did you mean webhook?"]),
        ("KNOCK_TEMPALTE", "short", ["KNOCK_TEMPALTE sets nothing.", "Did you mean KNOCK_TEMPLATE?"]),
        ("KNOCK_WEBHOK_URL", URL, ["KNOCK_WEBHOK_URL sets nothing.", "Did you mean KNOCK_WEBHOOK_URL?"]),
        ("KNOCK_WEBHOOK_ULR", URL, ["KNOCK_WEBHOOK_ULR is no setting", "Did you mean KNOCK_WEBHOOK_URL?"]),
        ("KNOCK_WEBHOOK_URL", SECRET, ["KNOCK_WEBHOOK_URL must be"]),
    ],
)
def test_what_makes_no_sense_in_the_environment_is_named_once(
    variable: str, value: str, said: List[str], desk: Desk
) -> None:
    desk.environ[variable] = value

    knocker = desk.open()
    for _ in range(3):
        knocker.rules(Options(), min_s=0.0)

    assert len(desk.said) == 1
    for words in said:
        assert words in desk.text
    assert SECRET not in desk.text


def test_other_peoples_variables_are_none_of_ours(desk: Desk) -> None:
    desk.environ.update(KNOCK_TEST_PACKAGING="1", KNOCKOUT="x", KNOCKKNOCK_URL="y", KNOCK_ENGINE_RPM="2000")

    desk.open()

    assert desk.said == []


def test_what_makes_no_sense_in_the_config_is_named(desk: Desk) -> None:
    desk.config.Knock.tempalte = "short"
    desk.config.Webhook.ulr = URL

    desk.open().channel("webhook")

    assert "c.Knock.tempalte is no setting" in desk.text
    assert "c.Webhook.ulr is no setting" in desk.text


def test_a_malformed_value_leaves_the_next_weaker_one(desk: Desk) -> None:
    desk.file(auto="2m")
    desk.environ["KNOCK_AUTO"] = "soon"

    assert desk.open().settings.auto == 120.0


def test_it_complains_in_the_persons_language(desk: Desk) -> None:
    desk.file(auto="soon", lang="ko")
    del desk.environ["KNOCK_LANG"]

    desk.open()

    assert "auto 값을 확인해 주세요. 필요한 형식: 60s, 15m, 1h30m 같은 시간 또는 off. 받은 값: 'soon'" in desk.text


def test_a_secret_for_a_key_is_not_shown(desk: Desk) -> None:
    desk.file(**{SECRET: "slack"}, channels={SECRET: {}, "webhook": {SECRET: "secret"}}, templates={"x": {SECRET: "y"}})

    desk.open().in_use()

    assert len(desk.said) == 4
    assert SECRET not in desk.text


def test_a_broken_file_is_named_and_the_last_good_settings_are_used(desk: Desk) -> None:
    desk.file(auto="2m")
    desk.open()
    desk.write('{"auto": "3m",\n"to": [}')

    assert desk.open().settings.auto == 120.0
    assert "settings.json, line 2, column 8: expected a value" in desk.text
    assert "The last good settings are used." in desk.text


def test_what_is_wrong_in_the_last_good_settings_is_not_blamed_on_the_file(desk: Desk) -> None:
    desk.file(colour="red")
    desk.open()
    desk.said.clear()
    desk.write('{"auto": "3m",\n"to": [}')

    desk.open()

    assert "settings.json.last-good: colour" in desk.text
    assert "settings.json: colour" not in desk.text


@pytest.mark.parametrize(
    ("lang", "setting", "said"),
    [
        ("en", {"KNOCK_KAKAO_DAILY": "0"}, "a whole number, 1 or more"),
        ("ko", {"KNOCK_KAKAO_DAILY": "0"}, "1 이상의 정수"),
        ("ko", {"KNOCK_EMAIL_PORT": "0"}, "1부터 65535까지의 정수"),
    ],
)
def test_a_number_out_of_bounds_is_told_the_bounds(lang: str, setting: Dict[str, str], said: str, desk: Desk) -> None:
    desk.environ.update(KNOCK_TO="kakao,email", KNOCK_LANG=lang, **setting)

    desk.open().in_use()

    assert said in desk.text


KEYS = ["channels", "templates", "to", "auto", "lang", "template", "webhook", "url", "secret", "failed"]
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


def nested(leaves: Any) -> Any:
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner),
        max_leaves=15,
    )


# A secret may stand anywhere below the channels; elsewhere it can't be told from any other word.
WILD = st.one_of(
    nested(PLAIN),
    st.builds(
        lambda general, channels: {**general, "channels": channels},
        *(
            st.dictionaries(st.sampled_from(KEYS), nested(PLAIN)),
            st.dictionaries(st.sampled_from([*KEYS, SECRET]), nested(PLAIN | st.just(SECRET))) | st.just(SECRET),
        ),
    ),
)


@hypothesis_settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(WILD.map(json.dumps), st.text(st.characters(blacklist_categories=["Cs"]))))
def test_whatever_the_file_holds_it_loads_with_clear_lines_and_no_secret(desk: Desk, content: str) -> None:
    desk.write(content)
    desk.said.clear()

    knocker = desk.open()
    about = knocker.rules(Options(), min_s=0.0)

    assert about["to"]
    assert SECRET not in desk.text
    for line in desk.said:
        assert 10 < len(line) < 600
        assert "\n" not in line


# The person's own templates.


def test_an_own_template_travels_whole_with_the_rules(desk: Desk) -> None:
    """The delivery has no settings file to look it up in."""
    desk.file(template="mine", templates={"mine": {"failed": "bad $name", "default": ["$name", "$duration"]}})

    about = desk.open().rules(Options(), min_s=0.0)

    assert about["template"] == {"name": "mine", "texts": {"failed": "bad $name", "default": "$name\n$duration"}}
    assert json.loads(json.dumps(about["template"])) == about["template"]
    assert desk.said == []


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (5, "templates.mine must be a text"),
        ([1], "templates.mine must be a text"),
        ({"fialed": "x"}, "templates.mine.fialed is no outcome. Did you mean failed?"),
        ({"failed": 5}, "templates.mine.failed must be a text"),
        ("x" * 4001, "at most 4000 characters"),
    ],
)
def test_an_own_template_of_the_wrong_shape_is_named(template: Any, said: str, desk: Desk) -> None:
    desk.file(templates={"mine": template, "good": "$name"})

    knocker = desk.open()

    assert len(desk.said) == 1
    assert said in desk.text
    assert "good" in knocker.configuration.template_names()


def test_the_name_of_a_built_in_template_is_taken(desk: Desk) -> None:
    desk.file(templates={"short": "$name"})

    assert desk.open().configuration.template("short") == "short"
    assert "templates.short" in desk.text


def test_faults_in_the_template_in_use_are_said_when_it_is_loaded(desk: Desk) -> None:
    desk.file(template="mine", templates={"mine": "$nmae", "other": "$5"})

    desk.open()

    assert desk.said == ["The template mine has names that do not exist: $nmae ($name?)."]


# Saving.


def test_a_choice_is_kept_for_later_kernels(desk: Desk) -> None:
    desk.open().configuration.save("to", ["notebook"])
    desk.open().configuration.save("auto", "2m")

    assert desk.saved() == {"to": ["notebook"], "auto": "2m"}
    assert desk.open().settings.auto == 120.0


def test_it_says_what_wins_over_the_file(desk: Desk) -> None:
    desk.environ["KNOCK_TO"] = "notebook"
    desk.config.Knock.to = ["notebook"]
    configuration = desk.open().configuration

    assert configuration.save("to", ["notebook"]) == ["KNOCK_TO", "c.Knock.to"]
    assert configuration.save("auto", "2m") == []


def test_a_file_that_can_not_be_changed_is_said(desk: Desk) -> None:
    desk.write("{")

    with pytest.raises(KnockError, match="expected"):
        desk.open().configuration.save("auto", "2m")


# In a real kernel.


@pytest.fixture
def own_home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    yield home
    home.clean()


@pytest.fixture
def start(own_home: Home) -> Iterator[Callable[..., Kernel]]:
    kernels: List[Kernel] = []

    def start(**settings: Optional[str]) -> Kernel:
        kernels.append(Kernel(own_home.env(**settings), own_home.work))
        return kernels[-1]

    yield start
    for kernel in kernels:
        kernel.close()


def settings_of(home: Home) -> Path:
    return home.folder / "knock" / "settings.json"


def write(home: Home, content: Any) -> None:
    path = settings_of(home)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    path.chmod(0o600)


def test_a_channel_from_the_file_is_knocked_on(own_home: Home, phone: Phone, start: Callable[..., Kernel]) -> None:
    write(own_home, {"channels": {"webhook": {"url": phone.url}}, "lang": "ko", "template": "short"})
    kernel = start(KNOCK_LANG=None).load()

    kernel.run("%%knock resnet\n1/0")

    assert phone.wait()["text"].startswith("❌ resnet 실패했어요 · ")
    assert "ZeroDivisionError: division by zero" in phone.wait()["title"]


def test_an_own_template_reaches_the_phone_also_when_the_kernel_is_killed(
    own_home: Home, phone: Phone, start: Callable[..., Kernel]
) -> None:
    texts = {"default": "[$name] $outcome", "died": "RIP $name: $error_type"}
    write(own_home, {"channels": {"webhook": {"url": phone.url}}, "templates": {"mine": texts}})
    kernel = start().load()

    kernel.run("%%knock resnet --template mine\npass")
    kernel.start("%%knock bert --template mine\nimport time\nprint('begun', flush=True)\ntime.sleep(600)")
    kernel.until("begun")
    kernel.kill()

    assert phone.wait_for(event="finished")["text"] == "[resnet] finished"
    assert phone.wait_for(event="died")["text"] == "RIP bert: SIGKILL"


def test_the_detailed_template_alone_shows_source(own_home: Home, phone: Phone, start: Callable[..., Kernel]) -> None:
    write(own_home, {"channels": {"webhook": {"url": phone.url}}})
    kernel = start().load()
    code = "def step():\n    return 1 / 0  # the line itself\nstep()"

    kernel.run(f"%%knock plain\n{code}")
    kernel.run(f"%%knock full --template detailed\n{code}")

    plain, full = phone.wait_for(name="plain"), phone.wait_for(name="full")
    assert "in step" in plain["text"]
    assert "the line itself" not in json.dumps(plain.json)
    assert "the line itself" in full["text"]


def test_a_choice_of_one_kernel_is_found_by_the_next(
    own_home: Home, phone: Phone, start: Callable[..., Kernel]
) -> None:
    write(own_home, {"channels": {"webhook": {"url": phone.url}}})
    kernel = start().load()
    for line in ("%knock use webhook --save", "%knock auto off --save", "%knock template short --save"):
        assert "Saved in" in kernel.run(line).text

    other = start().load()
    other.run("%%knock resnet\npass")

    saved = json.loads(settings_of(own_home).read_text())
    assert (saved["to"], saved["auto"], saved["template"]) == (["webhook"], "off", "short")
    assert "off" in other.run("%knock auto").text
    assert phone.wait()["name"] == "resnet"


def test_a_broken_file_is_one_line_and_the_notebook_goes_on(own_home: Home, start: Callable[..., Kernel]) -> None:
    write(own_home, '{"channels": {"webhook": {"secret": "' + SECRET + '", }')
    kernel = start()

    loaded = kernel.run("%load_ext knock")
    after = kernel.run("6 * 7")

    assert loaded.status == "ok"
    assert len(loaded.lines_with("settings.json")) == 1
    assert SECRET not in loaded.said
    assert (after.value, after.text) == ("42", "")


def test_templates_are_shown_as_they_look_on_a_channel(own_home: Home, start: Callable[..., Kernel]) -> None:
    write(own_home, {"templates": {"mine": "나의 $name · $outcome"}})
    kernel = start(KNOCK_LANG="ko").load()

    shown = kernel.run("%knock template").text
    one = kernel.run("%knock template mine --to webhook").text

    for words in ("short", "standard (사용 중)", "detailed", "mine", "resnet50 끝났어요", "나의 resnet50 · 실패했어요"):
        assert words in shown
    assert "웹훅에서 보이는 모습" in one
    assert "mine (사용 중)" in one
    assert "나의 resnet50 · 진행 중이에요" in one


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("%knock template nope", "no template is called 'nope'"),
        ("%knock template --to nope", "no channel is called 'nope'"),
        ("%knock template short --sav", "Did you mean --save?"),
        ("%knock use webhook --to x", "no option --to here"),
        ("%knock auto soon --save", "a duration looks like"),
    ],
)
def test_what_is_typed_wrong_is_one_line(line: str, said: str, kernel_with_knock: Kernel) -> None:
    result = kernel_with_knock.run(line)

    assert result.status == "ok"
    assert said in result.text
    assert len(result.text.strip().splitlines()) == 1


def test_settings_are_ready_before_anything_heavy_is_imported(home: Home) -> None:
    code = (
        "import sys, IPython\n"
        "from IPython.core.interactiveshell import InteractiveShell as S\n"
        "S.instance().run_line_magic('load_ext', 'knock')\n"
        "print([name for name in ('requests', 'ipywidgets', 'smtplib') if name in sys.modules])\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        env=home.env(KNOCK_TO="webhook", KNOCK_WEBHOOK_URL=URL),
        capture_output=True,
        encoding="utf-8",
    )

    assert done.stdout.strip() == "[]", done.stderr


def test_nothing_is_left_in_the_environment(desk: Desk) -> None:
    before: Tuple[Any, ...] = tuple(sorted(os.environ.items()))
    desk.file(channels={"webhook": {"url": URL}})

    desk.open().in_use()

    assert tuple(sorted(os.environ.items())) == before
