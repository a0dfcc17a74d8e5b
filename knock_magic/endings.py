"""How a piece of work ended, by what it raised: told to its `Run`."""

from __future__ import annotations

from typing import Mapping, Optional

from knock_magic import interrupts
from knock_magic.event import Metric
from knock_magic.runs import Run
from knock_magic.tracebacks import describe

EARLY = "early"  # the note of a generator whose reader had enough of it


def tell_end(
    run: Run,
    error: Optional[BaseException],
    metrics: Optional[Mapping[str, Metric]] = None,
    *,
    with_source: bool = False,
) -> None:
    """End `run` as `error` says; None is a good end. Nothing of `error` is kept but its text."""
    if error is None or is_good_exit(error):
        run.finish(metrics)
    elif issubclass(type(error), GeneratorExit):
        run.finish(metrics, note=EARLY)
    elif interrupts.is_one(error):
        run.interrupt(metrics)
    else:
        run.fail(describe(error, with_source=with_source), metrics)


def is_good_exit(error: BaseException) -> bool:
    """Whether `error` is a ``sys.exit()`` that tells of no trouble."""
    if not issubclass(type(error), SystemExit):
        return False
    code = _code_of(error)
    return code is None or (type(code) in (int, bool, str) and not code)  # an array has no truth to ask for


_code_of = SystemExit.__dict__["code"].__get__
