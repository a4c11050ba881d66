"""A number for a text from learnt weights of its pairs and triples of characters: fast and without understanding.

A text comes in; the mean weight of its character n-grams goes out, above zero
for the kind of text that a table was fitted to find. Tables (`*.npz` beside
this file: one small whole number a bucket, a scale and a bias) are made by
the scripts in `bench/` and hold numbers only. What a score leads to is decided by its callers.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Buckets = NDArray[np.uint32]
BITS = 16
# More of one text tells nothing new, and a record may be 50 MB long.
MOST_CHARS = 20_000
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


def buckets(text: str) -> Buckets:
    """Return the buckets of the pairs and, behind them, of the triples of characters."""
    codes = np.frombuffer(text[:MOST_CHARS].encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    codes = np.minimum(codes, _FIRST_PICTURE)  # one picture is like another
    pairs = ((codes[:-1] * _FIRST) ^ (codes[1:] + _SECOND)) * _SECOND
    triples = (pairs[:-1] ^ (codes[2:] + _THIRD)) * _THIRD
    return np.concatenate((pairs, triples)) >> _DOWN


@functools.cache
def load_score(path: Path) -> LinearScore:
    """Return the table of a file."""
    with np.load(path, allow_pickle=False) as stored:
        return LinearScore(stored["weights"], float(stored["scale"]), float(stored["bias"]))
