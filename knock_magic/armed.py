"""`Armed`: what ``knock.run`` gives. A function or a block of code that knocks when it is over.

It works around the code and never inside it: what the code returns and raises is passed on as it is, and a fault
of ours is logged. Only wrong options are raised, where they are written.
"""

from __future__ import annotations

import atexit
import functools
import inspect
import os
import sys
import threading
import types
from contextvars import ContextVar
from typing import Any, AsyncIterator, Callable, Dict, Iterator, List, Mapping, Optional, Tuple, TypeVar

from knock_magic import knocker, options, relay
from knock_magic.cleaning import clean, one_line
from knock_magic.endings import tell_end
from knock_magic.errors import UsageError, a_kind
from knock_magic.event import Event
from knock_magic.guard import guarded
from knock_magic.knocker import Knocker
from knock_magic.metrics import as_result
from knock_magic.options import Options
from knock_magic.runs import Run, rank

Function = TypeVar("Function")

NAME_LIMIT = 200  # characters
RESULT = "result"  # the metric that a function's return value is shown as
OFTEN_S = 60.0  # progress that was asked for without saying how often

# What is open around the code that runs now, the innermost last. By context: threads and tasks each have their own.
_around: ContextVar[Tuple[Piece, ...]] = ContextVar("knock_around", default=())


class Armed:
    """A decorator and a context manager, to be used as often as one likes, also at the same time.

    >>> with knock.run("resnet", to="slack"):
    ...     train()
    """

    def __init__(self, asked: Options) -> None:
        self._asked = asked
        self._entered: List[Piece] = []

    def __call__(self, function: Function) -> Function:
        return decorated(function, self)  # type: ignore[no-any-return]

    def begin(self, name: str, function: Any = None) -> Piece:
        """A piece that begins now, called `name` where the options have no name.

        What a `function` does that has called itself is part of what it does already.
        """
        outer = next((piece for piece in _around.get() if function is not None and piece.function is function), None)
        return Again(outer) if outer else Piece(self._asked.name or name, self._asked, function)

    def __enter__(self) -> Piece:
        piece = self.begin(script_name())
        self._entered.append(piece)
        Inside(piece).__enter__()
        return piece

    def __exit__(self, kind: Any, error: Optional[BaseException], traceback: Any) -> None:
        here = _around.get()
        # Blocks of several threads may be open at once, and end in any order; each ends its own innermost one.
        mine = [piece for piece in self._entered if piece in here] or self._entered[-1:]
        for piece in mine[-1:]:
            self._entered.remove(piece)
            Inside(piece).__exit__(kind, error, traceback)
            piece.end(error)

    async def __aenter__(self) -> Piece:
        return self.__enter__()

    async def __aexit__(self, kind: Any, error: Optional[BaseException], traceback: Any) -> None:
        self.__exit__(kind, error, traceback)


class Piece:
    """One time that armed code runs; what ``with knock.run(...) as piece`` gives."""

    def __init__(self, name: str, asked: Options, function: Any = None) -> None:
        self.function = function
        self.run: Optional[Run] = None
        self.rules: Mapping[str, Any] = {}
        self._begin(name, asked)

    @guarded
    def _begin(self, name: str, asked: Options) -> None:
        door = knocker.current()
        if not door.settings.disable:
            self.rules = door.rules(asked, min_s=0.0)
            self.run = begun(door, name, self.rules)

    def progress(self, step: Any = None, total: Any = None, /, *more: Any, **metrics: Any) -> None:
        """Say how far this piece is; see `knock.progress`."""
        if self.run:
            tell_progress(self.run, self.rules, *at(step, total, metrics), metrics)

    @guarded
    def gave(self, value: Any) -> None:
        """The code returned `value`, which is shown if it is one number."""
        metric = as_result(value)
        if self.run and metric is not None:
            self.run.note({RESULT: metric})

    @guarded
    def end(self, error: Optional[BaseException]) -> None:
        """It is over, by `error` or well."""
        if self.run:
            tell_end(self.run, error, with_source=self.rules["with_source"])
            door = knocker.current()
            if door.cells:
                door.cells.spoke()

    def __enter__(self) -> Piece:
        return self

    def __exit__(self, kind: Any, error: Optional[BaseException], traceback: Any) -> None:
        self.end(error)


class Again(Piece):
    """A function that runs within itself: its progress is that of the `outer` piece, which alone tells the end."""

    def __init__(self, outer: Piece) -> None:
        self.function, self.run, self.rules = outer.function, outer.run, outer.rules

    def gave(self, value: Any) -> None:
        """Only what the outermost call returns is the result."""

    def end(self, error: Optional[BaseException]) -> None:
        """It goes on outside."""


class Inside:
    """Within this block, the code that runs is the piece's."""

    def __init__(self, piece: Piece) -> None:
        self._piece = piece

    def __enter__(self) -> None:
        _around.set((*_around.get(), self._piece))

    def __exit__(self, kind: Any, error: Optional[BaseException], traceback: Any) -> None:
        # Not a reset to what was before: a task may end what another one began.
        _around.set(tuple(other for other in _around.get() if other is not self._piece))


def begun(door: Knocker, name: str, rules: Mapping[str, Any], **watching: Any) -> Run:
    """A run outside any cell, started; `watching` says how `signs.watch` is to look at it."""
    from knock_magic.signs import watch  # not above: to be armed must not slow an import

    if door.cells is None:
        rules = {**rules, "script": True}  # it dies with no kernel

    def tell(event: Event) -> None:
        if event.event == "started":
            door.begin(event, rules, run.started_mono)
        else:
            door.tell(event, rules)

    run = Run(clean(one_line(name, NAME_LIMIT), NAME_LIMIT), tell, notebook=door.notebook())
    outer, _ = here()
    run.start()
    watch(door, run, rules, outer=outer, **watching)
    return run


def armed(name: Optional[str], given: Mapping[str, Any]) -> Armed:
    """What ``knock.run(name, **given)`` gives; raises `UsageError` where the options can't be understood."""
    asked = options.from_values(name or "", given)
    if asked.template:
        knocker.current().configuration.template(asked.template)
    return Armed(asked)


def script_name() -> str:
    """What a block without a name is called: the script that runs."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    return os.path.basename(main) if main else "knock.run"


# Progress.


@guarded
def report(step: Any, total: Any, metrics: Dict[str, Any]) -> None:
    """Say how far the innermost run of this thread is; in a worker's, which has none, the only one there is."""
    run, rules = here()
    if run is None and threading.current_thread() is not threading.main_thread():
        run, rules = only_one()
    if run:
        tell_progress(run, rules, *at(step, total, metrics), metrics)


def at(step: Any, total: Any, named: Dict[str, Any]) -> Tuple[Any, Any]:
    """The step and the total of a call: what was not given by place is taken out of what is `named`."""
    return (
        named.pop("step", None) if step is None else step,
        named.pop("total", None) if total is None else total,
    )


def here() -> Tuple[Optional[Run], Mapping[str, Any]]:
    """The innermost run of this thread with its rules: a piece's, an armed cell's, else that of ``knock run`` around it.

    No run where there is none.
    """
    around = _around.get()
    if around:
        return around[-1].run, around[-1].rules
    door = knocker.present()
    cell = door.cells.innermost() if door and door.cells else None
    if cell:
        return cell.run, cell.rules
    return (None, {}) if door and door.cells else _of_the_command()


# What is passed on to the ``knock run`` that has started this program, and how often.
PASSED_ON: Mapping[str, Any] = {"on": ("progress",), "every_s": 1.0}
_passing: List[Run] = []


def _of_the_command() -> Tuple[Optional[Run], Mapping[str, Any]]:
    """A run whose steps and metrics go to ``knock run``, if that is what has started this program."""
    pipe = os.environ.get(relay.VARIABLE)
    if not pipe or rank(os.environ) or not (_passing or relay.is_heard(pipe)):
        return None, {}
    if not _passing:
        from knock_magic.signs import Track, sampler  # not above: to be armed must not slow an import

        run = Run("knock run", lambda event: relay.write(pipe, event))
        run.track = Track(run, PASSED_ON)
        sampler.add(run.track)
        atexit.register(guarded(run.track.tell))
        _passing.append(run)
    return _passing[0], PASSED_ON


def only_one() -> Tuple[Optional[Run], Mapping[str, Any]]:
    """The run that is open, with its rules, where it is just one: then a worker's progress can be no other's."""
    signs = sys.modules.get("knock_magic.signs")
    track = signs.sampler.only() if signs else None
    return (track.run, track.rules) if track else (None, {})


@guarded
def tell_progress(run: Run, rules: Mapping[str, Any], step: Any, total: Any, metrics: Mapping[str, Any]) -> None:
    """Keep the latest `metrics` of `run`, and knock with how far it is where its rules want that now."""
    if run.track:
        run.track.report(step, total, metrics, is_due(run, rules))


def is_due(run: Run, rules: Mapping[str, Any]) -> bool:
    """Whether it is time again to say how far `run` is, if that was asked for."""
    return "progress" in rules["on"] and run.is_quiet_for(rules.get("every_s") or OFTEN_S)


# Functions.


def decorated(function: Any, code: Armed) -> Any:
    """`function` as `code`: of the same kind, with the same name and signature."""
    if isinstance(function, (staticmethod, classmethod)):
        return type(function)(decorated(function.__func__, code))
    if not callable(function) or isinstance(function, type):
        what = "a class" if isinstance(function, type) else a_kind(function)
        raise UsageError(
            f"knock.run goes around a function or a method, got {what}. Around other code: with knock.run(...):",
            f"knock.run은 함수나 메서드에 붙여 주세요. 받은 것: {what}. 다른 코드는 with knock.run(...): 안에 넣어 주세요.",
        )
    called = (function, type(function).__call__)  # the second for an object that is called like a function
    wrap = next(wrap for is_one, wrap in _KINDS if any(map(is_one, called)))
    return functools.wraps(function)(wrap(function, code, _name_of(function)))


def _name_of(function: Any) -> str:
    name = getattr(function, "__qualname__", "") or type(function).__name__
    return str(name).rpartition("<locals>.")[2]


def _plain(function: Any, code: Armed, name: str) -> Any:
    def call(*arguments: Any, **named: Any) -> Any:
        with code.begin(name, function) as piece, Inside(piece):
            value = function(*arguments, **named)
            piece.gave(value)
            return value

    return call


def _coroutine(function: Any, code: Armed, name: str) -> Any:
    async def call(*arguments: Any, **named: Any) -> Any:
        with code.begin(name, function) as piece, Inside(piece):
            value = await function(*arguments, **named)
            piece.gave(value)
            return value

    return call


def _generator(function: Any, code: Armed, name: str) -> Any:
    def call(*arguments: Any, **named: Any) -> Iterator[Any]:
        source = function(*arguments, **named)
        with code.begin(name, function) as piece:
            resume, given = source.send, None
            while True:
                with Inside(piece):  # only while its own code runs, not while its reader's does
                    try:
                        item = resume(given)
                    except StopIteration as stop:
                        piece.gave(stop.value)
                        return stop.value  # type: ignore[no-any-return]  # the caller's `yield from` gets it
                    finally:
                        given = None  # an error kept here would keep its frames, and their memory
                try:
                    given = yield item
                    resume = source.send
                except GeneratorExit:
                    source.close()
                    raise
                except BaseException as error:
                    resume, given = source.throw, error

    return types.coroutine(call) if _is_awaitable_generator(function) else call


def _async_generator(function: Any, code: Armed, name: str) -> Any:
    async def call(*arguments: Any, **named: Any) -> AsyncIterator[Any]:
        source = function(*arguments, **named)
        with code.begin(name, function) as piece:
            resume, given = source.asend, None
            while True:
                with Inside(piece):
                    try:
                        item = await resume(given)
                    except StopAsyncIteration:
                        return
                    finally:
                        given = None
                try:
                    given = yield item
                    resume = source.asend
                except GeneratorExit:
                    await source.aclose()
                    raise
                except BaseException as error:
                    resume, given = source.athrow, error

    return call


def _is_awaitable_generator(function: Any) -> bool:
    """Whether it was made by `types.coroutine`, and so is awaited."""
    flags = getattr(getattr(function, "__code__", None), "co_flags", 0)
    return bool(flags & inspect.CO_ITERABLE_COROUTINE)


_KINDS: Tuple[Tuple[Callable[[Any], bool], Callable[..., Any]], ...] = (
    (inspect.isasyncgenfunction, _async_generator),
    (inspect.iscoroutinefunction, _coroutine),
    (inspect.isgeneratorfunction, _generator),
    (lambda _: True, _plain),
)
