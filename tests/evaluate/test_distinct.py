"""Distinct-n against numbers worked by hand, a plain count, and its properties."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psyllm.evaluate.distinct import count_grams, distinct, distinct_without_each, expected_types
from psyllm.evaluate.units import split_units

ANSWERS = st.lists(st.text(alphabet="我你他很难过想人说，。 ", max_size=25), max_size=8)
N = st.sampled_from([1, 2])
UNIT = st.sampled_from(["chars", "words"])
PER = st.sampled_from(["ngram", "unit"])


def plainly(answers, n, unit, per):
    pieces = [split_units(answer, unit) for answer in answers]
    grams = [tuple(units[at : at + n]) for units in pieces for at in range(len(units) - n + 1)]
    total = len(grams) if per == "ngram" else sum(map(len, pieces))
    return len(set(grams)) / total if total else 0


def test_a_hand_worked_pair_with_both_denominators():
    # 我很好 and 我很累: 6 characters, 4 kinds; 4 bigrams (我很 twice), 3 kinds.
    answers = ["我很好", "我很累"]
    assert distinct(count_grams(answers, n=1, unit="chars"), per="ngram") == pytest.approx(4 / 6)
    bigrams = count_grams(answers, n=2, unit="chars")
    assert distinct(bigrams, per="ngram") == pytest.approx(3 / 4)
    assert distinct(bigrams, per="unit") == pytest.approx(3 / 6)


def test_a_bigram_never_crosses_into_the_next_answer():
    assert count_grams(["我", "很"], n=2, unit="chars").ngrams.tolist() == [0, 0]
    assert count_grams(["我很"], n=2, unit="chars").ngrams.tolist() == [1]


def test_words_are_counted_as_words():
    # 今天 很 难过, 昨天 很 难过: 4 kinds of 6 words.
    grams = count_grams(["今天很难过", "昨天很难过"], n=1, unit="words")
    assert distinct(grams, per="unit") == pytest.approx(4 / 6)


def test_nothing_said_is_no_variety():
    for answers in ([], [""], ["", " "]):
        grams = count_grams(answers, n=2, unit="chars")
        assert distinct(grams, per="ngram") == 0
        assert distinct_without_each(grams, per="ngram").tolist() == [0] * len(answers)


@settings(deadline=None)
@given(ANSWERS, N, UNIT, PER)
def test_it_equals_a_plain_count(answers, n, unit, per):
    assert distinct(count_grams(answers, n=n, unit=unit), per=per) == pytest.approx(
        plainly(answers, n, unit, per)
    )


@settings(deadline=None)
@given(ANSWERS, UNIT)
def test_both_denominators_are_the_same_for_one_gram(answers, unit):
    grams = count_grams(answers, n=1, unit=unit)
    assert distinct(grams, per="ngram") == distinct(grams, per="unit")


@settings(deadline=None)
@given(ANSWERS, N, UNIT, PER)
def test_leaving_one_out_equals_counting_the_others(answers, n, unit, per):
    found = distinct_without_each(count_grams(answers, n=n, unit=unit), per=per)
    plain = [plainly(answers[:at] + answers[at + 1 :], n, unit, per) for at in range(len(answers))]
    assert found.tolist() == pytest.approx(plain)


@settings(deadline=None)
@given(ANSWERS.filter(bool), N, UNIT, PER)
def test_saying_all_twice_never_raises_it(answers, n, unit, per):
    once = distinct(count_grams(answers, n=n, unit=unit), per=per)
    twice = distinct(count_grams(answers + answers, n=n, unit=unit), per=per)
    assert 0 <= twice <= once <= 1


def test_expected_types_equal_the_mean_over_every_choice():
    grams = count_grams(["甲乙甲丙丁甲乙"], n=1, unit="chars")
    for size in range(1, 8):
        choices = list(itertools.combinations(grams.codes.tolist(), size))
        mean = math.fsum(len(set(choice)) for choice in choices) / len(choices)
        assert expected_types(grams, size) == pytest.approx(mean)


def test_all_or_more_than_all_holds_every_kind():
    grams = count_grams(["我很好我很好"], n=1, unit="chars")
    assert expected_types(grams, 6) == 3
    assert expected_types(grams, 600) == 3


def test_a_large_vocabulary_keeps_bigrams_apart():
    random = np.random.default_rng(1)
    text = "".join(chr(0x4E00 + code) for code in random.integers(3000, size=20000))
    found = distinct(count_grams([text], n=2, unit="chars"), per="ngram")
    assert found == plainly([text], 2, "chars", "ngram")
