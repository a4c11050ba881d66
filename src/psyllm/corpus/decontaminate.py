"""Records of training and dev that hold what is measured on.

Runs of 13 Chinese characters of everything that is measured on come in (sets of
others and our own test; for training our dev, too); for each record goes out
why it must not be used, if so. One shared run is no reason: phrases are shared by two
thirds of all counselling texts. A record is left out when the share of its own
runs that are known reaches a setting, or when it holds much of one question
measured on, which a long record may with a small share of its own. Whatever the number of runs,
so many are held in memory at a time, and training text is read once for each lot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from psyllm.core.fingerprints import RUN_CHARS
from psyllm.core.progress import track
from psyllm.corpus.columns import TEXT_COLUMNS, RecordRuns, batches, runs_of
from psyllm.corpus.evaluation_items import Item
from psyllm.text.han_windows import han_texts, windows
from psyllm.text.hashed_ngrams import Hashes
from psyllm.text.known_hashes import KnownHashes, once_in_order

SHARED, HOLDS_ITEM = "shares_runs_with_evaluation", "holds_an_evaluation_question"
RUNS_AT_ONCE = 1 << 25  # 268 MB of hashes, and half as much again to find them by
ITEMS_AT_ONCE = 4096

Batches = Callable[[], Iterator[pa.RecordBatch]]


class Limits(NamedTuple):
    """From which share of its own runs, and of one question's, a record is left out."""

    own: float
    of_an_item: float


class Questions:
    """What is asked in evaluation sets, ready to be found inside other texts."""

    def __init__(self, openings: Sequence[str]) -> None:
        found = windows(han_texts(openings), RUN_CHARS)
        owners = np.repeat(np.arange(len(openings)), np.diff(found.borders))
        order = np.lexsort((found.hashes, owners))
        hashes, owners = found.hashes[order], owners[order]
        is_new = np.ones(len(hashes), dtype=bool)
        is_new[1:] = (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1])
        hashes, owners = hashes[is_new], owners[is_new]
        self._sizes = np.bincount(owners, minlength=len(openings))
        by_hash = np.argsort(hashes, kind="stable")
        known, self._first = np.unique(hashes[by_hash], return_index=True)
        self._first = np.append(self._first, len(hashes))
        self._owners = owners[by_hash]
        self._known = KnownHashes(known)

    def held_by(self, runs: RecordRuns, least: float) -> NDArray[np.bool_]:
        """Return which records hold at least this share of the runs of one question."""
        held = np.zeros(len(runs.borders) - 1, dtype=bool)
        indices, places = self._known.find(runs.hashes)
        if not len(indices):
            return held
        records = np.searchsorted(runs.borders, indices, side="right") - 1
        met = np.unique(np.stack([records, places]), axis=1)  # a run that comes twice counts once
        counts = self._first[met[1] + 1] - self._first[met[1]]
        starts = np.repeat(self._first[met[1]] - (np.cumsum(counts) - counts), counts)
        questions = self._owners[starts + np.arange(len(starts))]
        pairs, shared = np.unique(
            np.repeat(met[0], counts) * len(self._sizes) + questions, return_counts=True
        )
        enough = shared >= least * self._sizes[pairs % len(self._sizes)]
        held[pairs[enough] // len(self._sizes)] = True
        return held


def item_runs(items: Iterable[Item]) -> Iterator[Hashes]:
    """Yield the runs of all texts of items, some items at a time."""
    texts: list[str] = []
    for number, item in enumerate(items, 1):
        texts += item.texts
        if number % ITEMS_AT_ONCE == 0:
            yield windows(han_texts(texts), RUN_CHARS).hashes
            texts = []
    yield windows(han_texts(texts), RUN_CHARS).hashes


def contaminated(
    training: Batches, known: Callable[[], Iterator[Hashes]], questions: Questions, limits: Limits, total: int
) -> dict[int, str]:
    """Return why rows of the training batches must be left out, by their place among all rows.

    `known` yields the runs of all that is measured on and is called once for each lot.
    """
    hits: list[NDArray[np.int64]] = []
    counts: list[NDArray[np.int64]] = []
    holds: list[NDArray[np.bool_]] = []
    lots = _lots(known())
    for lot in range(lots):
        measured = KnownHashes(_distinct(known(), lot, lots))
        for number, batch in enumerate(track(training(), f"decontaminate {lot + 1} of {lots}", total)):
            runs = runs_of(batch)
            found = np.concatenate(([0], np.cumsum(measured.holds(runs.hashes))))
            here = found[runs.borders[1:]] - found[runs.borders[:-1]]
            if lot == 0:
                hits.append(here)
                counts.append(runs.counts())
                holds.append(questions.held_by(runs, limits.of_an_item))
            else:
                hits[number] = hits[number] + here
    return _reasons(np.concatenate(hits), np.concatenate(counts), np.concatenate(holds), limits)


def training_batches(paths: Sequence[Path], taken: NDArray[np.bool_]) -> Batches:
    """Return what yields the texts of the taken rows of record files, batch by batch."""

    def read() -> Iterator[pa.RecordBatch]:
        start = 0
        for batch in batches(paths, TEXT_COLUMNS):
            here = taken[start : start + batch.num_rows]
            start += batch.num_rows
            yield batch.filter(pa.array(here))

    return read


def _reasons(
    hits: NDArray[np.int64], counts: NDArray[np.int64], holds: NDArray[np.bool_], limits: Limits
) -> dict[int, str]:
    shares = (hits >= limits.own * counts) & (hits > 0)
    reasons = {int(place): HOLDS_ITEM for place in np.flatnonzero(holds)}
    return reasons | {int(place): SHARED for place in np.flatnonzero(shares)}


def _lots(runs: Iterator[Hashes]) -> int:
    total = sum(len(hashes) for hashes in runs)
    return max(1, -(-total // RUNS_AT_ONCE))


def _distinct(runs: Iterator[Hashes], lot: int, lots: int) -> Hashes:
    """Return each hash of a lot once, in order; a hash's lot is its rest by the number of lots."""
    if lots == 1:
        kept = [once_in_order(hashes) for hashes in runs]
    else:
        kept = [once_in_order(hashes[hashes % np.uint64(lots) == lot]) for hashes in runs]
    return once_in_order(*kept)
