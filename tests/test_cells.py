"""Cells in a real kernel: they behave as if we were not there, and each ending is told for what it was."""

from __future__ import annotations

import datetime
import hashlib
import hmac
import json
import re
import sys
import uuid
from typing import Any, Callable, Dict, Iterator, NamedTuple, Optional, Tuple

import IPython
import nbformat
import pytest
from conftest import ANSI, Home, Kernel, linux_only, poll
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from phone import Knock, Phone

NEW = IPython.version_info[0] >= 9
CAPTURES = NEW or sys.version_info < (3, 12)  # to IPython 7, `x = !cmd` is a SyntaxError in Python 3.12 and later

# The user's cell is the same with and without us.


class Cell(NamedTuple):
    code: str
    event: str = "finished"
    error: Optional[str] = None  # error.type, where it failed


CELLS: Dict[str, Cell] = {
    "await": Cell("import asyncio\nawait asyncio.sleep(0)\n40 + 2"),
    "a last expression": Cell("x = 20\nx * 2 + 2"),
    "a last expression with a semicolon": Cell("x = 20\nx * 2 + 2;"),
    "output on both streams": Cell("import sys\nprint('out')\nprint('err', file=sys.stderr)"),
    "a display": Cell("from IPython.display import display\ndisplay({'a': 1})\nNone"),
    "only a comment": Cell("# nothing to do"),
    "an error on line four": Cell("a = 1\n\n1 / 0\nb = 2", "failed", "ZeroDivisionError"),
    "an error in a function": Cell("def f():\n    raise KeyError('gone')\n\nf()", "failed", "KeyError"),
    "an error after an await": Cell("import asyncio\nawait asyncio.sleep(0)\nint('x')", "failed", "ValueError"),
    "an error from an error": Cell(
        "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise OSError('no') from error", "failed", "OSError"
    ),
    "an error that was caught": Cell("try:\n    1 / 0\nexcept ZeroDivisionError:\n    print('caught')"),
    "an error whose text raises": Cell(
        "class E(Exception):\n    def __str__(self):\n        raise ValueError('no text')\nraise E()", "failed"
    ),
    "a repr that raises": Cell(
        "class R:\n    def __repr__(self):\n        raise ValueError('no repr')\nR()", "failed", "ValueError"
    ),
    "a SyntaxError": Cell("a = 1\ndef broken(:\n    pass", "failed", "SyntaxError"),
    "an IndentationError": Cell("if True:\nprint(1)", "failed", "IndentationError"),
    "an unknown line magic": Cell("%no_such_magic here", "failed", "UsageError"),
    "an unknown cell magic": Cell("%%no_such_magic here\n1 + 1", "failed", "UsageError"),
    "a line magic": Cell("%precision 3\n0.5"),
    "a shell command": Cell("!echo from the shell"),
    "a captured shell command": Cell("lines = !echo captured\nlines", "finished" if CAPTURES else "failed"),
    "a failed shell command": Cell("!exit 3"),
    "help": Cell("len?"),
    "%%time": Cell("%%time\nx = 1\nx + 1"),
    "%%time around an error": Cell("%%time\nx = 1\n1 / 0", "failed", "ZeroDivisionError"),
    "%%bash": Cell("%%bash\necho from bash"),
    "%%bash that fails": Cell("%%bash\nexit 3", "failed", "CalledProcessError"),
    "%%capture": Cell("%%capture caught\nprint('hidden')"),
    "%%capture around an error": Cell("%%capture caught\n1 / 0", "failed", "ZeroDivisionError"),
    "%%html": Cell("%%html\n<b>bold</b>"),
    "run_cell in a cell": Cell("result = get_ipython().run_cell('6 * 7')\nresult.result"),
    "run_cell of an error": Cell("result = get_ipython().run_cell('1 / 0')", "failed", "ZeroDivisionError"),
    "%run of a notebook": Cell("%run three.ipynb\nthree"),
    "%run of a script": Cell("%run good.py\nfour"),
    "%run of a script that fails": Cell("%run bad.py", "failed", "LookupError"),
    "sys.exit()": Cell("import sys\nsys.exit()"),
    "sys.exit(0)": Cell("import sys\nsys.exit(0)"),
    "sys.exit(3)": Cell("import sys\nsys.exit(3)", "failed", "SystemExit"),
    "sys.exit with words": Cell("import sys\nsys.exit('no data')", "failed", "SystemExit"),
    "a cell of Windows lines": Cell("a = 1\r\nb = 2\r\na + b"),
    "words in Korean": Cell("이름 = '학습'\n이름"),
}


@pytest.fixture(scope="module", autouse=True)
def files(home: Home) -> None:
    """What the cells run."""
    (home.work / "good.py").write_text("four = 4\n")
    (home.work / "bad.py").write_text("def f():\n    raise LookupError('in a script')\n\nf()\n")
    cells = [nbformat.v4.new_code_cell("one = 1"), nbformat.v4.new_code_cell("three = one + 2")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), str(home.work / "three.ipynb"))


def as_a_person_sees_it(text: str) -> str:
    """`text` without what differs from run to run: colours, addresses, timings, names of cells, the head line."""
    text = ANSI.sub("", text)
    text = re.sub(r"\S*ipykernel_\d+[/\\]\d+\.py|<ipython-input-\d+-\w+>", "CELL", text)
    text = re.sub(r"\b(?:Input In|In|Cell In) ?\[\d+\]", "In[N]", text)
    text = re.sub(r"\(\d+\.py,", "(CELL,", text)
    text = re.sub(r"0x[0-9a-fA-F]+", "0x", text)
    text = re.sub(r"(?m)^\s*(?:-+> )?1 #.*\n?", "", text)
    return re.sub(r"(?m)^(CPU times|Wall time):.*$", r"\1", text)


def seen(kernel: Kernel, code: str) -> Dict[str, Any]:
    """Everything that a person can see of `code`, run in `kernel`."""
    number = int(kernel.ask("get_ipython().execution_count"))
    result = kernel.run(code)
    return {
        "status": result.status,
        "error": (result.reply.get("ename"), as_a_person_sees_it(result.reply.get("evalue", ""))),
        "tracebacks": [as_a_person_sees_it("\n".join(error["traceback"])) for error in result.errors],
        "stdout": as_a_person_sees_it(result.stream("stdout")),
        "stderr": as_a_person_sees_it(result.stream("stderr")),
        "value": result.value,
        "displays": result.displays,
        "pages": [as_a_person_sees_it(str(page.get("data"))) for page in result.reply["payload"]],
        "counted": int(kernel.ask("get_ipython().execution_count")) - number,
        "counted in the reply": result.reply["execution_count"] - number,
        "Out[n]": kernel.ask(
            f"(lambda it: (type(it).__name__, repr(it) if type(it).__name__ != 'R' else ''))(Out.get({number}))"
        ),
    }


@pytest.mark.parametrize("case", CELLS)
def test_it_leaves_the_cell_as_it_is_and_tells_how_it_ended(
    case: str, kernel: Kernel, kernel_with_knock: Kernel, phone: Phone
) -> None:
    cell = CELLS[case]
    ending = "\r\n" if "\r\n" in cell.code else "\n"
    untouched = seen(kernel, cell.code if cell.code.startswith("%%") else f"# a comment{ending}{cell.code}")

    watched = seen(kernel_with_knock, f"%%knock {case.replace('%', '')}{ending}{cell.code}")

    assert watched == untouched
    knock = phone.wait_for(name=case.replace("%", ""))
    assert knock["event"] == cell.event
    if cell.event == "finished":
        assert knock["error"] is None
    elif cell.error:
        assert knock["error"]["type"] == cell.error


@pytest.mark.parametrize("case", ["an error on line four", "await", "%%time", "run_cell in a cell"])
def test_it_leaves_a_cell_without_its_line_as_it_is(
    case: str, kernel: Kernel, kernel_with_knock: Kernel, phone: Phone
) -> None:
    assert seen(kernel_with_knock, CELLS[case].code) == seen(kernel, CELLS[case].code)
    phone.expect_none(until=kernel_with_knock.send)


@pytest.mark.parametrize(
    "above",
    ["#@title Training { run: 'auto' }\n", "\n\n", "#@title Training\n\n# by hand\n", "\r\n#@title Training\r\n"],
    ids=["a title", "blank lines", "titles and blank lines", "Windows lines"],
)
def test_it_finds_its_line_below(above: str, kernel_with_knock: Kernel, phone: Phone) -> None:
    result = kernel_with_knock.run(f"{above}%%knock below\n20 + 22")

    assert (result.status, result.value) == ("ok", "42")
    assert phone.wait()["name"] == "below"


def test_it_keeps_line_numbers_below_a_title(kernel_with_knock: Kernel, phone: Phone) -> None:
    result = kernel_with_knock.run("#@title Training\n\n%%knock lines\na = 1\n1 / 0")

    assert re.search(r"-+> 5 1 ?/ ?0", ANSI.sub("", "\n".join(result.errors[0]["traceback"])))
    assert "line 5" in phone.wait()["error"]["traceback"]


def test_it_does_not_take_a_line_that_is_no_head(kernel_with_knock: Kernel, phone: Phone) -> None:
    result = kernel_with_knock.run("text = '''\n%%knock not me\n'''\nlen(text)")

    assert result.value == str(len("\n%%knock not me\n"))
    phone.expect_none(until=kernel_with_knock.send)


def test_it_stops_run_all_at_the_error(home: Home, phone: Phone) -> None:
    cells = ["%load_ext knock", "%%knock training\nraise RuntimeError('out of memory')", "open('after', 'w').close()"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = NotebookClient(notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": home.work}})

    with pytest.raises(CellExecutionError, match="out of memory"):
        client.execute(env=home.knocking_at(phone))

    knock = phone.wait_for(name="training")
    assert (knock["event"], knock["error"]["type"]) == ("failed", "RuntimeError")
    assert not (home.work / "after").exists()


# Interrupts.

LOOP = "for _ in range(200):\n    {wait}"
INTERRUPTED: Dict[str, Cell] = {
    "in a plain loop": Cell("import time\nprint('GO', flush=True)\n" + LOOP.format(wait="time.sleep(0.05)")),
    "while awaiting": Cell("import asyncio\nprint('GO', flush=True)\n" + LOOP.format(wait="await asyncio.sleep(0.05)")),
    # ipykernel lets it run to its end there and reports it as good; only its own note tells.
    "in plain code after an await": Cell(
        "import asyncio, time\nawait asyncio.sleep(0)\nprint('GO', flush=True)\ntime.sleep(0.6)"
    ),
    "in plain code between awaits": Cell(
        "import asyncio, time\nawait asyncio.sleep(0)\nprint('GO', flush=True)\ntime.sleep(0.6)\nawait asyncio.sleep(9)"
    ),
    "in a shell command": Cell("!echo GO; sleep 9"),
    "in %%time": Cell("%%time\nimport time\nprint('GO', flush=True)\ntime.sleep(9)"),
    "in %run": Cell("%run slow.py"),
    "in a nested run_cell": Cell("get_ipython().run_cell(\"print('GO', flush=True)\\nimport time; time.sleep(9)\")"),
}


@pytest.mark.parametrize("case", INTERRUPTED)
def test_it_tells_of_an_interrupt(case: str, home: Home, kernel_with_knock: Kernel, phone: Phone) -> None:
    (home.work / "slow.py").write_text("import time\nprint('GO', flush=True)\ntime.sleep(9)\n")
    name = case.replace("%", "")

    kernel_with_knock.start(f"%%knock {name}\n{INTERRUPTED[case].code}")
    kernel_with_knock.until("GO")
    kernel_with_knock.interrupt()
    kernel_with_knock.finish()

    knock = phone.wait_for(name=name)
    assert (knock["event"], knock["error"]) == ("interrupted", None)


@pytest.mark.skipif(not NEW, reason="IPython 7 only prints that it was interrupted and ends well")
def test_it_tells_of_an_interrupted_script_magic(kernel_with_knock: Kernel, phone: Phone) -> None:
    kernel_with_knock.start("%%knock script\n%%bash\necho GO\nexec sleep 9")
    kernel_with_knock.until("GO")
    kernel_with_knock.interrupt()
    kernel_with_knock.finish()

    assert phone.wait_for(name="script")["event"] == "interrupted"


def test_it_takes_an_interrupt_that_the_cell_caught_as_finished(kernel_with_knock: Kernel, phone: Phone) -> None:
    kernel_with_knock.start(
        "%%knock early stop\nimport time\n"
        "try:\n    print('GO', flush=True)\n    time.sleep(9)\nexcept KeyboardInterrupt:\n    print('stopped early')"
    )
    kernel_with_knock.until("GO")
    kernel_with_knock.interrupt()
    result = kernel_with_knock.finish()

    assert "stopped early" in result.text
    assert phone.wait()["event"] == "finished"


def test_an_interrupt_is_not_told_again_by_the_cells_after_it(kernel_with_knock: Kernel, phone: Phone) -> None:
    kernel_with_knock.start("%%knock first\n!echo GO; sleep 9")
    kernel_with_knock.until("GO")
    kernel_with_knock.interrupt()
    kernel_with_knock.finish()
    kernel_with_knock.run("%%knock second\n1 + 1")
    kernel_with_knock.run("%%knock third\nimport asyncio\nawait asyncio.sleep(0)")

    assert sorted(phone.expect_only(kernel_with_knock.send)) == [
        ("finished", "second"),
        ("finished", "third"),
        ("interrupted", "first"),
    ]


def test_a_shown_error_is_not_told_again_by_the_cell_after_it(kernel_with_knock: Kernel, phone: Phone) -> None:
    kernel_with_knock.run("%%knock first\n%run bad.py")
    kernel_with_knock.run("%%knock second\n1 + 1")

    assert sorted(phone.expect_only(kernel_with_knock.send)) == [("failed", "first"), ("finished", "second")]


def test_it_survives_a_cell_that_ends_without_a_result(
    home: Home, start_kernel: Callable[..., Kernel], phone: Phone
) -> None:
    """A task that cancels itself on its last line raises out of IPython, which then has no result to tell."""
    kernel = start_kernel(home.knocking_at(phone)).load()

    kernel.start(
        "%%knock itself\nimport asyncio\nasyncio.current_task().cancel()\nif False:\n    await asyncio.sleep(0)"
    )

    assert phone.wait()["event"] in ("failed", "interrupted")


# Once.


@pytest.mark.parametrize(
    "code",
    [
        "get_ipython().run_cell('%%knock inner\\n1 + 1')\nget_ipython().run_cell('%%knock again\\n1 + 1')",
        "%%capture caught\n1 + 1",
        "%run three.ipynb",
    ],
    ids=["run_cell with lines of its own", "%%capture", "%run"],
)
def test_it_knocks_once_for_nested_cells(code: str, kernel_with_knock: Kernel, phone: Phone) -> None:
    kernel_with_knock.run(f"%%knock outer\n{code}")

    assert phone.expect_only(kernel_with_knock.send) == [("finished", "outer")]


def test_it_knocks_for_a_nested_cell_with_a_line(kernel_with_knock: Kernel, phone: Phone) -> None:
    kernel_with_knock.run("get_ipython().run_cell('%%knock inner\\n1 / 0')")

    assert phone.expect_only(kernel_with_knock.send) == [("failed", "inner")]


@pytest.mark.parametrize("above", ["%%capture caught", "%%time"])
def test_it_works_below_another_magic(above: str, kernel_with_knock: Kernel, phone: Phone) -> None:
    result = kernel_with_knock.run(f"{above}\n%%knock below\nbelow = 7 * 6")

    assert result.errors == []
    assert kernel_with_knock.ask("below") == "42"
    assert phone.expect_only(kernel_with_knock.send) == [("finished", "below")]


def test_it_knocks_for_every_cell_of_a_fast_loop(kernel_with_knock: Kernel, phone: Phone) -> None:
    for number in range(5):
        kernel_with_knock.run(f"%%knock cell {number}\n{number}")

    assert sorted(phone.expect_only(kernel_with_knock.send)) == [("finished", f"cell {n}") for n in range(5)]


def test_it_tells_cells_of_subshells_apart(kernel_with_knock: Kernel, phone: Phone) -> None:
    client = kernel_with_knock.client
    client.kernel_info()
    info = client.get_shell_msg(timeout=20)["content"]
    if "kernel subshells" not in info.get("supported_features", []):
        pytest.skip("this ipykernel has no subshells")
    client.control_channel.send(client.session.msg("create_subshell_request", {}))
    subshell = client.get_control_msg(timeout=20)["content"]["subshell_id"]
    code = "%%knock aside\nprint('ASIDE', flush=True)\n1 / 0"
    content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
    message = client.session.msg("execute_request", content)
    message["header"]["subshell_id"] = subshell

    kernel_with_knock.start("%%knock main\nprint('GO', flush=True)\nwhile 'go_on' not in globals():\n    pass")
    kernel_with_knock.until("GO")
    client.shell_channel.send(message)
    aside = phone.wait_for(name="aside")
    message = client.session.msg("execute_request", dict(content, code="go_on = True"))
    message["header"]["subshell_id"] = subshell
    client.shell_channel.send(message)
    kernel_with_knock.finish()

    assert (aside["event"], aside["error"]["type"]) == ("failed", "ZeroDivisionError")
    assert phone.wait_for(name="main")["event"] == "finished"


# Cells that are not quite cells.


def test_it_is_loaded_once_under_both_names(kernel_with_knock: Kernel, phone: Phone) -> None:
    result = kernel_with_knock.run("%load_ext knock_magic\n6 * 7")

    assert (result.status, result.value) == ("ok", "42")
    assert "already loaded" in result.said  # IPython's own words: both names are one extension
    assert phone.expect_only(kernel_with_knock.send) == []


def test_it_leaves_silent_cells_alone(kernel_with_knock: Kernel, phone: Phone) -> None:
    result = kernel_with_knock.run("%%knock silent\nquiet = 1", silent=True)

    assert result.status == "ok"
    assert kernel_with_knock.ask("quiet") == "1"
    phone.expect_none(until=kernel_with_knock.send)


def test_it_knocks_for_a_cell_outside_the_history(kernel_with_knock: Kernel, phone: Phone) -> None:
    result = kernel_with_knock.run("%%knock unkept\n6 * 7", store_history=False)

    assert (result.status, result.value) == ("ok", "42")
    assert (phone.wait()["event"], phone.wait()["execution_count"]) == ("finished", None)


@pytest.mark.parametrize("code", ["", "   \n", "\n\n"])
def test_it_leaves_empty_cells_alone(code: str, kernel_with_knock: Kernel, phone: Phone) -> None:
    result = kernel_with_knock.run(code)

    assert (result.status, result.said) == ("ok", "")
    phone.expect_none(until=kernel_with_knock.send)


@pytest.mark.parametrize("code", ["%%knock", "%%knock\n", "%%knock nothing\n\n"])
def test_it_is_not_troubled_by_its_line_alone(code: str, kernel_with_knock: Kernel, phone: Phone) -> None:
    result = kernel_with_knock.run(code)
    kernel_with_knock.run("%%knock after\n1 + 1")

    assert (result.status, result.errors, result.value) == ("ok", [], None)
    assert phone.wait_for(name="after")["event"] == "finished"


def test_it_documents_itself(kernel_with_knock: Kernel) -> None:
    page = kernel_with_knock.run("%%knock?").reply["payload"][0]["data"]["text/plain"]

    assert all(option in page for option in ("--to", "--template", "--show", "--on", "--min", "--every", "--stall"))


# The message.


def test_it_fills_every_field(kernel_with_knock: Kernel, phone: Phone) -> None:
    result = kernel_with_knock.run("%%knock fields\nimport time\ntime.sleep(0.2)\n1 / 0")

    knock = phone.wait()
    optional = (dict, type(None))
    expected: Dict[str, Any] = {
        "id": str, "run": str, "event": str, "name": str, "title": str, "text": str, "started_at": str,
        "ended_at": str, "duration_s": (int, float), "host": str, "user": str, "notebook": (str, type(None)),
        "execution_count": int, "error": optional, "metrics": dict, "progress": optional, "late_s": (int, float),
    }  # fmt: skip
    assert set(knock.json) == set(expected)
    assert [field for field, kind in expected.items() if not isinstance(knock[field], kind)] == []
    assert uuid.UUID(knock["id"]) != uuid.UUID(knock["run"])
    started, ended = (datetime.datetime.fromisoformat(knock[field]) for field in ("started_at", "ended_at"))
    assert started.tzinfo is not None
    assert (ended - started).total_seconds() == pytest.approx(knock["duration_s"], abs=0.1)
    assert 0.2 <= knock["duration_s"] < 10
    assert set(knock["error"]) == {"type", "message", "traceback"}
    assert knock["error"]["message"] == "division by zero"
    assert "line 4" in knock["error"]["traceback"]
    assert "1 / 0" not in knock["error"]["traceback"]  # no source by default
    assert knock["execution_count"] == result.reply["execution_count"]
    assert (knock["metrics"], knock["progress"], knock["late_s"]) == ({}, None, 0)
    assert all(word in knock["text"] for word in ("fields", "failed", "ZeroDivisionError", "division by zero"))
    assert knock["text"].startswith(knock["title"])
    assert (knock.method, knock.headers["Content-Type"].split(";")[0]) == ("POST", "application/json")
    assert "X-Knock-Signature" not in knock.headers


def test_it_names_the_cell_by_its_first_code_line(kernel_with_knock: Kernel, phone: Phone) -> None:
    kernel_with_knock.run("%%knock\n# train it\n\nmodel_fit = 1\nother = 2")

    assert phone.wait()["name"] == "model_fit = 1"


def test_it_shortens_a_long_first_line(kernel_with_knock: Kernel, phone: Phone) -> None:
    kernel_with_knock.run("%%knock\n" + "x = " + " + ".join(["1"] * 200))

    assert phone.wait()["name"].startswith("x = 1 + 1")
    assert len(phone.wait()["name"]) <= 80


@pytest.mark.parametrize(
    ("head", "name"),
    [
        ("epoch {n} of $m", "epoch 7 of 9"),
        ("--min 0 one --on finished,failed two", "one two"),
        ("{n + 1} next", "8 next"),
        ("costs $$5", "costs $5"),
        ("{not_there} stays", "{not_there} stays"),
        ("학습 끝", "학습 끝"),
    ],
)
def test_it_takes_the_name_from_its_words(head: str, name: str, kernel_with_knock: Kernel, phone: Phone) -> None:
    kernel_with_knock.run("n, m = 7, 9", store_history=False)

    kernel_with_knock.run(f"%%knock {head}\n1 + 1")

    assert phone.wait()["name"] == name


def test_it_shows_expressions(kernel_with_knock: Kernel, phone: Phone) -> None:
    shows = """--show acc --show "acc + 0.5" --show loss --show=where --show "{'a': 3}['a']" --show 'say("x")'"""

    kernel_with_knock.run(
        f"%%knock {shows} shown\nacc, loss, where = 0.25, float('nan'), 'here'\nsay = lambda word: word * 2"
    )

    assert phone.wait()["name"] == "shown"
    assert phone.wait()["metrics"] == {
        "acc": 0.25,
        "acc + 0.5": 0.75,
        "loss": "nan",
        "where": "here",
        "{'a': 3}['a']": 3,
        'say("x")': "xx",
    }
    assert "acc" in phone.wait()["text"]


def test_it_shows_only_what_is_json(kernel_with_knock: Kernel, phone: Phone) -> None:
    body = (
        "class Tensor:\n    shape = ()\n    def item(self):\n        return 0.125\n"
        "tensor, infinite, many, flag = Tensor(), float('-inf'), list(range(100000)), True"
    )

    kernel_with_knock.run(f"%%knock --show tensor --show infinite --show many --show flag json\n{body}")

    metrics = phone.wait()["metrics"]
    assert (metrics["tensor"], metrics["infinite"]) == (0.125, "-inf")
    assert metrics["many"].startswith("[0, 1, 2")
    assert len(metrics["many"]) < 2000
    assert b"Infinity" not in phone.wait().raw
    assert json.loads(phone.wait().raw) == phone.wait().json


def test_it_shows_what_there_was_when_the_cell_failed(kernel_with_knock: Kernel, phone: Phone) -> None:
    kernel_with_knock.run("%%knock --show step broken\nfor step in range(9):\n    1 / (5 - step)")

    assert (phone.wait()["event"], phone.wait()["metrics"]) == ("failed", {"step": 5})


@pytest.mark.parametrize(
    ("options", "ending", "told"),
    [
        ("--on failed", "1 + 1", False),
        ("--on failed,died", "1 / 0", True),
        ("--min 1h", "1 / 0", False),
        ("--min 0.2", "import time; time.sleep(0.3)", True),
        ("--min 0.2s", "1", False),
    ],
)
def test_it_knocks_only_for_what_was_asked(
    options: str, ending: str, told: bool, kernel_with_knock: Kernel, phone: Phone
) -> None:
    kernel_with_knock.run(f"%%knock {options} chosen\n{ending}")

    assert len(phone.expect_only(kernel_with_knock.send)) == told


def test_our_own_commands_are_no_work(kernel_with_knock: Kernel, phone: Phone) -> None:
    kernel_with_knock.run("%knock auto 0s")

    kernel_with_knock.run("%knock channels")
    kernel_with_knock.run("  %%knock indented\n  1")
    kernel_with_knock.run("sum(range(9))")
    kernel_with_knock.run("%knock auto 60s")

    phone.wait_for(name="sum(range(9))")  # unasked, so it waits for others to be told of with it
    told = phone.expect_only(kernel_with_knock.send)
    assert sorted(told) == [("finished", "indented"), ("finished", "sum(range(9))")]
    assert [knock["text"] for knock in phone.knocks if "channels" in knock["text"]] == []


# What was typed wrong: one clear line, and the cell runs.

WRONG: Dict[str, Tuple[str, str]] = {
    "an unknown option": ("--nope", "--nope"),
    "an abbreviated option": ("--templ standard", "--templ"),
    "an unknown channel": ("--to sluck", "sluck"),
    "a bad duration": ("--min banana", "banana"),
    "an unknown outcome": ("--on sometimes", "sometimes"),
    "an unknown template": ("--template nowhere", "nowhere"),
    "an option without its value": ("--to", "--to"),
    "a quote that is not closed": ('--show "acc', "quot"),
    "an expression that does not parse": ("--show acc+", "acc+"),
}


@pytest.mark.parametrize("case", WRONG)
def test_it_runs_the_cell_all_the_same_after(case: str, kernel_with_knock: Kernel, phone: Phone) -> None:
    typed, named = WRONG[case]

    result = kernel_with_knock.run(f"%%knock demo {typed}\nprint('the cell ran')\n6 * 7")

    assert (result.status, result.value, result.errors) == ("ok", "42", [])
    assert "the cell ran" in result.text
    assert len(result.lines_with(named)) == 1
    assert "Traceback" not in result.said
    assert phone.wait()["event"] == "finished"
    assert phone.wait()["name"] == "demo", "what was typed well counts"


def test_it_runs_the_cell_where_an_expression_raises(kernel_with_knock: Kernel, phone: Phone) -> None:
    result = kernel_with_knock.run("%%knock demo --show not_there\nprint('the cell ran')\n6 * 7")

    assert (result.status, result.value, result.errors) == ("ok", "42", [])
    assert len(result.lines_with("not_there")) == 1
    assert "NameError" in str(phone.wait()["metrics"]["not_there"])
    assert phone.wait()["event"] == "finished"


@pytest.mark.parametrize("exception", ["SystemExit", "KeyboardInterrupt"])
def test_it_runs_the_cell_where_an_expression_wants_out(
    exception: str, kernel_with_knock: Kernel, phone: Phone
) -> None:
    result = kernel_with_knock.run(f"%%knock demo --show out()\ndef out():\n    raise {exception}\n6 * 7")

    assert (result.status, result.errors) == ("ok", [])
    assert phone.wait()["event"] == "finished"


@pytest.mark.parametrize("line", ["frobnicate", "use sluck", "auto banana", "send", "use"])
def test_it_names_a_mistyped_command_in_a_line(line: str, kernel_with_knock: Kernel, phone: Phone) -> None:
    result = kernel_with_knock.run(f"%knock {line}\n6 * 7")

    assert (result.status, result.value, result.errors) == ("ok", "42", [])
    assert len(result.said.strip().splitlines()) == 1
    phone.expect_none(until=kernel_with_knock.send)


def test_it_sends_a_text(kernel_with_knock: Kernel, phone: Phone) -> None:
    kernel_with_knock.run("n = 3\n%knock send round {n} begins")

    assert phone.wait()["event"] == "message"
    assert "round 3 begins" in phone.wait()["text"]


def test_it_has_a_front_door(kernel_with_knock: Kernel, phone: Phone) -> None:
    kernel_with_knock.run("import knock\nknock.send('by hand')")

    assert "by hand" in phone.wait_for(event="message")["text"]


# Settings.


@pytest.fixture(scope="module")
def other_kernel(home: Home, module_phone: Phone) -> Iterator[Kernel]:
    """A kernel that speaks Korean, signs, and knocks for every cell of 0.2 seconds."""
    settings = {"KNOCK_LANG": "ko", "KNOCK_WEBHOOK_SECRET": "열쇠 key", "KNOCK_AUTO": "0.2"}
    kernel = Kernel(home.knocking_at(module_phone, **settings), home.work).load()
    yield kernel
    kernel.close()


def signature(knock: Knock) -> str:
    return "sha256=" + hmac.new("열쇠 key".encode(), knock.raw, hashlib.sha256).hexdigest()


def test_it_speaks_korean(other_kernel: Kernel, phone: Phone) -> None:
    other_kernel.run("%%knock 모델 학습\n1 / 0")

    text = phone.wait()["text"]
    assert "모델 학습" in text
    assert re.search(r"[가-힣]", text.replace("모델 학습", ""))
    assert "failed" not in text


def test_it_signs_the_exact_body(other_kernel: Kernel, phone: Phone) -> None:
    other_kernel.run("%%knock 서명\n1")

    assert phone.wait().headers["X-Knock-Signature"] == signature(phone.wait())


def test_it_explains_a_mistake_in_korean(other_kernel: Kernel, phone: Phone) -> None:
    result = other_kernel.run("%%knock demo --min banana\n1")

    assert re.search("[가-힣].*banana|banana.*[가-힣]", result.said)
    assert phone.wait()["event"] == "finished"


def test_it_knocks_by_itself_for_a_long_cell(other_kernel: Kernel, phone: Phone) -> None:
    other_kernel.run("short = 1")
    other_kernel.run("import time\ntime.sleep(0.3)")
    other_kernel.run("import time\ntime.sleep(0.3)\n1 / 0")
    phone.wait_for(event="finished")  # what was not asked for waits a second for more of its batch

    assert sorted(phone.expect_only(other_kernel.send)) == [("failed", "import time"), ("finished", "import time")]


def test_it_knocks_once_for_a_long_cell_with_its_line(other_kernel: Kernel, phone: Phone) -> None:
    other_kernel.run("%%knock long\nimport time\ntime.sleep(0.3)")
    other_kernel.run("time.sleep(0.25)")
    phone.wait_for(name="time.sleep(0.25)")  # in one batch with what else was not asked for

    assert phone.expect_only(other_kernel.send) == [("finished", "long"), ("finished", "time.sleep(0.25)")]


def test_it_knocks_once_for_long_nested_cells(other_kernel: Kernel, phone: Phone) -> None:
    other_kernel.run("outer = get_ipython().run_cell('import time\\ntime.sleep(0.3)')")
    phone.wait_for(event="finished")

    ((event, name),) = phone.expect_only(other_kernel.send)
    assert event == "finished"
    assert name.startswith("outer")


def test_it_can_be_told_how_long_is_long(other_kernel: Kernel, phone: Phone) -> None:
    other_kernel.run("%knock auto off")
    other_kernel.run("import time\ntime.sleep(0.3)")
    phone.expect_none(until=other_kernel.send)

    other_kernel.run("%knock auto 0.1")
    other_kernel.run("time.sleep(0.15)")
    phone.wait_for(event="finished")

    assert phone.expect_only(other_kernel.send) == [("finished", "time.sleep(0.15)")]


def test_it_shows_a_line_under_the_cell_where_no_channel_is_set_up(
    home: Home, start_kernel: Callable[..., Kernel]
) -> None:
    kernel = start_kernel(home.env()).load()

    good, bad = kernel.run("%%knock training\n6 * 7"), kernel.run("%%knock training\n1 / 0")
    plain = kernel.run("6 * 7")

    assert (good.value, good.status, bad.status) == ("42", "ok", "error")
    assert [len(result.displays) for result in (good, bad, plain)] == [1, 1, 0]
    assert "training" in good.displays[0]
    assert "finished" in good.displays[0]
    assert "failed" in bad.displays[0]
    assert "ZeroDivisionError" in bad.displays[0]


def test_it_falls_back_to_the_cell_where_the_settings_are_wrong(
    home: Home, start_kernel: Callable[..., Kernel]
) -> None:
    kernel = start_kernel(home.env(KNOCK_TO="sluck", KNOCK_AUTO="banana"))
    loaded = kernel.run("%load_ext knock")

    result = kernel.run("%%knock training\n6 * 7")

    said = loaded.said + result.said
    assert (loaded.status, result.status, result.value) == ("ok", "ok", "42")
    assert "sluck" in said
    assert "banana" in said
    assert "finished" in result.said


def test_it_stays_out_where_it_is_disabled(home: Home, start_kernel: Callable[..., Kernel], phone: Phone) -> None:
    kernel = start_kernel(home.knocking_at(phone, KNOCK_DISABLE="1")).load()

    result = kernel.run("%%knock training\n6 * 7")

    assert (result.status, result.value, result.said) == ("ok", "42", "")
    if sys.platform.startswith("linux"):
        assert home.couriers(kernel.pid) == []
    assert phone.knocks == []


def test_it_imports_nothing_heavy(home: Home, start_kernel: Callable[..., Kernel], phone: Phone) -> None:
    kernel = start_kernel(home.knocking_at(phone))
    kernel.run("import sys\nbefore = set(sys.modules)")
    kernel.load()
    kernel.run("%%knock light\n1 / 0")
    phone.wait()

    heavy = ("requests", "urllib3", "ipywidgets", "smtplib", "matplotlib", "numpy", "tqdm")
    assert kernel.ask(f"[name for name in {heavy!r} if name in set(sys.modules) - before]") == "[]"


# Loading and unloading.

HOOKS = """(lambda ip, sys: (
    {event: [repr(f) for f in found] for event, found in ip.events.callbacks.items()},
    [repr(f) for f in ip.input_transformers_cleanup], [repr(f) for f in ip.input_transformers_post],
    [repr(f) for f in ip.ast_transformers],
    sorted(ip.magics_manager.magics['line']), sorted(ip.magics_manager.magics['cell']),
    sorted(ip.magics_manager.registry), sorted(ip.user_ns),
    {name: sorted(map(repr, sum(kinds.values(), []))) for name, kinds in ip._trait_notifiers.items()
     if any(kinds.values())},
    repr(ip.display_pub), repr(ip.displayhook), repr(sys.stdout), repr(sys.excepthook),
    repr(sys.stdout.__dict__.get('write')),
    sorted(name for name in ip.extension_manager.loaded if 'knock' in name),
))(get_ipython(), __import__('sys'))"""


@pytest.mark.parametrize(
    ("loaded", "unloaded"), [("knock", "knock"), ("knock_magic", "knock"), ("knock", "knock_magic")]
)
def test_it_takes_every_hook_out_again(
    loaded: str, unloaded: str, home: Home, start_kernel: Callable[..., Kernel], phone: Phone
) -> None:
    kernel = start_kernel(home.knocking_at(phone))
    kernel.run("%unload_ext not_there")  # IPython registers the magic itself on first use
    before = kernel.ask(HOOKS)
    kernel.run(f"%load_ext {loaded}", store_history=False)
    assert kernel.ask(HOOKS) != before
    kernel.run("%%knock once\npass", store_history=False)

    result = kernel.run(f"%unload_ext {unloaded}", store_history=False)

    assert (result.status, result.said) == ("ok", "")
    assert kernel.ask(HOOKS) == before
    assert phone.wait()["name"] == "once"
    assert kernel.run("%%knock gone\n1 + 1").status == "error"


def test_it_delivers_what_is_due_after_it_was_unloaded(home: Home, start_kernel: Callable[..., Kernel]) -> None:
    phone = Phone(answering=False)
    kernel = start_kernel(home.knocking_at(phone)).load()
    kernel.run("%%knock before\n1 + 1")
    kernel.run("%unload_ext knock")

    phone.open()

    assert phone.wait()["name"] == "before"
    phone.close()


@linux_only
def test_its_courier_leaves_once_it_is_unloaded(home: Home, start_kernel: Callable[..., Kernel], phone: Phone) -> None:
    kernel = start_kernel(home.knocking_at(phone)).load()
    kernel.run("%%knock before\n1 + 1")
    home.courier(kernel.pid)

    kernel.run("%unload_ext knock")

    poll(lambda: not home.couriers(kernel.pid), "the courier to leave")
    assert phone.wait()["event"] == "finished"


def test_it_is_loaded_once(home: Home, start_kernel: Callable[..., Kernel], phone: Phone) -> None:
    kernel = start_kernel(home.knocking_at(phone)).load()
    kernel.run("%load_ext knock_magic")
    kernel.run("%load_ext knock")
    kernel.run("%reload_ext knock")
    kernel.run("%reload_ext knock_magic")

    result = kernel.run("%%knock one\n6 * 7")

    assert (result.status, result.value) == ("ok", "42")
    assert phone.expect_only(kernel.send) == [("finished", "one")]


def test_it_can_be_loaded_again(home: Home, start_kernel: Callable[..., Kernel], phone: Phone) -> None:
    kernel = start_kernel(home.knocking_at(phone)).load()
    kernel.run("%%knock first\n1")
    kernel.run("%unload_ext knock_magic")
    kernel.load()

    kernel.run("%%knock second\n1")

    assert sorted(phone.expect_only(kernel.send)) == [("finished", "first"), ("finished", "second")]


def test_it_tells_how_things_stand(kernel_with_knock: Kernel) -> None:
    result = kernel_with_knock.run("%knock")

    assert result.status == "ok"
    assert "webhook" in result.said
    assert "127.0.0.1" not in result.said


def test_it_tests_a_channel(kernel_with_knock: Kernel, phone: Phone) -> None:
    result = kernel_with_knock.run("%knock test webhook")

    assert phone.wait()["event"] == "test"
    assert "webhook" in result.said


def test_it_says_once_why_a_test_did_not_arrive(kernel_with_knock: Kernel, phone: Phone) -> None:
    phone.answer(404)

    result = kernel_with_knock.run("%knock test webhook")

    again = kernel_with_knock.run("%knock test webhook")

    assert result.status == "ok"
    assert len(result.lines_with("404")) == 1
    assert "404" not in again.said


def test_it_lists_the_channels(kernel_with_knock: Kernel) -> None:
    result = kernel_with_knock.run("%knock channels")

    assert all(word in result.said for word in ("webhook", "notebook", "KNOCK_WEBHOOK_URL", "KNOCK_WEBHOOK_SECRET"))


def test_it_moves_to_another_channel(kernel_with_knock: Kernel, phone: Phone) -> None:
    kernel_with_knock.run("%knock use notebook")
    here = kernel_with_knock.run("%%knock here\n1 + 1")
    kernel_with_knock.run("%knock use webhook")

    there = kernel_with_knock.run("%%knock there\n1 + 1")

    assert [len(result.displays) for result in (here, there)] == [1, 0]
    assert phone.expect_only(kernel_with_knock.send) == [("finished", "there")]


def test_a_cell_can_choose_its_channel(kernel_with_knock: Kernel, phone: Phone) -> None:
    both = kernel_with_knock.run("%%knock both --to notebook,webhook\n1 + 1")
    here = kernel_with_knock.run("%%knock here --to notebook\n1 + 1")

    assert ["both" in both.displays[0], "here" in here.displays[0]] == [True, True]
    assert phone.expect_only(kernel_with_knock.send) == [("finished", "both")]
