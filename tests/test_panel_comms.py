"""The panel in a real kernel, told what a front end tells it: comm messages. All that the kernel says is kept."""

from __future__ import annotations

import json
import time
from typing import Any, Dict, List

import nbformat
import pytest
from conftest import Home, Kernel
from phone import Phone

CANARY = "canary7Zq4099x"


class Page:
    """A front end as far as the panel is concerned: it knows the widgets by what the kernel told of them."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.messages: List[Dict[str, Any]] = []
        self.models: Dict[str, Dict[str, Any]] = {}

    def run(self, code: str) -> None:
        result = self._kernel.run(code)
        assert result.status == "ok", result.errors
        for message in result.messages:
            self._take(message)

    def _take(self, message: Dict[str, Any]) -> None:
        self.messages.append(message)
        content = message["content"]
        if message["msg_type"] == "comm_open":
            self.models[content["comm_id"]] = dict(content["data"]["state"])
        elif message["msg_type"] == "comm_msg" and content["data"].get("method") == "update":
            self.models[content["comm_id"]].update(content["data"]["state"])

    def find(self, **state: Any) -> str:
        """The one widget that is in this state."""
        found = [key for key, model in self.models.items() if all(model.get(k) == v for k, v in state.items())]
        assert len(found) == 1, (state, len(found))
        return found[0]

    def tell(self, model: str, data: Dict[str, Any]) -> None:
        """Send `data` to the widget `model`, and take what the kernel says until it has dealt with it."""
        client = self._kernel.client
        message = client.session.msg("comm_msg", {"comm_id": model, "data": data})
        client.shell_channel.send(message)
        until = time.monotonic() + 30
        while time.monotonic() < until:
            heard = client.get_iopub_msg(timeout=30)
            self._take(heard)
            is_ours = heard["parent_header"].get("msg_id") == message["header"]["msg_id"]
            if is_ours and heard["content"].get("execution_state") == "idle":
                return
        raise AssertionError("the kernel did not answer")

    def type_into(self, model: str, text: str) -> None:
        # ipywidgets 8 sends its state as a front end of either version does.
        self.models[model]["value"] = text
        self.tell(model, {"method": "update", "state": {"value": text}, "buffer_paths": []})

    def click(self, model: str) -> None:
        self.tell(model, {"method": "custom", "content": {"event": "click"}})

    def read_until(self, word: str) -> None:
        """Take what the kernel says until some widget shows `word`."""
        while not any(word in str(model.get("value", "")) for model in self.models.values()):
            self._take(self._kernel.client.get_iopub_msg(timeout=30))

    def saved(self) -> str:
        """The notebook as a front end saves it, with the state of all widgets."""
        state = {
            key: {"model_name": model["_model_name"], "model_module": model["_model_module"], "state": model}
            for key, model in self.models.items()
        }
        notebook = nbformat.v4.new_notebook(
            metadata={"widgets": {"application/vnd.jupyter.widget-state+json": {"state": state}}}
        )
        return str(nbformat.writes(notebook))


@pytest.fixture
def page(kernel_with_knock: Kernel) -> Page:
    page = Page(kernel_with_knock)
    page.run("%knock setup webhook")
    return page


def test_a_typed_secret_is_taken_out_of_the_page_and_said_by_nobody(
    page: Page, kernel_with_knock: Kernel, home: Home, phone: Phone
) -> None:
    field = page.find(_model_name="PasswordModel", placeholder="saved ••••")
    test = page.find(_model_name="ButtonModel", description="Test and save")

    page.type_into(field, f" '{phone.url}/{CANARY}' ")
    between = page.saved()
    page.click(test)
    page.read_until("Arrived in")

    assert page.models[field]["value"] == ""  # the kernel blanked the page's copy
    assert page.models[field]["placeholder"] == "saved ••••"
    assert phone.wait().path.endswith(CANARY)
    assert CANARY not in between
    assert CANARY not in page.saved()
    assert CANARY not in json.dumps(page.messages, default=str)
    state = kernel_with_knock.ask("str(__import__('ipywidgets').Widget.get_manager_state())")
    assert "PasswordModel" in state
    assert CANARY not in state
    assert CANARY not in kernel_with_knock.ask("repr(list(get_ipython().history_manager.get_range(output=True)))")
    assert CANARY in (home.folder / "knock" / "settings.json").read_text()


def test_a_test_does_not_hold_up_the_kernel(page: Page, kernel_with_knock: Kernel, phone: Phone) -> None:
    phone.answer(200, delay=3.0)
    page.type_into(page.find(_model_name="PasswordModel", placeholder="saved ••••"), f"{phone.url}/{CANARY}")

    page.click(page.find(_model_name="ButtonModel", description="Test and save"))
    began = time.monotonic()
    page.run("1 + 1")

    assert time.monotonic() - began < 2.5  # the phone is still thinking
    page.read_until("Arrived in")


def test_it_shows_a_text_where_no_widgets_are_drawn(kernel_with_knock: Kernel) -> None:
    result = kernel_with_knock.run("%knock setup")

    assert "--text asks the same questions" in result.displays[-1]
