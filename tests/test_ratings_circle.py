"""The chain by its commands and over HTTP: a model answers, visitors rate, KTO makes another, a report compares."""

import json
from pathlib import Path

import pytest

from played_visitors import rate_answers
from psyllm.cli.main import run
from psyllm.core.rated_answers import rated_prefix, read_rated
from psyllm.core.records import read_records
from psyllm.core.settings import Decoding, ServeSettings
from psyllm.core.stages import Stage, current_run, need_current, stage_folder
from psyllm.core.starter import starter_records
from psyllm.serve.run import Service

pytestmark = pytest.mark.timeout(900)  # a whole circle, a service and a second model
VISITORS = 36
# Bundled answers are long: a model of the preset `tiny` has room for a fifth of one.
ROOMY = ("train.model.context_tokens=1024", "train.model.vocabulary=1024", "train.threads=1")
HALVES = ("corpus.test_share=0.25", "corpus.dev_share=0.2", "evaluate.most_scored=12", "evaluate.threads=1")
LED = (
    "train.adapt.steps=0",
    "train.answer.steps=0",
    "train.prefer.steps=10",
    "train.prefer.batch_rows=4",
    "train.prefer.learning_rate=0.002",
    "train.prefer.warmup_steps=1",
    "train.prefer.evaluate_every_steps=5",
    "train.prefer.fewest_ratings=6",
    "train.prefer.fewest_raters=3",
)


def command(data: Path, *words: str, sets: tuple[str, ...] = ()) -> None:
    options = [word for setting in (*ROOMY, *HALVES, *sets) for word in ("--set", setting)]
    assert run([*words, "--data", str(data), "--preset", "tiny", *options]) == 0, words


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """One turn of the circle, the service on its model, visitors, and the turn that learns from them."""
    data = tmp_path_factory.mktemp("ratings")
    for words in (["collect", "starter"], ["clean"], ["corpus"], ["train"]):
        command(data, *words)
    first = current_run(data, Stage.MODELS)
    questions = [record.title for record in starter_records() if record.kind == "question"]
    serving = ServeSettings(port=0, model="any", decoding=Decoding(max_new_tokens=8), engine_threads=1)
    with Service(serving, data) as service:
        counts = rate_answers(service.url, questions[:VISITORS])
    for words in (["feedback"], ["clean"], ["corpus"]):
        command(data, *words)
    command(data, "train", sets=(*LED, f"train.base={first / 'model'}"))
    command(data, "evaluate")
    return data, first, counts


def test_ratings_given_over_http_arrive_with_their_kinds(chain):
    data, _, counts = chain
    assert min(counts["good"], counts["bad"]) > VISITORS / 8
    given = list(read_rated(stage_folder(data, Stage.FEEDBACK) / "casebook"))
    assert sum(row.desirable for row in given) == counts["good"]
    assert len(given) == counts["good"] + counts["bad"]
    assert len({row.rater for row in given}) == len(given)
    assert "说给你们听的话" not in "".join(row.model_dump_json() for row in given)


def test_badly_rated_answers_are_no_records_of_any_stage(chain):
    data, _, _ = chain
    bad = {
        row.record.id
        for row in read_rated(stage_folder(data, Stage.FEEDBACK) / "casebook")
        if not row.desirable
    }
    assert bad
    for stage, prefixes in ((Stage.CLEANED, ("part",)), (Stage.CORPUS, ("train", "dev", "test"))):
        folder = current_run(data, stage)
        ids = {record.id for prefix in prefixes for record in read_records(folder, prefix=prefix)}
        assert ids.isdisjoint(bad)


def test_what_dev_and_test_ask_is_asked_by_no_rating_that_was_learnt_from(chain):
    data, _, _ = chain
    corpus = current_run(data, Stage.CORPUS)
    held_out = {
        record.title
        for side in ("dev", "test")
        for record in read_records(corpus, prefix=side)
        if record.title
    }
    learnt = {row.record.title for row in read_rated(corpus, prefix=rated_prefix("train"))}
    assert learnt
    assert learnt.isdisjoint(held_out)


def test_the_new_model_is_its_bases_child_and_learnt_by_kto(chain):
    data, first, _ = chain
    folder, manifest = need_current(data, Stage.MODELS)
    assert folder != first
    facts = manifest.details["stages"]["prefer"]
    assert facts["method"] == "kto"
    assert facts["rows"] >= 6
    assert manifest.settings["base"] == str(first / "model")
    assert manifest.details["lineage"]["base_lineage"]["run"] == first.name


def test_the_report_says_in_one_word_whether_it_helped(chain):
    data, first, _ = chain
    folder, _ = need_current(data, Stage.REPORTS)
    found = json.loads((folder / "metrics.json").read_text("utf-8"))["against"]
    assert found["model"] == f"{first.name}/model"
    assert found["verdict"] in {"helped", "harmed", "mixed", "not_shown"}
    accuracy = found["figures"].get("reward_accuracy_percent", {"low": None})
    assert (accuracy["low"] is None) is found["too_few_ratings"]
    if found["too_few_ratings"]:
        assert found["verdict"] in {"harmed", "not_shown"}
    assert {"nats_per_char_change", "guard_passed_change_points"} <= set(found["figures"])
    kinds = (found["ratings"]["desirable"], found["ratings"]["undesirable"])
    assert ("reward_accuracy_percent" in found["figures"]) is (min(kinds) > 0)
    assert 'id="against"' in (folder / "report.html").read_text("utf-8")


def test_status_finds_nothing_stale(chain, capsys):
    data, _, _ = chain
    assert run(["status", "--json", "--data", str(data)]) == 0
    states = {row["stage"]: row["state"] for row in json.loads(capsys.readouterr().out)}
    assert set(states.values()) == {"complete"}
