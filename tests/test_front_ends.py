"""What runs notebooks without a page, and the kernels of front ends that can't be had here.

JupyterLab, Notebook 7 and the classic Notebook are driven in a real browser by ``tests/browser``, terminals by
``test_terminal.py``, nbclient by ``test_cells.py``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Iterator, List

import nbformat
import pytest
from conftest import ANSI, Home, Kernel
from phone import Phone

CELLS = (
    "epochs = 1",
    "%load_ext knock",
    "%%knock training --show epochs\nepochs = epochs + 1",
    "%%knock evaluation\nraise RuntimeError('out of memory')",
    "open('after', 'w').close()",
)

# A checkout of googlecolab/colabtools, whose shell and kernel a notebook in Colab has.
COLABTOOLS = os.environ.get("KNOCK_TEST_COLABTOOLS", "")


@pytest.fixture
def notebook(home: Home) -> Iterator[Path]:
    cells = [nbformat.v4.new_code_cell(cell) for cell in CELLS]
    cells[0].metadata["tags"] = ["parameters"]
    nb = nbformat.v4.new_notebook(cells=cells)
    nb.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = home.work / "train.ipynb"
    nbformat.write(nb, str(path))
    yield path
    for left in ("train.ipynb", "ran.ipynb", "after"):
        if (home.work / left).exists():
            (home.work / left).unlink()


def execute(home: Home, phone: Phone, *words: str) -> subprocess.CompletedProcess[str]:
    # The warnings of these programs are their own affair.
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", *words],
        cwd=str(home.work),
        env=home.knocking_at(phone),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=100,
    )


def read(path: Path) -> List[Any]:
    return list(nbformat.read(str(path), as_version=4).cells)


def test_nbconvert_stops_at_the_error_and_each_cell_knocks(home: Home, phone: Phone, notebook: Path) -> None:
    pytest.importorskip("nbconvert")

    done = execute(home, phone, "nbconvert", "--to", "notebook", "--execute", "--output", "ran", str(notebook))

    assert done.returncode != 0
    assert "out of memory" in done.stderr
    assert phone.wait_for(name="training")["metrics"] == {"epochs": 2}
    assert phone.wait_for(name="evaluation")["error"]["type"] == "RuntimeError"
    assert not (home.work / "after").exists()


def test_nbconvert_that_goes_on_after_errors_has_our_words_in_no_cell(home: Home, phone: Phone, notebook: Path) -> None:
    pytest.importorskip("nbconvert")

    done = execute(
        home, phone, "nbconvert", "--to", "notebook", "--execute", "--allow-errors", "--output", "ran", str(notebook)
    )

    assert done.returncode == 0, done.stderr
    phone.wait_for(name="evaluation", event="failed")
    cells = read(home.work / "ran.ipynb")
    assert [cell.source for cell in cells] == list(CELLS)
    assert [len(cell.outputs) for cell in cells] == [0, 0, 0, 1, 0]
    assert cells[3].outputs[0].ename == "RuntimeError"
    assert (home.work / "after").exists()


def test_papermill_takes_its_parameters_and_stops_at_the_error(home: Home, phone: Phone, notebook: Path) -> None:
    pytest.importorskip("papermill")

    done = execute(home, phone, "papermill", str(notebook), "ran.ipynb", "-p", "epochs", "41", "--no-progress-bar")

    assert done.returncode != 0
    assert "out of memory" in done.stderr
    assert phone.wait_for(name="training")["metrics"] == {"epochs": 42}
    assert phone.wait_for(name="evaluation")["event"] == "failed"
    assert not (home.work / "after").exists()


def test_vs_codes_notebook_is_named(home: Home, phone: Phone, start_kernel: Callable[..., Kernel]) -> None:
    """All that its kernel has of its own: a name in the namespace. The page itself can't be had here."""
    kernel = start_kernel(home.knocking_at(phone))
    kernel.run("__vsc_ipynb_file__ = '/home/ada/train.ipynb'")
    kernel.load()

    kernel.run("%%knock training\n1 + 1")

    assert phone.wait_for(name="training")["notebook"] == "/home/ada/train.ipynb"


@pytest.fixture
def colab(home: Home, phone: Phone, start_kernel: Callable[..., Kernel]) -> Kernel:
    if not COLABTOOLS:
        pytest.skip("needs Colab's own kernel: KNOCK_TEST_COLABTOOLS=a checkout of googlecolab/colabtools")
    env = home.knocking_at(phone, PYTHONPATH=COLABTOOLS)
    kernel = start_kernel(env, "--IPKernelApp.kernel_class=google.colab._kernel.Kernel")
    assert "google.colab._shell" in kernel.ask("type(get_ipython()).__module__")
    # Its secrets are asked for through its page, which isn't there, and that is said.
    assert "the secrets of Colab can't be read now" in kernel.run("%load_ext knock").text
    return kernel


def test_a_cell_in_colabs_kernel_is_left_as_it_is_and_knocks(colab: Kernel, phone: Phone) -> None:
    result = colab.run('#@title Train { display-mode: "form" }\n%%knock training --show acc\nacc = 0.9\nacc')

    assert (result.status, result.value) == ("ok", "0.9")
    assert phone.wait_for(name="training", event="finished")["metrics"] == {"acc": 0.9}


def test_an_error_in_colabs_kernel_is_shown_by_colab_and_told(colab: Kernel, phone: Phone) -> None:
    result = colab.run("%%knock training\n\n1 / 0")

    assert result.status == "error"
    assert "----> 3 1 / 0" in ANSI.sub("", "".join(result.errors[0]["traceback"]))
    assert result.errors[0]["ename"] == "ZeroDivisionError"
    assert phone.wait_for(name="training")["error"]["type"] == "ZeroDivisionError"


def test_an_interrupt_and_a_death_in_colabs_kernel_are_told(colab: Kernel, phone: Phone) -> None:
    colab.start("%%knock training\nimport time\nprint('GO', flush=True)\ntime.sleep(60)")
    colab.until("GO")
    colab.interrupt()
    colab.finish()
    phone.wait_for(name="training", event="interrupted")

    colab.start("%%knock again\nimport os\nos.kill(os.getpid(), 9)")

    assert phone.wait_for(name="again")["error"]["type"] == "SIGKILL"


@pytest.mark.parametrize("command", ["!echo hello", "await __import__('asyncio').sleep(0)"])
def test_what_colab_does_in_its_own_way_still_works(command: str, colab: Kernel, phone: Phone) -> None:
    assert colab.run(f"%%knock training\n{command}").status == "ok"

    assert phone.wait_for(name="training")["event"] == "finished"
