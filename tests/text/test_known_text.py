"""Known text is found in the whole of an item, in its opening, and in one text among others."""

import random

import numpy as np
import pytest

from psyllm.core.fingerprints import in_sample, shortened
from psyllm.text.han_windows import han_texts, windows
from psyllm.text.known_text import comparable, measured, sharing

SHARE, SAMPLE_BITS = 0.2, 4
ITEMS = 200


def drawn(chars, seed):
    chance = random.Random(seed)
    return "".join(chr(chance.randrange(0x4E00, 0x9F00)) for _ in range(chars))


def known_runs(texts, sample_bits):
    hashes = shortened(windows(han_texts(texts), 13).hashes)
    return np.sort(hashes[in_sample(hashes, sample_bits)])


def found_share(known, items, sample_bits=SAMPLE_BITS):
    """Return the share of items (opening, all texts) that are found."""
    numbers = measured([opening for opening, _ in items], [texts for _, texts in items])
    return sharing(numbers, [known_runs(known, sample_bits)], SHARE, sample_bits).mean()


QUESTIONS = [drawn(120, seed) for seed in range(ITEMS)]


@pytest.mark.parametrize("answer_chars", [0, 300, 800, 3000])
def test_a_known_question_behind_a_greeting_is_found_however_long_the_new_answer_is(answer_chars):
    items = []
    for place, question in enumerate(QUESTIONS):
        said = "你好，" + question
        items.append((said, [said, drawn(answer_chars, 1000 + place)]))
    assert found_share(QUESTIONS, items) >= 0.97
    assert found_share(QUESTIONS, items, sample_bits=0) == 1


def test_a_known_answer_is_found_under_a_new_question_and_among_long_new_turns():
    answers = [drawn(250, 2000 + place) for place in range(ITEMS)]
    items = []
    for place, answer in enumerate(answers):
        said = drawn(120, 3000 + place)
        items.append((said, [said, answer, drawn(1500, 4000 + place)]))
    assert found_share(answers, items) >= 0.97
    assert found_share(answers, items, sample_bits=0) == 1


def test_new_text_is_not_found_nor_is_a_phrase_that_it_shares():
    phrase = drawn(19, 5)
    items = []
    for place in range(ITEMS):
        said = phrase + drawn(12, 6000 + place)  # a third of the runs of the opening is known
        items.append((said, [said, drawn(300, 7000 + place)]))
    assert found_share([phrase], items, sample_bits=0) == 0
    assert found_share(QUESTIONS, items) == 0


def test_an_item_of_one_run_can_be_found_by_all_runs_and_is_too_short_for_a_sample():
    only = drawn(13, 8)
    numbers = measured([only, "太短"], [[only], ["太短"]])
    assert sharing(numbers, [known_runs([only], 0)], SHARE).tolist() == [True, False]
    assert comparable(numbers, 0).tolist() == [True, False]
    assert comparable(numbers, SAMPLE_BITS).tolist() == [False, False]
