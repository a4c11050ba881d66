"""The whole way of the package's model in small: made, shipped as int8, trained on by its name, measured, judged."""

import json
import shutil

import pytest

from made_up import dialogues, write_lines
from psyllm.cli.main import run
from psyllm.core import embedded
from psyllm.core.permits import permit_of_model
from psyllm.core.records import read_records
from psyllm.core.settings import ServeSettings
from psyllm.core.stages import Stage, need_current
from psyllm.evaluate.learnt_from import learnt_from
from psyllm.serve.fitness import fit_model
from small_embedded import write_marks

TINY = ("--preset", "tiny", "--set", "train.threads=1", "--set", "train.trackers=[]")
STEPS = ("--set", "train.adapt.steps=0", "--set", "train.answer.steps=4")


def typed(*words):
    assert run([str(word) for word in words]) == 0, words


def corpus_of(data, path, name):
    typed("collect", "import", path, "--name", name, "--licence", "CC0-1.0", "--data", data)
    typed("clean", "--data", data)
    typed("corpus", "--data", data)


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    """Return the folder of a small model and the data folder that it was made in."""
    ground = tmp_path_factory.mktemp("embedded")
    data = ground / "there"
    corpus_of(data, write_lines(dialogues(60, seed=1), ground / "smile.input"), "smilechat")
    typed("train", "--data", data, *TINY)
    folder = ground / "embedded"
    typed("train", "export", "--form", "safetensors", "--dtype", "int8", "--out", folder, "--data", data)
    typed("corpus", "fingerprints", "--out", folder, "--data", data)
    return folder, data


@pytest.fixture(scope="module")
def seated(shipped):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedded, "FOLDER", shipped[0])
        yield shipped


@pytest.fixture(scope="module")
def led(seated, tmp_path_factory):
    """Return a data folder with a model trained from `embedded` on texts of which the base knows twelve dialogues."""
    ground = tmp_path_factory.mktemp("led")
    _, there = seated
    raw = {value["dialog"][0]["content"]: value for value in dialogues(60, seed=1)}
    corpus = need_current(there, Stage.CORPUS)[0]
    read = [
        raw[record.opening()] for record in read_records(corpus, prefix="train") if record.opening() in raw
    ]
    assert len(read) > 12
    mixed = [*read[:12], *dialogues(48, seed=99)]
    corpus_of(ground / "data", write_lines(mixed, ground / "mine.input"), "mine")
    typed("train", "--base", "embedded", "--data", ground / "data", *TINY, *STEPS)
    return ground / "data"


def test_the_model_trains_on_by_its_name_and_keeps_its_lineage(led, seated):
    _, manifest = need_current(led, Stage.MODELS)
    base = next(parent for parent in manifest.parents if parent.stage == "base")
    assert base.run == "embedded"
    made_of = need_current(seated[1], Stage.CORPUS)[1].as_parent().model_dump()
    assert manifest.details["lineage"]["base_lineage"]["parents"][0] == made_of
    assert {row["source"] for row in permit_of_model(manifest).sources} == {"mine", "smilechat"}


def test_what_the_base_may_have_read_is_left_out_of_the_report(led):
    # the base, in int8, answers as well: it is what the new model is compared with
    typed("evaluate", "--data", led, *TINY)
    corpus, _ = need_current(led, Stage.CORPUS)
    report, _ = need_current(led, Stage.REPORTS)
    metrics = json.loads((report / "metrics.json").read_text("utf-8"))
    there = need_current(led, Stage.CORPUS)[0]
    known = {value["dialog"][0]["content"] for value in dialogues(60, seed=1)}
    held = [record for record in read_records(there, prefix="test") if record.opening() in known]
    assert metrics["records"]["left_out"] >= len(held)
    assert metrics["records"]["left_out"] < metrics["records"]["in_split"], corpus
    assert metrics["left_out_as_read_by"] == "embedded"
    asked = [json.loads(line)["id"] for line in (report / "answers.jsonl").read_text("utf-8").splitlines()]
    assert not {record.id for record in held} & set(asked)
    assert metrics["against"]["model"].endswith("embedded")


def test_an_adapter_trains_on_int8_and_merges_into_it_by_name(led, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(led, data)
    lora = ("--set", "train.adapter.method=lora", "--set", "train.answer.steps=2")
    typed("train", "--base", "embedded", "--data", data, *TINY, *STEPS, *lora)
    typed("train", "merge", "--base", "embedded", "--out", tmp_path / "merged", "--data", data)
    merged, left = (
        folder / "model.safetensors"
        for folder in (tmp_path / "merged", need_current(data, Stage.MODELS)[0] / "model")
    )
    assert merged.read_bytes() == left.read_bytes()


def test_any_file_can_be_checked_against_what_it_has_read(seated, tmp_path, capsys):
    values = [{"question": value["dialog"][0]["content"]} for value in dialogues(60, seed=1)]
    path = write_lines(values, tmp_path / "asked.jsonl")
    typed("corpus", "leak-check", path, "--model", "embedded", "--name", "ours", "--json")
    said = json.loads(capsys.readouterr().out)
    assert said["leaked"] > 30
    assert [leak["source"] for leak in said["sources"]] == ["smilechat"]


def test_visitors_hear_it_only_after_it_has_passed(led, seated, capsys):
    folder, _ = seated
    assert run(["models", "embedded"]) == 1
    assert "marks are missing" in capsys.readouterr().out
    fit = ServeSettings(most_bits_per_char=1000, least_guard_passed_percent=0)
    assert "made from the embedded model, and its marks are missing" in fit_model(fit, led).reason
    write_marks(folder)
    try:
        assert run(["models", "embedded"]) == 0
        assert fit_model(fit, led).folder is not None
        write_marks(folder, on_topic_percent=50)
        assert "on topic, read blind: 50" in fit_model(fit, led).reason
    finally:
        (folder / "marks.json").unlink()


def test_who_comes_from_it_in_any_way_is_silent_where_the_package_does_not_vouch(
    led, seated, tmp_path, monkeypatch
):
    folder, _ = seated
    fit = ServeSettings(most_bits_per_char=1000, least_guard_passed_percent=0)
    data, lora = tmp_path / "data", ("--set", "train.adapter.method=lora")
    shutil.copytree(led, data)
    typed("train", "--base", "embedded", "--data", data, *TINY, *STEPS, *lora)
    adapter = shutil.copytree(need_current(data, Stage.MODELS)[0] / "adapter", tmp_path / "foreign")
    (adapter / "psyllm.json").unlink()  # as one from elsewhere
    said = ("train", "merge", "--adapter", adapter, "--base", "embedded", "--out", tmp_path / "merged")
    typed(*said, "--data", data)
    out = ("--out", tmp_path / "exported")
    typed("train", "export", "--model", "embedded", "--form", "safetensors", "--dtype", "fp32", *out)
    write_marks(folder)
    try:
        assert "marks.json" not in {path.name for path in (tmp_path / "merged").iterdir()}
        typed("train", "--base", tmp_path / "merged", "--data", data, *TINY, *STEPS)
        _, merged = need_current(data, Stage.MODELS)
        # its base's texts are known, those of the adapter are not
        assert learnt_from(merged).unknown == ["foreign"]
        assert [parent.run for parent in learnt_from(merged).of_bases] == [
            need_current(seated[1], Stage.CORPUS)[1].run
        ]
        assert "no report" in fit_model(fit, data).reason  # all else is in order
        write_marks(folder, on_topic_percent=1)
        assert "on topic, read blind: 1" in fit_model(fit, data).reason
        write_marks(folder)
        typed("train", "--base", tmp_path / "exported", "--data", data, *TINY, *STEPS)
        assert "does not vouch for" in fit_model(fit, data).reason
        monkeypatch.setattr(embedded, "FOLDER", tmp_path / "none")
        assert "does not vouch for" in fit_model(fit, data).reason
        assert "does not vouch for" in fit_model(fit, led).reason
    finally:
        (folder / "marks.json").unlink()


def test_the_list_shows_it_first_with_its_size_and_licences(seated, capsys, tmp_path):
    typed("models", "--card", "cpu", "--data", tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("embedded")
    assert lines[2].endswith("here")
    assert "MB; its marks are missing" in lines[3]
    assert "PsyQA's terms are for research only" in lines[5]
    typed("train", "plan", "--base", "embedded", "--preset", "tiny", "--card", "cpu")
    assert "llama-shaped" in capsys.readouterr().out
