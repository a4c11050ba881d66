"""Answers that visitors rated: what learning from preferences reads, apart from all that is learnt by heart.

A row is a record of what was asked and the one rated answer, with the marks beside
it. Rows stand in files of their own (`ratings-*.parquet`) in `6_feedback`, `2_cleaned`
and `3_corpus`: a badly rated answer is among them, so nothing that looks for records
to train on, to show or to find (`part-*`, `train-*`) may meet it. Should it do so all
the same, the records say `may_train` and `may_show` false. They have every column of
a record, by which `core/forgetting.py` finds and takes them out like any other; their
id is that of the conversation's own record, so that the one never goes without the
other. Who rated is a pseudonym. Nothing here decides what is learnt.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from psyllm.core.records import RECORD_SCHEMA, Author, Frozen, Record, readable, record_within, to_row

RATINGS = "ratings"  # the files' prefix, and the name of their count in a manifest
AXES = ("helpfulness", "fluency", "relevance", "logic")


class RatedAnswer(Frozen):
    """One rated answer: `record` is a question with this answer only, or a dialogue that ends in it.

    `rating` and `prompt` name the answer and what it answers, both as hashes that lead back to nobody;
    two rows of one `prompt` and one `rater` are a pair. `made_by` is the model's or the text's name.
    """

    record: Record
    rating: str
    prompt: str
    rater: str
    answered_by: Author
    made_by: str
    helpfulness: int
    fluency: int
    relevance: int
    logic: int
    desirable: bool

    @property
    def mean(self) -> float:
        """The mean of the four marks, 1 to 5."""
        return (self.helpfulness + self.fluency + self.relevance + self.logic) / len(AXES)

    def answer(self) -> str:
        """Return the words that were rated."""
        return self.record.answers[-1].text if self.record.answers else self.record.turns[-1].text

    def asked(self) -> str:
        """Return all that the visitor said before them."""
        said = [turn.text for turn in self.record.turns if turn.role == "visitor"]
        return "\n".join(said) or self.record.opening()


class Tally(NamedTuple):
    """How many rated answers are good and bad, and how many people rated."""

    desirable: int
    undesirable: int
    raters: int


def tally_of(rows: Iterable[RatedAnswer]) -> Tally:
    """Return how many there are of each kind, of how many people."""
    kinds, raters = [0, 0], set[str]()
    for row in rows:
        kinds[row.desirable] += 1
        raters.add(row.rater)
    return Tally(kinds[True], kinds[False], len(raters))


_OWN = [
    ("rating", pa.string()),
    ("prompt", pa.string()),
    ("rater", pa.string()),
    ("answered_by", pa.string()),
    ("made_by", pa.string()),
    *((axis, pa.int8()) for axis in AXES),
    ("desirable", pa.bool_()),
]
_OWN_NAMES = tuple(name for name, _ in _OWN)
RATED_SCHEMA = pa.schema([*RECORD_SCHEMA, *(pa.field(*one) for one in _OWN)], metadata=RECORD_SCHEMA.metadata)


def write_rated(rows: Sequence[RatedAnswer], folder: Path, *, prefix: str = RATINGS) -> int:
    """Write rows to `folder/<prefix>-00000.parquet`; return how many. No rows, no file."""
    if rows:
        folder.mkdir(parents=True, exist_ok=True)
        table = pa.Table.from_pylist([_to_row(row) for row in rows], schema=RATED_SCHEMA)
        path = folder / f"{prefix}-00000.parquet"
        pq.write_table(table, path, compression="zstd", compression_level=3)
    return len(rows)


def rated_files(folder: Path, *, prefix: str = RATINGS) -> list[Path]:
    """Return the files of rated answers of a run."""
    return sorted(folder.glob(f"{prefix}-*.parquet"))


def read_rated(folder: Path, *, prefix: str = RATINGS) -> Iterator[RatedAnswer]:
    """Yield the rated answers of a run in file and row order.

    Raises:
        MalformedInput: a file is damaged.
    """
    for path in rated_files(folder, prefix=prefix):
        with readable(path), pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=256, use_threads=False):
                yield from map(_from_row, batch.to_pylist())


def rated_prefix(side: str) -> str:
    """Return the prefix of a corpus's rated answers of one side."""
    return f"{RATINGS}-{side}"


def _to_row(row: RatedAnswer) -> dict[str, Any]:
    return {**to_row(row.record), **{name: getattr(row, name) for name in _OWN_NAMES}}


def _from_row(row: dict[str, Any]) -> RatedAnswer:
    record = record_within(row)
    return RatedAnswer(record=record, **{name: row[name] for name in _OWN_NAMES})
