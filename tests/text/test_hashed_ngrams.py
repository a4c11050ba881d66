import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from psyllm.text import hashed_ngrams, ngrams

texts = st.lists(st.text(alphabet="我你心难过a1。\n😀", max_size=30), max_size=8)


@given(texts, st.integers(1, 8))
def test_hashed_sets_have_the_sizes_and_overlaps_of_the_written_ones(given_texts, n):
    sets = hashed_ngrams.ngram_sets(given_texts, n)
    written = [ngrams.char_ngrams(text, n) for text in given_texts]
    assert sets.sizes().tolist() == [len(text_set) for text_set in written]
    for left, left_set in enumerate(written):
        for right, right_set in enumerate(written):
            found = hashed_ngrams.jaccard(sets.of(left), sets.of(right))
            assert found == ngrams.jaccard(left_set, right_set)


def test_each_set_is_sorted_and_without_repetition():
    sets = hashed_ngrams.ngram_sets(["心里难过" * 9, "", "难"])
    assert (np.diff(sets.of(0).astype(object)) > 0).all()
    assert sets.sizes().tolist() == [4, 0, 1]


def test_a_set_does_not_depend_on_the_texts_around_it():
    alone = hashed_ngrams.ngram_sets(["我最近总是睡不着"]).of(0)
    among = hashed_ngrams.ngram_sets(["别的", "我最近总是睡不着", "还有"]).of(1)
    assert alone.tolist() == among.tolist()


def test_longer_n_grams_that_differ_in_one_place_differ():
    sets = hashed_ngrams.ngram_sets(["abcdefghijk", "abcdeXghijk"], n=11)
    assert sets.of(0)[0] != sets.of(1)[0]


def test_no_texts_give_no_sets():
    assert hashed_ngrams.ngram_sets([]).sizes().tolist() == []


def test_white_space_of_any_kind_is_taken_out():
    assert hashed_ngrams.without_space(" 我\u3000最\n近\t") == "我最近"
