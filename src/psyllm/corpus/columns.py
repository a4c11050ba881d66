"""The texts of very many records straight from their files, without making records.

Folders of record files come in; batches go out in which each record's runs of
Chinese characters stand as numbers. This is some ten times as fast as reading
records and enough for comparing. It knows the schema of `core.records` and
judges nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from psyllm.core.fingerprints import RUN_CHARS
from psyllm.core.records import readable
from psyllm.text.han_windows import han_texts_of_bytes, windows
from psyllm.text.hashed_ngrams import Hashes

TEXT_COLUMNS = ("title", "text", "turns", "answers")
ROWS_AT_ONCE = 1024


class RecordRuns(NamedTuple):
    """The runs of some records; those of record i are `hashes[borders[i]:borders[i + 1]]`."""

    hashes: Hashes
    borders: NDArray[np.int64]

    def counts(self) -> NDArray[np.int64]:
        """Return how many runs each record has."""
        return np.diff(self.borders)

    def owners(self) -> NDArray[np.int64]:
        """Return for each run which record it is of."""
        return np.repeat(np.arange(len(self.borders) - 1), self.counts())


def batches(paths: Iterable[Path], columns: Iterable[str]) -> Iterator[pa.RecordBatch]:
    """Yield the named columns of record files, in order.

    Raises:
        MalformedInput: a file is damaged.
    """
    named = list(columns)
    for path in paths:
        with readable(path), pq.ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=ROWS_AT_ONCE, columns=named)


def runs_of(batch: pa.RecordBatch, n: int = RUN_CHARS) -> RecordRuns:
    """Return the runs of n Chinese characters of each record in a batch with all columns of text."""
    parts = [_plain(batch.column(name)) for name in ("title", "text")]
    parts += [_nested(batch.column(name)) for name in ("turns", "answers")]
    found = [_runs(strings, owners, n) for strings, owners in parts]
    hashes = np.concatenate([hashes for hashes, _ in found])
    owners = np.concatenate([owners for _, owners in found])
    order = np.argsort(owners, kind="stable")
    borders = np.searchsorted(owners[order], np.arange(batch.num_rows + 1))
    return RecordRuns(hashes[order], borders)


def _plain(strings: pa.Array) -> tuple[pa.Array, NDArray[np.int64]]:
    return strings, np.arange(len(strings))


def _nested(rows: pa.Array) -> tuple[pa.Array, NDArray[np.int64]]:
    """Return the field `text` of a column of lists, and which row each is of."""
    owners: NDArray[np.int64] = (
        np.asarray(rows.value_parent_indices()) if len(rows) else np.empty(0, np.int64)
    )
    return rows.flatten().field("text"), owners


def _runs(strings: pa.Array, owners: NDArray[np.int64], n: int) -> tuple[Hashes, NDArray[np.int64]]:
    utf8, borders = _bytes_of(strings)
    found = windows(han_texts_of_bytes(utf8, borders), n)
    return found.hashes, np.repeat(owners, np.diff(found.borders))


def _bytes_of(strings: pa.Array) -> tuple[bytes, NDArray[np.int64]]:
    """Return the bytes of a column of strings and where each begins; an absent one is empty."""
    if len(strings) == 0:
        return b"", np.zeros(1, dtype=np.int64)
    buffers: list[Any] = strings.buffers()
    offsets = np.frombuffer(buffers[1], dtype=np.int32)[strings.offset : strings.offset + len(strings) + 1]
    data = buffers[2]
    utf8 = (
        data.slice(int(offsets[0]), int(offsets[-1] - offsets[0])).to_pybytes() if data is not None else b""
    )
    return utf8, offsets.astype(np.int64) - int(offsets[0])
