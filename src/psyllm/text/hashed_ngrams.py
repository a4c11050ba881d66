"""Sets of character n-grams as numbers, many texts at a time.

Texts come in; one flat array of 64-bit hashes with the borders between texts
comes out, each text's hashes sorted and without repetition, so that sets can
be compared with numpy. They are the same n-grams as `ngrams.char_ngrams`; two
different ones share a hash about once in 10^19 pairs. White space counts as it
stands: callers take it out first (`without_space`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
_FACTORS = (
    0x9E3779B97F4A7C15,
    0xC2B2AE3D27D4EB4F,
    0x165667B19E3779F9,
    0xD6E8FEB86659FD93,
    0xA0761D6478BD642F,
)
_MIX = np.uint64(0xFF51AFD7ED558CCD)  # the finaliser of MurmurHash3
_SHIFT = np.uint64(33)
_OWNER_BITS = 20  # more than a million texts at a time are put in order the slow way
_FILLER = "\0"  # lengthens a text shorter than n to its own only n-gram


class NgramSets(NamedTuple):
    """The set of text i is `hashes[borders[i]:borders[i + 1]]`, sorted."""

    hashes: Hashes
    borders: NDArray[np.int64]

    def of(self, index: int) -> Hashes:
        """Return the set of one text."""
        return self.hashes[self.borders[index] : self.borders[index + 1]]

    def sizes(self) -> NDArray[np.int64]:
        """Return how many n-grams each text has."""
        return np.diff(self.borders)


def without_space(text: str) -> str:
    """Return the text without any white space."""
    return "".join(text.split())


def ngram_sets(texts: Sequence[str], n: int = 5) -> NgramSets:
    """Return the n-gram sets of the texts; an empty text has none."""
    filled = [text.ljust(n, _FILLER) if text else text for text in texts]
    lengths = np.array([len(text) for text in filled], dtype=np.int64)
    counts = np.maximum(lengths - n + 1, 0)
    total = int(counts.sum())
    borders = np.concatenate(([0], np.cumsum(counts)))
    if total == 0:
        return NgramSets(np.empty(0, dtype=np.uint64), borders)
    codes = np.frombuffer("".join(filled).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    windows = _windows(codes.astype(np.uint64), n)
    starts = np.cumsum(lengths) - lengths
    owners = np.repeat(np.arange(len(texts)), counts)
    hashes = windows[np.arange(total) - borders[owners] + starts[owners]]
    order = _in_order(hashes, owners)
    hashes, owners = hashes[order], owners[order]
    is_new = np.ones(total, dtype=bool)
    is_new[1:] = (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1])
    sizes = np.bincount(owners[is_new], minlength=len(texts))
    return NgramSets(hashes[is_new], np.concatenate(([0], np.cumsum(sizes))))


def _in_order(hashes: Hashes, owners: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the order by owner, then by hash."""
    if int(owners[-1]) >> _OWNER_BITS:
        return np.lexsort((hashes, owners))
    # One key instead of two: numpy sorts it many times faster. The bits of a hash that it has no
    # room for hardly ever decide; where they do, the slow way is taken.
    room = np.uint64(64 - _OWNER_BITS)
    keys = (owners.astype(np.uint64) << room) | (hashes >> np.uint64(_OWNER_BITS))
    order: NDArray[np.int64] = np.argsort(keys)
    ordered = keys[order]
    ties = np.flatnonzero(ordered[1:] == ordered[:-1])
    if np.any(hashes[order[ties]] != hashes[order[ties + 1]]):
        return np.lexsort((hashes, owners))
    return order


def jaccard(left: Hashes, right: Hashes) -> float:
    """Return shared over all of two sorted sets, 0 to 1; two empty sets share nothing."""
    if not len(left) or not len(right):
        return 0.0
    shared = len(np.intersect1d(left, right, assume_unique=True))
    return shared / (len(left) + len(right) - shared)


def _windows(codes: NDArray[np.uint64], n: int) -> Hashes:
    size = len(codes) - n + 1
    hashes = np.zeros(size, dtype=np.uint64)
    for place in range(n):
        factor = np.uint64(_FACTORS[place % len(_FACTORS)] ^ (place // len(_FACTORS)))
        part = (codes[place : place + size] + np.uint64(1)) * factor
        hashes = (hashes ^ (hashes >> _SHIFT)) * _MIX + part
    hashes = (hashes ^ (hashes >> _SHIFT)) * _MIX
    return hashes ^ (hashes >> _SHIFT)
