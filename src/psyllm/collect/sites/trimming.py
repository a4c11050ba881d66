"""Lines that stand in a text and are not its writer's, found by the rows of `trimming.toml`.

Comes in: the lines of an article or post. Goes out: the same without a trailing
advertisement, without credits that name people, and (forum posts) without a
quotation of somebody else before a dashed line. What people write in between is
not judged; `clean` does that.
"""

from __future__ import annotations

import functools
import re
import tomllib
from pathlib import Path
from typing import Literal, NamedTuple

SOLD = "\ue000"  # private use: where a page links to something that is sold
_TABLE = Path(__file__).parent / "trimming.toml"
_DASHES = re.compile(r"^[-—–_=]{10,}$")  # Tianya writes 29; people type fewer
# After the quoted person's name was dropped: "2楼 2012-05-24 21:52:48", "作者：某 回复日期：2010-1-2 12:00:00".
_QUOTED = re.compile(
    r"^(?:作者[：:]\s*\S{1,30}\s*)?(?:回复第?)?(?:\d{1,6}楼[：:]?\s*)?(?:(?:回复|提交|发表)?日期[：:]\s*)?"
    r"\d{4}-\d{1,2}-\d{1,2}\s+\d{1,2}:\d{2}(?::\d{2})?\s*$"
)


class Row(NamedTuple):
    """A pattern with a line that it takes and one that it leaves."""

    name: str
    kind: Literal["cut", "line"]
    pattern: re.Pattern[str]
    takes: str
    leaves: str


@functools.cache
def rows() -> tuple[Row, ...]:
    """Return the rows of the table."""
    table = tomllib.loads(_TABLE.read_text("utf-8"))["row"]
    return tuple(
        Row(row["name"], row["kind"], re.compile(row["pattern"]), row["takes"], row["leaves"])
        for row in table
    )


@functools.cache
def _any(kind: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{row.pattern.pattern})" for row in rows() if row.kind == kind))


def without_advertisement(text: str) -> tuple[str, bool]:
    """Return an article without credits and without what it ends in to sell, and whether something was sold."""
    lines = [line for line in text.split("\n") if not _any("line").match(line)]
    earliest = sum(len(line) for line in lines) / 3  # an advertisement is at times longer than its article
    before = 0
    for index, line in enumerate(lines):
        if before >= earliest and index and _any("cut").match(line):
            return _joined(lines[:index]), True
        before += len(line)
    return _joined(lines), False


def _joined(lines: list[str]) -> str:
    return "\n".join(line for line in (line.replace(SOLD, "") for line in lines) if line)


def without_quotation(text: str) -> tuple[str, bool]:
    """Return a forum post without the quotation of another that it begins with, and whether there was one."""
    lines = text.split("\n")
    if not _QUOTED.match(lines[0]):
        return text, False
    border = next((index for index, line in enumerate(lines) if _DASHES.match(line)), 0)
    return "\n".join(lines[border + 1 :]), True
