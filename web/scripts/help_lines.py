#!/usr/bin/env python3
"""Writes the help lines that travel inside the page from the safety room's table.

In: src/psyllm/safety/help_lines.toml. Out: web/src/lib/helpLines.json, or with
`--check` exit status 1 when that file is not what would be written. Needs
nothing but Python 3.11; does not look anything up.
"""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path

WEB = Path(__file__).resolve().parent.parent
TABLE = WEB.parent / "src" / "psyllm" / "safety" / "help_lines.toml"
BUNDLED = WEB / "src" / "lib" / "helpLines.json"
SHOWN = ("number", "tel", "name", "name_en", "region", "hours", "hours_en", "kind", "seen_on")


def bundled(table: Path) -> str:
    """Return the text of the JSON file for a table of help lines."""
    rows = next(
        value for value in tomllib.loads(table.read_text("utf-8")).values() if isinstance(value, list)
    )
    lines = [
        {name: str(row[name]) for name in SHOWN} | {"call_tested": str(row.get("call_tested") or "") or None}
        for row in rows
    ]
    return json.dumps(lines, ensure_ascii=False, indent=2) + "\n"


def main(arguments: list[str]) -> int:
    """Write the file, or compare it with `--check`; return the exit status."""
    text = bundled(TABLE)
    if "--check" not in arguments:
        BUNDLED.write_text(text, "utf-8")
        return 0
    if BUNDLED.exists() and BUNDLED.read_text("utf-8") == text:
        return 0
    sys.stderr.write("web/src/lib/helpLines.json is not what help_lines.toml says; run: npm run help\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
