import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from made_up import words
from psyllm.text.near_pairs import NearPairs
from psyllm.text.ngrams import char_ngrams, jaccard

texts = st.lists(st.text(alphabet="我你心难", max_size=14), max_size=7)


def by_hand(given_texts, others, least, n):
    return {
        (index, place)
        for index, other in enumerate(others)
        for place, text in enumerate(given_texts)
        if jaccard(char_ngrams(other, n), char_ngrams(text, n)) >= least
    }


@given(texts, texts, st.sampled_from([0.2, 0.5, 0.8, 0.9, 1.0]), st.integers(1, 3))
def test_the_pairs_are_exactly_those_that_comparing_all_would_find(given_texts, others, least, n):
    found = list(NearPairs(given_texts, least, n).find(others))
    assert len(found) == len(set(found))
    assert set(found) == by_hand(given_texts, others, least, n)


@pytest.mark.parametrize("least", [0.6, 0.8])
def test_none_of_many_edited_texts_is_missed(least):
    chance = random.Random(4)
    originals = [words(chance, chance.randint(6, 90)) for _ in range(150)]
    edited = []
    for text in originals:
        place = chance.randrange(len(text))
        edited.append(text[:place] + "甲" + text[place + 1 :] + words(chance, chance.randint(0, 8)))
    expected = by_hand(originals, edited, least, 5)
    assert len(expected) > 40
    assert set(NearPairs(originals, least).find(edited)) == expected


def test_exactly_the_threshold_is_near():
    # Four of five n-grams shared: Jaccard 4/5.
    assert list(NearPairs(["abcdefghi"], 0.8).find(["abcdefgh"])) == [(0, 0)]


def test_nothing_given_and_nothing_asked():
    assert list(NearPairs([], 0.8).find(["我最近总是睡不着"])) == []
    assert list(NearPairs(["我最近总是睡不着"], 0.8).find([])) == []
    assert list(NearPairs(["", "我"], 0.8).find(["", "我"])) == [(1, 1)]
