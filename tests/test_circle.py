"""The whole circle by its commands on the starter corpus, small and quick."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from psyllm.cli.main import run
from psyllm.core.records import read_records
from psyllm.core.stages import Stage, need_current

ROOMS = ("clean", "corpus", "train", "evaluate")


def turn(data: Path, *more: str) -> None:
    for words in (["collect", "starter"], *([room] for room in ROOMS)):
        assert run([*words, "--data", str(data), "--preset", "tiny", *more]) == 0, words


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("circle")
    turn(folder)
    return folder


def test_the_folders_fill_in_order(data, capsys):
    assert run(["status", "--json", "--data", str(data)]) == 0
    states = {row["stage"]: row["state"] for row in json.loads(capsys.readouterr().out)}
    assert states.pop("6_feedback") == "missing"
    assert set(states.values()) == {"complete"}


def test_every_stage_names_its_parents(data):
    corpus, corpus_manifest = need_current(data, Stage.CORPUS)
    _, model_manifest = need_current(data, Stage.MODELS)
    _, report_manifest = need_current(data, Stage.REPORTS)
    assert corpus_manifest.as_parent() in model_manifest.parents
    assert model_manifest.as_parent() in report_manifest.parents
    kinds = {
        record.kind for split in ("train", "dev", "test") for record in read_records(corpus, prefix=split)
    }
    assert kinds == {"question", "dialogue", "document"}


def test_a_second_turn_changes_nothing(data):
    before = {
        stage: need_current(data, stage)[1]
        for stage in (Stage.CLEANED, Stage.CORPUS, Stage.MODELS, Stage.REPORTS)
    }
    turn(data)
    after = {stage: need_current(data, stage)[1] for stage in before}
    assert after == before


def test_the_report_stands_alone(data):
    folder, _ = need_current(data, Stage.REPORTS)
    text = (folder / "report.html").read_text("utf-8")
    assert "<svg" in text
    assert 'src="http' not in text
    assert 'href="http' not in text
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics


def test_the_report_survives_kill_9(data, tmp_path):
    """Killed while evaluating, run again: the same bytes as undisturbed."""
    _, undisturbed = need_current(data, Stage.REPORTS)
    other = tmp_path / "again"
    subprocess.run(["cp", "-a", str(data), str(other)], check=True)
    subprocess.run(["rm", "-rf", str(other / "5_reports")], check=True)
    command = [sys.executable, "-m", "psyllm.cli", "evaluate", "--data", str(other), "--preset", "tiny"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=2.5)
        process.kill()
    assert not list((other / "5_reports").glob("*/manifest.json"))
    subprocess.run(command, check=True, capture_output=True)
    _, redone = need_current(other, Stage.REPORTS)
    assert redone.content_hash == undisturbed.content_hash
