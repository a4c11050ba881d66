"""95 % intervals of figures, over records.

Three kinds. The percentile bootstrap draws records with replacement and is used
for means and for ratios of sums. Distinct can't be bootstrapped: an answer
drawn twice brings no new n-gram, so every resample would be less diverse than
the sample; its interval comes from the delete-one jackknife. A share of yes and
no has Wilson's interval, for where all say yes a bootstrap would find certainty
in any number of records. In: figures of each record. Out: an `Interval`. None
says anything about other data, other seeds of training or other raters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

CONFIDENCE = 0.95
# At most so many numbers are held at once while resampling (8 bytes each).
NUMBERS_AT_ONCE = 4_000_000
FLOATS = NDArray[np.float64]


class Interval(NamedTuple):
    """A figure with its 95 % interval; the ends are None for fewer than two records."""

    value: float
    low: float | None
    high: float | None

    def scaled(self, factor: float) -> Interval:
        """Return the interval in other units, for a positive factor."""
        ends = (None if end is None else end * factor for end in (self.low, self.high))
        return Interval(self.value * factor, *ends)

    def within(self, least: float, most: float) -> Interval:
        """Return the interval with its ends cut to what the figure can be."""
        ends = (None if end is None else min(max(end, least), most) for end in (self.low, self.high))
        return Interval(self.value, *ends)

    def exponential(self) -> Interval:
        """Return the interval of exp(figure); percentiles keep their places under a rising function."""
        ends = (None if end is None else float(np.exp(end)) for end in (self.low, self.high))
        return Interval(float(np.exp(self.value)), *ends)


def ratio_interval(
    numerators: Sequence[float], denominators: Sequence[float], *, samples: int, seed: int
) -> Interval:
    """Return sum(numerators) / sum(denominators) with its bootstrap interval; one entry a record."""
    above = np.asarray(numerators, dtype=np.float64)
    below = np.asarray(denominators, dtype=np.float64)
    value = float(_ratio(above, below))
    if len(above) < 2:
        return Interval(value, None, None)
    found = stats.bootstrap(
        (above, below),
        _ratio,
        n_resamples=samples,
        batch=max(1, NUMBERS_AT_ONCE // len(above)),
        vectorized=True,
        paired=True,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(value, float(found.low), float(found.high))


def mean_interval(values: Sequence[float], *, samples: int, seed: int) -> Interval:
    """Return the mean with its bootstrap interval; one entry a record."""
    return ratio_interval(values, [1.0] * len(values), samples=samples, seed=seed)


def jackknife_interval(value: float, without_each: Sequence[float] | FLOATS) -> Interval:
    """Return `value` with a normal interval from the figures of all records but one."""
    figures = np.asarray(without_each, dtype=np.float64)
    count = len(figures)
    if count < 2:
        return Interval(value, None, None)
    variance = (count - 1) / count * float(np.square(figures - figures.mean()).sum())
    reach = float(stats.norm.ppf((1 + CONFIDENCE) / 2)) * variance**0.5
    return Interval(value, value - reach, value + reach)


def share_interval(marks: Sequence[bool]) -> Interval:
    """Return the share of true marks with Wilson's interval; one mark a record."""
    if not marks:
        return Interval(0.0, None, None)
    found = stats.binomtest(sum(marks), len(marks)).proportion_ci(CONFIDENCE, method="wilson")
    return Interval(sum(marks) / len(marks), float(found.low), float(found.high))


def _ratio(numerators: FLOATS, denominators: FLOATS, axis: int = -1) -> FLOATS:
    below = denominators.sum(axis=axis)
    ratio: FLOATS = np.divide(
        numerators.sum(axis=axis), below, out=np.zeros_like(below, dtype=np.float64), where=below != 0
    )
    return ratio
