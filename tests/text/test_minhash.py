import random

import numpy as np

from made_up import words
from psyllm.text.hashed_ngrams import jaccard, ngram_sets
from psyllm.text.minhash import MOST_COMPARED, band_keys, crowds, pairs


def edited(text, chance, edits):
    characters = list(text)
    for place in chance.sample(range(len(characters)), edits):
        characters[place] = chance.choice("甲乙丙丁")
    return "".join(characters)


def all_pairs(keys, taken):
    found = set()
    for band in keys.T:
        for crowd in crowds(band, taken):
            found |= set(pairs(crowd.tolist()))
    return found


def found(texts):
    sets = ngram_sets(texts)
    return sets, all_pairs(band_keys(sets), sets.sizes() > 0)


def test_pairs_above_nine_tenths_are_candidates_and_strangers_are_not():
    chance = random.Random(3)
    originals = [words(chance, 800) for _ in range(100)]
    copies = [edited(text, chance, 6) for text in originals]
    sets, near = found(originals + copies)
    similarities = [jaccard(sets.of(n), sets.of(n + 100)) for n in range(100)]
    assert min(similarities) > 0.9
    assert near == {(n, n + 100) for n in range(100)}


def test_texts_without_n_grams_are_nobody_s_candidates():
    _, near = found(["", "", "心里难过的一天", "心里难过的一天"])
    assert near == {(2, 3)}


def test_a_crowd_of_equal_texts_is_held_together_without_all_pairs():
    count = 20 * MOST_COMPARED
    keys = np.zeros((count, 1), dtype=np.uint64)
    near = all_pairs(keys, np.ones(count, dtype=bool))
    assert {(n, n + 1) for n in range(count - 1)} <= near
    assert len(near) < count * MOST_COMPARED


def test_keys_do_not_depend_on_the_texts_around():
    alone = band_keys(ngram_sets(["我最近总是睡不着觉"]))
    among = band_keys(ngram_sets(["别的事情也会有的", "我最近总是睡不着觉"]))
    assert (alone[0] == among[1]).all()
