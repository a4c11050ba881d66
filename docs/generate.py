"""Writes the pages of docs/ that are made from the code, and the README's tree.

`python docs/generate.py` writes them; a test compares them with the code.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import typer

from psyllm.cli.main import app
from psyllm.core import errors
from psyllm.core.settings import Settings, preset_names, setting_rows

DOCS = Path(__file__).parent
ROOT = DOCS.parent
README = ROOT / "README.md"
NOTE = "<!-- Written by docs/generate.py; `make docs` writes it again. -->\n"


def pages() -> dict[str, str]:
    """Return file name → text of every generated page."""
    return {"settings.md": settings_page(), "errors.md": errors_page(), "cli.md": commands_page()}


def settings_page() -> str:
    """Return the table of all settings."""
    lines = [
        NOTE,
        "# Settings\n",
        "Defaults, then `--preset NAME`, then `--config FILE.toml`, then `--set section.name=value`. "
        "Unknown names are refused. Presets: " + ", ".join(f"`{name}`" for name in preset_names()) + ".\n",
        "| setting | default | what it does |",
        "|---|---|---|",
    ]
    lines += [f"| `{name}` | `{value or ' '}` | {text} |" for name, value, text in setting_rows(Settings())]
    return "\n".join(lines) + "\n"


def errors_page() -> str:
    """Return the table of all errors."""
    lines = [NOTE, "# Errors\n", "Each error names what was found and the next command to type.\n"]
    lines += ["| code | name | meaning |", "|---|---|---|"]
    lines += [f"| {error.code} | `{error.__name__}` | {inspect.getdoc(error)} |" for error in error_classes()]
    return "\n".join(lines) + "\n"


def error_classes() -> list[type[errors.PsyError]]:
    """Return every class of the tree, by code."""
    found = [value for value in vars(errors).values() if isinstance(value, type)]
    return sorted(
        (value for value in found if issubclass(value, errors.PsyError)), key=lambda error: error.code
    )


def commands_page() -> str:
    """Return the help of every command."""
    lines = [NOTE, "# Commands\n"]
    for path, text in _commands(typer.main.get_command(app), "psyllm"):
        lines.append(f"## `{path}`\n\n```\n{text}\n```\n")
    return "\n".join(lines)


def readme() -> str:
    """Return the README with its tree made again."""
    text = README.read_text("utf-8")
    return re.sub(
        r"(<!-- tree -->\n).*(\n<!-- /tree -->)",
        lambda found: found[1] + tree() + found[2],
        text,
        flags=re.DOTALL,
    )


def tree() -> str:
    """Return every file with what it says of itself in its first line."""
    lines = ["```"]
    for folder, note in _folders().items():
        lines.append(f"{folder + '/':<34} {note}".rstrip())
        for path in sorted((ROOT / folder).glob("*")):
            comment = first_line(path)
            if comment:
                lines.append(f"  {path.name:<32} {comment}")
    return "\n".join([*lines, "```"])


def first_line(path: Path) -> str:
    """Return the first sentence that a source file says of itself, empty if it is none."""
    if path.name == "__init__.py" or not path.is_file():
        return ""
    text = path.read_text("utf-8", errors="replace")
    if path.suffix == ".py":
        return (ast.get_docstring(ast.parse(text)) or "").split("\n")[0]
    if path.suffix in {".toml", ".sh"}:
        comments = [line.lstrip("# ") for line in text.splitlines() if line.startswith("# ")]
        return comments[0] if comments else ""
    if path.suffix in {".ts", ".tsx"} and not path.name.endswith((".test.ts", ".test.tsx", ".d.ts")):
        found = re.match(r"/\*\*?\s*\**\s*([^\n]*?)\s*(?:\*/|\n)|//\s*([^\n]*)", text)
        return (found[1] or found[2]) if found else ""
    return ""


def _folders() -> dict[str, str]:
    """Return the folders of the tree with what their package says of itself."""
    package = ROOT / "src" / "psyllm"
    rooms = [
        "core",
        "text",
        "safety",
        "lm",
        "casebook",
        "collect",
        "clean",
        "corpus",
        "train",
        "evaluate",
        "serve",
        "feedback",
        "cli",
    ]
    found = {f"src/psyllm/{room}": first_docstring(package / room / "__init__.py") for room in rooms}
    found["src/psyllm/conf"] = "Presets: one TOML file each, only what differs."
    for path in sorted((ROOT / "web" / "src").rglob("*")):
        if path.is_dir() and any(path.glob("*.ts*")):
            found[str(path.relative_to(ROOT))] = ""
    found |= {
        "bench": "Benchmarks side by side; each prints a table.",
        "runs": "Whole journeys as short scripts.",
    }
    return found


def first_docstring(path: Path) -> str:
    """Return the first line of a module's docstring."""
    return (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").split("\n")[0]


def _commands(command: object, path: str) -> Iterator[tuple[str, str]]:
    context = command.make_context(path, [], resilient_parsing=True)  # type: ignore[attr-defined]
    # A fixed width makes the page the same on every terminal.
    context.terminal_width = context.max_content_width = 100
    yield path, command.get_help(context).strip()  # type: ignore[attr-defined]
    for name, inner in sorted(getattr(command, "commands", {}).items()):
        yield from _commands(inner, f"{path} {name}")


if __name__ == "__main__":
    for name, text in pages().items():
        (DOCS / name).write_text(text, "utf-8")
    README.write_text(readme(), "utf-8")
