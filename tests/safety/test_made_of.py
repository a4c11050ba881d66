"""What a release is bound to: every file that decides how screening and guard judge."""

import json
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from psyllm.safety import made_of
from psyllm.safety.made_of import (
    GUARD_FILES,
    GUARD_LIBRARIES,
    NOT_YET,
    PACKAGE,
    SCREEN_FILES,
    SCREEN_LIBRARIES,
    guard_version,
    screen_version,
)
from psyllm.safety.release import current_hashes

ROOMS = ("core", "safety", "starter", "text")
BOTH = ["guard", "screen"]

# Texts of both scripts, with numbers, disguises, rare characters and a word salad: every path is taken.
RUN = """
import json, sys
opened = set()
sys.addaudithook(lambda event, args: opened.add(str(args[0])) if event == "open" else None)
from psyllm.safety.{module} import {call}
for text in [
    "我觉得很难过，晚上睡不着，你可以打12356，也可以和家人说一说你的感受。",
    "她說她不想活了，想跳樓，割 腕，zisha，真的好纍。I want to die.",
    "的了是我不在人有他这为之大来以个中上们到说国和地也子时道出而要于就下得可你年生。",
]:
    {run}
modules = [module.__file__ for name, module in sys.modules.items() if name.startswith("psyllm.")]
libraries = sorted({{name.partition(".")[0] for name in sys.modules}} - sys.stdlib_module_names)
print(json.dumps([modules, sorted(opened), libraries]))
"""
RUNS = {
    "guard": RUN.format(module="guard", call="check", run='check(text, final=True, asked="我有抑郁症")'),
    "screen": RUN.format(module="screen", call="screen", run="screen([text])"),
}

# These decide nothing: names of errors, and the packages' own first lines.
DECIDE_NOTHING = {"core/errors.py", *(f"{room}/__init__.py" for room in ("core", "safety", "text"))}
# Of the imported libraries, those that hold no words: numbers, files, forms of data, and Python's own set-up.
KNOW_NO_WORDS = {
    "_distutils_hack",
    "annotated_types",
    "cloudpickle",
    "numpy",
    "pyarrow",
    "pydantic",
    "pydantic_core",
    "typing_extensions",
    "typing_inspection",
}


@pytest.fixture
def copy(tmp_path):
    """Return a copy of the package's rooms that may be changed."""
    for room in ROOMS:
        shutil.copytree(PACKAGE / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def used(what: str) -> tuple[set[str], set[str]]:
    """Return the package's files that a fresh run imported or opened, and the libraries that it imported."""
    done = subprocess.run([sys.executable, "-c", RUNS[what]], capture_output=True, text=True, check=True)
    modules, opened, libraries = json.loads(done.stdout)
    tables = [name for name in opened if Path(name).suffix not in {".py", ".pyc"}]
    files = [Path(name) for name in (*modules, *tables)]
    inside = {file.relative_to(PACKAGE).as_posix() for file in files if file.is_relative_to(PACKAGE)}
    return inside - DECIDE_NOTHING, set(libraries) & set(packages_distributions())


@pytest.mark.parametrize(
    ("what", "files", "bound"),
    [("guard", GUARD_FILES, GUARD_LIBRARIES), ("screen", SCREEN_FILES, SCREEN_LIBRARIES)],
    ids=BOTH,
)
def test_everything_that_a_run_reads_is_in_the_hash(what, files, bound):
    read, libraries = used(what)
    assert read - {NOT_YET} == set(files)
    assert libraries - KNOW_NO_WORDS == set(bound)


@pytest.mark.parametrize(
    ("version", "files"), [(guard_version, GUARD_FILES), (screen_version, SCREEN_FILES)], ids=BOTH
)
def test_a_change_in_any_file_moves_the_version(version, files, copy):
    assert version(copy) == version()
    for name in files:
        path = copy / name
        content = path.read_bytes()
        path.write_bytes(content + b"\n")
        assert version(copy) != version(), name
        path.write_bytes(content)
    (copy / files[-1]).unlink()
    with pytest.raises(FileNotFoundError):
        version(copy)


def test_reviews_that_the_project_ships_one_day_move_the_guards_version(copy):
    (copy / NOT_YET).write_text("{}\n", "utf-8")
    assert guard_version(copy) != guard_version()


@pytest.mark.parametrize(
    ("version", "libraries"), [(guard_version, GUARD_LIBRARIES), (screen_version, SCREEN_LIBRARIES)], ids=BOTH
)
def test_another_library_moves_the_version(version, libraries, monkeypatch):
    installed, before = made_of.version, version()
    for library in libraries:
        monkeypatch.setattr(
            made_of, "version", lambda name, new=library: "0" if name == new else installed(name)
        )
        assert version() != before, library


def test_a_release_is_bound_to_both():
    hashes = current_hashes("none")
    assert (hashes["guard"], hashes["screen"]) == (guard_version(), screen_version())
    assert guard_version() != screen_version()
