"""How far reviewers agree, and what their sample says of the whole.

Decisions by item and strata with their populations come in; Krippendorff's
alpha, shares and their 95 % intervals go out. A sample that takes more of some
strata is weighted back to the population; strata of which nobody has read
anything are named as not covered and not guessed. Nothing here reads a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
SEED = 20261125
# The 97.5 % point of the normal distribution, for 95 % intervals.
Z = 1.959963984540054


class Estimate(NamedTuple):
    """A figure with its 95 % interval; None where it can't be computed. `of` is how many items it is from."""

    value: float | None
    low: float | None
    high: float | None
    of: int


class Share(NamedTuple):
    """A stratum's share of some verdicts: `hits` of `read` items, standing for `population` rows."""

    hits: int
    read: int
    population: int


def krippendorff_alpha(units: Sequence[Sequence[str]]) -> float | None:
    """Return Krippendorff's alpha for nominal values; a unit is what was said of one item, by whomever.

    None where it is not defined: no item was judged twice, or all say the same.
    Source: K. Krippendorff, Computing Krippendorff's Alpha-Reliability (2011).
    """
    counts = _counts(units)
    return None if counts is None else _alpha(counts)


def alpha_interval(units: Sequence[Sequence[str]]) -> Estimate:
    """Return alpha with its percentile bootstrap interval over items."""
    counts = _counts(units)
    if counts is None:
        return Estimate(None, None, None, 0)
    chance = np.random.default_rng(SEED)
    drawn = (counts[chance.integers(0, len(counts), len(counts))] for _ in range(RESAMPLES))
    found = [alpha for alpha in map(_alpha, drawn) if alpha is not None]
    value = _alpha(counts)
    if value is None or len(counts) < 2 or not found:
        return Estimate(value, None, None, len(counts))
    low, high = np.quantile(found, [0.025, 0.975]).tolist()
    return Estimate(value, low, high, len(counts))


def raw_agreement(units: Sequence[Sequence[str]]) -> Estimate:
    """Return the share of items whose first two judgements are equal, with Wilson's interval.

    Not a bootstrap's: where all agree that would find certainty in any number of items.
    """
    judged = [unit[:2] for unit in units if len(unit) > 1]
    equal = sum(first == second for first, second in judged)
    if not judged:
        return Estimate(None, None, None, 0)
    return Estimate(equal / len(judged), *wilson(equal / len(judged), len(judged)), len(judged))


def wilson(share: float, count: float) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share of `count` items."""
    middle = (share + Z**2 / (2 * count)) / (1 + Z**2 / count)
    reach = Z / (1 + Z**2 / count) * (share * (1 - share) / count + Z**2 / (4 * count**2)) ** 0.5
    return max(0.0, middle - reach), min(1.0, middle + reach)


def weighted_share(strata: Sequence[Share]) -> Estimate:
    """Return the share in the population that the read strata stand for, with Wilson's interval.

    The interval is that of Kish's effective number of items, 1 / sum(weight^2 / read).
    """
    read = [one for one in strata if one.read and one.population]
    whole = sum(one.population for one in read)
    if not read:
        return Estimate(None, None, None, 0)
    weights = [one.population / whole for one in read]
    share = sum(weight * one.hits / one.read for weight, one in zip(weights, read, strict=True))
    effective = 1 / sum(weight**2 / one.read for weight, one in zip(weights, read, strict=True))
    return Estimate(share, *wilson(share, effective), sum(one.read for one in read))


def _counts(units: Sequence[Sequence[str]]) -> NDArray[np.float64] | None:
    """Return how often each value was given to each item that was judged twice or more: (item, value)."""
    judged = [unit for unit in units if len(unit) > 1]
    values = sorted({value for unit in judged for value in unit})
    if not judged:
        return None
    return np.array([[unit.count(value) for value in values] for unit in judged], dtype=np.float64)


def _alpha(counts: NDArray[np.float64]) -> float | None:
    said = counts.sum(axis=1)
    total = float(said.sum())
    # The diagonal of the coincidence matrix: pairs of equal values within an item.
    equal = float((counts * (counts - 1) / (said - 1)[:, None]).sum())
    by_chance = total**2 - float(np.square(counts.sum(axis=0)).sum())
    return None if by_chance == 0 else 1 - (total - 1) * (total - equal) / by_chance
