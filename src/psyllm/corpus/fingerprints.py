"""What was trained on, as numbers: enough to look for a leak later, without the text.

The training records of a corpus come in; for each source two files of hashes go
out: every run of 13 Chinese characters, and how each record opens (its first
Chinese characters, and all of them). Leak checks read them back. The numbers
are not secret: whoever holds them can test whether a sentence was in the text,
and with patience guess it on from a beginning. They are to be kept as the text
is, and go with the corpus when it is deleted.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from psyllm.core.progress import track
from psyllm.core.records import Record
from psyllm.core.stages import file_hash, write_text_atomically
from psyllm.corpus.columns import RUN_CHARS, TEXT_COLUMNS, batches, runs_of
from psyllm.corpus.grouping import opening_texts
from psyllm.text.han import han_only
from psyllm.text.hashed_ngrams import Hashes
from psyllm.text.known_hashes import once_in_order

FOLDER = "fingerprints"
INDEX = "fingerprints.json"
VERSION = 1
# So many first bits of a hash are kept: among the 700 million runs of 2.85 GB of text a strange
# run is then taken for known once in 1,600, and a run takes 2 to 3 bytes.
KEPT_BITS = 40
_REST = np.uint64(64 - KEPT_BITS)
_LOT_BITS = 6  # runs are put in order in so many lots, one after the other
_LOT_SHIFT = np.uint64(64 - _LOT_BITS)
_RUNS_AT_ONCE = 1 << 22
_WORK = ".work"


class OpeningPrints:
    """Takes records one by one and keeps how they open, by source."""

    def __init__(self, opening_chars: int) -> None:
        self._chars = opening_chars
        self._found: dict[str, set[tuple[int, int]]] = {}

    def add(self, record: Record) -> None:
        """Take a record that is trained on."""
        prints = self._found.setdefault(record.source, set())
        prints.update(filter(None, (opening_print(text, self._chars) for text in opening_texts(record))))

    def write(self, folder: Path) -> dict[str, int]:
        """Write a file for each source and return how many openings it has."""
        for source, prints in self._found.items():
            ordered = sorted(prints)
            columns = {
                name: np.array([each[place] for each in ordered], dtype=np.uint64)
                for place, name in enumerate(("beginning", "whole"))
            }
            table = pa.table(columns)
            pq.write_table(table, folder / _openings_name(source), compression="zstd")
        return {source: len(prints) for source, prints in self._found.items()}


def opening_print(opening: str, opening_chars: int) -> tuple[int, int] | None:
    """Return the hashes of an opening's first Chinese characters and of all; None when it has too few."""
    bare = han_only(opening)
    if len(bare) < opening_chars:
        return None
    return _hash(bare[:opening_chars]), _hash(bare)


def write_fingerprints(
    folder: Path, training: Sequence[Path], openings: OpeningPrints, opening_chars: int
) -> None:
    """Write the fingerprints of the training files into a folder of their own inside `folder`."""
    target = folder / FOLDER
    target.mkdir()
    lots = _Lots(target)
    read = track(batches(training, ("source", *TEXT_COLUMNS)), "fingerprint training text")
    for batch in read:
        for source in pc.unique(batch.column("source")).to_pylist():
            mine = batch.filter(pc.equal(batch.column("source"), source))
            lots.add(source, runs_of(mine).hashes)
    runs = lots.write()
    counts = openings.write(target)
    index = {
        "version": VERSION,
        "run_chars": RUN_CHARS,
        "kept_bits": KEPT_BITS,
        "opening_chars": opening_chars,
        "sources": {
            source: {"runs": runs.get(source, 0), "openings": counts.get(source, 0)}
            for source in sorted({*runs, *counts})
        },
    }
    write_text_atomically(target / INDEX, json.dumps(index, ensure_ascii=False, indent=1) + "\n")


def shortened(hashes: Hashes) -> Hashes:
    """Return hashes with only the bits that are kept."""
    return (hashes >> _REST) << _REST


def read_index(folder: Path) -> dict[str, dict[str, int]] | None:
    """Return the sources of a corpus with their counts, None where no fingerprints of this version can be read."""
    try:
        index = json.loads((folder / FOLDER / INDEX).read_text("utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    if not isinstance(index, dict) or not isinstance(index.get("sources"), dict):
        return None
    if index.get("version") != VERSION or index.get("run_chars") != RUN_CHARS:
        return None
    sources: dict[str, dict[str, int]] = index["sources"]
    return {source: {**counts, "opening_chars": index["opening_chars"]} for source, counts in sources.items()}


def whole_sources(folder: Path, files: Mapping[str, str]) -> set[str]:
    """Return the sources of which all fingerprints are there as the manifest's files (name to hash) say."""
    whole = {
        name for name, said in files.items() if name.startswith(f"{FOLDER}/") and _is(folder / name, said)
    }
    index = read_index(folder)
    if index is None or f"{FOLDER}/{INDEX}" not in whole:
        return set()
    needed = {
        source: [
            f"{FOLDER}/{name}"
            for name, count in (
                (_runs_name(source), counts["runs"]),
                (_openings_name(source), counts["openings"]),
            )
            if count
        ]
        for source, counts in index.items()
    }
    return {source for source, names in needed.items() if whole.issuperset(names)}


def read_runs(folder: Path, source: str) -> Iterator[Hashes]:
    """Yield the runs of a source, in order, some at a time."""
    path = folder / FOLDER / _runs_name(source)
    if path.is_file():
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                yield file.read_row_group(group).column("run").to_numpy().astype(np.uint64) << _REST


def read_openings(folder: Path, source: str) -> tuple[set[int], set[int]]:
    """Return the hashes of a source's beginnings and of its whole openings."""
    path = folder / FOLDER / _openings_name(source)
    if not path.is_file():
        return set(), set()
    table = pq.read_table(path)
    return set(table.column("beginning").to_pylist()), set(table.column("whole").to_pylist())


class _Lots:
    """Hashes by source, put in order lot after lot with little in memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting: dict[str, list[Hashes]] = {}
        self._count = 0

    def add(self, source: str, hashes: Hashes) -> None:
        self._waiting.setdefault(source, []).append(once_in_order(hashes >> _REST))
        self._count += len(hashes)
        if self._count >= _RUNS_AT_ONCE:
            self._spill()

    def write(self) -> dict[str, int]:
        """Write the file of each source and return how many runs it has."""
        self._spill()
        return {source: self._write(source) for source in self._waiting}

    def _spill(self) -> None:
        for source, waiting in self._waiting.items():
            hashes = once_in_order(*waiting)
            borders = np.searchsorted(hashes >> (_LOT_SHIFT - _REST), np.arange((1 << _LOT_BITS) + 1))
            for lot in range(1 << _LOT_BITS):
                with self._work(source, lot).open("ab") as file:
                    file.write(hashes[borders[lot] : borders[lot + 1]].tobytes())
            self._waiting[source] = []
        self._count = 0

    def _write(self, source: str) -> int:
        schema = pa.schema([("run", pa.int64())])
        count = 0
        path = self._folder / _runs_name(source)
        with pq.ParquetWriter(
            path,
            schema,
            compression="zstd",
            use_dictionary=False,
            column_encoding={"run": "DELTA_BINARY_PACKED"},
        ) as writer:
            for lot in range(1 << _LOT_BITS):
                work = self._work(source, lot)
                hashes = once_in_order(np.fromfile(work, dtype=np.uint64))
                work.unlink()
                count += len(hashes)
                if len(hashes):
                    writer.write_table(pa.table({"run": hashes.astype(np.int64)}, schema=schema))
        return count

    def _work(self, source: str, lot: int) -> Path:
        return self._folder / f"{_named(source)}-{lot:02d}{_WORK}"


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def _is(path: Path, said: str) -> bool:
    return path.is_file() and file_hash(path) == said


def _runs_name(source: str) -> str:
    return f"runs-{_named(source)}.parquet"


def _openings_name(source: str) -> str:
    return f"openings-{_named(source)}.parquet"


def _named(source: str) -> str:
    """Return a source's name as part of a file's name; what had to be changed is told apart by a hash."""
    plain = re.sub(r"[^a-z0-9_-]", "_", source.lower())[:64]
    return plain if plain == source else f"{plain}-{hashlib.sha256(source.encode()).hexdigest()[:8]}"
