"""Which of some items are known text, by hashes alone: shared runs of Chinese characters, and how they open.

Items come in, and hashes of what is known; for each item goes out whether
enough of its runs are known, or whether it opens as something known does. Runs
are counted in the whole item, in its opening and in each of its texts, since a
known question beside a long new answer is a small share of the whole. Of a
sample of runs an item must share two at least: one alone may be a phrase. It
does not see what is told in other words, nor a short passage among new text,
and reads no files.
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
# Of an opening alone, where there is no sample: 20 characters in a row. Of 4,854 dialogues kept out of
# the training of the same source 52 more share a shorter phrase that is a tenth of their opening.
FEWEST_OF_OPENING = 8
# Of one text these runs are enough whatever its length: 108 characters in a row. By a sample of one in 16
# that takes 7 more of those 4,854; 80 runs would take 35 more (python bench/leaks.py --fingerprints).
MANY_RUNS = 96


class Runs(NamedTuple):
    """Distinct runs of each of some things: the hashes, whose each is, and how many each thing has."""

    hashes: Hashes
    owners: NDArray[np.int64]
    sizes: NDArray[np.int64]

    def sampled(self, sample_bits: int) -> Runs:
        """Return those runs only that a sample would hold."""
        if not sample_bits:
            return self
        taken = in_sample(self.hashes, sample_bits)
        owners = self.owners[taken]
        return Runs(self.hashes[taken], owners, np.bincount(owners, minlength=len(self.sizes)))


class Measured(NamedTuple):
    """Items as numbers: the runs of each as a whole, of its opening, of each of its texts, and how it opens."""

    whole: Runs
    opening: Runs
    texts: Runs
    item_of_text: NDArray[np.int64]
    openings: list[str]


def measured(openings: Sequence[str], texts: Sequence[Sequence[str]]) -> Measured:
    """Return items as numbers; each has one opening and all of its texts."""
    of_texts = _runs_of([text for each in texts for text in each])
    item_of_text = np.repeat(np.arange(len(texts)), [len(each) for each in texts])
    whole = _distinct(of_texts.hashes, item_of_text[of_texts.owners], len(texts))
    return Measured(whole, _runs_of(openings), of_texts, item_of_text, list(openings))


def comparable(items: Measured, sample_bits: int) -> NDArray[np.bool_]:
    """Return which items have enough runs to be found by them, if all of the item is known."""
    sizes = items.whole.sampled(sample_bits).sizes
    enough: NDArray[np.bool_] = sizes >= (FEWEST_OF_SAMPLE if sample_bits else 1)
    return enough


def sharing(
    items: Measured, lots: Iterable[Hashes], least_share: float, sample_bits: int = 0
) -> NDArray[np.bool_]:
    """Return of which items, or of whose openings, at least this share of the runs is known, or many of one text."""
    whole, opening, texts = (each.sampled(sample_bits) for each in (items.whole, items.opening, items.texts))
    distinct = KnownHashes(once_in_order(whole.hashes, opening.hashes))
    seen = np.zeros(len(distinct), dtype=bool)
    for lot in lots:
        seen[distinct.find(lot)[1]] = True

    def hits(runs: Runs) -> NDArray[np.int64]:
        is_known = seen[distinct.find(runs.hashes)[1]]
        return np.bincount(runs.owners[is_known], minlength=len(runs.sizes))

    of_whole, of_opening = hits(whole), hits(opening)
    found = (of_whole >= (FEWEST_OF_SAMPLE if sample_bits else 1)) & (of_whole >= least_share * whole.sizes)
    fewest = FEWEST_OF_SAMPLE if sample_bits else FEWEST_OF_OPENING
    found |= (of_opening >= fewest) & (of_opening >= least_share * opening.sizes)
    found[items.item_of_text[hits(texts) >= max(FEWEST_OF_SAMPLE, MANY_RUNS >> sample_bits)]] = True
    return found


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


def _runs_of(texts: Sequence[str]) -> Runs:
    """Return the distinct runs of each text."""
    found = windows(han_texts(texts), RUN_CHARS)
    owners = np.repeat(np.arange(len(texts)), np.diff(found.borders))
    return _distinct(shortened(found.hashes), owners, len(texts))


def _distinct(hashes: Hashes, owners: NDArray[np.int64], things: int) -> Runs:
    order = np.lexsort((hashes, owners))
    hashes, owners = hashes[order], owners[order]
    is_new = np.ones(len(hashes), dtype=bool)
    is_new[1:] = (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1])
    hashes, owners = hashes[is_new], owners[is_new]
    return Runs(hashes, owners, np.bincount(owners, minlength=things))
