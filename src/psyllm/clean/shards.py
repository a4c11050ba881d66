"""Cleaning cut into shards: one file of collected records each, in three passes.

`mend` takes the steps and signs what stays, `store_ngrams` keeps the n-grams of
possible duplicates, `finish` leaves out the duplicates that `duplicates.py`
found, also those of what people rejected (`rejected.py`), and writes the shard's
files of the run. Each pass reads and writes files
only and gives the same bytes wherever it runs; a pass whose result is there is
left as it is, so that a run that was stopped goes on. Which shard runs where
is decided in `execute.py`.
"""

from __future__ import annotations

import contextlib
import gc
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from psyllm.clean.batches import DROPPED_SCHEMA, clean_batch
from psyllm.clean.duplicates import Clusters, NgramFiles
from psyllm.clean.reviewed import Decisions
from psyllm.clean.rows import BatchFile
from psyllm.clean.signatures import compared_text, joined, save, sign
from psyllm.clean.steps import LEVEL_FLAG, steps
from psyllm.clean.tally import Tally
from psyllm.core.records import RECORD_SCHEMA, batch_to_records, readable
from psyllm.core.settings import CleanSettings
from psyllm.core.settled_reviews import NO_REVIEWS, SettledReviews
from psyllm.core.tombstones import NO_TOMBSTONES, Tombstones
from psyllm.text.hashed_ngrams import ngrams_in_order

ROWS_AT_ONCE = 256
ALLOCATIONS_BETWEEN_COLLECTIONS = 200_000  # some ten batches; Python's own number is 700
MENDED = "mended.parquet"
DROPPED = "dropped.parquet"
TALLY = "tally.json"
FINISHED = "finished.json"
CANDIDATES = "candidates.npy"
CLUSTERS = "clusters.npz"
Beat = Callable[[int], None]


class Shard(NamedTuple):
    """A file of records and the folder of its work; `run` is the folder of the whole run."""

    number: int
    source: Path
    rows: int
    run: Path
    settings: CleanSettings
    tombstones: Tombstones = NO_TOMBSTONES
    reviews: SettledReviews = NO_REVIEWS

    @property
    def work(self) -> Path:
        """Where the shard's own files lie until the run is complete."""
        return work_folder(self.run) / f"{self.number:05d}"


def work_folder(run: Path) -> Path:
    """Return where a run keeps what is not finished."""
    return run / "work"


def mend(shard: Shard, beat: Beat) -> None:
    """Take the steps with every record of the shard, and sign what stays."""
    if shard.work.is_dir():
        beat(shard.rows)
        return
    folder = shard.work.with_suffix(".part")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    taken = steps(shard.settings)
    decisions = Decisions(shard.reviews)
    tally = Tally()
    signatures = []
    with (
        _rare_collections(),
        BatchFile(folder / MENDED, RECORD_SCHEMA) as mended,
        BatchFile(folder / DROPPED, DROPPED_SCHEMA) as dropped,
    ):
        for batch in _batches(shard.source):
            cleaned = clean_batch(batch, taken, tally, shard.tombstones, decisions)
            hashes = cleaned.kept.column("content_hash").to_pylist()
            signatures.append(sign(cleaned.records, hashes, cleaned.apart))
            mended.write(cleaned.kept)
            dropped.write(cleaned.dropped)
            beat(batch.num_rows)
    save(folder, joined(signatures))
    tally.save(folder / TALLY)
    folder.rename(shard.work)


@contextlib.contextmanager
def _rare_collections() -> Iterator[None]:
    """Let Python look for cycles rarely: records are in none, and every look goes over all the tables, too."""
    before = gc.get_threshold()
    gc.set_threshold(ALLOCATIONS_BETWEEN_COLLECTIONS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def store_ngrams(shard: Shard, beat: Beat) -> None:
    """Keep the n-grams of the rows that CANDIDATES names."""
    rows: NDArray[np.int64] = np.load(shard.work / CANDIDATES)
    sets = []
    start = 0
    for batch in _batches(shard.work / MENDED) if len(rows) else ():
        here = rows[(rows >= start) & (rows < start + batch.num_rows)] - start
        start += batch.num_rows
        if len(here):
            found = batch_to_records(batch.take(pa.array(here)))
            sets.append(ngrams_in_order([compared_text(record) for record in found]))
    NgramFiles.write(shard.work, rows, sets)
    beat(shard.rows)


def finish(shard: Shard, beat: Beat) -> None:
    """Write the shard's files of the run: kept, and dropped with reasons; count what was done."""
    with np.load(work_folder(shard.run) / CLUSTERS) as saved:
        start, end = saved["borders"][shard.number : shard.number + 2].tolist()
        clusters = Clusters(saved["kept"][start:end], saved["is_exact"][start:end], saved["sizes"][start:end])
        borders = saved["borders"]
        rejected_from = int(saved["rejected_from"])
    tally = Tally.load(shard.work / TALLY)
    kept_ids = _ids_of(clusters.kept, borders, shard)
    with (
        BatchFile(shard.run / f"part-{shard.number:05d}.parquet", RECORD_SCHEMA) as kept,
        BatchFile(shard.run / f"dropped-{shard.number:05d}.parquet", DROPPED_SCHEMA) as dropped,
    ):
        for batch in _batches(shard.work / DROPPED):
            dropped.write(batch)
        row = 0
        for batch in _batches(shard.work / MENDED):
            here = slice(row, row + batch.num_rows)
            stays = clusters.kept[here] == np.arange(start + row, start + row + batch.num_rows)
            row += batch.num_rows
            staying = _with_sizes(batch, clusters.sizes[here]).filter(pa.array(stays))
            kept.write(staying)
            _count_kept(staying, tally)
            equal = np.where(clusters.is_exact[here], "exact_duplicate", "near_duplicate")
            reasons = np.where(clusters.kept[here] >= rejected_from, "rejected_duplicate", equal)[~stays]
            ids = [kept_ids[place] for place in clusters.kept[here][~stays].tolist()]
            going = batch.filter(pa.array(~stays))
            _count_dropped(going, reasons.tolist(), tally)
            dropped.write(_dropped(going, reasons.tolist(), ids))
    tally.save(shard.work / FINISHED)
    beat(shard.rows)


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    if not path.exists():  # a file without a row is not written
        return
    with readable(path), pq.ParquetFile(path) as file:
        yield from file.iter_batches(batch_size=ROWS_AT_ONCE, use_threads=False)


def _ids_of(places: NDArray[np.int64], borders: NDArray[np.int64], shard: Shard) -> dict[int, str]:
    """Return the ids of the records that stay for duplicates of this shard."""
    own = np.arange(borders[shard.number], borders[shard.number + 1])
    wanted = np.unique(places[places != own])
    shards = np.searchsorted(borders, wanted, side="right") - 1
    found: dict[int, str] = {}
    for number in np.unique(shards).tolist():
        path = shard._replace(number=number).work / MENDED
        rows = wanted[shards == number] - borders[number]
        ids = pq.read_table(path, columns=["id"]).column("id").take(pa.array(rows)).to_pylist()
        found |= dict(zip((rows + borders[number]).tolist(), ids, strict=True))
    return found


def _with_sizes(batch: pa.RecordBatch, sizes: NDArray[np.int32]) -> pa.RecordBatch:
    place = RECORD_SCHEMA.get_field_index("cluster_size")
    changed: pa.RecordBatch = batch.set_column(place, RECORD_SCHEMA.field(place), pa.array(sizes, pa.int32()))
    return changed


def _dropped(batch: pa.RecordBatch, reasons: list[str], ids: list[str]) -> pa.RecordBatch:
    columns = [*batch.columns, pa.array(reasons, pa.string()), pa.array(ids, pa.string())]
    return pa.RecordBatch.from_arrays(columns, schema=DROPPED_SCHEMA)


def _count_kept(batch: pa.RecordBatch, tally: Tally) -> None:
    tally.kept.update(batch.column("source").to_pylist())
    for flags in batch.column("flags").to_pylist():
        tally.flags.update(flag.removeprefix(LEVEL_FLAG) for flag in flags)


def _count_dropped(batch: pa.RecordBatch, reasons: list[str], tally: Tally) -> None:
    tally.drops.update(reasons)
    for reason, flags in zip(reasons, batch.column("flags").to_pylist(), strict=True):
        tally.dropped_flags.update(f"{reason}/{flag}" for flag in flags)
