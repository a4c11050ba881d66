"""The one record that travels from stage to stage, and its Parquet form.

A record is a document (a text found), a question with all of its answers, or
a dialogue. Records are immutable; cleaning makes new ones by `model_copy` and
never changes `id`. Folders of records are Parquet files (zstd) of one schema;
`records_to_batch` (columns built directly) and `batch_to_records` are each
other's inverse. Nothing here knows where records come from or what is done
with them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, pairwise
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal, cast

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, TypeAdapter

from psyllm.core.errors import MalformedInput

SCHEMA_VERSION = 2
NORMALISER_VERSION = "fold-space-1"
ROWS_PER_FILE = 8192
# Most characters of text held for one file: 32 MB of UTF-8, about.
CHARS_PER_FILE = 10 << 20

Kind = Literal["document", "question", "dialogue"]
Role = Literal["visitor", "counsellor"]
Author = Literal["imported", "project", "counsellor", "model"]


class Frozen(BaseModel):
    """A value that can't be changed and refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Span(Frozen):
    """A strategy span over a text: `start` inclusive, `end` exclusive, in characters."""

    start: int
    end: int
    type: str


class Turn(Frozen):
    """One person's utterance in a dialogue."""

    role: Role
    text: str
    spans: tuple[Span, ...] = ()


class Answer(Frozen):
    """One answer to a question; `mean_rating` is 1 to 5 or absent.

    From a site: `author_hash` is keyed (the name itself is never kept), `votes` are the
    site's approvals, `written_at` is ISO 8601.
    """

    text: str
    spans: tuple[Span, ...] = ()
    author: Author = "imported"
    written_for_this_project: bool = False
    reviewed_by: str = ""
    mean_rating: float | None = None
    author_hash: str = ""
    votes: int | None = None
    written_at: str = ""


class Record(Frozen):
    """One document, question or dialogue with its provenance.

    `title` and `text` hold a document's title and body, or a question and its
    details; a dialogue has `turns` instead. `group` names what must never be
    split between training and test. `id` is the source's name, a colon and the
    source's own key (else a hash of the raw bytes). What was fetched carries its
    `url`, when, under which permission and which robots.txt (a hash); times are
    ISO 8601 in UTC. `cluster_size` is how many near duplicates, itself included,
    cleaning saw of what stayed.
    """

    id: str
    kind: Kind
    group: str
    source: str
    licence: str
    title: str = ""
    text: str = ""
    topic: str = ""
    keywords: tuple[str, ...] = ()
    turns: tuple[Turn, ...] = ()
    answers: tuple[Answer, ...] = ()
    may_train: bool = True
    may_show: bool = False
    consent_id: str = ""
    reviewed_by: str = ""
    parents: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    url: str = ""
    fetched_at: str = ""
    written_at: str = ""
    author_hash: str = ""
    permission_id: str = ""
    robots_hash: str = ""
    topic_score: float | None = None
    cluster_size: int = 1

    def texts(self) -> Iterator[str]:
        """Yield every non-empty text of the record in reading order."""
        candidates = [self.title, self.text]
        candidates += [turn.text for turn in self.turns]
        candidates += [answer.text for answer in self.answers]
        return filter(None, candidates)

    def replies(self) -> Iterator[str]:
        """Yield what was written for the visitor: the counsellor's turns, or the answers."""
        said = [turn.text for turn in self.turns if turn.role == "counsellor"]
        said += [answer.text for answer in self.answers]
        return iter(said)

    def opening(self) -> str:
        """Return what the visitor wrote first, or a document's title and text."""
        for turn in self.turns:
            if turn.role == "visitor":
                return turn.text
        return "\n".join(part for part in (self.title, self.text) if part)

    @property
    def content_hash(self) -> str:
        """Hash of all text with white space folded; equal for equal words."""
        folded = "\x1e".join(" ".join(text.split()) for text in self.texts())
        digest = hashlib.sha256(f"{NORMALISER_VERSION}\x1f{self.kind}\x1f{folded}".encode())
        return digest.hexdigest()


_RECORDS = TypeAdapter(list[Record])
_PARTS: dict[str, TypeAdapter[Any]] = {
    "spans": TypeAdapter(list[Span]),
    "turns": TypeAdapter(list[Turn]),
    "answers": TypeAdapter(list[Answer]),
}
_SPANS = pa.list_(pa.struct([("start", pa.int32()), ("end", pa.int32()), ("type", pa.string())]))
_TURN = pa.struct([("role", pa.string()), ("text", pa.string()), ("spans", _SPANS)])
_ANSWER = pa.struct(
    [
        ("text", pa.string()),
        ("spans", _SPANS),
        ("author", pa.string()),
        ("written_for_this_project", pa.bool_()),
        ("reviewed_by", pa.string()),
        ("mean_rating", pa.float64()),
        ("author_hash", pa.string()),
        ("votes", pa.int64()),
        ("written_at", pa.string()),
    ]
)
RECORD_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("kind", pa.string()),
        ("group", pa.string()),
        ("source", pa.string()),
        ("licence", pa.string()),
        ("title", pa.string()),
        ("text", pa.string()),
        ("topic", pa.string()),
        ("keywords", pa.list_(pa.string())),
        ("turns", pa.list_(_TURN)),
        ("answers", pa.list_(_ANSWER)),
        ("may_train", pa.bool_()),
        ("may_show", pa.bool_()),
        ("consent_id", pa.string()),
        ("reviewed_by", pa.string()),
        ("parents", pa.list_(pa.string())),
        ("flags", pa.list_(pa.string())),
        ("url", pa.string()),
        ("fetched_at", pa.string()),
        ("written_at", pa.string()),
        ("author_hash", pa.string()),
        ("permission_id", pa.string()),
        ("robots_hash", pa.string()),
        ("topic_score", pa.float64()),
        ("cluster_size", pa.int32()),
        ("content_hash", pa.string()),
    ],
    metadata={"psyllm.schema": str(SCHEMA_VERSION), "psyllm.normaliser": NORMALISER_VERSION},
)


_COLUMNS = frozenset(RECORD_SCHEMA.names)


def to_row(record: Record) -> dict[str, Any]:
    """Return the record as one row of `RECORD_SCHEMA`."""
    row = record.model_dump(mode="python")
    row["content_hash"] = record.content_hash
    return row


def from_row(row: dict[str, Any]) -> Record:
    """Return the record of one row; the stored content hash is not needed."""
    return Record.model_validate({key: value for key, value in row.items() if key != "content_hash"})


def record_within(row: dict[str, Any]) -> Record:
    """Return the record of a row that holds other columns too: why it was dropped, how it was rated."""
    return from_row({name: row[name] for name in row if name in _COLUMNS})


def records_to_batch(records: Sequence[Record]) -> pa.RecordBatch:
    """Return the records as one batch of `RECORD_SCHEMA`, in their order."""
    columns = [_column(records, field) for field in RECORD_SCHEMA]
    return pa.RecordBatch.from_arrays(columns, schema=RECORD_SCHEMA)


def batch_to_records(batch: pa.RecordBatch) -> list[Record]:
    """Return the records of a batch of `RECORD_SCHEMA` or an older one, in their order; each is validated.

    Column by column: faster than `from_row` row by row, most of all where no text has spans.
    """
    names = [name for name in batch.schema.names if name != "content_hash"]
    return _RECORDS.validate_python(_rows(names, [_values(batch.column(name), name) for name in names]))


def _rows(names: Sequence[str], columns: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [{} for _ in columns[0]]
    for name, values in zip(names, columns, strict=True):
        for row, value in zip(rows, values, strict=True):
            row[name] = value
    return rows


def _values(column: pa.Array, name: str) -> list[Any]:
    """Return the values of a column; those of a list of structs as tuples of validated parts."""
    parts = _PARTS.get(name)
    if not pa.types.is_list(column.type) or column.null_count or parts is None:
        return cast("list[Any]", column.to_pylist())
    flat = column.flatten()
    if not len(flat):
        return [()] * len(column)
    names = [field.name for field in flat.type]
    found = parts.validate_python(_rows(names, [_values(flat.field(name), name) for name in names]))
    ends = column.offsets.to_pylist()
    return [tuple(found[start - ends[0] : end - ends[0]]) for start, end in pairwise(ends)]


def _column(items: Sequence[Any], field: pa.Field) -> pa.Array:
    """Return one attribute of all items as an array, lists and structs built from their flat parts."""
    values = list(map(attrgetter(field.name), items))
    if not pa.types.is_list(field.type):
        return pa.array(values, field.type)
    ends = [0]
    for value in values:
        ends.append(ends[-1] + len(value))
    flat = list(chain.from_iterable(values))
    inner = field.type.value_type
    if pa.types.is_struct(inner):
        parts = [_column(flat, part) for part in inner]
        children = pa.StructArray.from_arrays(parts, fields=list(inner))
    else:
        children = pa.array(flat, inner)
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), children, type=field.type)


def write_records(
    records: Iterable[Record],
    folder: Path,
    *,
    prefix: str = "part",
    rows_per_file: int = ROWS_PER_FILE,
    chars_per_file: int = CHARS_PER_FILE,
) -> int:
    """Write records to `folder/<prefix>-00000.parquet` and on; return how many.

    A file ends at so many records or so many characters of text, whichever comes
    first: memory holds no more than that. No records, no file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    held: list[Record] = []
    chars = written = files = 0
    for record in records:
        held.append(record)
        chars += sum(map(len, record.texts()))
        if len(held) == rows_per_file or chars >= chars_per_file:
            _write_batch(records_to_batch(held), folder / f"{prefix}-{files:05d}.parquet")
            written, files, chars, held = written + len(held), files + 1, 0, []
    if held:
        _write_batch(records_to_batch(held), folder / f"{prefix}-{files:05d}.parquet")
    return written + len(held)


def _write_batch(batch: pa.RecordBatch, path: Path) -> None:
    pq.write_table(pa.Table.from_batches([batch]), path, compression="zstd", compression_level=3)


def write_rows(rows: Sequence[dict[str, Any]], schema: pa.Schema, path: Path) -> None:
    """Write rows of any schema as one zstd Parquet file."""
    table = pa.Table.from_pylist(list(rows), schema=schema)
    pq.write_table(table, path, compression="zstd", compression_level=3)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Say which file is damaged and what to do, where its reader says only what it met in the bytes.

    Raises:
        MalformedInput: the file can't be read to its end.
    """
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, RecursionError) as error:
        # Only what the file's bytes say: a full disk, a missing right or too little memory is another matter.
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno is not None):
            raise
        message = f"{path} is damaged and can't be read"
        next_step = f"restore it from your copy, or remove {path.parent} and make it again; then run the same command again"
        raise MalformedInput(message, next_step) from None


def read_records(folder: Path, *, prefix: str = "part") -> Iterator[Record]:
    """Yield the records of `folder/<prefix>-*.parquet` in file and row order.

    Raises:
        MalformedInput: a file is damaged.
    """
    for path in sorted(folder.glob(f"{prefix}-*.parquet")):
        with readable(path), pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1024):
                yield from batch_to_records(batch)


def count_records(folder: Path, *, prefix: str = "part") -> int:
    """Return the number of records without reading them."""
    paths = sorted(folder.glob(f"{prefix}-*.parquet"))
    return sum(pq.ParquetFile(path).metadata.num_rows for path in paths)
