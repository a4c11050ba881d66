"""The cleaned records that are to be reviewed, read from where the sample says they lie.

An item of the sample comes in; its row goes out, looked for by id and hash,
since forgetting moves rows. A row that is gone or says something else by now is
no error: it was forgotten or cleaned anew, and is passed over. So is one that
came from a conversation whose visitor took consent back or was erased: its words
lie here until cleaning runs again, but nobody reads them any more. What an item
looks like in the API is `review_shape.py`'s.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from psyllm.casebook.open import Casebook
from psyllm.casebook.reviews import Reviewed, may_be_read
from psyllm.core.records import Record, record_within
from psyllm.core.review_sample import SampleItem
from psyllm.core.stages import Stage, read_manifest, stage_folder


class Found(NamedTuple):
    """A record of the sample, why cleaning dropped it (or nothing), and which one stays for it (or none)."""

    item: str
    record: Record
    words: str
    dropped_for: str
    dropped_because: str = ""
    stays: Record | None = None

    @property
    def reviewed(self) -> Reviewed:
        """The words as the casebook names them."""
        return Reviewed(self.record.id, self.words, self.dropped_for, self.record.consent_id)


async def find(book: Casebook, data: Path, item: SampleItem) -> Found | None:
    """Return the row of an item, None when it is gone, says something else or has no consent any more."""
    row = await asyncio.to_thread(_row, data, item)
    if row is None:
        return None
    record = record_within(row)
    if record.content_hash != item.words or not await may_be_read(book, record.consent_id):
        return None
    other = row.get("duplicate_of")
    stays = await asyncio.to_thread(_kept, data, item.run, other) if other else None
    if stays is not None and not await may_be_read(book, stays.consent_id):
        stays = None
    reason = row.get("reason") or ""
    because = await asyncio.to_thread(_sentence, data, item.run, reason) if reason else ""
    return Found(item.item, record, item.words, reason, because, stays)


def _sentence(data: Path, run: str, reason: str) -> str:
    manifest = read_manifest(stage_folder(data, Stage.CLEANED) / run)
    return "" if manifest is None else str(manifest.details.get("reasons", {}).get(reason, ""))


def _kept(data: Path, run: str, record_id: str) -> Record | None:
    """Return the kept record of this id: near duplicates can be judged side by side only."""
    for path in sorted((stage_folder(data, Stage.CLEANED) / run).glob("part-*.parquet")):
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                ids = file.read_row_group(group, columns=["id"]).column("id").to_pylist()
                if record_id in ids:
                    return record_within(
                        file.read_row_group(group).slice(ids.index(record_id), 1).to_pylist()[0]
                    )
    return None


def _row(data: Path, item: SampleItem) -> dict[str, Any] | None:
    path = stage_folder(data, Stage.CLEANED) / item.run / item.file
    try:
        with pq.ParquetFile(path) as file:
            return _row_in(file, item)
    except FileNotFoundError:
        return None


def _row_in(file: pq.ParquetFile, item: SampleItem) -> dict[str, Any] | None:
    for group in _groups(file, item.row):
        names = file.read_row_group(group, columns=["id", "content_hash"]).to_pydict()
        for place, found in enumerate(zip(names["id"], names["content_hash"], strict=True)):
            if found == (item.id, item.words):
                row: dict[str, Any] = file.read_row_group(group).slice(place, 1).to_pylist()[0]
                return row
    return None


def _groups(file: pq.ParquetFile, row: int) -> list[int]:
    """Return the row groups, the one where the row was when it was drawn first."""
    sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    ends = [sum(sizes[: group + 1]) for group in range(len(sizes))]
    return sorted(range(len(sizes)), key=lambda group: not ends[group] - sizes[group] <= row < ends[group])
