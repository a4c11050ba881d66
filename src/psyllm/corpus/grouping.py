"""What must stay on one side of a split.

Records come in, twice; groups of them go out. Records belong together when
they share `group`, when one was made from the other (`parents`), and when an
opening of one is found in any text of the other: it begins with the same
Chinese characters, or (for what is asked, not for documents) its beginning
stands somewhere inside, or both are nearly equal (Jaccard similarity of
character 5-grams, once without white space and once of the Chinese characters
alone). No such pair is missed: nothing is estimated. Of a document the first
200 characters are its opening here; whole documents that are nearly equal were
left out by cleaning.

Whoever asks twice is one asker: records of one `author_hash` belong together.
Who answers ties questions only while there are few of them: on a site a few
people answer very much, and one group of nearly everything would leave nothing
to measure on (in a made-up site of 10,000 questions with ten answers each, whose
authors follow Zipf's law, joining authors of at most two answers leaves the
largest group at 0.5 % of the questions, of at most three at 73 %). The card
tells how many test answers are by an author who is also trained on. Which side a
group goes to is decided in `split.py`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from psyllm.core.progress import track
from psyllm.core.records import Kind, Record
from psyllm.core.settings import CorpusSettings
from psyllm.text.groups import Groups
from psyllm.text.han import han_only
from psyllm.text.hashed_ngrams import ngram_sets, without_space
from psyllm.text.known_hashes import KnownHashes
from psyllm.text.near_pairs import NearPairs

RECORDS_AT_ONCE = 128
DOCUMENT_OPENING_CHARS = 200
_ASKER = "\0"  # no group and no id begins so
_VIEWS: tuple[Callable[[str], str], ...] = (without_space, han_only)


class Entry(NamedTuple):
    """What the split needs to know of a record."""

    id: str
    kind: Kind
    may_train: bool


class Grouping(NamedTuple):
    """The records in order, and the places of each group's records."""

    entries: list[Entry]
    groups: list[list[int]]


class Opening(NamedTuple):
    """An opening and the place of its record; `is_asked` unless the record is a document."""

    text: str
    place: int
    is_asked: bool


def group_records(read: Callable[[], Iterator[Record]], settings: CorpusSettings) -> Grouping:
    """Return the groups of all records that `read` yields; it is called twice and must yield the same."""
    entries: list[Entry] = []
    openings: list[Opening] = []
    by_name: dict[str, int] = {}
    same: list[tuple[int, int]] = []
    answered: dict[str, list[int]] = {}
    for place, record in enumerate(track(read(), "read openings")):
        entries.append(Entry(record.id, record.kind, record.may_train))
        openings += [Opening(text, place, record.kind != "document") for text in opening_texts(record)]
        # Names of groups and ids of records share one table: a group is often named after a record.
        names = (record.group, record.id, *record.parents)
        same += [(by_name.setdefault(name, place), place) for name in names]
        asker = record.author_hash if record.kind != "document" else ""
        if asker:
            same.append((by_name.setdefault(_ASKER + asker, place), place))
        for author in _answerers(record) if settings.most_answers_by_author_joined else ():
            answered.setdefault(author, []).append(place)
    for places in answered.values():
        if len(places) <= settings.most_answers_by_author_joined:
            same += [(places[0], place) for place in places[1:]]
    groups = Groups(len(entries))
    alike = _alike(openings, track(read(), "compare texts", len(entries)), settings)
    for left, right in itertools.chain(same, alike):
        groups.join(left, right)
    return Grouping(entries, list(groups.all().values()))


def _answerers(record: Record) -> set[str]:
    """Return who answers in a record; whoever writes documents is such an author, too."""
    authors = {answer.author_hash for answer in record.answers}
    if record.kind == "document":
        authors.add(record.author_hash)
    return authors - {""}


def opening_texts(record: Record) -> list[str]:
    """Return what a record opens with; a question does with its title, alone and with its details."""
    texts = [record.opening()]
    if record.kind == "document":
        return [text[:DOCUMENT_OPENING_CHARS] for text in texts if text]
    if record.kind == "question" and record.text:
        texts.append(record.title)
    return [text for text in texts if text]


def _alike(
    openings: list[Opening], records: Iterable[Record], settings: CorpusSettings
) -> Iterator[tuple[int, int]]:
    """Yield places of records of which one's opening is found in the other."""
    beginnings = _Beginnings(openings, settings.opening_chars)
    texts = [opening.text for opening in openings]
    joins = [
        (view, NearPairs([view(text) for text in texts], settings.near_duplicate_jaccard)) for view in _VIEWS
    ]
    numbered = enumerate(records)
    while batch := list(itertools.islice(numbered, RECORDS_AT_ONCE)):
        owned = [
            (place, text)
            for place, record in batch
            for text in sorted({*record.texts(), *opening_texts(record)})
        ]
        owners = [place for place, _ in owned]
        views = [(view, near, [view(text) for _, text in owned]) for view, near in joins]
        for view, near, viewed in views:
            if view is han_only:
                yield from ((place, owners[index]) for index, place in beginnings.find(viewed))
            for index, given in near.find(viewed):
                yield openings[given].place, owners[index]


class _Beginnings:
    """The first Chinese characters of openings, ready to be looked for at and inside other texts."""

    def __init__(self, openings: list[Opening], characters: int) -> None:
        self._chars = characters
        self._first_with: dict[str, int] = {}
        asked: dict[str, int] = {}
        for opening in openings:
            begin = self._beginning(han_only(opening.text))
            if not begin:
                continue
            self._first_with.setdefault(begin, opening.place)
            if opening.is_asked:
                asked.setdefault(begin, opening.place)
        hashes = ngram_sets(list(asked), characters).hashes
        order = np.argsort(hashes)
        self._asked = KnownHashes(hashes[order])
        self._places = np.array(list(asked.values()), dtype=np.int64)[order]

    def find(self, texts: list[str]) -> Iterator[tuple[int, int]]:
        """Yield (index in `texts`, place of a record whose opening begins like it or stands inside)."""
        for index, text in enumerate(texts):
            place = self._first_with.get(self._beginning(text))
            if place is not None:
                yield index, place
        sets = ngram_sets(texts, self._chars)
        if not len(self._asked) or not len(sets.hashes):
            return
        found, near = self._asked.find(sets.hashes)
        owners = np.searchsorted(sets.borders, found, side="right") - 1
        for index, place in zip(owners, self._places[near], strict=True):
            yield int(index), int(place)

    def _beginning(self, bare: str) -> str:
        """Return the first characters of a text that has no others, or nothing if there are too few."""
        return bare[: self._chars] if len(bare) >= self._chars else ""
