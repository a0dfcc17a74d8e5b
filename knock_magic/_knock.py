"""The second import name: ``import knock`` is ``import knock_magic``.

Installed a second time as the top-level module ``knock`` (see ``force-include`` in pyproject.toml).
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Optional

import knock_magic

ALIAS = "knock"


class Submodules(MetaPathFinder, Loader):
    """Makes ``knock.x`` the very module ``knock_magic.x``.

    Without it, Python would load each submodule a second time from the same file, with a second copy
    of every class and of all state.
    """

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Optional[ModuleSpec]:
        if not fullname.startswith(ALIAS + "."):
            return None
        if importlib.util.find_spec(real_name(fullname)) is None:
            return None
        return ModuleSpec(fullname, self)

    def exec_module(self, module: ModuleType) -> None:
        # Replaced here rather than returned from create_module, which would overwrite its __spec__.
        sys.modules[module.__name__] = importlib.import_module(real_name(module.__name__))


def real_name(alias: str) -> str:
    """Give the name in knock_magic of a module spelled ``knock.…``."""
    return knock_magic.__name__ + alias[len(ALIAS) :]


if __name__ == ALIAS:
    sys.meta_path.insert(0, Submodules())
    # IPython takes an extension from sys.modules after importing it, and reload() goes by __spec__:
    # with the same object under both names, %load_ext and %reload_ext need nothing more.
    sys.modules[ALIAS] = knock_magic
elif __name__ == "__main__":  # python -m knock
    from knock_magic.cli import main

    sys.exit(main())
