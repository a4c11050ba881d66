"""Adapters: what is trained, what is kept of it, and that merging changes nothing that is said."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional

from lm.small_bases import SHAPES, shaped, write_base
from psyllm.core.errors import BadCheckpoint, BadSetting, MissingExtra
from psyllm.core.train_settings import Adapter, TrainingStage, TrainSettings
from psyllm.lm.checkpoint import load_base
from psyllm.lm.loss import token_losses
from psyllm.train import adapters
from psyllm.train.adapters import (
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    attach,
    check_adapter,
    load_to_train,
    merge,
    read_adapter,
    write_adapter,
)

ROWS = 40
NEW = range(36, 40)
IDS = torch.randint(0, ROWS, (3, 24), generator=torch.Generator().manual_seed(1))
METHODS = ("lora", "dora")


def trained(shape, method, *, tied=True, new=NEW, seed=1):
    """Return a model whose adapter says something: its weights as after some training."""
    model = shaped(shape, ROWS, tied=tied)
    attach(model, Adapter(method=method, rank=3, alpha=6), new, seed)
    chance = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(0.05 * torch.randn(weight.shape, generator=chance))
    return model.train(mode=False)


def logits(model):
    with torch.no_grad():
        return model(IDS, use_cache=False).logits


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", SHAPES)
def test_adapter_and_merged_model_say_the_same(shape, method, tied, tmp_path):
    """Probe 6 of the training notes: fp32, at most 1e-6."""
    model = trained(shape, method, tied=tied)
    said = logits(model)
    assert (said - logits(shaped(shape, ROWS, tied=tied))).abs().max() > 0.01
    write_adapter(tmp_path, model)
    merged = merge(shaped(shape, ROWS, tied=tied), tmp_path).train(mode=False)
    assert type(merged) is type(model)
    assert not any("lora" in name or "token_adapter" in name for name in merged.state_dict())
    assert merged.config.tie_word_embeddings is tied
    assert (logits(merged) - said).abs().max() <= 1e-6


@pytest.mark.filterwarnings(
    "ignore:.*is_gradient_checkpointing:FutureWarning"
)  # peft's own, under transformers 5
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_peft_itself_reads_what_was_written_and_says_the_same(shape, tied, tmp_path):
    from peft import PeftModel

    model = trained(shape, "dora", tied=tied)
    write_adapter(tmp_path, model)
    theirs = PeftModel.from_pretrained(shaped(shape, ROWS, tied=tied), str(tmp_path))
    assert torch.equal(logits(theirs.train(mode=False)), logits(model))


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_an_adapter_comes_back_bit_by_bit_and_only_itself_is_kept(shape, tied, tmp_path):
    model = trained(shape, "lora", tied=tied)
    write_adapter(tmp_path, model)
    assert {path.name for path in tmp_path.iterdir()} == {ADAPTER_WEIGHTS, ADAPTER_CONFIG}
    kept = load_file(tmp_path / ADAPTER_WEIGHTS)
    rows = [name for name in kept if "trainable_tokens_delta" in name]
    assert len(rows) == (1 if tied else 2)
    assert all(kept[name].shape == (len(NEW), 32) for name in rows)
    assert all("lora_" in name for name in kept if name not in rows)
    again = shaped(shape, ROWS, tied=tied)
    attach(again, Adapter(method="lora", rank=3, alpha=6), NEW, seed=5)
    read_adapter(tmp_path, again)
    assert torch.equal(logits(again.train(mode=False)), logits(model))


@pytest.mark.parametrize("shape", SHAPES)
def test_an_adapter_starts_as_nothing_the_same_for_the_same_seed(shape, tmp_path):
    said = logits(shaped(shape, ROWS).train(mode=False))
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        model = shaped(shape, ROWS)
        attach(model, Adapter(method="lora"), NEW, seed)
        assert torch.equal(logits(model.train(mode=False)), said)
        write_adapter(tmp_path / name, model)
    files = [
        [(tmp_path / name / file).read_bytes() for name in "abc"]
        for file in (ADAPTER_WEIGHTS, ADAPTER_CONFIG)
    ]
    assert files[0][0] == files[0][1] != files[0][2]
    assert files[1][0] == files[1][1] == files[1][2]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_loss_of_training_sees_the_adapter_and_the_new_rows(shape):
    model = trained(shape, "dora")
    batch = {"input_ids": IDS, "labels": IDS, "position_ids": torch.arange(24).expand(3, -1)}
    losses = token_losses(model, batch)
    expected = functional.cross_entropy(
        logits(model)[:, :-1].flatten(0, 1), IDS[:, 1:].flatten(), reduction="none"
    )
    assert (losses - expected).abs().max() < 1e-5
    losses.sum().backward()
    learning = {name: weight.grad for name, weight in model.named_parameters() if weight.requires_grad}
    assert all(gradient is not None and gradient.abs().max() > 0 for gradient in learning.values())
    assert all(weight.grad is None for weight in model.parameters() if not weight.requires_grad)


def test_what_is_trained_is_fp32_whatever_the_base_is_held_in():
    model = shaped("llama", ROWS).half()
    attach(model, Adapter(method="dora"), NEW, seed=1)
    kinds = {weight.requires_grad: weight.dtype for weight in model.parameters()}
    assert kinds == {True: torch.float32, False: torch.float16}


def test_all_linear_layers_but_the_head_are_added_to_unless_named():
    model = shaped("llama", ROWS, tied=False)
    attach(model, Adapter(method="lora"), range(0), seed=1)
    names = {name.partition(".lora_")[0] for name, weight in model.named_parameters() if weight.requires_grad}
    assert len(names) == 2 * 7
    assert not any("lm_head" in name or "embed" in name for name in names)
    model = shaped("llama", ROWS)
    attach(model, Adapter(method="lora", targets=("q_proj", "v_proj")), range(0), seed=1)
    names = {name.partition(".lora_")[0] for name, weight in model.named_parameters() if weight.requires_grad}
    assert {name.rpartition(".")[2] for name in names} == {"q_proj", "v_proj"}


def test_a_layer_that_the_base_lacks_is_refused_with_those_it_has():
    with pytest.raises(BadSetting, match="names query_key_value") as caught:
        attach(shaped("gpt2", ROWS), Adapter(method="lora", targets=("query_key_value",)), NEW, seed=1)
    assert "c_attn, c_fc, c_proj" in caught.value.next_step


@pytest.mark.parametrize("spare_rows", [0, 9])
def test_rows_of_the_templates_marks_are_trained_also_where_the_base_has_rows_to_spare(spare_rows, tmp_path):
    pieces = write_base(tmp_path, "gpt2", spare_rows=spare_rows)
    _, tokenizer = load_base(tmp_path, "turns")
    model = load_to_train(tmp_path, Adapter(method="lora"), tokenizer, seed=1, template="turns")
    (rows,) = [weight for name, weight in model.named_parameters() if "trainable_tokens" in name]
    assert rows.shape == (4, 32)
    assert model.get_input_embeddings().weight.shape[0] == max(pieces + 4, pieces + spare_rows)


def settings_with(method, tmp_path, **more):
    return TrainSettings(base=tmp_path, adapter=Adapter(method=method), **more)


def test_an_adapter_without_a_base_is_refused(tmp_path):
    with pytest.raises(BadSetting, match="adds to a base") as caught:
        check_adapter(TrainSettings(adapter=Adapter(method="lora")))
    assert "--base" in caught.value.next_step
    check_adapter(TrainSettings())
    check_adapter(settings_with("lora", tmp_path))


def test_an_optimiser_that_needs_whole_matrices_is_refused(tmp_path):
    with pytest.raises(BadSetting, match="muon") as caught:
        check_adapter(settings_with("lora", tmp_path, adapt=TrainingStage(optimizer="muon")))
    assert "train.adapt.optimizer=adamw" in caught.value.next_step
    check_adapter(settings_with("lora", tmp_path, adapt=TrainingStage(optimizer="muon", steps=0)))


def test_four_bits_need_a_card_and_a_package(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(BadSetting, match="needs an NVIDIA card") as caught:
        check_adapter(settings_with("qlora", tmp_path))
    assert "train.adapter.method=lora" in caught.value.next_step
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr(adapters.importlib.util, "find_spec", {}.get)
    with pytest.raises(MissingExtra, match="bitsandbytes") as caught:
        check_adapter(settings_with("qlora", tmp_path))
    assert "psyllm[gpu]" in caught.value.next_step


def test_an_adapter_trained_on_another_layout_of_the_same_matrices_is_merged_as_the_base_lies(tmp_path):
    """Held in 4 bits, GPT-2's matrices lie as all others do, and the adapter's settings say so."""
    model = trained("gpt2", "lora")
    write_adapter(tmp_path, model)
    path = tmp_path / ADAPTER_CONFIG
    path.write_text(json.dumps(json.loads(path.read_text()) | {"fan_in_fan_out": False}))
    merged = merge(shaped("gpt2", ROWS), tmp_path).train(mode=False)
    assert (logits(merged) - logits(model)).abs().max() <= 1e-6


@pytest.fixture
def folder(tmp_path):
    write_adapter(tmp_path / "adapter", trained("llama", "lora"))
    return tmp_path / "adapter"


def test_a_torn_adapter_is_refused(folder):
    path = folder / ADAPTER_WEIGHTS
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BadCheckpoint, match="can't be loaded"):
        merge(shaped("llama", ROWS), folder)


def test_an_adapter_of_another_shape_is_refused(folder):
    other = shaped("llama", ROWS)
    attach(other, Adapter(method="lora", rank=5), NEW, seed=1)
    with pytest.raises(BadCheckpoint, match=r"\d+ weights differ") as caught:
        read_adapter(folder, other)
    assert "base that it was trained on" in caught.value.next_step


def test_an_adapter_of_another_model_is_refused(folder):
    with pytest.raises(BadCheckpoint, match="can't be added to this base"):
        merge(shaped("gpt2", ROWS), folder)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "has no adapter_config"),
        ("{", "does not describe"),
        ('{"peft_type": "IA3"}', "of the kind IA3"),
    ],
)
def test_a_folder_that_holds_no_such_adapter_is_refused(folder, content, reason):
    path = folder / ADAPTER_CONFIG
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(BadCheckpoint, match=reason):
        merge(shaped("llama", ROWS), folder)


def test_no_place_of_this_machine_stands_in_what_is_written(tmp_path):
    write_base(tmp_path / "base", "llama")
    _, tokenizer = load_base(tmp_path / "base", "turns")
    model = load_to_train(tmp_path / "base", Adapter(method="lora"), tokenizer, seed=1, template="turns")
    write_adapter(tmp_path / "adapter", model)
    config = json.loads((tmp_path / "adapter" / ADAPTER_CONFIG).read_text())
    assert config["base_model_name_or_path"] is None
    assert str(tmp_path) not in (tmp_path / "adapter" / ADAPTER_CONFIG).read_text()
    shutil.rmtree(tmp_path / "base")
    assert read_adapter(tmp_path / "adapter", model) is None
