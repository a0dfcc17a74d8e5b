"""The package as people install it: what is in it, and what it leaves alone.

KNOCK_TEST_PACKAGING=0 leaves out the tests that fill a whole environment from the package index;
KNOCK_TEST_PACKAGING=1 makes them fail, not skip, where an interpreter or the index is missing.
"""

from __future__ import annotations

import email
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Optional, Set

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
REQUIRED = {"ipython", "ipywidgets", "requests", "traitlets"}

# What a Colab runtime has, and what Kaggle's (built upon it) has in its place.
COLAB = {
    "ipykernel": "6.17.1",
    "ipython": "7.34.0",
    "ipywidgets": "7.7.1",
    "jupyter-client": "7.4.9",
    "notebook": "6.5.7",
    "requests": "2.32.4",
    "tornado": "6.5.1",
    "traitlets": "5.7.1",
}
KAGGLE = dict(COLAB, ipywidgets="8.1.5")
OLDEST_THERE = (3, 12)  # Kaggle's Python; Colab's is one newer

PROBE = """
import importlib, sys, knock, knock_magic
assert knock is knock_magic, "two modules"
event, alias = importlib.import_module("knock_magic.event"), importlib.import_module("knock.event")
assert event is alias, "two copies of a submodule"
assert importlib.reload(knock) is knock_magic, "reload made another module"
print(knock_magic.__file__)
"""

Run = Callable[..., str]


def run(*command: object, **options: Any) -> str:
    """Run a command away from the source tree and give its output; its errors become the test's."""
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        encoding="utf-8",
        env=clean_environment(),
        **options,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def clean_environment() -> Dict[str, str]:
    """Give the environment less what would make another Python see this one's packages."""
    hidden = ("PYTHON", "VIRTUAL_ENV", "__PYVENV")
    return {key: value for key, value in os.environ.items() if not key.startswith(hidden)}


def venv_python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def read_pyproject() -> Dict[str, Any]:
    loaded: Dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return loaded


def wheel_files(wheel: Path) -> Dict[str, str]:
    """Give each file of a wheel with the hash of what is in it."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}


def wheel_metadata(wheel: Path) -> email.message.Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return email.message_from_bytes(archive.read(name))


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of what the build reads, so that no build leaves anything in the source tree."""
    copy = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "LICENSE", "README.md", "CHANGELOG.md", ".gitignore"):
        if (ROOT / name).exists():
            shutil.copy(str(ROOT / name), str(copy))
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(str(ROOT / "knock_magic"), str(copy / "knock_magic"), ignore=ignored)
    return copy


@pytest.fixture(scope="session")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the wheel as `pip install .` builds it."""
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "-o", out, source)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def wheel_from_sdist(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the wheel that comes out of the sdist, which `build` makes by default."""
    out = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "-m", "build", "--no-isolation", "-o", out, source)
    assert len(list(out.glob("*.tar.gz"))) == 1
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def installed(
    source: Path, wheel: Path, wheel_from_sdist: Path, tmp_path_factory: pytest.TempPathFactory
) -> Dict[str, Path]:
    """Give the Pythons of three fresh environments, one for each way to install."""
    ways: Dict[str, List[object]] = {
        "wheel": [wheel],
        "sdist": [wheel_from_sdist],
        "editable": ["--no-build-isolation", "-e", source],
    }
    return {way: install_alone(tmp_path_factory.mktemp(way), arguments) for way, arguments in ways.items()}


def install_alone(folder: Path, arguments: Iterable[object]) -> Path:
    """Install the package into an empty environment that borrows the dependencies of this one.

    The borrowed folder comes last on the path: what the environment itself has is what is found.
    """
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    python = venv_python(folder)
    purelib = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    Path(purelib, "zz_borrowed.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    run(python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "-I", *arguments)
    return python


def test_it_requires_exactly_four_packages(wheel: Path) -> None:
    requires = wheel_metadata(wheel).get_all("Requires-Dist") or []

    required = {line.split(">=")[0] for line in requires if "extra ==" not in line}

    assert required == REQUIRED


def test_the_old_environment_installs_exactly_the_floors() -> None:
    """Else the floors in the metadata would be a claim that nothing tries."""
    pyproject = read_pyproject()

    floors = {line.replace(">=", "==") for line in pyproject["project"]["dependencies"]}

    assert floors <= set(pyproject["tool"]["tox"]["env"]["old"]["deps"])


def test_the_wheel_has_both_names_and_its_types(wheel: Path) -> None:
    files = wheel_files(wheel)

    assert {"knock.py", "knock_magic/__init__.py", "knock_magic/py.typed"} <= set(files)
    assert {name.split("/")[0] for name in files if ".dist-info/" not in name} == {
        "knock.py",
        "knock_magic",
    }
    assert any(name.endswith("/licenses/LICENSE") for name in files)


def test_every_module_is_in_the_wheel(wheel: Path, source: Path) -> None:
    modules = {path.relative_to(source).as_posix() for path in source.rglob("*.py")}

    missing = modules - set(wheel_files(wheel))

    assert missing == {"knock_magic/_knock.py"}  # it went there as knock.py


def test_the_wheel_from_the_sdist_is_the_same(wheel: Path, wheel_from_sdist: Path) -> None:
    assert wheel_files(wheel_from_sdist) == wheel_files(wheel)


@pytest.mark.parametrize("way", ["wheel", "sdist", "editable"])
class TestInstalled:
    def test_both_import_names_are_one_module(self, way: str, installed: Dict[str, Path], source: Path) -> None:
        home = source if way == "editable" else installed[way].parent.parent

        origin = Path(run(installed[way], "-c", PROBE, cwd=str(installed[way].parent)).strip())

        assert home in origin.parents

    def test_the_short_name_is_its_own(self, way: str, installed: Dict[str, Path]) -> None:
        """The borrowed packages hold a `knock` too: it must not be theirs that was found."""
        find = "from importlib.util import find_spec; print(find_spec('knock').origin)"

        origin = Path(run(installed[way], "-c", find, cwd=str(installed[way].parent)).strip())

        assert installed[way].parent.parent in origin.parents

    def test_the_command_is_there(self, way: str, installed: Dict[str, Path]) -> None:
        command = shutil.which("knock", path=str(installed[way].parent))

        assert command is not None
        assert "demo" in run(command, "--help", cwd=str(installed[way].parent))


# ---- beside the pins of Colab and Kaggle ------------------------------------------------------


def leave_out(reason: str) -> None:
    """Skip, or fail where the caller insists: a check that silently never ran proves nothing."""
    if os.environ.get("KNOCK_TEST_PACKAGING") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def interpreters() -> Iterable[Path]:
    """Give the Pythons that can be found here: this one, those on PATH, those of pyenv."""
    yield Path(sys.executable)
    minors = range(OLDEST_THERE[1], OLDEST_THERE[1] + 4)
    for name in [f"python3.{minor}" for minor in minors] + ["python3"]:
        found = shutil.which(name)
        if found:
            yield Path(found)
    for folder in pyenv_roots():
        try:
            yield from sorted(folder.glob("versions/3.*/bin/python"))
        except OSError:  # another user's
            pass


def pyenv_roots() -> Set[Path]:
    roots = {Path(os.environ["PYENV_ROOT"])} if os.environ.get("PYENV_ROOT") else set()
    if shutil.which("pyenv"):
        roots.add(Path(run("pyenv", "root").strip()))
    return roots


def version_of(python: Path) -> Optional[List[int]]:
    """Give a Python's version, or None where it doesn't run (pyenv's shims may point to nothing)."""
    ask = "import sys; print(*sys.version_info[:2])"
    try:
        answer = subprocess.run([str(python), "-c", ask], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20)
    except OSError:
        return None
    return [int(part) for part in answer.stdout.split()] if answer.returncode == 0 else None


@pytest.fixture(scope="session")
def notebook_service_python() -> Path:
    """Give an interpreter as new as the notebook services have, and be sure of the index."""
    if os.environ.get("KNOCK_TEST_PACKAGING") == "0":
        pytest.skip("KNOCK_TEST_PACKAGING=0: left to a run without it")
    for python in interpreters():
        version = version_of(python)
        # Not newer than 3.13: for those the pins, of 2022, have no wheels.
        if version and OLDEST_THERE <= tuple(version) <= (3, 13):
            return python
    leave_out("no Python 3.12 or 3.13 found on PATH or through pyenv")
    raise AssertionError("not reached")


def pip_install(python: Path, *arguments: object) -> None:
    run(python, "-m", "pip", "install", "-q", "--no-compile", *arguments)


def freeze(python: Path) -> Set[str]:
    return set(run(python, "-m", "pip", "freeze", "--all").splitlines())


def require_index(python: Path, folder: Path) -> None:
    """Leave out what needs the index where there is none; then any later error is a real one."""
    download = ["-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), "traitlets==5.7.1"]
    tried = subprocess.run([str(python), *download], stderr=subprocess.PIPE, timeout=100)
    if tried.returncode:
        leave_out(f"the package index can't be reached: {tried.stderr.decode()[-300:]}")


@pytest.mark.timeout(300)  # a whole notebook server is installed; a slow index is no failure
@pytest.mark.parametrize("pins", [COLAB, KAGGLE], ids=["colab", "kaggle"])
def test_it_adds_one_distribution_and_changes_none(
    pins: Dict[str, str], wheel: Path, notebook_service_python: Path, tmp_path: Path
) -> None:
    run(notebook_service_python, "-m", "venv", tmp_path / "venv")
    python = venv_python(tmp_path / "venv")
    require_index(python, tmp_path)
    pip_install(python, *[f"{name}=={version}" for name, version in pins.items()])
    before = freeze(python)

    pip_install(python, wheel)

    after = freeze(python)
    assert {f"{name}=={version}" for name, version in pins.items()} <= {
        line.replace("_", "-").lower() for line in before
    }
    assert before <= after, f"changed or removed: {before - after}"
    (added,) = after - before
    assert added.startswith("knock-magic @ ")
    run(python, "-c", PROBE, cwd=str(tmp_path))


@pytest.mark.once
def test_the_bench_says_what_it_measures() -> None:
    stated = run(sys.executable, ROOT / "tests" / "bench", "--help")

    assert "%load_ext" in stated
