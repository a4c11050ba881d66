"""Distinct-n: how many different n-grams a set of answers uses.

In: answers. Out: the counts, with both denominators in use: all n-grams of the
answers (as the paper's prose says, and the metric's first description, Li et
al. 2016, https://arxiv.org/abs/1510.03055), or all units, characters or words
(as the paper's formula is printed). For n = 1 the two are the same number. An
n-gram never crosses from one answer into the next. Distinct falls as text grows, so only
figures over equal amounts of text compare; `expected_types` says how many
different n-grams a smaller random share of the same n-grams would hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from psyllm.evaluate.units import Unit, split_units

FLOATS = NDArray[np.float64]


class Grams(NamedTuple):
    """The n-grams of some answers.

    `codes` and `owners` have one entry an n-gram: its number and the answer it
    stands in. `ngrams` and `units` have one entry an answer: how many it holds.
    """

    codes: NDArray[np.int64]
    owners: NDArray[np.int64]
    ngrams: NDArray[np.int64]
    units: NDArray[np.int64]


def count_grams(answers: Sequence[str], *, n: int, unit: Unit) -> Grams:
    """Return the n-grams of the answers, for n = 1 or 2."""
    numbers: dict[str, int] = {}
    codes, owners, ngrams, units = [], [], [], []
    for owner, answer in enumerate(answers):
        pieces = split_units(answer, unit)
        ids = np.array([numbers.setdefault(piece, len(numbers)) for piece in pieces], dtype=np.int64)
        # Two numbers below 2**32 share one integer, so that a bigram is compared at once.
        found = ids if n == 1 else (ids[:-1] << 32) | ids[1:]
        codes.append(found)
        owners.append(np.full(len(found), owner, dtype=np.int64))
        ngrams.append(len(found))
        units.append(len(pieces))
    empty = np.empty(0, dtype=np.int64)
    return Grams(
        np.concatenate([empty, *codes]),
        np.concatenate([empty, *owners]),
        np.array(ngrams, dtype=np.int64),
        np.array(units, dtype=np.int64),
    )


def distinct(grams: Grams, *, per: str) -> float:
    """Return different n-grams divided by all n-grams (`per` ngram) or by all units (`per` unit)."""
    total = int(_denominators(grams, per).sum())
    return len(np.unique(grams.codes)) / total if total else 0.0


def distinct_without_each(grams: Grams, *, per: str) -> FLOATS:
    """Return Distinct of all answers but one, for each answer left out: (answers,)."""
    _, kinds = np.unique(grams.codes, return_inverse=True)
    pairs = np.unique(np.stack([kinds, grams.owners]), axis=1)
    holders = np.bincount(pairs[0], minlength=1)
    only_there = pairs[1][holders[pairs[0]] == 1]
    lost = np.bincount(only_there, minlength=len(grams.ngrams))
    denominators = _denominators(grams, per)
    remaining = denominators.sum() - denominators
    types = len(holders) - lost if len(grams.codes) else np.zeros(len(grams.ngrams))
    found: FLOATS = np.divide(types, remaining, out=np.zeros(len(grams.ngrams)), where=remaining > 0)
    return found


def expected_types(grams: Grams, size: int) -> float:
    """Return how many different n-grams `size` of them, drawn without return, hold on average.

    Hurlbert's rarefaction: the sum over kinds of 1 - C(all - count, size) / C(all, size).
    """
    _, counts = np.unique(grams.codes, return_counts=True)
    everything = len(grams.codes)
    if size >= everything:
        return float(len(counts))
    others = everything - counts
    possible = others >= size
    logs = (
        gammaln(others[possible] + 1)
        - gammaln(others[possible] - size + 1)
        - gammaln(everything + 1)
        + gammaln(everything - size + 1)
    )
    return float(len(counts) - np.exp(logs).sum())


def _denominators(grams: Grams, per: str) -> NDArray[np.int64]:
    return grams.ngrams if per == "ngram" else grams.units
