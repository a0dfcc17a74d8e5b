"""Start one of our own modules in a Python of its own, whatever lies in the current folder.

``-m`` would put the current folder first, where people keep a ``queue.py`` or an ``email.py``; ``-I``
alone does not see a ``pip install --user`` or a folder added through ``sys.path``. So: ``-I``, and this
very package loaded from where it lies. Its parent folder is not searched, so nothing there shadows anything.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from typing import Any, Dict, List, Mapping, Sequence

_PACKAGE = os.path.dirname(os.path.abspath(__file__))

_BOOT = (
    "import sys, importlib.util as u\n"
    "s = u.spec_from_file_location('knock_magic', sys.argv[1] + '/__init__.py', submodule_search_locations=[sys.argv[1]])\n"
    "m = sys.modules['knock_magic'] = u.module_from_spec(s)\n"
    "s.loader.exec_module(m)\n"
    "import importlib\n"
    "importlib.import_module('knock_magic.' + sys.argv[2]).main(sys.argv[3:])\n"
)


def command(module: str, *arguments: str) -> List[str]:
    """The command line that runs ``knock_magic.<module>.main(arguments)``."""
    return [sys.executable or "", "-I", "-c", _BOOT, _PACKAGE, module, *arguments]


def environment(environ: Mapping[str, str]) -> Dict[str, str]:
    """`environ` without the settings of channels (``KNOCK_<CHANNEL>_<SETTING>``): they go through the pipe alone.

    What else is there is the user's own, and what we send with may need it: a proxy, a CA bundle, the
    credentials of a library that someone's own channel uses.
    """
    return {
        name: value
        for name, value in environ.items()
        if not (name.upper().startswith("KNOCK_") and name.count("_") > 1)
    }


def start(module: str, *arguments: str, pass_fds: Sequence[int] = ()) -> subprocess.Popen[bytes]:
    """Start `module` with a pipe to its stdin and one from its stdout, out of reach of Ctrl-C.

    Raises:
        OSError: no process can be started here.
    """
    import subprocess  # 0.6 MiB, which the courier needs only once there is something to send

    options: Any = {"pass_fds": pass_fds, "start_new_session": True}
    if sys.platform == "win32":
        options = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return subprocess.Popen(
        command(module, *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(os.environ),
        cwd=os.path.abspath(os.sep),  # hold no folder of the user's busy
        bufsize=0,
        **options,
    )
