"""The files of records in all stages: found, read, and written again without what is forgotten.

A data folder and the stages whose locks are held come in; rows go out, and what
a function leaves of them goes back to the same place. Runs that broke off are
removed: nobody can be writing them. What is forgotten is decided elsewhere
(`core/forgetting.py`).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from psyllm.core.errors import DiskFull, MalformedInput
from psyllm.core.records import readable
from psyllm.core.stages import NO_SPACE, Stage, read_manifest, stage_folder

Row = dict[str, Any]
ROWS_AT_ONCE = 256
# A row is named by its own id, and a duplicate by that of the record which stays for it.
_NAMES = ("id", "duplicate_of")


@contextmanager
def space_needed(data: Path) -> Iterator[None]:
    """Turn the system's word that nothing more can be written into one that helps.

    Raises:
        DiskFull: no space is left on the disk that holds the data.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        message = f"no space left on the disk that holds {data}; not everything is taken out yet"
        raise DiskFull(message, "free some space, then run the same command again") from None


def record_files(data: Path, stages: Sequence[Stage] = tuple(Stage)) -> Iterator[Path]:
    """Yield every file of records of complete runs.

    Raises:
        MalformedInput: a file can't be read.
    """
    for stage in stages:
        for folder in run_folders(data, stage):
            paths = sorted(folder.glob("*.parquet")) if _is_complete(folder) else ()
            yield from filter(_is_of_records, paths)


def run_folders(data: Path, stage: Stage) -> list[Path]:
    """Return the folders of all runs, unfinished ones as well."""
    folder = stage_folder(data, stage)
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def remove_unfinished(data: Path, stages: Sequence[Stage]) -> None:
    """Remove runs that broke off, and torn copies of files; the stages' locks must be held."""
    for stage in stages:
        for folder in run_folders(data, stage):
            if not _is_complete(folder):
                shutil.rmtree(folder)
            else:
                shutil.rmtree(folder / "work", ignore_errors=True)
                for torn in folder.glob(".*.forgetting"):
                    torn.unlink()


def _is_complete(folder: Path) -> bool:
    """Return whether a run is; a report that can't say from what it was made counts as one that broke off."""
    try:
        return read_manifest(folder) is not None
    except MalformedInput:
        if folder.parent.name == Stage.REPORTS.value:
            return False
        raise


def rows_of(path: Path, columns: Sequence[str] | None = None) -> Iterator[Row]:
    """Yield the rows of a file, with the named columns only of those that it has.

    Raises:
        MalformedInput: it can't be read to its end.
    """
    with readable(path), pq.ParquetFile(path) as file:
        chosen = None if columns is None else [name for name in columns if name in file.schema_arrow.names]
        for batch in file.iter_batches(batch_size=ROWS_AT_ONCE, columns=chosen, use_threads=False):
            yield from batch.to_pylist()


def rows_named(path: Path, ids: Collection[str]) -> Iterator[Row]:
    """Yield the rows that these ids name, or whose duplicate they name; of a file without one no text is read.

    Raises:
        MalformedInput: a file with such a row can't be read to its end.
    """
    wanted = pa.array(sorted(ids), pa.string())
    with readable(path), pq.ParquetFile(path) as file:
        names = [name for name in _NAMES if name in file.schema_arrow.names]
        if not any(_mask(batch, wanted).true_count for batch in file.iter_batches(columns=names)):
            return
        for batch in file.iter_batches(batch_size=ROWS_AT_ONCE, use_threads=False):
            yield from batch.filter(_mask(batch, wanted)).to_pylist()


def rewrite_file(path: Path, ids: Collection[str], left_of: Callable[[Row], Row | None]) -> int:
    """Write a file again with what is left of each row that the ids name; return how many rows changed or went."""
    beside = path.with_name(f".{path.name}.forgetting")
    try:
        changed, kept = _write_left(path, beside, pa.array(sorted(ids), pa.string()), left_of)
        if changed and kept:
            beside.replace(path)
        elif changed:
            path.unlink()
    finally:
        beside.unlink(missing_ok=True)
    return changed


def _mask(batch: pa.RecordBatch, ids: pa.Array) -> pa.BooleanArray:
    masks = [pc.is_in(batch.column(name), ids) for name in _NAMES if name in batch.schema.names]
    return masks[0] if len(masks) == 1 else pc.or_(*masks)


def _write_left(
    path: Path, beside: Path, ids: pa.Array, left_of: Callable[[Row], Row | None]
) -> tuple[int, int]:
    changed = kept = 0
    with (
        readable(path),
        pq.ParquetFile(path) as file,
        pq.ParquetWriter(beside, file.schema_arrow, compression="zstd") as new,
    ):
        for batch in file.iter_batches(batch_size=ROWS_AT_ONCE, use_threads=False):
            named = _mask(batch, ids)
            if not named.true_count:
                kept += batch.num_rows
                new.write_batch(batch)
                continue
            rows = batch.to_pylist()
            left = [
                left_of(row) if is_named.as_py() else row for row, is_named in zip(rows, named, strict=True)
            ]
            stay = [row for row in left if row is not None]
            here = sum(now is not before for now, before in zip(left, rows, strict=True))
            changed += here
            kept += len(stay)
            new.write_batch(pa.RecordBatch.from_pylist(stay, schema=file.schema_arrow) if here else batch)
    return changed, kept


def _is_of_records(path: Path) -> bool:
    with readable(path):
        return {"id", "content_hash", "turns"} <= set(pq.read_schema(path).names)
