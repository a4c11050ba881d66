"""Many words in many texts, against looking for each word in each text."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyllm.text import many_words
from psyllm.text.many_words import ManyWords

LETTERS = "我想死活不去了ab😀😁\uffff"
WORDS = st.lists(st.text(LETTERS, min_size=1, max_size=4), max_size=12)
TEXTS = st.lists(st.text(LETTERS + "，\n", max_size=30), max_size=8)


@given(WORDS, TEXTS)
def test_the_words_of_each_text_are_found(words, texts):
    found = ManyWords(words).found(texts)
    assert [set(one) for one in found] == [{word for word in words if word in text} for text in texts]
    assert all(len(one) == len(set(one)) for one in found)


@given(WORDS, TEXTS, st.sampled_from(["[a-z]", "[死\U0001f601]", "[\uffff😀]"]))
def test_characters_of_a_class_are_found_beside_the_words(words, texts, characters):
    found = ManyWords(words, characters).found(texts)
    for one, text in zip(found, texts, strict=True):
        assert set(one) == {word for word in words if word in text} | set(re.findall(characters, text))
        assert len(one) == len(set(one))


@pytest.mark.parametrize("chars", [1, 2, 3, 7])
def test_nothing_is_lost_where_a_look_ends(monkeypatch, chars):
    monkeypatch.setattr(many_words, "CHARS_AT_ONCE", chars)
    texts = ["想死想活", "", "死", "不想\n去死了", "ab"]
    found = ManyWords(["想死", "死", "去死了", "ab", "活不"]).found(texts)
    assert [set(one) for one in found] == [{"想死", "死"}, set(), {"死"}, {"死", "去死了"}, {"ab"}]


def test_words_do_not_reach_from_one_text_into_the_next():
    assert ManyWords(["想死"]).found(["想", "死"]) == [[], []]


@pytest.mark.parametrize("word", ["", "a\nb"])
def test_words_that_could_not_be_found_are_refused(word):
    with pytest.raises(ValueError, match="empty or holds a line break"):
        ManyWords([word])


def test_no_words_and_no_texts_give_nothing():
    assert ManyWords([]).found(["一", "二"]) == [[], []]
    assert ManyWords(["一"]).found([]) == []
    assert np.concatenate(ManyWords(["一"])._hits("")).size == 0
