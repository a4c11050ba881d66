"""Which of some items are known text, by hashes alone: shared runs of Chinese characters, and how they open.

Items come in, and hashes of what is known; for each item goes out whether
enough of its runs are known, or whether it opens as something known does. Of a
sample of runs an item must share two at least: one alone may be a phrase. It
does not see what is told in other words, and reads no files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from psyllm.core.fingerprints import RUN_CHARS, in_sample, shortened
from psyllm.text.han import han_only
from psyllm.text.han_windows import han_texts, windows
from psyllm.text.hashed_ngrams import Hashes
from psyllm.text.known_hashes import KnownHashes, once_in_order

FEWEST_OF_SAMPLE = 2


class Measured(NamedTuple):
    """Items as numbers: distinct runs with the item of each, how many runs each has, and how each opens."""

    runs: Hashes
    owners: NDArray[np.int64]
    sizes: NDArray[np.int64]
    openings: list[str]

    def sampled(self, sample_bits: int) -> Measured:
        """Return the items with those runs only that a sample would hold."""
        if not sample_bits:
            return self
        taken = in_sample(self.runs, sample_bits)
        runs, owners = self.runs[taken], self.owners[taken]
        return Measured(runs, owners, np.bincount(owners, minlength=len(self.sizes)), self.openings)


def measured(openings: Sequence[str], texts: Sequence[Sequence[str]]) -> Measured:
    """Return items as numbers; each has one opening and all of its texts."""
    found = windows(han_texts([text for each in texts for text in each]), RUN_CHARS)
    owners = np.repeat(np.arange(len(texts)), [len(each) for each in texts])
    owners = np.repeat(owners, np.diff(found.borders))
    runs = shortened(found.hashes)
    order = np.lexsort((runs, owners))
    runs, owners = runs[order], owners[order]
    is_new = np.ones(len(runs), dtype=bool)
    is_new[1:] = (runs[1:] != runs[:-1]) | (owners[1:] != owners[:-1])
    runs, owners = runs[is_new], owners[is_new]
    return Measured(runs, owners, np.bincount(owners, minlength=len(texts)), list(openings))


def comparable(items: Measured, sample_bits: int) -> NDArray[np.bool_]:
    """Return which items have enough runs to be found by them."""
    enough: NDArray[np.bool_] = items.sampled(sample_bits).sizes >= (FEWEST_OF_SAMPLE if sample_bits else 1)
    return enough


def sharing(
    items: Measured, lots: Iterable[Hashes], least_share: float, sample_bits: int = 0
) -> NDArray[np.bool_]:
    """Return of which items at least this share of the runs is known."""
    items = items.sampled(sample_bits)
    distinct = KnownHashes(once_in_order(items.runs))
    seen = np.zeros(len(distinct), dtype=bool)
    for lot in lots:
        seen[distinct.find(lot)[1]] = True
    is_known = seen[distinct.find(items.runs)[1]]
    hits = np.bincount(items.owners[is_known], minlength=len(items.sizes))
    fewest = FEWEST_OF_SAMPLE if sample_bits else 1
    enough: NDArray[np.bool_] = (hits >= fewest) & (hits >= least_share * items.sizes)
    return enough


def opening_alike(
    items: Measured, known: tuple[set[int], set[int]], opening_chars: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which items open wholly as something known does, and which begin so."""
    beginnings, whole = known
    prints = [opening_print(opening, opening_chars) for opening in items.openings]
    opens = np.array([found is not None and found[1] in whole for found in prints], dtype=bool)
    begins = np.array([found is not None and found[0] in beginnings for found in prints], dtype=bool)
    return opens, begins


def opening_print(opening: str, opening_chars: int) -> tuple[int, int] | None:
    """Return the hashes of an opening's first Chinese characters and of all; None when it has too few."""
    bare = han_only(opening)
    if len(bare) < opening_chars:
        return None
    return _hash(bare[:opening_chars]), _hash(bare)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
