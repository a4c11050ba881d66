"""What a training keeps of itself while it runs: whole, once, and never at the training's cost."""

import json
import logging

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from psyllm.core.progress import listening, report
from psyllm.core.run_events import DESCRIPTION, NOW, SPEED, is_being_made
from psyllm.core.stages import EVENTS, Stage, StageRun
from psyllm.train import recording
from psyllm.train.recording import read_lines, recorded
from psyllm.train.run import run
from train.test_run import Stopped, changed, model_folder, stop_at

TASK = "training: answer"


def made(tmp_path, **settings) -> StageRun:
    one = StageRun(tmp_path, Stage.MODELS, "model-1", "mark", (), settings)
    one.folder.mkdir(parents=True, exist_ok=True)
    return one


def step(number: int, loss: float, dev: float | None = None) -> None:
    report(TASK, number, 10, figures={"tokens_per_s": 100.0 + number}, doing="training")
    report(TASK, number, 10, figures={"loss": loss, "tokens": 64.0 * number}, doing="training")
    if dev is not None:
        report(TASK, number, 10, figures={"dev_loss": dev, "best_step": number}, doing="saving a checkpoint")


def start(number: int) -> None:
    report(TASK, number, 10, doing="starting")


def scalars(folder, name):
    found = EventAccumulator(str(folder / EVENTS / "answer")).Reload()
    return [(event.step, round(event.value, 3)) for event in found.Scalars(name)]


def test_losses_are_kept_with_times_and_speed(tmp_path):
    one = made(tmp_path, seed=1)
    with recorded(one, ("tensorboard",), {"cores": 2}, {"permit": "p"}):
        assert is_being_made(one.folder)
        start(0)
        step(1, 5.0)
        step(2, 4.0, dev=4.5)
        now = json.loads((one.folder / EVENTS / NOW).read_text())
        assert (now["stage"], now["done"], now["total"]) == ("answer", 2, 10)
        assert now["doing"] == "saving a checkpoint"
    assert not is_being_made(one.folder)
    assert not (one.folder / EVENTS / NOW).exists()
    lines = read_lines(one.folder / EVENTS / SPEED)
    assert [(line["step"], line.get("loss"), line.get("dev_loss")) for line in lines] == [
        (1, 5.0, None),
        (2, 4.0, None),
        (2, None, 4.5),
    ]
    assert [lines[0]["tokens_per_s"], lines[1]["tokens"]] == [101.0, 128.0]
    said = json.loads((one.folder / EVENTS / DESCRIPTION).read_text())
    assert (said["run"], said["settings"], said["machine"]) == ("model-1", {"seed": 1}, {"cores": 2})
    assert scalars(one.folder, "loss") == [(1, 5.0), (2, 4.0)]
    assert scalars(one.folder, "dev_loss") == [(2, 4.5)]


def test_a_resumed_stage_has_no_step_twice_anywhere(tmp_path):
    one = made(tmp_path)
    with recorded(one, ("tensorboard",), {}, {}):
        start(0)
        for number in range(1, 6):
            step(number, 5.0 - number / 10, dev=5.0 if number == 3 else None)
    with (one.folder / EVENTS / SPEED).open("a") as file:
        file.write('{"stage": "answer", "st')  # torn by the crash
    with recorded(one, ("tensorboard",), {}, {}):
        start(3)
        for number in range(4, 7):
            step(number, 5.0 - number / 10)
    steps = [line["step"] for line in read_lines(one.folder / EVENTS / SPEED) if "loss" in line]
    assert steps == [1, 2, 3, 4, 5, 6]
    assert scalars(one.folder, "loss") == [(n, round(5.0 - n / 10, 3)) for n in range(1, 7)]
    assert len(list((one.folder / EVENTS / "answer").iterdir())) == 1


def test_the_listener_outside_hears_everything_as_before(tmp_path):
    heard = []
    with listening(heard.append), recorded(made(tmp_path), (), {}, {}):
        report("preparing answers", 1, 2)
        step(1, 5.0)
    assert [one.task for one in heard] == ["preparing answers", TASK, TASK]


def test_only_the_first_of_many_processes_keeps_anything(tmp_path):
    one = made(tmp_path)
    with recorded(one, ("tensorboard",), {}, {}, writes=False):
        assert is_being_made(one.folder)
        start(0)
        step(1, 5.0)
    assert not (one.folder / EVENTS / SPEED).exists()


class Fails:
    """A tracker whose server is gone."""

    def __init__(self) -> None:
        self.asked = 0

    def begin(self, stage, lines):
        del stage, lines

    def take(self, line):
        del line
        self.asked += 1
        raise ConnectionError("https://name:secret@example.org is gone")

    def close(self, *, whole):
        del whole
        raise AssertionError("it was given up")


def test_a_tracker_that_fails_is_said_once_and_given_up(tmp_path, monkeypatch, caplog):
    tracker = Fails()
    monkeypatch.setattr(recording, "_made", lambda _names, _run: {"mlflow": lambda: tracker})
    one = made(tmp_path)
    with caplog.at_level(logging.WARNING), recorded(one, ("mlflow",), {}, {}):
        start(0)
        for number in range(1, 5):
            step(number, 5.0)
    assert tracker.asked == 1
    assert [record.getMessage() for record in caplog.records] == [
        "training goes on without mlflow: ConnectionError"
    ]
    assert len(read_lines(one.folder / EVENTS / SPEED)) == 4


def test_a_missing_package_is_said_with_what_to_install(tmp_path, monkeypatch, caplog):
    def missing():
        message = "No module named 'mlflow'"
        raise ModuleNotFoundError(message, name="mlflow")

    monkeypatch.setattr(recording, "_made", lambda _names, _run: {"mlflow": missing})
    with caplog.at_level(logging.WARNING), recorded(made(tmp_path), ("mlflow",), {}, {}):
        start(0)
        step(1, 5.0)
    assert "pip install 'psyllm[mlflow]'" in caplog.text


def test_a_folder_that_can_not_be_written_ends_no_training(tmp_path, caplog):
    one = made(tmp_path)
    with caplog.at_level(logging.WARNING), recorded(one, ("tensorboard",), {}, {}):
        start(0)
        (one.folder / EVENTS / SPEED).unlink()
        (one.folder / EVENTS / SPEED).mkdir()
        for number in range(1, 4):
            step(number, 5.0)
    assert caplog.text.count("events/ of the run") == 1
    assert scalars(one.folder, "loss") == [(1, 5.0), (2, 5.0), (3, 5.0)]


def test_a_real_training_tells_all_figures_and_goes_on_after_a_stop(data, settings, tmp_path):
    with pytest.raises(Stopped), stop_at("answer", 7):
        run(settings, data)
    [folder] = (data / "4_models").glob("model-*")
    assert not is_being_made(folder)
    heard = []
    with listening(heard.append):
        manifest = run(settings, data)
    first = next(one for one in heard if one.task == TASK)
    assert (first.doing, first.done) == ("starting", 4)
    figures = {name for one in heard for name in one.figures}
    assert {"loss", "dev_loss", "learning_rate", "grad_norm", "tokens", "tokens_per_s", "left_s"} <= figures
    assert {"processor_share", "process_bytes", "best_step", "saved_step"} <= figures
    assert {one.doing for one in heard if one.task == TASK} == {
        "starting",
        "training",
        "measuring the dev loss",
        "saving a checkpoint",
        "done",
    }
    shares = [one.figures["processor_share"] for one in heard if "processor_share" in one.figures]
    assert all(0 < share < 1.5 for share in shares)
    lines = read_lines(folder / EVENTS / SPEED)
    for stage in ("adapt", "answer"):
        steps = [line["step"] for line in lines if line["stage"] == stage and "loss" in line]
        assert steps == sorted(set(steps))
        assert steps[-1] == 12
    assert manifest.details["stages"]["answer"]["tokens_seen"] == 12 * 2 * settings.model.context_tokens
    assert not any(name.startswith(EVENTS) for name in manifest.files)
    assert "memory_mb" in manifest.details


def test_other_trackers_make_no_other_run(data, settings):
    first = run(changed(settings, adapt={"steps": 2}, answer={"steps": 2}), data)
    again = run(changed(settings, adapt={"steps": 2}, answer={"steps": 2}, trackers=()), data)
    assert again == first
    assert model_folder(data).name == first.run
