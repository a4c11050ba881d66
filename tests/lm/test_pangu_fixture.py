"""Numbers that the published implementation computed: ours are the same, whichever way of attention."""

import json

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, DynamicCache

import psyllm.lm.pangu
from psyllm.lm.checkpoint import quiet_transformers

DOUBLE, SINGLE = 1e-10, 3e-5
PARTS = (6, 1, 1, 3)  # of a row, one call of the model each

pytestmark = [
    pytest.mark.outside_data,
    pytest.mark.parametrize("attention", ["eager", "sdpa"]),
]


@pytest.fixture(scope="module")
def folder(outside_data):
    return outside_data / "pangu" / "imone_tiny"


@pytest.fixture(scope="module")
def expected(folder):
    return load_file(folder / "expected.safetensors")


@pytest.fixture(scope="module")
def told(folder):
    return json.loads((folder / "meta.json").read_text("utf-8"))


def load(folder, attention, dtype=torch.float32, **named):
    with quiet_transformers():
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, attn_implementation=attention, trust_remote_code=False, **named
        )
    assert type(model) is psyllm.lm.pangu.GPTPanguForCausalLM
    return model


def furthest(found, wanted):
    return (found - wanted).abs().max().item()


def test_logits_in_double_and_single_precision(attention, folder, expected):
    ids = expected["plain.input_ids"]
    with torch.no_grad():
        double = load(folder, attention, torch.float64)(ids).logits
        single = load(folder, attention)(ids).logits
    assert furthest(double, expected["plain.logits_f64"]) < DOUBLE
    assert furthest(single, expected["plain.logits"]) < SINGLE


def test_hidden_states_and_shares_of_attention(attention, folder, expected):
    found = load(folder, attention)(
        expected["plain.input_ids"], output_hidden_states=True, output_attentions=True
    )
    assert furthest(torch.stack(found.hidden_states), expected["plain.hidden_states"]) < SINGLE
    assert furthest(torch.stack(found.attentions), expected["plain.attentions"]) < SINGLE


@pytest.mark.parametrize("kept", ["all", "at layers' ends", "at layers' ends, by hooks"])
def test_loss_and_all_gradients(kept, attention, folder, expected):
    dropout = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    model = load(folder, attention, torch.float64, **dropout).train()
    if kept != "all":
        model.activation_checkpointing_enable({"use_reentrant": "hooks" not in kept})
    loss = model(expected["plain.input_ids"], labels=expected["loss.labels"]).loss
    loss.backward()
    assert abs(loss.item() - expected["loss.value_f64"].item()) < DOUBLE
    gradients = {f"grad_f64.{name}": weight.grad for name, weight in model.named_parameters()}
    assert set(gradients) == {name for name in expected if name.startswith("grad_f64.")}
    assert max(furthest(found, expected[name]) for name, found in gradients.items()) < DOUBLE


def test_padding_on_the_left_and_on_the_right(attention, folder, expected):
    model, real = load(folder, attention), expected["left.attention_mask"].bool()
    left = model(
        expected["left.input_ids"],
        attention_mask=expected["left.attention_mask"],
        position_ids=expected["left.position_ids"],
    ).logits
    assert furthest(left[real], expected["left.logits"][real]) < SINGLE
    assert left.isfinite().all()
    right = model(expected["right.input_ids"], attention_mask=expected["right.attention_mask"]).logits
    assert furthest(right, expected["right.logits"]) < SINGLE


@torch.no_grad()
def test_a_row_read_in_parts_with_a_cache(attention, folder, expected):
    model, cache = load(folder, attention), DynamicCache()
    parts = expected["plain.input_ids"].split(PARTS, dim=1)
    logits = torch.cat([model(part, past_key_values=cache).logits for part in parts], dim=1)
    assert furthest(logits, expected["cache.logits"]) < SINGLE
    assert furthest(torch.stack([layer.keys for layer in cache.layers]), expected["cache.keys"]) < SINGLE
    assert furthest(torch.stack([layer.values for layer in cache.layers]), expected["cache.values"]) < SINGLE


@torch.no_grad()
def test_padded_rows_read_in_parts_with_a_cache(attention, folder, expected):
    model, cache = load(folder, attention), DynamicCache()
    mask, done, found = expected["left.attention_mask"], 0, []
    for part in expected["left.input_ids"].split((6, 1, 1, 2), dim=1):
        end = done + part.shape[1]
        places = expected["left.position_ids"][:, done:end]
        seen = mask[:, :end]
        found.append(model(part, attention_mask=seen, position_ids=places, past_key_values=cache).logits)
        done = end
    real = mask.bool()
    assert furthest(torch.cat(found, dim=1)[real], expected["cache_left.logits"][real]) < SINGLE


@pytest.mark.parametrize("how", [{}, {"use_cache": False}, {"cache_implementation": "static"}])
def test_greedy_tokens(how, attention, folder, expected, told):
    model, greedy = load(folder, attention), told["greedy"]
    named = {"attention_mask": expected["left.attention_mask"], "do_sample": False, "pad_token_id": 6, **how}
    for end, tokens in ((None, greedy["tokens"]), (greedy["eos_token_id"], greedy["tokens_with_eos"])):
        found = model.generate(
            expected["left.input_ids"], max_new_tokens=greedy["new_tokens"], eos_token_id=end, **named
        )
        assert found.tolist() == tokens


def test_beams(attention, folder, expected, told):
    beam = told["beam"]
    found = load(folder, attention).generate(
        expected["left.input_ids"],
        attention_mask=expected["left.attention_mask"],
        max_new_tokens=beam["new_tokens"],
        num_beams=beam["num_beams"],
        do_sample=False,
        eos_token_id=None,
        pad_token_id=6,
    )
    assert found.tolist() == beam["tokens"]
