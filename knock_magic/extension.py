"""What ``%load_ext`` puts into a shell, and what ``%unload_ext`` takes out again: the mirror of each other."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from typing import TYPE_CHECKING, Any, List, Mapping, Optional

import knock_magic
from knock_magic import head, knocker
from knock_magic.channels.notebook import Notebook
from knock_magic.completion import Completion
from knock_magic.guard import guarded
from knock_magic.knocker import Knocker
from knock_magic.magics import MAGIC, KnockMagics
from knock_magic.output import output
from knock_magic.plots import Plots
from knock_magic.settings import Sources
from knock_magic.template import Message
from knock_magic.watcher import CellWatcher

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

NAMES = ("knock", "knock_magic")  # both load this extension, once

# How the module behind the second name begins (`_knock.py`, which a wheel has as `knock.py` alone).
SHIM = b'"""The second import name: ``import knock`` is ``import knock_magic``'

_loaded: Optional[Extension] = None


class Extension:
    """The extension in one shell."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell

        def show(message: Message) -> None:
            channel = self._knocker.channel(Notebook.key)
            assert isinstance(channel, Notebook)
            channel.show(message, shell)

        sources = Sources(os.environ, shell.config)
        self._knocker = Knocker(
            sources,
            show=show,
            notebook=lambda: notebook_path(os.environ, shell.user_ns),
            shows_pictures=hasattr(shell, "kernel"),
        )
        self._watcher = CellWatcher(shell, self._knocker)
        self._plots = Plots(shell)
        self._magics = KnockMagics(shell, self._knocker)
        self._completion = Completion(shell, self._knocker, lambda: self._magics.commands)
        self._watches = not self._knocker.settings.disable

    def put_in(self) -> None:
        """Register every hook."""
        shell = self._shell
        knocker.become_current(self._knocker)
        self._knocker.cells = self._watcher
        shell.input_transformers_cleanup.append(head.strip)
        shell.register_magics(self._magics)
        self._completion.put_in()
        if shell.extension_manager:
            # Under both names, so that either can be unloaded, whichever was loaded.
            shell.extension_manager.loaded.update(our_names())
        if self._watches:
            self._plots.put_in()
            self._knocker.plots = self._plots
            self._knocker.announce()
            guarded(self._knocker.look_ahead)()
            guarded(self._knocker.look_back)()
            shell.events.register("pre_run_cell", self._watcher.pre_run_cell)
            shell.events.register("post_run_cell", self._watcher.post_run_cell)
            if shell.has_trait("exit_now"):
                shell.observe(self._on_exit, "exit_now")

    def take_out(self) -> None:
        """Remove every hook; the courier leaves once what is due is delivered."""
        shell = self._shell
        if "knock_magic.signs" in sys.modules:
            importlib.import_module("knock_magic.signs").sampler.close()
        output.take_out()
        if self._watches:
            self._plots.take_out()
            shell.events.unregister("pre_run_cell", self._watcher.pre_run_cell)
            shell.events.unregister("post_run_cell", self._watcher.post_run_cell)
            if shell.has_trait("exit_now"):
                shell.unobserve(self._on_exit, "exit_now")
        for kind in ("line", "cell"):
            shell.magics_manager.magics[kind].pop(MAGIC, None)
        shell.magics_manager.registry.pop(KnockMagics.__name__, None)
        self._completion.take_out()
        shell.input_transformers_cleanup.remove(head.strip)
        if shell.extension_manager:
            shell.extension_manager.loaded.difference_update(NAMES)
        knocker.become_current(None)
        self._knocker.close()

    def _on_exit(self, change: Mapping[str, Any]) -> None:
        # Shutdown, restart and quit() set this, even from the control thread while a cell runs.
        if change["new"]:
            self._knocker.sidecar.bye()


def load(shell: InteractiveShell) -> None:
    """Put the extension into `shell`, unless it is there."""
    global _loaded
    if _loaded is None:
        extension = Extension(shell)
        extension.put_in()
        _loaded = extension


def unload(shell: InteractiveShell) -> None:
    """Take the extension out of `shell`, if it is there."""
    global _loaded
    if _loaded is not None:
        extension, _loaded = _loaded, None
        extension.take_out()


def our_names() -> List[str]:
    """The names under which this extension can be loaded here: another package called ``knock`` is left alone."""
    spec = importlib.util.find_spec("knock")
    if spec is not None and _first_line(spec.origin).startswith(SHIM):
        importlib.import_module("knock")
    return [name for name in NAMES if sys.modules.get(name) is knock_magic]


def _first_line(path: Optional[str]) -> bytes:
    """Of a module's source: enough to know ours, without running a ``knock.py`` of the user's."""
    try:
        with open(path or "", "rb") as file:
            return file.readline(200)
    except OSError:
        return b""


def notebook_path(environ: Mapping[str, str], user_ns: Mapping[str, Any]) -> Optional[str]:
    """The notebook's path where the front end tells it without being asked over the network.

    jupyter_server 2 sets ``JPY_SESSION_NAME``; VS Code puts ``__vsc_ipynb_file__`` into the namespace.
    """
    path = environ.get("JPY_SESSION_NAME") or user_ns.get("__vsc_ipynb_file__")
    return str(path) if path else None
