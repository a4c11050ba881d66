"""A Parquet file that is written batch by batch, with little in memory.

Batches of one schema come in; they are gathered to row groups of about 1,024
rows or 32 MB, whichever comes first, and compressed. No row, no file.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

ROWS_PER_GROUP = 1024
MOST_BYTES_PER_GROUP = 1 << 25


class BatchFile:
    """Writes one file; use it as a context."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path = path
        self._schema = schema
        self._waiting: list[pa.RecordBatch] = []
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is None:
            self._flush()
            if self._writer is not None:
                self._writer.close()
        elif self._writer is not None:
            with contextlib.suppress(OSError, pa.ArrowException):  # what broke the writing is said already
                self._writer.close()

    def write(self, batch: pa.RecordBatch) -> None:
        """Write the batch's rows, now or with those that follow."""
        if batch.num_rows:
            self._waiting.append(batch)
        rows = sum(waiting.num_rows for waiting in self._waiting)
        if rows >= ROWS_PER_GROUP or sum(waiting.nbytes for waiting in self._waiting) >= MOST_BYTES_PER_GROUP:
            self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, self._schema, compression="zstd", compression_level=3)
        self._writer.write_table(pa.Table.from_batches(self._waiting, schema=self._schema))
        self._waiting = []
