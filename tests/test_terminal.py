"""IPython in a real terminal."""

from __future__ import annotations

import re
import sys
from typing import Callable, Dict, Iterator, List

import pytest
from conftest import ANSI, Home
from phone import Phone

pexpect = pytest.importorskip("pexpect")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a pty")

# Written so that the marks are not in what the terminal echoes.
END = ("", "")  # two empty lines end the cell of any `%%` magic
GO = "print('G' + 'O', flush=True)"


class Terminal:
    """IPython behind a pty, typed at line by line."""

    def __init__(self, home: Home, env: Dict[str, str], *, simple: bool) -> None:
        self.simple = simple
        options = ["--no-banner", "--no-confirm-exit", "--colors=NoColor", *(["--simple-prompt"] if simple else [])]
        # Without an answer to its question where the cursor is, prompt_toolkit would wait for it.
        env = dict(
            env, TERM="xterm", PROMPT_TOOLKIT_NO_CPR="1", PROMPT_TOOLKIT_COLOR_DEPTH="DEPTH_1_BIT", LANG="C.UTF-8"
        )
        self.child = pexpect.spawn(
            sys.executable, ["-m", "IPython", *options], env=env, cwd=str(home.work), encoding="utf-8",
            codec_errors="replace", timeout=45, dimensions=(50, 200),
        )  # fmt: skip
        self.prompts = 0
        self.ready()

    def ready(self) -> str:
        """Wait for the next prompt; what was shown until then."""
        self.prompts += 1
        self.child.expect(rf"In \[{self.prompts}\]:")
        return ANSI.sub("", self.child.before)

    def ready_again(self) -> str:
        """Wait for a prompt of any number: IPython 7 doesn't count an awaiting cell that was interrupted."""
        self.child.expect(r"In \[(\d+)\]:")
        self.prompts = int(self.child.match.group(1))
        return ANSI.sub("", self.child.before)

    def type(self, *lines: str) -> None:
        """Type a cell; each line only once the one before has been taken."""
        for number, line in enumerate(lines):
            if number:
                self.child.expect(r"\.\.\.:")
            self.child.send(line + ("\n" if self.simple else "\r"))

    def until(self, mark: str) -> str:
        self.child.expect_exact(mark)
        return ANSI.sub("", self.child.before)

    def run(self, *lines: str) -> str:
        self.type(*lines)
        return self.ready()

    def interrupt(self) -> None:
        self.child.sendintr()

    def leave(self, how: str = "exit") -> None:
        if how == "Ctrl-D":
            self.child.sendeof()
        else:
            self.type(how)
        self.child.expect(pexpect.EOF)
        self.child.close()

    def close(self) -> None:
        self.child.close(force=True)


Open = Callable[..., Terminal]


@pytest.fixture(params=["simple prompt", "prompt_toolkit"])
def terminal(request: pytest.FixtureRequest, home: Home) -> Iterator[Open]:
    """Open IPython with an environment; with either kind of prompt."""
    opened: List[Terminal] = []

    def start(env: Dict[str, str]) -> Terminal:
        opened.append(Terminal(home, env, simple=request.param == "simple prompt"))
        opened[-1].run("%load_ext knock")
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def test_a_cell_typed_line_by_line_knocks(terminal: Open, home: Home, phone: Phone) -> None:
    """The head alone is not a complete cell, so it isn't run before its body is there."""
    shell = terminal(home.knocking_at(phone))

    shown = shell.run("%%knock training", "answer = 6 * 7", "print('ans' + 'wer', answer)", *END)

    assert "answer 42" in shown
    knock = phone.wait()
    assert (knock["event"], knock["name"], knock["execution_count"]) == ("finished", "training", 2)
    assert len(phone.knocks) == 1


def test_an_error_is_shown_and_told(terminal: Open, home: Home, phone: Phone) -> None:
    shell = terminal(home.knocking_at(phone))

    shown = shell.run("%%knock training", "1 / 0", *END)

    assert re.search(r"-+> 2 1 ?/ ?0", shown)
    assert phone.wait()["error"]["type"] == "ZeroDivisionError"


# Not one long sleep: Python looks for signals at calls and at jumps back, so a Ctrl-C that comes just before a sleep
# is noticed only after it, with or without us.
NAPS = "import time; [time.sleep(0.05) for _ in range(1200)]"


@pytest.mark.parametrize("wait", [NAPS, "import asyncio; await asyncio.sleep(60)", "!sleep 60"])
def test_ctrl_c_is_told_as_an_interrupt(wait: str, terminal: Open, home: Home, phone: Phone) -> None:
    shell = terminal(home.knocking_at(phone))

    shell.type("%%knock training", GO, wait, *END)
    shell.until("GO\r\n")
    shell.interrupt()
    shell.ready_again()
    shell.run("%%knock next", "1 + 1", *END)

    assert phone.wait_for(name="training")["event"] == "interrupted"
    assert phone.wait_for(name="next")["event"] == "finished"


def test_without_a_channel_it_says_so_and_rings(terminal: Open, home: Home) -> None:
    shell = terminal(home.env())

    good = shell.run("%%knock training", "6 * 7", *END)
    bad = shell.run("%%knock training", "1 / 0", *END)

    for shown, outcome in ((good, "finished"), (bad, "failed")):
        (line,) = (line for line in shown.splitlines() if outcome in line)
        assert "training" in line
        assert "\a" in shown
    assert "Out[2]: 42" in good


@pytest.mark.parametrize("how", ["exit", "quit()", "Ctrl-D"])
def test_leaving_tells_nothing(how: str, terminal: Open, home: Home, phone: Phone) -> None:
    shell = terminal(home.knocking_at(phone))
    shell.run("%%knock work", "1 + 1", *END)

    shell.leave(how)

    home.wait_until_alone()
    assert [(knock["event"], knock["name"]) for knock in phone.knocks] == [("finished", "work")]


def test_what_is_due_is_delivered_after_it_was_left(terminal: Open, home: Home) -> None:
    phone = Phone(answering=False)
    shell = terminal(home.knocking_at(phone))
    shell.run("%%knock work", "1 + 1", *END)
    shell.leave()

    phone.open()

    assert phone.wait()["name"] == "work"
    phone.close()


def test_a_terminal_that_dies_is_told(terminal: Open, home: Home, phone: Phone) -> None:
    shell = terminal(home.knocking_at(phone))
    shell.type("%%knock training", GO, "import time; time.sleep(60)", *END)
    shell.until("GO\r\n")

    shell.child.kill(9)

    assert (phone.wait()["event"], phone.wait()["name"]) == ("died", "training")


def test_a_closed_window_ends_what_ran_in_it(terminal: Open, home: Home, phone: Phone) -> None:
    """A terminal that goes away takes its shell along (SIGHUP), and its courier has outlived it."""
    shell = terminal(home.knocking_at(phone))
    shell.type("%%knock training", GO, "import time; time.sleep(60)", *END)
    shell.until("GO\r\n")

    shell.close()

    assert (phone.wait()["event"], phone.wait()["name"]) == ("died", "training")
