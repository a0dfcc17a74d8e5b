"""What a channel remembers: private, whole, and changed by one at a time."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Dict

import pytest

from knock_magic import folders
from knock_magic.errors import SettingsError
from knock_magic.vault import Vault


def vault(folder: Path) -> Vault:
    return Vault("tokens", {"KNOCK_HOME": str(folder), "XDG_RUNTIME_DIR": str(folder / "run")})


def test_what_is_changed_is_there_for_the_next(tmp_path: Path) -> None:
    vault(tmp_path / "home").change(lambda kept: kept.update(a=1))

    assert vault(tmp_path / "home").change(dict) == {"a": 1}


def test_what_fails_changes_nothing(tmp_path: Path) -> None:
    def fail(kept: Dict[str, Any]) -> None:
        kept.update(a=1)
        raise ValueError

    with pytest.raises(ValueError):
        vault(tmp_path).change(fail)

    assert vault(tmp_path).change(dict) == {}


def test_nothing_is_written_where_nothing_changed(tmp_path: Path) -> None:
    vault(tmp_path).change(lambda kept: kept.get("a"))

    assert not (tmp_path / "tokens.json").exists()


def test_many_threads_lose_no_change(tmp_path: Path) -> None:
    def count(kept: Dict[str, Any]) -> None:
        kept["n"] = kept.get("n", 0) + 1

    threads = [threading.Thread(target=lambda: vault(tmp_path).change(count)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert vault(tmp_path).change(dict) == {"n": 20}


@pytest.mark.parametrize("content", ["", "{", "[1]", "null", '{"a": ', "\0"])
def test_a_file_that_is_none_of_ours_is_begun_anew(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokens.json").write_text(content)
    (tmp_path / "tokens.json").chmod(0o600)

    assert vault(tmp_path).change(dict) == {}


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("{}")
    (tmp_path / "tokens.json").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(SettingsError):
        vault(tmp_path).change(lambda kept: kept.update(a=1))

    assert (tmp_path / "elsewhere").read_text() == "{}"


def test_where_no_folder_can_be_made_it_goes_to_the_next_and_then_to_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "run").mkdir()
    blocked = {"KNOCK_HOME": str(tmp_path / "file" / "home"), "XDG_RUNTIME_DIR": str(tmp_path / "run")}

    Vault("tokens", blocked).change(lambda kept: kept.update(a=1))

    assert Path(folders.runtime_folder(blocked), "tokens.json").exists()
    nowhere = {"KNOCK_HOME": blocked["KNOCK_HOME"], "TMPDIR": str(tmp_path / "file")}
    Vault("tokens", nowhere).change(lambda kept: kept.update(b=2))
    assert Vault("tokens", nowhere).change(dict) == {"b": 2}
