"""Tokens are drawn as the settings say, and text comes out in whole characters."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm.small import TEXTS, byte_level
from psyllm.core.settings import Decoding
from psyllm.lm.drawing import LIKELY_KEPT, Speaker, draw
from psyllm.lm.tokenizer import Tokenizer, train_tokenizer

LOGITS = np.log(np.array([0.1, 0.5, 0.3, 0.06, 0.04], dtype=np.float32))
PLAIN = Decoding(temperature=1, top_p=1, repetition_penalty=1)
OURS = train_tokenizer(TEXTS, 600)
FOREIGN = Tokenizer(byte_level())
FOREIGN.add_marks()


def drawn(decoding, said=(), never=(), times=4000, logits=LOGITS):
    random = np.random.default_rng(1)
    return Counter(draw(logits, decoding, said, never, random) for _ in range(times))


def test_plain_drawing_follows_the_shares():
    found = drawn(PLAIN)
    for token, share in enumerate([0.1, 0.5, 0.3, 0.06, 0.04]):
        assert found[token] / 4000 == pytest.approx(share, abs=0.03)


def test_the_nucleus_is_the_fewest_tokens_that_reach_top_p():
    assert set(drawn(PLAIN.model_copy(update={"top_p": 0.75}))) == {1, 2}
    assert set(drawn(PLAIN.model_copy(update={"top_p": 0.85}))) == {0, 1, 2}
    assert set(drawn(PLAIN.model_copy(update={"top_p": 0.01}))) == {1}


def test_temperature_sharpens_and_0_takes_the_likeliest():
    assert drawn(PLAIN.model_copy(update={"temperature": 0.3}))[1] > 3000
    assert set(drawn(PLAIN.model_copy(update={"temperature": 0}), times=5)) == {1}


def test_what_was_said_is_less_likely_and_what_is_barred_never_comes():
    greedy = Decoding(temperature=0, repetition_penalty=2)
    assert set(drawn(greedy, said=[1], times=3)) == {2}
    assert set(drawn(greedy, said=[1, 1, 2, 0], times=3)) == {1}
    assert 1 not in drawn(PLAIN, never=[1])
    positive = LOGITS + 5
    assert set(drawn(greedy, said=[1], times=3, logits=positive)) == {2}


def test_the_same_seed_draws_the_same():
    def run(seed):
        random = np.random.default_rng(seed)
        return [draw(LOGITS, PLAIN, (), (), random) for _ in range(30)]

    assert run(1) == run(1) != run(2)


def test_a_large_vocabulary_is_drawn_like_a_small_one():
    """The short way through the likeliest tokens gives what a whole sort gives."""
    logits = np.random.default_rng(0).normal(0, 3, 4 * LIKELY_KEPT).astype(np.float32)
    order = np.argsort(-logits, kind="stable")
    shares = np.exp(logits[order] - logits.max())
    shares /= shares.sum()
    nucleus = set(order[: int(np.searchsorted(shares.cumsum(), 0.5)) + 1].tolist())
    found = drawn(PLAIN.model_copy(update={"top_p": 0.5}), logits=logits, times=500)
    assert set(found) <= nucleus
    flat = np.zeros(4 * LIKELY_KEPT, dtype=np.float32)
    assert max(drawn(PLAIN, logits=flat, times=500)) > LIKELY_KEPT


def spoken(tokenizer, ids):
    speaker = Speaker(tokenizer)
    return [speaker.add(token) for token in ids]


@given(st.text(), st.sampled_from([OURS, FOREIGN]))
def test_streamed_text_is_the_whole_text_and_never_half_a_character(words, tokenizer):
    words = words.replace("\ufffd", "")
    parts = spoken(tokenizer, tokenizer.encode(words))
    assert "".join(parts) == words
    assert "\ufffd" not in "".join(parts)


@given(st.lists(st.integers(min_value=4, max_value=OURS.size - 1), max_size=30))
def test_any_tokens_stream_without_half_characters(ids):
    parts = spoken(OURS, ids)
    assert "\ufffd" not in "".join(parts)


def test_a_character_of_three_bytes_comes_with_its_last_byte():
    ids = OURS.encode("魑")
    assert len(ids) == 3
    assert spoken(OURS, ids) == ["", "", "魑"]


def test_bytes_that_never_become_a_character_are_left_out():
    ids = [*OURS.encode("心理"), *OURS.encode("魑")[:2], *OURS.encode("咨询")]
    assert "".join(spoken(OURS, ids)) == "心理咨询"


def test_a_stray_byte_takes_nothing_back_and_silences_nothing():
    ids = [*OURS.encode("魑"), OURS.encode("魑")[0], *OURS.encode("咨询师")]
    assert "".join(spoken(OURS, ids)) == "魑咨询师"
