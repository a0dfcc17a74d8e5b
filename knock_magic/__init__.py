"""Know how your training is doing, wherever you are.

In a notebook::

    %load_ext knock

and every long cell knocks on the channel you chose; ``%%knock`` at the head of a cell asks for it.

In any Python::

    import knock

    @knock.run("resnet", to="slack")
    def train(): ...
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional, Sequence, TypeVar, Union, overload

    from IPython.core.interactiveshell import InteractiveShell

    from knock_magic.armed import Armed

    Function = TypeVar("Function")

__version__ = "0.1.0"

__all__ = ["load_ipython_extension", "progress", "run", "send", "unload_ipython_extension"]

# Everything else is imported late: loading the extension must not slow a notebook's start, and the courier
# and the deliveries import parts of this package without IPython.


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """What ``%load_ext knock`` calls."""
    from knock_magic import extension

    extension.load(ipython)


def unload_ipython_extension(ipython: InteractiveShell) -> None:
    """What ``%unload_ext knock`` calls."""
    from knock_magic import extension

    extension.unload(ipython)


if TYPE_CHECKING:

    @overload
    def run(name: Optional[str] = None, **options: Any) -> Armed: ...

    @overload
    def run(name: Function) -> Function: ...


def run(name: Any = None, **options: Any) -> Any:
    """Knock when a function or a block of code is over, however it ends.

    It decorates functions, coroutines, generators and methods, and stands in ``with`` and ``async with``::

        @knock.run                                  # called as the function is
        def train(): ...

        @knock.run("resnet", to="slack", min="10m")
        def train(): ...

        with knock.run("preprocessing"):
            ...

    What the code returns or raises is passed on as it is; one number that it returns is shown.

    Args:
        name: what the message calls it.
        options: ``to``, ``template``, ``on``, ``min``, ``every``, ``stall``, ``metric`` and ``baseline``, as in
            a cell: ``to="slack,kakao"`` or ``to=["slack", "kakao"]``, ``min="10m"`` or ``min=600``.

    Raises:
        UsageError: an option can't be understood. Nothing else of ours is ever raised into your code.
    """
    from knock_magic import armed

    if name is None or isinstance(name, str):
        return armed.armed(name, options)
    return armed.armed(None, options)(name)


def progress(step: Any = None, total: Any = None, /, *more: Any, **metrics: Any) -> None:
    """Say how far the run is that this is called in, also a ``knock run`` that has started this program.

    Outside of any it does nothing, and it never raises.

    ``knock.progress(epoch, 10, loss=loss)``: it knocks where the run has ``--every`` (``every=``), no more often
    than that, and the latest metrics are shown at the end. Loops with a tqdm bar need no such call.

    Args:
        step: where it is; by place or by name.
        total: how many steps there are; by place or by name.
        more: nothing: it is there so that no call can end a training.
        metrics: numbers by their names. After a step and a total that are given by place, ``**losses`` may hold
            a ``step`` and a ``total`` of its own.
    """
    from knock_magic import armed

    armed.report(step, total, metrics)


def send(text: str, to: Union[str, Sequence[str], None] = None, picture: Any = None) -> None:
    """Knock with `text`.

    Args:
        text: what to say; an empty one is not sent, and a line says so.
        to: the channels, ``"slack,kakao"`` or ``["slack", "kakao"]``; else those in use.
        picture: a PNG, JPEG, GIF or WebP image as a path or as bytes, or a figure that can ``savefig``; one that
            can't be read never costs the text. A channel that takes no pictures gets the text alone.

    Raises:
        UsageError: `to` names a channel that does not exist, or `picture` is none of these.
        SettingsError: `to` names a channel whose settings are incomplete.
    """
    from knock_magic import messages

    messages.send(text, to, picture)
