"""The house keeps its shape: imports go one way, the core is pure, the public names are what they say."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import syncengine

ROOT = Path(syncengine.__file__).parent

LAYERS = (
    {"errors", "model"},
    {"rules"},
    {"replica"},
    {"imap", "voicemail", "delivery", "speech", "options", "testing"},
    {"index"},
    {"engine"},
    {"service", "demo"},
    {"cli"},
    {"web"},
)
"""From the ground up; a module imports its own package and what lies below its layer."""

IMPURE = {"socket", "sqlite3", "time", "random", "secrets", "logging", "os", "subprocess", "threading", "ssl"}


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def package(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def layer(name: str) -> int:
    return next(number for number, names in enumerate(LAYERS) if name in names)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_one_way(path: Path):
    here = package(path)
    if here in ("__init__", "__main__"):
        return
    for name in imported(path):
        if not name.startswith("syncengine."):
            continue
        there = name.split(".")[1]
        if there in (here, "state"):
            continue
        assert layer(there) < layer(here), f"{here} imports {name}"


@pytest.mark.parametrize("path", sorted((ROOT / "rules").glob("*.py")), ids=lambda p: p.name)
def test_the_rules_are_pure(path: Path):
    assert {name.split(".")[0] for name in imported(path)} & IMPURE == set()


def test_only_the_index_speaks_sql():
    for path in modules():
        if package(path) != "index":
            text = path.read_text(encoding="utf-8")
            assert "sqlite_utils" not in text, path
            assert "INSERT INTO" not in text, path


def test_every_public_name_is_there_and_the_list_is_sorted():
    assert list(syncengine.__all__) == sorted(syncengine.__all__)
    for name in syncengine.__all__:
        assert getattr(syncengine, name).__name__ == name or name == "Token"


def test_importing_the_package_imports_nothing_heavy():
    heavy = ("syncengine.", "imapclient", "sqlite")
    code = f"import sys, syncengine; print(*(m for m in sys.modules if m.startswith({heavy})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == ""


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_every_module_says_what_it_is_for(path: Path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_every_package_is_shipped():
    listed = tomllib.loads((ROOT.parent / "pyproject.toml").read_text(encoding="utf-8"))
    packages = {p.parent.relative_to(ROOT.parent) for p in ROOT.rglob("__init__.py")}

    assert {str(p).replace("/", ".") for p in packages} | {"syncengine.state"} == set(
        listed["tool"]["setuptools"]["packages"]
    )
