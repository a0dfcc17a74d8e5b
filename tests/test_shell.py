"""`knock run`: real commands in real terminals and pipes, as if we were not there, and what their phone gets."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

import pytest
from conftest import Home, poll
from phone import Phone

if sys.platform == "win32":
    pytest.skip("terminals and signals of the Unix kind", allow_module_level=True)

pexpect = pytest.importorskip("pexpect")

KNOCK = [sys.executable, "-m", "knock_magic"]
PYTHON = sys.executable
WAIT = "import time; print('rea' + 'dy', flush=True); time.sleep(60)"
NOBODY = subprocess.DEVNULL


class Stage:
    """Where commands run: in a terminal, or between pipes."""

    def __init__(self, home: Home, phone: Phone) -> None:
        self._home = home
        self._env = home.knocking_at(phone, PYTHONIOENCODING="utf-8")
        self.terminals: List[Any] = []

    def env(self, **more: Optional[str]) -> Dict[str, str]:
        return {**self._env, **{name: value for name, value in more.items() if value is not None}}

    def piped(self, *words: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
        env = self.env(**options.pop("env", {}))
        return subprocess.run(
            [*KNOCK, "run", *words], env=env, cwd=self._home.work, capture_output=True, timeout=60, **options
        )

    def started(self, *words: str, env: Optional[Dict[str, str]] = None) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [*KNOCK, "run", *words],
            env=self.env(**(env or {})),
            cwd=self._home.work,
            stdout=subprocess.PIPE,
            stdin=NOBODY,
        )
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        return process

    def in_terminal(self, *words: str) -> Any:
        return self._spawn(KNOCK[0], [*KNOCK[1:], "run", *words])

    def shell(self) -> Any:
        shell = self._spawn("sh", ["-i"], PS1="", ENV="/dev/null")
        shell.sendline("set -m; PS1='SH''ELL> '")
        shell.expect_exact("SHELL> ")
        return shell

    def _spawn(self, command: str, words: List[str], **env: str) -> Any:
        terminal = pexpect.spawn(
            command,
            words,
            env=self.env(**env),
            cwd=str(self._home.work),
            encoding="utf-8",
            timeout=30,
            dimensions=(30, 100),
        )
        self.terminals.append(terminal)
        return terminal


@pytest.fixture
def stage(home: Home, phone: Phone) -> Iterator[Stage]:
    stage = Stage(home, phone)
    yield stage
    for terminal in stage.terminals:
        terminal.close(force=True)


def ended(process: subprocess.Popen[bytes]) -> int:
    assert process.stdout
    process.stdout.close()
    return process.wait(30)


def left(terminal: Any) -> int:
    terminal.expect(pexpect.EOF)
    terminal.close()
    return int(terminal.exitstatus)


# As if we were not there.


def test_pipes_are_handed_through_byte_by_byte(stage: Stage) -> None:
    code = (
        "import sys; data = sys.stdin.buffer.read(); sys.stdout.buffer.write(data); sys.stderr.buffer.write(data[::-1])"
    )
    data = bytes(range(256)) * 4096

    done = stage.piped("echo", "--", PYTHON, "-c", code, input=data)

    assert (done.returncode, done.stdout == data, done.stderr == data[::-1]) == (0, True, True)


def test_what_is_no_terminal_for_us_is_none_for_the_command(stage: Stage) -> None:
    code = "import sys; print(*(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)))"

    assert stage.piped("x", "--", PYTHON, "-c", code, stdin=NOBODY).stdout == b"False False False\n"


def test_a_terminal_stays_a_terminal(stage: Stage) -> None:
    code = (
        "import os, sys; print(*(os.isatty(fd) for fd in (0, 1, 2)), *os.get_terminal_size());"
        "open('/dev/tty', 'w').write('controlled\\n'); print('hello', input('na''me? '))"
    )
    terminal = stage.in_terminal("x", "--", PYTHON, "-c", code)

    terminal.expect_exact("True True True 100 30\r\ncontrolled\r\nname? ")
    terminal.sendline("Ada")
    terminal.expect_exact("Ada\r\nhello Ada\r\n")
    assert left(terminal) == 0


def test_a_bar_looks_the_same(stage: Stage) -> None:
    code = (
        "import sys\nfor n in range(4): sys.stderr.write(f'\\r\\x1b[32m{n}/3\\x1b[0m \u2588\u258c'); sys.stderr.flush()\n"
        "print('\\nend')"
    )

    def seen(terminal: Any) -> str:
        terminal.expect(pexpect.EOF)
        return str(terminal.before)

    plain = pexpect.spawn(PYTHON, ["-c", code], env=stage.env(), encoding="utf-8", timeout=30)
    stage.terminals.append(plain)

    assert seen(stage.in_terminal("x", "--", PYTHON, "-c", code)) == seen(plain)


def test_only_what_is_a_terminal_is_one(stage: Stage, home: Home) -> None:
    code = "import os; print(*(os.isatty(fd) for fd in (0, 1, 2)))"
    shell = stage.shell()
    line = f"{' '.join(KNOCK)} run x -- {PYTHON} -c '{code}'"

    shell.sendline(f"{line} > out.txt; cat out.txt")
    shell.expect_exact("True False True")
    shell.sendline(f"{line} 2> err.txt; echo do''ne")
    shell.expect_exact("True True False")
    shell.expect_exact("done")
    shell.sendline(f"{line} | cat; stty -a | grep -c -w opost")
    shell.expect_exact("True False True")


def test_the_window_may_be_resized(stage: Stage) -> None:
    code = (
        "import os, signal\nsignal.signal(signal.SIGWINCH, lambda *_: print('now', *os.get_terminal_size()))\n"
        "print('rea' + 'dy')\nfor _ in range(2): signal.pause()"
    )
    terminal = stage.in_terminal("x", "--", PYTHON, "-uc", code)
    terminal.expect_exact("ready")

    terminal.setwinsize(40, 77)

    terminal.expect_exact("now 77 40")


@pytest.mark.parametrize("code", [0, 1, 3, 255])
def test_the_exit_code_is_passed_through(stage: Stage, code: int) -> None:
    assert stage.piped("x", "--", "sh", "-c", f"exit {code}").returncode == code


def test_a_script_without_a_first_line_runs(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "script"
    path.write_text("echo $1; exit 4\n")
    path.chmod(0o755)

    done = stage.piped("x", "--", str(path), "an argument")

    assert (done.returncode, done.stdout) == (4, b"an argument\n")


def test_ctrl_z_stops_it_and_fg_goes_on(stage: Stage) -> None:
    code = "import time; print('rea' + 'dy')\nfor n in range(1000): print(f'tick-{n}.'); time.sleep(0.05)"
    (Path(stage._home.work) / "ticks.py").write_text(code)
    shell = stage.shell()
    shell.sendline(f"{' '.join(KNOCK)} run stopped -- {PYTHON} -u ticks.py")
    shell.expect_exact("ready")

    shell.send("\x1a")
    shell.expect_exact("SHELL> ")
    shell.sendline("stty -a | grep -o -w -e '-*icanon'")
    shell.expect_exact("\nicanon")
    shell.sendline("fg")
    shell.expect(r"tick-\d+\.")
    shell.expect(r"tick-\d+\.")

    shell.sendintr()
    shell.expect_exact("KeyboardInterrupt")
    shell.expect_exact("SHELL> ")
    shell.sendline("echo code:$?")
    shell.expect_exact("code:130")


# How it ended.


def test_it_tells_that_it_finished(stage: Stage, phone: Phone) -> None:
    stage.piped("my", "training", "--", "sh", "-c", "echo out; echo err >&2")

    told = phone.wait_for(name="my training")
    assert (told["event"], told["error"], told["metrics"], told["notebook"]) == ("finished", None, {}, None)


STEPS = "import knock\nfor n in range(1, 4): knock.progress(n, 10, val_acc=n / 10, note='fine')\n"


def test_what_the_command_reports_is_its_runs(stage: Stage, phone: Phone) -> None:
    """Also where a shell stands between, and the metrics may be compared as a cell's."""
    command = ["sh", "-c", '"$0" -c "$1"; true', sys.executable, STEPS]

    stage.piped("resnet", "--metric", "val_acc", "--baseline", "0.25", "--every", "0.1s", "--", *command)

    told = phone.wait_for(name="resnet", event="finished")
    assert told["metrics"] == {"val_acc": 0.3, "note": "fine"}
    assert "val_acc 0.3" in told["text"]
    assert "0.25" in told["text"]


def test_a_command_says_on_the_way_how_far_it_is(stage: Stage, phone: Phone) -> None:
    wait = "import sys; print('ready', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", f"{STEPS}{wait}"]
    process = subprocess.Popen(
        [*KNOCK, "run", "resnet", "--every", "0.2s", "--", *command],
        env=stage.env(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        told = poll(lambda: next((each for each in phone.knocks if each["progress"]), None), "the step")
    finally:
        process.communicate(timeout=30)

    assert (told["progress"]["step"], told["progress"]["total"]) == (3, 10)


def test_the_pipe_is_private_and_goes_with_the_command(stage: Stage, phone: Phone) -> None:
    code = "import os; p = os.environ['KNOCK_RUN_PIPE']; d = os.path.dirname(p)\nprint(p, oct(os.stat(p).st_mode), oct(os.stat(d).st_mode))"

    path, pipe, folder = stage.piped("it", "--", sys.executable, "-c", code).stdout.decode().split()

    assert (pipe, folder) == ("0o10600", "0o40700")
    assert not Path(path).parent.exists()


def test_nonsense_in_the_pipe_costs_nothing(stage: Stage, phone: Phone) -> None:
    code = (
        "import os; fd = os.open(os.environ['KNOCK_RUN_PIPE'], os.O_WRONLY)\n"
        r"""os.write(fd, b'{"step": 1\n\xff\n[]\n{"step": "x", "total": 2, "metrics": {}}\n{"step": 1, "total": 2, "metrics": 3}\n')"""
        r"""; os.write(fd, b'{"step": 2, "total": 2, "metrics": {"a": 1, "b": []}, "lower": {}}\n')"""
    )

    done = stage.piped("it", "--", sys.executable, "-c", code)

    assert (done.returncode, done.stderr) == (0, b"")
    assert phone.wait_for(name="it", event="finished")["metrics"] == {"a": 1}


def test_a_callback_in_the_command_reports_to_it_and_only_that_knocks(stage: Stage, phone: Phone) -> None:
    code = (
        "from knock_magic.training import Training\nfit = Training('fit', {})\n"
        "fit.begin('fit'); fit.lower('odd', True); fit.progress(3, 10, {'odd': 0.5}); fit.stopped({'en': 'no better', 'ko': ''}); fit.end()"
    )

    stage.piped("outer", "--metric", "odd", "--baseline", "0.7", "--", PYTHON, "-c", code)

    told = phone.wait_for(event="finished")
    assert told["name"] == "outer"
    assert told["metrics"] == {"odd": 0.5, "early stopping": "no better"}
    assert "better than 0.7" in told["text"]


def test_a_piece_in_the_command_keeps_its_own_metrics(stage: Stage, phone: Phone) -> None:
    code = "import knock\nwith knock.run('inner'): knock.progress(1, 2, loss=0.5)"

    stage.piped("outer", "--", sys.executable, "-c", code)

    assert phone.wait_for(name="inner", event="finished")["metrics"] == {"loss": 0.5}
    assert phone.wait_for(name="outer", event="finished")["metrics"] == {}


def test_a_failure_brings_the_tail_of_its_errors(stage: Stage, phone: Phone) -> None:
    code = (
        "import sys\nprint('not for the phone')\nfor n in range(100): sys.stderr.write(f'\\r\\x1b[31m{n} %\\x1b[0m')\n"
        "for n in range(40): print('line', n, file=sys.stderr)\nsys.stderr.flush()\nsys.stderr.buffer.write(b'\\xff\\n')\nsys.exit(3)"
    )
    done = stage.piped("fails", "--", PYTHON, "-c", code)

    told = phone.wait_for(name="fails")
    assert done.returncode == 3
    assert (told["event"], told["error"]["type"], told["metrics"]) == ("failed", "ExitCode", {"exit_code": 3})
    assert told["error"]["message"].splitlines() == [f"line {n}" for n in range(21, 40)] + ["\ufffd"]
    assert told["error"]["traceback"] is None
    assert "line 39" in told["text"]


def test_an_error_in_a_terminal_begins_at_its_traceback(stage: Stage, phone: Phone) -> None:
    terminal = stage.in_terminal("fails here", "--", PYTHON, "-c", "print('before')\nraise ValueError('loss is nan')")

    assert left(terminal) == 1
    message = phone.wait_for(name="fails here")["error"]["message"]
    assert message.startswith("Traceback")
    assert message.endswith("ValueError: loss is nan")


def test_long_errors_are_capped(stage: Stage, phone: Phone) -> None:
    code = "import sys; sys.stderr.write('x' * 300_000 + 'END'); sys.exit(1)"

    done = stage.piped("long", "--", PYTHON, "-c", code)

    assert len(done.stderr) == 300_003
    assert len(phone.wait_for(name="long")["error"]["message"]) <= 2000


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV"])
def test_a_killed_command_died(stage: Stage, phone: Phone, name: str) -> None:
    number = getattr(signal, name)

    done = stage.piped(name, "--", "sh", "-c", f"kill -{int(number)} $$")

    told = phone.wait_for(name=name)
    assert done.returncode == 128 + number
    assert (told["event"], told["error"]["type"], told["error"]["traceback"]) == ("died", name, None)
    assert "was killed" in told["title"]


def test_ctrl_c_in_a_terminal_interrupts_it_once(stage: Stage, phone: Phone) -> None:
    code = (
        "import time\ntry: print('rea' + 'dy', flush=True); time.sleep(60)\n"
        "except KeyboardInterrupt:\n  time.sleep(0.3); print('saved'); raise"
    )
    terminal = stage.in_terminal("by Ctrl-C", "--", PYTHON, "-c", code)
    terminal.expect_exact("ready")

    terminal.sendintr()

    terminal.expect_exact("saved")
    assert left(terminal) == 130
    assert phone.wait_for(name="by Ctrl-C")["event"] == "interrupted"


def test_a_key_that_an_editor_takes_is_no_interrupt(stage: Stage, phone: Phone) -> None:
    code = "import tty, sys; tty.setraw(0); print('rea' + 'dy', flush=True); sys.exit(sys.stdin.buffer.read(1)[0])"
    terminal = stage.in_terminal("editor", "--", PYTHON, "-c", code)
    terminal.expect_exact("ready")

    terminal.send("\x03")

    assert left(terminal) == 3
    assert phone.wait_for(name="editor")["event"] == "failed"


@pytest.mark.parametrize(
    ("name", "event", "error"),
    [("SIGINT", "interrupted", None), ("SIGTERM", "interrupted", None), ("SIGHUP", "died", "SIGHUP")],
)
def test_signals_are_passed_on(stage: Stage, phone: Phone, name: str, event: str, error: Optional[str]) -> None:
    number = getattr(signal, name)
    process = stage.started(name, "--", PYTHON, "-c", WAIT)

    process.send_signal(number)

    told = phone.wait_for(name=name)
    assert ended(process) == 128 + number
    assert (told["event"], (told["error"] or {}).get("type")) == (event, error)
    assert "scheduler" not in told["title"]


def test_a_command_that_ends_well_after_sigterm_was_interrupted(stage: Stage, phone: Phone) -> None:
    code = f"import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); {WAIT}"
    process = stage.started("saves", "--", PYTHON, "-c", code)

    process.terminate()

    assert phone.wait_for(name="saves")["event"] == "interrupted"
    assert ended(process) == 0


def test_other_signals_reach_the_command(stage: Stage, phone: Phone) -> None:
    code = (
        "import signal; usr1 = {signal.SIGUSR1}; signal.pthread_sigmask(signal.SIG_BLOCK, usr1)\n"
        "print('ready', flush=True); signal.sigwait(usr1); print('got it')"
    )
    process = stage.started("usr1", "--", PYTHON, "-c", code)

    process.send_signal(signal.SIGUSR1)

    assert process.stdout
    assert process.stdout.readline() == b"got it\n"
    assert ended(process) == 0
    assert phone.wait_for(name="usr1")["event"] == "finished"


@pytest.mark.parametrize("variable", ["SLURM_JOB_ID", "KUBERNETES_SERVICE_HOST"])
def test_a_scheduler_has_words_of_its_own(stage: Stage, phone: Phone, variable: str) -> None:
    process = stage.started(variable, "--", PYTHON, "-c", WAIT, env={variable: "7"})

    process.terminate()

    told = phone.wait_for(name=variable)
    assert ended(process) == 128 + signal.SIGTERM
    assert told["event"] == "interrupted"
    assert "was stopped by the scheduler" in told["title"]


def test_a_scheduler_that_asks_everybody_to_end_is_told_of(stage: Stage, home: Home, phone: Phone) -> None:
    """Slurm signals the whole control group: command, us, and our courier."""
    process = stage.started("whole group", "--", PYTHON, "-c", WAIT, env={"SLURM_JOB_ID": "7"})
    couriers = poll(lambda: home.couriers(process.pid), "the courier")

    for pid in (*couriers, process.pid):
        os.kill(pid, signal.SIGTERM)

    assert "was stopped by the scheduler" in phone.wait_for(name="whole group")["title"]
    ended(process)


def test_what_it_left_running_does_not_hold_it_up(stage: Stage, phone: Phone) -> None:
    began = time.monotonic()

    done = stage.piped("leaves", "--", "sh", "-c", "sleep 20 >/dev/null & exit 0")

    assert done.returncode == 0
    assert phone.wait_for(name="leaves")["event"] == "finished"
    assert time.monotonic() - began < 15


# What can't be run, or understood.


def test_a_command_that_is_not_there(stage: Stage, phone: Phone) -> None:
    done = stage.piped("gone", "--", "no-such-command")

    told = phone.wait_for(name="gone")
    assert (done.returncode, done.stderr) == (127, b"knock: no-such-command: command not found\n")
    assert (told["event"], told["error"]["message"]) == ("failed", "no-such-command: command not found")


def test_a_command_that_may_not_run(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "plain.txt"
    path.write_text("hello")

    done = stage.piped("x", "--", str(path))

    assert (done.returncode, b"Permission denied" in done.stderr) == (126, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["x"], "needs the command behind --"),
        (["x", "--"], "needs the command behind --"),
    ],
)
def test_without_a_command_nothing_runs(stage: Stage, phone: Phone, words: List[str], said: str) -> None:
    done = stage.piped(*words)

    assert done.returncode == 2
    assert said in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1
    assert phone.knocks == []


def test_a_typing_error_does_not_cost_the_night(stage: Stage, phone: Phone) -> None:
    done = stage.piped("bad", "--tp", "webhook", "--show", "acc", "--min", "soon", "--", "sh", "-c", "echo ran; exit 5")

    assert (done.returncode, done.stdout) == (5, b"ran\n")
    told, looked, soon = done.stderr.decode().splitlines()
    assert "Did you mean --to?" in told
    assert "--show is for cells" in looked
    assert "--min" in soon
    assert phone.wait_for(event="failed")["name"] == "bad"


def test_options_before_the_dashes_are_ours_and_behind_them_the_commands(stage: Stage, phone: Phone) -> None:
    done = stage.piped("--min=1h", "quick", "--", "echo", "--min", "--", "--help")

    assert done.stdout == b"--min -- --help\n"
    stage.piped("--template", "short", "--", "echo", "named by its command", "--lr", "0.1")
    assert phone.wait_for(event="finished")["name"] == "echo 'named by its command' --lr 0.1"


def test_it_runs_where_nothing_of_ours_works(stage: Stage, tmp_path: Path) -> None:
    folder = tmp_path / "read-only"
    folder.write_text("a file where the folder should be")

    done = stage.piped("x", "--", "sh", "-c", "echo ran; exit 5", env={"KNOCK_HOME": str(folder / "deeper")})

    assert (done.returncode, done.stdout) == (5, b"ran\n")
