"""What an install adds: to an empty environment, and to one that has what Colab has."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Iterator, List, NamedTuple

from figures import Figure, left_out
from stage import ROOT, LeftOut, Stage, install, new_environment, pip

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PEERS = ("knockknock", "jupyternotify", "jupyterlab-notify", "apprise", "sentry-sdk", "ipython-autotime")


class Added(NamedTuple):
    """What pip would bring into an environment."""

    new: List[str]
    changed: List[str]
    megabytes: float


def measure(stage: Stage) -> Iterator[Figure]:
    empty = new_environment(stage.new_folder("empty"))
    like_colab = install(new_environment(stage.new_folder("colab")), *colab())
    for name in (str(ROOT), *PEERS):
        what = f"installing {'knock-magic' if name == str(ROOT) else name}"
        try:
            into_colab, into_empty = added(stage, like_colab, name), added(stage, empty, name)
        except LeftOut as why:
            yield left_out(what, why)
            continue
        ours = name == str(ROOT)
        yield Figure(
            what,
            f"{said(into_colab)} to Colab's",
            "1 distribution, 0 changed" if ours else "",
            (len(into_colab.new), len(into_colab.changed)) == (1, 0) if ours else None,
            f"{said(into_empty)} to an empty environment",
            main=ours or name in ("knockknock", "apprise"),
        )


def colab() -> List[str]:
    """What a Colab notebook has of what these packages ask for."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        pins: List[str] = tomllib.load(file)["tool"]["tox"]["env"]["colab"]["deps"]
    return pins


def added(stage: Stage, python: Path, name: str) -> Added:
    """Ask pip what it would do; what that weighs is seen by doing it elsewhere, where there is time."""
    there = {canonical(each["name"]) for each in json.loads(pip(python, "list", "--format", "json"))}
    report = json.loads(pip(python, "install", "-q", "--dry-run", "--report", "-", name))
    brought = [(each["metadata"]["name"], each["metadata"]["version"]) for each in report["install"]]
    new = [package for package, _ in brought if canonical(package) not in there]
    changed = [package for package, _ in brought if canonical(package) in there]
    folder = stage.new_folder("weighed")
    if stage.full:
        wanted = [name if package == "knock-magic" else f"{package}=={version}" for package, version in brought]
        pip(python, "install", "-q", "--no-deps", "--target", folder, *wanted)
    return Added(new, changed, sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6)


def canonical(name: str) -> str:
    """As the package index compares names (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def said(what: Added) -> str:
    weight = f", {what.megabytes:.1f} MB" if what.megabytes else ""
    return f"{len(what.new)} new, {len(what.changed)} changed{weight}"
