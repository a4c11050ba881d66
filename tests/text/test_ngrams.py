"""Character n-grams and their Jaccard share."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyllm.text.ngrams import char_ngrams, jaccard


def test_runs_overlap_and_a_short_text_is_its_own_run():
    assert char_ngrams("甲乙丙丁", 3) == {"甲乙丙", "乙丙丁"}
    assert char_ngrams("甲乙", 5) == {"甲乙"}
    assert char_ngrams("", 5) == frozenset()


def test_jaccard_by_hand():
    assert jaccard({"a", "b", "c"}, {"b", "c", "d"}) == pytest.approx(2 / 4)
    assert jaccard(set(), set()) == 0.0
    assert jaccard({"a"}, set()) == 0.0


@given(st.text(min_size=1), st.text(min_size=1), st.integers(1, 6))
def test_jaccard_is_symmetric_within_bounds_and_one_for_equal_texts(left, right, n):
    first, second = char_ngrams(left, n), char_ngrams(right, n)
    assert jaccard(first, second) == jaccard(second, first)
    assert 0 <= jaccard(first, second) <= 1
    assert jaccard(first, first) == 1
