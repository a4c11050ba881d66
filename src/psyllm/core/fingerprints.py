"""What was trained on, as numbers, read back: who looks for a leak needs no training text.

A folder that holds `fingerprints/` comes in; hashes go out: every run of 13
Chinese characters of each source, or a sample of them, and how each record
opens. Whose they are and which files belong to them says their index. Of a
sample only those runs are kept whose hash ends in so many zero bits, so what is
looked for is thinned out in the same way and shares stay what they are. They
are written in `corpus/fingerprints.py`; `text/known_text.py` compares.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import Field

from psyllm.core.records import Frozen
from psyllm.core.setting_types import NotNegative, Positive
from psyllm.core.stages import Parent, file_hash

Hashes = NDArray[np.uint64]

FOLDER = "fingerprints"
INDEX = "fingerprints.json"
VERSION = 1
RUN_CHARS = 13  # the usual length of a contaminating run, from GPT-3 on; in characters for Chinese
# So many first bits of a hash are kept: among the 700 million runs of 2.85 GB of text a strange
# run is then taken for known once in 1,600, and a run takes 2 to 3 bytes.
KEPT_BITS = 40
REST = np.uint64(64 - KEPT_BITS)


class Counts(Frozen):
    """How many rows the two files of a source have."""

    runs: NotNegative
    openings: NotNegative


class Index(Frozen):
    """What `fingerprints.json` holds; of a sample also whose it is, and the hashes of its files by name."""

    version: int
    run_chars: int
    kept_bits: int
    opening_chars: Positive
    sources: dict[str, Counts]
    sample_bits: NotNegative = Field(0, le=KEPT_BITS)
    of: Parent | None = None
    own_work: tuple[str, ...] = ()
    files: dict[str, str] = Field(default_factory=dict)


def shortened(hashes: Hashes) -> Hashes:
    """Return hashes with only the bits that are kept."""
    return (hashes >> REST) << REST


def in_sample(hashes: Hashes, sample_bits: int) -> NDArray[np.bool_]:
    """Return which hashes belong to a sample of one in 2 to the power of `sample_bits`."""
    lowest = np.uint64((1 << sample_bits) - 1)
    kept: NDArray[np.bool_] = ((hashes >> REST) & lowest) == 0
    return kept


def read_index(folder: Path) -> dict[str, dict[str, int]] | None:
    """Return the sources of a corpus with their counts, None where no fingerprints of this version can be read."""
    index = _index(folder)
    if index is None:
        return None
    more = {"opening_chars": index.opening_chars, "sample_bits": index.sample_bits}
    return {source: {**counts.model_dump(), **more} for source, counts in index.sources.items()}


def read_owner(folder: Path) -> Parent | None:
    """Return the corpus whose fingerprints lie here without it, None where none says so."""
    index = _index(folder)
    return None if index is None else index.of


def read_vouched(folder: Path) -> tuple[dict[str, str], list[str]]:
    """Return the files that the index itself names with their hashes, and the sources that are own work.

    Of fingerprints that lie beside their corpus its manifest says both, and the index neither.
    """
    index = _index(folder)
    if index is None:
        return {}, []
    files = {f"{FOLDER}/{name}": said for name, said in index.files.items()}
    if files:
        files[f"{FOLDER}/{INDEX}"] = file_hash(folder / FOLDER / INDEX)
    return files, list(index.own_work)


def whole_sources(folder: Path, files: Mapping[str, str]) -> set[str]:
    """Return the sources of which all fingerprints are there as the manifest's files (name to hash) say.

    A file must have as many rows as the index says: one that says none would make nothing of what is there.
    """
    index = _index(folder)
    vouched = {name for name, said in files.items() if _is(folder / name, said)}
    if index is None or f"{FOLDER}/{INDEX}" not in vouched:
        return set()
    return {
        source
        for source, counts in index.sources.items()
        if all(
            _rows(folder, f"{FOLDER}/{name}", vouched) == count
            for name, count in ((runs_name(source), counts.runs), (openings_name(source), counts.openings))
        )
    }


def read_runs(folder: Path, source: str, sample_bits: int = 0) -> Iterator[Hashes]:
    """Yield the runs of a source, in order, some at a time."""
    path = folder / FOLDER / runs_name(source)
    dropped = REST + np.uint64(sample_bits)
    if path.is_file():
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                yield file.read_row_group(group).column("run").to_numpy().astype(np.uint64) << dropped


def read_openings(folder: Path, source: str) -> tuple[set[int], set[int]]:
    """Return the hashes of a source's beginnings and of its whole openings."""
    path = folder / FOLDER / openings_name(source)
    if not path.is_file():
        return set(), set()
    table = pq.read_table(path)
    return set(table.column("beginning").to_pylist()), set(table.column("whole").to_pylist())


def runs_name(source: str) -> str:
    """Return the name of the file with a source's runs."""
    return f"runs-{named(source)}.parquet"


def openings_name(source: str) -> str:
    """Return the name of the file with how a source's records open."""
    return f"openings-{named(source)}.parquet"


def named(source: str) -> str:
    """Return a source's name as part of a file's name; what had to be changed is told apart by a hash."""
    plain = re.sub(r"[^a-z0-9_-]", "_", source.lower())[:64]
    return plain if plain == source else f"{plain}-{hashlib.sha256(source.encode()).hexdigest()[:8]}"


def _index(folder: Path) -> Index | None:
    try:
        index = Index.model_validate_json((folder / FOLDER / INDEX).read_bytes())
    except (OSError, ValueError):
        return None
    mine = (VERSION, RUN_CHARS, KEPT_BITS)
    return index if (index.version, index.run_chars, index.kept_bits) == mine else None


def _is(path: Path, said: str) -> bool:
    try:
        return path.is_file() and file_hash(path) == said
    except OSError:
        return False


def _rows(folder: Path, name: str, vouched: set[str]) -> int | None:
    """Return how many rows a file has, 0 where there is none, None where it is not what it should be."""
    try:
        if not (folder / name).is_file():
            return 0
        return int(pq.read_metadata(folder / name).num_rows) if name in vouched else None
    except (pa.ArrowException, OSError, ValueError):
        return None
