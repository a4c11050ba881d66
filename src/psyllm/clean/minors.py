"""Marks records in which the visitor is under 18 by own words, or writes about a child.

A record comes in; the same with the flag `minor` or `about_minor` goes out, by
the rows of `minors.toml`. Flags route to a person and never drop. Ages that
nobody says are not guessed, and documents have no visitor.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from psyllm.clean.rule_rows import RuleTable, read_table
from psyllm.core.records import Record

TABLE = Path(__file__).parent / "minors.toml"
FLAGS = ("minor", "about_minor")


@functools.cache
def ages() -> RuleTable:
    """Return the rows of the table."""
    return read_table(TABLE, "age")


def mark_minors(record: Record) -> Record:
    """Put `minor` or `about_minor` among the flags; own words outweigh those about a child.

    What was known of a record is never forgotten: its words may have been masked or edited since.
    """
    known = {*_told(record), *record.flags}
    found = next(((flag,) for flag in FLAGS if flag in known), ())
    flags = (*(flag for flag in record.flags if flag not in FLAGS), *found)
    return record if flags == record.flags else record.model_copy(update={"flags": flags})


def may_tell_age(records: Sequence[Record]) -> list[bool]:
    """Return which records `mark_minors` has to look at: one look at all of them at once."""
    told = ages().may_match_any([_said(record) for record in records])
    return [
        is_told or not set(FLAGS).isdisjoint(record.flags)
        for is_told, record in zip(told, records, strict=True)
    ]


def _said(record: Record) -> str:
    return "\n".join([turn.text for turn in record.turns if turn.role == "visitor"]) or record.opening()


def _told(record: Record) -> set[str]:
    if record.kind == "document":
        return set()
    return {row.more["flag"] for row in ages().matching(_said(record))}
