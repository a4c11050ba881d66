"""Many hashes known once, and very many others looked up among them.

Sorted 64-bit hashes come in; for any others the places where they stand come
out. Hashes spread evenly, so their first bits say nearly where each stands: a
look-up takes two or three steps instead of the twenty of a binary search in a
million. Nothing here knows what was hashed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from psyllm.text.hashed_ngrams import Hashes

_MOST_BITS = 26  # of the table of first places: 256 MB at most, and no more than twice the hashes


def once_in_order(*lots: Hashes) -> Hashes:
    """Return every hash of some lots once, in order; faster than numpy's own way, which hashes first."""
    hashes = np.sort(np.concatenate([*lots, np.empty(0, dtype=np.uint64)]))
    is_new = np.ones(len(hashes), dtype=bool)
    is_new[1:] = hashes[1:] != hashes[:-1]
    return hashes[is_new]


class KnownHashes:
    """Hashes in order, each once, ready to be found."""

    def __init__(self, hashes: Hashes) -> None:
        self.hashes = hashes
        bits = min(_MOST_BITS, max(1, len(hashes).bit_length()))
        self._shift = np.uint64(64 - bits)
        counts = np.bincount((hashes >> self._shift).astype(np.int64), minlength=1 << bits)
        self._first = np.concatenate(([0], np.cumsum(counts))).astype(np.int32)

    def __len__(self) -> int:
        return len(self.hashes)

    def find(self, wanted: Hashes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return which of the wanted are known (their indices, ascending) and where each stands."""
        heads = (wanted >> self._shift).astype(np.int64)
        places, ends = self._first[heads], self._first[heads + 1]
        indices = np.flatnonzero(places < ends)
        places, ends, sought = places[indices], ends[indices], wanted[indices]
        found_indices, found_places = [], []
        while len(indices):
            here = self.hashes[places]
            same = here == sought
            found_indices.append(indices[same])
            found_places.append(places[same])
            places = places + np.int32(1)
            further = np.flatnonzero((here < sought) & (places < ends))
            indices, places, ends, sought = indices[further], places[further], ends[further], sought[further]
        if not found_indices:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        every, where = np.concatenate(found_indices), np.concatenate(found_places).astype(np.int64)
        order = np.argsort(every)
        return every[order], where[order]

    def holds(self, wanted: Hashes) -> NDArray[np.bool_]:
        """Return for each of the wanted whether it is known."""
        known = np.zeros(len(wanted), dtype=bool)
        known[self.find(wanted)[0]] = True
        return known
