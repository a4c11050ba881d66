"""Agreement against Krippendorff's published examples, shares against hand-worked numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyllm.feedback.agreement import (
    Share,
    alpha_interval,
    krippendorff_alpha,
    raw_agreement,
    weighted_share,
    wilson,
)

# K. Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), sections A, B and C.
MEG, OWEN = "0100000010", "1110010000"
BEN, GERRY = "aabbdcccedda", "babbbcccedd d".replace(" ", "")
FOUR = ("123321412...", "1233224125.3", ".33323422 51.".replace(" ", ""), "12332441251.")


def units(*observers: str) -> list[list[str]]:
    return [[value for value in said if value != "."] for said in zip(*observers, strict=True)]


@pytest.mark.parametrize(("observers", "alpha"), [((MEG, OWEN), 0.095), ((BEN, GERRY), 0.692), (FOUR, 0.743)])
def test_alpha_is_that_of_the_published_examples(observers, alpha):
    assert krippendorff_alpha(units(*observers)) == pytest.approx(alpha, abs=0.0005)


def test_alpha_is_one_for_equal_and_not_defined_for_one_value_or_one_reader():
    assert krippendorff_alpha(units("aabb", "aabb")) == 1
    assert krippendorff_alpha(units("aaaa", "aaaa")) is None
    assert krippendorff_alpha([["a"], ["b"]]) is None
    assert krippendorff_alpha([]) is None


def test_alpha_has_an_interval_around_it():
    found = alpha_interval(units(BEN, GERRY))
    assert found.low < found.value < found.high <= 1
    assert found.of == 12
    assert alpha_interval([]) == (None, None, None, 0)


def test_raw_agreement_counts_the_first_two_and_is_never_certain():
    found = raw_agreement([["a", "a"], ["a", "a"], ["a", "b", "b"], ["b"]])
    assert (found.value, found.of) == (2 / 3, 3)
    certain = raw_agreement([["a", "a"]] * 20)
    assert (certain.value, certain.high) == (1, 1)
    assert certain.low == pytest.approx(0.839, abs=0.001)
    assert raw_agreement([]).value is None


def test_wilson_is_that_of_the_textbook():
    # Newcombe (1998), table I: 81 of 263, and 0 of 20.
    assert wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=0.0001)
    assert wilson(0, 20) == pytest.approx((0, 0.1611), abs=0.0001)


def test_a_share_is_weighted_back_to_the_population():
    # 900 harmless rows, 1 of 10 wrong; 100 dangerous rows, 5 of 10 wrong: 0.9 * 0.1 + 0.1 * 0.5.
    found = weighted_share([Share(1, 10, 900), Share(5, 10, 100), Share(0, 0, 5000)])
    assert found.value == pytest.approx(0.14)
    assert found.of == 20
    # Kish: 1 / (0.81 / 10 + 0.01 / 10) = 12.2 items count.
    assert found[1:3] == pytest.approx(wilson(0.14, 1 / 0.082))
    assert weighted_share([Share(0, 0, 10)]).value is None


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 20), st.integers(1, 10_000)), min_size=1))
def test_a_weighted_share_lies_between_those_of_its_strata(strata):
    shares = [Share(min(hits, read), read, rows) for hits, read, rows in strata]
    found = weighted_share(shares)
    each = [one.hits / one.read for one in shares]
    assert min(each) - 1e-9 <= found.value <= max(each) + 1e-9
    assert 0 <= found.low <= found.value + 1e-9
    assert found.value - 1e-9 <= found.high <= 1
