"""The library: answers written beforehand, the nearest shown as what it is.

In: the visitor's turns. Out: a draft of the nearest answer that may be shown,
with its title, who reviewed it and how much of the question it matched, or
None when nothing is close enough. A match is fuzzy and no counselling;
whoever shows it says so. Nothing is generated here.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from psyllm.casebook.kinds import MessageAuthor
from psyllm.casebook.messages import Draft, Source
from psyllm.core.private import Private
from psyllm.core.records import Answer, Record, read_records
from psyllm.core.stages import Stage, current_run
from psyllm.core.starter import level_by_hand, starter_records, written_records
from psyllm.safety.levels import Level
from psyllm.safety.screen import screen
from psyllm.text.han import han_count
from psyllm.text.nearest import Entry, NearestTexts

SPLITS = ("train", "dev", "test")
# A follow-up such as 那我该怎么办 says too little to search for by itself.
SHORT_TURN_HAN = 12


class Shelf(NamedTuple):
    """One answer on the shelf with the question that it belongs to."""

    record: Record
    answer: Answer


class Library:
    """Answers that may be shown, findable by their questions."""

    def __init__(self, records: Iterable[Record], floor: float) -> None:
        self._floor = floor
        self._shelves = dict(_shelves(records))
        self._nearest = NearestTexts(
            [
                Entry(key, record.text, record.title, record.keywords, answer.text)
                for key, (record, answer) in self._shelves.items()
            ]
        )

    @classmethod
    def load(cls, data: Path, floor: float) -> Library:
        """Take the bundled answers and those of the corpus in use that may be shown."""
        # An older corpus still holds bundled answers that a reviewer has rejected or rewritten since.
        bundled = {record.id for record in written_records()}
        others = (record for record in _corpus_records(data) if record.id not in bundled)
        return cls(chain(starter_records(data=data), others), floor)

    def __len__(self) -> int:
        return len(self._shelves)

    def nearest(self, turns: Sequence[tuple[MessageAuthor, Private]], shown: Container[str]) -> Draft | None:
        """Return the nearest answer not shown yet, None when none reaches the floor."""
        best = next(iter(self._nearest.find(_query(turns), exclude=shown)), None)
        if best is None or best.score < self._floor:
            return None
        shelf = self._shelves[best.key]
        source = Source(
            key=best.key,
            title=shelf.record.title,
            written_here=shelf.answer.written_for_this_project,
            reviewed_by=shelf.answer.reviewed_by,
            match=round(best.score, 3),
        )
        return Draft(MessageAuthor.LIBRARY, Private(shelf.answer.text), source)


def _shelves(records: Iterable[Record]) -> Iterator[tuple[str, Shelf]]:
    seen: set[str] = set()
    for record in records:
        if record.id in seen or not record.may_show or record.kind != "question" or asked_in_danger(record):
            continue
        seen.add(record.id)
        for number, answer in enumerate(record.answers):
            yield f"{record.id}#{number}", Shelf(record, answer)


def asked_in_danger(record: Record) -> bool:
    """Whether somebody in danger asks: the answer begins with emergencies and would frighten anybody else.

    Who is in danger gets the help card and a counsellor instead of a library answer. What
    screening does not see stays: whoever asks like that comes here, and needs that answer.
    What a reader found harmless stays, too.
    """
    by_hand = level_by_hand(record)
    if by_hand and Level.of(by_hand) < Level.RISK:
        return False
    return screen([record.opening()]).level >= Level.RISK


def _corpus_records(data: Path) -> Iterator[Record]:
    folder = current_run(data, Stage.CORPUS)
    if folder is not None:
        for split in SPLITS:
            yield from read_records(folder, prefix=split)


def _query(turns: Sequence[tuple[MessageAuthor, Private]]) -> str:
    said = [text.reveal() for author, text in turns if author is MessageAuthor.VISITOR]
    query = said.pop()
    while said and han_count(query) < SHORT_TURN_HAN:
        query = f"{said.pop()}\n{query}"
    return query
