"""How fast a machine could be and what a token costs, against counts done by hand."""

import tomllib

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from psyllm.train import peak
from psyllm.train.peak import (
    CARDS,
    card_peak,
    machine_facts,
    memory_in_use,
    operations_a_token,
    peak_of_this_machine,
)


def gpt2(**more):
    shape = {"n_layer": 2, "n_embd": 32, "n_head": 2, "n_positions": 64, "vocab_size": 101}
    return GPT2LMHeadModel(GPT2Config(**shape, **more))


def llama(*, tied: bool):
    return LlamaForCausalLM(
        LlamaConfig(
            num_hidden_layers=2,
            hidden_size=32,
            intermediate_size=48,
            num_attention_heads=2,
            vocab_size=101,
            max_position_embeddings=64,
            tie_word_embeddings=tied,
        )
    )


@pytest.mark.parametrize("make", [gpt2, lambda: llama(tied=True), lambda: llama(tied=False)])
def test_the_operations_of_a_token_are_those_that_torch_counts(make):
    model = make()
    model.set_attn_implementation("eager")
    ids = torch.arange(64).remainder(101).view(1, 64)
    with FlopCounterMode(display=False) as counter:
        model(ids, use_cache=False).logits.sum().backward()
    # The input gradient of the first layer is the embedding's, so torch counts all that the formula does.
    assert operations_a_token(model, 64) == pytest.approx(counter.get_total_flops() / 64, rel=0.02)


def test_weights_that_do_not_learn_cost_a_third_less():
    model = llama(tied=False)
    all_learn = operations_a_token(model, 0)
    for weight in model.parameters():
        weight.requires_grad_(requires_grad=False)
    assert operations_a_token(model, 0) == pytest.approx(all_learn * 4 / 6)


def test_cards_are_found_by_the_name_that_their_driver_gives():
    assert card_peak("NVIDIA H200", "bf16") == pytest.approx(989.4e12)
    assert card_peak("NVIDIA H100 80GB HBM3", "bf16") == pytest.approx(989.4e12)
    assert card_peak("NVIDIA A100-SXM4-80GB", "fp32") == pytest.approx(19.5e12)
    assert card_peak("Tesla V100-PCIE-16GB", "fp16") == pytest.approx(112e12)
    assert card_peak("Tesla V100-SXM2-16GB", "fp16") == pytest.approx(125e12)
    assert card_peak("A card of tomorrow", "bf16") == 0


def test_no_row_of_cards_hides_behind_an_earlier_one_and_each_has_a_source():
    rows = tomllib.loads(CARDS.read_text("utf-8"))["card"]
    for place, row in enumerate(rows):
        assert row["source"]
        assert row["half"] > row["single"] > 0
        assert not any(row["name"].startswith(earlier["name"]) for earlier in rows[:place]), row["name"]


def test_the_peak_of_a_processor_is_measured_without_touching_the_random_numbers():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    peak._measured.cache_clear()
    found = peak_of_this_machine("fp32")
    assert torch.equal(torch.rand(3), expected)
    assert found.operations_per_s > 1e8
    assert found.is_card == torch.cuda.is_available()


def test_the_memory_of_this_process_is_told():
    assert memory_in_use()["card_bytes" if torch.cuda.is_available() else "process_bytes"] > 10**7
    assert int(machine_facts()["memory_mb"]) > 100
