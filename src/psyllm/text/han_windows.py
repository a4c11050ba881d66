"""Every run of n Chinese characters as a number, for very much text.

Texts come in, as Python strings or as the bytes of an Arrow column; the hashes
of all runs go out in order, with repetitions, and how many each text has. All
that is not Chinese (white space, punctuation, digits, Latin letters) is passed
over first, and no run reaches from one text into the next. A text with fewer
characters has no run. Traditional and simplified characters differ. Two
different runs share a hash about once in 10^19 pairs.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from psyllm.text.han import HAN_CLASS
from psyllm.text.hashed_ngrams import Hashes

_BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2^64
_MIX = np.uint64(0xFF51AFD7ED558CCD)  # the finaliser of MurmurHash3
_SHIFT = np.uint64(33)
_CODES = 0x110000
# Powers of the base are made for so many characters at a time.
_PIECE_CHARS = 1 << 18


class HanTexts(NamedTuple):
    """The Chinese characters of texts, joined; text i is `codes[borders[i]:borders[i + 1]]`."""

    codes: NDArray[np.uint32]
    borders: NDArray[np.int64]


class Windows(NamedTuple):
    """The runs of texts in order; those of text i are `hashes[borders[i]:borders[i + 1]]`."""

    hashes: Hashes
    borders: NDArray[np.int64]


def han_texts(texts: Sequence[str]) -> HanTexts:
    """Return the Chinese characters of texts."""
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    return _han_alone(codes, np.cumsum([0, *(len(text) for text in texts)]))


def han_texts_of_bytes(utf8: bytes, borders: NDArray[np.int64]) -> HanTexts:
    """Return the Chinese characters of texts that stand one after the other in UTF-8; borders are in bytes."""
    raw = np.frombuffer(utf8, dtype=np.uint8)
    begins = np.concatenate(([0], np.cumsum((raw & 0xC0) != 0x80)))
    codes = np.frombuffer(utf8.decode("utf-8").encode("utf-32-le"), dtype=np.uint32)
    return _han_alone(codes, begins[borders])


def windows(texts: HanTexts, n: int) -> Windows:
    """Return the hashes of all runs of n characters."""
    codes, borders = texts
    if len(codes) < n:
        return Windows(np.empty(0, dtype=np.uint64), np.zeros(len(borders), dtype=np.int64))
    inside = np.ones(len(codes) - n + 1, dtype=bool)
    for back in range(1, n):  # a run may not begin in the last n - 1 characters of a text
        places = borders[1:] - back
        places = places[(places >= borders[:-1]) & (places < len(inside))]
        inside[places] = False
    before = np.concatenate(([0], np.cumsum(inside)))
    return Windows(_hashes(codes, n)[inside], before[np.minimum(borders, len(inside))])


def _han_alone(codes: NDArray[np.uint32], borders: NDArray[np.int64]) -> HanTexts:
    is_han = _is_han()[codes]
    before = np.concatenate(([0], np.cumsum(is_han)))
    return HanTexts(codes[is_han], before[borders].astype(np.int64))


def _hashes(codes: NDArray[np.uint32], n: int) -> Hashes:
    """Return a polynomial hash of each run, by differences of running sums modulo 2^64."""
    powers, inverses = _powers()
    pieces = []
    for start in range(0, len(codes) - n + 1, _PIECE_CHARS - n + 1):
        piece = codes[start : start + _PIECE_CHARS].astype(np.uint64)
        piece = (piece + np.uint64(1)) * _MIX
        piece ^= piece >> _SHIFT
        sums = np.zeros(len(piece) + 1, dtype=np.uint64)
        np.cumsum(piece * powers[: len(piece)], out=sums[1:])
        found = (sums[n:] - sums[:-n]) * inverses[: len(piece) - n + 1]
        found = (found ^ (found >> _SHIFT)) * _MIX
        pieces.append(found ^ (found >> _SHIFT))
    return np.concatenate(pieces)


@functools.cache
def _powers() -> tuple[Hashes, Hashes]:
    return _powers_of(_BASE), _powers_of(pow(_BASE, -1, 1 << 64))


def _powers_of(factor: int) -> Hashes:
    factors = np.full(_PIECE_CHARS + 1, np.uint64(factor), dtype=np.uint64)
    factors[0] = 1
    return np.cumprod(factors, dtype=np.uint64)


@functools.cache
def _is_han() -> NDArray[np.bool_]:
    table = np.zeros(_CODES, dtype=bool)
    for first, last in re.findall("(.)-(.)", HAN_CLASS):
        table[ord(first) : ord(last) + 1] = True
    table[ord("\u3007")] = True
    return table
