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

from psyllm.text.hashed_ngrams import NgramSets, ngram_sets
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
        self._ranks = np.empty(len(known), dtype=np.uint32)  # rarest first
        self._ranks[np.lexsort((known, counts))] = np.arange(len(known), dtype=np.uint32)
        self._holders, self._first = self._index()

    def find(self, texts: Sequence[str]) -> Iterator[tuple[int, int]]:
        """Yield (index in `texts`, index of the given text) of every near pair."""
        sets = ngram_sets(texts, self._n)
        for index, given in self._candidates(sets):
            own, other = sets.of(index), self._sets.of(given)
            shared = len(np.intersect1d(own, other, assume_unique=True))
            if shared >= self._least * (len(own) + len(other) - shared) - _SLACK:
                yield index, given

    def _candidates(self, sets: NgramSets) -> Iterator[tuple[int, int]]:
        """Yield each pair once that shares a member of both prefixes and may be near by its sizes."""
        known, places = self._known.find(sets.hashes)
        if not len(known):
            return
        owners = np.searchsorted(sets.borders, known, side="right") - 1
        sizes = sets.sizes()
        counts = np.bincount(owners, minlength=len(sizes))
        # Unknown n-grams are the rarest of all; where they fill the prefix nothing can be near.
        lookups = _prefix_sizes(sizes, self._least) - (sizes - counts)
        taken = lookups[owners] > 0
        owners, ranks = _in_prefix(owners[taken], self._ranks[places[taken]], lookups)
        met = self._first[ranks + 1] - self._first[ranks]
        from_holder = np.repeat(self._first[ranks] - (np.cumsum(met) - met), met) + np.arange(met.sum())
        pairs = np.unique(np.repeat(owners, met) * len(self._sizes) + self._holders[from_holder])
        texts, given = pairs // len(self._sizes), pairs % len(self._sizes)
        smaller = np.minimum(sizes[texts], self._sizes[given])
        larger = np.maximum(sizes[texts], self._sizes[given])
        near = smaller >= self._least * larger - _SLACK
        yield from zip(texts[near].tolist(), given[near].tolist(), strict=True)

    def _index(self) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return who holds an n-gram in the prefix, by rank, and where each rank begins."""
        owners = np.repeat(np.arange(len(self._sizes)), self._sizes)
        ranks = self._ranks[self._known.find(self._sets.hashes)[1]]
        owners, ranks = _in_prefix(owners, ranks, _prefix_sizes(self._sizes, self._least))
        by_rank = np.argsort(ranks, kind="stable")
        first = np.searchsorted(ranks[by_rank], np.arange(len(self._known) + 1))
        return owners[by_rank].astype(np.int32), first


def _in_prefix(
    owners: NDArray[np.int64], ranks: NDArray[np.uint32], sizes: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the members with the lowest ranks of each owner, as many as its prefix has."""
    keys = np.sort((owners.astype(np.uint64) << np.uint64(32)) | ranks)
    ordered = (keys >> np.uint64(32)).astype(np.int64)
    starts = np.searchsorted(ordered, np.arange(len(sizes)))
    is_prefix = np.arange(len(ordered)) - starts[ordered] < sizes[ordered]
    low = (keys[is_prefix] & np.uint64(0xFFFFFFFF)).astype(np.int64)
    return ordered[is_prefix], low


def _prefix_sizes(sizes: NDArray[np.int64], least: float) -> NDArray[np.int64]:
    must_share: NDArray[np.int64] = np.ceil(least * sizes - _SLACK).astype(np.int64)
    return sizes - must_share + 1
