"""tqdm's bars, seen from outside."""

from __future__ import annotations

import io
import threading
import time
from typing import Any, Iterator

import pytest

from knock_magic import bars

tqdm = pytest.importorskip("tqdm", reason="needs tqdm")


@pytest.fixture
def bar() -> Iterator[Any]:
    """Makes bars that show nothing, and closes them."""
    made = []

    def make(*arguments: Any, **options: Any) -> Any:
        made.append(tqdm.tqdm(*arguments, file=io.StringIO(), **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_a_bar_is_seen_while_it_runs(bar: Any) -> None:
    began = time.time()
    running = bar(total=10, desc="train")
    running.update(3)

    (seen,) = bars.seen(began)

    assert (seen.at, seen.total, seen.called) == (3, 10, "train")
    assert seen.share == pytest.approx(0.3)
    running.close()
    assert bars.seen(began) == []


def test_a_bar_from_before_is_another_cells(bar: Any) -> None:
    bar(total=10)

    assert bars.seen(time.time() + 1) == []


def test_of_two_bars_the_outer_one_comes_first(bar: Any) -> None:
    began = time.time()
    bar(total=3, desc="epochs").update(1)
    bar(total=100, desc="batches").update(50)

    assert [seen.called for seen in bars.seen(began)] == ["epochs", "batches"]


def test_a_full_bar_that_nobody_closed_comes_last(bar: Any) -> None:
    began = time.time()
    bar(total=3, desc="download").update(3)
    bar(total=100, desc="train").update(50)

    assert [seen.called for seen in bars.seen(began)] == ["train", "download"]


def test_a_bar_of_another_thread_is_seen(bar: Any) -> None:
    began = time.time()
    thread = threading.Thread(target=lambda: bar(total=5, desc="elsewhere").update(2))
    thread.start()
    thread.join()

    assert [seen.at for seen in bars.seen(began)] == [2]


def test_what_a_bar_shows_behind_itself_is_read(bar: Any) -> None:
    began = time.time()
    running = bar(total=10)
    running.set_postfix(loss=0.25, acc=0.5, lr="1e-4", state="warm", size="3MB")

    assert bars.seen(began)[0].numbers == {"loss": 0.25, "acc": 0.5, "lr": 1e-4}


@pytest.mark.parametrize(
    ("postfix", "numbers"),
    [
        ("", {}),
        (None, {}),
        ("loss: 1.5, val/acc = 0.9", {"loss": 1.5, "val/acc": 0.9}),
        ("loss=nan", {"loss": pytest.approx(float("nan"), nan_ok=True)}),
        ("loss=-inf", {"loss": float("-inf")}),
        ("v=1.2.3, done=50%, t=3it/s", {}),
        ("acc=99.97%, t=0.25s, lr=1.5e-4s, gpu=3.2G, loss=1,234.5, eta=12:30, at=1:02:03, of=0.25/0.3", {}),
        ("a=1,b=2, [c=3] d=4|e=5", {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}),
        ("=" * 100_000, {}),
        ("a" * 100_000 + "=1", {}),
    ],
)
def test_numbers_in_a_postfix(postfix: Any, numbers: Any) -> None:
    assert bars.numbers(postfix) == numbers


@pytest.mark.parametrize("total", [None, 0, float("inf")])
def test_a_bar_that_does_not_know_its_end_has_none(bar: Any, total: Any) -> None:
    began = time.time()
    bar(total=total).update(3)

    assert [(seen.at, seen.total, seen.is_full) for seen in bars.seen(began)] == [(3, None, False)]


def test_a_broken_bar_is_passed_over(bar: Any) -> None:
    began = time.time()
    good, broken = bar(total=10), bar(total=10)
    good.update(1)
    broken.n = object()

    assert [seen.at for seen in bars.seen(began)] == [1]
    broken.n = 0


def test_nothing_is_seen_without_tqdm(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.delitem(sys.modules, "tqdm.std")

    assert bars.seen(0.0) == []
