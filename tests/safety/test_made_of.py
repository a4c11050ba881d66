"""What a release is bound to: every file that decides what the screening and the guard say."""

import ast
import shutil
from pathlib import Path

import pytest

from psyllm.safety.made_of import GUARD_FILES, PACKAGE, SCREEN_FILES, guard_version, screen_version

ROOMS = ("safety", "text")


def imported(source: Path) -> set[Path]:
    """Return the files of the two rooms that a module imports."""
    tree = ast.parse(source.read_text("utf-8"))
    names = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    files = {PACKAGE.parent / f"{name.replace('.', '/')}.py" for name in names if name.startswith("psyllm.")}
    return {file for file in files if file.is_file() and file.parent.name in ROOMS}


def data_of(source: Path) -> set[Path]:
    """Return the tables beside a module that it names."""
    tree = ast.parse(source.read_text("utf-8"))
    names = {str(node.value) for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    return {source.parent / name for name in names if name.endswith((".toml", ".npz"))}


def reached(start: Path) -> set[str]:
    found: set[Path] = set()
    waiting = [start]
    while waiting:
        source = waiting.pop()
        if source not in found:
            found.add(source)
            waiting += imported(source)
    return {str(file.relative_to(PACKAGE)) for source in found for file in {source, *data_of(source)}}


@pytest.mark.parametrize(
    ("start", "files"),
    [("safety/guard.py", GUARD_FILES), ("safety/screen.py", SCREEN_FILES)],
    ids=["guard", "screen"],
)
def test_every_file_that_decides_is_in_the_hash(start, files):
    assert sorted(files) == sorted(reached(PACKAGE / start))


@pytest.mark.parametrize(
    ("version", "files"),
    [(guard_version, GUARD_FILES), (screen_version, SCREEN_FILES)],
    ids=["guard", "screen"],
)
def test_a_change_in_any_of_them_moves_the_version(version, files, tmp_path):
    for room in ROOMS:
        shutil.copytree(PACKAGE / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    assert version(tmp_path) == version()
    for name in files:
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content + b"\n")
        assert version(tmp_path) != version(), name
        (tmp_path / name).write_bytes(content)
