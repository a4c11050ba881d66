"""Whole dialogues are scored: every token after the first mark once, in windows where they are long."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lm.small import SHAPE
from psyllm.lm.checkpoint import Checkpoint, build
from psyllm.lm.dialogue_score import score_dialogues
from psyllm.lm.model_card import ModelCard
from psyllm.lm.score import windows
from psyllm.lm.template import NOT_LEARNT, Message, encode_text
from psyllm.lm.tokenizer import train_tokenizer

TALK = [Message("visitor", "最近总是睡不着"), Message("counsellor", "听起来这段时间很难熬。")]


@pytest.fixture(scope="module")
def checkpoint():
    tokenizer = train_tokenizer(["最近总是睡不着，听起来这段时间很难熬。" * 2], SHAPE.vocabulary)
    card = ModelCard(tokenizer_sha256="", vocabulary=tokenizer.size, context_tokens=SHAPE.context_tokens)
    return Checkpoint(build(SHAPE, tokenizer, seed=2).train(mode=False), tokenizer, card)


@given(st.integers(2, 200), st.integers(2, 40), st.data())
def test_windows_learn_every_token_after_the_known_ones_exactly_once(length, context, data):
    ids = list(range(length))
    known = data.draw(st.integers(1, min(length, context) - 1))
    parts = list(windows(ids, known, context))
    assert [label for part in parts for label in part.labels if label != NOT_LEARNT] == ids[known:]
    for part in parts:
        assert len(part.ids) == len(part.labels) <= context
        assert all(label in {NOT_LEARNT, token} for token, label in zip(part.ids, part.labels, strict=True))


def test_a_dialogue_that_fits_costs_what_the_model_says(checkpoint):
    ids = torch.tensor([encode_text(checkpoint.tokenizer, TALK)])
    with torch.inference_mode():
        logits = checkpoint.model(input_ids=ids).logits[0, :-1].double().log_softmax(-1)
    wanted = -logits.gather(-1, ids[0, 1:, None]).sum().item()
    (found,) = score_dialogues(checkpoint, [TALK])
    assert found.nll_nats == pytest.approx(wanted, rel=1e-5)
    assert (found.tokens, found.chars) == (ids.shape[1] - 1, sum(len(turn.text) for turn in TALK))


def test_a_dialogue_longer_than_the_context_is_scored_whole(checkpoint):
    long = TALK * 20
    (found,) = score_dialogues(checkpoint, [long])
    assert found.tokens == len(encode_text(checkpoint.tokenizer, long)) - 1 > SHAPE.context_tokens
    assert found.nll_nats == pytest.approx(found.tokens * math.log(checkpoint.tokenizer.size), rel=0.1)
