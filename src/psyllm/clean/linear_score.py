"""A number for a text from learnt weights of its pairs and triples of characters: fast and without understanding.

A text comes in; the mean weight of its character n-grams goes out, above zero
for the kind of text that a table was fitted to find. Tables (`*.npz` beside
this file: one small whole number a bucket, a scale and a bias) are made by
the scripts in `bench/` and hold numbers only. What a score leads to is decided by its callers.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Buckets = NDArray[np.uint32]
BITS = 16
# More of one text tells nothing new, and a record may be 50 MB long.
MOST_CHARS = 20_000
CHARS_AT_ONCE = 1 << 14
_FIRST, _SECOND, _THIRD = (
    np.uint32(0x9E3779B1),
    np.uint32(0x85EBCA77),
    np.uint32(0xC2B2AE3D),
)  # xxHash's primes
_FIRST_PICTURE = np.uint32(0x1F000)
_DOWN = np.uint32(32 - BITS)


class LinearScore(NamedTuple):
    """Weights by bucket, the size of one weight, and what an empty text would score."""

    weights: NDArray[np.int8]
    scale: float
    bias: float

    def of(self, text: str) -> float:
        """Return the score of a text; the bias for one shorter than two characters."""
        found = buckets(text)
        if not len(found):
            return self.bias
        total = int(self.weights.take(found, mode="clip").sum(dtype=np.int64))
        return self.bias + self.scale * total / len(found)

    def of_all(self, texts: Sequence[str]) -> list[float]:
        """Return the score of each text, the same as `of` gives, from a look at all of them at once."""
        scores: list[float] = []
        for lot in _lots([text[:MOST_CHARS] for text in texts]):
            lengths = np.array([len(text) for text in lot], dtype=np.int64)
            ends = np.cumsum(lengths)
            starts = ends - lengths
            pairs, triples = _pairs_and_triples("".join(lot))
            totals = self._sums(pairs, starts, np.maximum(ends - 1, starts))
            totals += self._sums(triples, starts, np.maximum(ends - 2, starts))
            counts = np.maximum(lengths - 1, 0) + np.maximum(lengths - 2, 0)
            for total, count in zip(totals.tolist(), counts.tolist(), strict=True):
                scores.append(self.bias + self.scale * total / count if count else self.bias)
        return scores

    def _sums(self, found: Buckets, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the sum of the weights of each stretch."""
        sums = np.zeros(len(found) + 1, dtype=np.int64)
        np.cumsum(self.weights.take(found, mode="clip"), dtype=np.int64, out=sums[1:])
        last = len(found)
        stretches: NDArray[np.int64] = sums[np.minimum(ends, last)] - sums[np.minimum(starts, last)]
        return stretches


def buckets(text: str) -> Buckets:
    """Return the buckets of the pairs and, behind them, of the triples of characters."""
    return np.concatenate(_pairs_and_triples(text[:MOST_CHARS]))


def _pairs_and_triples(text: str) -> tuple[Buckets, Buckets]:
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    codes = np.minimum(codes, _FIRST_PICTURE)  # one picture is like another
    pairs = ((codes[:-1] * _FIRST) ^ (codes[1:] + _SECOND)) * _SECOND
    triples = (pairs[:-1] ^ (codes[2:] + _THIRD)) * _THIRD
    return pairs >> _DOWN, triples >> _DOWN


def _lots(texts: Sequence[str]) -> Iterator[list[str]]:
    """Yield the texts in lots that the arrays of a few megabytes hold."""
    lot: list[str] = []
    chars = 0
    for text in texts:
        if lot and chars + len(text) > CHARS_AT_ONCE:
            yield lot
            lot, chars = [], 0
        lot.append(text)
        chars += len(text)
    if lot:
        yield lot


@functools.cache
def load_score(path: Path) -> LinearScore:
    """Return the table of a file."""
    with np.load(path, allow_pickle=False) as stored:
        return LinearScore(stored["weights"], float(stored["scale"]), float(stored["bias"]))
