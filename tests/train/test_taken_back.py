"""Words that are taken back while a training runs come into no model that people talk with."""

import threading

import pytest

from psyllm.core.errors import MissingStage, StageBusy
from psyllm.core.stages import (
    Stage,
    StageRun,
    current_run,
    locked,
    need_current,
    read_manifest,
    stage_folder,
)
from psyllm.core.withdrawing import withdraw
from psyllm.train import stages
from psyllm.train.ancestry import words_held
from psyllm.train.run import run, undertake
from psyllm.train.undertaking import resumed
from train.test_run import changed


def during_the_first_stage(monkeypatch, do):
    """Let something happen once, while the run holds its lock and has read the words."""
    plain, waiting = stages.train_stage, [do]

    def train_stage(*arguments):
        if waiting:
            waiting.pop()()
        return plain(*arguments)

    monkeypatch.setattr(stages, "train_stage", train_stage)


@pytest.fixture
def short(settings):
    """Two steps of the answer stage alone."""
    few = {"steps": 2, "evaluate_every_steps": 2}
    return changed(settings, adapt={"steps": 0}, answer=few)


def folders(data):
    return [path for path in stage_folder(data, Stage.MODELS).iterdir() if path.is_dir()]


def test_a_model_that_learnt_words_taken_back_meanwhile_is_deleted(data, short, monkeypatch):
    gone = []
    during_the_first_stage(monkeypatch, lambda: gone.append(withdraw(data, frozenset({"made:3"}))))
    with pytest.raises(MissingStage, match="taken back") as caught:
        run(short, data)
    assert caught.value.next_step == "train anew, without them: psyllm train; what it had learnt is deleted"
    assert current_run(data, Stage.MODELS) is None
    assert folders(data) == []
    assert gone[0].rows == 1
    manifest = run(short, data)
    assert manifest.counts["train_records"] == 19
    assert current_run(data, Stage.MODELS).name == manifest.run
    assert (manifest.run,) != gone[0].models


def test_a_model_whose_corpus_was_moved_meanwhile_is_kept_unused(data, short, monkeypatch):
    corpus = need_current(data, Stage.CORPUS)[0]
    during_the_first_stage(monkeypatch, lambda: corpus.rename(corpus.with_name("moved")))
    with pytest.raises(MissingStage, match="not taken into use"):
        run(short, data)
    (folder,) = folders(data)
    assert read_manifest(folder) is None
    corpus.with_name("moved").rename(corpus)
    undertake(resumed(data, folder.name), data)
    assert current_run(data, Stage.MODELS) == folder


def test_words_that_the_corpus_does_not_hold_stop_no_training(data, short, monkeypatch):
    during_the_first_stage(monkeypatch, lambda: withdraw(data, frozenset({"made:9999"})))
    manifest = run(short, data)
    assert current_run(data, Stage.MODELS).name == manifest.run


def test_a_training_that_can_not_wait_for_who_writes_the_corpus_goes_on_later(data, short):
    with locked(data, Stage.CORPUS), pytest.raises(StageBusy, match="learnt to its end") as caught:
        run(short.model_copy(update={"wait_s": 1}), data)
    (folder,) = folders(data)
    assert f"psyllm train resume {folder.name}" in caught.value.next_step
    undertake(resumed(data, folder.name), data)
    assert current_run(data, Stage.MODELS) == folder


def test_the_corpus_is_waited_for_and_held_while_a_model_is_taken_into_use(data):
    corpus = need_current(data, Stage.CORPUS)[1]
    model = StageRun(data, Stage.MODELS, "model-1", "mark", (corpus.as_parent(),), {})
    other = locked(data, Stage.CORPUS)
    other.__enter__()
    threading.Timer(0.5, other.__exit__, (None, None, None)).start()
    with words_held(model, 30), pytest.raises(StageBusy):
        withdraw(data, frozenset({"made:3"}))
    assert withdraw(data, frozenset({"made:3"})).rows == 1
    with pytest.raises(MissingStage, match="taken back"), words_held(model, 30):
        pass
