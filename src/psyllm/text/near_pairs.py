"""Every text that is near to one of a given set, none missed.

A set of texts is given once; then any number of others come in, and each pair
whose n-gram sets reach a Jaccard similarity goes out. This is an exact join by
prefixes, not an estimate: sets that reach similarity t share at least one of
their (size - ceil(t * size) + 1) rarest members, so only these are looked up.
Source: Chaudhuri et al. 2006, "A primitive operator for similarity joins";
Bayardo et al. 2007, "Scaling up all pairs similarity search".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from psyllm.text.hashed_ngrams import Hashes, ngram_sets
from psyllm.text.known_hashes import KnownHashes

_SLACK = 1e-9  # a share of n-grams that is exactly the threshold must not be lost to rounding


class NearPairs:
    """The given texts, ready to be compared with others."""

    def __init__(self, texts: Sequence[str], least_jaccard: float, n: int = 5) -> None:
        self._n = n
        self._least = least_jaccard
        self._sets = ngram_sets(texts, n)
        self._sizes = self._sets.sizes()
        known, counts = np.unique(self._sets.hashes, return_counts=True)
        self._known = KnownHashes(known)
        self._ranks = np.empty(len(known), dtype=np.int64)  # rarest first
        self._ranks[np.lexsort((known, counts))] = np.arange(len(known))
        self._holders, self._first = self._index()

    def find(self, texts: Sequence[str]) -> Iterator[tuple[int, int]]:
        """Yield (index in `texts`, index of the given text) of every near pair."""
        sets = ngram_sets(texts, self._n)
        if not len(self._known) or not len(sets.hashes):
            return
        known, places = self._known.find(sets.hashes)
        is_known = np.zeros(len(sets.hashes), dtype=bool)
        is_known[known] = True
        known_before = np.concatenate(([0], np.cumsum(is_known)))
        sizes = sets.sizes()
        unknown = sizes - np.diff(known_before[sets.borders])
        # Unknown n-grams are the rarest of all; where they fill the prefix nothing can be near.
        lookups = _prefix_sizes(sizes, self._least) - unknown
        for index in np.flatnonzero((lookups > 0) & (sizes > 0)):
            start, end = sets.borders[index], sets.borders[index + 1]
            here = places[known_before[start] : known_before[end]]
            ranks = np.sort(self._ranks[here])[: lookups[index]]
            for given in self._near(sets.hashes[start:end], ranks):
                yield int(index), given

    def _near(self, hashes: Hashes, ranks: NDArray[np.int64]) -> Iterator[int]:
        holders = [self._holders[self._first[rank] : self._first[rank + 1]] for rank in ranks]
        candidates = np.unique(np.concatenate(holders))
        sizes = self._sizes[candidates]
        smaller, larger = np.minimum(sizes, len(hashes)), np.maximum(sizes, len(hashes))
        for given in candidates[smaller >= self._least * larger - _SLACK]:
            shared = len(np.intersect1d(hashes, self._sets.of(given), assume_unique=True))
            if shared >= self._least * (len(hashes) + self._sizes[given] - shared) - _SLACK:
                yield int(given)

    def _index(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return who holds an n-gram in the prefix, by rank, and where each rank begins."""
        owners = np.repeat(np.arange(len(self._sizes)), self._sizes)
        ranks = self._ranks[self._known.find(self._sets.hashes)[1]]
        order = np.lexsort((ranks, owners))
        place_in_text = np.arange(len(owners)) - self._sets.borders[owners]
        is_prefix = place_in_text < _prefix_sizes(self._sizes, self._least)[owners]
        owners, ranks = owners[order][is_prefix], ranks[order][is_prefix]
        by_rank = np.argsort(ranks, kind="stable")
        first = np.searchsorted(ranks[by_rank], np.arange(len(self._known) + 1))
        return owners[by_rank], first


def _prefix_sizes(sizes: NDArray[np.int64], least: float) -> NDArray[np.int64]:
    must_share: NDArray[np.int64] = np.ceil(least * sizes - _SLACK).astype(np.int64)
    return sizes - must_share + 1
