"""``python -m knock_magic`` is ``knock``."""

from __future__ import annotations

import sys

from knock_magic.cli import main

if __name__ == "__main__":
    sys.exit(main())
