"""Intervals hold the figure, cover the truth about as often as they say, and repeat."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psyllm.evaluate.distinct import count_grams, distinct, distinct_without_each
from psyllm.evaluate.intervals import (
    Interval,
    jackknife_interval,
    mean_interval,
    ratio_interval,
    share_interval,
)

VALUES = st.lists(st.floats(0, 100, allow_nan=False), min_size=5, max_size=40)


@settings(deadline=None)
@given(VALUES)
def test_a_bootstrap_interval_holds_the_mean(values):
    found = mean_interval(values, samples=400, seed=7)
    assert found.value == pytest.approx(np.mean(values))
    assert found.low <= found.value + 1e-9
    assert found.value - 1e-9 <= found.high


def test_it_equals_percentiles_of_resampled_means_by_hand():
    values = np.random.default_rng(1).normal(10, 3, size=60)
    places = np.random.default_rng(2).integers(60, size=(20000, 60))
    low, high = np.percentile(values[places].mean(axis=1), [2.5, 97.5])
    found = mean_interval(list(values), samples=20000, seed=3)
    assert found.low == pytest.approx(low, abs=0.03)
    assert found.high == pytest.approx(high, abs=0.03)


def test_a_mean_is_covered_about_as_often_as_promised():
    random = np.random.default_rng(20261123)
    held = 0
    for seed in range(300):
        found = mean_interval(list(random.exponential(5, size=50)), samples=300, seed=seed)
        held += found.low <= 5 <= found.high
    assert 0.88 <= held / 300 <= 0.98


def test_a_ratio_weighs_records_by_their_size():
    found = ratio_interval([1.0, 30.0], [1.0, 10.0], samples=100, seed=1)
    assert found.value == pytest.approx(31 / 11)
    assert found.low == pytest.approx(1)
    assert found.high == pytest.approx(3)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another():
    values = [1.0, 5.0, 2.0, 8.0, 3.0, 9.0]
    assert mean_interval(values, samples=200, seed=1) == mean_interval(values, samples=200, seed=1)
    assert mean_interval(values, samples=200, seed=1) != mean_interval(values, samples=200, seed=2)


@pytest.mark.parametrize(("values", "mean"), [([], 0.0), ([4.0], 4.0)])
def test_one_record_has_no_interval(values, mean):
    assert mean_interval(values, samples=100, seed=1) == Interval(mean, None, None)
    assert jackknife_interval(mean, values) == Interval(mean, None, None)


def test_the_exponential_keeps_the_places_of_the_ends():
    found = Interval(1.0, 0.0, 2.0).exponential()
    assert found == pytest.approx((np.e, 1.0, np.e**2))
    assert Interval(1.0, None, None).exponential().low is None


def test_the_jackknife_of_a_mean_is_its_textbook_interval():
    values = np.random.default_rng(5).normal(10, 3, size=80)
    without = (values.sum() - values) / 79
    found = jackknife_interval(float(values.mean()), without)
    reach = 1.959964 * values.std(ddof=1) / 80**0.5
    assert (found.low, found.high) == pytest.approx((values.mean() - reach, values.mean() + reach))


def test_variety_is_covered_by_the_jackknife_but_not_by_resampling():
    # Answers from one source of 300 characters with falling frequencies (Zipf).
    random = np.random.default_rng(20261123)
    shares = 1 / np.arange(1, 301)
    shares /= shares.sum()

    def answers():
        drawn = random.choice(300, size=(40, 60), p=shares)
        return ["".join(chr(0x4E00 + code) for code in row) for row in drawn]

    def variety(texts):
        return distinct(count_grams(texts, n=1, unit="chars"), per="ngram")

    truth = np.mean([variety(answers()) for _ in range(60)])
    held = 0
    resampled_held = 0
    for _ in range(40):
        texts = answers()
        grams = count_grams(texts, n=1, unit="chars")
        found = jackknife_interval(variety(texts), distinct_without_each(grams, per="ngram"))
        held += found.low <= truth <= found.high
        again = [variety([texts[place] for place in random.integers(40, size=40)]) for _ in range(25)]
        resampled_held += np.percentile(again, 2.5) <= truth <= np.percentile(again, 97.5)
    assert held / 40 >= 0.85
    assert resampled_held / 40 < 0.5


def test_a_share_of_all_is_still_uncertain():
    # Wilson's interval for 40 of 40 and z = 1.959964: low = n / (n + z²).
    found = share_interval([True] * 40)
    assert found.value == 1
    assert found.low == pytest.approx(40 / (40 + 1.959964**2))
    assert found.high == pytest.approx(1)
    assert share_interval([]) == Interval(0.0, None, None)


def test_ends_are_cut_to_what_a_figure_can_be():
    assert Interval(0.9, -0.1, 1.2).within(0, 1) == Interval(0.9, 0, 1)
    assert Interval(0.9, None, None).within(0, 1) == Interval(0.9, None, None)
