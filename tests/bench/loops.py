"""What it costs a loop to be watched, and to report."""

from __future__ import annotations

from typing import Iterator

from figures import Figure, median, seconds
from stage import LeftOut, Stage


def measure(stage: Stage) -> Iterator[Figure]:
    try:
        import tqdm  # noqa: F401  the driver needs it
    except ImportError:
        raise LeftOut("tqdm is not installed") from None
    with stage.home() as home:
        timings = stage.drive("loops", stage.pick(3, 20), env=home.env())
    ratio = median([taken / plain for taken, plain in timings["bar"]])
    least = min(taken for taken, _ in timings["bar"]) / min(plain for _, plain in timings["bar"])
    yield Figure(
        "a tight loop with a tqdm bar, watched and not",
        f"{ratio:.3f} ×",
        "<= 1.01 ×",
        ratio <= 1.01,
        f"{seconds(median([plain for _, plain in timings['bar']]))} of CPU without; the fastest of each: {least:.3f} ×",
        main=True,
    )
    each = median([(taken - plain) / timings["steps"] for taken, plain in timings["reporting"]])
    ratio = median([taken / plain for taken, plain in timings["reporting"]])
    yield Figure(
        "knock.progress with two metrics", f"{seconds(each)} a call", beside=f"{ratio:.3f} × a step of some 100 µs"
    )
