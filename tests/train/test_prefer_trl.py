"""TRL around our tokens: what the losses are at the first step, and that nothing of ours is lost on the way."""

import copy
import math
import random

import pytest
import torch

from lm.small_bases import SHAPES, shaped
from made_up import text
from psyllm.core.train_settings import ModelShape, PreferStage
from psyllm.lm.checkpoint import build
from psyllm.lm.loss import to_batch, token_losses
from psyllm.lm.pack import pack_blocks
from psyllm.lm.template import NOT_LEARNT, PAD, Example
from psyllm.lm.tokenizer import train_tokenizer
from psyllm.train.prefer_material import Pair, Rated
from psyllm.train.prefer_table import PreferPlan, of_rated, tables_of
from psyllm.train.prefer_trl import as_it_was, dpo_trainer, kto_trainer
from train.forked import Fork, loaded

SHAPE = ModelShape(layers=2, width=32, heads=2, vocabulary=300, context_tokens=96)
STAGE = PreferStage(steps=3, batch_rows=4, evaluate_every_steps=1, warmup_steps=0, learning_rate=1e-3)


def planned(tmp_path, tokenizer, **fields):
    return PreferPlan(STAGE.model_copy(update=fields), tmp_path, 3, 2, "fp32", tokenizer.mark(PAD), 96)


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer([text(random.Random(number), 2) for number in range(40)], SHAPE.vocabulary)


@pytest.fixture
def model(tokenizer):
    return build(SHAPE, tokenizer, 3)


def words(tokenizer, number, most):
    return tokenizer.encode(text(random.Random(number), 1))[:most]


@pytest.fixture
def thumbs(tokenizer):
    return [Rated(words(tokenizer, n, 8 + n), words(tokenizer, 100 + n, 5 + n), n % 2 == 0) for n in range(8)]


@pytest.fixture
def pairs(tokenizer):
    return [
        Pair(words(tokenizer, n, 8 + n), words(tokenizer, 100 + n, 9), words(tokenizer, 200 + n, 5 + n))
        for n in range(6)
    ]


def test_nothing_has_moved_at_step_0_of_dpo(model, pairs, tokenizer, tmp_path):
    with as_it_was(model):
        measured = dpo_trainer(model, pairs, pairs, planned(tmp_path, tokenizer)).evaluate()
    assert measured["dev_loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert measured["dev_margin"] == pytest.approx(0, abs=1e-6)


def test_nothing_has_moved_at_step_0_of_kto(model, thumbs, tokenizer, tmp_path):
    with as_it_was(model):
        measured = kto_trainer(model, thumbs, thumbs, planned(tmp_path, tokenizer)).evaluate()
    assert measured["dev_loss"] == pytest.approx(0.5, abs=1e-6)
    assert measured["dev_margin"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_model_that_drops_some_of_what_it_sees_drops_nothing_while_it_is_held_to_what_it_was(
    shape, thumbs, pairs, tokenizer, tmp_path
):
    row = torch.arange(300, 320).unsqueeze(0) % SHAPE.vocabulary
    for make, examples in ((kto_trainer, thumbs), (dpo_trainer, pairs)):
        base = shaped(shape, SHAPE.vocabulary, dropout=0.3).train()
        assert not torch.equal(base(row).logits, base(row).logits)
        with as_it_was(base):
            learner = make(base, examples, examples, planned(tmp_path, tokenizer)).model.train()
            assert torch.equal(learner(row).logits, learner(row).logits)


@pytest.mark.parametrize("kind", ["kto", "dpo"])
def test_what_was_computed_once_is_what_a_second_model_would_say(
    kind, model, thumbs, pairs, tokenizer, tmp_path
):
    """The loss after a step, with our stored reference and with TRL's own live one."""
    made, rows = (kto_trainer, thumbs) if kind == "kto" else (dpo_trainer, pairs)
    before = copy.deepcopy(model)
    with as_it_was(model), as_it_was(before):
        trainer = made(model, rows, rows, planned(tmp_path, tokenizer))
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(0.01)
        batch = trainer.batch_of("train", range(4))
        stored = trainer.compute_loss(model, batch).item()
        from trl.trainer.utils import add_fused_lm_head

        add_fused_lm_head(before)
        trainer.precompute_ref_logps, trainer.ref_model = False, before
        live = trainer.compute_loss(model, batch).item()
    assert stored == pytest.approx(live, abs=1e-6)
    assert abs(stored - (0.5 if kind == "kto" else math.log(2))) > 1e-5


def test_an_answers_log_probability_is_the_one_that_our_own_loss_gives(model, thumbs, tokenizer, tmp_path):
    with as_it_was(model):
        trainer = kto_trainer(model, thumbs, [], planned(tmp_path, tokenizer))
        places = [place for batch in trainer.tables["train"].batches for place in batch]
        theirs = [pair[0] for pair in trainer.references["train"]]
    for place, found in zip(places, theirs, strict=True):
        one = thumbs[place]
        labels = [NOT_LEARNT] * len(one.prompt) + one.answer
        rows = pack_blocks([Example(one.prompt + one.answer, labels)], 96, tokenizer.mark(PAD))
        with torch.no_grad():
            ours = -token_losses(model, to_batch(rows)).sum().item()
        assert found == pytest.approx(ours, abs=1e-4)


def test_the_worse_answers_are_many_and_weigh_less_each(model, thumbs, tokenizer, tmp_path):
    unequal = [one._replace(desirable=number == 0) for number, one in enumerate(thumbs[:4])]
    with as_it_was(model):
        trainer = kto_trainer(model, unequal, [], planned(tmp_path, tokenizer))
    assert (trainer.desirable_weight, trainer.undesirable_weight) == (3.0, 1.0)


def test_robust_and_sft_are_dpos_options(model, pairs, tokenizer, tmp_path):
    losses = {}
    for name, fields in (
        ("plain", {}),
        ("robust", {"label_noise": 0.2}),
        ("sft", {"sft_weight": 0.5}),
    ):
        with as_it_was(model):
            trainer = dpo_trainer(model, pairs, [], planned(tmp_path, tokenizer, **fields))
            losses[name] = trainer.compute_loss(model, trainer.batch_of("train", range(4))).item()
            chosen = trainer.references["train"][:4]
            places = [place for batch in trainer.tables["train"].batches for place in batch][:4]
    tokens = sum(len(pairs[place].chosen) for place in places)
    nats = -sum(pair[0] for pair in chosen) / tokens
    assert losses["plain"] == pytest.approx(math.log(2), abs=1e-6)
    assert losses["robust"] == pytest.approx(math.log(2), abs=1e-6)
    assert losses["sft"] == pytest.approx(math.log(2) + 0.5 * nats, abs=1e-4)


def test_the_neighbours_of_a_batch_are_the_same_in_every_epoch(model, thumbs, tokenizer, tmp_path):
    with as_it_was(model):
        trainer = kto_trainer(model, thumbs, [], planned(tmp_path, tokenizer, steps=6))
    order = trainer.train_dataset["place"]
    batches = [tuple(order[start : start + 4]) for start in range(0, len(order), 4)]
    assert len(batches) == 6
    assert set(batches) == {(0, 1, 2, 3), (4, 5, 6, 7)}
    assert {batches[place] for place in (0, 1)} == {batches[place] for place in (2, 3)} == set(batches)


def test_the_model_leaves_as_it_came_but_for_its_weights(model, thumbs, tokenizer, tmp_path):
    before = type(model).forward
    with as_it_was(model):
        kto_trainer(model, thumbs, [], planned(tmp_path, tokenizer)).train()
    assert "forward" not in model.__dict__
    assert model.forward.__func__ is before
    out = model(torch.tensor([[5, 6, 7]]), use_cache=False)
    assert out.logits.shape == (1, 3, tokenizer.size)


def test_nobody_is_told_that_a_model_was_trained(model, thumbs, tokenizer, tmp_path, monkeypatch):
    told = []
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr("trl.trainer.base_trainer.send_telemetry", lambda **said: told.append(said))
    with as_it_was(model):
        kto_trainer(model, thumbs, [], planned(tmp_path, tokenizer)).train()
    assert not told
    assert not list(tmp_path.rglob("README.md"))


@pytest.mark.parametrize("half", ["bf16", "fp16"])
def test_half_precision_gives_nearly_the_same_loss(half, model, thumbs, tokenizer, tmp_path):
    plain = planned(tmp_path, tokenizer, steps=1, batch_rows=2)
    found = []
    for precision in ("fp32", half):
        with as_it_was(model):
            trainer = kto_trainer(model, thumbs[:2], thumbs[:2], plain._replace(precision=precision))
            found.append([pair[0] for pair in trainer.references["train"]])
    assert found[1] == pytest.approx(found[0], rel=0.02)
    assert found[1] != found[0]


def test_fp16_learns_with_a_scaler_that_is_in_the_checkpoint(model, thumbs, tokenizer, tmp_path):
    before = copy.deepcopy(model)
    learning = planned(tmp_path, tokenizer, steps=2)._replace(precision="fp16")
    with as_it_was(model):
        trainer = kto_trainer(model, thumbs, thumbs, learning)
        assert trainer.evaluate()["dev_loss"] == pytest.approx(0.5, abs=1e-6)
        trainer.train()
    state = torch.load(tmp_path / "checkpoint-2" / "scaler.pt", weights_only=True)
    assert state["scale"] >= 1.0
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    moved = [
        (one - other).abs().max().item()
        for one, other in zip(model.parameters(), before.parameters(), strict=True)
    ]
    assert 0 < max(moved) < 0.1


def test_the_door_of_training_loads_trl_only_for_this_stage():
    assert not [name for name in Fork(loaded).result() if name.partition(".")[0] == "trl"]


@pytest.mark.parametrize("shape", ["gpt2", "pangu", "llama"])
def test_an_answer_beside_its_neighbours_prompt_is_no_longer_than_the_model(shape, tmp_path):
    """Prompts that leave room for their own answers only, next to answers that nearly fill the context."""
    long = [6] * 13 + [1], [8] * 56 + [1]
    made = [
        Rated([5] * 50, long[0], True),
        Rated([7] * 6, long[1], False),
        Rated([5] * 49, [9] * 13 + [1], True),
        Rated([7] * 4, long[1], False),
    ]
    model = shaped(shape, 300)
    learning = PreferPlan(
        STAGE.model_copy(update={"steps": 2, "evaluate_every_steps": 2}), tmp_path, 1, 2, "fp32", 0, 64
    )
    with as_it_was(model):
        trainer = kto_trainer(model, made, made, learning)
        batch = trainer.batch_of("train", range(4))
        assert max(batch["input_ids"].shape[1], batch["KL_input_ids"].shape[1]) == 64
        trainer.train()


def test_both_rows_of_an_answer_follow_the_same_prompt(tmp_path):
    made = [Rated([1, 2, 3, 4, 5, 6], [7], True), Rated([8], [9, 9, 9, 9], False)]
    table = tables_of([of_rated(one) for one in made], [], PreferPlan(STAGE, tmp_path, 1, 2, "fp32", 0, 8))[
        "train"
    ]
    first, second = table.batch([0, 1])
    assert (first["prompt_ids"], first["completion_ids"], first["KL_completion_ids"]) == (
        [3, 4, 5, 6],
        [7],
        [9, 9, 9, 9],
    )
    assert (second["prompt_ids"], second["KL_completion_ids"]) == ([8], [7])


@pytest.mark.parametrize("kind", ["kto", "dpo"])
def test_activations_are_computed_again_where_that_is_asked_for(kind, thumbs, pairs, tokenizer, tmp_path):
    made, rows = (kto_trainer, thumbs) if kind == "kto" else (dpo_trainer, pairs)
    found = []
    for again in (False, True):
        model = build(SHAPE, tokenizer, 3)
        calls = []
        model.model.layers[0].mlp.register_forward_pre_hook(lambda *_, calls=calls: calls.append(1))
        learning = planned(tmp_path / str(again), tokenizer)._replace(gradient_checkpointing=again)
        with as_it_was(model):
            trainer = made(model, rows, [], learning)
            calls.clear()
            trainer.train()
        assert not model.is_activation_checkpointing
        found.append((len(calls), torch.cat([weight.flatten() for weight in model.parameters()])))
    (plain, weights), (more, same) = found
    assert more == plain + 3  # once more in each step
    assert (weights - same).abs().max() < 1e-6
