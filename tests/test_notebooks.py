"""The notebooks for newcomers run as they are, on the embedded default, and show what they promise."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List

import nbclient
import nbformat
import pytest
from conftest import Home

FOLDER = Path(__file__).parent.parent / "notebooks"
FIRST = {
    "quickstart.ipynb": ("✅ my first training finished", "❌ a training that fails failed"),
    "quickstart.ko.ipynb": ("✅ 첫 학습 끝났어요", "❌ 실패하는 학습 실패했어요"),
}


def texts(cell: Any) -> str:
    said: List[str] = []
    for output in cell.get("outputs", []):
        said.append(output.get("text", "") or output.get("data", {}).get("text/plain", ""))
    return "".join(said)


def run(path: Path, environ: Dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    return notebook


@pytest.mark.parametrize("name", FIRST)
def test_it_runs_from_the_first_cell_to_the_last(name: str, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    finished, failed = FIRST[name]

    # The Korean one speaks Korean also on a machine that does not.
    spoken = {"KNOCK_LANG": "", "LANG": "en_US.UTF-8", "LC_ALL": "", "LC_MESSAGES": ""}
    notebook = run(FOLDER / name, {**home.env(), **spoken}, monkeypatch)

    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    errors = [out["ename"] for cell in code for out in cell["outputs"] if out["output_type"] == "error"]
    said = "\n".join(map(texts, code))
    assert errors == ["ValueError"]  # the one that is meant to fail
    assert finished in said
    assert failed in said
    assert "acc 0.91" in said


@pytest.mark.parametrize("name", FIRST)
def test_it_is_kept_without_outputs(name: str) -> None:
    notebook = nbformat.read(FOLDER / name, as_version=4)

    assert [cell for cell in notebook.cells if cell.get("outputs") or cell.get("execution_count")] == []


def test_both_have_the_same_cells() -> None:
    kinds = [[cell.cell_type for cell in nbformat.read(FOLDER / name, as_version=4).cells] for name in FIRST]

    assert kinds[0] == kinds[1]
