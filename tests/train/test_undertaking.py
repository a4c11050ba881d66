"""Resume, continue and more: each does what it says, and names another where that is meant."""

import json
import shutil

import pytest

from lm.small import foreign_base
from psyllm.core.begun_models import BEGAN
from psyllm.core.errors import BadCheckpoint, BadSetting, MalformedInput, MissingStage
from psyllm.core.progress import listening
from psyllm.core.stages import Stage, read_manifest, set_current
from psyllm.lm.model_card import read_card
from psyllm.train.run import run, undertake
from psyllm.train.undertaking import continued, longer, resumed
from train.conftest import make_corpus, question
from train.test_run import Stopped, changed, model_folder, stop_at


@pytest.fixture
def short(settings):
    """Four steps of each stage, measured every second, that never stop early."""
    few = {"steps": 4, "evaluate_every_steps": 2, "patience": 0, "steady_share": 1.0}
    return changed(settings, adapt=few, answer=few)


def interrupt(settings, data, stage="answer", step=3):
    with stop_at(stage, step), pytest.raises(Stopped):
        run(settings, data)
    (folder,) = (path.parent for path in (data / "4_models").glob(f"*/{BEGAN}"))
    return folder


def another_corpus(data):
    """Put a corpus in use beside the one that is there."""
    first = data / "3_corpus" / "split-1"
    kept = first.rename(first.with_name("aside"))
    make_corpus(data, [question(n) for n in range(30, 40)], [question(n) for n in range(200, 203)])
    (data / "3_corpus" / "split-1").rename(data / "3_corpus" / "split-2")
    manifest = data / "3_corpus" / "split-2" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"run": "split-1"', '"run": "split-2"'))
    kept.rename(first)
    set_current(data, Stage.CORPUS, "split-2")


def test_an_interrupted_run_is_resumed_bit_by_bit_on_its_own_corpus_without_encoding_again(
    data, short, tmp_path
):
    shutil.copytree(data, tmp_path / "undisturbed")
    expected = run(short, tmp_path / "undisturbed")
    folder = interrupt(short, data)
    another_corpus(data)
    undertaking = resumed(data, None)
    assert undertaking.says.startswith(f"resume: {folder.name} goes on with answer after step 2")
    seen = []
    with listening(seen.append):
        manifest = undertake(undertaking, data)
    assert manifest.files == expected.files
    assert manifest.fingerprint == expected.fingerprint
    assert not any(progress.task.startswith("preparing") for progress in seen)
    assert not (folder / "rows").exists()


def test_what_can_not_be_resumed_names_what_is_meant(data, short, monkeypatch):
    with pytest.raises(MissingStage, match="no unfinished run") as caught:
        resumed(data, None)
    assert caught.value.next_step == "run: psyllm train"
    folder = interrupt(short, data, "adapt", 3)
    for refused in (longer, lambda data, name, **_: continued(short, data, name)):
        with pytest.raises(MissingStage, match="not finished yet") as caught:
            refused(data, folder.name, steps=2)
        assert caught.value.next_step.endswith(f"psyllm train resume {folder.name}")
    began = json.loads((folder / BEGAN).read_text())
    (folder / BEGAN).write_text(json.dumps({**began, "fingerprint": "another"}))
    with pytest.raises(BadSetting, match="code of training has changed") as caught:
        resumed(data, folder.name)
    assert "--changed-code" in caught.value.next_step
    manifest = undertake(resumed(data, folder.name, changed_code=True), data)
    assert manifest.details["changed_code"] is True
    with pytest.raises(MissingStage, match="is finished") as caught:
        resumed(data, folder.name)
    assert f"psyllm train more {folder.name}" in caught.value.next_step
    assert f"psyllm train continue {folder.name}" in caught.value.next_step


@pytest.mark.parametrize("holds_now", ["{", "[]", "null"])
def test_a_run_that_cannot_say_how_it_began_is_named(data, short, holds_now):
    path = interrupt(short, data, "adapt", 3) / BEGAN
    path.write_text(holds_now)
    with pytest.raises(MalformedInput, match=BEGAN):
        resumed(data, None)


def test_a_corpus_that_has_changed_since_is_not_resumed_on(data, short):
    interrupt(short, data)
    shutil.rmtree(data / "3_corpus")
    make_corpus(data, [question(n) for n in range(30, 40)], [question(200)])
    with pytest.raises(MissingStage, match="no longer there as it was") as caught:
        resumed(data, None)
    assert "psyllm train" in caught.value.next_step


def test_more_at_a_steady_rate_is_bit_by_bit_the_run_that_was_planned_longer(data, short, tmp_path):
    shutil.copytree(data, tmp_path / "planned")
    planned = run(changed(short, answer={"steps": 8}), tmp_path / "planned")
    first = run(short, data)
    undertaking = longer(data, None, steps=4)
    assert f"answer of {first.run} goes on from step 4 to 8 in a new run" in undertaking.says
    assert "the rate ended at 0.005, goes on at 0.005" in undertaking.says
    with stop_at("answer", 7), pytest.raises(Stopped):  # it can be interrupted as any other
        undertake(undertaking, data)
    manifest = undertake(resumed(data, None), data)
    same = ("model/model.safetensors", "metrics.jsonl", "adapt/model/model.safetensors")
    assert {name: manifest.files[name] for name in same} == {name: planned.files[name] for name in same}
    lineage = read_card(model_folder(data) / "model").lineage
    assert (lineage["way"], lineage["base"]) == ("more", first.run)
    assert [parent["run"] for parent in lineage["parents"]] == ["split-1", first.run]
    assert read_manifest(data / "4_models" / first.run).files == first.files  # nothing of it was touched
    again = undertake(longer(data, None, epochs=0.5), data)
    assert again.counts["answer_steps"] > 8
    assert again.details["lineage"]["base_lineage"]["run"] == manifest.run


def test_more_says_what_happens_to_a_rate_that_had_fallen(data, short):
    run(changed(short, answer={"steady_share": 0.5, "steps": 4, "warmup_steps": 1}), data)
    says = longer(data, None, steps=12).says
    assert "the rate ended at 0.0026, goes on at 0.005, falls from step 8 and ends at 0.00071" in says


def test_more_is_refused_where_another_command_or_more_patience_is_meant(data, short):
    with pytest.raises(MissingStage, match="no finished run") as caught:
        longer(data, None, steps=2)
    assert caught.value.next_step == "run: psyllm train"
    rising = {"learning_rate": 0.5, "evaluate_every_steps": 1, "patience": 1, "steps": 40}
    stopped = run(changed(short, adapt={"steps": 0}, answer=rising, keep_last=True), data)
    assert stopped.counts["answer_steps"] < 40
    with pytest.raises(BadSetting, match="had not fallen for 1 evaluations") as caught:
        longer(data, None, steps=2)
    assert "--patience 2" in caught.value.next_step
    assert "of answer" not in caught.value.next_step
    assert longer(data, None, steps=2, patience=5).settings.answer.patience == 5
    for wrong in ({}, {"steps": 2, "epochs": 1}):
        with pytest.raises(BadSetting, match="not said, or twice"):
            longer(data, None, **wrong)
    shutil.rmtree(data / "4_models" / stopped.run / "answer" / "last")
    with pytest.raises(BadSetting, match="kept no checkpoint") as caught:
        longer(data, None, steps=2)
    assert f"psyllm train continue {stopped.run}" in caught.value.next_step


def test_a_run_may_keep_nothing(data, short):
    run(changed(short, adapt={"steps": 0}, keep_last=False), data)
    assert not list(model_folder(data).rglob("checkpoint-*"))


def test_continue_starts_afresh_from_the_weights_and_its_card_says_so(data, short):
    first = run(changed(short, adapt={"steps": 0}), data)
    with pytest.raises(BadSetting, match="with these settings already") as caught:
        continued(changed(short, adapt={"steps": 0}), data, None)
    assert f"psyllm train more {first.run}" in caught.value.next_step
    another_corpus(data)
    undertaking = continued(changed(short, adapt={"steps": 0}), data, first.run)
    assert (
        f"starts from the weights of {first.run}, with a new optimiser and a new schedule" in undertaking.says
    )
    assert "another corpus, split-2" in undertaking.says
    manifest = undertake(undertaking, data)
    assert [parent.run for parent in manifest.parents] == ["split-2", first.run]
    lineage = read_card(model_folder(data) / "model").lineage
    assert (lineage["way"], lineage["base"]) == ("base", first.run)
    assert lineage["base_lineage"]["run"] == first.run
    lines = [json.loads(line) for line in (model_folder(data) / "metrics.jsonl").read_text().splitlines()]
    assert lines[0]["step"] <= 2
    with pytest.raises(MissingStage, match="no finished run none"):
        continued(short, data, "none")


def test_more_of_a_run_whose_base_has_changed_is_refused(data, short, tmp_path):
    foreign_base(tmp_path / "gpt2")
    run(changed(short, base=tmp_path / "gpt2", adapt={"steps": 0}), data)
    longer(data, None, steps=2)
    config = tmp_path / "gpt2" / "config.json"
    config.write_text(config.read_text() + "\n")
    with pytest.raises(BadCheckpoint, match="is not the one"):
        longer(data, None, steps=2)


def test_epochs_are_counted_in_passes_over_the_rows(data, short):
    manifest = run(changed(short, adapt={"steps": 0}, answer={"epochs": 1.5}), data)
    rows, steps = manifest.counts["answer_rows"], manifest.counts["answer_steps"]
    assert steps == -(-3 * rows // (2 * short.answer.batch_rows))
