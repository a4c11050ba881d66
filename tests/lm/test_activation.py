"""One operation in the place of several is the same function, and keeps less."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.activations import ACT2FN

from lm.live_memory import kept_bytes
from lm.small import SHAPE, TEXTS
from psyllm.lm.activation import fuse_activations
from psyllm.lm.checkpoint import build
from psyllm.lm.tokenizer import train_tokenizer

IDS = torch.arange(48).reshape(2, 24)


def gpt2(activation):
    config = GPT2Config(
        vocab_size=64,
        n_embd=32,
        n_layer=2,
        n_head=2,
        n_positions=32,
        activation_function=activation,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=None,
        eos_token_id=1,
        use_cache=False,
    )
    torch.manual_seed(0)
    model = GPT2LMHeadModel(config)
    for weight in model.parameters():  # larger than at the start, so that the curve is walked through
        weight.data.mul_(8)
    return model


def loss_and_gradients(model):
    loss = model(input_ids=IDS, labels=IDS).loss
    loss.backward()
    return loss.detach(), [weight.grad for weight in model.parameters()]


@pytest.mark.parametrize("activation", ["gelu_new", "gelu_fast"])
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-8), (torch.float32, 2e-5)])
def test_loss_and_gradients_stay_what_they_were(activation, dtype, bound):
    spelled, fused = gpt2(activation).to(dtype), gpt2(activation).to(dtype)
    assert fuse_activations(fused) == 2
    (loss, gradients), (same, fused_gradients) = loss_and_gradients(spelled), loss_and_gradients(fused)
    torch.testing.assert_close(same, loss, rtol=bound, atol=bound)
    for one, other in zip(gradients, fused_gradients, strict=True):
        torch.testing.assert_close(other, one, rtol=bound, atol=bound * float(one.abs().max()))


@given(st.floats(-60, 60), st.sampled_from(["gelu_new", "gelu_fast"]))
def test_the_function_is_the_same_everywhere(number, activation):
    at = torch.tensor(number, dtype=torch.float64)
    torch.testing.assert_close(ACT2FN["gelu_pytorch_tanh"](at), ACT2FN[activation](at), rtol=1e-8, atol=1e-9)


def test_less_is_kept_and_the_published_name_stays():
    model = gpt2("gelu_fast")
    before = kept_bytes(model, 2, 24)
    fuse_activations(model)
    feed_forward_bytes = 4 * 2 * 24 * 4 * 32
    assert before - kept_bytes(model, 2, 24) == 2 * 6 * feed_forward_bytes
    assert model.config.activation_function == "gelu_fast"
    assert fuse_activations(model) == 0


def test_other_models_are_left_alone():
    assert fuse_activations(build(SHAPE, train_tokenizer(TEXTS, 512), seed=1)) == 0
    assert fuse_activations(gpt2("gelu")) == 0
