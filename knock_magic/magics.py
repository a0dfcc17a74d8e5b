"""``%knock`` and ``%%knock``: what people type in a notebook."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Tuple

from IPython.core.magic import Magics, line_cell_magic, magics_class

from knock_magic import channels, options, outbox, preview
from knock_magic.durations import parse_duration, say_duration
from knock_magic.errors import KnockError, UsageError, did_you_mean
from knock_magic.head import MARK
from knock_magic.knocker import Knocker
from knock_magic.language import pick
from knock_magic.settings import label_of
from knock_magic.wording import OUTCOME_WORDS

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

MAGIC = "knock"
TEST_SECONDS = 30.0


@magics_class
class KnockMagics(Magics):
    """The commands; each prints, and none raises into the cell that it stands in."""

    def __init__(self, shell: InteractiveShell, knocker: Knocker) -> None:
        super().__init__(shell)
        self._knocker = knocker
        self._commands: Dict[str, Callable[[str], None]] = {
            "": self._status,
            "use": self._use,
            "auto": self._auto,
            "template": self._template,
            "test": self._test,
            "send": self._send,
            "channels": self._channels,
        }

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
            self._command(word)(rest.strip())
        except KnockError as problem:
            self._knocker.warn(str(problem))

    def _command(self, word: str) -> Callable[[str], None]:
        if word in self._commands:
            return self._commands[word]
        known = [name for name in self._commands if name]
        hint_en, hint_ko = did_you_mean(word, known)
        raise UsageError(
            f"%knock {word[:40]} is no command.{hint_en} "
            f"There are: {', '.join(known)}; {MARK} at the head of a cell knocks when it ends.",
            f"%knock {word[:40]} 명령은 없어요.{hint_ko} "
            f"쓸 수 있는 명령: {', '.join(known)}. 셀 맨 위에 {MARK} 줄을 쓰면 그 셀이 끝날 때 알려 드려요.",
        )

    # The commands.

    def _status(self, _: str) -> None:
        print("\n".join(status(self._knocker)))

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
            self._knocker.auto(None if line.lower() == "off" else parse_duration(line))
        print(auto_line(self._knocker))
        if to_file:
            seconds = self._knocker.settings.auto
            print(saved(self._knocker, "auto", line or ("off" if seconds is None else f"{seconds:g}s")))

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
        for text, _ in test(self._knocker, names):
            print(text)

    def _send(self, line: str) -> None:
        if not line:
            raise UsageError("%knock send needs a text.", "%knock send 뒤에 보낼 글을 적어 주세요.")
        self._knocker.send(options.unquoted(line))

    def _channels(self, _: str) -> None:
        print("\n".join(channel_lines(self._knocker)))


HELP = f"""Knock when a cell has ended, or do one of the commands.

    {MARK} [NAME ...] [OPTIONS]      at the head of a cell: knock when it ends, however it ends

{options.usage("en")}

    %knock                          status: channels, threshold, what is waiting
    %knock use CHANNEL...           knock on these channels from here on
    %knock auto 60|off              knock for every cell that ran at least 60 s, or only when asked
    %knock template [NAME] [--to CHANNEL]   show the message templates as they look there; NAME: use it
    %knock test [CHANNEL...]        send a test knock and say what the channel answered
    %knock send TEXT                knock with a text; {{x}} and $x are replaced
    %knock channels                 the channels there are, and what each needs

    use, auto and template are for this kernel; with --save also for every later one.
"""
KnockMagics.knock.__doc__ = HELP  # type: ignore[assignment,unused-ignore]  # what `%knock?` shows


def status(knocker: Knocker) -> List[str]:
    """How things stand, in a few lines."""
    names = knocker.in_use()
    lines = [pick({"en": f"channels  {', '.join(names)}", "ko": f"채널   {', '.join(names)}"}), auto_line(knocker)]
    for name in names:
        last = knocker.last_results.get(name)
        if last and not last["ok"]:
            lines.append(f"{name}  {last['reason']}")
    waiting = outbox.peek(knocker.outbox_path, "waiting")
    now = time.time()
    for row in waiting[:5]:
        outcome = OUTCOME_WORDS[pick({"en": "en", "ko": "ko"})][row["event"]]
        since = say_duration(now - row["happened_at"])
        reason = f" ({row['reason']})" if row["reason"] else ""
        lines.append(
            pick(
                {
                    "en": f"waiting   {row['name']} {outcome} → {row['channel']}, for {since}{reason}",
                    "ko": f"대기   {row['name']} {outcome} → {row['channel']}, {since}째{reason}",
                }
            )
        )
    pid = knocker.sidecar.courier_pid
    lines.append(
        pick(
            {
                "en": f"courier   {f'running (pid {pid})' if pid else 'starts with the next cell'}; {len(waiting)} waiting",
                "ko": f"전달   {f'동작 중 (pid {pid})' if pid else '다음 셀에서 시작해요'}, 대기 {len(waiting)}건",
            }
        )
    )
    return lines


def auto_line(knocker: Knocker) -> str:
    """The threshold, in a line."""
    seconds = knocker.settings.auto
    if seconds is None:
        return pick({"en": f"auto      off: only {MARK} cells knock", "ko": f"자동   꺼짐, {MARK} 셀만 알려요"})
    span = say_duration(seconds)
    return pick(
        {"en": f"auto      every cell that runs at least {span}", "ko": f"자동   {span} 이상 걸린 셀은 모두 알려요"}
    )


def channel_lines(knocker: Knocker) -> List[str]:
    """Every channel with its state and its settings."""
    lines = []
    for name in channels.names():
        channel = knocker.channel(name)
        missing = channel.missing()
        state = (
            pick({"en": "needs setting up", "ko": "설정 필요"}) if missing else pick({"en": "ready", "ko": "준비됨"})
        )
        lines.append(f"{name} ({pick(channel.label)}): {state}")
        for trait_name, trait in channel.fields().items():
            needed = pick({"en": " (required)", "ko": " (필수)"}) if trait.metadata.get("required") else ""
            lines.append(f"    {channel.env_name(trait_name)}  {label_of(trait)}{needed}")
    return lines


def flags(line: str, *, takes_channel: bool = False) -> Tuple[str, bool, str]:
    """The words of `line`, whether ``--save`` is among them, and the channel behind ``--to`` where that is taken."""
    words, to_file, channel = [], False, ""
    tokens = iter(line.split())
    for token in tokens:
        if token == "--save":
            to_file = True
        elif takes_channel and token.partition("=")[0] == "--to":
            channel = token.partition("=")[2] or next(tokens, "")
            if not channel:
                raise UsageError("--to needs a channel.", "--to 뒤에 채널을 적어 주세요.")
        elif token.startswith("--"):
            known = ["--save", "--to"] if takes_channel else ["--save"]
            hint_en, hint_ko = did_you_mean(token, known)
            raise UsageError(
                f"there is no option {token[:40]} here.{hint_en} There is: {', '.join(known)}.",
                f"여기에 {token[:40]} 옵션은 없어요.{hint_ko} 쓸 수 있는 옵션: {', '.join(known)}.",
            )
        else:
            words.append(token)
    return " ".join(words), to_file, channel


def saved(knocker: Knocker, name: str, value: Any) -> str:
    """Keep the setting in the file; where it went, and what wins over it."""
    stronger = ", ".join(knocker.configuration.save(name, value))
    where = knocker.configuration.file_name
    return pick(
        {
            "en": f"Saved in {where}." + (f" But {stronger} is set too, and wins." if stronger else ""),
            "ko": f"{where} 파일에 저장했어요." + (f" 다만 {stronger} 값이 우선해요." if stronger else ""),
        }
    )


def test(knocker: Knocker, names: List[str]) -> List[Tuple[str, bool]]:
    """Send a test knock on `names`: what each channel answered within half a minute, and whether that was good."""
    for name in names:
        knocker.ready(name)
    began = time.monotonic()
    event = knocker.send("", names, kind="test")
    answers = []
    for name, result in knocker.results(event, names, TEST_SECONDS).items():
        if result is None:
            texts = {
                "en": f"{name}: no answer yet; it is tried again.",
                "ko": f"{name}: 아직 응답이 없어요. 다시 시도할게요.",
            }
        elif result["ok"]:
            took = say_duration(time.monotonic() - began)
            texts = {"en": f"{name}: arrived ({took}).", "ko": f"{name}: 도착했어요 ({took})."}
        else:
            texts = {"en": f"{name}: {result['reason']}"}
        answers.append((pick(texts), bool(result and result["ok"])))
    return answers
