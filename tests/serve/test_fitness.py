"""A model that knows too little Chinese stays silent."""

import json

import pytest

from psyllm.core.settings import ServeSettings
from psyllm.core.stages import Stage, StageRun, writing
from psyllm.serve.fitness import fit_model


def put_model(data, name="model-1", words="weights"):
    with writing(StageRun(data, Stage.MODELS, name, "m", (), {})) as run:
        (run.folder / "weights").write_text(words)
        return run.finish(counts={})


def put_report(data, model, bits, split="test", passed=90.0):
    with writing(StageRun(data, Stage.REPORTS, "report-1", "m", (model.as_parent(),), {})) as run:
        metrics = {
            "split": split,
            "figures": {
                "model": {"bits_per_char": {"value": bits}, "guard_passed_percent": {"value": passed}}
            },
        }
        (run.folder / "metrics.json").write_text(json.dumps(metrics))
        run.finish(counts={})


def test_without_a_model_nothing_speaks(tmp_path):
    for which in ("fit", "any", "none"):
        assert fit_model(ServeSettings(model=which), tmp_path).folder is None


def test_a_model_without_a_report_stays_silent(tmp_path):
    put_model(tmp_path)
    found = fit_model(ServeSettings(), tmp_path)
    assert found.folder is None
    assert "psyllm evaluate" in found.reason


@pytest.mark.parametrize(
    ("bits", "speaks"), [(3.2, True), (4.0, True), (4.01, False), (6.9, False), (None, False)]
)
def test_the_report_decides(tmp_path, bits, speaks):
    put_report(tmp_path, put_model(tmp_path), bits)
    assert (fit_model(ServeSettings(), tmp_path).folder is not None) == speaks


def test_the_report_of_another_model_does_not_count(tmp_path):
    put_report(tmp_path, put_model(tmp_path), 3.0)
    put_model(tmp_path, "model-2", "other weights")
    assert fit_model(ServeSettings(), tmp_path).folder is None


def test_any_and_none_do_what_they_say(tmp_path):
    put_report(tmp_path, put_model(tmp_path), 9.0)
    assert (
        fit_model(ServeSettings(model="any"), tmp_path).folder == tmp_path / "4_models" / "model-1" / "model"
    )
    assert fit_model(ServeSettings(model="none"), tmp_path).folder is None


def test_a_report_on_the_dev_split_does_not_count(tmp_path):
    put_report(tmp_path, put_model(tmp_path), 3.0, split="dev")
    assert fit_model(ServeSettings(), tmp_path).folder is None


def test_few_bits_do_not_help_a_model_whose_answers_the_guard_refuses(tmp_path):
    put_report(tmp_path, put_model(tmp_path), 3.56, passed=40.0)
    assert fit_model(ServeSettings(), tmp_path).folder is None
