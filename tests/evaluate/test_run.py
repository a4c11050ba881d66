"""The room's door: refusals, a whole run, and what makes it stale."""

import json
import signal
import subprocess
import sys
import time

import pytest

from evaluate.world import make_corpus, make_model
from psyllm.core.errors import EmptyCorpus, MissingStage
from psyllm.core.stages import file_hash, read_manifest
from psyllm.evaluate.run import run

FILES = {"report.html", "metrics.json", "answers.jsonl"}
RUN = (
    "import sys; from pathlib import Path; from psyllm.core.settings import EvaluateSettings;"
    "from psyllm.evaluate.run import run;"
    "run(EvaluateSettings.model_validate_json(sys.argv[2]), Path(sys.argv[1]))"
)


@pytest.fixture(scope="module")
def measured(tmp_path_factory, make_data, small_settings):
    """A data folder with one report, and the report's manifest."""
    data = make_data(tmp_path_factory.mktemp("measured"))
    return data, run(small_settings, data)


def test_without_a_model_the_command_that_makes_one_is_named(tmp_path, small_settings):
    with pytest.raises(MissingStage) as caught:
        run(small_settings, tmp_path)
    assert "psyllm train" in caught.value.next_step


def test_a_model_whose_corpus_is_gone_is_not_measured_on_another(tmp_path, make_data, small_settings):
    data = make_data(tmp_path)
    (data / "3_corpus" / "split-abc" / "manifest.json").unlink()
    make_corpus(data, name="split-new")
    with pytest.raises(MissingStage, match="split-abc, which is not there any more"):
        run(small_settings, data)


def test_a_corpus_that_changed_under_its_name_is_refused(tmp_path, make_data, small_settings):
    data = make_data(tmp_path)
    path = data / "3_corpus" / "split-abc" / "manifest.json"
    path.write_text(path.read_text("utf-8").replace('"content_hash": "', '"content_hash": "0'), "utf-8")
    with pytest.raises(MissingStage, match="holds something else now"):
        run(small_settings, data)


def test_a_model_that_names_no_corpus_is_refused(tmp_path, tiny_model, small_settings):
    corpus = make_corpus(tmp_path)
    make_model(tmp_path, tiny_model, corpus.as_parent().model_copy(update={"stage": "base"}))
    with pytest.raises(MissingStage, match="names no corpus"):
        run(small_settings, tmp_path)


def test_a_model_is_not_measured_once_an_agreement_has_ended(tmp_path, make_data, small_settings):
    data = make_data(tmp_path)
    path = data / "4_models" / "model-abc" / "manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    permit = {"uses": "any", "expires": "2026-01-01", "share_alike": False, "sources": []}
    manifest["details"]["lineage"] = {"permit": permit, "base_lineage": None}
    path.write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(MissingStage, match=r"model-abc .* agreement ended on 2026-01-01") as caught:
        run(small_settings, data)
    assert "psyllm corpus" in caught.value.next_step


def test_an_empty_split_is_refused_with_its_name(tmp_path, make_data, small_settings):
    data = make_data(tmp_path)
    for path in (data / "3_corpus" / "split-abc").glob("test-*"):
        path.unlink()
    with pytest.raises(EmptyCorpus, match="the test split"):
        run(small_settings, data)
    assert not list((data / "5_reports").glob("report-*"))


def test_a_run_measures_what_it_was_told_to(measured):
    data, manifest = measured
    assert {parent.run for parent in manifest.parents} == {"model-abc", "split-abc"}
    # The test split has 8 questions, 2 dialogues and a document.
    assert manifest.counts == {
        "in_split": 10,
        "scored": 6,
        "answered": 4,
        "training": 24,
        "left_out": 0,
        "too_short": 0,
    }
    assert set(manifest.files) == FILES
    folder = data / "5_reports" / manifest.run
    assert len((folder / "answers.jsonl").read_text("utf-8").splitlines()) == 4


def test_a_run_that_is_up_to_date_is_not_made_again_and_loads_nothing_heavy(measured, small_settings):
    data, manifest = measured
    make_corpus(data, name="split-newer")
    code = f"{RUN};print(sorted({{'torch', 'scipy', 'matplotlib', 'rjieba', 'bm25s'}} & set(sys.modules)))"
    words = [sys.executable, "-c", code, str(data), small_settings.model_dump_json()]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert run(small_settings, data) == manifest


def test_a_killed_run_is_made_anew_with_the_bytes_of_an_uninterrupted_one(tmp_path, measured, small_settings):
    for stage in ("3_corpus", "4_models"):
        (tmp_path / stage).symlink_to(measured[0] / stage)
    words = [sys.executable, "-c", RUN, str(tmp_path), small_settings.model_dump_json()]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not list((tmp_path / "5_reports").glob("report-*")):
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    [folder] = (tmp_path / "5_reports").glob("report-*")
    assert read_manifest(folder) is None
    for name in ("metrics.json", "left-over.json"):
        (folder / name).write_text("half", "utf-8")
    again = run(small_settings, tmp_path)
    assert again.files == measured[1].files
    assert {path.name for path in folder.iterdir()} == FILES | {"manifest.json"}
    assert {name: file_hash(folder / name) for name in FILES} == again.files
