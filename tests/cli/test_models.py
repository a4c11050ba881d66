"""`psyllm models`: a table, an object, and a fetch."""

import json
import subprocess
import sys

import pytest

from lm.test_hub import REVISION, FakeHub
from psyllm.cli.main import run
from psyllm.cli.models import fetch_with, where
from psyllm.core import embedded
from psyllm.lm.cards import card_named
from psyllm.lm.known import known_models


def test_the_table_names_every_model_with_its_licence_and_what_does_not_fit(tmp_path, capsys):
    assert run(["models", "--card", "RTX 3060 12", "--data", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    lines = {line.split()[0]: line for line in shown.splitlines() if line[0].isalpha()}
    for row in known_models():
        assert row.licence in lines[row.name]
    assert "RTX 3060 has 12.0" in shown
    assert "(" in lines["pangu-13b"]
    assert "(" not in lines["wenzhong-110m"]


def test_one_object_holds_what_the_table_shows(tmp_path, capsys):
    folder = tmp_path / "hub" / "qwen3-0.6b"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    assert run(["models", "--card", "cpu", "--json", "--data", str(tmp_path)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["place"]["device"] == "cpu"
    assert said["local"] == [str(folder)]
    assert [row["name"] for row in said["known"] if row["here"]] == ["qwen3-0.6b"]
    assert set(said["known"][0]["needs_bytes"]) == {"full", "lora", "answer"}


def test_a_version_without_the_packages_model_lists_it_as_such_and_does_not_fetch_it(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(embedded, "FOLDER", tmp_path / "none")
    assert run(["models", "--card", "cpu", "--data", str(tmp_path)]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line[0].isalpha()]
    assert rows[1].split(maxsplit=1) == ["embedded", "not in this version"]
    assert run(["models", "--card", "cpu", "--json", "--data", str(tmp_path)]) == 0
    said = json.loads(capsys.readouterr().out)["embedded"]
    assert (said["here"], said["passed"], said["needs_bytes"]) == (False, False, {})
    assert run(["models", "embedded"]) == 1
    assert capsys.readouterr().out == "embedded: not in this version\n"
    for words in (
        ["train", "--base", "embedded"],
        ["train", "--preset", "demo"],
        ["train", "plan", "--base", "embedded"],
    ):
        assert run(words) == 2
        assert "not in this version" in capsys.readouterr().err
    assert run(["models", "fetch", "embedded"]) == 2
    assert "nothing to fetch" in capsys.readouterr().err


def test_longer_rows_and_more_of_them_take_more(tmp_path, capsys):
    found = []
    for options in ([], ["--rows", "8"], ["--row-tokens", "1024"]):
        run(["models", "--card", "V100 32", "--json", "--data", str(tmp_path), *options])
        found.append(json.loads(capsys.readouterr().out)["known"][0]["needs_bytes"]["full"])
    assert found[0] < found[2] < found[1]


def test_a_fetch_says_where_the_model_lies_and_what_is_next(tmp_path, capsys):
    fetch_with(FakeHub(), "qwen3-0.6b", tmp_path, accept_licence=True, revision="main")
    shown = capsys.readouterr().out
    assert f"Qwen/Qwen3-0.6B at {REVISION}, licence apache-2.0" in shown
    assert "psyllm train --base qwen3-0.6b" in shown


def test_training_finds_a_fetched_model_by_its_name_and_tells_of_one_that_is_not(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    assert run(["train", "--base", "qwen3-0.6b"]) == 2
    assert "psyllm models fetch qwen3-0.6b" in capsys.readouterr().err
    seen = []
    monkeypatch.setattr(
        "psyllm.cli.training.carry_out", lambda _run, settings, _data: seen.append(settings.base)
    )
    (tmp_path / "data" / "hub" / "qwen3-0.6b").mkdir(parents=True)
    assert run(["train", "--base", "qwen3-0.6b"]) == 0
    assert run(["train", "--set", "train.base=qwen3-0.6b"]) == 0
    assert [str(path) for path in seen] == ["data/hub/qwen3-0.6b"] * 2


@pytest.mark.parametrize(
    ("card", "gib"), [("RTX 3060 12", 12), ("V100 32", 32), ("NVIDIA H200 139.8", 139.8)]
)
def test_a_card_is_its_name_and_its_memory(card, gib):
    place = where(card)
    assert place.device == "cuda"
    assert place.memory_bytes == int(gib * 2**30)


def test_a_card_that_plans_know_by_its_name_alone_is_known_here_too():
    assert where("h200").memory_bytes == card_named("H200").free_bytes


def test_a_card_without_memory_and_an_unknown_name_are_told(tmp_path, capsys):
    assert run(["models", "--card", "V100", "--data", str(tmp_path)]) == 2
    assert "does not end with its memory" in capsys.readouterr().err
    assert run(["models", "fetch", "gpt5", "--data", str(tmp_path)]) == 2
    assert "known: pangu-350m" in capsys.readouterr().err


def test_the_list_needs_no_torch():
    code = "import sys;from psyllm.cli.main import run;run(['models','--card','cpu']);assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
