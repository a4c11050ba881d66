"""The model beside the one before: pairs of the same record, and a word that says no more than they show."""

import json
import random
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluate.world import make_corpus
from psyllm.core.base_models import base_hash
from psyllm.core.permits import BASE
from psyllm.core.rated_answers import rated_prefix, write_rated
from psyllm.core.stages import Manifest, Parent, Stage, StageRun, read_manifest, write_manifest, writing
from psyllm.evaluate.against import (
    are_enough,
    differences,
    other_of,
    rating_figures,
    verdict,
)
from psyllm.evaluate.guarding import Judged
from psyllm.evaluate.intervals import Interval
from psyllm.evaluate.measure import Resampling
from psyllm.evaluate.perplexity import Surprise
from psyllm.evaluate.run import run
from psyllm.evaluate.sample import Drawn
from psyllm.evaluate.spoken import Spoken
from rated import rated

DRAWING = Resampling(200, 7)
UNCLEAR = Interval(0.0, -1.0, 1.0)


def spoken(nats, passed, lengths):
    return Spoken(
        [Surprise(one, 10, 20, 60) for one in nats],
        [Drawn("字" * length, "end", 1) for length in lengths],
        [Judged(one, ()) for one in passed],
    )


def test_differences_are_taken_from_pairs_of_the_same_record():
    now = spoken([10.0, 30.0, 50.0], [True, True, False], [5, 5, 9])
    before = spoken([12.0, 32.0, 52.0], [True, False, False], [4, 4, 8])
    found = differences(now, before, DRAWING)
    assert found["nats_per_char_change"] == pytest.approx((-0.1, -0.1, -0.1))
    assert found["guard_passed_change_points"].value == pytest.approx(100 / 3)
    assert found["length_change_chars"] == pytest.approx((1, 1, 1))
    assert found["ended_change_points"].value == 0


def test_the_share_of_pairs_in_which_the_good_answer_gained_more():
    rows = [rated(number, desirable=number < 2) for number in range(4)]
    found = rating_figures(rows, [3.0, 0.0, 1.0, 0.0], DRAWING)
    # 3 > 1, 3 > 0, 0 < 1, 0 = 0
    assert found["reward_accuracy_percent"].value == pytest.approx(100 * 2.5 / 4)
    assert found["reward_margin_nats"].value == pytest.approx(1.0)


def test_answers_of_one_conversation_are_one_witness():
    many = [rated(n, desirable=n % 2 == 0, conversation=n // 2) for n in range(40)]
    one = [rated(n, desirable=n % 2 == 0, conversation=0) for n in range(40)]
    gains = [float(n % 2 == 0) + (n % 7) * 0.3 for n in range(40)]
    assert rating_figures(many, gains, DRAWING)["reward_accuracy_percent"].low is not None
    assert rating_figures(one, gains, DRAWING)["reward_accuracy_percent"][1:] == (None, None)


@pytest.mark.parametrize("conversations", range(2, 7))
def test_noise_in_few_ratings_shows_nothing(conversations):
    chance = random.Random(conversations)
    rows = [rated(number, desirable=number % 2 == 0) for number in range(conversations)]
    for _ in range(40):
        found = rating_figures(rows, [chance.gauss(0, 1) for _ in rows], DRAWING)
        assert found["reward_accuracy_percent"][1:] == (None, None)
        unclear = {"nats_per_char_change": UNCLEAR, "guard_passed_change_points": UNCLEAR}
        assert verdict(found | unclear) == "not_shown"


@pytest.mark.parametrize(
    ("good", "bad", "raters", "expected"),
    [(10, 10, 3, True), (9, 30, 9, False), (30, 9, 9, False), (30, 30, 2, False)],
)
def test_an_interval_needs_ten_conversations_of_each_kind_and_three_people(good, bad, raters, expected):
    rows = [
        rated(number, desirable=number < good, rater=f"rater-{number % raters}")
        for number in range(good + bad)
    ]
    found = rating_figures(rows, [float(number % 7) for number in range(good + bad)], DRAWING)
    assert (found["reward_accuracy_percent"].low is not None) is are_enough(rows) is expected


@pytest.mark.parametrize("kinds", [[True, True], [False, False]])
def test_of_one_kind_alone_nothing_is_said(kinds):
    rows = [rated(number, desirable=kind) for number, kind in enumerate(kinds)]
    assert rating_figures(rows, [1.0, 2.0], DRAWING) == {}


@given(st.lists(st.tuples(st.booleans(), st.floats(-50, 50)), min_size=2, max_size=20))
def test_turning_all_gains_round_turns_the_accuracy_round(found):
    rows = [rated(number, desirable=good) for number, (good, _) in enumerate(found)]
    gains = [gain for _, gain in found]
    one = rating_figures(rows, gains, Resampling(5, 1))
    other = rating_figures(rows, [-gain for gain in gains], Resampling(5, 1))
    if one:
        total = one["reward_accuracy_percent"].value + other["reward_accuracy_percent"].value
        assert total == pytest.approx(100)


@pytest.mark.parametrize(
    ("words", "guard", "ratings", "expected"),
    [
        (UNCLEAR, UNCLEAR, Interval(70, 60, 80), "helped"),
        (Interval(0.2, 0.1, 0.3), UNCLEAR, Interval(70, 60, 80), "mixed"),
        (UNCLEAR, Interval(-9, -15, -2), Interval(70, 60, 80), "mixed"),
        (UNCLEAR, UNCLEAR, Interval(55, 45, 65), "not_shown"),
        (UNCLEAR, UNCLEAR, Interval(55, None, None), "not_shown"),
        (Interval(0.2, 0.1, 0.3), UNCLEAR, Interval(55, 45, 65), "harmed"),
        (UNCLEAR, UNCLEAR, Interval(40, 30, 45), "harmed"),
        # likelier words alone are no help where people rated
        (Interval(-0.2, -0.3, -0.1), UNCLEAR, Interval(55, 45, 65), "not_shown"),
        (Interval(-0.2, -0.3, -0.1), UNCLEAR, None, "helped"),
        (Interval(0.2, 0.1, 0.3), UNCLEAR, None, "harmed"),
    ],
)
def test_the_word_says_what_the_intervals_show(words, guard, ratings, expected):
    figures = {"nats_per_char_change": words, "guard_passed_change_points": guard}
    if ratings is not None:
        figures["reward_accuracy_percent"] = ratings
    assert verdict(figures) == expected


def test_where_one_kind_of_rating_is_missing_likelier_words_are_no_help():
    figures = {
        "nats_per_char_change": Interval(-0.2, -0.3, -0.1),
        "guard_passed_change_points": UNCLEAR,
    }
    assert verdict(figures, too_few=True) == "not_shown"


def manifest(**fields):
    return Manifest(stage="4_models", run="model-new", fingerprint="f", **fields)


def test_ratings_are_held_against_the_model_before_them(tmp_path):
    (tmp_path / "answer" / "model").mkdir(parents=True)
    led = manifest(details={"stages": {"answer": {}, "prefer": {}}})
    assert other_of(tmp_path, led).folder == tmp_path / "answer" / "model"
    plain = manifest(details={"stages": {"answer": {}}})
    assert other_of(tmp_path, plain) is None


def test_a_base_that_changed_or_went_is_not_compared_with(tmp_path, tiny_model):
    base = tmp_path / "model-old" / "model"
    shutil.copytree(tiny_model, base)
    named = Parent(stage=BASE, run="model", content_hash=base_hash(base))
    model = manifest(parents=(named,), settings={"base": str(base)})
    assert other_of(tmp_path, model) == ("model", base)
    write_manifest(base.parent, Manifest(stage="4_models", run="model-old", fingerprint="f"))
    assert other_of(tmp_path, model) == ("model-old/model", base)
    (base / "psyllm.json").unlink()
    without_card = model.model_copy(
        update={"parents": (named.model_copy(update={"content_hash": base_hash(base)}),)}
    )
    assert "template" in other_of(tmp_path, without_card).why
    assert "another model" in other_of(tmp_path, model).why
    shutil.rmtree(base)
    assert "not there" in other_of(tmp_path, model).why


def test_a_base_has_the_hash_by_which_training_names_it(tmp_path, tiny_model):
    from psyllm.train.ancestry import base_parent

    (named,) = base_parent(tiny_model)
    assert named.content_hash == base_hash(tiny_model)


def led_by_ratings(data, before, after, ratings=12):
    corpus = make_corpus(data)
    folder = data / "3_corpus" / corpus.run
    rows = [rated(number, desirable=number % 2 == 0) for number in range(ratings)]
    write_rated(rows, folder, prefix=rated_prefix("test"))
    again = StageRun(data, Stage.CORPUS, corpus.run, "mark", corpus.parents, {})
    corpus = again.finish(counts=corpus.counts)
    stage_run = StageRun(data, Stage.MODELS, "model-led", "mark", (corpus.as_parent(),), {})
    with writing(stage_run):
        shutil.copytree(after, stage_run.folder / "model")
        shutil.copytree(before, stage_run.folder / "answer" / "model")
        stage_run.finish(counts={"steps": 1}, details={"stages": {"answer": {}, "prefer": {}}})
    return rows


def test_the_report_says_whether_ratings_helped(tmp_path, tiny_model, small_settings):
    from psyllm.lm.checkpoint import load, save

    after = tmp_path / "after"
    checkpoint = load(tiny_model)
    import torch

    with torch.no_grad():
        for weight in checkpoint.model.parameters():
            weight.mul_(1.01)
    save(after, checkpoint.model, checkpoint.tokenizer, context_tokens=checkpoint.context_tokens)
    data = tmp_path / "data"
    rows = led_by_ratings(data, tiny_model, after)
    report = run(small_settings, data)
    folder = data / "5_reports" / report.run
    found = json.loads((folder / "metrics.json").read_text("utf-8"))["against"]
    assert found["model"] == "model-led/answer"
    assert found["ratings"] == {"desirable": 6, "undesirable": 6, "raters": 4}
    assert set(found["figures"]) == {
        "reward_accuracy_percent",
        "reward_margin_nats",
        "nats_per_char_change",
        "guard_passed_change_points",
        "ended_change_points",
        "length_change_chars",
    }
    page = (folder / "report.html").read_text("utf-8")
    assert 'id="against"' in page
    assert "model-led/answer" in page
    assert found["too_few_ratings"]
    assert found["figures"]["reward_accuracy_percent"]["low"] is None
    assert "留出的评分太少" in page
    assert not any(row.answer() in page for row in rows)
    assert read_manifest(folder).content_hash == report.content_hash


def test_a_model_beside_itself_shows_nothing(tmp_path, tiny_model, small_settings):
    led_by_ratings(tmp_path, tiny_model, tiny_model, ratings=20)
    report = run(small_settings, tmp_path)
    folder = tmp_path / "5_reports" / report.run
    metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
    assert not metrics["against"]["too_few_ratings"]
    assert "留出的评分太少" not in (folder / "report.html").read_text("utf-8")
    assert metrics["against"]["verdict"] == "not_shown"
    assert metrics["against"]["figures"]["reward_accuracy_percent"]["value"] == 50
    assert metrics["against"]["figures"]["nats_per_char_change"]["value"] == 0


def test_the_comparison_can_be_left_out(tmp_path, tiny_model, small_settings):
    led_by_ratings(tmp_path, tiny_model, tiny_model)
    report = run(small_settings.model_copy(update={"against": "none"}), tmp_path)
    metrics = json.loads((tmp_path / "5_reports" / report.run / "metrics.json").read_text("utf-8"))
    assert "against" not in metrics


def test_ratings_that_a_base_has_learnt_from_are_left_out_and_counted(tmp_path, tiny_model, small_settings):
    rows = led_by_ratings(tmp_path, tiny_model, tiny_model)
    read = StageRun(tmp_path, Stage.CORPUS, "corpus-read", "mark", (), {})
    with writing(read):
        write_rated(rows[:4], read.folder, prefix=rated_prefix("train"))
        corpus = read.finish(counts={})
    path = tmp_path / "4_models" / "model-led" / "manifest.json"
    told = json.loads(path.read_text("utf-8"))
    told["parents"].append(Parent(stage=BASE, run="model-old", content_hash="b").model_dump())
    below = {"parents": [corpus.as_parent().model_dump()], "base_lineage": None}
    told["details"]["lineage"] = {"base_lineage": below}
    path.write_text(json.dumps(told), "utf-8")
    report = run(small_settings, tmp_path)
    folder = tmp_path / "5_reports" / report.run
    found = json.loads((folder / "metrics.json").read_text("utf-8"))["against"]
    assert found["ratings"] == {"desirable": 4, "undesirable": 4, "raters": 4}
    assert found["ratings_left_out"] == 4
    assert "另有 4 个评分已被基座学过，不计入" in (folder / "report.html").read_text("utf-8")
