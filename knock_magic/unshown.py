"""Errors that IPython could not show: then it raises another one instead, which says nothing of the user's code."""

from __future__ import annotations

from typing import Optional, Set

_traceback_of = BaseException.__dict__["__traceback__"].__get__
_context_of = BaseException.__dict__["__context__"].__get__

LONGEST_CHAIN = 20


def original(error: Optional[BaseException]) -> Optional[BaseException]:
    """What the user's code raised, where `error` was raised by showing that; else `error`.

    A ``__str__`` that raises does it, and a lone surrogate, which some kernels can't send (IPython 7.34 to 9.18).
    """
    if error is None or "showtraceback" not in _functions(error):
        return error
    behind: Optional[BaseException] = error
    for _ in range(LONGEST_CHAIN):
        behind = _context_of(behind)
        if behind is None:
            break
        functions = _functions(behind)
        if "run_code" in functions and "showtraceback" not in functions:
            return behind
    return error


def _functions(error: BaseException) -> Set[str]:
    """The names of the functions that `error` came through."""
    names = set()
    tb = _traceback_of(error)
    while tb is not None:
        names.add(tb.tb_frame.f_code.co_name)
        tb = tb.tb_next
    return names
