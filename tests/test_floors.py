"""The house: imports go down, and no module takes a public function's name."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import knock_magic
from knock_magic.errors import MissingPackage

PACKAGE = Path(knock_magic.__file__).parent

# From the ground up. A module imports from the floors below it, or from those that stand before it on its own.
FLOORS = (
    # words
    (
        "language",
        "errors",
        "cleaning",
        "durations",
        "event",
        "rules",
        "names",
        "wording",
        "metrics",
        "tracebacks",
        "hints",
        "verdict",
        "curves",
    ),
    (
        "gpus",
        "suspects",
        "redaction",
        "guard",
        "interrupts",
        "loose",
        "unshown",
        "runs",
        "endings",
        "pictures",
        "drawing",
        "fitting",
        "tables",
        "terminal",
        "relay",
        "child",
        "patience",
        "redirect",
        "pace",
        "bars",
        "stalls",
        "life",
        "output",
        "plots",
    ),
    # settings, and the files they stand in
    (
        "folders",
        "private_file",
        "settings_file",
        "notebook_secrets",
        "settings",
        "addresses",
        "vault",
        "mute",
        "autoload",
        "pasted",
    ),
    # messages
    ("template", "own_templates", "outline", "attention", "letter", "trust", "smtp", "kakao_codes"),
    # channels
    ("channels.base", "plugins", "channels", "channels.*"),
    # the road from the kernel to a channel
    ("retry", "noise", "death", "launch", "watch", "slate", "outbox", "store", "history"),
    ("delivery", "dispatch", "courier", "sidecar"),
    # the door
    ("options", "configuration", "knocker", "kakao_login"),
    ("draft",),
    # what watches and measures
    ("head", "signs", "watcher", "armed", "messages", "training", "integrations", "integrations.*"),
    # what people touch
    ("status", "preview", "completion", "login", "questions", "manual"),
    ("panel.words", "panel.style", "panel.secret_field", "panel.parts", "panel.likeness", "panel.form"),
    ("panel.kakao_box", "panel.place_box"),
    ("panel.channels_step", "panel.message_step", "panel.when_step", "panel.done_step", "panel"),
    ("magics", "extension", "demo", "shell", "cli"),
    ("_knock", "__main__", "__init__"),
)
ORDER = [name for floor in FLOORS for name in floor]


def modules() -> list[str]:
    names = [
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts).replace(".__init__", "")
        for path in PACKAGE.rglob("*.py")
    ]
    return sorted(names)


def height(module: str) -> int:
    if module in ORDER:
        return ORDER.index(module)
    folder = module.partition(".")[0]
    assert f"{folder}.*" in ORDER, f"{module} has no floor yet: give it one in FLOORS"
    return ORDER.index(f"{folder}.*")


def imports_of(module: str) -> set[str]:
    """The modules of ours that `module` imports, anywhere in it but under TYPE_CHECKING."""
    path = PACKAGE / (module.replace(".", "/") + ".py")
    if not path.exists():
        path = PACKAGE / module.replace(".", "/") / "__init__.py"
    found = set()
    for node in _running(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "knock_magic":
            below = (node.module or "").partition(".")[2]
            for alias in node.names:
                inner = f"{below}.{alias.name}" if below else alias.name
                found.add(inner if inner in modules() else below or "__init__")
        elif isinstance(node, ast.Import):
            found.update(
                alias.name.partition(".")[2] or "__init__"
                for alias in node.names
                if alias.name.split(".")[0] == "knock_magic"
            )
    return found


def _running(tree: ast.AST) -> list[ast.AST]:
    nodes = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            continue
        nodes += [node, *_running(node)]
    return nodes


@pytest.mark.parametrize("module", [name for name in modules() if name not in ("__init__", "_knock", "__main__")])
def test_a_module_imports_only_from_below(module: str) -> None:
    above = {other for other in imports_of(module) if other != "__init__" and height(other) > height(module)}

    assert not above, f"{module} imports {sorted(above)}, which stand above it"


def test_the_courier_stays_small() -> None:
    """It lives as long as the kernel, so what it imports is memory for days."""
    heavy = {"dataclasses", "typing", "hashlib", "socket", "requests", "traitlets", "IPython"}
    code = "import sys; before = set(sys.modules); import knock_magic.courier; print(*set(sys.modules) - before)"

    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)

    assert not heavy & set(done.stdout.split())


def test_public_functions_survive_the_import_of_every_module() -> None:
    """Importing a submodule sets its name on the package, and would replace a function of that name."""
    public = {name: getattr(knock_magic, name) for name in knock_magic.__all__}

    names = {name.split(".")[0] for name in modules()}
    for module in pkgutil.walk_packages(knock_magic.__path__, "knock_magic."):
        if not module.name.endswith(("._knock", ".__main__")):
            try:
                importlib.import_module(module.name)
            except MissingPackage:  # a framework that is not installed here
                assert module.name.startswith("knock_magic.integrations.")

    assert not set(public) & names
    assert {name: getattr(knock_magic, name) for name in knock_magic.__all__} == public


def test_both_names_are_one_module() -> None:
    import knock

    assert knock is knock_magic


def test_the_second_name_is_known_by_its_first_line() -> None:
    """In a process that has not imported it: so the module of that name was found to be ours."""
    code = "from knock_magic import extension; print(*extension.our_names())"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["knock", "knock_magic"]
