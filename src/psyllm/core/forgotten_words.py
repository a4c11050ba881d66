"""Which records go when something is forgotten, and by which marks they stay out.

What was asked for and the files of records come in; the ids of records that go
whole and the marks of their parts go out: copies that cleaning found, records made
from them, equal words in any record. What somebody else is known to have written
stays, if in the same words. Nothing is changed here (`core/forgetting.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from psyllm.core.forgotten_files import rows_named, rows_of
from psyllm.core.progress import track
from psyllm.core.records import Record, record_within
from psyllm.core.stages import STAGES_WITH_ALL_RUNS_IN_USE
from psyllm.core.tombstones import (
    MarkKind,
    Tombstone,
    Tombstones,
    answer_words,
    id_mark,
    question_words,
    turns_words,
)

# Of every row, whatever is looked for: what a record can't be without, and what names or ties it.
_KEYS = (
    "id", "kind", "group", "source", "licence", "url", "author_hash", "parents", "content_hash", "duplicate_of",
)  # fmt: skip


class ToGo(NamedTuple):
    """Marks of the parts of what goes; ids of records that go whole, and of those that lose answers; all marks."""

    parts: list[Tombstone]
    ids: set[str]
    partly: set[str]
    known: Tombstones


class Reach(IntEnum):
    """How much of a record's words is to stay out, for whom it goes: what only its place takes, leaves less."""

    WHOLE = 1  # nothing but the very same record: all of its answers went, or its copy
    ASKED = 2  # its author's own words: the question
    EVERYTHING = 3  # named itself: the question and each answer


def tombstones_of(kind: MarkKind, marks: Iterable[str]) -> list[Tombstone]:
    """Return marks of one kind as tombstones of now."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return [Tombstone(kind=kind, mark=mark, at=now) for mark in marks]


def words_to_go(
    asked: Tombstones, known: Tombstones, files: Sequence[Path], means: Callable[[str], bool]
) -> ToGo:
    """Return what goes, and by which marks it stays out.

    `means` says whether an address is another one of what was asked for. Of what is not named no
    more is read than the marks are compared with.
    """
    reach: dict[str, Reach] = {}
    ties: list[tuple[str, str]] = []
    copies: list[tuple[str, str]] = []
    authors: dict[str, str] = {}
    answers: set[str] = set()
    for path in track(files, "look for it", len(files)):
        for row in rows_of(path, _compared_with(asked)):
            record = record_within(row)
            _reach_at_least(reach, record.id, _reach_of(record, row["content_hash"], asked, means))
            answers |= {
                answer_words(one.text).mark() for one in record.answers if one.author_hash in asked.authors
            }
            if record.author_hash:
                authors[record.id] = record.author_hash
            ties += [(parent, record.id) for parent in record.parents]
            kept = row.get("duplicate_of")
            if kept:  # the same words: each leads to the other
                copies += [(kept, record.id), (record.id, kept)]
    # But what somebody else is known to have written, if in the same words, is theirs.
    ties += [
        (one, other)
        for one, other in copies
        if authors.get(other, "") in {"", authors.get(one, ""), *asked.authors}
    ]
    _spread(reach, ties)
    parts = _marks_of_parts(files, reach, answers) if reach or answers else []
    known = known.with_more(Tombstones.of(parts))
    partly: set[str] = set()
    for path in track(files, "look for copies", len(files)):
        whole, answered = _named_in(path, known)
        partly |= answered
        for key in whole:
            _reach_at_least(reach, key, Reach.WHOLE)
    _spread(reach, ties)
    return ToGo(parts, set(reach), partly, known)


def _named_in(path: Path, known: Tombstones) -> tuple[set[str], set[str]]:
    """Return the ids of a file's records that go whole, and of those that lose answers."""
    is_original = path.parent.parent.name in STAGES_WITH_ALL_RUNS_IN_USE
    # By its id a record is named only where words are the same, too: these are read of few.
    by_words = known._replace(ids=frozenset())
    whole: set[str] = set()
    partly: set[str] = set()
    same_ids: set[str] = set()
    for row in rows_of(path, _compared_with(by_words)):
        record, content_hash = record_within(row), row["content_hash"]
        if _goes_whole(record, content_hash, by_words, is_original=is_original):
            whole.add(record.id)
        elif by_words.left_of(record, content_hash) is not record:
            partly.add(record.id)
        if known.ids and id_mark(record.id) in known.ids:
            same_ids.add(record.id)
    for row in rows_named(path, same_ids - whole) if same_ids else ():
        if row["id"] in same_ids and known.names_text(record_within(row), row["content_hash"]):
            whole.add(row["id"])
    return whole, partly


def _compared_with(marks: Tombstones) -> list[str]:
    """Return the columns by which a row is, or is not, what these marks name, ids aside.

    What is left of a record without some answers is compared whole; one with answers has no turns.
    """
    answers = ["answers"] if marks.authors or marks.answers else []
    asked = ["title", "text"] if answers or marks.questions else []
    return [*_KEYS, *asked, *answers, *(["turns"] if marks.turns else [])]


def _reach_of(
    record: Record, content_hash: str, asked: Tombstones, means: Callable[[str], bool]
) -> Reach | None:
    if asked.names_text(record, content_hash) or (bool(record.url) and means(record.url)):
        return Reach.EVERYTHING
    return Reach.ASKED if record.author_hash in asked.authors else None


def _reach_at_least(reach: dict[str, Reach], key: str, least: Reach | None) -> bool:
    """Note how far it reaches for a record; return whether that is farther than before."""
    if least is None or reach.get(key, 0) >= least:
        return False
    reach[key] = least
    return True


def _spread(reach: dict[str, Reach], ties: Sequence[tuple[str, str]]) -> None:
    """Let copies, and records made from others, go as far as these."""
    while sum(_reach_at_least(reach, to, reach.get(source)) for source, to in ties):
        pass


def _goes_whole(record: Record, content_hash: str, known: Tombstones, *, is_original: bool) -> bool:
    """Return whether a record goes in all stages.

    That cleaning had left only the author's answers says nothing about what others wrote.
    """
    if record.author_hash in known.authors or known.names_text(record, content_hash):
        return True
    return is_original and known.left_of(record, content_hash) is None


def _marks_of_parts(files: Sequence[Path], reach: dict[str, Reach], answers: set[str]) -> list[Tombstone]:
    """Return marks of the questions, answers, turns and ids of what was named, in every form that a stage has."""
    questions: set[str] = set()
    turns: set[str] = set()
    far = {key for key, how in reach.items() if how > Reach.WHOLE}
    for row in (row for path in files for row in rows_named(path, far)):
        if row["id"] in far:
            record = record_within(row)
            questions |= question_words(record).marks(record.author_hash)
            turns |= {mark for words in turns_words(record) for mark in words.marks(record.author_hash)}
            if reach[record.id] is Reach.EVERYTHING:
                for one in record.answers:
                    answers |= answer_words(one.text).marks(one.author_hash)
    ids = set(map(id_mark, far))
    return [
        *tombstones_of("question", sorted(questions)),
        *tombstones_of("answer", sorted(answers - {""})),
        *tombstones_of("id", sorted(ids)),
        *tombstones_of("turn", sorted(turns)),
    ]
