"""Packed rows have the loss of their dialogues one by one; the two traps that break this are real."""

import random

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.utils import logging as transformers_logging

from lm.small import SHAPE
from made_up import words
from psyllm.lm.checkpoint import build
from psyllm.lm.loss import to_batch, token_losses
from psyllm.lm.pack import pack_blocks
from psyllm.lm.template import NOT_LEARNT, PAD, Message, encode_training

LENGTH = 96
EXACT = 2e-5


def dialogues(count=9, seed=3):
    chance = random.Random(seed)
    return [
        [Message("visitor", words(chance, chance.randint(1, 9))), Message("counsellor", words(chance, 7))]
        * chance.randint(1, 2)
        for _ in range(count)
    ]


def model_named(name, tokenizer, attention):
    if name == "llama":
        model = build(SHAPE, tokenizer, seed=2)
    else:
        torch.manual_seed(2)
        sizes = {"vocab_size": tokenizer.size, "n_positions": LENGTH, "n_embd": 32, "n_layer": 2, "n_head": 2}
        drops = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
        model = GPT2LMHeadModel(GPT2Config(**sizes, **drops, bos_token_id=None, eos_token_id=1))
    with torch.no_grad():  # larger weights, so that looking at a neighbour is seen in the loss
        for weight in model.parameters():
            weight.mul_(3)
    model.set_attn_implementation(attention)
    return model


@pytest.mark.parametrize("name", ["llama", "gpt2"])
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("training", [True, False])
def test_packed_loss_is_the_loss_of_each_dialogue_alone(name, attention, training, tokenizer):
    model = model_named(name, tokenizer, attention).train(training)
    examples = [one for messages in dialogues() for one in encode_training(tokenizer, messages, LENGTH)]
    packed = pack_blocks(examples, LENGTH, tokenizer.mark(PAD))
    assert len(packed.ids) < len(examples)
    alone = [token_losses(model, to_batch(pack_blocks([one], len(one.ids), 0))) for one in examples]
    together = token_losses(model, to_batch(packed))
    assert together.numel() == sum(one.numel() for one in alone)
    expected = torch.cat(alone).sort().values
    assert torch.allclose(together.sort().values, expected, atol=EXACT, rtol=EXACT)
    assert together.sum().item() == pytest.approx(expected.sum().item(), rel=1e-5)


@pytest.mark.parametrize("trap", [{"use_cache": True}, {"attention_mask": "ones"}])
def test_a_cache_or_a_mask_of_ones_would_mix_the_dialogues(trap, tokenizer):
    """If this fails, transformers has mended itself and the warnings in pack and loss may go."""
    model = model_named("llama", tokenizer, "sdpa")
    examples = [one for messages in dialogues() for one in encode_training(tokenizer, messages, LENGTH)]
    batch = to_batch(pack_blocks(examples, LENGTH, tokenizer.mark(PAD)))
    inputs = {"input_ids": batch["input_ids"], "position_ids": batch["position_ids"]}
    if "attention_mask" in trap:
        trap = {"attention_mask": torch.ones_like(batch["input_ids"]), "use_cache": False}
    right = model(**inputs, use_cache=False).logits
    wrong = model(**inputs, **trap).logits
    assert (right - wrong).abs().max() > 1e-2


def test_a_row_learns_nothing_where_nothing_is_labelled(tokenizer):
    model = build(SHAPE, tokenizer, seed=2)
    batch = to_batch(pack_blocks(encode_training(tokenizer, dialogues(1)[0], LENGTH), LENGTH, 0))
    assert token_losses(model, batch).numel() > 0
    batch["labels"].fill_(NOT_LEARNT)
    assert token_losses(model, batch).numel() == 0


def test_the_loss_is_that_of_transformers(tokenizer):
    model = build(SHAPE, tokenizer, seed=2)
    batch = to_batch(pack_blocks(encode_training(tokenizer, dialogues(1)[0], LENGTH), LENGTH, 0))
    theirs = model(**batch, use_cache=False).loss.item()
    assert token_losses(model, batch).mean().item() == pytest.approx(theirs, rel=1e-5)


def test_building_a_model_leaves_the_librarys_log_level_alone():
    assert transformers_logging.get_verbosity() == transformers_logging.WARNING
