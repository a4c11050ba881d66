"""Character n-grams as a language model: the simplest peer that a trained model must beat.

In: runs of symbols (characters, and marks where somebody begins to speak). Out:
the bits that an n-gram model with Witten-Bell interpolation needs for each
symbol of another text. A symbol never seen costs an even share of the alphabet.
All counts are exact. Nothing here knows records or files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Symbols: TypeAlias = npt.NDArray[np.int64]
UNKNOWN = 0
MISSING = -1


class Alphabet:
    """Symbols as numbers; 0 is whatever was not seen."""

    def __init__(self, texts: Iterable[Sequence[str]]) -> None:
        seen: set[str] = set()
        for text in texts:
            seen.update(text)
        self._numbers = {symbol: number for number, symbol in enumerate(sorted(seen), start=1)}

    def __len__(self) -> int:
        return len(self._numbers) + 1

    def encode(self, text: Sequence[str]) -> Symbols:
        """Return the numbers of a text's symbols, shape (symbols,)."""
        return np.fromiter((self._numbers.get(symbol, UNKNOWN) for symbol in text), np.int64, len(text))


@dataclass(frozen=True)
class _Level:
    """All n-grams of one length: their keys in order, and of each shorter context how often and with how many followers."""

    keys: Symbols
    counts: Symbols
    seen: Symbols
    followers: Symbols


class CharacterNgrams:
    """An interpolated n-gram model of `order`, learnt from one long run of symbols.

    Source: Witten and Bell 1991, method C: the shorter context weighs as much
    as the longer one had different followers.
    """

    def __init__(self, symbols: Symbols, alphabet: int, order: int) -> None:
        self._alphabet = alphabet
        self._levels: list[_Level] = []
        contexts = np.zeros(len(symbols), dtype=np.int64)
        count = 1
        for length in range(min(order, len(symbols))):
            keys, number, counts = np.unique(
                contexts * alphabet + symbols[length:], return_inverse=True, return_counts=True
            )
            of_context = keys // alphabet
            self._levels.append(
                _Level(
                    keys,
                    counts,
                    np.bincount(of_context, weights=counts, minlength=count).astype(np.int64),
                    np.bincount(of_context, minlength=count),
                )
            )
            contexts, count = number[:-1], len(keys)

    def bits(self, symbols: Symbols) -> npt.NDArray[np.float64]:
        """Return the bits of each symbol given those before it, shape (symbols,)."""
        chances = np.full(len(symbols), 1 / self._alphabet)
        contexts = np.zeros(len(symbols), dtype=np.int64)
        for level in self._levels:
            found, counts = _look_up(level, contexts * self._alphabet + symbols, contexts)
            # a text's last context has no follower
            known = (contexts != MISSING) & (level.seen[contexts] > 0)
            seen, followers = level.seen[contexts[known]], level.followers[contexts[known]]
            chances[known] = (counts[known] + followers * chances[known]) / (seen + followers)
            contexts = np.concatenate(([MISSING], found[:-1]))
        bits: npt.NDArray[np.float64] = -np.log2(chances)
        return bits


def _look_up(level: _Level, keys: Symbols, contexts: Symbols) -> tuple[Symbols, Symbols]:
    """Return the place of each n-gram among the known ones, and how often it was seen."""
    places = np.searchsorted(level.keys, keys).clip(max=len(level.keys) - 1)
    found = (level.keys[places] == keys) & (contexts != MISSING)
    return np.where(found, places, MISSING), np.where(found, level.counts[places], 0)
