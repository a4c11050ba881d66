"""What ratings become before a model sees them."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from made_up import text
from psyllm.core.errors import EmptyCorpus
from psyllm.core.train_settings import PreferStage
from psyllm.lm.template import COUNSELLOR, END, encode_prompt, record_messages
from psyllm.lm.tokenizer import train_tokenizer
from psyllm.train.prefer_material import (
    MOST_WEIGHT,
    batches_of,
    choose_method,
    dev_batches,
    encode_all,
    encode_pairs,
    encode_rated,
    in_steps,
    need_enough_that_fit,
    pairs_of,
    weights_of,
)
from rated import rated, rated_dialogue


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer([text(random.Random(number), 2) for number in range(40)], 400)


@pytest.mark.parametrize("make", [rated, rated_dialogue])
def test_an_answer_is_laid_out_as_in_training_and_serving(tokenizer, make):
    row = make(3)
    found = encode_rated(tokenizer, row, 400)
    (messages,) = record_messages(row.record)
    assert found.answer == [*tokenizer.encode(row.answer()), tokenizer.mark(END)]
    assert found.prompt == encode_prompt(tokenizer, messages[:-1], 400 - len(found.answer))
    assert found.prompt[-1] == tokenizer.mark(COUNSELLOR)


def test_a_prompt_gives_way_to_its_answer_and_a_huge_answer_is_left_out(tokenizer):
    row = rated_dialogue(3)
    answer = len(tokenizer.encode(row.answer())) + 1
    context = answer * 10 // 9 + 1
    found = encode_rated(tokenizer, row, context)
    assert len(found.prompt) + len(found.answer) <= context
    assert len(found.prompt) < len(encode_rated(tokenizer, row, 400).prompt)
    assert encode_rated(tokenizer, row, answer + 2) is None
    assert encode_all(tokenizer, [row, row], answer + 2) == []


def test_a_prompt_beside_a_longer_answer_is_cut_as_the_template_cuts(tokenizer):
    row = rated_dialogue(3)
    found = encode_rated(tokenizer, row, 400)
    (messages,) = record_messages(row.record)
    room = len(found.prompt) - 3
    assert found.prompt_within(room) == encode_prompt(tokenizer, messages[:-1], room)
    assert found.prompt_within(len(found.prompt)) == found.prompt


def test_what_does_not_fit_is_not_made_up_for_by_a_rest(tokenizer):
    stage = PreferStage(fewest_ratings=10)
    rows = [rated(number, desirable=number % 2 == 0) for number in range(10)]
    whole = encode_all(tokenizer, rows, 400)
    need_enough_that_fit(whole, 10, 400, stage)
    for rest in ([], whole[:9], [one for one in whole if one.desirable] * 2):
        with pytest.raises(EmptyCorpus, match=f"only {len(rest)} fit"):
            need_enough_that_fit(rest, 10, 96, stage)


def test_only_one_persons_two_answers_to_one_prompt_are_a_pair():
    good, bad = rated(1, conversation=7, rater="a"), rated(2, desirable=False, conversation=7, rater="a")
    assert pairs_of([good, bad]) == [(good, bad)]
    assert pairs_of([good, bad.model_copy(update={"rater": "b"})]) == []
    assert pairs_of([good, bad.model_copy(update={"prompt": "another"})]) == []
    assert pairs_of([good, good.model_copy(update={"rating": "other"})]) == []


def test_both_answers_of_a_pair_follow_the_same_prompt(tokenizer):
    good = rated(1, conversation=7, rater="a", answer="好的。" * 3)
    bad = rated(2, desirable=False, conversation=7, rater="a", answer="不行。" * 12)
    longest = len(tokenizer.encode(bad.answer())) + 1
    context = longest * 10 // 9 + 1
    (pair,) = encode_pairs(tokenizer, [bad, good], context)
    assert len(pair.prompt) + len(pair.rejected) <= context
    assert pair.chosen[:-1] == tokenizer.encode("好的。" * 3)


def test_kto_is_taken_unless_most_ratings_stand_in_pairs():
    stage = PreferStage(batch_rows=2)
    alone = [rated(number, desirable=number % 2 == 0) for number in range(10)]
    paired = [
        rated(100 + number, desirable=number % 2 == 0, conversation=50 + number // 2, rater="a")
        for number in range(8)
    ]
    assert choose_method(alone, stage) == "kto"
    assert choose_method(alone + paired, stage) == "kto"
    assert choose_method(alone[:4] + paired, stage) == "dpo"
    assert choose_method(paired, PreferStage(method="kto")) == "kto"


@given(st.integers(1, 60), st.integers(1, 9), st.integers(0, 5))
def test_batches_are_full_and_hold_everything(count, size, seed):
    batches = batches_of(count, size, seed)
    places = [place for batch in batches for place in batch]
    assert {len(batch) for batch in batches} == {size}
    assert set(places) == set(range(count))
    assert len(batches) == -(-count // size)
    assert batches == batches_of(count, size, seed)


@given(st.integers(1, 60), st.integers(2, 9))
def test_dev_batches_hold_each_once_and_none_is_alone(count, size):
    batches = dev_batches(count, size)
    assert [place for batch in batches for place in batch] == list(range(count))
    assert all(len(batch) > 1 for batch in batches) or count == 1


@given(st.integers(1, 6), st.integers(1, 20), st.integers(0, 3))
def test_every_epoch_takes_every_batch_once(count, wanted, seed):
    batches = [[number] for number in range(count)]
    order = list(in_steps(batches, wanted, seed))
    assert len(order) == wanted
    for start in range(0, wanted - count + 1, count):
        assert sorted(order[start : start + count]) == list(range(count))
    assert order[:3] == list(in_steps(batches, min(3, wanted), seed))


@given(st.integers(1, 500), st.integers(1, 500))
def test_both_kinds_weigh_the_same_together_as_far_as_no_single_rating_weighs_much(good, bad):
    of_good, of_bad = weights_of(good, bad)
    assert min(of_good, of_bad) == 1.0
    assert max(of_good, of_bad) <= MOST_WEIGHT
    if max(of_good, of_bad) < MOST_WEIGHT:
        assert good * of_good == pytest.approx(bad * of_bad)
