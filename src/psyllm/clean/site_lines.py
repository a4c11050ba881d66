"""Sentences that a site or its writer left in a text, found by the rows of `site_lines.toml`.

A counsellor's text comes in, the same without such sentences goes out. It does
not judge the advice itself.
"""

from __future__ import annotations

import functools
import re
import tomllib
from pathlib import Path
from typing import NamedTuple

from psyllm.clean.rewriting import without_parts
from psyllm.text.fold import Folded
from psyllm.text.offsets import Offsets
from psyllm.text.sentences import split_sentences

_TABLE = Path(__file__).parent / "site_lines.toml"


class SiteLine(NamedTuple):
    """A pattern with a sentence that it takes and one that it leaves."""

    name: str
    pattern: re.Pattern[str]
    takes: str
    leaves: str


@functools.cache
def site_lines() -> tuple[SiteLine, ...]:
    """Return the rows of the table."""
    rows = tomllib.loads(_TABLE.read_text("utf-8"))["line"]
    return tuple(
        SiteLine(row["name"], re.compile(row["pattern"]), row["takes"], row["leaves"]) for row in rows
    )


@functools.cache
def _any_line() -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{line.pattern.pattern})" for line in site_lines()), re.MULTILINE)


def without_site_lines(text: str) -> Folded:
    """Return the text without the sentences that a row takes."""
    if not _any_line().search(text):
        return Folded(text, Offsets())
    parts: list[tuple[int, int]] = []
    start = 0
    for sentence in split_sentences(text):
        end = start + len(sentence)
        if _any_line().search(sentence.strip()):
            parts.append((start, end))
        start = end
    return without_parts(text, parts)
