"""Compiling changes no result, and a machine without a compiler trains all the same."""

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from psyllm.core.progress import listening
from psyllm.train.compiled import FEWEST_STEPS, compiled, compiler_fault, has_dropout, wants_compiling
from train.stage_runs import STAGE, figures, small_model, train

TINY = {"n_layer": 1, "n_embd": 16, "n_head": 2, "vocab_size": 40, "n_positions": 16}
NONE = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}


def test_dropout_is_found_wherever_it_is():
    assert not has_dropout(small_model())
    assert not has_dropout(GPT2LMHeadModel(GPT2Config(**TINY, **NONE)))
    for name in NONE:
        assert has_dropout(GPT2LMHeadModel(GPT2Config(**{**TINY, **NONE, name: 0.1})))


@pytest.mark.parametrize(
    ("asked", "on_card", "steps", "expected"),
    [
        ("auto", False, 10**6, False),
        ("auto", True, FEWEST_STEPS, True),
        ("auto", True, FEWEST_STEPS - 1, False),
        ("on", False, 1, True),
        ("off", True, 10**6, False),
    ],
)
def test_compiling_is_automatic_where_it_pays(asked, on_card, steps, expected):
    assert wants_compiling(asked, small_model(), on_card=on_card, steps=steps) is expected


def test_a_model_with_dropout_is_compiled_on_wish_only():
    model = GPT2LMHeadModel(GPT2Config(**TINY))
    assert not wants_compiling("auto", model, on_card=True, steps=10**6)
    assert wants_compiling("on", model, on_card=True, steps=10**6)


def test_without_a_working_compiler_the_model_stays_as_it_is(monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("no C++ compiler")

    monkeypatch.setattr(torch, "compile", fail)
    assert "no working compiler" in compiler_fault()
    model = small_model()
    before = model.base_model.forward
    seen = []
    with listening(seen.append), compiled(model, wanted=True) as is_compiled:
        assert not is_compiled
        assert model.base_model.forward == before
    assert "left out" in seen[0].note


def test_a_stage_without_a_compiler_gives_the_same_bits(tmp_path, monkeypatch):
    _, weights = train(tmp_path / "a")

    def fail(*_, **__):
        raise RuntimeError("no C++ compiler")

    monkeypatch.setattr(torch, "compile", fail)
    _, again = train(tmp_path / "b", compile="on")
    assert all(torch.equal(weights[name], again[name]) for name in weights)


def test_a_compiled_stage_has_the_losses_of_an_uncompiled_one(tmp_path, monkeypatch):
    """With dynamo's plain backend: what it traces is run, without waiting for a C++ compiler."""
    whole, _ = train(tmp_path / "a", stage=STAGE.model_copy(update={"steps": 4}))
    calls = []
    plain = torch.compile

    def traced(what, **more):
        calls.append(what)
        return plain(what, backend="eager", **more)

    monkeypatch.setattr(torch, "compile", traced)
    model = small_model()
    other, _ = train(tmp_path / "b", stage=STAGE.model_copy(update={"steps": 4}), compile="on", model=model)
    assert len(calls) == 2  # the trial, and the model's body
    for one, two in zip(figures(whole), figures(other), strict=True):
        assert one == pytest.approx(two, rel=1e-4)
    assert "forward" not in vars(model.base_model)
