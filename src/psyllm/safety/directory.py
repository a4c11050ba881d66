"""The directory of help lines: the only numbers that this service may show.

`help_lines.toml` comes in, frozen lines come out, each with its source and the
day on which that was read; `call_tested` is empty until a person has dialled
it. Whether a line is answered is not known here.
"""

from __future__ import annotations

import datetime as dt
import functools
import tomllib
from pathlib import Path
from typing import Literal

from psyllm.core.records import Frozen

HELP_LINES = Path(__file__).parent / "help_lines.toml"
LineKind = Literal["emergency", "crisis", "youth"]


class HelpLine(Frozen):
    """One line; `tel` holds the digits to dial within its region."""

    number: str
    tel: str
    name: str
    name_en: str
    region: str
    hours: str
    hours_en: str
    kind: LineKind
    source: str
    seen_on: dt.date
    call_tested: dt.date | None = None


def help_lines(region: str | None = None) -> tuple[HelpLine, ...]:
    """Return the lines of a region ("CN" takes in "CN-BJ"), or all, in the order of the card."""
    lines = _all_lines()
    if region is None:
        return lines
    return tuple(line for line in lines if line.region == region or line.region.startswith(f"{region}-"))


def checked_on() -> dt.date:
    """Return the oldest day on which a line's source was read."""
    return min(line.seen_on for line in _all_lines())


def numbers() -> frozenset[str]:
    """Return the digits of every line: what a generated text may name."""
    return frozenset(line.tel for line in _all_lines())


@functools.cache
def _all_lines() -> tuple[HelpLine, ...]:
    tables = tomllib.loads(HELP_LINES.read_text("utf-8"))
    return tuple(HelpLine.model_validate(row) for row in tables["lines"])
