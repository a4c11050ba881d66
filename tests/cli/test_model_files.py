"""Merging and exporting from the command line."""

import shutil

import pytest

from lm.small_bases import write_base
from psyllm.cli.main import run
from psyllm.core.settings import load_settings
from psyllm.core.stages import Stage, StageRun, need_current, writing
from psyllm.train.run import run as train
from train.conftest import make_corpus, question


@pytest.fixture
def data(tmp_path):
    """A data folder whose model in use was trained by an adapter on a small base."""
    make_corpus(tmp_path / "data", [question(n) for n in range(12)], [question(100)])
    write_base(tmp_path / "base", "llama")
    overrides = [
        "train.threads=1",
        "train.adapt.steps=0",
        "train.answer.steps=1",
        "train.adapter.method=lora",
    ]
    settings = load_settings(preset="tiny", overrides=[*overrides, f"train.base={tmp_path / 'base'}"]).train
    train(settings, tmp_path / "data")
    return tmp_path / "data"


def test_the_model_in_use_leaves_in_the_form_asked_for(data, tmp_path, capsys):
    words = ["train", "export", "--data", str(data)]
    assert run([*words, "--dtype", "int8", "--out", str(tmp_path / "small")]) == 0
    assert run([*words, "--form", "gguf", "--dtype", "q8_0", "--out", str(tmp_path / "gguf")]) == 0
    said = capsys.readouterr().out
    assert f"{tmp_path / 'small' / 'model.int8.safetensors'}: " in said
    assert f"{tmp_path / 'gguf' / 'model.gguf'}: " in said
    assert "no triage, no guard and no help lines" in said
    assert run([*words, "--out", str(tmp_path / "small")]) == 2
    assert "next: name a new folder with --out" in capsys.readouterr().err
    assert run([*words, "--form", "pdf", "--out", str(tmp_path / "pdf")]) == 2
    assert "there is no form 'pdf' with the type 'fp32'" in capsys.readouterr().err


def test_the_adapter_in_use_is_merged_into_its_base(data, tmp_path, capsys):
    words = ["train", "merge", "--base", str(tmp_path / "base"), "--out", str(tmp_path / "merged")]
    assert run([*words, "--data", str(data)]) == 0
    assert "merged in" in capsys.readouterr().out
    folder, _ = need_current(data, Stage.MODELS)
    merged, left = (place / "model.safetensors" for place in (tmp_path / "merged", folder / "model"))
    assert merged.read_bytes() == left.read_bytes()


def test_a_model_without_an_adapter_has_none_to_merge(data, tmp_path, capsys):
    folder, manifest = need_current(data, Stage.MODELS)
    plain = StageRun(data, Stage.MODELS, "model-plain", "mark", (), {})
    with writing(plain):
        shutil.copytree(folder / "model", plain.folder / "model")
        plain.finish(counts=manifest.counts)
    words = ["train", "merge", "--base", str(tmp_path / "base"), "--out", str(tmp_path / "merged")]
    assert run([*words, "--data", str(data)]) == 2
    assert "has no adapter_config.json" in capsys.readouterr().err
    assert not (tmp_path / "merged").exists()


def test_without_a_model_both_say_what_to_do_first(tmp_path, capsys):
    assert run(["train", "export", "--out", str(tmp_path / "out"), "--data", str(tmp_path)]) == 2
    assert "next: run: psyllm train" in capsys.readouterr().err
