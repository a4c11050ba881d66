"""What the table says of a model is what its class makes of it, and names lead to folders."""

import json

import pytest

from psyllm.core import embedded
from psyllm.core.errors import BadSetting, MissingFile
from psyllm.lm.known import WAYS, base_folder, embedded_model, hub_folder, known_model, known_models, needs
from psyllm.lm.model_shape import shape_of
from psyllm.lm.wording import FIXED

GIB = 2**30


@pytest.mark.parametrize("name", [row.name for row in known_models()])
def test_the_parameters_are_those_of_the_class_and_of_the_planner(name):
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    import psyllm.lm.pangu as registering

    assert registering
    row = known_model(name)
    config = AutoConfig.for_model(**row.config)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    model.tie_weights()
    assert sum(weight.numel() for weight in model.parameters()) == row.parameters
    assert shape_of(row.config).weights().total == row.parameters


def test_every_row_says_how_it_is_spoken_to_and_on_what_terms():
    for row in known_models():
        assert row.template in {*FIXED, "chat"}
        assert row.licence
        assert row.repository.count("/") == 1


@pytest.mark.parametrize("device", ["cuda", "cpu"])
def test_every_way_of_training_takes_less_than_the_one_before(device):
    for row in known_models():
        found = needs(row.config, device, 512, 1)
        assert [*found] == [*WAYS[device], "answer"]
        ways = [found[name] for name in WAYS[device]]
        assert ways == sorted(ways, reverse=True)
        assert found["answer"] > 4 * row.parameters


def test_the_specifications_table_is_met_in_what_fits_a_card():
    """RTX 3060 12 GB: 110M, 350M full; 2.6B, 3.5B LoRA; 13B QLoRA (models.md, section 5)."""
    fits = {
        (row.name, way)
        for row in known_models()
        for way, needed in needs(row.config, "cuda", 512, 1).items()
        if needed <= 12 * GIB
    }
    assert {
        ("wenzhong-110m", "full"),
        ("pangu-350m", "full"),
        ("pangu-2.6b", "lora"),
        ("wenzhong-3.5b", "lora"),
        ("pangu-13b", "qlora"),
    } <= fits
    assert not {("pangu-2.6b", "full"), ("wenzhong-3.5b", "full 8-bit"), ("pangu-13b", "lora")} & fits


def test_the_engine_is_counted_with_as_many_slots_as_it_has():
    from psyllm.lm import decode, known

    assert known.SLOTS == decode.SLOTS


def test_rows_longer_than_the_positions_are_counted_as_long_as_those():
    config = known_model("pangu-350m").config
    assert needs(config, "cpu", 5000, 1) == needs(config, "cpu", 1024, 1)
    assert needs(config, "cpu", 512, 8)["lora"] > needs(config, "cpu", 512, 1)["lora"]


def test_a_name_leads_to_the_fetched_folder_and_a_folder_to_itself(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "data"
    with pytest.raises(MissingFile) as caught:
        base_folder(tmp_path.__class__("qwen3-0.6b"), data)
    assert "psyllm models fetch qwen3-0.6b" in caught.value.next_step
    hub_folder(data, "qwen3-0.6b").mkdir(parents=True)
    assert base_folder(tmp_path.__class__("qwen3-0.6b"), data) == data / "hub" / "qwen3-0.6b"
    for other in (tmp_path / "qwen3-0.6b", tmp_path.__class__("none"), tmp_path):
        assert base_folder(other, data) == other
    (tmp_path / "qwen3-0.6b").mkdir()  # a folder of this name here comes first
    assert base_folder(tmp_path.__class__("qwen3-0.6b"), data) == tmp_path.__class__("qwen3-0.6b")


def test_an_unknown_name_is_told_with_the_known_ones():
    with pytest.raises(BadSetting, match=r"no model is known as 'gpt5'; known: pangu-350m"):
        known_model("gpt5")


def test_embedded_is_a_name_for_the_folder_in_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = tmp_path.__class__("embedded")
    monkeypatch.setattr(embedded, "FOLDER", tmp_path / "package")
    with pytest.raises(MissingFile, match="the model embedded is not in this version") as caught:
        base_folder(name, tmp_path)
    assert "psyllm models" in caught.value.next_step
    assert embedded_model().standing == "not in this version"
    (tmp_path / "package").mkdir()
    row = known_model("qwen3-0.6b")
    (tmp_path / "package" / "config.json").write_text(json.dumps(row.config))
    (tmp_path / "package" / "model.int8.safetensors").write_bytes(b"x" * 1000)
    assert base_folder(name, tmp_path) == tmp_path / "package"
    found = embedded_model()
    assert (found.here, found.passed, found.parameters) == (True, False, row.parameters)
    assert found.file_bytes > 1000
    # a folder of this name here is another one: the name is what `models embedded` judges
    (tmp_path / "embedded").mkdir()
    assert base_folder(name, tmp_path) == tmp_path / "package"
    assert base_folder(tmp_path / "embedded", tmp_path) == tmp_path / "embedded"
    (tmp_path / "package" / "config.json").unlink()
    with pytest.raises(MissingFile, match="not in this version") as caught:
        base_folder(name, tmp_path)
    assert str(tmp_path / "embedded") in caught.value.next_step
