"""A base is asked whether it can be trained before it is."""

from pathlib import Path

import pytest
import torch
from transformers import (
    BertConfig,
    BertLMHeadModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    ModernBertDecoderConfig,
    ModernBertDecoderForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from lm.small_bases import SHAPES, shaped
from psyllm.core.errors import BadCheckpoint, BadSetting
from psyllm.train.fitness import check_base, check_length

BASE = Path("a/base")
WIDE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 50}


def decoders():
    torch.manual_seed(1)
    llama = {**WIDE, "intermediate_size": 48, "num_key_value_heads": 1, "max_position_embeddings": 32}
    return [
        GPT2LMHeadModel(GPT2Config(n_layer=2, n_embd=32, n_head=2, vocab_size=50, n_positions=32)),
        LlamaForCausalLM(LlamaConfig(**llama)),
        Qwen3ForCausalLM(Qwen3Config(**llama, head_dim=16)),
    ]


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_decoders_are_taken_and_left_as_they_were(attention):
    for model in decoders():
        model.set_attn_implementation(attention)
        model.train()
        check_base(model, BASE)
        assert model.training


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_base_with_a_broken_weight_is_told_as_that(number):
    for model in decoders():
        with torch.no_grad():
            next(weight for name, weight in model.named_parameters() if "norm" in name or "ln_" in name)[
                3
            ] = number
        with pytest.raises(BadCheckpoint, match="broken weights"):
            check_base(model, BASE)


def test_a_model_that_sees_what_follows_is_refused():
    model = BertLMHeadModel(BertConfig(**WIDE, intermediate_size=48, is_decoder=False))
    with pytest.raises(BadCheckpoint, match="no causal language model") as caught:
        check_base(model, BASE)
    assert "--base" in caught.value.next_step


def test_a_model_that_does_not_see_borders_or_takes_no_positions_is_refused():
    recurrent = MambaForCausalLM(
        MambaConfig(hidden_size=32, num_hidden_layers=1, vocab_size=50, state_size=4)
    )
    with pytest.raises(BadCheckpoint, match=r"keep texts apart|can't be called"):
        check_base(recurrent, BASE)
    leaking = decoders()[0]
    body = leaking.base_model
    plain = body.forward

    def with_mask(**named):
        """As a forward pass that always makes a mask of ones: borders are no longer looked for."""
        return plain(**named, attention_mask=torch.ones_like(named["input_ids"]))

    body.forward = with_mask
    with pytest.raises(BadCheckpoint, match="keep texts apart"):
        check_base(leaking, BASE)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_shapes_that_people_start_from_are_taken(shape):
    check_base(shaped(shape, 300), BASE)


def test_a_base_of_whose_head_training_would_see_a_part_is_refused():
    torch.manual_seed(1)
    config = ModernBertDecoderConfig(
        **WIDE,
        intermediate_size=48,
        max_position_embeddings=32,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        cls_token_id=1,
        sep_token_id=2,
    )
    layered = ModernBertDecoderForCausalLM(config)
    layered.get_output_embeddings().weight.data.normal_()  # as a trained one, sure of something
    with pytest.raises(BadCheckpoint, match="between its layers and its logits"):
        check_base(layered, BASE)
    bent = decoders()[1]
    bent.get_output_embeddings().weight.data.normal_()
    plain = bent.forward

    def scaled(**named):
        """As a model that does something of its own with its logits."""
        said = plain(**named)
        said.logits = said.logits * 2
        return said

    bent.forward = scaled
    with pytest.raises(BadCheckpoint, match="between its layers and its logits"):
        check_base(bent, BASE)


def test_rows_longer_than_the_positions_are_refused():
    for model in decoders():
        check_length(model, 32, "answer")
        with pytest.raises(BadSetting, match="33 tokens, the model has 32 positions") as caught:
            check_length(model, 33, "answer")
        assert "train.answer.row_tokens" in caught.value.next_step
