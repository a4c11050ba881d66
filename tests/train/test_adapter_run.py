"""Runs that train an adapter: what they leave (that kills change no byte of it: test_kills.py)."""

import json
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from safetensors.torch import load_file

from lm.small_bases import write_base
from psyllm.core.errors import BadSetting
from psyllm.core.progress import listening
from psyllm.core.stages import Manifest
from psyllm.core.train_settings import Adapter, TrainSettings
from psyllm.lm.checkpoint import load, load_base
from psyllm.lm.model_card import read_card
from psyllm.lm.score import score
from psyllm.lm.template import Message
from psyllm.train import saved
from psyllm.train.adapters import merge
from psyllm.train.run import run
from train.conftest import make_data, tiny
from train.test_run import changed, model_folder

DIALOGUE = [Message("visitor", "今天心理咨询师说"), Message("counsellor", "心理咨询今天")]


class Done(NamedTuple):
    """A run that trained a LoRA with dropout on a small GPT-2, for whose tokenizer our marks are new.

    `checkpoints` are the names of the files in each checkpoint that was there in the middle of the second stage.
    """

    settings: TrainSettings
    data: Path
    manifest: Manifest
    checkpoints: list[set[str]]

    @property
    def folder(self) -> Path:
        return model_folder(self.data)


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Done:
    root = tmp_path_factory.mktemp("adapted")
    data = make_data(root / "data")
    write_base(root / "base", "gpt2")
    adapter = Adapter(method="lora", rank=2, alpha=4, dropout=0.1)
    settings = tiny().model_copy(update={"base": root / "base", "adapter": adapter})
    found = []

    def look(progress):
        if progress.task == "training: answer" and progress.done == 8:
            (folder,) = (data / "4_models").glob("model-*")
            for step in saved.whole_steps(folder / "answer"):
                found.append({path.name for path in saved.folder_of(folder / "answer", step).iterdir()})

    with listening(look):
        return Done(settings, data, run(settings, data), found)


def test_a_run_leaves_the_adapter_and_a_model_that_needs_nothing_of_it(done):
    manifest, folder, base = done.manifest, done.folder, done.settings.base
    checkpoint = load(folder / "model")
    assert set(manifest.details["stages"]) == {"adapt", "answer"}
    assert score(folder / "model", [DIALOGUE], threads=1)[0].tokens > 0
    for stage in (folder, folder / "adapt"):
        files = {path.name for path in (stage / "adapter").iterdir()}
        assert files == {"adapter_model.safetensors", "adapter_config.json", "tokenizer.json", "psyllm.json"}
        again = merge(load_base(base)[0], stage / "adapter").state_dict()
        kept = load_file(stage / "model" / "model.safetensors")
        assert all(torch.equal(again[name], weight) for name, weight in kept.items())
        card = read_card(stage / "adapter")
        assert card == read_card(stage / "model")
        assert card.lineage["adapter"]["rank"] == 2
        assert card.lineage["parents"][1] == manifest.parents[1].model_dump()
        assert card.lineage["permit"]["uses"] == "unknown"  # of the base nothing is known
    before = load_base(base)[0].get_input_embeddings().weight
    rows = checkpoint.model.get_input_embeddings().weight
    assert torch.equal(rows[:-4], before[:-4])
    assert not any(torch.equal(row, old) for row, old in zip(rows[-4:], before[-4:], strict=True))


def test_a_checkpoint_holds_the_adapter_only(done):
    assert done.checkpoints
    for names in done.checkpoints:
        assert "adapter_model.safetensors" in names
        assert "model.safetensors" not in names


def test_the_same_run_gives_the_same_bytes(data, done):
    assert run(done.settings, data).files == done.manifest.files


def test_a_run_of_the_first_stage_alone_leaves_the_adapter_too(data, done):
    run(changed(done.settings, adapt={"steps": 4}, answer={"steps": 0}), data)
    folder = model_folder(data)
    one, other = (
        load_file(place / "adapter" / "adapter_model.safetensors") for place in (folder, folder / "adapt")
    )
    assert all(torch.equal(one[name], other[name]) for name in one)
    load(folder / "model")


def test_the_merged_model_can_be_the_base_of_the_next_and_carries_its_terms(data, done, tmp_path):
    base = shutil.copytree(done.folder / "model", tmp_path / "next base")
    manifest = run(changed(done.settings, base=base, adapt={"steps": 0}, answer={"steps": 2}), data)
    assert manifest.details["lineage"]["base_lineage"]["adapter"]["method"] == "lora"
    assert manifest.details["lineage"]["permit"]["expires"] == "2099-06-30"
    config = json.loads((model_folder(data) / "adapter" / "adapter_config.json").read_text())
    assert config["trainable_token_indices"] is None  # the marks are no longer new


def test_an_adapter_without_a_base_is_refused_before_anything_is_written(data, settings):
    with pytest.raises(BadSetting, match="adds to a base"):
        run(settings.model_copy(update={"adapter": Adapter(method="lora")}), data)
    assert not list((data / "4_models").glob("model-*/*"))
