"""Weights as whole numbers with one scale a row: what comes back, and what is lost."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from hypothesis.extra import numpy as arrays
from safetensors.torch import load_file

from lm.small_bases import SHAPES, shaped
from psyllm.core.errors import BadCheckpoint
from psyllm.lm.checkpoint import load_weights
from psyllm.lm.int8 import INT8_FILE, SCALE, pack, read_int8, write_int8

ROWS = 64


@given(arrays.arrays("float32", (3, 5), elements=st.floats(-100, 100, width=32)))
def test_no_weight_moves_more_than_half_a_step_of_its_row(matrix):
    weight = torch.from_numpy(matrix)
    packed = pack("a", weight)
    assert packed["a"].dtype == torch.int8
    back = packed["a"].float() * packed[f"a{SCALE}"][:, None]
    step = weight.abs().amax(dim=1, keepdim=True) / 127
    assert ((back - weight).abs() <= step * 0.5001 + 1e-30).all()


def test_vectors_stay_as_they_are():
    vector = torch.randn(7)
    assert torch.equal(pack("a", vector)["a"], vector)
    assert set(pack("a", vector)) == {"a"}


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_model_in_int8_loads_as_any_other_and_says_nearly_the_same(shape, tied, tmp_path):
    model = shaped(shape, ROWS, tied=tied).train(mode=False)
    model.config.save_pretrained(tmp_path)
    write_int8(tmp_path, model)
    again = load_weights(tmp_path).train(mode=False)
    assert type(again) is type(model)
    assert {weight.dtype for weight in again.parameters()} == {torch.float32}
    assert again.config.tie_word_embeddings is tied
    kept = load_file(tmp_path / INT8_FILE)
    assert ("lm_head.weight" in kept) is not tied
    ids = torch.randint(0, ROWS, (2, 20), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        before, after = (each(ids, use_cache=False).logits for each in (model, again))
    assert 0 < (before - after).abs().max() < 0.02 * before.abs().max()
    back = read_int8(tmp_path)
    assert all(torch.equal(back[name], again.state_dict()[name]) for name in back)


def test_the_file_is_a_quarter_of_the_size_and_the_same_each_time(tmp_path):
    model = shaped("llama", 4096)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    write_int8(tmp_path / "a", model)
    write_int8(tmp_path / "b", model)
    content = (tmp_path / "a" / INT8_FILE).read_bytes()
    assert content == (tmp_path / "b" / INT8_FILE).read_bytes()
    whole = sum(weight.numel() * 4 for weight in model.parameters())
    assert len(content) < 0.32 * whole  # a row of 32 has a scale of 4 bytes


def test_a_torn_or_foreign_file_is_refused(tmp_path):
    model = shaped("llama", ROWS)
    model.config.save_pretrained(tmp_path)
    write_int8(tmp_path, model)
    content = (tmp_path / INT8_FILE).read_bytes()
    (tmp_path / INT8_FILE).write_bytes(content[:-40])
    with pytest.raises(BadCheckpoint, match="can't be loaded"):
        load_weights(tmp_path)
    write_int8(tmp_path, shaped("qwen3", ROWS))
    model.config.num_hidden_layers = 3
    model.config.save_pretrained(tmp_path)
    with pytest.raises(BadCheckpoint, match=r"lacks \d+ weights"):
        load_weights(tmp_path)
