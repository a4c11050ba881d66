"""Files of rows that are written as the rows come, with little in memory.

Rows of records come in one by one; Parquet files of `core.records`' schema go
out, a new one every 8,192 rows, written in groups of 1,024. Dropped rows carry two more
columns: the reason, and for a duplicate the id of the record that was kept.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from psyllm.core.records import RECORD_SCHEMA, ROWS_PER_FILE

ROWS_PER_GROUP = 1024
DROPPED_SCHEMA = RECORD_SCHEMA.append(pa.field("reason", pa.string())).append(
    pa.field("duplicate_of", pa.string())
)


class RowFiles:
    """Writes `folder/<prefix>-00000.parquet` and on; no rows, no file."""

    def __init__(self, folder: Path, prefix: str, schema: pa.Schema = RECORD_SCHEMA) -> None:
        self._folder = folder
        self._prefix = prefix
        self._schema = schema
        self._rows: list[dict[str, Any]] = []
        self._writer: pq.ParquetWriter | None = None
        self.written = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is None:
            self.close()
        elif self._writer is not None:
            with contextlib.suppress(OSError, pa.ArrowException):  # what broke the writing is said already
                self._writer.close()

    def add(self, row: dict[str, Any]) -> None:
        """Write one row, now or with those that follow."""
        self._rows.append(row)
        if len(self._rows) == ROWS_PER_GROUP:
            self._flush()

    def close(self) -> None:
        """Write what is left and end the file."""
        self._flush()
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _flush(self) -> None:
        if not self._rows:
            return
        if self._writer is None:
            path = self._folder / f"{self._prefix}-{self.written // ROWS_PER_FILE:05d}.parquet"
            self._writer = pq.ParquetWriter(path, self._schema, compression="zstd", compression_level=3)
        self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
        self.written += len(self._rows)
        self._rows = []
        if self.written % ROWS_PER_FILE == 0:
            self._writer.close()
            self._writer = None


def read_rows(folder: Path, prefix: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of `folder/<prefix>-*.parquet` in order."""
    for path in sorted(folder.glob(f"{prefix}-*.parquet")):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=ROWS_PER_GROUP):
                yield from batch.to_pylist()
