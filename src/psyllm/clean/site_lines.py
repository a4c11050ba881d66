"""Sentences that a site or its writer left in a text, found by the rows of `site_lines.toml`.

A record comes in; counsellors' turns and answers go out without such
sentences, articles without those whose row says `documents`. An answer or article that is mostly
advertising goes as a whole. A visitor's words stay, and the advice itself is not judged.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from psyllm.clean.drop import Drop
from psyllm.clean.rewriting import change_replies, without_parts
from psyllm.clean.rule_rows import RuleTable, read_table
from psyllm.core.records import Record
from psyllm.text.fold import Folded
from psyllm.text.offsets import Offsets
from psyllm.text.sentences import split_sentences

REASON = "advertisement"
TABLE = Path(__file__).parent / "site_lines.toml"
MOST_ADVERTISED = 0.5  # of an answer's characters


class _Found(NamedTuple):
    start: int
    end: int
    advertises: bool


@functools.cache
def site_lines() -> RuleTable:
    """Return the rows of the table."""
    return read_table(TABLE, "line")


def take_out_site_lines(record: Record) -> Record | Drop:
    """Do `take_out_all_site_lines` with one record."""
    return take_out_all_site_lines([record])[0]


def take_out_all_site_lines(records: Sequence[Record]) -> list[Record | Drop]:
    """Take sites' sentences out of what was written for visitors; drop what is mostly advertising."""
    written = [_written(record) for record in records]
    texts = [text for each in written for text in each]
    may_match = site_lines().may_match_any(texts)
    suspect = {text for text, may in zip(texts, may_match, strict=True) if may}
    return [
        record if suspect.isdisjoint(each) else _without_lines(record, suspect)
        for record, each in zip(records, written, strict=True)
    ]


def without_site_lines(text: str, *, in_document: bool = False) -> Folded:
    """Return the text without the sentences that a row takes."""
    found = _found(text, in_document=in_document)
    return (
        without_parts(text, [(part.start, part.end) for part in found]) if found else Folded(text, Offsets())
    )


def is_advertisement(text: str, *, in_document: bool = False) -> bool:
    """Return whether most of a text is sentences that advertise."""
    found = _found(text, in_document=in_document)
    return sum(part.end - part.start for part in found if part.advertises) > MOST_ADVERTISED * len(text)


def _written(record: Record) -> list[str]:
    return [record.text] if record.kind == "document" else list(record.replies())


def _without_lines(record: Record, suspect: Collection[str]) -> Record | Drop:
    """Do it to a record of which only the suspect texts can hold such a sentence."""
    if record.kind == "document":
        return _document(record)
    if record.kind == "question":
        kept = tuple(
            answer
            for answer in record.answers
            if answer.text not in suspect or not is_advertisement(answer.text)
        )
        if record.answers and not kept:
            return Drop(REASON)
        if len(kept) < len(record.answers):
            record = record.model_copy(update={"answers": kept})
    return change_replies(
        record, lambda text: without_site_lines(text) if text in suspect else Folded(text, Offsets())
    )


def _document(record: Record) -> Record | Drop:
    if is_advertisement(record.text, in_document=True):
        return Drop(REASON)
    folded = without_site_lines(record.text, in_document=True)
    return record if folded.text == record.text else record.model_copy(update={"text": folded.text})


def _found(text: str, *, in_document: bool) -> list[_Found]:
    if not site_lines().may_match(text):
        return []
    found: list[_Found] = []
    start = 0
    for sentence in split_sentences(text):
        end = start + len(sentence)
        rows = site_lines().matching(sentence.strip())
        if in_document:
            rows = tuple(row for row in rows if row.more.get("documents"))
        if rows:
            found.append(_Found(start, end, any(row.more.get("advertises") for row in rows)))
        start = end
    return found
