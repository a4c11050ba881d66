"""The lexicon of danger: loads `lexicon.toml` and compiles it once.

Rows come out as compiled rules with their level; the version is a hash of the
lexicon and of the table of disguises, so that a report and a release can name
exactly what they judged. What rules are matched against is screen.py's.
"""

from __future__ import annotations

import functools
import hashlib
import re
import tomllib
from pathlib import Path
from typing import Any, NamedTuple, cast, get_args

from psyllm.core.errors import MalformedInput
from psyllm.safety.levels import About, Label, Level
from psyllm.safety.patterns import compile_pattern
from psyllm.text.fold import DISGUISES
from psyllm.text.needs import Gate, needs_of, ways_of

LEXICON = Path(__file__).parent / "lexicon.toml"


class Quiet(NamedTuple):
    """A figure of speech or a negation that is blanked out before the rules look."""

    id: str
    pattern: re.Pattern[str]
    unless: re.Pattern[str] | None


class Rule(NamedTuple):
    """A pattern that raises the level of a message."""

    id: str
    pattern: re.Pattern[str]
    unless: re.Pattern[str] | None
    level: Level
    about: About


class Way(NamedTuple):
    """One of the outermost alternatives of a rule's pattern; `rule` is the rule's place."""

    rule: int
    pattern: re.Pattern[str]


class Lexicon(NamedTuple):
    """All rows, compiled, with the gates that say which of them a text may match and the hash of their sources."""

    quiet: tuple[Quiet, ...]
    rules: tuple[Rule, ...]
    quiet_gate: Gate
    ways: tuple[Way, ...]
    way_gate: Gate
    people: re.Pattern[str]
    version: str


@functools.cache
def load_lexicon(path: Path = LEXICON) -> Lexicon:
    """Return the compiled lexicon.

    Raises:
        MalformedInput: a row lacks a field, names an unknown part or level, or is no regular expression.
    """
    content = path.read_bytes()
    version = hashlib.sha256(content + b"\x1f" + DISGUISES.read_bytes()).hexdigest()[:16]
    tables = tomllib.loads(content.decode())
    parts = cast("dict[str, str]", tables["parts"])
    quiet = tuple(Quiet(row["id"], *_patterns(row, parts)) for row in _checked(tables["quiet"]))
    rules = tuple(
        Rule(row["id"], *_patterns(row, parts), Level.of(row["level"]), cast("About", row["about"]))
        for row in _checked(tables["rules"])
    )
    people = compile_pattern("(?P<third><third>)|(?P<self><self>)", parts)
    quiet_gate = Gate([needs_of(row.pattern) for row in quiet])
    ways = tuple(Way(number, way) for number, row in enumerate(rules) for way in ways_of(row.pattern))
    way_gate = Gate([needs_of(way.pattern) for way in ways])
    return Lexicon(quiet, rules, quiet_gate, ways, way_gate, people, version)


def _checked(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    seen: set[str] = set()
    for row in rows:
        name = row.get("id", "without id")
        if "id" not in row or name in seen:
            raise _broken(name, "an id is missing or used twice")
        if row.get("about", "self") not in get_args(About) or row.get("level", "none") not in get_args(Label):
            raise _broken(name, "an unknown `level` or `about`")
        seen.add(name)
    return rows


def _patterns(row: dict[str, Any], parts: dict[str, str]) -> tuple[re.Pattern[str], re.Pattern[str] | None]:
    try:
        unless = row.get("unless")
        return compile_pattern(row["pattern"], parts), compile_pattern(unless, parts) if unless else None
    except KeyError as error:
        raise _broken(row["id"], f"no pattern or no part named {error}") from error
    except re.error as error:
        raise _broken(row["id"], f"no regular expression ({error})") from error


def _broken(name: str, found: str) -> MalformedInput:
    return MalformedInput(f"row {name!r} of the lexicon: {found}", "mend lexicon.toml in the safety room")
