"""`FrontEnd`: a real notebook server on loopback, and `Sheet`: one of its notebooks in a real browser.

A test writes cells, opens them in JupyterLab 4, Notebook 7 or the classic Notebook 6, and does what a person does:
types, clicks, runs cells, saves. Nothing here reaches another host.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any, Dict, List, Optional

import nbformat
from conftest import Home, poll

CHROMIUM = os.environ.get("KNOCK_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or ""
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
NARROW = 1000  # pixels
PATIENCE_MS = 110_000  # the machine may be busy with other tests


@dataclasses.dataclass(frozen=True)
class Kind:
    """A front end: how its server is started, where a notebook's page is, and what its parts are called."""

    name: str
    module: str
    page: str
    cell: str
    prompt: str
    output: str
    is_classic: bool = False


KINDS = {
    "lab": Kind(
        "lab",
        "jupyterlab",
        "lab/workspaces/{name}/tree",
        ".jp-Notebook .jp-CodeCell",
        ".jp-InputPrompt",
        ".jp-Cell-outputArea",
    ),
    "notebook": Kind(
        "notebook", "notebook", "notebooks", ".jp-Notebook .jp-CodeCell", ".jp-InputPrompt", ".jp-Cell-outputArea"
    ),
    "classic": Kind(
        "classic", "notebook", "notebooks", "#notebook .code_cell", ".input_prompt", ".output_wrapper", is_classic=True
    ),
}


def missing(kind: str) -> str:
    """What this machine lacks for `kind`, in words; empty where it has everything."""
    lacks = [name for name in ("playwright", "ipywidgets") if not importlib.util.find_spec(name)]
    if not CHROMIUM:
        lacks.append("chromium (apt install chromium)")
    if not _has_korean():
        lacks.append("a Korean font (apt install fonts-noto-cjk)")
    lacks += [] if _has(kind) else [{"lab": "jupyterlab>=4", "notebook": "notebook>=7", "classic": "notebook<7"}[kind]]
    return ", ".join(lacks)


def _has(kind: str) -> bool:
    try:
        version = importlib.metadata.version("jupyterlab" if kind == "lab" else "notebook")
    except importlib.metadata.PackageNotFoundError:
        return False
    major = int(version.split(".")[0])
    return {"lab": major >= 4, "notebook": major >= 7, "classic": major < 7}[kind]


def _has_korean() -> bool:
    if not shutil.which("fc-list"):
        return False
    return bool(subprocess.run(["fc-list", ":lang=ko"], capture_output=True, check=False).stdout.strip())


class FrontEnd:
    """A server of one kind, with a home of its own and an empty folder of notebooks.

    Args:
        kind: one of `KINDS`.
        home: where settings, outbox and Jupyter's own files go.
        browser: Playwright's.
        env: what the server's kernels find in their environment, beside the home's.
    """

    def __init__(self, kind: str, home: Home, browser: Any, env: Optional[Dict[str, str]] = None) -> None:
        self.kind = KINDS[kind]
        self.home = home
        self._browser = browser
        self._settings()
        self.port, self.token = _free_port(), "for-the-tests"
        self._log = (home.folder / "server.log").open("ab")
        self._server = subprocess.Popen(
            self._command(),
            cwd=str(home.work),
            env={**home.env(LANG="C.UTF-8", HOME=str(home.folder)), **(env or {})},  # so paths begin with ~
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        self._sheets: List[Sheet] = []
        poll(self._answers, f"the {kind} server", 60)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _command(self) -> List[str]:
        app = "NotebookApp" if self.kind.is_classic else "ServerApp"
        root = "notebook_dir" if self.kind.is_classic else "root_dir"
        return [
            *(sys.executable, "-m", self.kind.module, "--no-browser", "--allow-root"),
            *(f"--{app}.ip=127.0.0.1", f"--{app}.port={self.port}", f"--{app}.port_retries=0"),
            *(f"--{app}.token={self.token}", f"--{app}.{root}={self.home.work}"),
        ]

    def _settings(self) -> None:
        """No question about news, every cell in the page, and the widgets' state in the saved file."""
        folder = self.home.folder / "jupyter"
        _write(folder / "labconfig" / "page_config.json", {"disabledExtensions": _QUIET})
        users = folder / "lab" / "user-settings" / "@jupyterlab"
        _write(users / "notebook-extension" / "tracker.jupyterlab-settings", {"windowingMode": "none"})
        self._widget_settings = folder / "lab" / "user-settings" / "@jupyter-widgets" / "jupyterlab-manager"
        _write(self._widget_settings / "plugin.jupyterlab-settings", {"saveState": True})
        self._theme_file = users / "apputils-extension" / "themes.jupyterlab-settings"

    def _answers(self) -> bool:
        assert self._server.poll() is None, (self.home.folder / "server.log").read_text(errors="replace")[-4000:]
        try:
            with urllib.request.urlopen(f"{self.url}/api?token={self.token}", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def open(self, *cells: str, name: str = "walk", width: int = 1400, height: int = 1000, dark: bool = False) -> Sheet:
        """A new notebook with `cells`, in a window of this size, once its kernel is there."""
        path = self.home.work / f"{name}.ipynb"
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        for number, cell in enumerate(notebook.cells):
            cell["id"] = f"cell-{number}"
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, path)
        _write(self._theme_file, {"theme": "JupyterLab Dark" if dark else "JupyterLab Light"})
        self._sheets.append(Sheet(self, path, self._browser.new_context(viewport={"width": width, "height": height})))
        return self._sheets[-1]

    def close(self) -> None:
        for sheet in self._sheets:
            sheet.close()
        self._server.terminate()
        try:
            self._server.wait(20)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        self._log.close()


class Sheet:
    """A notebook that is open in a browser. `page` is Playwright's, for all that is not said here."""

    def __init__(self, front: FrontEnd, path: Path, context: Any) -> None:
        self._front, self.kind, self._context = front, front.kind, context
        self.path = path
        self.page = context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self._answer_dialogs()
        self.heard: List[str] = []  # all that the kernel and the server say to the page
        self.page.on(
            "websocket", lambda socket: socket.on("framereceived", lambda frame: self.heard.append(_text(frame)))
        )
        # In JupyterLab a workspace of its own, or the notebooks of earlier tests would be opened beside it.
        page = self.kind.page.format(name=path.stem)
        self.page.goto(f"{front.url}/{page}/{path.name}?token={front.token}")
        self.ready()
        if context.pages[0].viewport_size["width"] < NARROW:
            self._close_files()

    def _answer_dialogs(self) -> None:
        """Take what JupyterLab proposes where it asks by itself, as for a server that was slow to answer."""
        dialog = self.page.locator(".jp-Dialog")
        self.page.add_locator_handler(dialog, lambda: dialog.locator(".jp-mod-accept").last.click())

    def resize(self, width: int, height: int) -> None:
        """Make the window as large as this."""
        was_wide = self.page.viewport_size["width"] >= NARROW
        self.page.set_viewport_size({"width": width, "height": height})
        if was_wide and width < NARROW:
            self._close_files()

    def _close_files(self) -> None:
        if self.kind.name == "lab":
            self.page.keyboard.press("Control+b")  # JupyterLab's list of files would take half of the window

    def ready(self) -> None:
        """Wait for the page and its kernel."""
        self.page.wait_for_selector(self.kind.cell)
        if self.kind.is_classic:
            self.page.wait_for_function(
                "window.Jupyter && Jupyter.notebook && Jupyter.notebook.kernel && Jupyter.notebook.kernel.is_connected()"
            )
            self.page.wait_for_selector("#kernel_indicator .kernel_idle_icon", state="attached")
        else:
            self.page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]', state="attached")

    def cell(self, number: int) -> Any:
        """The `number`-th cell of code, from 0."""
        return self.page.locator(self.kind.cell).nth(number)

    def output(self, number: int) -> Any:
        """What stands under it."""
        return self.cell(number).locator(self.kind.output)

    def run(self, number: int, *, wait: bool = True) -> Any:
        """Run the cell by Shift+Enter; its output, once it is over (or at once, with ``wait=False``)."""
        before = self._prompt(number)
        self._press_run(number)
        # A page that is just there may drop the first cell, since its kernel isn't connected yet whatever it shows.
        for _ in range(10):
            if self._begins(number, before):
                break
            self._press_run(number)
        if wait:
            self.wait_until_over(number)
        return self.output(number)

    def _press_run(self, number: int) -> None:
        self.cell(number).locator(".CodeMirror" if self.kind.is_classic else ".cm-content").click()
        self.page.keyboard.press("Shift+Enter")

    def _begins(self, number: int, before: str, seconds: float = 3.0) -> bool:
        try:
            return bool(poll(lambda: self._prompt(number) != before, "it", seconds))
        except AssertionError:
            return False

    def _prompt(self, number: int) -> str:
        return self.cell(number).locator(self.kind.prompt).first.text_content() or ""

    def wait_until_over(self, number: int) -> None:
        """Wait until the cell has a number before it: it has run."""
        poll(lambda: re.search(r"\[\d+\]", self._prompt(number)), f"cell {number} to end", 90)

    def save(self) -> Dict[str, Any]:
        """Save with the widgets' state, as the menu does, and give what the file has then."""
        before = self.path.stat().st_mtime_ns
        if self.kind.is_classic:
            self.page.locator("#widgets_menu, a:has-text('Widgets')").first.click()
            self.page.get_by_text("Save Notebook Widget State", exact=True).click()
        else:
            self.page.locator('.jp-NotebookPanel-toolbar [data-jp-item-name="save"]').first.click()
        poll(lambda: self.path.stat().st_mtime_ns != before, "the notebook to be saved")
        return dict(poll(self._saved, "the notebook to be saved whole"))

    def _saved(self) -> Dict[str, Any]:
        try:
            return dict(json.loads(self.path.read_text(encoding="utf-8")))
        except ValueError:
            return {}  # it is being written right now

    def picture(self, path: Path, target: Optional[Any] = None) -> None:
        """A screenshot, of `target` or of the window."""
        path.parent.mkdir(parents=True, exist_ok=True)
        (target or self.page).screenshot(path=str(path), animations="disabled")

    def close(self) -> None:
        self._context.close()


_QUIET = {"@jupyterlab/apputils-extension:announcements": True}


def _text(frame: Any) -> str:
    return frame.decode("utf-8", "replace") if isinstance(frame, bytes) else str(frame)


def _write(path: Path, data: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data), encoding="utf-8")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
