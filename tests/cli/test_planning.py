"""`psyllm train plan`: parts, verdict, the setting to type, and an exit status for scripts."""

import json

import pytest

from psyllm.cli.main import run
from psyllm.core.errors import BadSetting
from psyllm.lm.cards import Card
from psyllm.train import planning


def test_a_plan_shows_the_parts_of_every_stage_and_that_it_fits(capsys, monkeypatch):
    monkeypatch.setattr(
        planning, "processor", lambda: Card("the processor", 8 * 2**30, "cpu", has_bf16=False)
    )
    assert run(["train", "plan", "--preset", "laptop", "--card", "cpu"]) == 0
    said = capsys.readouterr().out
    assert "8.0 GiB" in said
    assert "activations" in said
    assert "adapt 8 x 512" in said
    assert "answer 8 x 512" in said
    assert said.endswith("fits\n")


def test_a_plan_that_does_not_fit_names_the_setting_and_ends_with_one(capsys):
    words = [
        "train",
        "plan",
        "--preset",
        "laptop",
        "--card",
        "RTX 3060 12",
        "--set",
        "train.answer.batch_rows=4096",
    ]
    assert run(words) == 1
    said = capsys.readouterr().out
    assert "does not fit; this would: --set train." in said


def test_a_large_base_gets_an_adapter_or_the_word_that_nothing_helps(capsys, tmp_path):
    sizes = {"n_layer": 30, "n_embd": 3072, "n_head": 32, "n_positions": 1024, "vocab_size": 50304}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2", **sizes}))
    assert run(["train", "plan", "--base", str(tmp_path), "--card", "T4 16"]) == 1
    said = capsys.readouterr().out
    assert "3,556.3M weights" in said
    assert "does not fit" in said


@pytest.mark.parametrize("words", [["--base", "wenzhong-110m"], ["--preset", "paper-wenzhong-110m"]])
def test_a_known_model_is_planned_by_its_name_without_its_files(words, capsys):
    assert run(["train", "plan", *words, "--card", "V100 32"]) == 0
    said = capsys.readouterr().out
    assert "124.5M weights, fp16; V100 32" in said


def test_a_card_that_nobody_knows_is_refused(capsys):
    assert run(["train", "plan", "--card", "abacus"]) == 2
    assert BadSetting.code in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--help"], ["plan", "--help"]])
def test_help_names_the_plan(words, capsys):
    assert run(["train", *words]) == 0
    assert "plan" in capsys.readouterr().out


def test_several_processes_are_planned_as_they_are_trained_with(capsys):
    words = ["train", "plan", "--preset", "laptop", "--card", "H200", "--processes"]
    assert run([*words, "2", "--set", "train.processes=fsdp"]) == 0
    assert "for each of 2 processes" in capsys.readouterr().out
    assert run([*words, "4"]) == 0
    assert "adapt 2 x 512" in capsys.readouterr().out  # its part of 8 rows
    assert run([*words, "3"]) == 2
    assert "can't be shared equally by 3 processes" in capsys.readouterr().err
