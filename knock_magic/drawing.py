"""A learning curve as a picture, from the metrics that a run reported.

It is drawn by the delivery, so that no cell waits for it, and only where matplotlib was in use in the kernel: then it is
installed, and nobody misses a picture who never draws one. Its figures are made without `pyplot`, which has a state.
"""

from __future__ import annotations

import base64
import functools
import io
import threading
from typing import Optional, Tuple

from knock_magic import curves, verdict
from knock_magic.cleaning import one_line
from knock_magic.event import Event, Picture

WIDTH, HEIGHT, DPI = 6.4, 3.6, 150
MOST_AXES = 2
LEGEND = 30  # characters of a name

_one_at_a_time = threading.Lock()  # matplotlib is made for one thread; deliveries send side by side


def of(event: Event) -> Optional[Picture]:
    """The curves of `event`; None where they can't be drawn."""
    with _one_at_a_time:
        try:
            named = tuple(
                (name, tuple(points)) for name, points in curves.read(event.curves).items() if len(points) > 1
            )
            return _drawn(named, tuple(name for name, _ in named if _falls(name, event))) if named else None
        except Exception:  # matplotlib of any age and state; a picture is never worth a knock
            return None


def _falls(name: str, event: Event) -> bool:
    return event.lower.get(name, verdict.is_lower_better(name))


@functools.lru_cache(maxsize=8)
def _drawn(named: Tuple[Tuple[str, Tuple[float, ...]], ...], falling: Tuple[str, ...]) -> Picture:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DPI)
    FigureCanvasAgg(figure)
    # What falls and what rises has scales of its own: side by side, neither is a flat line.
    groups = [[each for each in named if (each[0] in falling) is lower] for lower in (True, False)]
    groups = [group for group in groups if group]
    for number, group in enumerate(groups[:MOST_AXES], 1):
        axes = figure.add_subplot(1, len(groups), number)
        for name, points in group:
            axes.plot([100 * at / (len(points) - 1) for at in range(len(points))], points, label=_label(name))
        axes.set_xlabel("progress (%)")
        axes.grid(visible=True, alpha=0.3)
        axes.legend(fontsize="small")
    figure.tight_layout()
    page = io.BytesIO()
    figure.savefig(page, format="png")
    return Picture("image/png", base64.b64encode(page.getvalue()).decode("ascii"))


def _label(name: str) -> str:
    """`name` as it is: neither as a formula ($) nor left out of the legend (_)."""
    return " " * name.startswith("_") + one_line(name, LEGEND).replace("$", r"\$")
