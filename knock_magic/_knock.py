"""The second import name: ``import knock`` is ``import knock_magic``, the very same module.

Installed as the top-level module ``knock`` (``force-include`` in pyproject.toml). IPython takes an extension
from ``sys.modules`` after importing it, and ``reload`` goes by its spec, so one object under both names serves
``%load_ext`` and ``%reload_ext`` alike.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import knock_magic
from knock_magic import *  # noqa: F403  for type checkers and editors, which do not see what happens below

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

ALIAS = "knock"


class Submodules:
    """Makes ``knock.x`` the very module ``knock_magic.x``.

    Without it, Python loads the file a second time under the other name: two copies of each class, and of all state.
    Finder and loader by their methods alone: `importlib.abc` takes 35 ms, more than all the rest.
    """

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Optional[ModuleSpec]:
        if not fullname.startswith(ALIAS + ".") or importlib.util.find_spec(real_name(fullname)) is None:
            return None
        return ModuleSpec(fullname, self)  # type: ignore[arg-type]  # its hint asks for the base class

    def create_module(self, spec: ModuleSpec) -> None:
        """Let Python make the module, as it does by itself."""

    def exec_module(self, module: ModuleType) -> None:
        # Replaced here, not given out by create_module: Python would then overwrite the real module's __spec__.
        sys.modules[module.__name__] = importlib.import_module(real_name(module.__name__))


def real_name(alias: str) -> str:
    """What ``knock.…`` is called in knock_magic."""
    return knock_magic.__name__ + alias[len(ALIAS) :]


if __name__ == ALIAS:  # not when imported as knock_magic._knock
    sys.meta_path.insert(0, Submodules())
    sys.modules[ALIAS] = knock_magic
elif __name__ == "__main__":  # python -m knock
    from knock_magic.cli import main

    sys.exit(main())
