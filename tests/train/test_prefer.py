"""The stage `prefer`, as a stage of a run: from the corpus's ratings to a model that leans towards the good ones."""

import json
import random
import shutil

import pytest
import torch

from made_up import text
from psyllm.core.errors import BadSetting, EmptyCorpus, LossNotFinite, MemoryFull
from psyllm.core.progress import listening
from psyllm.core.rated_answers import rated_prefix, write_rated
from psyllm.core.run_events import SPEED
from psyllm.core.stages import EVENTS, Stage, need_current, read_manifest
from psyllm.lm.checkpoint import load
from psyllm.lm.score import score
from psyllm.lm.template import record_messages
from psyllm.train import saved
from psyllm.train.recording import read_lines
from psyllm.train.run import run
from rated import BAD_WORDS, GOOD_WORDS, rated, rated_dialogue
from train.conftest import make_data, tiny


def put_ratings(data, train, dev):
    folder, _ = need_current(data, Stage.CORPUS)
    for side, rows in (("train", train), ("dev", dev)):
        for path in folder.glob(f"{rated_prefix(side)}-*"):
            path.unlink()
        write_rated(rows, folder, prefix=rated_prefix(side))


def words(number, desirable):
    """An answer in characters that the small corpus has, too."""
    return (GOOD_WORDS if desirable else BAD_WORDS) + text(random.Random(number), 1)


def rows(first=0, count=16):
    """Every other one is good; one in four ends a dialogue."""
    made = (rated_dialogue if number % 4 == 3 else rated for number in range(first, first + count))
    return [
        make(number, desirable=number % 2 == 0, answer=words(number, number % 2 == 0))
        for number, make in enumerate(made, first)
    ]


def pairs(first=0, count=8):
    """Two answers each to one question, by one person."""
    return [
        rated(
            2 * number + place,
            desirable=place == 0,
            answer=words(2 * number + place, place == 0),
            conversation=number,
            rater=f"rater-{number % 4}",
        )
        for number in range(first, first + count)
        for place in range(2)
    ]


def preferring(settings, **more):
    prefer = {
        "steps": 8,
        "batch_rows": 4,
        "learning_rate": 2e-3,
        "warmup_steps": 1,
        "evaluate_every_steps": 2,
        "fewest_ratings": 10,
        "fewest_raters": 2,
        "patience": 9,
        **more,
    }
    short = settings.answer.model_copy(update={"steps": 4})
    none = settings.adapt.model_copy(update={"steps": 0})
    stage = settings.prefer.model_copy(update=prefer)
    return settings.model_copy(update={"adapt": none, "answer": short, "prefer": stage})


class Stopped(Exception):
    """Stands for a process that ends here."""


def model_folder(data):
    return data / "4_models" / (data / "4_models" / "current").read_text().strip()


@pytest.fixture
def rated_data(data):
    put_ratings(data, rows(), rows(100, 8))
    return data


LONG = 16


@pytest.fixture(scope="module")
def led(tmp_path_factory):
    """A data folder in which ratings have been learnt from, in steps enough to see it."""
    folder = make_data(tmp_path_factory.mktemp("led") / "data")
    put_ratings(folder, rows(), rows(100, 8))
    run(preferring(tiny(), steps=LONG), folder)
    return folder


def test_good_answers_gain_on_bad_ones_that_were_kept_apart(led):
    _, manifest = need_current(led, Stage.MODELS)
    facts = manifest.details["stages"]["prefer"]
    assert (facts["method"], facts["desirable"], facts["undesirable"], facts["raters"]) == ("kto", 8, 8, 4)
    assert facts["dev_margin"] > 0
    assert facts["dev_accuracy"] > 0.9
    folder = model_folder(led)
    kept_apart = [record_messages(row.record)[0] for row in rows(200, 12)]
    before = score(folder / "answer" / "model", kept_apart, threads=1)
    after = score(folder / "model", kept_apart, threads=1)
    gains = [one.nll_nats - other.nll_nats for one, other in zip(before, after, strict=True)]
    assert min(gains[::2]) > max(gains[1::2])
    assert load(folder / "model").card.lineage["run"] == manifest.run
    assert not list(folder.rglob("checkpoint-*"))


def test_the_log_says_how_far_good_and_bad_are_apart(led):
    lines = (model_folder(led) / "metrics.jsonl").read_text().splitlines()
    of_stage = [line for line in map(json.loads, lines) if line["stage"] == "prefer"]
    measured = [line for line in of_stage if "dev_loss" in line]
    assert [line["step"] for line in measured] == list(range(2, LONG + 1, 2))
    assert all({"dev_margin", "dev_accuracy"} <= set(line) for line in measured)
    assert any("margin" in line for line in of_stage)


def test_the_curves_show_the_stage_as_they_show_the_others(led):
    """The same lines that the terminal, TensorBoard and the page of trainings draw."""
    lines = [line for line in read_lines(model_folder(led) / EVENTS / SPEED) if line["stage"] == "prefer"]
    assert [line["step"] for line in lines if "dev_loss" in line] == list(range(2, LONG + 1, 2))
    losses = [line for line in lines if "loss" in line]
    assert losses[-1]["step"] == LONG
    assert {"margin", "dev_margin", "dev_accuracy", "process_bytes", "saved_step"} <= set(losses[-1])
    assert list((model_folder(led) / EVENTS / "prefer").iterdir())


def test_the_same_run_gives_the_same_bytes_and_one_that_broke_off_does_too(rated_data, settings, led):
    stage = preferring(settings, steps=LONG)

    def stop(progress):
        if progress.task == "training: prefer" and progress.done == 5:
            raise Stopped

    with listening(stop), pytest.raises(Stopped):
        run(stage, rated_data)
    (folder,) = (rated_data / "4_models").glob("model-*")
    assert saved.whole_steps(folder / "prefer") == [2, 4]
    assert read_manifest(folder) is None
    assert run(stage, rated_data).files == need_current(led, Stage.MODELS)[1].files


def test_weights_that_are_no_numbers_are_told_and_never_put_in_use(rated_data, settings):
    with pytest.raises(LossNotFinite, match=r"of prefer .* at step 2") as caught:
        run(preferring(settings, steps=6, learning_rate=1e30, warmup_steps=0), rated_data)
    assert "train.prefer.learning_rate (now 1e+30)" in caught.value.next_step
    assert not (rated_data / "4_models" / "current").exists()
    (folder,) = (rated_data / "4_models").glob("model-*")
    assert read_manifest(folder) is None
    assert saved.whole_steps(folder / "prefer") == []


def test_too_little_memory_names_what_to_set_and_loses_nothing(rated_data, settings, monkeypatch):
    from psyllm.train.prefer_trl import OurKTO

    step = OurKTO.training_step

    def short(self, *given):
        if self.state.global_step == 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return step(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(OurKTO, "training_step", short)
        with pytest.raises(MemoryFull, match=r"4 rows of \d+ tokens at once in prefer") as caught:
            run(preferring(settings), rated_data)
    assert "train.prefer.rows_at_once=2" in caught.value.next_step
    (folder,) = (rated_data / "4_models").glob("model-*")
    assert saved.whole_steps(folder / "prefer") == [2]
    assert run(preferring(settings), rated_data).counts["prefer_steps"] == 8


def test_it_stops_when_the_dev_loss_no_longer_falls(rated_data, settings):
    manifest = run(preferring(settings, steps=60, learning_rate=0.2, patience=2), rated_data)
    facts = manifest.details["stages"]["prefer"]
    assert facts["steps"] < 60
    assert facts["best_step"] <= facts["steps"] - 4


def test_pairs_of_one_person_are_learnt_by_dpo(data, settings):
    put_ratings(data, pairs(), pairs(50, 3))
    manifest = run(preferring(settings, learning_rate=1e-3), data)
    facts = manifest.details["stages"]["prefer"]
    assert (facts["method"], facts["rows"], facts["dev_rows"]) == ("dpo", 8, 3)
    assert facts["dev_accuracy"] == 1.0
    assert facts["dev_margin"] > 0


def test_a_base_alone_can_be_led_by_ratings(rated_data, settings, led, tmp_path):
    base = shutil.copytree(model_folder(led) / "answer" / "model", tmp_path / "base")
    asked = preferring(settings)
    only = asked.model_copy(update={"base": base, "answer": asked.answer.model_copy(update={"steps": 0})})
    manifest = run(only, rated_data)
    assert set(manifest.details["stages"]) == {"prefer"}
    assert not (model_folder(rated_data) / "answer").exists()
    assert manifest.counts["prefer_steps"] == 8


def test_without_dev_ratings_all_steps_are_taken(data, settings):
    put_ratings(data, rows(), [])
    facts = run(preferring(settings), data).details["stages"]["prefer"]
    assert (facts["steps"], facts["best_step"], facts["dev_loss"]) == (8, 8, None)


@pytest.mark.parametrize(
    ("kept", "settings_fields", "told"),
    [
        (rows(0, 6), {}, "6 rated answers"),
        ([row for row in rows(0, 40) if row.desirable], {}, "20 good and 0 bad"),
        ([row.model_copy(update={"rater": "one"}) for row in rows()], {}, "by 1 people"),
        ([], {"fewest_ratings": 1, "fewest_raters": 1}, "0 rated answers"),
    ],
)
def test_too_few_ratings_are_told_before_any_time_is_spent(data, settings, kept, settings_fields, told):
    put_ratings(data, kept, [])
    seen = []
    with (
        listening(lambda progress: seen.append(progress.task)),
        pytest.raises(EmptyCorpus, match=told) as caught,
    ):
        run(preferring(settings, **settings_fields), data)
    assert "psyllm feedback" in caught.value.next_step
    assert not [task for task in seen if task.startswith("training")]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"batch_rows": 1}, "there is one of them"),
        ({"batch_rows": 4, "rows_at_once": 1}, "there is one of them"),
        ({"batch_rows": 4, "rows_at_once": 3}, "does not divide"),
        ({"method": "kto", "sft_weight": 0.5}, "are dpo's"),
        ({"method": "dpo"}, "pairs"),
        ({"label_noise": 0.1}, "unpaired"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(rated_data, settings, fields, told):
    with pytest.raises(BadSetting, match=told):
        run(preferring(settings, **fields), rated_data)


def test_ratings_change_nothing_where_the_stage_is_left_out(data, settings):
    plain = preferring(settings, steps=0)
    before = run(plain, data)
    shutil.rmtree(data / "4_models")
    put_ratings(data, rows(), rows(100, 8))
    after = run(plain, data)
    assert after.files == before.files
