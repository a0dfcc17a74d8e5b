"""``knock run``: a command as a `Run`. Whatever becomes of us, the command runs, and its exit code is ours."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
from typing import Any, List, Mapping, Optional, Sequence, Tuple, Union

from knock_magic import child, death, knocker
from knock_magic.armed import begun, tell_progress
from knock_magic.child import Child, Ending, PlainChild
from knock_magic.errors import UsageError
from knock_magic.event import ErrorInfo
from knock_magic.guard import guarded
from knock_magic.knocker import Knocker, say_on_stderr
from knock_magic.language import pick
from knock_magic.names import name_of
from knock_magic.options import PYTHON_OPTIONS, Options, from_words
from knock_magic.output import output
from knock_magic.relay import Heard
from knock_magic.runs import Run, peak_bytes_of_children

EXIT_CODE = "exit_code"  # the metric that a command's exit code is shown as
KILLED = "killed"  # the note of what died, and its kernel did not
SCHEDULER = "scheduler"  # the note of what Slurm or Kubernetes has ended
# Who ends by an interrupt does so soon; what happens later has another cause.
INTERRUPTED_WITHIN_S = 60.0


def main(words: Sequence[str]) -> int:
    """Do ``knock run WORDS``; gives the exit code. Raises `UsageError`."""
    asked, command = _understood(list(words))
    door = _door()
    oom_kills = death.oom_kills()
    try:
        running = child.start(command, may_tell=door is not None and not door.settings.disable)
    except OSError as error:
        run, ending = _begin(door, asked, command), _not_started(command[0], error)
    else:
        run, ending = _begin(door, asked, command, running), running.wait()
    _tell_end(run, ending, death.oom_kills() > oom_kills, os.environ)
    if door:
        door.tell_trouble()
    return ending.code


def _understood(words: Sequence[str]) -> Tuple[Options, List[str]]:
    if "--" not in words or words[-1] == "--":
        raise UsageError(
            "knock run needs the command behind --, e.g. knock run resnet -- python train.py.",
            "knock run resnet -- python train.py처럼 -- 뒤에 명령을 적어 주세요.",
        )
    at = words.index("--")
    asked, problems = from_words(words[:at], PYTHON_OPTIONS)  # the same as for a function: nothing can be looked into
    for problem in problems:  # a typing error is no reason to lose a night
        say_on_stderr(str(problem))
    return asked, list(words[at + 1 :])


@guarded
def _door() -> Knocker:
    door = knocker.current()
    door.look_ahead()
    if not door.settings.disable:
        door.look_back()
        door.tell_trouble()
    return door


@guarded
def _begin(
    door: Optional[Knocker], asked: Options, command: Sequence[str], running: Union[Child, PlainChild, None] = None
) -> Optional[Run]:
    if door is None or door.settings.disable:
        return None
    name, rules = asked.name or name_of(shlex.join(command)), door.rules(asked, min_s=0.0)
    run = begun(door, name, rules, here=False, heard=lambda: running.said if running else 0)
    if isinstance(running, Child):
        running.on_progress = lambda heard: _report(run, rules, heard)
    run.measure(peak_bytes_of_children)
    return run


@guarded
def _report(run: Run, rules: Mapping[str, Any], heard: Heard) -> None:
    run.lower = {**run.lower, **heard.lower}
    tell_progress(run, rules, heard.step, heard.total, heard.metrics)


def _not_started(name: str, error: OSError) -> Ending:
    # A folder of PATH that we may not look into says "permission denied", where a shell says that there is none.
    denied = isinstance(error, PermissionError) and not os.path.dirname(name) and shutil.which(name) is None
    missing = isinstance(error, FileNotFoundError) or denied
    if missing:
        text = pick({"en": f"{name}: command not found", "ko": f"{name}: 명령을 찾을 수 없어요"})
    else:
        text = f"{name}: {error.strerror or error}"
    say_on_stderr(text)
    return Ending(code=child.NOT_FOUND if missing else child.NOT_EXECUTABLE, tail=text)


@guarded
def _tell_end(run: Optional[Run], ending: Ending, oom: bool, environ: Mapping[str, str]) -> None:
    if run is None:
        return
    if _was_interrupted(ending, environ):
        run.interrupt(note=SCHEDULER if _by_scheduler(ending, environ) else None)
    elif ending.signal:
        kind = "OOM" if oom and ending.signal == signal.SIGKILL else death.signal_name(ending.signal)
        run.die(ErrorInfo(kind, ""), note=KILLED)
    elif ending.code:
        run.fail(ErrorInfo("ExitCode", ending.tail), {EXIT_CODE: ending.code})
    else:
        output.hear(ending.tail)  # with an error it is told anyway
        run.finish()


def _was_interrupted(ending: Ending, environ: Mapping[str, str]) -> bool:
    if ending.signal == signal.SIGINT or ending.passed == signal.SIGTERM or _by_scheduler(ending, environ):
        return True
    return ending.passed == signal.SIGINT and ending.passed_ago_s < INTERRUPTED_WITHIN_S


def _by_scheduler(ending: Ending, environ: Mapping[str, str]) -> bool:
    """Whether it was asked to end, by us or directly, where it is the scheduler that asks."""
    asked_to_end = signal.SIGTERM in (ending.passed, ending.signal)
    return asked_to_end and death.is_scheduled(environ)
