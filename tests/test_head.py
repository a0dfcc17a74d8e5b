from __future__ import annotations

import pytest

from knock_magic import head


@pytest.mark.parametrize(
    ("source", "options"),
    [
        ("%%knock\nx = 1", ""),
        ("%%knock my run --to slack\nx = 1", "my run --to slack"),
        ("#@title Train\n%%knock a\nx", "a"),
        ("\n\n# comment\n%%knock a\nx", "a"),
        ("%%knock a\r\nx = 1\r\n", "a"),
        ("%%time\n%%knock a\nx", "a"),
        ("%%knock", ""),
        ("  %%knock lead\n  1", "lead"),
        ("\n    # why\n    %%knock lead\n    1", "lead"),
    ],
)
def test_it_finds_the_line_at_the_head(source: str, options: str) -> None:
    assert head.find(source) == options


@pytest.mark.parametrize(
    "source",
    [
        "x = 1\n%%knock\ny",
        "%%knocker\nx",
        "%%writefile a.txt\n%%knock\n",
        "%%bash\n%%knock\n",
        "print('%%knock')",
        "x\n  %%knock\n",
        "# why\n  %%knock\nx",
        "",
    ],
)
def test_it_leaves_other_cells_alone(source: str) -> None:
    lines = source.splitlines(keepends=True)

    assert head.find(source) is None
    assert head.strip(lines) == lines


def test_every_other_line_keeps_its_number() -> None:
    lines = ["#@title x\n", "%%knock a\n", "1/0\n"]

    assert head.strip(lines) == ["#@title x\n", "#\n", "1/0\n"]


def test_a_cell_magic_below_becomes_the_first_line() -> None:
    assert head.strip(["# why\n", "%%knock a\n", "\n", "%%bash\n", "ls\n"]) == ["%%bash\n", "ls\n"]


def test_stripping_twice_is_stripping_once() -> None:
    """ipykernel transforms each cell a second time by itself."""
    once = head.strip(["%%knock a\n", "x = 1\n"])

    assert head.strip(once) == once


def test_a_body_that_was_indented_is_named_by_its_first_line() -> None:
    """IPython takes the indentation of the first line away from all, so such a cell runs."""
    assert head.body("  %%knock\n  train()\n") == "#\ntrain()\n"


@pytest.mark.parametrize(
    ("source", "ours"),
    [
        ("%knock login kakao", True),
        ("# first\n%knock use slack\n\n%knock test", True),
        ("%knock?", True),
        ("%load_ext knock\n%knock", True),
        ("%knock mute 2h\ntrain()", False),
        ("%knocker", False),
        ("train()  # %knock", False),
        ("%%knock a\nx", False),
    ],
)
def test_it_knows_a_cell_of_nothing_but_commands(source: str, ours: bool) -> None:
    assert head.is_ours(source) is ours
