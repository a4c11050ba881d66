"""Which of very many texts may be near duplicates, by MinHash and banding.

N-gram sets come in, a row of 16 band keys for each text goes out; texts that
share a key are candidates. Candidates are guesses: with 128 permutations in 16
bands of 8, pairs from Jaccard 0.8 to 0.9 are found in about 98 of 100 cases and
pairs above that always (measured on Chinese counselling texts), while half of
the pairs at 0.6 come along too. So callers check each candidate, and where no
pair may be missed they use `near_pairs.py` instead.

rensa's exact digest is used. Its faster "rho" digest found 22 of 100 pairs
above 0.9 and must not be.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from rensa import RMinHash

from psyllm.text.hashed_ngrams import NgramSets

PERMUTATIONS = 128
BANDS = 16
ROWS = PERMUTATIONS // BANDS
SEED = 20261123
_FACTORS = np.array([pow(0x9E3779B97F4A7C15, row + 1, 1 << 64) for row in range(ROWS)], dtype=np.uint64)
# In a crowd of texts that share one key each is compared with so many before it; texts that are
# all alike are joined by the first of these comparisons already.
MOST_COMPARED = 32


def band_keys(sets: NgramSets) -> NDArray[np.uint64]:
    """Return the keys of each text, shape (texts, bands); all texts without n-grams have the same."""
    borders = [int(border) for border in sets.borders]
    digests = RMinHash.digest_matrix_from_flat_token_hashes(
        sets.hashes, borders, PERMUTATIONS, SEED
    ).to_rows()
    rows = np.array(digests, dtype=np.uint64).reshape(-1, BANDS, ROWS)
    keys: NDArray[np.uint64] = (rows * _FACTORS).sum(axis=2, dtype=np.uint64)
    return keys


def crowds(keys: NDArray[np.uint64], taken: NDArray[np.bool_]) -> Iterator[NDArray[np.int64]]:
    """Yield the places of the taken texts that share a key of one band, in order, two or more at a time."""
    indices = np.flatnonzero(taken)
    column = keys[indices]
    order = np.argsort(column, kind="stable")
    ordered = column[order]
    edges = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1], [True])))
    several = np.flatnonzero(np.diff(edges) > 1)
    for start, end in zip(edges[several].tolist(), edges[several + 1].tolist(), strict=True):
        yield indices[order[start:end]]


def pairs(crowd: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield (earlier, later) of a crowd: each with so many before it."""
    for place, later in enumerate(crowd):
        for earlier in crowd[max(0, place - MOST_COMPARED) : place]:
            yield earlier, later
