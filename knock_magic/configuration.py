"""`Configuration`: all that is set in this process, from every source, and the way back into the settings file.

The file and the secrets of Colab or Kaggle are read where the person waits for it: at the start, and when they
choose a channel or a template. In between, and so in every hook, only what was read is looked at.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any, Callable, Dict, Iterable, List, Mapping, Sequence, Set, Tuple, Type

from traitlets import Bool, List as ListTrait, Unicode

from knock_magic import channels, folders, language, own_templates, plugins
from knock_magic.channels.base import Channel
from knock_magic.errors import KnockError, SettingsError, UsageError, did_you_mean, nearest, perhaps, seen
from knock_magic.notebook_secrets import NotebookSecrets
from knock_magic.own_templates import Own
from knock_magic.rules import OUTCOMES
from knock_magic.settings import Duration, Explained, Language, Settings, Sources
from knock_magic.settings_file import SettingsFile, plain
from knock_magic.template import BUILT_IN, STANDARD, Choice

Say = Callable[[str], None]


class Outcomes(ListTrait):
    """Outcomes of a run, by their names."""

    info_text = f"outcomes ({', '.join(OUTCOMES)}), separated by commas"

    def validate(self, obj: Any, value: Any) -> Any:
        """Refuse what is no outcome; each is there once."""
        names = super().validate(obj, value) or []
        for name in names:
            if name not in OUTCOMES:
                hint_en, hint_ko = did_you_mean(name, OUTCOMES)
                known = ", ".join(OUTCOMES)
                got_en, got_ko = seen(name)
                raise Explained(
                    f"takes these outcomes: {known}{got_en}.{hint_en}", f"{known} 중에서 적어 주세요.{got_ko}.{hint_ko}"
                )
        return list(dict.fromkeys(names))


class Knock(Settings):
    """The settings that belong to no channel."""

    to = ListTrait(Unicode(), help="Channels to knock on.").tag(config=True, ko="알림을 보낼 채널")
    auto = Duration(60.0, help="Knock for every cell that ran at least this long; off: only when asked.").tag(
        config=True, ko="이보다 오래 걸린 셀은 모두 알림, off면 요청할 때만"
    )
    template = Unicode(STANDARD, help=f"Message template: {', '.join(BUILT_IN)}, or one of your own.").tag(
        config=True, ko=f"메시지 템플릿: {', '.join(BUILT_IN)} 또는 직접 만든 것"
    )
    on = Outcomes(Unicode(), help=f"Outcomes that knock: {', '.join(OUTCOMES)}; empty: all but the last two.").tag(
        config=True, ko=f"알림을 보낼 결과: {', '.join(OUTCOMES)}, 비우면 마지막 둘만 빼고 모두"
    )
    every = Duration(None, help="Knock with the progress this often; off: only where a cell asks for it.").tag(
        config=True, ko="진행 상황을 알릴 간격, off면 셀에서 요청할 때만"
    )
    stall = Duration(
        None, help="Knock when nothing happened for this long; off: as long as the run's own pace tells."
    ).tag(config=True, ko="이만큼 아무 일도 없으면 알림, off면 학습 속도에 맞춰 판단")
    lang = Language(help="Language of messages and errors; empty: the locale's.").tag(
        config=True, ko="메시지와 오류의 언어, 비우면 시스템 언어"
    )
    tail = Bool(False, help="Show the last lines that were printed, in detailed messages.").tag(
        config=True, ko="마지막에 출력한 몇 줄을 detailed 메시지에 보여 줌"
    )
    disable = Bool(False, help="Load, but neither watch nor knock.").tag(
        config=True, ko="불러오되 지켜보지도 알리지도 않음"
    )

    @classmethod
    def unknown(cls, name: str, written: str) -> SettingsError:
        if not channels.is_one(name):
            return super().unknown(name, written)
        return SettingsError(
            f'{written} belongs under "channels": {{"channels": {{"{name}": {{..}}}}}}. It is ignored.',
            f'{written} 설정은 "channels" 아래에 있어야 해요: {{"channels": {{"{name}": {{..}}}}}}. 지금은 무시해요.',
        )


class Configuration:
    """What is set; a complaint about any of it is said once.

    Args:
        sources: the environment and IPython's config.
        say: how a complaint reaches the user.
    """

    def __init__(self, sources: Sources, say: Say) -> None:
        self._say = say
        self._said: Set[str] = set()
        self._secrets = NotebookSecrets()
        folder = folders.settings_folder(sources.environ)
        self._file = SettingsFile(folder)
        self.own_channels = os.path.join(folder, plugins.FOLDER)
        channels.look_in(self.own_channels)
        self._channels: Dict[str, Channel] = {}
        self.sources = dataclasses.replace(sources, file_name=self._file.shown, secrets=self._secrets.values)
        self.templates: Dict[str, Own] = {}
        problems = self._read_file()
        self.general, wrong = read_general(self.sources)
        if not self.general.disable:
            problems += self._ask_at_the_start()
            self.general, wrong = read_general(self.sources)
        language.use(self.general.lang)
        self._complain([*problems, *wrong, *stray_variables(sources.environ), *stray_sections(sources.config)])
        self.usable_template(self.general.template)
        self._complain(self.faults_of(self.general.template))

    @property
    def file_name(self) -> str:
        """The settings file, as its owner calls it."""
        return self._file.shown

    def save(self, name: str, value: Any) -> List[str]:
        """Keep the general setting `name` in the settings file; what wins over the file here, as it is written.

        Raises:
            SettingsError: the file can't be changed.
        """

        def change(data: Dict[str, Any]) -> None:
            data[name] = value

        self._file.update(change)
        return list(self._stronger(Knock, [name]))

    def save_channel(self, name: str, values: Mapping[str, Any]) -> Dict[str, Any]:
        """Keep settings of the channel `name` in the settings file; what wins over the file here, as it is written.

        Raises:
            SettingsError: the file can't be changed.
        """

        def change(data: Dict[str, Any]) -> None:
            section: Any = data
            for key in ("channels", name):
                section = section.setdefault(key, {})
                if not isinstance(section, dict):
                    raise SettingsError(
                        f"{self.file_name}: {key} must be an object: {{..}}.",
                        f"{self.file_name}: {key} 값은 {{..}}로 감싼 객체여야 해요.",
                    )
            section.update(values)

        self._file.update(change)
        return self._stronger(channels.find(name), values)

    @property
    def is_on_drive(self) -> bool:
        """Whether the settings file is on a Google Drive."""
        return bool(folders.drive_folder()) and os.path.dirname(self._file.path) == folders.drive_folder()

    def move_to(self, folder: str) -> None:
        """Keep the settings in `folder` from here on: what is set in the file now comes along, and wins there.

        Raises:
            SettingsError: nothing can be kept there.
        """
        here, _ = self._file.read()
        there = SettingsFile(folder)

        def change(data: Dict[str, Any]) -> None:
            for key, value in here.items():
                old = data.get(key)
                data[key] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value

        there.update(change)
        self._file = there
        self.sources = dataclasses.replace(self.sources, file_name=there.shown)
        self._complain(self._read_file())

    def fetch_secrets(self, variables: Iterable[str]) -> List[SettingsError]:
        """Ask Colab or Kaggle for the secrets called `variables`; what stood in the way."""
        return self._secrets.fetch(variables)

    def forget_channel(self, name: str) -> None:
        """Take the settings of the channel `name` out of the settings file.

        Raises:
            SettingsError: the file can't be changed.
        """

        def change(data: Dict[str, Any]) -> None:
            if isinstance(data.get("channels"), dict):
                data["channels"].pop(name, None)

        self._file.update(change)

    def is_in_file(self, name: str) -> bool:
        """Whether the settings file has settings of the channel `name`."""
        return bool(self.sources.file.get("channels", {}).get(name))

    def save_template(self, name: str, texts: Own) -> None:
        """Keep the person's own template `name` in the settings file, and have it at once.

        Raises:
            SettingsError: the file can't be changed, or the name is taken by a built-in one.
        """
        problems = own_templates.read({name: dict(texts)}, self.file_name)[1]
        if problems:
            raise problems[0]

        def change(data: Dict[str, Any]) -> None:
            data["templates"] = {**(data.get("templates") or {}), name: dict(texts)}

        self._file.update(change)
        self._complain(self._read_file())

    def _stronger(self, settings: Type[Settings], names: Iterable[str]) -> Dict[str, Any]:
        """What sets one of `names` and wins over the file: how it is written there, and its value."""
        without_file = dataclasses.replace(self.sources, file={})
        return {written: value for name, written, value in settings.written(without_file) if name in names}

    # Reading.

    def refresh(self, names: Sequence[str] = ()) -> None:
        """Read the own templates, and the settings of the channels `names`, once more from all sources.

        What keeps one of these from being used is for the caller to say, who was asked for it.
        """
        channels.look_again()
        problems = self._read_file()
        for name in names:
            self._channels.pop(name, None)
        problems += self._secrets.fetch(each for name in names for each in self._unset(channels.find(name)))
        self._complain(problems)
        for name in names:
            found, _ = channels.find(name).read(self.sources)
            assert isinstance(found, Channel)
            self._said.update(str(found.refused[each]) for each in found.missing() if each in found.refused)

    def _read_file(self) -> List[SettingsError]:
        data, problems = self._file.read()
        name = self._file.read_from
        self.sources = dataclasses.replace(self.sources, file=data, file_name=name)
        self.templates, wrong = own_templates.read(data.get("templates", {}), name)
        strays = [stray for stray in data.get("channels", {}) if not channels.is_one(stray)]
        return [*problems, *wrong, *(_no_channel(f"{name}: channels.{plain(stray)}", stray) for stray in strays)]

    def _ask_at_the_start(self) -> List[SettingsError]:
        """Ask for the secrets of what is in use; who keeps `to` there may keep more of the general ones there."""
        problems: List[SettingsError] = []
        if not self.general.to:
            problems = self._secrets.fetch([Knock.env_name("to")])
            if self._secrets.values.get(Knock.env_name("to")):
                problems += self._secrets.fetch(each for each in self._unset(Knock) if each != Knock.env_name("to"))
                self.general, _ = read_general(self.sources)
        if problems:
            return problems
        known = [name for name in self.general.to or self.mentioned() if channels.is_one(name)]
        return self._secrets.fetch(variable for name in known for variable in self._variables(name))

    def _variables(self, name: str) -> List[str]:
        """Those of the channel `name` to ask for; none where it can't be used, which is said once it is to be."""
        try:
            return self._unset(channels.find(name))
        except KnockError:
            return []

    def _unset(self, settings: Type[Settings]) -> List[str]:
        """The variables of `settings` that neither the environment nor IPython's config sets, which are stronger."""
        stronger = dataclasses.replace(self.sources, file={}, secrets={})
        is_set = {name for name, _, _ in settings.written(stronger)}
        return [settings.env_name(name) for name in settings.fields() if name not in is_set]

    def _complain(self, problems: Iterable[KnockError]) -> None:
        for text in map(str, problems):
            if text not in self._said:
                self._said.add(text)
                self._say(text)

    def has_said(self, text: str) -> bool:
        """Whether this complaint was made before."""
        return text in self._said

    # Channels.

    def channel(self, name: str) -> Channel:
        """The channel `name` with its settings; raises `UsageError` where there is none of that name."""
        if name not in self._channels:
            found, problems = channels.find(name).read(self.sources)
            assert isinstance(found, Channel)
            self._complain([*problems, *strays_of(found, self.sources.environ)])
            self._channels[name] = found
        return self._channels[name]

    def drafted(self, name: str, values: Mapping[str, Any]) -> Channel:
        """The channel `name` as it would be with `values` on top of what is set; nothing goes by it yet.

        Raises:
            SettingsError: one of them does not fit.
        """
        found, _ = channels.find(name).read(self.sources)
        assert isinstance(found, Channel)
        for each, value in values.items():
            found.put(each, value)
        return found

    def try_out(self, channel: Channel) -> None:
        """Go by `channel` in this process until its settings are read again."""
        self._channels[channel.key] = channel

    def secrets(self) -> List[str]:
        """The secrets of the channels that were looked at so far."""
        return [secret for channel in list(self._channels.values()) for secret in channel.secrets()]

    def mentioned(self) -> List[str]:
        """The channels that any source sets something of."""
        in_file = self.sources.file.get("channels", {})
        in_environment = {owner_of(variable) for variable in self.sources.environ}
        # The class is looked at only where something could be set: an import each would slow the loading.
        in_config = {str(section).lower() for section in self.sources.config}
        return [
            name
            for name in channels.near()
            if in_file.get(name) or name in in_environment or name.replace("_", "") in in_config
        ]

    # Templates.

    def template_names(self) -> List[str]:
        """The templates there are: the built-in ones, then the person's own."""
        return [*BUILT_IN, *self.templates]

    def template(self, name: str) -> Choice:
        """The template `name` as rules carry it; raises `UsageError` where there is none of that name."""
        if name in BUILT_IN:
            return name
        if name in self.templates:
            return {"name": name, "texts": self.templates[name]}
        known = self.template_names()
        hint_en, hint_ko = did_you_mean(name, known)
        raise UsageError(
            f"no template is called {name[:40]!r}.{hint_en} There are: {', '.join(known)}.",
            f"{name[:40]!r} 템플릿은 없어요.{hint_ko} 쓸 수 있는 템플릿: {', '.join(known)}.",
        )

    def usable_template(self, name: str) -> Choice:
        """The template `name`, or the standard one where there is none of that name, which is said once."""
        try:
            return self.template(name)
        except UsageError as problem:
            en, ko = problem.texts["en"], problem.texts["ko"]
            self._complain([UsageError(f"{en} {STANDARD} is used.", f"{ko} 대신 {STANDARD} 템플릿을 써요.")])
            return STANDARD

    def faults_of(self, name: str) -> List[SettingsError]:
        """What is wrong in the texts of the template `name`."""
        return own_templates.check(name, self.templates.get(name, {}))


def read_general(sources: Sources) -> Tuple[Knock, List[SettingsError]]:
    """The general settings, and what of them could not be taken."""
    found, problems = Knock.read(sources)
    assert isinstance(found, Knock)
    return found, problems


def _no_channel(written: str, name: str) -> SettingsError:
    hint_en, hint_ko = did_you_mean(name, channels.names())
    known = ", ".join(channels.names())
    return SettingsError(
        f"{written} is no channel, and is ignored.{hint_en} There are: {known}.",
        f"{written}: 없는 채널이라 무시해요.{hint_ko} 쓸 수 있는 채널: {known}.",
    )


# The environment. It is everybody's, so only what surely or nearly has a name of ours is complained of.

PREFIX = "KNOCK_"
NEAR = 0.8
SECTION_NEAR = 0.8  # c.Slak, c.Slakc; c.NotebookApp, which is Jupyter's, is too much longer than c.Notebook


def owner_of(variable: str) -> str:
    """The channel whose settings begin like `variable`; the longest name wins, as in ``KNOCK_LINE_WORKS_URL``."""
    if not variable.startswith(PREFIX):  # nearly all of them, and all are asked about with each knock
        return ""
    rest = variable[len(PREFIX) :].lower()
    if "_" not in rest:
        return ""
    return _longest_before(rest, channels.near()) or _longest_before(rest, channels.names())


def _longest_before(rest: str, names: Iterable[str]) -> str:
    return max((name for name in names if rest.startswith(f"{name}_")), key=len, default="")


def strays_of(channel: Channel, environ: Mapping[str, str]) -> List[SettingsError]:
    """The variables in `environ` that begin like those of `channel` and set nothing."""
    own = {channel.env_name(name) for name in channel.fields()}
    strays = [variable for variable in sorted(environ) if owner_of(variable) == channel.key and variable not in own]
    return [channel.unknown(variable[len(PREFIX) + len(channel.key) + 1 :], variable) for variable in strays]


def stray_variables(environ: Mapping[str, str]) -> List[SettingsError]:
    """The variables in `environ` that are nearly one of ours."""
    own = [*Knock.fields(), "home"]
    found = []
    for variable in sorted(environ):
        rest = variable[len(PREFIX) :].lower()
        if not variable.startswith(PREFIX) or rest in own or owner_of(variable):
            continue
        likely, (first, line, last) = nearest(rest, own, NEAR), rest.partition("_")
        if not likely and nearest(first, channels.names(), NEAR):
            likely = nearest(first, channels.names(), NEAR) + line + last
        if likely:
            hint_en, hint_ko = perhaps(PREFIX + likely.upper())
            found.append(SettingsError(f"{variable} sets nothing.{hint_en}", f"{variable}: 없는 설정이에요.{hint_ko}"))
    return found


def stray_sections(config: Mapping[str, Any]) -> List[SettingsError]:
    """The sections of IPython's config that are nearly one of ours; all others are none of our business."""
    names = {name.replace("_", ""): name for name in (*channels.near(), "knock")}
    found = []
    for section in map(str, config):
        alike = [name for name in names if name[0] == section[:1].lower() and abs(len(name) - len(section)) <= 2]
        likely = alike and nearest(section.lower(), alike, SECTION_NEAR)
        own = "Knock" if likely == "knock" else likely and channels.find(names[likely]).__name__
        if likely and section != own:
            hint_en, hint_ko = perhaps(f"c.{own}")
            written = f"c.{plain(section)}"
            found.append(
                SettingsError(f"{written} sets nothing.{hint_en}", f"{written}: 없는 설정이라 무시해요.{hint_ko}")
            )
    return found
