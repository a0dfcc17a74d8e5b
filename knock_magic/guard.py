"""`guarded`: what of ours runs inside the user's code logs its own faults, and raises none of them."""

from __future__ import annotations

import functools
import logging
from typing import Any, Callable, Optional, TypeVar

log = logging.getLogger("knock_magic")

Result = TypeVar("Result")


def guarded(function: Callable[..., Result]) -> Callable[..., Optional[Result]]:
    """`function`, giving None where it failed. An interrupt is the user's, and passes."""

    @functools.wraps(function)
    def careful(*arguments: Any, **options: Any) -> Optional[Result]:
        try:
            return function(*arguments, **options)
        except Exception:
            log.exception("knock_magic: a fault of its own; what you run is not affected")
            return None

    return careful
