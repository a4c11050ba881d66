"""The correctness probes of training, each for a fault that is silent: the loss falls all the same.

    1  packed rows are separate rows                       here
    2  early stopping over a resume                        here
    3  a resume in the middle of an epoch                  here
    4  the wrapper that was asked for                      test_together.py
    5  two processes are one                               test_together.py
    6  an adapter, and what it is merged into              test_adapters.py
    7  margins and losses of preferences at step 0         test_prefer_trl.py
    8  the end is learnt, and is not the padding           here

(4 to 7 stand with what they probe.)
"""

import importlib
import json
import shutil

import numpy as np
import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from lm.small import foreign_base
from psyllm.core.progress import listening
from psyllm.core.train_settings import TrainingStage
from psyllm.lm.checkpoint import load_base, save
from psyllm.lm.loss import to_batch, token_losses
from psyllm.lm.pack import Rows, pack_blocks
from psyllm.lm.template import END, NOT_LEARNT, PAD, Example, Message
from psyllm.train import saved
from psyllm.train.history import dev_losses
from psyllm.train.material import answer_rows
from train.stage_runs import NO_DEV, STAGE, TOKENIZER, figures, small_model, train

VOCABULARY = TOKENIZER.size
POSITIONS = 32
NO_ENDS = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None}


def gpt2(**more):
    config = GPT2Config(
        n_layer=2, n_embd=32, n_head=2, n_positions=POSITIONS, vocab_size=VOCABULARY, **NO_ENDS, **more
    )
    return GPT2LMHeadModel(config)


def llama():
    shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    return LlamaForCausalLM(
        LlamaConfig(vocab_size=VOCABULARY, max_position_embeddings=POSITIONS, **NO_ENDS, **shape)
    )


def qwen3():
    shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    return Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=VOCABULARY,
            max_position_embeddings=POSITIONS,
            num_key_value_heads=1,
            head_dim=16,
            **NO_ENDS,
            **shape,
        )
    )


def pangu():
    importlib.import_module("psyllm.lm.pangu")
    shape = {"hidden_size": 32, "num_layers": 2, "num_heads": 2, "max_position_embeddings": POSITIONS}
    return AutoModelForCausalLM.from_config(AutoConfig.for_model("gpt_pangu", vocab_size=VOCABULARY, **shape))


KINDS = [gpt2, llama, qwen3, pangu]


def made(kind, attention, seed=1):
    torch.manual_seed(seed)
    model = kind()
    model.set_attn_implementation(attention)
    return model


def texts(count, seed=0):
    chance = np.random.default_rng(seed)
    ids = [
        chance.integers(260, VOCABULARY, size).tolist() for size in chance.integers(3, POSITIONS + 1, count)
    ]
    return [Example(text, [NOT_LEARNT] * (len(text) // 3) + text[len(text) // 3 :]) for text in ids]


def alone(examples):
    """Return each example in a row of its own."""
    rows = [pack_blocks([example], POSITIONS, 0) for example in examples]
    return Rows(*(np.concatenate(parts) for parts in zip(*rows, strict=True)))


# 1


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("kind", KINDS)
def test_packed_rows_have_the_losses_and_gradients_of_separate_rows(kind, attention):
    examples = texts(12)
    packed, separate = pack_blocks(examples, POSITIONS, 0), alone(examples)
    assert len(packed.ids) < len(separate.ids)
    sums, gradients = [], []
    for rows in (packed, separate):
        model = made(kind, attention).train(mode=False)  # without dropout, which would differ
        losses = token_losses(model, to_batch(rows))
        losses.sum().backward()
        sums.append(sorted(losses.tolist()))
        gradients.append([weight.grad for weight in model.parameters() if weight.grad is not None])
    assert sums[0] == pytest.approx(sums[1], abs=5e-6)
    assert all(
        torch.allclose(one, other, rtol=1e-4, atol=2e-5) for one, other in zip(*gradients, strict=True)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_mask_of_ones_would_have_let_texts_see_each_other(kind):
    """Shows that the test before can fail."""
    rows = pack_blocks(texts(12), POSITIONS, 0)
    model = made(kind, "sdpa").train(mode=False)
    batch = to_batch(rows)
    right = token_losses(model, batch)
    body = model.base_model
    plain = body.forward

    def with_mask(**named):
        return plain(**named, attention_mask=torch.ones_like(named["input_ids"]))

    body.forward = with_mask
    assert (token_losses(model, batch) - right).abs().max() > 1e-3


@pytest.mark.parametrize("kind", [gpt2, llama])
def test_no_mask_and_no_cache_is_ever_passed_while_training_and_measuring(kind, tmp_path):
    model = made(kind, "sdpa")
    named = []
    handle = model.base_model.register_forward_pre_hook(
        lambda _, given, said: named.append((given, said)), with_kwargs=True
    )
    stage = STAGE.model_copy(update={"steps": 2, "evaluate_every_steps": 1})
    train(
        tmp_path / "a",
        stage=stage,
        rows=pack_blocks(texts(20), POSITIONS, 0),
        dev=alone(texts(3)),
        model=model,
    )
    handle.remove()
    assert len(named) >= 4  # two steps and two measurements
    for given, said in named:
        assert given == ()
        assert set(said) == {"input_ids", "position_ids", "use_cache"}
        assert said["use_cache"] is False


# 2


RISING = TrainingStage(
    steps=60, batch_rows=4, learning_rate=5e-2, warmup_steps=1, evaluate_every_steps=2, patience=3
)


def test_a_run_interrupted_after_any_evaluation_stops_early_where_an_uninterrupted_one_does(tmp_path):
    whole, weights = train(tmp_path / "whole", stage=RISING, keep=RISING.steps)
    assert whole.steps < RISING.steps
    losses = [loss for _, loss in dev_losses(whole.logged)]
    assert losses.index(min(losses)) == len(losses) - 1 - RISING.patience
    steps = saved.whole_steps(tmp_path / "whole")
    assert steps == list(range(2, whole.steps + 1, 2))
    for step in steps[:-1]:  # patience is used up in part
        folder = shutil.copytree(tmp_path / "whole", tmp_path / str(step))
        for later in steps[steps.index(step) + 1 :]:
            shutil.rmtree(saved.folder_of(folder, later))
        resumed, again = train(folder, stage=RISING)
        assert (resumed.steps, resumed.best) == (whole.steps, whole.best)
        assert all(torch.equal(weights[name], again[name]) for name in weights)


# 3


class Stopped(Exception):
    """Stands for a process that ends here."""


EPOCH_ROWS = 16


def by_epochs(folder, seed=1):
    """Train three epochs of four steps each, with dropout."""
    stage = TrainingStage(
        steps=12, batch_rows=4, rows_at_once=2, warmup_steps=1, evaluate_every_steps=1, patience=0
    )
    rows = pack_blocks(texts(40), POSITIONS, 0).take(range(EPOCH_ROWS))
    model = made(gpt2, "eager", seed)
    assert model.config.resid_pdrop > 0
    return train(folder, stage=stage, rows=rows, dev=NO_DEV, model=model)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """How it goes, and the weights, without an interruption."""
    return by_epochs(tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("epoch", [0.5, 1.0, 1.5, 2.25])
def test_a_resume_in_the_middle_of_an_epoch_gives_later_losses_that_differ_by_nothing(epoch, whole, tmp_path):
    uninterrupted, weights = whole
    done = round(epoch * EPOCH_ROWS / 4)

    def listener(progress):
        if progress.task == "training: adapt" and progress.done == done + 1:
            raise Stopped

    with listening(listener), pytest.raises(Stopped):
        by_epochs(tmp_path)
    torch.manual_seed(99)  # what another process would have
    resumed, again = by_epochs(tmp_path, seed=7)
    assert figures(resumed) == figures(uninterrupted)
    assert len(figures(resumed)) == 12
    assert all(torch.equal(weights[name], again[name]) for name in weights)


# 8


def test_the_end_of_every_answer_is_learnt_and_is_not_the_padding(tmp_path):
    foreign_base(tmp_path / "gpt2")
    base, of_base = load_base(tmp_path / "gpt2")
    for model, tokenizer in ((small_model(), TOKENIZER), (base, of_base)):
        talks = [
            [
                Message("visitor", "一二"),
                Message("counsellor", "三四五"),
                Message("visitor", "六"),
                Message("counsellor", "七"),
            ],
            [Message("visitor", "八"), Message("counsellor", "九十")],
        ]
        rows = answer_rows(tokenizer, talks, 64, "preparing")
        end, pad = tokenizer.mark(END), tokenizer.mark(PAD)
        assert end != pad
        assert (rows.labels == end).sum() == 3
        assert (rows.labels == pad).sum() == 0
        assert ((rows.ids == end) == (rows.labels == end)).all()
        folder = tmp_path / f"saved-{model.config.model_type}"
        save(folder, model, tokenizer, context_tokens=16)
        for name in ("config.json", "generation_config.json"):
            said = json.loads((folder / name).read_text())
            assert (said["eos_token_id"], said["pad_token_id"]) == (end, pad)
