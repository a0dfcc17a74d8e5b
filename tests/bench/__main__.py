"""What knock_magic costs and how fast it is, measured beside its peers in one run.

    python tests/bench                  # every theme, a few rounds: two minutes
    python tests/bench --full           # as many rounds as the quantiles need: half an hour
    python tests/bench cells faults     # these themes only
    python tests/bench --markdown FILE  # write the main rows for the README, too

It runs in the Python it is started with, which needs `pip install -e '.[test]'`. Peers are installed from the
package index into environments that are thrown away; where that can't be reached, their lines say so. All that
is compared is measured by turns, in the same minutes: read the ratios, and the control that stands beside a
figure. An absolute figure says more about the machine, and about what else it does.
"""

from __future__ import annotations

import argparse
import compileall
import importlib
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import List

import figures
from figures import Figure
from stage import ROOT, LeftOut, Stage

THEMES = {
    "cells": "what a short cell and %load_ext cost",
    "faults": "how long a cell is held up",
    "arrival": "from an end to the phone",
    "courier": "the process beside the kernel, idle",
    "deliveries": "many channels, many knocks",
    "callbacks": "what a framework's callback costs a training",
    "installs": "what an install adds",
    "estimates": "how well the time that is left is told",
    "loops": "what it costs to watch a loop",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python tests/bench", description=(__doc__ or "").splitlines()[0])
    about = "; ".join(map(": ".join, THEMES.items())).replace("%", "%%")  # argparse formats it
    parser.add_argument("themes", nargs="*", metavar="THEME", help=about)
    parser.add_argument("--full", action="store_true", help="as many rounds as the quantiles need")
    parser.add_argument("--markdown", metavar="FILE", type=Path, help="write the main rows there as a Markdown table")
    arguments = parser.parse_args()
    unknown = [theme for theme in arguments.themes if theme not in THEMES]
    if unknown:
        parser.error(f"no theme is called {unknown[0]!r}; there are: {', '.join(THEMES)}")

    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    compileall.compile_dir(str(ROOT / "knock_magic"), quiet=1)  # as pip does; else each kernel would do it again
    print(machine(), end="\n\n")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        stage = Stage(Path(folder), full=arguments.full)
        measured = [figure for theme in arguments.themes or THEMES for figure in measure(stage, theme)]
    print(machine())
    if arguments.markdown:
        main_ones = [figure for figure in measured if figure.main]
        arguments.markdown.write_text(figures.markdown(main_ones) + "\n", encoding="utf-8")


def measure(stage: Stage, theme: str) -> List[Figure]:
    """The figures of one theme, printed as soon as they are there."""
    began = time.monotonic()
    try:
        measured = list(importlib.import_module(theme).measure(stage))
    except LeftOut as why:
        measured = [figures.left_out(THEMES[theme], why)]
    print(
        f"{THEMES[theme]} ({theme}, {time.monotonic() - began:.0f} s)",
        figures.plain(measured),
        "",
        sep="\n",
        flush=True,
    )
    return measured


def machine() -> str:
    load = ", load {:.1f} {:.1f} {:.1f}".format(*os.getloadavg()) if hasattr(os, "getloadavg") else ""
    return f"Python {platform.python_version()}, {platform.system()}, {os.cpu_count()} processors{load}"


main()
