"""Any exception is told in few words: what it is, what it says, and where it came from."""

from __future__ import annotations

import asyncio
import functools
import os
import sys
from pathlib import Path
from types import CodeType, TracebackType
from typing import Any, Callable, Optional

import pytest
from hypothesis import given, strategies as st

from knock_magic.event import ErrorInfo
from knock_magic.tracebacks import FRAMES, MESSAGE_LIMIT, describe


def told(error: BaseException, **options: Any) -> ErrorInfo:
    return describe(error, **options)


def raised(function: Callable[[], Any], **options: Any) -> ErrorInfo:
    try:
        function()
    except BaseException as error:
        return told(error, **options)
    raise AssertionError("nothing was raised")


def run(source: str, filename: str, **names: Any) -> Callable[[], Any]:
    """Code as if from the file `filename`."""
    return lambda: exec(compile(source, filename, "exec"), {**names})


# What is told.


def test_type_and_message_and_where() -> None:
    info = raised(run("def f():\n    1 / 0\nf()", "/elsewhere/train.py"))

    assert (info.type, info.message) == ("ZeroDivisionError", "division by zero")
    assert info.traceback
    assert info.traceback.splitlines()[-2:] == [
        "/elsewhere/train.py, line 3, in <module>",
        "/elsewhere/train.py, line 2, in f",
    ]


def test_the_source_comes_only_when_asked(tmp_path: Path) -> None:
    file = tmp_path / "train.py"
    file.write_text("secret = 1\nraise ValueError(secret)\n", encoding="utf-8")

    without = raised(run(file.read_text(encoding="utf-8"), str(file)))
    with_source = raised(run(file.read_text(encoding="utf-8"), str(file)), with_source=True)

    assert str(without.traceback).endswith("train.py, line 2, in <module>")
    assert str(with_source.traceback).endswith("in <module>\n    raise ValueError(secret)")


@pytest.mark.parametrize("name", ["<ipython-input-3-0123abcd>", "/tmp/ipykernel_42/123456.py", "<string>"])
def test_a_cell_is_called_so(name: str) -> None:
    assert str(raised(run("1 / 0", name)).traceback).endswith("cell, line 1, in <module>")


def test_a_file_is_named_from_where_it_is_imported_or_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))

    here = raised(run("1 / 0", str(tmp_path / "train.py")))
    there = raised(run("1 / 0", str(tmp_path / "lib" / "nets" / "unet.py")))

    assert str(here.traceback).endswith("\ntrain.py, line 1, in <module>")
    assert str(there.traceback).endswith(f"\n{os.path.join('nets', 'unet.py')}, line 1, in <module>")


def test_wild_entries_in_the_path_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    """``sys.path.append(Path(...))`` is common in notebooks."""
    monkeypatch.setattr(sys, "path", [*sys.path, Path("/opt"), None, b"/bytes", ""])

    assert str(raised(run("1 / 0", "/elsewhere/train.py")).traceback).endswith(
        "/elsewhere/train.py, line 1, in <module>"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="a folder in use can't be removed there")
def test_a_removed_current_folder_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()

    assert str(raised(run("1 / 0", "/elsewhere/train.py")).traceback).endswith(
        "/elsewhere/train.py, line 1, in <module>"
    )


def test_the_last_frames_are_told_and_a_recursion_once() -> None:
    deep = "def f(n):\n    if n == 0:\n        1 / 0\n" + "".join(
        f"    if n == {n}:\n        f(n - 1)\n" for n in range(1, 20)
    )
    lines = str(raised(run(f"{deep}f(19)", "/elsewhere/deep.py")).traceback).splitlines()
    endless = str(raised(run("def f():\n    f()\nf()", "/elsewhere/endless.py")).traceback).splitlines()

    assert len(lines) == FRAMES
    assert lines[-1] == "/elsewhere/deep.py, line 3, in f"
    assert endless[-2] == "/elsewhere/endless.py, line 3, in <module>"
    assert endless[-1].startswith("/elsewhere/endless.py, line 2, in f (×")


def test_it_keeps_nothing_of_the_exception() -> None:
    import weakref

    class Tensor:
        pass

    class Canary(Exception):
        pass

    def fail(tensor: Tensor) -> None:
        raise Canary

    refs = []
    try:
        tensor = Tensor()
        refs.append(weakref.ref(tensor))
        fail(tensor)
    except Canary as error:
        refs.append(weakref.ref(error))
        info = told(error)
    del tensor

    assert info.type == "Canary"
    assert [ref() for ref in refs] == [None, None]


# Groups and chains.


@pytest.mark.skipif(sys.version_info < (3, 11), reason="needs Python 3.11")
def test_a_group_tells_its_first_error_too() -> None:
    async def bad() -> None:
        raise ValueError("bad batch")

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(bad())

    info = raised(lambda: asyncio.run(main()))

    assert info.type == "ExceptionGroup"
    assert info.message == "unhandled errors in a TaskGroup (1 sub-exception): ValueError: bad batch"
    assert str(info.traceback).endswith("in bad")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="needs Python 3.11")
def test_a_group_in_a_group_in_a_group_has_an_end() -> None:
    error: BaseException = ValueError("innermost")
    for depth in range(500):
        error = ExceptionGroup(f"level {depth}", [error])  # noqa: F821 - Python 3.11 and later

    info = told(error)

    assert info.message.startswith("level 499 (1 sub-exception): ")
    assert len(info.message) <= MESSAGE_LIMIT


def test_a_chain_is_told_by_its_last_error() -> None:
    error: Exception = ValueError("first")
    for number in range(2000):
        following = RuntimeError(f"after {number}")
        following.__cause__ = error
        error = following
    error.__context__ = error.__cause__

    assert told(error).message == "after 1999"


# Syntax errors.


def test_a_syntax_error_says_where() -> None:
    info = raised(lambda: compile("x = = 1", "/elsewhere/bad.py", "exec"))

    assert info.type == "SyntaxError"
    assert info.message == "invalid syntax (/elsewhere/bad.py, line 1)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "None"),
        (("only words",), "only words"),
        (("words", (None, None, None, None)), "words"),
        (("words", (b"bytes.py", 3, 1, "x")), "words (bytes.py, line 3)"),
        ((b"bytes", ("file.py", "third", None, None)), "b'bytes' (file.py, line third)"),
        (([1], ("file.py", 3, 1, "x")), "[1] (file.py, line 3)"),
    ],
)
def test_an_odd_syntax_error_is_told(arguments: Any, message: str) -> None:
    info = told(SyntaxError(*arguments))

    assert info.type == "SyntaxError"
    assert info.message.split(" (")[0] in (message.split(" (")[0], "None")


def test_a_syntax_error_whose_attributes_raise_is_told() -> None:
    class Sly(SyntaxError):
        filename = property(lambda self: 1 / 0)

    assert told(Sly("words")).message == "words"


# Hostile classes.


class Liar(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise SystemExit("no name")


class Hostile(Exception, metaclass=Liar):
    args = property(lambda self: 1 / 0)
    __traceback__ = property(lambda self: 1 / 0)  # type: ignore[assignment]
    __cause__ = property(lambda self: 1 / 0)  # type: ignore[assignment]
    __class__ = property(lambda self: 1 / 0)  # type: ignore[assignment]
    __dict__ = property(lambda self: 1 / 0)  # type: ignore[assignment]

    def __str__(self) -> str:
        raise SystemExit("no words")

    def __getattr__(self, name: str) -> Any:
        raise SystemExit(f"no {name}")

    def __bool__(self) -> bool:
        raise SystemExit("neither")

    def __len__(self) -> int:
        raise SystemExit("no length")

    def __eq__(self, other: Any) -> bool:
        raise SystemExit("no equal")

    def __hash__(self) -> int:
        raise SystemExit("no hash")

    __repr__ = __str__


def test_an_exception_that_answers_nothing_is_told_all_the_same() -> None:
    def fail() -> None:
        raise Hostile

    info = raised(fail)

    assert info.type == "Hostile"
    assert info.message == "<Hostile: str() raised SystemExit>"
    assert str(info.traceback).endswith("in fail")


@pytest.mark.parametrize("members", [None, 3, "text", [], (), (3,), (Hostile,), [ValueError()], {1: 2}])
def test_what_is_no_group_is_taken_for_none(members: Any) -> None:
    error = ValueError("words")
    error.exceptions = members  # type: ignore[attr-defined]

    assert told(error).message == "words"


def test_a_huge_message_is_cut() -> None:
    info = told(ValueError("\x1b[31mx" * 10_000_000))

    assert 1000 < len(info.message) <= MESSAGE_LIMIT
    assert info.message.startswith("xxx")
    assert info.message.endswith("…")


def test_wild_names_of_files_and_functions_are_cleaned() -> None:
    def wild() -> None:
        raise ValueError

    code = wild.__code__.replace(co_filename="/a\x1b[31m\u202e\n" + "x" * 1000, co_name="f\x00\u202e" + "y" * 1000)
    wild.__code__ = code
    info = raised(wild, with_source=True)

    assert info.traceback
    line = info.traceback.splitlines()[-1]
    assert not {"\x1b", "\u202e", "\x00"} & set(info.traceback)
    assert "in fyyy" in line
    assert len(info.traceback) < 1500


def test_a_long_chain_of_frames_is_walked_to_its_end() -> None:
    """A program may have raised the limit of recursion."""
    frame = sys._getframe()
    tb: Optional[TracebackType] = None
    for _ in range(100_000):
        tb = TracebackType(tb, frame, 0, 1)

    info = told(ValueError("deep").with_traceback(tb))

    assert str(info.traceback).endswith("(×100000)")


@given(
    st.text(st.characters(), max_size=50),
    st.text(st.characters(), max_size=50),
    st.lists(st.text(st.characters()), max_size=3),
)
def test_any_exception_is_fit_to_travel(name: str, message: str, arguments: Any) -> None:
    name = name.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
    kind = type(name or "E", (Exception,), {"__str__": lambda self: message})

    info = told(kind(*arguments), with_source=True)

    for text in (info.type, info.message):
        assert text.encode("utf-8").decode("utf-8") == text
        assert not {"\x00", "\x1b", "\u202e"} & set(text)


def test_code_is_compared_by_identity() -> None:
    """Equal code of two functions is no recursion."""
    code: CodeType = compile("g()", "/elsewhere/same.py", "exec")

    def last() -> None:
        raise ValueError

    second = compile("g()", "/elsewhere/same.py", "exec")
    info = raised(lambda: exec(code, {"g": functools.partial(exec, second, {"g": last})}))

    assert "×" not in str(info.traceback)
