"""What a run prints is heard in passing, and passed on as it was."""

from __future__ import annotations

import io
import sys
import time
from typing import Any, List

import pytest

from knock_magic.output import Output


def streams(monkeypatch: pytest.MonkeyPatch) -> Output:
    """Not a fixture: pytest puts streams of its own in place when the test begins."""
    monkeypatch.setattr(sys, "stdout", Stream())
    monkeypatch.setattr(sys, "stderr", Stream())
    return Output()


class Stream(io.StringIO):
    """One with a place for attributes, as a kernel's has."""


def written(stream: Any = None) -> str:
    return (stream or sys.stdout).getvalue()  # type: ignore[no-any-return]


def test_what_is_printed_is_counted_and_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    output = streams(monkeypatch)
    output.put_in()
    output.put_in()
    print("one", end="")
    sys.stderr.write("two")

    assert (output.count, written(), written(sys.stderr)) == (3, "one", "two")  # print() writes its end, too


def test_nothing_is_kept_unless_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    output = streams(monkeypatch)
    output.put_in()
    print("one")
    output.keeps = True
    print("two")

    assert output.tail(0.0) == "two"


def test_the_tail_is_what_was_to_be_seen_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    output = streams(monkeypatch)
    output.keeps = True
    output.put_in()
    print("before")
    since = time.monotonic()
    for percent in range(100):
        sys.stderr.write(f"\r{percent}%")
    print("\n" + "\n".join(map(str, range(100))))

    lines = output.tail(since).splitlines()
    assert len(lines) == 20
    assert lines[-1] == "99"


def test_a_flood_is_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    output = streams(monkeypatch)
    output.keeps = True
    output.put_in()
    for _ in range(1000):
        sys.stdout.write("x" * 10_000)

    assert sum(len(text) for _, text in output._pieces) <= 256 * 2000
    assert len(output.tail(0.0)) <= 2000


def test_streams_are_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    output = streams(monkeypatch)
    output.put_in()
    output.take_out()
    print("one")

    assert "write" not in vars(sys.stdout)
    assert output.count == 0


def test_someone_elses_write_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before ours, and above it, as IPython 9 does around each cell."""
    output = streams(monkeypatch)
    heard: List[str] = []
    plain = sys.stdout.write
    sys.stdout.write = lambda text: (heard.append(text), plain(text))[1]  # type: ignore[method-assign]
    below = sys.stdout.write
    output.put_in()
    ours = sys.stdout.write
    sys.stdout.write = lambda text: ours(text)  # type: ignore[method-assign]
    above = sys.stdout.write

    output.take_out()
    assert sys.stdout.write is above
    sys.stdout.write = ours  # type: ignore[method-assign]  # as they leave it when they are done
    output.put_in()
    sys.stdout.write("x")
    output.take_out()

    assert sys.stdout.write is below
    assert (heard, written(), output.count) == (["x"], "x", 1)


@pytest.mark.parametrize("stream", [None, io.BytesIO(), object()])
def test_a_stream_that_can_not_be_changed_is_left(stream: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    output = Output()
    monkeypatch.setattr(sys, "stdout", stream)

    output.put_in()
    output.take_out()


def test_what_is_no_text_is_refused_by_the_stream_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    output = streams(monkeypatch)
    output.keeps = True
    output.put_in()

    with pytest.raises(TypeError):
        sys.stdout.write(b"bytes")  # type: ignore[arg-type]
    assert output.tail(0.0) == ""
