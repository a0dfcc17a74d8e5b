"""`SecretField`: a field for a password whose text is never in the document.

What a widget holds is saved with the notebook: in the browser's copy of its state as well as in the kernel's. So
the text is taken on its way in, before the kernel's widget has it (ipywidgets 8 would echo it, and every version
would keep it), and the browser's copy is blanked by the answer. The field then looks empty; who uses it says in
its placeholder that something was taken.
"""

from __future__ import annotations

from typing import Any, Callable, Dict

import ipywidgets


class SecretField(ipywidgets.Password):
    """Hands what was typed to `taken`, when the field is left or Enter is pressed, and holds nothing itself."""

    def __init__(self, taken: Callable[[str], None], **kwargs: Any) -> None:
        # Without this, each key pressed would be a state of its own in the browser.
        super().__init__(continuous_update=False, **kwargs)
        self._taken = taken

    def set_state(self, sync_data: Dict[str, Any]) -> None:
        """What the browser sends: everything but the text is the widget's."""
        typed = sync_data.get("value", "")
        super().set_state({name: value for name, value in sync_data.items() if name != "value"})
        if typed:
            self.send_state("value")  # blank, so that the browser's copy is too
            self._taken(typed)

    def get_state(self, *args: Any, **kwargs: Any) -> Dict[str, Any]:
        """What the browser gets, and what is saved: never a text, even if someone sets `value`."""
        state: Dict[str, Any] = super().get_state(*args, **kwargs)
        return {name: "" if name == "value" else value for name, value in state.items()}
