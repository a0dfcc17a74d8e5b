"""``%knock`` and ``%%knock``: what people type in a notebook."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

from IPython.core.magic import Magics, line_cell_magic, magics_class

from knock_magic import autoload, manual, messages, options, preview, status
from knock_magic.configuration import Knock
from knock_magic.durations import parse_duration
from knock_magic.errors import KnockError, SettingsError, UsageError, did_you_mean, perhaps
from knock_magic.head import MARK
from knock_magic.knocker import Knocker
from knock_magic.language import pick
from knock_magic.tables import Card, Table

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

MAGIC = "knock"
IN_TEXT = "--text"


@magics_class
class KnockMagics(Magics):
    """The commands; each prints, and none raises into the cell that it stands in."""

    def __init__(self, shell: InteractiveShell, knocker: Knocker) -> None:
        super().__init__(shell)
        self._knocker = knocker
        # What `%knock?` shows; by now it is known which language is read.
        KnockMagics.knock.__doc__ = manual.text()  # type: ignore[assignment,unused-ignore]
        self._commands: Dict[str, Callable[[str], None]] = {
            "": self._status,
            "setup": self._setup,
            "use": self._use,
            "auto": self._auto,
            "template": self._template,
            "test": self._test,
            "send": self._send,
            "history": self._history,
            "mute": self._mute,
            "unmute": self._unmute,
            "channels": self._channels,
            "login": self._login,
            "autoload": self._autoload,
        }

    @property
    def commands(self) -> List[str]:
        """The words that may follow ``%knock``."""
        return [name for name in self._commands if name]

    @line_cell_magic(MAGIC)  # type: ignore[arg-type,untyped-decorator,unused-ignore]  # IPython's hint is Never
    def knock(self, line: str, cell: str = "") -> None:
        """Knock when a cell has ended, or do one of the commands."""
        if cell:
            # Only another magic that asks for this one by name gets here; at the head of a cell the line is
            # taken out before any magic is looked for.
            assert self.shell is not None
            self.shell.run_cell(f"{MARK} {line}\n{cell}", store_history=False)
            return
        word, _, rest = line.strip().partition(" ")
        try:
            self._command(word, for_a_cell=_has_cell_options(rest))(rest.strip())
        except KnockError as problem:
            self._knocker.warn(str(problem))

    def _command(self, word: str, *, for_a_cell: bool) -> Callable[[str], None]:
        if word in self._commands:
            return self._commands[word]
        known = self.commands
        hint_en, hint_ko = perhaps(f"{MARK} {word[:40]} …") if for_a_cell else did_you_mean(word, known)
        raise UsageError(
            f"there is no command %knock {word[:40]}.{hint_en} "
            f"There are: {', '.join(known)}; %knock? tells what each does, "
            f"and {MARK} at the head of a cell knocks when it ends.",
            f"%knock {word[:40]} 명령은 없어요.{hint_ko} "
            f"쓸 수 있는 명령: {', '.join(known)}. 자세한 설명은 %knock?로 볼 수 있고, "
            f"셀 맨 위에 {MARK} 줄을 쓰면 그 셀이 끝날 때 알려 드려요.",
        )

    # The commands.

    def _status(self, _: str) -> None:
        self._show(status.card(self._knocker))

    def _setup(self, line: str) -> None:
        words = [word for word in line.split() if word != IN_TEXT]
        if len(words) > 1 or any(word.startswith("-") for word in words):
            raise UsageError(
                f"%knock setup takes one channel, and {IN_TEXT}; got {line[:40]!r}.",
                f"%knock setup 뒤에는 채널 하나와 {IN_TEXT}만 쓸 수 있어요. 받은 값: {line[:40]!r}",
            )
        name = words[0] if words else ""
        if name:
            self._knocker.channel(name)  # raises where there is none of that name
        kernel = getattr(self.shell, "kernel", None)
        # Where nobody can be asked (nbconvert, papermill), nobody can click either.
        if kernel is None or IN_TEXT in line.split() or not getattr(kernel, "_allow_stdin", True):
            self._ask(name)
            return
        from knock_magic.panel import Panel  # brings ipywidgets along, which only this command needs

        assert self.shell is not None
        self.shell.display_pub.publish(_as_view(Panel(self._knocker, self.shell, name).widget))

    def _ask(self, name: str) -> None:
        """The panel's questions, in text."""
        from knock_magic import login, questions

        assert self.shell is not None
        folder = self.shell.profile_dir.startup_dir if self.shell.profile_dir else ""
        is_kernel = hasattr(self.shell, "kernel")
        kakao = login.Notebook(self.shell) if is_kernel else login.Terminal(opens_browser=True)
        questions.run(self._knocker, questions.Person(), name, folder, kakao)

    def _use(self, line: str) -> None:
        line, to_file, _ = flags(line)
        names = line.replace(",", " ").split()
        if not names:
            raise UsageError(
                "%knock use needs a channel, e.g. %knock use webhook.", "%knock use webhook처럼 채널을 적어 주세요."
            )
        self._knocker.use(names)
        shown = ", ".join(names)
        print(pick({"en": f"Knocking on {shown} from here on.", "ko": f"이제부터 {shown} 채널로 알려 드려요."}))
        if to_file:
            print(saved(self._knocker, "to", self._knocker.settings.to))

    def _auto(self, line: str) -> None:
        line, to_file, _ = flags(line)
        if line:
            self._knocker.auto(_threshold(line))
        print(status.auto_line(self._knocker))
        if to_file:
            seconds = self._knocker.settings.auto
            typed = line if line.lower() != "on" else ""
            print(saved(self._knocker, "auto", typed or ("off" if seconds is None else f"{seconds:g}s")))

    def _template(self, line: str) -> None:
        name, to_file, channel = flags(line, takes_channel=True)
        self._knocker.configuration.refresh()
        if name:
            self._knocker.use_template(name)
        print("\n".join(preview.lines(self._knocker, name, channel)))
        if to_file:
            print(saved(self._knocker, "template", self._knocker.settings.template))

    def _test(self, line: str) -> None:
        names = line.replace(",", " ").split() or list(self._knocker.in_use())
        for text, _ in messages.test(self._knocker, names):
            print(text)
        self._say_if_muted()

    def _send(self, line: str) -> None:
        text, given = options.split_off(line, ("to", "picture"))
        if not text and "picture" not in given:
            raise UsageError("%knock send needs a text.", "%knock send 뒤에 보낼 글을 적어 주세요.")
        names = messages.named(given.get("to"))
        for name in names:
            self._knocker.ready(name)
        messages.tell(self._knocker, text, names, given.get("picture"))
        outside = [name for name in names or self._knocker.in_use() if not self._knocker.channel(name).in_kernel]
        if status.muted_line(self._knocker):
            self._say_if_muted()
        elif outside:
            shown = ", ".join(outside)
            print(pick({"en": f"On its way to {shown}.", "ko": f"{shown} 채널로 보내고 있어요."}))

    def _history(self, line: str) -> None:
        from knock_magic import history  # brings statistics along, and nobody who loads us should wait for that

        query = history.parse(options.words_of(line))
        found = history.History(self._knocker.outbox_paths)
        entries = found.entries(query)
        if query.as_json:
            print(json.dumps([entry.to_json() for entry in entries], ensure_ascii=False, indent=2))
        elif not entries:
            print(history.nothing(query))
        elif query.run and len(entries) == 1:
            self._show(history.detail(entries[0], found.said_of(entries[0].run)))
        else:
            self._show(history.table(entries))

    def _mute(self, line: str) -> None:
        if line == "off":
            self._unmute("")
            return
        if line:
            self._knocker.mute(parse_duration(line))
        print(status.muted_line(self._knocker) or status.not_muted())

    def _unmute(self, _: str) -> None:
        self._knocker.mute(0.0)
        print(status.not_muted())

    def _say_if_muted(self) -> None:
        if status.muted_line(self._knocker):
            print(status.muted_line(self._knocker))

    def _channels(self, _: str) -> None:
        print("\n".join(status.channel_lines(self._knocker)))

    def _login(self, line: str) -> None:
        from knock_magic import login  # brings a server along, which is for those who log in

        assert self.shell is not None
        words = line.split()
        unknown = [word for word in words if word.startswith("-") and word not in login.OPTIONS]
        if unknown:
            raise no_option(unknown[0], login.OPTIONS)
        in_notebook = hasattr(self.shell, "kernel")
        opens_browser = login.NO_BROWSER not in words
        login.run(self._knocker, login.Notebook(self.shell) if in_notebook else login.Terminal(opens_browser), words)

    def _autoload(self, line: str) -> None:
        assert self.shell is not None
        assert self.shell.profile_dir is not None
        folder = self.shell.profile_dir.startup_dir
        if line not in ("", "on", "off"):
            raise UsageError(
                f"%knock autoload takes on or off, got {line[:40]!r}.",
                f"%knock autoload 뒤에는 on이나 off를 적어 주세요. 받은 값: {line[:40]!r}",
            )
        if line == "on":
            autoload.turn_on(folder)
        elif line == "off":
            autoload.turn_off(folder)
            print(pick({"en": "No longer loaded by itself.", "ko": "이제 자동으로 불러오지 않아요."}))
            return
        print(autoload.line(folder))

    def _show(self, shown: Union[Card, Table]) -> None:
        """As HTML where a notebook shows it, else as text."""
        assert self.shell is not None
        if hasattr(self.shell, "kernel"):
            self.shell.display_pub.publish({"text/plain": shown.as_text(), "text/html": shown.as_html()})
        else:
            print(shown.as_text(shutil.get_terminal_size().columns))


def _as_view(widget: Any) -> Dict[str, Any]:
    """What a front end draws a widget by; one that draws none shows the text."""
    texts = {
        "en": "This page draws no widgets. %knock setup --text asks the same questions in text.",
        "ko": "이 화면에서는 위젯을 그릴 수 없어요. %knock setup --text로 하면 글로 물어봐요.",
    }
    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    return {"text/plain": pick(texts), "application/vnd.jupyter.widget-view+json": view}


def _threshold(typed: str) -> Optional[float]:
    """What ``%knock auto TYPED`` asks for, in seconds; ``on`` is what it is where nobody has said."""
    if typed.lower() in ("on", "off"):
        return Knock.auto.default_value if typed.lower() == "on" else None
    return parse_duration(typed)


def _has_cell_options(line: str) -> bool:
    """Whether `line` has an option that only a cell takes: then a % is missing."""
    return any(word.partition("=")[0] in (f"--{name}" for name in options.HELP) for word in line.split())


def flags(line: str, *, takes_channel: bool = False) -> Tuple[str, bool, str]:
    """The words of `line`, whether ``--save`` is among them, and the channel behind ``--to`` where that is taken."""
    words, to_file, channel = [], False, ""
    tokens = iter(options.words_of(line))
    for token in tokens:
        if token == "--save":
            to_file = True
        elif takes_channel and token.partition("=")[0] == "--to":
            channel = token.partition("=")[2] or next(tokens, "")
            if not channel:
                raise UsageError("--to needs a channel.", "--to 뒤에 채널을 적어 주세요.")
        elif token.startswith("--"):
            known = ["--save", "--to"] if takes_channel else ["--save"]
            raise no_option(token, known)
        else:
            words.append(token)
    return " ".join(words), to_file, channel


def no_option(token: str, known: Sequence[str]) -> UsageError:
    """The error for an option that is not there."""
    hint_en, hint_ko = did_you_mean(token, known)
    there_are = "The only option here is" if len(known) == 1 else "There are:"
    return UsageError(
        f"there is no option {token[:40]} here.{hint_en} {there_are} {', '.join(known)}.",
        f"여기에 {token[:40]} 옵션은 없어요.{hint_ko} 쓸 수 있는 옵션: {', '.join(known)}.",
    )


def saved(knocker: Knocker, name: str, value: Any) -> str:
    """Keep the setting in the file; where it went, and what wins over it. Raises `SettingsError`."""
    try:
        stronger = ", ".join(knocker.configuration.save(name, value))
    except SettingsError as problem:
        texts = problem.texts
        raise SettingsError(f"Not saved: {texts['en']}", f"저장하지 못했어요. {texts['ko']}") from None
    where = knocker.configuration.file_name
    return pick(
        {
            "en": f"Saved in {where}." + (f" But it is overruled by {stronger}." if stronger else ""),
            "ko": f"{where} 파일에 저장했어요." + (f" 다만 {stronger} 값이 우선해요." if stronger else ""),
        }
    )
