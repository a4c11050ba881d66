"""What was trained on, as numbers: enough to look for a leak later, without the text.

The training records of a corpus come in; for each source two files of hashes go
out: every run of 13 Chinese characters, and how each record opens (its first
Chinese characters, and all of them). `core/fingerprints.py` reads them back. The
numbers are not secret: whoever holds them can test whether a sentence was in the
text, and with patience guess it on from a beginning. They are to be kept as the
text is, and go with the corpus when it is deleted. A sample of them can be
written that goes with a model where its corpus does not; never of visitors' words.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from psyllm.core.errors import BadInput, DiskFull, MissingStage
from psyllm.core.fingerprints import (
    FOLDER,
    INDEX,
    KEPT_BITS,
    REST,
    RUN_CHARS,
    VERSION,
    in_sample,
    named,
    openings_name,
    read_index,
    read_runs,
    runs_name,
    whole_sources,
)
from psyllm.core.progress import track
from psyllm.core.rated_answers import rated_files
from psyllm.core.records import Record, read_records
from psyllm.core.stages import NO_SPACE, Manifest, file_hash, write_text_atomically
from psyllm.corpus.columns import TEXT_COLUMNS, batches, runs_of
from psyllm.corpus.grouping import opening_texts
from psyllm.text.hashed_ngrams import Hashes
from psyllm.text.known_hashes import once_in_order
from psyllm.text.known_text import opening_print

_LOT_BITS = 6  # runs are put in order in so many lots, one after the other
_LOT_SHIFT = np.uint64(64 - _LOT_BITS)
_RUNS_AT_ONCE = 1 << 22
_WORK = ".work"
_RUNS = pa.schema([("run", pa.int64())])


class OpeningPrints:
    """Takes records one by one and keeps how they open, by source, in `found`."""

    def __init__(self, opening_chars: int) -> None:
        self._chars = opening_chars
        self.found: dict[str, set[tuple[int, int]]] = {}

    def add(self, record: Record) -> None:
        """Take a record that is trained on."""
        prints = self.found.setdefault(record.source, set())
        prints.update(filter(None, (opening_print(text, self._chars) for text in opening_texts(record))))

    def write(self, folder: Path) -> dict[str, int]:
        """Write a file for each source and return how many openings it has."""
        for source, prints in self.found.items():
            _write_openings(folder, source, prints)
        return {source: len(prints) for source, prints in self.found.items()}


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
    sources = {
        source: {"runs": runs.get(source, 0), "openings": counts.get(source, 0)}
        for source in sorted({*runs, *counts})
    }
    index = _index(opening_chars, sources)
    write_text_atomically(target / INDEX, json.dumps(index, ensure_ascii=False, indent=1) + "\n")


def write_sample(corpus: Path, manifest: Manifest, folder: Path, sample_bits: int) -> dict[str, int]:
    """Write a sample of a corpus's fingerprints into `folder`, to go where the corpus does not; return bytes by file.

    One run in 2 to the power of `sample_bits` is kept, and every opening of training and dev: dev chose
    the checkpoint. The index names the corpus, and vouches for the files itself.

    Raises:
        BadInput: visitors' words are among them (what has left can't be taken back when they ask for it),
            or some lie there already.
        DiskFull: there is no space for them; nothing is left of them then.
        MissingStage: the corpus has no fingerprints, or not those that its manifest vouches for.
    """
    _refuse_visitors_words(corpus, manifest)
    index = read_index(corpus)
    if not index or whole_sources(corpus, manifest.files) != set(index):
        message = f"corpus {manifest.run} has no fingerprints, or not those that it was made with"
        raise MissingStage(message, "make it again: psyllm corpus")
    with _new_folder(folder) as target:
        _write_sample(corpus, manifest, target, index, sample_bits)
    return {path.name: path.stat().st_size for path in sorted((folder / FOLDER).iterdir())}


def _write_sample(
    corpus: Path, manifest: Manifest, target: Path, index: dict[str, dict[str, int]], sample_bits: int
) -> None:
    opening_chars = next(iter(index.values()))["opening_chars"]
    dev = OpeningPrints(opening_chars)
    for record in read_records(corpus, prefix="dev"):
        dev.add(record)
    sources = {}
    for source in sorted({*index, *dev.found}):
        beginnings = _read_pairs(corpus, source) | dev.found.get(source, set())
        _write_openings(target, source, beginnings)
        runs = _write_sampled_runs(corpus, target, source, sample_bits) if source in index else 0
        sources[source] = {"runs": runs, "openings": len(beginnings)}
    said = {
        **_index(opening_chars, sources),
        "sample_bits": sample_bits,
        "of": manifest.as_parent().model_dump(),
        "own_work": sorted(manifest.details.get("own_work") or []),
        "files": {path.name: file_hash(path) for path in sorted(target.iterdir())},
    }
    write_text_atomically(target / INDEX, json.dumps(said, ensure_ascii=False, indent=1) + "\n")


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """Give a folder to write fingerprints into, which gets its name in `folder` only if all went well.

    Raises:
        BadInput: some lie there already.
        DiskFull: no space is left.
    """
    final = folder / FOLDER
    if final.exists():
        message = f"{final} is there already"
        raise BadInput(message, "remove it first, or name another folder with --out")
    beside = folder / f".{FOLDER}.new"
    shutil.rmtree(beside, ignore_errors=True)  # of a call that was killed
    try:
        beside.mkdir(parents=True)
        yield beside
        beside.rename(final)
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        message = f"no space left on the disk that holds {folder}"
        next_step = "free some space or name another folder with --out, then run the command again"
        raise DiskFull(message, next_step) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _refuse_visitors_words(corpus: Path, manifest: Manifest) -> None:
    paths = [path for side in ("train", "dev") for path in sorted(corpus.glob(f"{side}-*.parquet"))]
    consents = (batch.column("consent_id") for batch in batches(paths, ("consent_id",)))
    if rated_files(corpus) or any(pc.any(pc.not_equal(each, "")).as_py() for each in consents):
        message = (
            f"corpus {manifest.run} holds words of visitors, whose fingerprints must not leave this place"
        )
        raise BadInput(message, "train a model to be given away on published texts alone")


def _index(opening_chars: int, sources: dict[str, dict[str, int]]) -> dict[str, object]:
    return {
        "version": VERSION,
        "run_chars": RUN_CHARS,
        "kept_bits": KEPT_BITS,
        "opening_chars": opening_chars,
        "sources": sources,
    }


def _write_sampled_runs(corpus: Path, target: Path, source: str, sample_bits: int) -> int:
    kept = [lot[in_sample(lot, sample_bits)] for lot in read_runs(corpus, source)]
    runs = np.concatenate([*kept, np.empty(0, dtype=np.uint64)]) >> (REST + np.uint64(sample_bits))
    with _runs_writer(target / runs_name(source)) as writer:
        writer.write_table(pa.table({"run": runs.astype(np.int64)}, schema=_RUNS))
    return len(runs)


def _read_pairs(corpus: Path, source: str) -> set[tuple[int, int]]:
    path = corpus / FOLDER / openings_name(source)
    if not path.is_file():
        return set()
    table = pq.read_table(path)
    return set(zip(table.column("beginning").to_pylist(), table.column("whole").to_pylist(), strict=True))


def _write_openings(folder: Path, source: str, prints: set[tuple[int, int]]) -> None:
    ordered = sorted(prints)
    columns = {
        name: np.array([each[place] for each in ordered], dtype=np.uint64)
        for place, name in enumerate(("beginning", "whole"))
    }
    pq.write_table(pa.table(columns), folder / openings_name(source), compression="zstd")


def _runs_writer(path: Path) -> pq.ParquetWriter:
    return pq.ParquetWriter(
        path,
        _RUNS,
        compression="zstd",
        use_dictionary=False,
        column_encoding={"run": "DELTA_BINARY_PACKED"},
    )


class _Lots:
    """Hashes by source, put in order lot after lot with little in memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting: dict[str, list[Hashes]] = {}
        self._count = 0

    def add(self, source: str, hashes: Hashes) -> None:
        self._waiting.setdefault(source, []).append(once_in_order(hashes >> REST))
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
            borders = np.searchsorted(hashes >> (_LOT_SHIFT - REST), np.arange((1 << _LOT_BITS) + 1))
            for lot in range(1 << _LOT_BITS):
                with self._work(source, lot).open("ab") as file:
                    file.write(hashes[borders[lot] : borders[lot + 1]].tobytes())
            self._waiting[source] = []
        self._count = 0

    def _write(self, source: str) -> int:
        count = 0
        with _runs_writer(self._folder / runs_name(source)) as writer:
            for lot in range(1 << _LOT_BITS):
                work = self._work(source, lot)
                hashes = once_in_order(np.fromfile(work, dtype=np.uint64))
                work.unlink()
                count += len(hashes)
                if len(hashes):
                    writer.write_table(pa.table({"run": hashes.astype(np.int64)}, schema=_RUNS))
        return count

    def _work(self, source: str, lot: int) -> Path:
        return self._folder / f"{named(source)}-{lot:02d}{_WORK}"
