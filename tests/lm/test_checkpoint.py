"""Checkpoints come back as they were saved, and what can't be used says why."""

import hashlib
import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from lm.small import SHAPE, foreign_base
from psyllm.core.errors import BadCheckpoint, BadSetting, MemoryFull, TokenizerMismatch
from psyllm.core.train_settings import ModelShape
from psyllm.lm.checkpoint import build, load, load_base, save
from psyllm.lm.folder import check_folder
from psyllm.lm.model_card import read_card
from psyllm.lm.template import END, PAD
from psyllm.lm.tokenizer import train_tokenizer


@pytest.fixture
def folder(tiny_folder, tmp_path):
    return shutil.copytree(tiny_folder, tmp_path / "model")


def hashes(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_the_same_seed_gives_the_same_bytes(tiny_folder, tokenizer, tmp_path):
    save(tmp_path / "again", build(SHAPE, tokenizer, seed=1), tokenizer, context_tokens=128)
    assert hashes(tmp_path / "again") == hashes(tiny_folder)
    save(tmp_path / "other", build(SHAPE, tokenizer, seed=2), tokenizer, context_tokens=128)
    assert hashes(tmp_path / "other") != hashes(tiny_folder)


def test_a_loaded_model_is_what_was_saved(tiny, tokenizer):
    expected = build(SHAPE, tokenizer, seed=1).state_dict()
    assert all(torch.equal(expected[name], weight) for name, weight in tiny.model.state_dict().items())
    assert not tiny.model.training
    assert tiny.context_tokens == 128


def test_the_end_is_not_the_padding(tiny):
    for where in (tiny.model.config, tiny.model.generation_config):
        assert where.eos_token_id == tiny.tokenizer.mark(END)
        assert where.pad_token_id == tiny.tokenizer.mark(PAD)
        assert where.eos_token_id != where.pad_token_id


def test_a_width_that_the_heads_can_not_share_is_refused(tokenizer):
    with pytest.raises(BadSetting, match="a width of 30 can't be shared by 4 heads"):
        build(ModelShape(width=30, heads=4), tokenizer, seed=1)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "psyllm.json"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(BadCheckpoint, match=f"has no {name}") as caught:
        check_folder(folder)
    assert caught.value.next_step


@pytest.mark.parametrize(
    ("name", "content"),
    [("config.json", "{"), ("config.json", "[]"), ("tokenizer.json", "{}"), ("psyllm.json", '{"a": 1}')],
)
def test_a_broken_file_is_named(folder, name, content):
    (folder / name).write_text(content)
    with pytest.raises(BadCheckpoint, match=name):
        check_folder(folder)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BadCheckpoint, match="there is no model folder"):
        load(tmp_path / "none")


def test_torn_weights_are_refused(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(BadCheckpoint, match=r"model\.safetensors can't be loaded"):
        load(folder)


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory.")])
def test_weights_that_the_memory_does_not_hold_are_not_called_broken(error, folder, monkeypatch):
    def fail(*_given, **_named):
        raise error

    monkeypatch.setattr("psyllm.lm.checkpoint.AutoModelForCausalLM.from_pretrained", fail)
    with pytest.raises(MemoryFull, match="does not hold the weights") as caught:
        load(folder)
    assert "smaller model" in caught.value.next_step


def test_missing_weights_are_refused_and_never_made_up(folder):
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BadCheckpoint, match="lacks 1 weights"):
        load(folder)


def test_a_tokenizer_with_more_pieces_than_the_model_has_rows_is_refused(folder):
    train_tokenizer(
        ["一二三四五六七八九十甲乙丙丁" * 3] * 90 + [chr(20000 + n) * 2 for n in range(900)], 1600
    ).save(folder)
    with pytest.raises(TokenizerMismatch, match=r"has \d+ pieces, the model knows 512"):
        load(folder)


def test_another_models_tokenizer_of_the_same_size_is_refused(folder):
    content = json.loads((folder / "tokenizer.json").read_text())
    content["model"]["merges"].pop()
    (folder / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(TokenizerMismatch, match="has hash") as caught:
        load(folder)
    assert "psyllm train" in caught.value.next_step


def test_another_template_is_refused(folder):
    card = read_card(folder).model_copy(update={"template_version": "turns-0"})
    (folder / "psyllm.json").write_text(card.model_dump_json())
    with pytest.raises(BadCheckpoint, match="template turns-0, this is turns-1"):
        load(folder)


def test_a_foreign_base_gets_rows_for_the_marks(tmp_path):
    rows = foreign_base(tmp_path)
    model, tokenizer = load_base(tmp_path)
    weight = model.get_input_embeddings().weight
    assert weight.shape[0] == tokenizer.size == rows + 4 == model.config.vocab_size
    assert torch.allclose(weight[rows:], weight[:rows].mean(0).expand(4, -1))
    assert model.config.eos_token_id == tokenizer.mark(END) == rows + 1
    save(tmp_path / "new", model, tokenizer, context_tokens=64)
    assert load(tmp_path / "new").tokenizer.size == rows + 4


def test_a_base_with_another_models_tokenizer_is_refused(folder, tmp_path):
    train_tokenizer([chr(20000 + number) * 2 for number in range(900)] * 2, 900).save(folder)
    (folder / "psyllm.json").unlink()
    with pytest.raises(TokenizerMismatch):
        load_base(folder)
