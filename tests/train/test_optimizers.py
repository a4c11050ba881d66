"""Muon beside AdamW: orthogonal steps for the matrices of the blocks, AdamW's own for the rest."""

import pytest
import torch

from psyllm.core.train_settings import ModelShape, TrainingStage
from psyllm.lm.checkpoint import build
from psyllm.lm.tokenizer import train_tokenizer
from psyllm.train.optimizers import ADAMW_RMS, BETAS, MuonAdamW, build_optimizer, orthogonal

TOKENIZER = train_tokenizer(["一二三四五六七八九十" * 2], 300)
SHAPE = ModelShape(layers=2, width=16, heads=2, vocabulary=300, context_tokens=16)
RATE, DECAY = 0.02, 0.1


def model_with_gradients(seed=1):
    model = build(SHAPE, TOKENIZER, seed)
    chance = torch.Generator().manual_seed(seed)
    for weight in model.parameters():
        weight.grad = torch.randn(weight.shape, generator=chance)
    return model


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 8, 24), (2, 24, 8)])
def test_a_step_is_nearly_orthogonal_whatever_the_gradient(shape):
    steps = orthogonal(torch.randn(shape, generator=torch.Generator().manual_seed(3)) * 1e-4)
    values = torch.linalg.svdvals(steps)
    assert steps.shape == shape
    assert values.min() > 0.3
    assert values.max() < 1.3


def test_a_stack_gives_what_each_matrix_gives_alone():
    stack = torch.randn(4, 6, 9, generator=torch.Generator().manual_seed(4))
    alone = torch.cat([orthogonal(matrix[None]) for matrix in stack])
    assert torch.allclose(orthogonal(stack), alone, atol=1e-5)


def test_embeddings_and_norms_take_the_steps_of_torchs_adamw():
    ours, theirs = model_with_gradients(), model_with_gradients()
    groups = [
        {"params": [theirs.model.embed_tokens.weight], "weight_decay": DECAY},
        {"params": [theirs.model.norm.weight], "weight_decay": 0.0},
    ]
    peer = torch.optim.AdamW(groups, lr=RATE, betas=BETAS)
    optimizer = MuonAdamW(ours, RATE, DECAY)
    for _ in range(3):
        optimizer.step()
        peer.step()
    assert torch.allclose(ours.model.embed_tokens.weight, theirs.model.embed_tokens.weight, atol=1e-7)
    assert torch.allclose(ours.model.norm.weight, theirs.model.norm.weight, atol=1e-7)


def test_a_matrix_moves_by_the_scaled_orthogonal_step_after_decay():
    model = model_with_gradients()
    matrix = model.model.layers[1].mlp.down_proj.weight
    before = matrix.detach().clone()
    # the first momentum is a twentieth of the gradient, and an orthogonal step knows no size
    wanted = orthogonal(matrix.grad[None])[0] * ADAMW_RMS * max(matrix.shape) ** 0.5
    MuonAdamW(model, RATE, DECAY).step()
    assert torch.allclose(matrix, before * (1 - RATE * DECAY) - RATE * wanted, atol=1e-4)


def test_its_state_goes_through_a_file_unchanged(tmp_path):
    first, second = model_with_gradients(), model_with_gradients()
    one, other = MuonAdamW(first, RATE, DECAY), MuonAdamW(second, RATE, DECAY)
    one.step()
    torch.save(one.state_dict(), tmp_path / "optimizer.pt")
    second.load_state_dict(first.state_dict())
    other.load_state_dict(torch.load(tmp_path / "optimizer.pt", weights_only=True))
    one.step()
    other.step()
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_what_is_frozen_stays_as_it_is():
    model = model_with_gradients()
    frozen = model.model.layers[0].mlp.up_proj.weight
    frozen.requires_grad_(requires_grad=False)
    before = frozen.clone()
    MuonAdamW(model, RATE, DECAY).step()
    assert torch.equal(frozen, before)


def test_adamw_is_left_to_trainer():
    assert build_optimizer(model_with_gradients(), TrainingStage()) is None
    assert isinstance(build_optimizer(model_with_gradients(), TrainingStage(optimizer="muon")), MuonAdamW)
