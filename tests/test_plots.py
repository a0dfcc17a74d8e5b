"""The last picture that a cell showed, and learning curves that become one."""

from __future__ import annotations

import base64
from types import SimpleNamespace
from typing import Any, Callable, Dict, List, Optional

import pytest
from conftest import Kernel
from phone import Phone

from knock_magic import channels, delivery, drawing
from knock_magic.channels.base import Channel
from knock_magic.curves import BARS, MOST_CURVES, MOST_POINTS, Curves, read, sparkline
from knock_magic.event import Event, Picture
from knock_magic.plots import MOST_CHARACTERS, Plots
from knock_magic.template import Message

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Publisher:
    """What IPython's publisher in a kernel has of hooks."""

    def __init__(self) -> None:
        self.hooks: List[Callable[[Any], Any]] = []

    def register_hook(self, hook: Callable[[Any], Any]) -> None:
        self.hooks.append(hook)

    def unregister_hook(self, hook: Callable[[Any], Any]) -> None:
        self.hooks.remove(hook)

    def show(self, data: Any) -> Any:
        message = {"content": {"data": data}}
        for hook in self.hooks:
            assert hook(message) is message, "else it would not be shown"
        return message


class Results:
    """Its displayhook."""

    def __init__(self) -> None:
        self.written: List[Any] = []

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        self.written.append((format_dict, md_dict))


@pytest.fixture
def shell() -> Any:
    return SimpleNamespace(display_pub=Publisher(), displayhook=Results())


def test_the_last_picture_is_kept(shell: Any) -> None:
    plots = Plots(shell)
    plots.put_in()
    shell.display_pub.show({"image/png": "Zmlyc3Q=\n"})
    shell.display_pub.show({"image/png": base64.b64encode(PNG).decode("ascii"), "text/plain": "<Figure>"})
    shell.display_pub.show({"text/plain": "a table"})

    picture = plots.since(0.0)
    assert picture is not None
    assert (picture.media_type, picture.content) == ("image/png", PNG)
    assert plots.since(float("inf")) is None


def test_a_result_is_a_picture_too(shell: Any) -> None:
    plots = Plots(shell)
    plots.put_in()

    shell.displayhook.write_format_data({"image/jpeg": b"\xff\xd8\xff"}, {"width": 3})

    assert plots.since(0.0) == Picture("image/jpeg", base64.b64encode(b"\xff\xd8\xff").decode("ascii"))
    assert shell.displayhook.written == [({"image/jpeg": b"\xff\xd8\xff"}, {"width": 3})]


@pytest.mark.parametrize("data", [None, {}, {"image/png": None}, {"image/png": "x" * (MOST_CHARACTERS + 1)}, []])
def test_what_is_no_picture_or_too_large_is_shown_and_not_kept(shell: Any, data: Any) -> None:
    plots = Plots(shell)
    plots.put_in()

    shell.display_pub.show(data)
    shell.displayhook.write_format_data(data)

    assert plots.since(0.0) is None
    assert shell.displayhook.written == [(data, None)]


def test_everything_is_taken_out_again(shell: Any) -> None:
    plots = Plots(shell)
    plots.put_in()
    plots.take_out()

    assert shell.display_pub.hooks == []
    assert "write_format_data" not in vars(shell.displayhook)


def test_a_terminal_shows_no_pictures() -> None:
    plots = Plots(SimpleNamespace(display_pub=object(), displayhook=object()))
    plots.put_in()
    plots.take_out()

    assert plots.since(0.0) is None


def test_a_cells_picture_goes_with_its_knock(kernel_with_knock: Kernel, phone: Phone) -> None:
    """Where its channel takes one; the webhook does not, so here it is made to say that it does."""
    kernel_with_knock.run(
        "from knock_magic import knocker\nfrom knock_magic.channels.webhook import Webhook\n"
        "told, door = [], knocker.current()\ntell = door.sidecar.tell\n"
        "def note(id, line, **others):\n    told.append(line)\n    tell(id, line, **others)\n"
        "door.sidecar.tell = note"
    )
    show = f"from IPython.display import Image, display\nimport base64\npng = base64.b64decode({base64.b64encode(PNG)!r})\n"
    for takes, cell in (
        (True, "display(Image(png))"),
        (True, "Image(png)"),
        (True, "pass"),
        (False, "display(Image(png))"),
    ):
        kernel_with_knock.run(f"Webhook.takes_pictures = {takes}")
        kernel_with_knock.run(f"%%knock plot\n{show}{cell}")
    kernel_with_knock.run("Webhook.takes_pictures = False; door.sidecar.tell = tell")

    kinds = kernel_with_knock.ask("[(line['event']['picture'] or {}).get('media_type') for line in told]")
    assert kinds == "['image/png', 'image/png', None, None]"


# Curves.


def test_a_curve_is_thinned_and_keeps_its_course() -> None:
    curves = Curves()
    for step in range(10_000):
        curves.add("loss", 1 - step / 10_000)

    (points,) = read(curves.written()).values()
    assert MOST_POINTS / 2 <= len(points) <= MOST_POINTS
    assert points == sorted(points, reverse=True)
    assert points[0] == 1.0
    assert points[-1] < 0.05


def test_the_curve_that_counts_is_kept_whatever_came_first() -> None:
    curves = Curves("auc")
    for at in range(3):
        for name in ("epoch", "lr", "grad_norm", "loss", "mae", "val_loss", "test_f1", "auc", "speed"):
            curves.add(name, at)

    assert list(curves.written()) == ["loss", "val_loss", "test_f1", "auc"]


def test_curves_are_few_and_of_numbers() -> None:
    curves = Curves()
    for step in range(3):
        for number in range(100):
            curves.add(f"m{number}", step)
    curves.add("m0", float("nan"))
    one = Curves()
    one.add("loss", 1.0)

    assert len(curves.written()) == MOST_CURVES
    assert read(curves.written())["m0"] == [0.0, 1.0, 2.0]
    assert one.written() == {}


@pytest.mark.parametrize(
    ("points", "line"),
    [
        ([0, 1, 2, 3, 4, 5, 6, 7], BARS),
        ([3, 1], "█▁"),
        ([1, 1, 1], "▅▅▅"),
        ([], ""),
        ([1e308, -1e308, 0], "█▁▅"),
    ],
)
def test_a_curve_in_a_line(points: Any, line: str) -> None:
    assert sparkline(points) == line


def test_a_long_curve_is_as_wide_as_its_place() -> None:
    assert len(sparkline(list(range(1000)), 10)) == 10


# Their picture.


class Screen(Channel):
    """A channel that is not there."""

    key = "screen"
    takes_pictures = True
    shown: List[Message] = []

    def send(self, message: Message) -> None:
        self.shown.append(message)


def sent(monkeypatch: pytest.MonkeyPatch, **about: Any) -> Optional[Picture]:
    event = Event("finished", "resnet", 0.0, curves={"loss": "3 2 1", "acc_$x_": "0.1 0.5"}, **about)
    monkeypatch.setattr(channels, "find", lambda name: Screen)
    Screen.shown.clear()
    item: Dict[str, Any] = {"knock": "1", "channel": "screen", "settings": {}, "event": event.to_json(), "lang": "en"}

    assert delivery.send({**item, "late_s": 0.0})["ok"]

    return Screen.shown[0].event.picture


def test_a_learning_curve_is_drawn_where_matplotlib_was_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib")

    picture = sent(monkeypatch, may_draw=True)

    assert picture is not None
    assert picture.content.startswith(b"\x89PNG")
    assert sent(monkeypatch, may_draw=False) is None


def test_a_picture_of_its_own_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Picture("image/png", "b3du")

    assert sent(monkeypatch, may_draw=True, picture=own) == own


def test_a_broken_matplotlib_costs_no_knock(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(curves: Any) -> Picture:
        raise ImportError("libfreetype")

    monkeypatch.setattr(drawing, "_drawn", broken)

    assert sent(monkeypatch, may_draw=True) is None
