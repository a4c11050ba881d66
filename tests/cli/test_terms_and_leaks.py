"""What the command line says of agreements and of leaks."""

import datetime as dt
import json

import pytest

from made_up import dialogues, write_lines
from psyllm.cli.main import run
from psyllm.cli.stale import ends_of_terms
from psyllm.core.stages import Parent, Stage, StageRun, current_run, need_current, read_manifest, writing


@pytest.fixture
def data(tmp_path):
    path = write_lines(dialogues(60), tmp_path / "smilechat.input")
    words = ["--name", "smilechat", "--licence", "agreement", "--uses", "research", "--expires", "2099-06-30"]
    assert run(["collect", "import", str(path), *words, "--data", str(tmp_path / "data")]) == 0
    # Syllables without sense may look like a name here and there.
    assert run(["clean", "--data", str(tmp_path / "data"), "--set", "clean.mask_pii=false"]) == 0
    assert run(["corpus", "--data", str(tmp_path / "data")]) == 0
    return tmp_path / "data"


def test_the_terms_said_at_import_stand_in_the_corpus_and_status_tells_their_end(data, capsys):
    permit = need_current(data, Stage.CORPUS)[1].details["permit"]
    assert (permit["uses"], permit["expires"]) == ("research", "2099-06-30")
    assert ends_of_terms(data, dt.date(2099, 5, 1)) == {}
    soon = ends_of_terms(data, dt.date(2099, 6, 20))
    assert soon["3_corpus"].endswith("an agreement ends on 2099-06-30, in 10 days")
    over = ends_of_terms(data, dt.date(2099, 7, 1))
    assert "ended on 2099-06-30; do not use it any more" in over["3_corpus"]
    capsys.readouterr()
    assert run(["status", "--data", str(data)]) == 0
    assert "terms:" not in capsys.readouterr().out


def test_status_tells_what_has_ended_to_programs_too_and_of_a_models_base(tmp_path, capsys):
    of_base = {"permit": {"uses": "research", "expires": "2026-01-01", "share_alike": False, "sources": []}}
    free = {"uses": "any", "expires": "", "share_alike": False, "sources": []}
    base = Parent(stage="base", run="bought", content_hash="b")
    with writing(StageRun(tmp_path, Stage.MODELS, "model-1", "m", (base,), {})) as model:
        model.finish(counts={}, details={"lineage": {"permit": free, "base_lineage": of_base}})
    assert run(["status", "--json", "--data", str(tmp_path)]) == 0
    terms = {row["stage"]: row["terms"] for row in json.loads(capsys.readouterr().out)}
    assert terms["3_corpus"] == ""
    assert "model-1: an agreement ended on 2026-01-01" in terms["4_models"]
    assert "another base" in terms["4_models"]


@pytest.mark.parametrize(("option", "value"), [("--expires", "soon"), ("--uses", "everything")])
def test_terms_that_can_not_be_read_are_refused(option, value, tmp_path, capsys):
    path = write_lines(dialogues(3), tmp_path / "x")
    assert run(["collect", "import", str(path), "--name", "x", "--licence", "y", option, value]) == 2
    assert option in capsys.readouterr().err


def test_a_leak_check_prints_counts_by_source_and_a_verdict(data, tmp_path, capsys):
    words = [
        "corpus",
        "leak-check",
        str(write_lines(dialogues(60), tmp_path / "psyqa_test.jsonl")),
        "--data",
        str(data),
    ]
    capsys.readouterr()
    assert run(words) == 0
    out = capsys.readouterr().out
    trained = need_current(data, Stage.CORPUS)[1].counts["train"]
    assert f"smilechat: {trained} share 10% of their runs, {trained} open the same" in out
    assert f"leak likely: smilechat is derived from psyqa; {trained} of 60 items are known" in out
    assert run([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["leaked"] == trained
    assert told["sources"][0]["source"] == "smilechat"
    assert told["unknown"] == []


def test_a_leak_check_of_a_model_that_is_not_there_says_what_there_is(data, tmp_path, capsys):
    path = write_lines(dialogues(3), tmp_path / "x.jsonl")
    capsys.readouterr()
    assert run(["corpus", "leak-check", str(path), "--model", "current", "--data", str(data)]) == 2
    assert "there are: none" in capsys.readouterr().err
    assert read_manifest(current_run(data, Stage.CORPUS)) is not None
