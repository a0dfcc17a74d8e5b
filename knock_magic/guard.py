"""`guarded`: what of ours runs inside the user's code logs its own faults, and raises none of them."""

from __future__ import annotations

import functools
import logging
import os
from typing import Any, Callable, Optional, TypeVar

from knock_magic.redaction import Redactor
from knock_magic.tracebacks import describe

log = logging.getLogger("knock_magic")

Result = TypeVar("Result")


def guarded(function: Callable[..., Result]) -> Callable[..., Optional[Result]]:
    """`function`, giving None where it failed. An interrupt is the user's, and passes."""

    @functools.wraps(function)
    def careful(*arguments: Any, **options: Any) -> Optional[Result]:
        try:
            return function(*arguments, **options)
        except Exception as error:
            _log(error)
            return None

    return careful


def _log(error: BaseException) -> None:
    try:
        words = in_words(error)
    except Exception:  # as where no descriptor is left to read a module with
        words = type(error).__name__
    log.error("knock_magic: a fault of its own; what you run is not affected\n%s", words)


def in_words(error: BaseException) -> str:
    """`error` for the log, which shows under the cell and is saved with it: short, and without secrets."""
    info = describe(error, with_source=True, from_the_start=True)
    return Redactor(os.environ).text(f"{info.type}: {info.message[:500]}\n{info.traceback}")
