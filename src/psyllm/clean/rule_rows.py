"""Rows of patterns that most texts have nothing to do with, read from TOML and asked quickly.

A table comes in: each row has a name, a pattern, what every match must contain
(`needs`: words parted by blanks, or one class of characters in brackets), a
text that it `takes` and one that it `leaves`. Out come the rows that could match a text at all. One
search for all needs together lets most texts pass without asking any row;
that the needs are true is held by a test. What a match leads to is the caller's.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from psyllm.text.many_words import ManyWords

REACH_CHARS = 80  # no pattern reaches further from what it needs
LOOKED_AHEAD_CHARS = 20  # and none looks further past its end


class RuleRow(NamedTuple):
    """One pattern with its examples; `more` holds what else the table says of it."""

    name: str
    pattern: re.Pattern[str]
    needs: str
    takes: tuple[str, ...]
    leaves: tuple[str, ...]
    source: str
    more: dict[str, Any]


class RuleTable:
    """All rows of a table, with the one search that tells which of them a text could concern."""

    def __init__(self, rows: list[RuleRow]) -> None:
        self.rows = tuple(rows)
        self._classes = tuple(row for row in rows if row.needs.startswith("["))
        union = "".join(row.needs[1:-1] for row in self._classes)
        self._any_class = re.compile(f"[{union}]") if union else re.compile("(?!)")
        needed: dict[str, frozenset[str]] = {}  # words, and the rows that need them
        for row in rows:
            for word in () if row in self._classes else row.needs.split():
                needed[word] = needed.get(word, frozenset()) | {row.name}
        # Branches that all begin with a plain character are skipped through by that character.
        self._words = re.compile("|".join(map(re.escape, needed))) if needed else re.compile("(?!)")
        # A word may hide behind another that overlaps it: whoever is found speaks for both.
        speaks_for = {
            word: frozenset().union(*(names for other, names in needed.items() if _overlap(word, other)))
            for word in needed
        }
        self._rows_of = {
            word: tuple(row for row in rows if row.name in names) for word, names in speaks_for.items()
        }

    def may_match(self, text: str) -> bool:
        """Return whether a text has what any row needs; mostly it has not."""
        return bool(self._words.search(text) or self._any_class.search(text))

    def may_match_any(self, texts: Sequence[str]) -> list[bool]:
        """Return `may_match` of each text, from a look at all of them at once."""
        return [bool(found) for found in self._many.found(texts)]

    @functools.cached_property
    def _many(self) -> ManyWords:
        return ManyWords(self._rows_of, self._any_class.pattern if self._classes else "")

    def matching(self, text: str) -> tuple[RuleRow, ...]:
        """Return the rows whose pattern is found in a text, in the order of the table."""
        names: set[str] = set()
        for found in self._words.finditer(text):
            for row in self._rows_of[found.group()]:
                if row.name not in names and _matches_near(row.pattern, text, *found.span()):
                    names.add(row.name)
        if self._any_class.search(text):
            names |= {row.name for row in self._classes if row.pattern.search(text)}
        return tuple(row for row in self.rows if row.name in names) if names else ()


def _matches_near(pattern: re.Pattern[str], text: str, start: int, end: int) -> bool:
    first, last = max(0, start - REACH_CHARS), end + REACH_CHARS
    found = pattern.search(text, first, last)
    if found and last < len(text) and found.end() > last - LOOKED_AHEAD_CHARS:
        return pattern.search(text, first) is not None  # the end of the stretch is not the end of the text
    return found is not None


def read_table(path: Path, name: str) -> RuleTable:
    """Return the rows of one array of tables in a TOML file."""
    rows = tomllib.loads(path.read_text("utf-8"))[name]
    return RuleTable([_row(row) for row in rows])


def _row(row: dict[str, Any]) -> RuleRow:
    known = ("name", "pattern", "needs", "takes", "leaves", "source")
    return RuleRow(
        row["name"],
        re.compile(row["pattern"], re.MULTILINE),
        row["needs"],
        _several(row["takes"]),
        _several(row["leaves"]),
        row["source"],
        {key: value for key, value in row.items() if key not in known},
    )


def _overlap(one: str, other: str) -> bool:
    if set(one).isdisjoint(other):
        return False
    if one in other or other in one:
        return True
    longest = min(len(one), len(other))
    return any(one[-n:] == other[:n] or other[-n:] == one[:n] for n in range(1, longest))


def _several(texts: str | list[str]) -> tuple[str, ...]:
    return (texts,) if isinstance(texts, str) else tuple(texts)
