"""The nearest of a few thousand texts, in memory.

Entries (key, text) come in once; a query then gives the keys of the nearest
with a score. Ranking is BM25 (bm25s) over words (rjieba) and pairs of
characters, so that a word that the dictionary cuts differently still counts.
The score is the share, 0 to 1, of the query's weight that the entry holds: a
floor on it means "so much of what was asked is in there". Meaning is not
understood: same words, other sense, is a match. Nothing is kept on disk.
"""

from __future__ import annotations

import logging
import math
import re
from collections import Counter
from collections.abc import Container, Sequence
from typing import Any, NamedTuple

import bm25s
import numpy as np
import numpy.typing as npt
import rjieba

from psyllm.text.han import HAN_CLASS

_WORD = re.compile(rf"[0-9a-z{HAN_CLASS}]")
_HAN_RUN = re.compile(rf"[{HAN_CLASS}]{{2,}}")


class Entry(NamedTuple):
    """A text to find under its key."""

    key: str
    text: str


class Match(NamedTuple):
    """A find; `score` is the share of the query's weight that it holds."""

    key: str
    score: float


class NearestTexts:
    """An index over entries that never change."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        # bm25s sets its own logger to DEBUG when imported and would talk into every log.
        logging.getLogger("bm25s").setLevel(logging.WARNING)
        tokens = [_tokens(entry.text) for entry in entries]
        # An entry without words can't be found, and bm25s divides by the mean length.
        kept = [number for number, words in enumerate(tokens) if words]
        self._keys = [entries[number].key for number in kept]
        self._words = [frozenset(tokens[number]) for number in kept]
        frequency = Counter(word for words in self._words for word in words)
        count = len(kept)
        self._weight = {word: _inverse_frequency(number, count) for word, number in frequency.items()}
        self._unknown_weight = _inverse_frequency(0, count)
        self._index: Any = None
        if kept:
            self._index = bm25s.BM25()
            self._index.index([tokens[number] for number in kept], show_progress=False)

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, query: str, k: int = 1, exclude: Container[str] = ()) -> list[Match]:
        """Return at most `k` matches, best first, none without a word in common."""
        words = _tokens(query)
        known = [word for word in words if word in self._weight]
        if not known:
            return []
        ranks: npt.NDArray[np.float32] = self._index.get_scores(known)
        total = sum(self._weight.get(word, self._unknown_weight) for word in words)
        matches: list[Match] = []
        # A stable sort keeps the order of the entries where two rank alike.
        for number in np.argsort(-ranks, kind="stable"):
            if len(matches) == k or ranks[number] <= 0:
                break
            if self._keys[number] not in exclude:
                matches.append(Match(self._keys[number], self._share(words, int(number), total)))
        return matches

    def _share(self, words: list[str], number: int, total: float) -> float:
        held = sum(self._weight[word] for word in words if word in self._words[number])
        return held / total


def _tokens(text: str) -> list[str]:
    lowered = text.lower()
    words = [word for word in rjieba.cut(lowered) if _WORD.search(word)]
    pairs = [run[at : at + 2] for run in _HAN_RUN.findall(lowered) for at in range(len(run) - 1)]
    # A two-character word is a pair as well and counts twice, which is what we want of a word.
    return words + pairs


def _inverse_frequency(texts: int, of_all: int) -> float:
    return math.log(1 + (of_all - texts + 0.5) / (texts + 0.5))
