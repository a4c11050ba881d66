"""The model against plain formulas, and with everything that trains, packs, caches and serves it."""

import copy
import math

import pytest
import torch
from torch.nn import functional
from transformers import DynamicCache, StaticCache

from lm.pangu_small import KINDS, SIZES, by_formula, small_model, some_ids
from psyllm.core.errors import BadInput
from psyllm.lm.loss import to_batch, token_losses
from psyllm.lm.pack import pack_blocks
from psyllm.lm.pangu_config import GPTPanguConfig
from psyllm.lm.pangu_model import GPTPanguForCausalLM, causal_loss
from psyllm.lm.slots import Slots
from psyllm.lm.template import NOT_LEARNT, Example

CLOSE = 1e-5
ATTENTIONS = pytest.mark.parametrize("attention", ["eager", "sdpa"])
ALL_KINDS = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())


def furthest(found, wanted):
    return (found - wanted).abs().max().item()


@ALL_KINDS
@ATTENTIONS
def test_logits_are_those_of_the_formulas(kind, attention):
    model = small_model(attention=attention, dtype=torch.float64, **kind)
    ids = some_ids(3, 11)
    expected = torch.stack([by_formula(model, row) for row in ids])
    assert furthest(model(ids).logits, expected) < 1e-11
    assert furthest(model.float()(ids).logits, expected) < 1e-3  # of logits of about 20


@ALL_KINDS
@ATTENTIONS
def test_hidden_states_are_what_goes_into_each_layer_and_the_end(kind, attention):
    model = small_model(attention=attention, **kind)
    ids = some_ids(2, 7)
    found = model(ids, output_hidden_states=True)
    layers = model.config.num_layers
    assert len(found.hidden_states) == layers + 1
    body = model.transformer
    start = body.wte(ids) + body.wpe(torch.arange(7))
    assert torch.equal(found.hidden_states[0], body.ln_f(start) if layers == 1 else start)
    normed = (found.hidden_states[-2] - body.ln_f.bias) / body.ln_f.weight
    assert furthest(normed.mean(-1), 0) < 1e-4
    assert torch.equal(model.lm_head(found.hidden_states[-1]), found.logits)
    assert found.attentions is None


def test_the_shares_of_attention_are_told_whichever_way_is_set():
    model = small_model(attention="sdpa")
    ids, mask = some_ids(2, 7), torch.tensor([[1] * 7, [0, 0, 1, 1, 1, 1, 1]])
    found = model(ids, attention_mask=mask, output_attentions=True)
    assert len(found.attentions) == SIZES["num_layers"]
    assert found.attentions[0].shape == (2, 4, 7, 7)
    assert torch.allclose(torch.stack(found.attentions).sum(-1), torch.ones(()), atol=CLOSE)
    assert found.attentions[2][0].triu(1).abs().max() == 0
    assert found.attentions[1][1, :, 2:, :2].abs().max() == 0
    assert torch.allclose(found.logits[0], model(ids, attention_mask=mask).logits[0], atol=CLOSE)


@pytest.mark.parametrize("how", [{"use_cache": False}, {}], ids=["without a cache", "with a new cache"])
@pytest.mark.parametrize("training", [True, False])
@ALL_KINDS
@ATTENTIONS
def test_packed_rows_equal_separate_rows(kind, attention, training, how):
    model = small_model(attention=attention, **kind).train(training)
    parts = [some_ids(length, seed=length) for length in (5, 9, 3, 6)]
    packed = torch.cat(parts)[None]
    places = torch.cat([torch.arange(len(part)) for part in parts])[None]
    together = model(packed, position_ids=places, **how).logits[0]
    alone = torch.cat([model(part[None]).logits[0] for part in parts])
    assert furthest(together, alone) < 2e-5
    blended = model(packed, position_ids=places, attention_mask=torch.ones_like(packed)).logits[0]
    assert furthest(blended, alone) > 0.1


@ATTENTIONS
def test_the_loss_of_training_is_that_of_each_dialogue_alone(attention):
    model = small_model(attention=attention)
    examples = []
    for length in (9, 4, 7, 12, 5):
        ids = some_ids(length, seed=length).tolist()
        examples.append(Example(ids, [NOT_LEARNT] * 3 + ids[3:]))
    packed = pack_blocks(examples, 24, 6)
    assert len(packed.ids) < len(examples)
    together = token_losses(model, to_batch(packed))
    alone = [token_losses(model, to_batch(pack_blocks([one], len(one.ids), 6))) for one in examples]
    assert torch.allclose(together.sort().values, torch.cat(alone).sort().values, atol=1e-4)
    batch = to_batch(packed)
    assert model(**batch, use_cache=False).loss.item() == pytest.approx(together.mean().item(), rel=1e-5)


@ATTENTIONS
def test_slots_of_many_answers_give_the_logits_of_one(attention):
    model = small_model(attention=attention)
    rows = [some_ids(9, seed=1).tolist(), some_ids(6, seed=2).tolist()]
    slots = Slots(model, 3, 20)
    for row, ids in enumerate(rows):
        slots.read(row, ids[:3], 0)
        read = slots.read(row, ids[3:-2], 3)
        assert furthest(read, model(torch.tensor([ids[:-2]])).logits[0, -1]) < CLOSE
    for back in (2, 1):
        ids = [row[-back] for row in rows] + [0]
        found = slots.step(ids, [len(row) - back for row in rows] + [0])
        for row, whole in enumerate(rows):
            wanted = model(torch.tensor([whole[: len(whole) - back + 1]])).logits[0, -1]
            assert furthest(found[row], wanted) < CLOSE


@pytest.mark.parametrize("parts", [(7,), (3, 4), (1, 1, 5), (4, 1, 1, 1)])
@pytest.mark.parametrize("kind_of_cache", ["dynamic", "static"])
@ATTENTIONS
def test_a_cache_changes_nothing(attention, kind_of_cache, parts):
    model = small_model(attention=attention)
    ids = some_ids(2, 7)
    cache = (
        DynamicCache() if kind_of_cache == "dynamic" else StaticCache(config=model.config, max_cache_len=16)
    )
    with torch.no_grad():
        found = [model(part, past_key_values=cache).logits for part in ids.split(parts, dim=1)]
    assert furthest(torch.cat(found, dim=1), model(ids).logits) < CLOSE


@ATTENTIONS
def test_left_padding_changes_nothing_and_leaves_no_holes_in_gradients(attention):
    model = small_model(attention=attention).train()
    ids = some_ids(1, 6)
    padded = torch.cat([torch.full((1, 4), 6), ids], dim=1)
    mask = (torch.arange(10) >= 4).long()[None]
    places = (mask.cumsum(-1) - 1).clamp(min=0)
    labels = torch.where(mask.bool(), padded, NOT_LEARNT)
    found = model(padded, attention_mask=mask, position_ids=places, labels=labels)
    assert furthest(found.logits[:, 4:], model(ids).logits) < CLOSE
    found.loss.backward()
    assert all(weight.grad.isfinite().all() for weight in model.parameters())


@ATTENTIONS
def test_a_mask_of_four_dimensions_may_be_bool_or_added(attention):
    model = small_model(attention=attention)
    ids = some_ids(2, 7)
    seen = torch.ones(7, 7).tril().bool().expand(2, 1, 7, 7).clone()
    seen[:, :, 5, 2] = False
    added = torch.zeros(seen.shape).masked_fill(~seen, torch.finfo(torch.float32).min)
    as_bool = model(ids, attention_mask=seen).logits
    assert furthest(as_bool, model(ids, attention_mask=added).logits) < CLOSE
    assert furthest(as_bool[:, :5], model(ids).logits[:, :5]) < CLOSE
    assert furthest(as_bool[:, 5], model(ids).logits[:, 5]) > 1e-3


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@ATTENTIONS
def test_half_precision_stays_near(attention, dtype):
    model = small_model(attention=attention)
    ids, mask = some_ids(2, 5), torch.tensor([[1] * 5, [0, 0, 1, 1, 1]])
    exact = model(ids, attention_mask=mask).logits
    found = model.to(dtype)(ids, attention_mask=mask)
    assert found.logits.dtype == dtype
    assert found.logits.isfinite().all()
    assert furthest(found.logits[0].float(), exact[0]) < 0.1 * exact.abs().max()


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointing_gives_the_same_gradients_with_dropout_too(reentrant):
    ids, gradients = some_ids(2, 8), []
    for checkpointing in (False, True):
        model = small_model(resid_pdrop=0.2, embd_pdrop=0.2, attn_pdrop=0.2, attention="eager").train()
        if checkpointing:
            model.activation_checkpointing_enable({"use_reentrant": reentrant})
        torch.manual_seed(5)
        model(ids, labels=ids).loss.backward()
        gradients.append([weight.grad for weight in model.parameters()])
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(*gradients, strict=True))


def test_token_types_are_looked_up_among_the_words():
    model = small_model()
    ids, types = some_ids(1, 5), some_ids(1, 5, seed=9)
    words = model.transformer.wte(ids) + model.transformer.wte(types)
    assert furthest(model(ids, token_type_ids=types).logits, model(inputs_embeds=words).logits) < CLOSE
    assert furthest(model(ids, token_type_ids=types).logits, model(ids).logits) > 0.1


def test_logits_are_made_only_where_they_are_asked_for():
    model, ids = small_model(), some_ids(2, 7)
    whole = model(ids).logits
    assert furthest(model(ids, logits_to_keep=1).logits, whole[:, -1:]) < CLOSE
    assert furthest(model(ids, logits_to_keep=torch.tensor([2, 4])).logits, whole[:, [2, 4]]) < CLOSE


def test_a_tuple_comes_out_where_names_are_not_wanted():
    model, ids = small_model(), some_ids(1, 5)
    loss, logits, cache = model(ids, labels=ids, return_dict=False)
    named = model(ids, labels=ids)
    assert (loss, cache.get_seq_length()) == (named.loss, 5)
    assert torch.equal(logits, named.logits)
    assert torch.equal(model.transformer(ids, return_dict=False)[0], model.transformer(ids).last_hidden_state)


@pytest.mark.parametrize("given", [False, True])
def test_a_row_longer_than_the_tables_is_refused_with_the_number(given):
    model, ids = small_model(), some_ids(1, 25)
    named = {"position_ids": torch.arange(25)[None]} if given else {}
    with pytest.raises(BadInput, match="position 25, the model has 24") as caught:
        model(ids, **named)
    assert "24 tokens" in caught.value.next_step
    with pytest.raises(BadInput, match="position 25"):
        model.generate(ids[:, :20], max_new_tokens=6, do_sample=False, eos_token_id=None)
    assert model.generate(ids[:, :20], max_new_tokens=4, eos_token_id=None).shape == (1, 24)


@pytest.mark.parametrize("packed", [False, True])
@ATTENTIONS
def test_the_whole_of_it_can_be_traced_for_compiling(attention, packed):
    model, ids = small_model(attention=attention), some_ids(2, 8)
    places = torch.tensor([[0, 1, 2, 0, 1, 2, 3, 4]] * 2) if packed else torch.arange(8).expand(2, 8)
    torch.compiler.reset()
    traced = torch.compile(model.transformer, backend="eager", fullgraph=True)
    named = {"position_ids": places, "use_cache": False}
    expected = model.transformer(ids, **named).last_hidden_state
    assert furthest(traced(ids, **named).last_hidden_state, expected) < CLOSE
    torch.compiler.reset()


def test_tokens_must_come_once():
    model = small_model()
    with pytest.raises(BadInput, match="twice or not at all"):
        model()
    with pytest.raises(BadInput, match="twice or not at all"):
        model(some_ids(1, 3), inputs_embeds=torch.zeros(1, 3, 16))


def test_a_larger_vocabulary_keeps_the_head_tied(tmp_path):
    model, ids = small_model(), some_ids(1, 6)
    before = model(ids).logits
    model.resize_token_embeddings(64, mean_resizing=False)
    assert model.lm_head.weight is model.transformer.wte.weight
    assert (model.config.vocab_size, model.lm_head.out_features) == (64, 64)
    assert furthest(model(ids).logits[..., :61], before) < CLOSE
    model.save_pretrained(tmp_path)
    again = GPTPanguForCausalLM.from_pretrained(tmp_path)
    assert torch.equal(again(ids).logits, model(ids).logits)


def test_marks_are_never_said_with_the_published_vocabulary():
    model = small_model(vocab_size=40_010, hidden_size=4, num_layers=1)
    with torch.no_grad():  # rows without text and marks would win every step
        model.transformer.wte.weight[40_000:] += 5
    model.transformer.ln_f.bias.data.zero_()
    ids = some_ids(3, 4)
    for how in ({"do_sample": False}, {"do_sample": True}, {"num_beams": 2, "do_sample": False}):
        torch.manual_seed(1)
        new = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, **how)[:, 4:]
        ended = (new == 9).cumsum(-1) - (new == 9).long() > 0  # after the end only padding stands
        assert (new[ended] == 6).all()
        assert not set(new[~ended].tolist()) & {0, 1, 2, 5, 6, 7, 8}
        assert new.max() < 40_000


def test_drawn_answers_repeat_with_their_seed():
    model, ids, drawn = small_model(), some_ids(2, 4), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(model.generate(ids, do_sample=True, top_p=0.9, max_new_tokens=9, eos_token_id=None))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_new_weights_are_small_and_those_that_add_up_smaller():
    torch.manual_seed(0)
    model = GPTPanguForCausalLM(GPTPanguConfig(vocab_size=400, hidden_size=128, num_layers=8, num_heads=4))
    block = model.transformer.h[3]
    for weight in (model.transformer.wqe.weight, block.attn.q_proj.weight, block.mlp.c_fc.weight):
        assert weight.std().item() == pytest.approx(0.02, rel=0.05)
    for weight in (block.attn.c_proj.weight, block.mlp.c_proj.weight):
        assert weight.std().item() == pytest.approx(0.02 / math.sqrt(16), rel=0.05)
    assert block.attn.k_proj.bias.abs().max() == 0
    ids = some_ids(4, 30)
    loss = model.eval()(ids, labels=ids).loss.item()
    assert loss == pytest.approx(math.log(400), rel=0.05)


def test_the_loss_counts_what_the_trainer_counts():
    logits, labels = torch.randn(2, 5, 7, dtype=torch.float64), torch.randint(0, 7, (2, 5))
    labels[0, 2] = NOT_LEARNT
    mean = functional.cross_entropy(logits[:, :-1].reshape(-1, 7), labels[:, 1:].reshape(-1))
    assert causal_loss(logits, labels).item() == pytest.approx(mean.item(), abs=1e-14)
    whole = causal_loss(logits, labels, num_items_in_batch=torch.tensor(14)).item()
    assert whole == pytest.approx(mean.item() * 7 / 14, abs=1e-14)
    shifted = functional.pad(labels, (0, 1), value=NOT_LEARNT)[:, 1:]
    assert causal_loss(logits, None, shift_labels=shifted).item() == pytest.approx(mean.item(), abs=1e-14)
    with pytest.raises(BadInput, match="without labels"):
        causal_loss(logits, None)
    model, ids = small_model(), some_ids(2, 6)
    told = model(ids, labels=ids, num_items_in_batch=20).loss.item()
    assert told == pytest.approx(model(ids, labels=ids).loss.item() / 2, rel=1e-6)


def test_a_model_can_be_copied_whole():
    model, ids = small_model(), some_ids(1, 4)
    other = copy.deepcopy(model)
    assert torch.equal(other(ids).logits, model(ids).logits)
    assert other.lm_head.weight is other.transformer.wte.weight
