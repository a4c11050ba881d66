"""Bases and cards that can't be trained with: told before time is spent, and nothing is lost."""

import json

import pytest
import torch
from safetensors.torch import load_file
from transformers import BertConfig, BertForMaskedLM, T5Config, T5ForConditionalGeneration

from lm.small import byte_level, foreign_base
from psyllm.core.errors import BadCheckpoint, BadSetting
from psyllm.core.progress import listening
from psyllm.lm.checkpoint import quiet_transformers
from psyllm.lm.tokenizer import Tokenizer
from psyllm.train.precision import Card
from psyllm.train.run import run
from train.test_run import changed

V100 = Card("Tesla V100-SXM2-32GB", (7, 0))


def refused(settings, data, kind=BadCheckpoint):
    """Return the refusal; nothing was prepared or trained before it."""
    seen = []
    with listening(seen.append), pytest.raises(kind) as caught:
        run(settings, data)
    assert not any(progress.task.startswith(("training", "preparing")) for progress in seen)
    assert caught.value.next_step
    return caught.value


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_truncated_base_is_refused(name, data, settings, tmp_path):
    folder = tmp_path / "gpt2"
    foreign_base(folder)
    if name != "model.safetensors":
        torch.save(load_file(folder / "model.safetensors"), folder / name)
        (folder / "model.safetensors").unlink()
    cut(folder / name)
    assert str(folder) in refused(changed(settings, base=folder), data).message


def test_a_base_that_sees_what_follows_or_reads_before_it_writes_is_refused(data, settings, tmp_path):
    tokenizer = Tokenizer(byte_level())
    shape = {"vocab_size": tokenizer.size, "hidden_size": 32, "num_attention_heads": 2}
    bert = BertForMaskedLM(BertConfig(**shape, num_hidden_layers=2, intermediate_size=48))
    t5 = T5ForConditionalGeneration(
        T5Config(vocab_size=tokenizer.size, d_model=32, d_kv=16, d_ff=48, num_layers=1, num_heads=2)
    )
    for model in (bert, t5):
        folder = tmp_path / model.config.model_type
        with quiet_transformers():
            model.save_pretrained(folder)
        tokenizer.save(folder)
        message = refused(changed(settings, base=folder), data).message
        assert str(folder) in message
        assert model is t5 or "no causal language model" in message


def test_a_card_without_bf16_is_refused_what_it_lacks_and_leaves_nothing(data, settings, monkeypatch):
    monkeypatch.setattr("psyllm.train.precision.this_card", lambda: V100)
    error = refused(changed(settings, precision="bf16"), data, BadSetting)
    assert "V100" in error.message
    assert not list((data / "4_models").glob("*/*"))


def test_such_a_card_trains_in_fp16_by_itself(data, settings, monkeypatch):
    monkeypatch.setattr("psyllm.train.precision.this_card", lambda: V100)
    few = {"steps": 2, "evaluate_every_steps": 1, "patience": 0}
    manifest = run(changed(settings, precision="auto", adapt={"steps": 0}, answer=few), data)
    assert manifest.details["precision"] == "fp16"
    assert "answer/last/checkpoint-2/scaler.pt" in manifest.files
    folder = data / "4_models" / manifest.run / "model"
    assert {weight.dtype for weight in load_file(folder / "model.safetensors").values()} == {torch.float32}
    assert json.loads((folder / "config.json").read_text())["dtype"] == "float32"
