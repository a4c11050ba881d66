"""A few of the records that cleaning dropped, by reason, to be looked at in the data card.

The folder of a cleaned run comes in; for each reason the beginnings of the few
records whose ids have the lowest hash go out, so that the choice is the same
every time and nobody made it. What points at a person was masked before.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from psyllm.core.records import readable, record_within

PER_REASON = 3
SHOWN_CHARS = 160
ROWS_AT_ONCE = 256


class Sample(NamedTuple):
    """A dropped record's id, source, and how it begins."""

    id: str
    source: str
    text: str


def drop_samples(cleaned: Path) -> dict[str, list[Sample]]:
    """Return samples by reason."""
    chosen: dict[str, list[tuple[int, str, int, Path]]] = defaultdict(list)
    for path in sorted(cleaned.glob("dropped-*.parquet")):
        with readable(path):
            columns = pq.read_table(path, columns=["id", "reason"]).to_pylist()
        for row, values in enumerate(columns):
            heap = chosen[values["reason"]]
            heapq.heappush(heap, (-_position(values["id"]), values["id"], row, path))
            if len(heap) > PER_REASON:
                heapq.heappop(heap)
    return {
        reason: [_sample(path, row) for _, _, row, path in sorted(heap, reverse=True)]
        for reason, heap in sorted(chosen.items())
    }


def _position(key: str) -> int:
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")


def _sample(path: Path, row: int) -> Sample:
    values = _row(path, row)
    record = record_within(values)
    text = record.opening() or next(record.texts(), "")
    cut = "…" if len(text) > SHOWN_CHARS else ""
    return Sample(record.id, record.source, text[:SHOWN_CHARS] + cut)


def _row(path: Path, row: int) -> dict[str, Any]:
    with readable(path), pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=ROWS_AT_ONCE, use_threads=False):
            if row < batch.num_rows:
                found: dict[str, Any] = batch.slice(row, 1).to_pylist()[0]
                return found
            row -= batch.num_rows
    message = f"{path} has no such row"
    raise IndexError(message)
