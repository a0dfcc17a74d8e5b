"""Pictures of the panel: each test's own, and those that the README shows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from .fronts import Sheet

IMAGES = Path(__file__).parent.parent.parent / "notebooks" / "images"
SHOWN = (
    "panel-lab-channels.ko",
    "panel-lab-message.ko",
    "panel-lab-dark-message.en",
    "panel-lab-arrived.en",
)


def keep(sheet: Sheet, name: str, panel: Any, folder: Path) -> None:
    """Put a picture of `panel` into `folder`; into the README's too, if it shows that one and is to be made anew."""
    sheet.page.mouse.move(0, 0)
    sheet.picture(folder / f"{name}.png", panel)
    if os.environ.get("KNOCK_WRITE_PICTURES") and name in SHOWN:
        IMAGES.mkdir(exist_ok=True)
        (IMAGES / f"{name}.png").write_bytes((folder / f"{name}.png").read_bytes())
