"""What the data card and the manifest tell of the records as they were written.

The records of each side come in once; counts go out: of what each side holds,
of the words that each training stage can draw on, of test answers whose author
is trained on too, and which licences each source brings. Nothing is changed.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from psyllm.core.records import Record

# The second look at the splits is slow on purpose (plain sets, nothing shared with the splitter),
# so that very large corpora are looked at in part: so many characters of openings and of text.
MOST_OPENING_CHARS = 2_000_000
MOST_TEXT_CHARS = 10_000_000


@dataclass
class Tally:
    """What is counted beyond the card's plain counts: of the training records, and of the others against them.

    Licences are those of every side, for whoever holds the corpus holds all of it.
    """

    licences: dict[str, set[str]] = field(default_factory=dict)
    words: dict[str, Counter[str]] = field(
        default_factory=lambda: {"documents": Counter(), "dialogues": Counter()}
    )
    opening_chars: Counter[str] = field(default_factory=Counter)
    authors: set[str] = field(default_factory=set)
    test_answers: Counter[str] = field(default_factory=Counter)

    def hold(self, record: Record) -> None:
        """Note under which licence a record of any side stands."""
        self.licences.setdefault(record.source, set()).add(record.licence)

    def learn(self, record: Record) -> None:
        """Count a record that is trained on."""
        stage = "documents" if record.kind == "document" else "dialogues"
        self.words[stage][record.source] += sum(len(text) for text in record.texts())
        self.authors.update(author for author in authors_of(record) if author)

    def ask(self, record: Record) -> None:
        """Count a test record, after all that is trained on."""
        for author in authors_of(record):
            self.test_answers["all"] += 1
            self.test_answers["author_known"] += bool(author)
            self.test_answers["author_also_trained_on"] += author in self.authors

    def author_overlap(self) -> dict[str, Any]:
        """Return how many test answers are by an author who is trained on too; no share where none is known."""
        counts = {name: self.test_answers[name] for name in ("all", "author_known", "author_also_trained_on")}
        known = counts["author_known"]
        return {**counts, "share": round(counts["author_also_trained_on"] / known, 4) if known else None}


def authors_of(record: Record) -> list[str]:
    """Return the author of each answer, and of a document; an unknown one is empty."""
    if record.kind == "document":
        return [record.author_hash] if record.author_hash else []
    return [answer.author_hash for answer in record.answers]


def part_of(records: Iterator[Record], share: float) -> Iterator[Record]:
    """Yield about this share of the records, always the same ones, by their ids."""
    for record in records:
        if (
            share >= 1
            or int.from_bytes(hashlib.sha256(record.id.encode()).digest()[:4], "big") < share * 2**32
        ):
            yield record
