"""The rules of the house that no other tool holds."""

import ast
import importlib.util
import re
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT
from psyllm.core import errors

SOURCES = sorted((ROOT / "src").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
MOST_LINES = 400
WORN_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "base", "manager"}


def tracked_files() -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [path for path in (ROOT / line for line in listing.stdout.splitlines()) if path.is_file()]


def test_no_python_file_is_longer_than_400_lines():
    long = {
        str(path): count
        for path in SOURCES + TESTS
        if (count := len(path.read_text().splitlines())) > MOST_LINES
    }
    assert not long, f"split these by purpose: {long}"


def test_no_web_file_is_longer_than_250_lines():
    folder = ROOT / "web" / "src"
    paths = [path for path in folder.rglob("*.ts*") if "schema.d" not in path.name]
    assert paths
    long = {str(path): count for path in paths if (count := len(path.read_text().splitlines())) > 250}
    assert not long, f"split these by purpose: {long}"


def test_every_module_says_what_it_is_for():
    silent = [str(path) for path in SOURCES if not ast.get_docstring(ast.parse(path.read_text()))]
    assert not silent


def test_package_files_hold_a_docstring_and_nothing_else():
    full = [
        str(path)
        for path in SOURCES
        if path.name == "__init__.py" and len(ast.parse(path.read_text()).body) != 1
    ]
    assert not full, f"re-exports tie knots; import from the module itself: {full}"


def test_no_module_has_a_worn_name():
    worn = [str(path) for path in SOURCES + TESTS if path.stem in WORN_NAMES]
    assert not worn, f"name these by what they do: {worn}"


def test_tests_mirror_the_rooms():
    rooms = {path.name for path in (ROOT / "src" / "psyllm").iterdir() if (path / "__init__.py").exists()}
    folders = {
        path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and any(path.glob("test_*.py"))
    }
    assert rooms <= folders, f"rooms without tests: {sorted(rooms - folders)}"


def test_every_pipeline_room_has_one_door():
    for room in ("collect", "clean", "corpus", "train", "evaluate", "serve", "feedback"):
        path = ROOT / "src" / "psyllm" / room / "run.py"
        functions = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
        doors = [function for function in functions if function.name == "run"]
        assert [argument.arg for argument in doors[0].args.args][:2] == ["settings", "data"], room


def test_the_drawn_error_tree_is_the_real_one():
    drawn = re.findall(r"^[ │├└─]*([A-Z]\w+)", errors.__doc__.split("\n\n")[1], re.MULTILINE)
    real = [
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.PsyError)
    ]
    assert sorted(drawn) == sorted(real)
    indents = dict(
        re.findall(r"^([ │├└─]*)([A-Z]\w+)", errors.__doc__.split("\n\n")[1], re.MULTILINE)
        and [
            (name, len(indent))
            for indent, name in re.findall(
                r"^([ │├└─]*)([A-Z]\w+)", errors.__doc__.split("\n\n")[1], re.MULTILINE
            )
        ]
    )
    for name in real:
        depth = len(getattr(errors, name).__mro__) - len(errors.PsyError.__mro__)
        assert indents[name] == 4 + 4 * depth, f"{name} is drawn at the wrong depth"


def test_error_codes_are_unique():
    codes = [
        value.code
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, errors.PsyError)
    ]
    assert len(codes) == len(set(codes))


def test_generated_pages_tell_the_truth():
    specification = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    generate = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(generate)
    for name, text in generate.pages().items():
        assert (ROOT / "docs" / name).read_text() == text, f"docs/{name} is old; run: make docs"
    assert (ROOT / "README.md").read_text() == generate.readme(), "the README's tree is old; run: make docs"


@pytest.mark.parametrize(
    "pattern", [r"https?://(registry\.|pypi\.|files\.pythonhosted)", r'"resolved":\s*"http', r"index-url"]
)
def test_no_registry_address_is_committed(pattern):
    # Both hold the pattern that they look for.
    guards = {Path(__file__), ROOT / "web" / "tests" / "house.test.ts"}
    suffixes = {".py", ".json", ".toml", ".txt", ".md", ".sh", ".yml", ".ts", ".tsx", ""}
    texts = [path for path in tracked_files() if path.suffix in suffixes and path not in guards]
    found = [str(path) for path in texts if re.search(pattern, path.read_text("utf-8", errors="replace"))]
    assert not found


def test_every_test_folder_file_name_matches_what_pytest_collects():
    stray = [str(path) for path in (ROOT / "tests").rglob("*_test.py")]
    assert not stray
