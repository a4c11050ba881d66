"""The chunked loss is the plain loss: the same sum, the same gradients, whatever the head is."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional
from transformers import (
    CohereConfig,
    CohereForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GraniteConfig,
    GraniteForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from lm.small import SHAPE
from psyllm.lm import chunk_size, chunked_loss, loss
from psyllm.lm.checkpoint import build
from psyllm.lm.chunk_size import rows_of_chunk
from psyllm.lm.chunked_loss import chunked_losses, chunked_sum
from psyllm.lm.loss import learnt_tokens, summed_loss, token_losses
from psyllm.lm.template import NOT_LEARNT

EXACT = {torch.float32: 1e-6, torch.float64: 1e-10}
VOCABULARY = 53
LLAMA_LIKE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
    "pad_token_id": 0,
    "bos_token_id": None,
    "eos_token_id": 1,
}


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    """Three rows a chunk, one row in the cache: every edge is met."""
    monkeypatch.setitem(chunk_size.CHUNK_BYTES, "cpu", 3 * 4 * VOCABULARY)
    monkeypatch.setattr(chunk_size, "FEWEST_ROWS", 1)
    monkeypatch.setattr(chunked_loss, "CACHED_BYTES", 4 * VOCABULARY)
    monkeypatch.setattr(chunked_loss, "WEIGHT_ROWS", 20)


def some_head(tokens, dtype=torch.float64, with_bias=True, seed=0, scale=1.0):
    random = torch.Generator().manual_seed(seed)
    hidden = torch.randn(tokens, 8, generator=random, dtype=dtype).mul(scale).requires_grad_()
    weight = torch.randn(VOCABULARY, 8, generator=random, dtype=dtype).requires_grad_()
    bias = torch.randn(VOCABULARY, generator=random, dtype=dtype).requires_grad_() if with_bias else None
    targets = torch.randint(0, VOCABULARY, (tokens,), generator=random)
    return hidden, weight, bias, targets


def plain_sum(hidden, weight, bias, targets):
    return functional.cross_entropy(functional.linear(hidden, weight, bias), targets, reduction="sum")


def gradients(total, inputs):
    return torch.autograd.grad(total, [one for one in inputs if one is not None])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("tokens", [1, 3, 10])
def test_the_sum_and_all_gradients_are_the_plain_ones(dtype, with_bias, tokens):
    hidden, weight, bias, targets = some_head(tokens, dtype, with_bias)
    plain = plain_sum(hidden, weight, bias, targets) / tokens
    ours = chunked_sum(hidden, weight, bias, targets) / tokens
    assert ours.item() == pytest.approx(plain.item(), rel=EXACT[dtype])
    for one, other in zip(
        gradients(ours, (hidden, weight, bias)), gradients(plain, (hidden, weight, bias)), strict=True
    ):
        assert one.dtype == other.dtype
        assert torch.allclose(one, other, atol=EXACT[dtype], rtol=EXACT[dtype])


def test_the_gradients_are_those_of_finite_differences():
    hidden, weight, bias, targets = some_head(7)
    assert torch.autograd.gradcheck(lambda *named: chunked_sum(*named, targets), (hidden, weight, bias))


@settings(max_examples=30, deadline=None)
@given(tokens=st.integers(0, 12), seed=st.integers(0, 99), scale=st.sampled_from([0.0, 1.0, 40.0, 4000.0]))
def test_any_scale_of_logits_gives_the_plain_losses(tokens, seed, scale):
    hidden, weight, bias, targets = some_head(tokens, seed=seed, scale=scale)
    ours, plain = chunked_sum(hidden, weight, bias, targets), plain_sum(hidden, weight, bias, targets)
    assert torch.allclose(ours, plain, rtol=1e-10, atol=1e-10)
    found, expected = gradients(ours, (hidden, weight, bias)), gradients(plain, (hidden, weight, bias))
    assert all(
        torch.allclose(one, other, rtol=1e-9, atol=1e-8 * max(scale, 1.0))
        for one, other in zip(found, expected, strict=True)
    )


@pytest.mark.parametrize("frozen", ["hidden", "weight", "bias"])
def test_what_is_frozen_gets_no_gradient_and_the_rest_the_same(frozen):
    hidden, weight, bias, targets = some_head(8)
    named = {"hidden": hidden, "weight": weight, "bias": bias}
    plain = dict(zip(named, gradients(plain_sum(*named.values(), targets), named.values()), strict=True))
    named[frozen].requires_grad_(False)
    chunked_sum(*named.values(), targets).backward()
    assert named[frozen].grad is None
    assert all(torch.allclose(named[name].grad, plain[name]) for name in named if name != frozen)


def test_a_second_backward_pass_gives_the_same_gradients_again():
    hidden, weight, _, targets = some_head(8, with_bias=False)
    total = chunked_sum(hidden, weight, None, targets)
    first = torch.autograd.grad(total * 3, (hidden, weight), retain_graph=True)
    kept = [one.clone() for one in first]
    second = torch.autograd.grad(total, (hidden, weight))
    assert all(torch.equal(one, before) for one, before in zip(first, kept, strict=True))
    assert all(torch.allclose(one * 3, before) for one, before in zip(second, kept, strict=True))


@pytest.mark.parametrize("low", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("with_bias", [True, False])
def test_under_autocast_the_gradients_are_as_near_to_the_true_ones_as_the_plain_loss_s(low, with_bias):
    hidden, weight, bias, targets = some_head(9, torch.float32, with_bias, scale=2.0)
    inputs = [one for one in (hidden, weight, bias) if one is not None]
    true = gradients(plain_sum(hidden, weight, bias, targets), inputs)
    with torch.autocast("cpu", dtype=low):
        ours = chunked_sum(hidden, weight, bias, targets)
        plain = plain_sum(hidden, weight, bias, targets)
    assert ours.dtype == torch.float32
    for one, other, right in zip(gradients(ours, inputs), gradients(plain, inputs), true, strict=True):
        assert one.dtype == torch.float32
        far, allowed = (one - right).norm() / right.norm(), (other - right).norm() / right.norm()
        assert far <= 1.5 * allowed + torch.finfo(low).eps


@pytest.mark.parametrize("low", [torch.bfloat16, torch.float16])
def test_weights_of_a_low_type_keep_it_in_their_gradients(low):
    hidden, weight, _, targets = some_head(9, torch.float32, with_bias=False)
    true = gradients(plain_sum(hidden, weight, None, targets), (hidden, weight))
    small = [one.detach().to(low).requires_grad_() for one in (hidden, weight)]
    found = gradients(chunked_sum(*small, None, targets), small)
    assert [one.dtype for one in found] == [low, low]
    far = [(one.float() - other).norm() / other.norm() for one, other in zip(found, true, strict=True)]
    assert max(far) < 4 * torch.finfo(low).eps


def test_a_token_that_is_nearly_sure_keeps_its_small_gradient_in_bf16():
    hidden = torch.full((4, 8), 1.0, requires_grad=True)
    weight = torch.zeros(VOCABULARY, 8)
    weight[3] = 1.5
    weight.requires_grad_()
    targets = torch.full((4,), 3)
    true = gradients(plain_sum(hidden, weight, None, targets), (hidden, weight))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = gradients(chunked_sum(hidden, weight, None, targets), (hidden, weight))
    assert all(torch.allclose(one, other, rtol=0.02) for one, other in zip(found, true, strict=True))


def test_the_losses_of_single_tokens_are_the_plain_ones_with_gradients_and_without():
    hidden, weight, bias, targets = some_head(10, torch.float32)
    losses = chunked_losses(hidden, targets, lambda part: functional.linear(part, weight, bias))
    plain = functional.cross_entropy(functional.linear(hidden, weight, bias), targets, reduction="none")
    assert torch.allclose(losses, plain, atol=1e-6)
    weights = torch.arange(10.0)
    for one, other in zip(
        gradients((losses * weights).sum(), (hidden, weight, bias)),
        gradients((plain * weights).sum(), (hidden, weight, bias)),
        strict=True,
    ):
        assert torch.allclose(one, other, atol=1e-5)
    with torch.no_grad():
        again = chunked_losses(hidden, targets, lambda part: functional.linear(part, weight, bias))
    assert torch.equal(again, losses)


def test_a_chunk_holds_no_more_than_its_bytes_and_at_least_one_row():
    assert rows_of_chunk(1000, VOCABULARY, "cpu") == 3
    assert rows_of_chunk(2, VOCABULARY, "cpu") == 2
    assert rows_of_chunk(1000, 10**9, "cpu") == 1


def llama(tokenizer):
    return build(SHAPE, tokenizer, seed=2)


def gpt2(tokenizer):
    sizes = {"vocab_size": VOCABULARY, "n_positions": 32, "n_embd": 16, "n_layer": 1, "n_head": 2}
    drops = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    return GPT2LMHeadModel(GPT2Config(**sizes, **drops, bos_token_id=None, eos_token_id=1))


def untied(tokenizer):
    return Qwen3ForCausalLM(Qwen3Config(**LLAMA_LIKE, tie_word_embeddings=False))


def gemma(tokenizer):
    return Gemma2ForCausalLM(Gemma2Config(**LLAMA_LIKE, final_logit_softcapping=2.0))


def cohere(tokenizer):
    return CohereForCausalLM(CohereConfig(**LLAMA_LIKE, logit_scale=0.25))


def granite(tokenizer):
    return GraniteForCausalLM(GraniteConfig(**LLAMA_LIKE, logits_scaling=3.0))


def some_batch(vocabulary=VOCABULARY):
    ids = torch.randint(2, vocabulary, (2, 20), generator=torch.Generator().manual_seed(1))
    labels = ids.clone()
    labels[:, ::3] = NOT_LEARNT
    return {"input_ids": ids, "labels": labels, "position_ids": torch.arange(20).expand(2, 20)}


@pytest.mark.parametrize("make", [llama, gpt2, untied, gemma, cohere, granite])
def test_every_kind_of_model_has_the_losses_that_transformers_gives_and_equal_gradients(make, tokenizer):
    torch.manual_seed(3)
    model = make(tokenizer)
    with torch.no_grad():  # so that bent logits are seen
        for weight in model.parameters():
            weight.mul_(2)
    batch = some_batch()
    theirs = model(**batch, use_cache=False).loss * learnt_tokens(batch)
    grads = {}
    for way in ("plain", "chunked"):
        model.zero_grad()
        total = summed_loss(model, batch, way)
        assert total.item() == pytest.approx(theirs.item(), rel=1e-5)
        assert token_losses(model, batch, way).sum().item() == pytest.approx(theirs.item(), rel=1e-5)
        total.backward()
        grads[way] = {name: weight.grad.clone() for name, weight in model.named_parameters()}
    for name, one in grads["plain"].items():
        assert torch.allclose(one, grads["chunked"][name], atol=2e-5, rtol=1e-5), name


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_an_adapter_around_the_head_is_learnt_in_chunks_too(tokenizer):
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(3)
    model = untied(tokenizer)
    wrapped = get_peft_model(model, LoraConfig(r=2, target_modules=["lm_head", "q_proj"], lora_dropout=0.0))
    with torch.no_grad():
        for name, weight in wrapped.named_parameters():
            if "lora_B" in name:
                weight.normal_()
    batch = some_batch()
    grads = {}
    for way in ("plain", "chunked"):
        wrapped.zero_grad()
        summed_loss(wrapped, batch, way).backward()
        grads[way] = {
            name: weight.grad.clone() for name, weight in wrapped.named_parameters() if weight.requires_grad
        }
    assert any("lm_head" in name for name in grads["plain"])
    assert all(torch.allclose(one, grads["chunked"][name], atol=1e-5) for name, one in grads["plain"].items())


def test_small_logits_take_the_plain_way_and_large_ones_the_chunks(tokenizer, monkeypatch):
    model = untied(tokenizer)
    seen = []
    monkeypatch.setattr(loss, "chunked_sum", lambda *named: seen.append("chunked") or chunked_sum(*named))
    summed_loss(model, some_batch())
    assert seen == []
    monkeypatch.setattr(chunk_size, "PLAIN_LOGITS_BYTES", 100)
    summed_loss(model, some_batch())
    assert seen == ["chunked"]


def test_learning_nothing_is_a_loss_of_zero_in_both_ways(tokenizer):
    model = untied(tokenizer)
    batch = some_batch()
    batch["labels"].fill_(NOT_LEARNT)
    assert learnt_tokens(batch) == 0
    for way in ("plain", "chunked"):
        total = summed_loss(model, batch, way)
        total.backward()
        assert total.item() == 0
        assert token_losses(model, batch, way).shape == (0,)
