"""Rows of equal length for training, filled with little or no padding.

In: token ids, with labels or without. Out: `Rows` for the model. Two ways:
`pack_blocks` puts whole dialogues beside each other, each at positions from 0
and blind to its neighbours; `pack_wrapped` joins texts and cuts the chain.
The first token of a block is never learnt, for nothing before it belongs to it.
Rows of which nothing is learnt are left out: a step of such rows alone would have
no loss. Nothing here shuffles, and nothing that is learnt is cropped.

The model must be called with `position_ids`, `use_cache=False` and *no*
attention mask: only then does transformers see from the positions where a
block begins (an all-ones mask or a cache silently lets blocks see each other).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from psyllm.lm.template import NOT_LEARNT, Example

Ints: TypeAlias = npt.NDArray[np.int32]


class Rows(NamedTuple):
    """Three arrays of shape (rows, length): tokens, what is learnt of them, places in their block."""

    ids: Ints
    labels: Ints
    positions: Ints

    @property
    def learnt_tokens(self) -> int:
        """How many labels count in the loss."""
        return int((self.labels != NOT_LEARNT).sum())

    def sample(self, most: int, seed: int) -> Rows:
        """Return at most so many rows, chosen by the seed."""
        if len(self.ids) <= most:
            return self
        return self.take(np.sort(np.random.default_rng(seed).permutation(len(self.ids))[:most]))

    def take(self, indices: Sequence[int] | npt.NDArray[np.int64]) -> Rows:
        """Return some of the rows."""
        return Rows(self.ids[indices], self.labels[indices], self.positions[indices])


def pack_blocks(examples: Sequence[Example], length: int, pad: int) -> Rows:
    """Return rows of whole examples, best fit decreasing; the same for the same examples.

    Padding stands at a row's end as a block of its own.
    """
    longest_first = sorted(range(len(examples)), key=lambda index: (-len(examples[index].ids), index))
    rows: list[list[Example]] = []
    room: list[tuple[int, int]] = []  # (tokens free, row), sorted
    for index in longest_first:
        example = examples[index]
        place = bisect_left(room, (len(example.ids), -1))
        if place < len(room):
            free, row = room.pop(place)
        else:
            free, row = length, len(rows)
            rows.append([])
        rows[row].append(example)
        insort(room, (free - len(example.ids), row))
    return _fill(rows, length, pad)


def pack_wrapped(texts: Iterable[list[int]], length: int, pad: int) -> Rows:
    """Return rows cut from one chain of texts; all tokens but each row's first are learnt.

    <|end|> between texts is theirs.
    """
    tokens = list(chain.from_iterable(texts))
    starts = range(0, len(tokens), length)
    rows = [[Example(part, part)] for part in (tokens[start : start + length] for start in starts)]
    return _fill(rows, length, pad)


def join(first: Rows, second: Rows) -> Rows:
    """Return the rows of both, in order."""
    return Rows(*(np.concatenate(pair) for pair in zip(first, second, strict=True)))


def _fill(rows: Sequence[Sequence[Example]], length: int, pad: int) -> Rows:
    shape = (len(rows), length)
    ids = np.full(shape, pad, dtype=np.int32)
    labels = np.full(shape, NOT_LEARNT, dtype=np.int32)
    positions = np.zeros(shape, dtype=np.int32)
    for number, row in enumerate(rows):
        start = 0
        for example in row:
            end = start + len(example.ids)
            ids[number, start:end] = example.ids
            labels[number, start + 1 : end] = example.labels[1:]
            positions[number, start:end] = np.arange(end - start)
            start = end
        positions[number, start:] = np.arange(length - start)
    return Rows(ids, labels, positions).take(np.flatnonzero((labels != NOT_LEARNT).any(axis=1)))
