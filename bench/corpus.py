"""How fast the splits are made, and how well leaving out what is measured on works.

    taskset -c 1 python bench/corpus.py --data data

Takes the run of `2_cleaned` in use in a data folder. Prints CPU seconds and MB/s
(10^6 bytes of UTF-8 of all texts) of each step of `psyllm corpus`, the peak of
memory, then the 13-gram look-up alone (texts in memory), and how many training
records share how much with dev and test: the table from which the default of
`corpus.most_shared_13grams` was chosen. Last comes a plant: of `--planted` test
dialogues all turns but the first are put behind another opening and offered as
training text; so many are found. Whole runs go to a folder that is deleted.
"""

import argparse
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from psyllm.core.records import RECORD_SCHEMA, Record, read_records, to_row
from psyllm.core.settings import CorpusSettings
from psyllm.core.stages import Stage, current_run, need_current
from psyllm.corpus import plan
from psyllm.corpus import run as door
from psyllm.corpus.columns import TEXT_COLUMNS, batches, runs_of
from psyllm.corpus.crisis import REANSWERED
from psyllm.corpus.decontaminate import Questions
from psyllm.text.known_hashes import KnownHashes, once_in_order

STEPS: tuple[tuple[Any, str], ...] = (
    (plan, "group_records"),
    (plan, "contaminated"),
    (door, "write_splits"),
    (door, "write_fingerprints"),
    (door, "_overlaps"),
)
SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the splits and count what they leave out.")
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--planted", type=int, default=200)
    options = parser.parse_args()
    cleaned, _ = need_current(options.data, Stage.CLEANED)
    megabytes = sum(len(text.encode()) for record in read_records(cleaned) for text in record.texts()) / 1e6
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        for stage in (Stage.COLLECTED, Stage.CLEANED):
            if (options.data / stage).is_dir():
                shutil.copytree(options.data / stage, data / stage)
        time_steps(data, megabytes)
        corpus = current_run(data, Stage.CORPUS)
        if corpus is None:
            sys.exit("no corpus was made")
        measure_sharing(corpus, options.planted)


def time_steps(data: Path, megabytes: float) -> None:
    spent: dict[str, float] = {}
    for module, name in STEPS:
        setattr(module, name, timed(getattr(module, name), name, spent))
    begun = time.process_time()
    manifest = door.run(CorpusSettings(), data)
    whole = time.process_time() - begun
    print(
        f"{manifest.counts['read']:,} records, {megabytes:.1f} MB: {manifest.counts}, left out {manifest.drops}"
    )
    for name, seconds in [*spent.items(), ("whole run", whole)]:
        print(f"{name.strip('_'):<20}{seconds:>8.2f} s{megabytes / seconds:>9.1f} MB/s")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB")


def timed(step: Callable[..., Any], name: str, spent: dict[str, float]) -> Callable[..., Any]:
    def run(*values: object, **named: object) -> object:
        begun = time.process_time()
        try:
            return step(*values, **named)
        finally:
            spent[name] = spent.get(name, 0.0) + time.process_time() - begun

    return run


def measure_sharing(corpus: Path, planted: int) -> None:
    held_out = sorted([*corpus.glob("test-*.parquet"), *corpus.glob("dev-*.parquet")])
    known = KnownHashes(once_in_order(*(runs_of(batch).hashes for batch in batches(held_out, TEXT_COLUMNS))))
    # Crises that were answered anew share the protocol's replies with each other.
    training = [
        batch.filter(pa.array([REANSWERED not in flags for flags in batch.column("flags").to_pylist()]))
        for batch in batches(sorted(corpus.glob("train-*.parquet")), (*TEXT_COLUMNS, "flags"))
    ]
    megabytes = sum(
        len(text.encode()) for record in read_records(corpus, prefix="train") for text in record.texts()
    )
    begun = time.process_time()
    runs = [runs_of(batch) for batch in training]
    hashed = time.process_time()
    shares = []
    for each in runs:
        hits = np.concatenate(([0], np.cumsum(known.holds(each.hashes))))
        shares.append((hits[each.borders[1:]] - hits[each.borders[:-1]]) / np.maximum(each.counts(), 1))
    ended = time.process_time()
    print(
        f"13-grams of {megabytes / 1e6:.1f} MB among {len(known):,}: hashed at {megabytes / 1e6 / (hashed - begun):.0f}, "
        f"looked up at {megabytes / 1e6 / (ended - hashed):.0f}, both {megabytes / 1e6 / (ended - begun):.0f} MB/s"
    )
    share = np.concatenate(shares)
    table = ", ".join(f">= {least:.0%}: {int((share >= least).sum()):,}" for least in SHARES)
    print(
        f"of {len(share):,} training records that were kept, any shared run: {int((share > 0).sum()):,}; {table}"
    )
    plant(corpus, planted, known)


def plant(corpus: Path, planted: int, known: KnownHashes) -> None:
    training = [record for record in read_records(corpus, prefix="train") if record.kind == "dialogue"][
        :planted
    ]
    asked = [record for record in read_records(corpus, prefix="test") if record.kind == "dialogue"][:planted]
    settings = CorpusSettings()
    records = [
        own.model_copy(update={"turns": (*own.turns[:2], *other.turns[1:])})
        for own, other in zip(training, asked, strict=False)
    ]
    found = shares_of(records, known) >= settings.most_shared_13grams
    questions = Questions([record.opening() for record in asked])
    whole = [
        own.model_copy(update={"turns": (*own.turns, other.turns[0])})
        for own, other in zip(training, asked, strict=False)
    ]
    held = questions.held_by(runs_of(as_batch(whole)), settings.most_of_an_item)
    print(
        f"planted {len(records)}: the same case behind another opening, found {found.sum()}; asked late, found {held.sum()}"
    )


def shares_of(records: list[Record], known: KnownHashes) -> NDArray[np.float64]:
    runs = runs_of(as_batch(records))
    hits = np.concatenate(([0], np.cumsum(known.holds(runs.hashes))))
    shares: NDArray[np.float64] = (hits[runs.borders[1:]] - hits[runs.borders[:-1]]) / np.maximum(
        runs.counts(), 1
    )
    return shares


def as_batch(records: list[Record]) -> pa.RecordBatch:
    table = pa.Table.from_pylist([to_row(record) for record in records], schema=RECORD_SCHEMA)
    return table.combine_chunks().to_batches()[0]


if __name__ == "__main__":
    main()
