"""Whatever a cell throws, prints, shows or is called: the knock arrives, short and readable, and the cell is as ever."""

from __future__ import annotations

import json
import queue
import unicodedata
from typing import Any, Callable, Dict, Optional

import pytest
from conftest import Home, Kernel, Result, linux_only
from hypothesis import given, strategies as st
from phone import Knock, Phone

from knock_magic.cleaning import clean
from knock_magic.event import ErrorInfo, Event
from knock_magic.metrics import TEXT_LIMIT
from knock_magic.redaction import Redactor
from knock_magic.template import render
from knock_magic.tracebacks import MESSAGE_LIMIT

pytestmark = pytest.mark.timeout(300)  # 50 MB through a kernel's sockets take a while on a busy machine


def assert_readable(knock: Knock) -> None:
    """Nothing in it that a phone can't show, or that turns text around; and no more than a person reads."""

    def check(value: Any) -> None:
        if isinstance(value, dict):
            check(list(value) + list(value.values()))
        elif isinstance(value, list):
            for each in value:
                check(each)
        elif isinstance(value, str):
            bad = {letter for letter in value if unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\n\t"}
            assert not bad | {letter for letter in "\u202e\u2066\u200f" if letter in value}
            value.encode("utf-8")

    check(knock.json)
    assert len(knock.raw) < 200_000


# Each raises something; what the knock has to say of it.
THROWN: Dict[str, Any] = {
    "50 MB": ("raise ValueError('학습' + 'x' * 50_000_000)", "ValueError", "학습xxx"),
    "50 MB of lines": ("raise ValueError('line\\n' * 10_000_000)", "ValueError", "line\nline\n"),
    "NUL": ("raise ValueError('a\\x00b')", "ValueError", "ab"),
    "ANSI": ("raise ValueError('\\x1b[31mred\\x1b[0m \\x1b]8;;http://x\\x1b\\\\link')", "ValueError", "red link"),
    "lone surrogates": ("raise ValueError('a\\ud800b \\ud83d\\ude00')", "ValueError", "a\ufffdb 😀"),
    "bidi": ("raise ValueError('\\u202egnp.exe\\u202c \\u2066x\\u2069')", "ValueError", "gnp.exe x"),
    "a raising __str__": (
        "class Sly(Exception):\n    def __str__(self): raise RuntimeError('no')\nraise Sly",
        "Sly",
        "<Sly: str() raised RuntimeError>",
    ),
    "a __str__ that wants out": (
        "class Sly(Exception):\n    def __str__(self): raise SystemExit\n    __repr__ = __str__\nraise Sly",
        "Sly",
        "<Sly: str() raised SystemExit>",
    ),
    "a __str__ that gives a number": (
        "class Sly(Exception):\n    def __str__(self): return 3\nraise Sly",
        "Sly",
        "<Sly: str() raised TypeError>",
    ),
    "a __str__ that gives a subclass": (
        "class S(str):\n    def __getitem__(self, i): raise RuntimeError\n    __len__ = __iter__ = __getitem__\n"
        "class Sly(Exception):\n    def __str__(self): return S('said')\nraise Sly",
        "Sly",
        "said",
    ),
    "a class with another name": (
        "class Meta(type):\n    @property\n    def __name__(cls): return 'fake' * 1_000_000\n"
        "class Sly(Exception, metaclass=Meta): pass\nraise Sly('said')",
        "Sly",
        "said",
    ),
    "a wild class name": ("raise type('Wild\\x1b[31m\\u202e', (Exception,), {})('said')", "Wild", "said"),
    "wild arguments": (
        "raise ValueError(b'\\xff', None, float('nan'), {'a': [1]})",
        "ValueError",
        "(b'\\xff', None, nan",
    ),
    "a chain": (
        "e = None\nfor i in range(300):\n    n = RuntimeError(f'after {i}'); n.__cause__ = e; e = n\nraise e",
        "RuntimeError",
        "after 299",
    ),
    "an endless recursion": ("def f(): f()\nf()", "RecursionError", "maximum recursion depth exceeded"),
    "a syntax error": ("x = = 1", "SyntaxError", "invalid syntax (cell, line "),
    "an odd syntax error": ("raise SyntaxError(3, (4, 'x', None, None))", "SyntaxError", ""),
    "an exit with an odd code": (
        "import sys\nclass Array:\n    def __bool__(self): raise ValueError('ambiguous')\nsys.exit(Array())",
        "SystemExit",
        "",
    ),
    "an exception that is false": (
        "class Sly(Exception):\n    def __bool__(self): return False\n    def __len__(self): return 0\nraise Sly('said')",
        "Sly",
        "said",
    ),
    "a class that raises": (
        "class Sly(Exception):\n    @property\n    def __class__(self): raise RuntimeError\nraise Sly('said')",
        "Sly",
        "said",
    ),
}


@pytest.mark.parametrize("case", THROWN)
def test_whatever_is_thrown_is_told(case: str, kernel_with_knock: Kernel, phone: Phone) -> None:
    code, kind, message = THROWN[case]

    result = run_if_it_answers(kernel_with_knock, f"%%knock {case}\n{code}", 100 if "MB" in case else 20)
    knock = phone.wait_for(name=case, timeout=40)
    after = kernel_with_knock.run("6 * 7")

    assert knock["event"] == "failed"
    if knock["error"]["type"] == kind:
        assert knock["error"]["message"].startswith(message)
    else:  # IPython 9 loses some that it can't write down, and says so in its own words; so do we
        assert result
        assert knock["error"]["type"] == result.reply["ename"]
    assert len(knock["error"]["message"]) <= MESSAGE_LIMIT
    assert_readable(knock)
    assert "fault of its own" not in (result.text if result else "") + after.text
    assert (result.status if result else "error", after.value) == ("error", "42")


def run_if_it_answers(kernel: Kernel, code: str, timeout: float) -> Optional[Result]:
    """What came of it; nothing where the kernel can't send its answer, which is so without us too (IPython 7.34)."""
    try:
        return kernel.run(code, timeout=timeout)
    except queue.Empty:
        return None


@pytest.mark.parametrize("case", ["a group", "a group in a group", "a task group"])
def test_a_group_of_errors_is_told(case: str, kernel_with_knock: Kernel, phone: Phone) -> None:
    code = {
        "a group": "raise ExceptionGroup('two', [ValueError('bad batch'), TypeError('x')])",
        "a group in a group": (
            "e = ValueError('innermost')\nfor i in range(50):\n    e = ExceptionGroup(f'{i}', [e])\nraise e"
        ),
        "a task group": (
            "import asyncio\nasync def bad(): raise ValueError('bad batch')\n"
            "async with asyncio.TaskGroup() as g: g.create_task(bad())"
        ),
    }[case]
    if kernel_with_knock.ask("hasattr(__builtins__, 'ExceptionGroup')") == "False":
        pytest.skip("needs Python 3.11")

    kernel_with_knock.run(f"%%knock {case}\n{code}")
    knock = phone.wait_for(name=case)

    assert (knock["event"], knock["error"]["type"]) == ("failed", "ExceptionGroup")
    assert "sub-exception" in knock["error"]["message"]
    assert case == "a group in a group" or "ValueError: bad batch" in knock["error"]["message"]
    assert_readable(knock)


# Names, shown values, texts.

WILD = "'\\x1b[31mred\\x00\\u202e\\ud800 ' + 'x' * 1_000_000"


def test_a_wild_name_is_readable(kernel_with_knock: Kernel, phone: Phone) -> None:
    kernel_with_knock.run(f"wild = {WILD}")

    result = kernel_with_knock.run("%%knock run {wild}\n1")
    knock = phone.wait_for(event="finished")

    assert knock["name"].startswith("run red\ufffd xxx")
    assert len(knock["name"]) <= 200
    assert_readable(knock)
    assert result.value == "1"


def test_wild_values_are_readable(kernel_with_knock: Kernel, phone: Phone) -> None:
    code = f"""%%knock shows --show wild --show sly --show array --show odd --show liar
class Sly:
    def __str__(self): raise SystemExit('no')
    __repr__ = __str__
class Array:
    shape = property(lambda self: 1 / 0)
    item = None
    def __str__(self): return 'array' * 1_000_000
class Odd(float):
    def __float__(self): raise ValueError
    __str__ = __repr__ = __format__ = __float__
class Liar:
    __class__ = property(lambda self: 1 / 0)
wild, sly, array, odd, liar = {WILD}, Sly(), Array(), Odd(0.5), Liar()
"""

    result = kernel_with_knock.run(code)
    metrics = phone.wait_for(name="shows")["metrics"]

    assert metrics["wild"].startswith("red\ufffd xxx")
    assert metrics["sly"] == "<Sly: str() raised SystemExit>"
    assert metrics["array"].startswith("arrayarray")
    assert metrics["odd"] == 0.5
    assert "Liar object" in metrics["liar"]
    assert all(len(str(value)) <= TEXT_LIMIT for value in metrics.values())
    assert_readable(phone.wait_for(name="shows"))
    assert (result.status, result.text) == ("ok", "")


def test_an_expression_that_throws_something_wild_is_told(kernel_with_knock: Kernel, phone: Phone) -> None:
    kernel_with_knock.run(
        "def throw():\n    class Sly(Exception):\n        def __str__(self): raise SystemExit\n    raise Sly"
    )

    result = kernel_with_knock.run("%%knock throws --show throw()\n6 * 7")

    assert phone.wait_for(name="throws")["metrics"] == {"throw()": "Sly: <Sly: str() raised SystemExit>"}
    assert result.value == "42"


@pytest.mark.parametrize("text", [WILD, "'x' * 50_000_000", "b'bytes'", "None", "'two\\nlines'"])
def test_any_text_can_be_sent(text: str, kernel_with_knock: Kernel, phone: Phone) -> None:
    result = kernel_with_knock.run(f"import knock\nknock.send({text})", timeout=60)
    knock = phone.wait_for(event="message")

    assert_readable(knock)
    assert len(knock["name"]) <= 200
    assert "\n" not in knock["name"]
    assert (result.status, result.text) == ("ok", "")


@linux_only
@pytest.mark.parametrize("line", ["x = '\\u202e\\x1b[31m' # \x1b[31m\u202ered\x07", "x = 1;" + "y = 2;" * 200])
def test_a_wild_cell_that_dies_is_named_readably(
    line: str, home: Home, start_kernel: Callable[..., Kernel], phone: Phone
) -> None:
    kernel = start_kernel(home.knocking_at(phone, KNOCK_AUTO="0")).load()

    kernel.start(f"{line}\nimport os; os.kill(os.getpid(), 9)")
    knock = phone.wait_for(event="died")

    assert knock["name"].startswith("x = ")
    assert len(knock["name"]) <= 60
    assert_readable(knock)


# Any text at all.


def readable(text: str) -> str:
    text.encode("utf-8")
    assert json.loads(json.dumps(text)) == text
    assert not {"\x00", "\x1b", "\r", "\u202e"} & set(text)
    return text


@given(st.text(st.characters(), min_size=1, max_size=200), st.sampled_from(["en", "ko"]))
def test_any_text_becomes_a_message(text: str, lang: str) -> None:
    error = ErrorInfo(clean(text, 200), clean(text, 2000), clean(text, 2000))
    events = [
        Event(event="message", name=text, text=text, started_at=0.0),
        Event(event="failed", name=text, error=error, metrics={text: text, f"{text}1": 0.5}, started_at=0.0),
    ]

    for event in events:
        message = render(Redactor({}).event(event), lang=lang)
        readable(message.title)
        readable(message.body)
    for word in clean(text, 1000).split():
        if word.isalpha():
            assert word in message.text
