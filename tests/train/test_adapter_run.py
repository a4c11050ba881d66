"""Runs that train an adapter: what they leave, and that kills change no byte of it."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from lm.small_bases import write_base
from psyllm.core.errors import BadSetting
from psyllm.core.progress import listening
from psyllm.core.train_settings import Adapter
from psyllm.lm.checkpoint import load, load_base
from psyllm.lm.model_card import read_card
from psyllm.lm.score import score
from psyllm.lm.template import Message
from psyllm.train import saved
from psyllm.train.adapters import merge
from psyllm.train.run import run
from train.test_run import KILLED, changed, model_folder

DIALOGUE = [Message("visitor", "今天心理咨询师说"), Message("counsellor", "心理咨询今天")]


@pytest.fixture
def adapted(settings, tmp_path):
    """Settings for a LoRA with dropout on a small GPT-2, for whose tokenizer our marks are new."""
    write_base(tmp_path / "base", "gpt2")
    return settings.model_copy(
        update={"base": tmp_path / "base", "adapter": Adapter(method="lora", rank=2, alpha=4, dropout=0.1)}
    )


def test_a_run_leaves_the_adapter_and_a_model_that_needs_nothing_of_it(data, adapted):
    manifest = run(adapted, data)
    folder = model_folder(data)
    checkpoint = load(folder / "model")
    assert set(manifest.details["stages"]) == {"adapt", "answer"}
    assert score(folder / "model", [DIALOGUE], threads=1)[0].tokens > 0
    for stage in (folder, folder / "adapt"):
        files = {path.name for path in (stage / "adapter").iterdir()}
        assert files == {"adapter_model.safetensors", "adapter_config.json", "tokenizer.json", "psyllm.json"}
        again = merge(load_base(adapted.base)[0], stage / "adapter").state_dict()
        kept = load_file(stage / "model" / "model.safetensors")
        assert all(torch.equal(again[name], weight) for name, weight in kept.items())
        card = read_card(stage / "adapter")
        assert card == read_card(stage / "model")
        assert card.lineage["adapter"]["rank"] == 2
        assert card.lineage["parents"][1] == manifest.parents[1].model_dump()
        assert card.lineage["permit"]["uses"] == "unknown"  # of the base nothing is known
    base = load_base(adapted.base)[0].get_input_embeddings().weight
    rows = checkpoint.model.get_input_embeddings().weight
    assert torch.equal(rows[:-4], base[:-4])
    assert not any(torch.equal(row, old) for row, old in zip(rows[-4:], base[-4:], strict=True))


def test_a_checkpoint_holds_the_adapter_only(data, adapted):
    sizes = []

    def look(progress):
        if progress.task == "training: answer" and progress.done == 8:
            (folder,) = (data / "4_models").glob("model-*")
            for step in saved.whole_steps(folder / "answer"):
                sizes.append({path.name for path in saved.folder_of(folder / "answer", step).iterdir()})

    with listening(look):
        run(adapted, data)
    assert sizes
    assert all("adapter_model.safetensors" in names and "model.safetensors" not in names for names in sizes)


def test_the_same_run_gives_the_same_bytes(data, adapted):
    first = run(adapted, data)
    shutil.rmtree(data / "4_models")
    assert run(adapted, data).files == first.files


@pytest.mark.parametrize("method", ["lora", "dora"])
def test_kill_9_at_a_random_moment_ends_in_the_same_bytes(method, data, adapted, tmp_path):
    seed = int(os.environ.get("PSYLLM_KILL_SEED", random.SystemRandom().randrange(1 << 32)))
    chance = random.Random(f"{seed} {method}")
    sys.stdout.write(f"PSYLLM_KILL_SEED={seed}\n")
    settings = adapted.model_copy(update={"adapter": adapted.adapter.model_copy(update={"method": method})})
    shutil.copytree(data, tmp_path / "undisturbed")
    expected = run(settings, tmp_path / "undisturbed")
    for stage in ("adapt", "answer"):
        command = [sys.executable, "-c", KILLED, str(data), settings.model_dump_json(), stage]
        command += [str(chance.randint(1, 11)), str(chance.uniform(0, 0.05))]
        assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert not list((data / "4_models").glob("*/manifest.json"))
    assert run(settings, data).files == expected.files


def test_a_run_of_the_first_stage_alone_leaves_the_adapter_too(data, adapted):
    run(changed(adapted, answer={"steps": 0}), data)
    folder = model_folder(data)
    one, other = (
        load_file(place / "adapter" / "adapter_model.safetensors") for place in (folder, folder / "adapt")
    )
    assert all(torch.equal(one[name], other[name]) for name in one)
    load(folder / "model")


def test_the_merged_model_can_be_the_base_of_the_next_and_carries_its_terms(data, adapted, tmp_path):
    run(adapted, data)
    base = shutil.copytree(model_folder(data) / "model", tmp_path / "next base")
    manifest = run(adapted.model_copy(update={"base": base}), data)
    assert manifest.details["lineage"]["base_lineage"]["adapter"]["method"] == "lora"
    assert manifest.details["lineage"]["permit"]["expires"] == "2099-06-30"
    config = json.loads((model_folder(data) / "adapter" / "adapter_config.json").read_text())
    assert config["trainable_token_indices"] is None  # the marks are no longer new


def test_an_adapter_without_a_base_is_refused_before_anything_is_written(data, settings):
    with pytest.raises(BadSetting, match="adds to a base"):
        run(settings.model_copy(update={"adapter": Adapter(method="lora")}), data)
    assert not list((data / "4_models").glob("model-*/*"))
