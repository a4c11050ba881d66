"""Every text that is near to one of a given set, none missed.

A set of texts is given once; then any number of others come in, and each pair
whose n-gram sets reach a Jaccard similarity goes out. This is an exact join by
prefixes, not an estimate: sets that reach similarity t share at least one of
their (size - ceil(t * size) + 1) rarest members, so only these are kept and
looked up: a fifth of all n-grams at t = 0.8. Which are rare is counted roughly,
in a table of fixed size; any order that is the same for all texts gives the
same pairs. Texts are kept as they are, and the sets of those that may be near
are made again.
Source: Chaudhuri et al. 2006, "A primitive operator for similarity joins";
Bayardo et al. 2007, "Scaling up all pairs similarity search".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from psyllm.text.hashed_ngrams import Hashes, NgramSets, ngram_sets
from psyllm.text.known_hashes import KnownHashes

_SLACK = 1e-9  # a share of n-grams that is exactly the threshold must not be lost to rounding
_MOST_COUNTER_BITS = 24  # 64 MB of counters; n-grams that share one count as less rare than they are
_TEXTS_AT_ONCE = 4096
_OWNER_BITS, _COUNT_BITS = 16, 12
_HASH_BITS = 64 - _OWNER_BITS - _COUNT_BITS


class NearPairs:
    """The given texts, ready to be compared with others."""

    def __init__(self, texts: Sequence[str], least_jaccard: float, n: int = 5) -> None:
        self._texts = texts
        self._n = n
        self._least = least_jaccard
        bits = min(_MOST_COUNTER_BITS, 1 + sum(map(len, texts)).bit_length())
        self._counts = np.zeros(1 << bits, dtype=np.uint32)
        for _, sets in self._given_sets():
            np.add.at(self._counts, self._counters(sets.hashes), np.uint32(1))
        self._sizes = np.zeros(len(texts), dtype=np.int32)
        hashes, owners = self._index()
        order = np.argsort(hashes)
        self._holders = owners[order]
        known, first = np.unique(hashes[order], return_index=True)
        self._known = KnownHashes(known)
        self._first = np.append(first, len(hashes))

    def find(self, texts: Sequence[str]) -> Iterator[tuple[int, int]]:
        """Yield (index in `texts`, index of the given text) of every near pair."""
        sets = ngram_sets(texts, self._n)
        pairs = self._candidates(sets)
        given, where = np.unique(pairs[1], return_inverse=True)
        others = ngram_sets([self._texts[index] for index in given.tolist()], self._n)
        for index, place in zip(pairs[0].tolist(), where.tolist(), strict=True):
            own, other = sets.of(index), others.of(place)
            shared = len(np.intersect1d(own, other, assume_unique=True))
            if shared >= self._least * (len(own) + len(other) - shared) - _SLACK:
                yield index, int(given[place])

    def _candidates(self, sets: NgramSets) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return each pair once that shares a member of both prefixes and may be near by its sizes."""
        sizes = sets.sizes()
        owners, hashes = self._prefixes(sets)
        indices, places = self._known.find(hashes)
        met = self._first[places + 1] - self._first[places]
        from_holder = np.repeat(self._first[places] - (np.cumsum(met) - met), met) + np.arange(met.sum())
        given = self._holders[from_holder].astype(np.int64)
        pairs = np.unique(np.repeat(owners[indices], met) * len(self._texts) + given)
        texts, given = np.divmod(pairs, max(1, len(self._texts)))
        smaller = np.minimum(sizes[texts], self._sizes[given])
        larger = np.maximum(sizes[texts], self._sizes[given])
        near = smaller >= self._least * larger - _SLACK
        return texts[near], given[near]

    def _index(self) -> tuple[Hashes, NDArray[np.int32]]:
        """Return the members of all prefixes and who holds each."""
        hashes = [np.empty(0, dtype=np.uint64)]
        holders = [np.empty(0, dtype=np.int32)]
        for start, sets in self._given_sets():
            self._sizes[start : start + len(sets.borders) - 1] = sets.sizes()
            owners, members = self._prefixes(sets)
            hashes.append(members)
            holders.append((owners + start).astype(np.int32))
        return np.concatenate(hashes), np.concatenate(holders)

    def _given_sets(self) -> Iterator[tuple[int, NgramSets]]:
        for start in range(0, len(self._texts), _TEXTS_AT_ONCE):
            yield (
                start,
                ngram_sets(self._texts[start : start + _TEXTS_AT_ONCE], self._n),
            )

    def _prefixes(self, sets: NgramSets) -> tuple[NDArray[np.int64], Hashes]:
        """Return the rarest members of each set, with whose they are; none of sets that can't be near."""
        sizes = sets.sizes()
        wanted = sizes - np.ceil(self._least * sizes - _SLACK).astype(np.int64) + 1
        owners = np.repeat(np.arange(len(sizes)), sizes)
        counts = self._counts[self._counters(sets.hashes)]
        # What no given text has comes first of all; where it fills the prefix nothing can be near.
        strange = np.bincount(owners[counts == 0], minlength=len(sizes))
        taken = (strange < wanted)[owners]
        owners, counts, hashes = owners[taken], counts[taken], sets.hashes[taken]
        order = _in_order(owners, counts, hashes)
        starts = np.searchsorted(owners, np.arange(len(sizes)))
        is_prefix = (
            np.arange(len(owners)) - starts[owners] < wanted[owners]
        )  # the order keeps owners in place
        return owners[is_prefix], hashes[order][is_prefix]

    def _counters(self, hashes: Hashes) -> NDArray[np.int64]:
        return (hashes & np.uint64(len(self._counts) - 1)).astype(np.int64)


def _in_order(owners: NDArray[np.int64], counts: NDArray[np.uint32], hashes: Hashes) -> NDArray[np.int64]:
    """Return the order by owner, then by count (very large ones as one), then by hash."""
    rarity = np.minimum(counts, (1 << _COUNT_BITS) - 1).astype(np.uint64)
    if len(owners) and int(owners[-1]) >> _OWNER_BITS:
        return np.lexsort((hashes, rarity, owners))
    # One key, sorted many times faster than three; the bits of a hash without room decide hardly ever.
    keys = (owners.astype(np.uint64) << np.uint64(64 - _OWNER_BITS)) | (rarity << np.uint64(_HASH_BITS))
    keys |= hashes >> np.uint64(64 - _HASH_BITS)
    order: NDArray[np.int64] = np.argsort(keys)
    ordered = keys[order]
    if np.any(ordered[1:] == ordered[:-1]):
        return np.lexsort((hashes, rarity, owners))
    return order
