"""Writes the pages of docs/ that are made from the code: settings, errors, commands.

`python docs/generate.py` writes them; a test compares them with the code.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import typer

from psyllm.cli.main import app
from psyllm.core import errors
from psyllm.core.settings import Settings, preset_names, setting_rows

DOCS = Path(__file__).parent
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
