"""Lines of a document that belong to its page and not to its words, and paragraphs said twice.

A document comes in; it goes out without menus, page numbers, lists of other
articles (rows of `document_lines.toml`) and without the second of two equal paragraphs. Other kinds of records
are left alone. Sentences inside a paragraph are `site_lines.py`'s.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

from psyllm.clean.rule_rows import RuleTable, read_table
from psyllm.core.records import Record
from psyllm.text.fold import clean_text
from psyllm.text.han import han_count
from psyllm.text.sentences import ends_complete

TABLE = Path(__file__).parent / "document_lines.toml"
LONGEST_PAGE_LINE_CHARS = 140
LONGEST_LISTED_CHARS = 60  # a longer line behind "related reading" is an article again
REPEATED_PARAGRAPH_HAN = 10  # a shorter line ("小结") may well stand twice


@functools.cache
def page_lines() -> RuleTable:
    """Return the rows of the table."""
    return read_table(TABLE, "line")


def without_page_lines(record: Record) -> Record:
    """Take a page's own lines out of a document."""
    if record.kind != "document" or not page_lines().may_match(record.text):
        return record
    return _with_lines(record, _kept(record.text.split("\n")))


def without_repeated_paragraphs(record: Record) -> Record:
    """Leave each longer paragraph of a document where it stands first."""
    if record.kind != "document":
        return record
    lines = record.text.split("\n")
    seen: set[str] = set()
    kept: list[str] = []
    for line in lines:
        is_repeated = line in seen and han_count(line) >= REPEATED_PARAGRAPH_HAN
        seen.add(line)
        if not is_repeated:
            kept.append(line)
    return _with_lines(record, kept)


def _kept(lines: list[str]) -> Iterator[str]:
    in_list = just_headed = False
    for line in lines:
        bare = line.strip()
        in_list = in_list and (_is_listed(bare) or (just_headed and not bare))
        just_headed = just_headed and not bare
        rows = page_lines().matching(bare) if bare and len(bare) <= LONGEST_PAGE_LINE_CHARS else ()
        if rows:
            in_list = just_headed = any(row.more.get("heads_list") for row in rows)
        elif not in_list:
            yield line


def _is_listed(line: str) -> bool:
    return (
        bool(line)
        and not line.startswith("#")
        and len(line) <= LONGEST_LISTED_CHARS
        and not ends_complete(line)
    )


def _with_lines(record: Record, kept: Iterator[str] | list[str]) -> Record:
    text = "\n".join(kept)
    return record if text == record.text else record.model_copy(update={"text": clean_text(text).text})
