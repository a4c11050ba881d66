"""An adapter is merged into the base that it names, and into no other."""

import json
import shutil

import pytest
import torch

from hardship import no_space
from lm.small_bases import shaped, write_base
from psyllm.core.errors import BadCheckpoint, BadInput, DiskFull, MissingFile
from psyllm.core.permits import permit_of_base
from psyllm.core.train_settings import Adapter
from psyllm.lm.checkpoint import load, load_base, load_weights, save
from psyllm.lm.export import export
from psyllm.lm.model_card import read_card
from psyllm.train.adapters import attach, write_adapter
from psyllm.train.ancestry import base_parent
from psyllm.train.merging import merge_folders
from psyllm.train.run import run
from train.test_run import changed, model_folder


@pytest.fixture
def trained(data, settings, tmp_path):
    """A base, and a run that trained an adapter on it."""
    write_base(tmp_path / "base", "llama")
    short = changed(settings, adapt={"steps": 0}, answer={"steps": 2})
    run(short.model_copy(update={"base": tmp_path / "base", "adapter": Adapter(method="lora")}), data)
    return tmp_path / "base", model_folder(data)


def test_what_is_merged_by_hand_is_what_the_run_left(trained, tmp_path):
    base, folder = trained
    merge_folders(base, folder / "adapter", tmp_path / "out")
    files = {path.name: path.read_bytes() for path in (folder / "model").iterdir()}
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == files
    load(tmp_path / "out")


def test_another_base_is_refused_with_the_name_of_the_right_one(trained, tmp_path):
    base, folder = trained
    other = shutil.copytree(base, tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"rms_norm_eps": 1e-5}))
    with pytest.raises(BadCheckpoint, match=r"trained on another base than .*other: on base"):
        merge_folders(other, folder / "adapter", tmp_path / "out")
    with pytest.raises(MissingFile):
        merge_folders(tmp_path / "none", folder / "adapter", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_not_empty_is_left_alone(trained, tmp_path):
    base, folder = trained
    with pytest.raises(BadInput, match="not empty"):
        merge_folders(base, folder / "adapter", folder / "model")


def foreign_adapter(folder):
    """Write an adapter without a card, as other programs do."""
    model = shaped("llama", 304)
    attach(model, Adapter(method="lora", rank=2), range(0), seed=1)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(0.1)
    write_adapter(folder, model)
    return model.train(mode=False)


def test_an_adapter_from_elsewhere_is_merged_and_its_terms_are_unknown(tmp_path):
    write_base(tmp_path / "foreign", "llama")
    model, tokenizer = load_base(tmp_path / "foreign")
    permit = {"uses": "any", "share_alike": False, "expires": "", "sources": []}
    save(tmp_path / "base", model, tokenizer, context_tokens=64, lineage={"run": "model-1", "permit": permit})
    foreign_adapter(tmp_path / "adapter")
    merge_folders(tmp_path / "base", tmp_path / "adapter", tmp_path / "out")
    merged = load(tmp_path / "out")
    assert merged.card.context_tokens == 64
    assert merged.card.lineage["base_lineage"]["run"] == "model-1"
    (named,) = base_parent(tmp_path / "base")
    assert merged.card.lineage["parents"] == [named.model_dump()]
    assert merged.card.lineage["unknown"] == ["adapter"]
    assert "embedded" not in merged.card.lineage
    assert permit_of_base(merged.card.lineage, "out").uses == "unknown"
    before = load_weights(tmp_path / "base").state_dict()
    after = merged.model.state_dict()
    moved = {
        name.rpartition(".")[0].rpartition(".")[2]
        for name in before
        if not torch.equal(before[name], after[name])
    }
    assert moved == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


def test_a_merge_asks_for_the_room_that_fp32_takes_where_the_base_is_int8(tmp_path, monkeypatch):
    write_base(tmp_path / "plain", "llama")
    model, tokenizer = load_base(tmp_path / "plain")
    save(tmp_path / "full", model, tokenizer, context_tokens=64)
    export(tmp_path / "full", tmp_path / "base", "safetensors", "int8")
    foreign_adapter(tmp_path / "adapter")
    free = 3 * sum(path.stat().st_size for path in (tmp_path / "base").iterdir())
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(free, 0, free))
    with pytest.raises(DiskFull, match="no room for"):
        merge_folders(tmp_path / "base", tmp_path / "adapter", tmp_path / "out")


def test_a_merge_that_fills_the_disk_leaves_nothing_and_is_told(tmp_path):
    write_base(tmp_path / "base", "llama", spare_rows=4)
    foreign_adapter(tmp_path / "adapter")
    with no_space(tmp_path, 5_000), pytest.raises(DiskFull, match="no space left"):
        merge_folders(tmp_path / "base", tmp_path / "adapter", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir() if "out" in path.name) == []


def test_a_base_from_elsewhere_stays_a_base(tmp_path):
    write_base(tmp_path / "base", "llama", spare_rows=4)
    foreign_adapter(tmp_path / "adapter")
    merge_folders(tmp_path / "base", tmp_path / "adapter", tmp_path / "out")
    assert read_card(tmp_path / "out") is None
    load_base(tmp_path / "out")
