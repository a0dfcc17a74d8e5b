"""Where IPython fails to show an error, what it raises instead is not what the user's code raised."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from knock_magic.unshown import original


def caught(function: Callable[[], Any]) -> BaseException:
    with pytest.raises(BaseException) as info:
        function()
    return info.value


def run_code(error: BaseException, show: Callable[[], None]) -> None:
    """As IPython's: it runs the user's code, and shows the error while it handles it."""
    try:
        raise error
    except BaseException:
        show()


def showtraceback() -> None:
    raise RuntimeError("can't be shown")


def test_the_error_behind_is_found() -> None:
    wanted = ValueError("the user's")

    assert original(caught(lambda: run_code(wanted, showtraceback))) is wanted


def test_also_where_showing_it_was_tried_again_and_again() -> None:
    wanted = ValueError("the user's")

    def once_more() -> None:
        try:
            showtraceback()
        except RuntimeError:
            showtraceback()

    assert original(caught(lambda: run_code(wanted, once_more))) is wanted


def test_an_error_that_was_shown_is_itself() -> None:
    def user() -> None:
        try:
            raise KeyError("first")
        except KeyError:
            raise ValueError("second") from None

    error = caught(user)

    assert original(error) is error
    assert original(None) is None


def test_where_nothing_is_behind_it_is_itself() -> None:
    error = caught(showtraceback)

    assert original(error) is error


def test_a_long_chain_is_given_up() -> None:
    error: BaseException = caught(showtraceback)
    for _ in range(1000):
        following = caught(showtraceback)
        following.__context__ = error
        error = following

    assert original(error) is error
