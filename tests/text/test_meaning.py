"""The vectors of texts and the table that they are made of."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyllm.text.meaning import TABLE, load_meanings, meaning_of, unit, word_hash, words_of

TROUBLES = {
    "job": "找不到工作，越投越没信心",
    "affair": "老公出轨了，离还是不离",
    "exam": "快高考了，压力大得想哭",
    "sleep": "晚上睡不着，越急越清醒",
}


@pytest.mark.parametrize(
    ("asked", "trouble"),
    [
        ("找工作压力好大", "job"),
        ("投了很多简历都没有回音", "job"),
        ("丈夫出轨了还该挽回吗", "affair"),
        ("妻子背叛了我们的婚姻", "affair"),
        ("高考前的恐惧", "exam"),
        ("总是失眠，凌晨还醒着", "sleep"),
    ],
)
def test_other_words_for_the_same_trouble_lie_nearest_to_it(asked, trouble):
    alike = {name: float(meaning_of(asked) @ meaning_of(text)) for name, text in TROUBLES.items()}
    assert max(alike, key=alike.__getitem__) == trouble
    assert alike[trouble] > 0.3


def test_different_troubles_are_hardly_alike():
    for one, other in itertools.combinations(TROUBLES.values(), 2):
        assert meaning_of(one) @ meaning_of(other) < 0.3


@pytest.mark.parametrize("text", ["", " \n", "，。！", "12345", "zebra quux"])
def test_a_text_of_no_known_word_has_no_direction(text):
    vector = meaning_of(text)
    assert vector.dtype == np.float32
    assert not vector.any()


@given(st.text())
def test_a_vector_is_of_length_one_or_nothing(text):
    length = float(np.linalg.norm(meaning_of(text)))
    assert length == 0 or abs(length - 1) < 1e-5


def test_repeating_and_small_capitals_change_nothing():
    once = meaning_of("我有depression\n睡不着")
    assert np.array_equal(once, meaning_of("我有Depression\n睡不着"))
    assert np.array_equal(once, meaning_of("我有depression\n睡不着\n睡不着"))


def test_words_and_pairs_are_told_each_once():
    assert list(words_of("失眠，失眠了 OK")) == ["失眠", "了", "ok", "眠了"]


def test_a_word_has_the_same_number_in_every_process():
    assert word_hash("失眠") == 4953496189822318175
    assert word_hash("失眠") != word_hash("眠失")


def test_nothing_is_no_direction():
    assert np.array_equal(unit(np.zeros(3, np.float32)), np.zeros(3, np.float32))
    assert np.array_equal(unit(np.array([0, 2], np.float32)), np.array([0, 1], np.float32))


def test_the_table_is_small_sorted_and_holds_numbers_only():
    assert TABLE.stat().st_size < 1_500_000
    with np.load(TABLE) as arrays:
        assert sorted(arrays.files) == ["hashes", "vectors"]
    table = load_meanings()
    assert table is load_meanings()
    assert table.hashes.dtype == np.uint64
    assert table.vectors.dtype == np.int8
    assert table.vectors.shape[0] == len(table.hashes)
    assert (table.hashes[1:] > table.hashes[:-1]).all()
