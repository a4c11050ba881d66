"""What a text is about as a direction in space, learnt from how people go on after their first words.

Text comes in; out comes a vector of length one, so that the product of two says
how alike two texts are, -1 to 1 (0 and less: nothing alike). Each word (rjieba)
and each pair of Chinese characters has its own vector, and a text is the sum of
those that it holds, each once. Word order, denial and who did what to whom are
not seen. The table `meaning.npz` is made by bench/meaning.py from SmileChat
(CC0): hashes of words that occur in many dialogues and numbers, no text.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import rjieba

from psyllm.text.han import HAN_CLASS

TABLE = Path(__file__).parent / "meaning.npz"
Floats = npt.NDArray[np.float32]

_TELLING = re.compile(rf"[a-z{HAN_CLASS}]")
_HAN_RUN = re.compile(rf"[{HAN_CLASS}]{{2,}}")


class Meanings(NamedTuple):
    """The table: sorted hashes of words, and a row of whole numbers for each; only directions count."""

    hashes: npt.NDArray[np.uint64]
    vectors: npt.NDArray[np.int8]

    def of(self, text: str) -> Floats:
        """Return the vector of a text, of length one, or zeros when no word of it is known."""
        # Whole numbers add up to the same in any order and on any machine.
        total = self.vectors[self._rows(text)].sum(axis=0, dtype=np.int64)
        return unit(total.astype(np.float32))

    def _rows(self, text: str) -> npt.NDArray[np.intp]:
        wanted = np.array([word_hash(word) for word in words_of(text)], np.uint64)
        places = np.searchsorted(self.hashes, wanted)
        places[places == len(self.hashes)] = 0
        known: npt.NDArray[np.intp] = places[self.hashes[places] == wanted]
        return known


def meaning_of(text: str) -> Floats:
    """Return the vector of a text, of length one, or zeros when no word of it is known."""
    return load_meanings().of(text)


def unit(vector: Floats) -> Floats:
    """Return a vector's direction, its length one; zeros stay zeros."""
    length = np.linalg.norm(vector)
    return vector / np.float32(length) if length else vector


def words_of(text: str) -> Iterable[str]:
    """Return the words and the pairs of neighbouring characters of a text, each once."""
    lowered = text.lower()
    words = [word for word in rjieba.cut(lowered) if _TELLING.search(word)]
    pairs = [run[at : at + 2] for run in _HAN_RUN.findall(lowered) for at in range(len(run) - 1)]
    return dict.fromkeys(words + pairs)


def word_hash(word: str) -> int:
    """Return 64 bits that stand for a word, the same in every process."""
    return int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "big")


@functools.cache
def load_meanings(path: Path = TABLE) -> Meanings:
    """Return the table, read once."""
    with np.load(path) as arrays:
        return Meanings(arrays["hashes"], arrays["vectors"])
