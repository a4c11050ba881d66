"""A model that knows too little Chinese, or whose terms do not let it, stays silent."""

import datetime as dt
import json
import re

import pytest

from psyllm.core import embedded
from psyllm.core.base_models import base_hash
from psyllm.core.settings import ServeSettings
from psyllm.core.stages import Parent, Stage, StageRun, writing
from psyllm.serve.fitness import fit_model

FREE = {"uses": "any", "expires": "", "share_alike": False, "sources": []}
TODAY = dt.date(2027, 6, 30)


def put_model(data, name="model-1", words="weights", base=None, **said):
    lineage = {"permit": {**FREE, **said}, "base_lineage": base}
    parents = () if base is None else (Parent(stage="base", run="gpt2", content_hash="b"),)
    with writing(StageRun(data, Stage.MODELS, name, "m", parents, {})) as run:
        (run.folder / "weights").write_text(words)
        return run.finish(counts={}, details={"lineage": lineage})


def row(source, uses):
    return {"source": source, "licence": "x", "uses": uses, "expires": "", "agreement": ""}


DRAWN = ServeSettings().decoding.model_dump(mode="json")


def put_report(data, model, bits, split="test", passed=90.0, decoding=DRAWN, **more):
    settings = {"decoding": decoding}
    with writing(StageRun(data, Stage.REPORTS, "report-1", "m", (model.as_parent(),), settings)) as run:
        metrics = {
            "split": split,
            "figures": {
                "model": {"bits_per_char": {"value": bits}, "guard_passed_percent": {"value": passed}}
            },
            **more,
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
    ("bits", "speaks"),
    [
        (3.2, True),
        (4.0, True),
        (4.01, False),
        (6.9, False),
        (None, False),
        (float("nan"), False),
        (-1, False),
    ],
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


def test_answers_drawn_otherwise_than_measured_are_not_shown(tmp_path):
    put_report(tmp_path, put_model(tmp_path), 3.2, decoding={**DRAWN, "temperature": 0.7})
    found = fit_model(ServeSettings(), tmp_path)
    assert found.folder is None
    assert "evaluate.decoding" in found.reason
    assert found.reason.endswith("psyllm evaluate")
    as_measured = ServeSettings(decoding=ServeSettings().decoding.model_copy(update={"temperature": 0.7}))
    assert fit_model(as_measured, tmp_path).folder is not None


@pytest.mark.parametrize(
    "content", ["{ torn", "[]", '{"split": "test"}', '{"split": "test", "figures": {"model": 3}}']
)
def test_a_torn_report_is_no_report_and_stops_nothing(tmp_path, content):
    put_report(tmp_path, put_model(tmp_path), 3.2)
    (tmp_path / "5_reports" / "report-1" / "metrics.json").write_text(content)
    assert "no report" in fit_model(ServeSettings(), tmp_path).reason


@pytest.mark.parametrize("passed", [float("nan"), 1e9, "x", []])
def test_a_share_that_is_none_does_not_pass(tmp_path, passed):
    put_report(tmp_path, put_model(tmp_path), 3.2, passed=passed)
    assert fit_model(ServeSettings(), tmp_path).folder is None


def test_a_torn_manifest_of_a_report_is_no_report_and_stops_nothing(tmp_path):
    put_report(tmp_path, put_model(tmp_path), 3.2)
    (tmp_path / "5_reports" / "report-1" / "manifest.json").write_text("{ torn")
    assert "no report" in fit_model(ServeSettings(), tmp_path).reason


def test_a_line_that_can_not_be_read_counts_as_not_cleared(tmp_path):
    put_model(tmp_path, base={"parents": [{"stage": 3}]})
    assert "must clear the licences" in fit_model(ServeSettings(model="any"), tmp_path).reason


def test_few_bits_do_not_help_a_model_whose_answers_the_guard_refuses(tmp_path):
    put_report(tmp_path, put_model(tmp_path), 3.56, passed=40.0)
    assert fit_model(ServeSettings(), tmp_path).folder is None


@pytest.mark.parametrize("which", ["fit", "any"])
@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"expires": "2027-06-29"}, "agreement ended on 2027-06-29"),
        ({"uses": "research"}, "for research only"),
        ({"uses": "research", "sources": [row("psyqa", "research")]}, r"for research only \(psyqa\)"),
        # What is unknown besides does not make a source for research free.
        ({"uses": "unknown", "sources": [row("psyqa", "research"), row("x", "unknown")]}, "psyqa"),
        ({"base": {"permit": {**FREE, "uses": "research"}}}, "for research only"),
        ({"base": {"permit": {**FREE, "expires": "2027-01-01"}}}, "ended on 2027-01-01"),
    ],
)
def test_a_model_whose_terms_do_not_let_it_is_silent_however_fit(tmp_path, which, said, why):
    put_report(tmp_path, put_model(tmp_path, **said), 3.2)
    found = fit_model(ServeSettings(model=which), tmp_path, TODAY)
    assert found.folder is None
    assert re.search(why, found.reason)
    assert f"psyllm corpus --data {tmp_path}, then psyllm train" in found.reason


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"expires": "2027-06-30"}, "its terms end on 2027-06-30"),
        ({"uses": "non_commercial"}, "no commercial service"),
        ({"uses": "unknown"}, "read their own terms"),
    ],
)
def test_what_the_terms_ask_is_told_where_they_let_it_speak(tmp_path, said, told):
    put_report(tmp_path, put_model(tmp_path, **said), 3.2)
    found = fit_model(ServeSettings(), tmp_path, TODAY)
    assert found.folder is not None
    assert told in found.reason
    assert found.last_day == (TODAY if "expires" in said else None)


def test_a_report_that_could_not_leave_out_what_the_packages_model_has_read_is_not_enough(
    tmp_path, monkeypatch
):
    folder = tmp_path / "embedded"
    folder.mkdir()
    for name in ("config.json", "model.int8.safetensors"):
        (folder / name).write_text("{}")
    monkeypatch.setattr(embedded, "FOLDER", folder)
    monkeypatch.setattr(embedded, "standing", lambda: embedded.Standing(True, True, "it has passed"))
    bases = Parent(stage="base", run="embedded", content_hash=base_hash(folder))
    details = {"lineage": {"permit": FREE, "embedded": True, "base_lineage": {"permit": FREE}}}
    with writing(StageRun(tmp_path, Stage.MODELS, "model-1", "m", (bases,), {})) as run:
        (run.folder / "weights").write_text("weights")
        model = run.finish(counts={}, details=details)
    put_report(tmp_path, model, 3.2)
    assert fit_model(ServeSettings(), tmp_path).folder is not None
    put_report(tmp_path, model, 3.2, bases_not_checked_for_leaks=["corpus-smile"])
    found = fit_model(ServeSettings(), tmp_path)
    assert found.folder is None
    assert "could not leave out what corpus-smile has read" in found.reason
    other = put_model(tmp_path, base={"permit": FREE})
    put_report(tmp_path, other, 3.2, bases_not_checked_for_leaks=["gpt2"])
    assert fit_model(ServeSettings(), tmp_path).folder is not None
