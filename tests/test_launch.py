"""Starting the courier: whatever lies about, however we were installed, and where nothing can be started."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Callable, Dict, Iterator

import pytest
from conftest import Home, Kernel, linux_only
from fire import group_or_skip
from phone import Phone

import knock_magic

Start = Callable[[Dict[str, str]], Kernel]

PACKAGE = Path(knock_magic.__file__).parent
SHADOWING = ("json", "queue", "email", "signal", "requests", "knock", "sqlite3", "select", "traitlets", "random")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    yield home
    home.clean()


@pytest.fixture
def kernel(home: Home, phone: Phone, start_kernel: Start) -> Kernel:
    """A kernel that would knock at the phone, and has not loaded us yet."""
    return start_kernel(home.knocking_at(phone))


def copy_package(to: Path) -> None:
    """Put what we install into the folder `to`."""
    shutil.copytree(PACKAGE, to / "knock_magic", ignore=shutil.ignore_patterns("__pycache__"))
    shim = PACKAGE / "_knock.py"
    # A wheel has it under its second name alone.
    shutil.copy(shim if shim.exists() else PACKAGE.parent / "knock.py", to / "knock.py")


def link_dependencies(to: Path) -> None:
    """Make what is installed beside us importable from the folder `to`, but not us."""
    for place in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for each in Path(place).iterdir():
            if not each.name.startswith(("knock", "__")) and each.suffix != ".pth" and not (to / each.name).exists():
                (to / each.name).symlink_to(each)


def base_python() -> str:
    """The interpreter that this one's virtual environment was made of; there we are not installed."""
    return str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}")


def run(python: str, script: str, env: Dict[str, str], folder: Path) -> str:
    """What the script says."""
    done = subprocess.run(
        [python, "-c", script], env=env, cwd=str(folder), timeout=60, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert done.returncode == 0, done.stdout.decode()
    return done.stdout.decode()


# Whatever lies about.


def test_files_named_like_the_standard_library_do_not_matter(kernel: Kernel, home: Home, phone: Phone) -> None:
    """They lie in the current folder, where `import queue` of a notebook finds them; each raises."""
    for name in SHADOWING:
        (home.work / f"{name}.py").write_text(f"open('imported', 'a').write('{name} ')\nraise SystemExit('{name}')")

    assert kernel.run("%load_ext knock_magic").text == ""
    result = kernel.run("%%knock training\n6 * 7")

    assert (result.value, result.text) == ("42", "")
    assert phone.wait()["name"] == "training"
    assert not (home.work / "imported").exists()


@pytest.mark.parametrize("name", ["PYTHONHOME", "PYTHONPATH"])
def test_an_odd_environment_does_not_matter(name: str, kernel: Kernel, home: Home, phone: Phone) -> None:
    """Set after the kernel has started, as a cell does that prepares another program's start."""
    odd = home.folder / "odd"
    odd.mkdir()
    for each in SHADOWING:
        (odd / f"{each}.py").write_text("raise SystemExit")
    kernel.load()

    kernel.run(f"import os; os.environ['{name}'] = {str(odd)!r}")
    kernel.run("%%knock training\n1 + 1")

    assert phone.wait()["name"] == "training"


def test_a_folder_that_went_away_does_not_matter(kernel: Kernel, home: Home, phone: Phone) -> None:
    kernel.run("import os, tempfile\nfolder = tempfile.mkdtemp()\nos.chdir(folder)\nos.rmdir(folder)")
    kernel.load()

    result = kernel.run("%%knock training\n1 + 1")

    assert (result.value, result.text) == ("2", "")
    assert phone.wait()["name"] == "training"


# However we were installed.


@pytest.mark.skipif(sys.platform == "win32", reason="links files")
def test_an_install_for_one_user_is_found(home: Home, phone: Phone) -> None:
    """``pip install --user``: what isolated Pythons do not look at."""
    python = base_python()
    env = home.knocking_at(phone, PYTHONUSERBASE=str(home.folder / "user"), PYTHONPATH=None, PYTHONNOUSERSITE=None)
    site = Path(run(python, "import site; print(site.getusersitepackages(), end='')", env, home.work))
    site.mkdir(parents=True)
    copy_package(site)
    link_dependencies(site)

    said = run(python, "import knock; print(knock.__file__); knock.send('hello')", env, home.work)

    assert phone.wait()["name"] == "hello"
    assert said == f"{site / 'knock_magic' / '__init__.py'}\n"


@pytest.mark.skipif(sys.platform == "win32", reason="links files")
def test_a_folder_added_to_the_path_is_found(home: Home, phone: Phone) -> None:
    """Where someone can't install: the package lies in a folder that a cell adds to ``sys.path``."""
    python = base_python()
    ours, others = home.folder / "ours", home.folder / "others"
    for folder in (ours, others):
        folder.mkdir()
    copy_package(ours)
    link_dependencies(others)
    added = f"import sys; sys.path += [{str(ours)!r}, {str(others)!r}]"

    said = run(
        python, f"{added}; import knock; print(knock.__file__); knock.send('hello')", home.knocking_at(phone), home.work
    )

    assert phone.wait()["name"] == "hello"
    assert said == f"{ours / 'knock_magic' / '__init__.py'}\n"


# Where no process can be started.

NO_PROCESS = """
from knock_magic import launch
def start(*arguments, **options):
    raise BlockingIOError(11, "Resource temporarily unavailable")
right, launch.start = launch.start, start
"""
NO_THREAD = """
import threading
start_thread = threading.Thread.start
def start(self):
    if self.name.startswith(("knock", "Thread-")):
        raise RuntimeError("can't start new thread")
    start_thread(self)
threading.Thread.start = start
"""


def test_without_a_process_a_thread_knocks(kernel: Kernel, home: Home, phone: Phone) -> None:
    """The embedded way: all that is lost is what needs someone who outlives the kernel, and `%knock` says so."""
    kernel.run(NO_PROCESS)
    kernel.load()

    results = [kernel.run(f"%%knock cell {number}\n6 * 7") for number in range(3)]
    phone.wait(3)
    status = kernel.run("%knock").said

    assert {result.value for result in results} == {"42"}
    assert sorted(knock["name"] for knock in phone.knocks) == ["cell 0", "cell 1", "cell 2"]
    (warning,) = "".join(result.text for result in results).splitlines()
    assert warning.startswith("knock: no process can be started here (Resource temporarily unavailable)")
    assert "inside this kernel" in status
    if sys.platform.startswith("linux"):
        assert home.helpers() == []


def test_what_a_thread_knocks_goes_out_before_the_kernel_ends(kernel: Kernel, phone: Phone) -> None:
    kernel.run(NO_PROCESS)
    kernel.load()
    kernel.run("%%knock training\n6 * 7")

    kernel.shutdown()

    assert phone.wait()["name"] == "training"


def test_without_a_thread_knocks_wait_until_one_can_be_started(kernel: Kernel, phone: Phone) -> None:
    kernel.run(NO_PROCESS + NO_THREAD)
    kernel.load()

    results = [kernel.run(f"%%knock cell {number}\n6 * 7") for number in range(3)]
    assert phone.knocks == []
    kernel.run("threading.Thread.start, launch.start = start_thread, right", store_history=False)
    results.append(kernel.run("%%knock cell 3\n6 * 7"))

    phone.wait(4)
    assert {result.value for result in results} == {"42"}
    assert sorted(knock["name"] for knock in phone.knocks) == [f"cell {number}" for number in range(4)]
    (warning,) = "".join(result.text for result in results).splitlines()
    assert warning.startswith("knock: neither a process nor a thread can be started here (can't start new thread)")


@pytest.mark.skipif(sys.platform == "win32", reason="limits descriptors")
def test_without_descriptors_knocks_wait_until_there_are_some(home: Home, phone: Phone) -> None:
    """Too many open files: what a leaking loader brings about. In a shell alone, for a kernel needs some itself."""
    script = """
import os, resource
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell()
shell.history_manager.enabled = False
shell.run_cell("%load_ext knock")
limits = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, limits[1]))
held = []
try:
    while True:
        held.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    pass
for number in range(3):
    shell.run_cell(f"%%knock cell {number}\\nprint(6 * 7)")
resource.setrlimit(resource.RLIMIT_NOFILE, limits)
for each in held:
    os.close(each)
shell.run_cell("%%knock cell 3\\nprint(6 * 7)")
"""

    said = run(sys.executable, script, home.knocking_at(phone), home.work).splitlines()

    phone.wait(4)
    assert sorted(knock["name"] for knock in phone.knocks) == [f"cell {number}" for number in range(4)]
    (warning,) = [line for line in said if line != "42"]
    assert len(said) == 5
    assert warning.startswith("knock: neither a process nor a thread can be started here (Too many open files)")


@pytest.mark.parametrize("python", ["None", "''", "'/nonexistent/python'", "'/bin/false'", "'/bin/true'"])
def test_without_a_python_to_start_a_thread_knocks(python: str, kernel: Kernel, phone: Phone) -> None:
    """A program that Python is embedded in: ``sys.executable`` is nothing, or the program itself."""
    kernel.run(f"import sys; sys.executable = {python}")
    kernel.load()

    results = [kernel.run("%%knock training\n6 * 7")]
    assert phone.wait()["name"] == "training"
    results.append(kernel.run("6 * 7"))
    results.append(kernel.run("6 * 7"))

    assert {result.value for result in results} == {"42"}
    (warning,) = "".join(result.text for result in results).splitlines()
    assert warning.startswith("knock: no process can be started here (")


@linux_only
def test_at_the_limit_of_processes_cells_run_and_knocks_wait(home: Home, phone: Phone, start_kernel: Start) -> None:
    """Neither a process nor a thread can be had, by the system's own word; a container's limit counts both."""
    group = group_or_skip("pids", "pids.max", "pids.max", 1000)
    kernel = start_kernel(home.knocking_at(phone))
    group.take(kernel.pid)
    kernel.load()
    tasks = len(os.listdir(f"/proc/{kernel.pid}/task"))
    group.limit(tasks)

    results = [kernel.run(f"%%knock cell {number}\n6 * 7") for number in range(3)]
    assert phone.knocks == []
    group.limit(tasks + 100)
    results.append(kernel.run("%%knock cell 3\n6 * 7"))

    phone.wait(4)
    assert {result.value for result in results} == {"42"}
    assert sorted(knock["name"] for knock in phone.knocks) == [f"cell {number}" for number in range(4)]
    (warning,) = "".join(result.text for result in results).splitlines()
    assert warning.startswith("knock: neither a process nor a thread can be started here (")
    kernel.shutdown()
    home.wait_until_alone()
    group.close()
