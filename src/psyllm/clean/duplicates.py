"""Records that say the same, or nearly the same, as another one.

Signatures of shards come in (`signatures.py`); for every record the place of
the one that stays for it goes out. Equal words are found by content hash; near
ones by MinHash candidates, each checked by the Jaccard similarity of its
character 5-grams without white space. Chains are one cluster. Of a cluster
the best record stays: reviewed before not, shown and trained on before not,
greater danger before lesser, longer before shorter, earlier before later. Only records of one kind are
compared. Memory holds some 50 bytes a record; n-grams are kept on disk and
only for candidates.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from psyllm.clean.signatures import load
from psyllm.text.groups import Groups
from psyllm.text.hashed_ngrams import NgramSets, sorted_set
from psyllm.text.minhash import BANDS, crowds, pairs

STORED = np.dtype(np.uint32)  # the upper half of a hash is enough to check a candidate
_HALF = np.uint64(32)
MOST_RECENT_NGRAMS = 1 << 22  # 16 MB


class Clusters(NamedTuple):
    """For every record by place: which stays for it, whether in equal words, and how many are alike."""

    kept: NDArray[np.int64]
    is_exact: NDArray[np.bool_]
    sizes: NDArray[np.int32]


class DuplicateFinder:
    """Finds the duplicates of all shards; a record's place counts through all of them."""

    def __init__(self, folders: Sequence[Path], least_jaccard: float) -> None:
        self._folders = folders
        self._least = least_jaccard
        self._hashes = _whole(folders, "hashes").reshape(-1, 2)
        self._kinds = _whole(folders, "kinds")
        self._first = _first_with(self._hashes, self._kinds)
        self._is_apart = np.zeros(len(self._kinds), dtype=bool)
        self._is_apart[self._first[_whole(folders, "apart").astype(bool)]] = True
        self.borders = np.cumsum([0, *(len(load(folder, "kinds")) for folder in folders)])

    def candidates(self) -> list[NDArray[np.int64]]:
        """Return, for each shard, the rows whose n-grams have to be compared."""
        is_candidate = np.zeros(len(self._kinds), dtype=bool)
        for band in range(BANDS):
            for crowd in crowds(self._band(band), self._is_compared()):
                is_candidate[crowd] = True
        return [
            np.flatnonzero(is_candidate[start:end])
            for start, end in itertools.pairwise(self.borders.tolist())
        ]

    def find(self, ngrams_of: Callable[[int], NDArray[np.uint32]]) -> Clusters:
        """Return the clusters; `ngrams_of` gives a candidate's n-grams by place, in any order."""
        groups = Groups(len(self._kinds))
        recent = _Recent(ngrams_of)
        for place in np.flatnonzero(~self._is_first()).tolist():
            groups.join(int(self._first[place]), place)
        for band in range(BANDS):
            for crowd in crowds(self._band(band), self._is_compared()):
                for left, right in pairs(crowd.tolist()):
                    if groups.of(left) != groups.of(right) and self._are_near(left, right, recent):
                        groups.join(left, right)
        return self._clusters(groups)

    def _are_near(self, left: int, right: int, recent: _Recent) -> bool:
        if self._kinds[left] != self._kinds[right]:
            return False
        smaller, larger = sorted((recent.of(left), recent.of(right)), key=len)
        if len(smaller) == 0 or len(smaller) < self._least * len(larger):
            return False
        places = np.minimum(np.searchsorted(larger, smaller), len(larger) - 1)
        shared = int(np.count_nonzero(larger[places] == smaller))
        return shared >= self._least * (len(smaller) + len(larger) - shared)

    def _clusters(self, groups: Groups) -> Clusters:
        worths = _whole(self._folders, "worths")
        kept = np.arange(len(self._kinds), dtype=np.int64)
        sizes = np.ones(len(self._kinds), dtype=np.int32)
        for places in groups.shared().values():
            best = max(places, key=lambda place: (worths[place], -place))
            kept[places] = best
            sizes[places] = len(places)
        is_exact = (self._hashes == self._hashes[kept]).all(axis=1)
        return Clusters(kept, is_exact, sizes)

    def _band(self, band: int) -> NDArray[np.uint64]:
        parts = [np.array(load(folder, "keys")[band]) for folder in self._folders]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.uint64)

    def _is_first(self) -> NDArray[np.bool_]:
        """Return which records are the first with their words."""
        first: NDArray[np.bool_] = self._first == np.arange(len(self._first))
        return first

    def _is_compared(self) -> NDArray[np.bool_]:
        """Return which records are compared further: the first with their words that nobody keeps apart."""
        return self._is_first() & ~self._is_apart


class _Recent:
    """The sets of n-grams that were looked at last; texts of one template are compared many times over."""

    def __init__(self, ngrams_of: Callable[[int], NDArray[np.uint32]]) -> None:
        self._ngrams_of = ngrams_of
        self._sets: dict[int, NDArray[np.uint32]] = {}
        self._size = 0

    def of(self, place: int) -> NDArray[np.uint32]:
        """Return the different n-grams of a record in order."""
        found = self._sets.pop(place, None)
        if found is None:
            found = sorted_set(self._ngrams_of(place))
            self._size += len(found)
        self._sets[place] = found
        while self._size > MOST_RECENT_NGRAMS and len(self._sets) > 2:
            oldest = next(iter(self._sets))
            self._size -= len(self._sets.pop(oldest))
        return found


class NgramFiles:
    """The n-grams of candidates, a file and a table of rows for each shard."""

    def __init__(self, folders: Sequence[Path], borders: NDArray[np.int64]) -> None:
        self._folders = folders
        self._borders = borders
        self._tables: dict[int, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}

    @staticmethod
    def write(folder: Path, rows: NDArray[np.int64], sets: Sequence[NgramSets]) -> None:
        """Write the n-grams of the rows, which `sets` has in order."""
        sizes = np.concatenate([[0], *(one.sizes() for one in sets)])
        with (folder / "ngrams.bin").open("wb") as file:
            for one in sets:
                file.write((one.hashes >> _HALF).astype(STORED).tobytes())
        np.savez(folder / "ngrams.npz", rows=rows, starts=np.cumsum(sizes))

    def of(self, place: int) -> NDArray[np.uint32]:
        """Return the n-grams of a record by its place."""
        shard = int(np.searchsorted(self._borders, place, side="right")) - 1
        if shard not in self._tables:
            with np.load(self._folders[shard] / "ngrams.npz") as table:
                self._tables[shard] = table["rows"], table["starts"]
        rows, starts = self._tables[shard]
        index = int(np.searchsorted(rows, place - self._borders[shard]))
        start, end = int(starts[index]), int(starts[index + 1])
        path = self._folders[shard] / "ngrams.bin"
        return np.fromfile(path, STORED, count=end - start, offset=start * STORED.itemsize)


def _whole(folders: Sequence[Path], name: str) -> NDArray[np.uint64]:
    parts = [np.array(load(folder, name)) for folder in folders]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.uint64)


def _first_with(hashes: NDArray[np.uint64], kinds: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return for each record the first place with the same words (the hash knows the kind, too)."""
    places = np.arange(len(kinds), dtype=np.int64)
    order = np.lexsort((places, hashes[:, 1], hashes[:, 0]))
    ordered = hashes[order]
    is_new = np.ones(len(order), dtype=bool)
    is_new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    firsts = order[is_new]
    found = np.empty(len(order), dtype=np.int64)
    found[order] = firsts[np.cumsum(is_new) - 1]
    return found
