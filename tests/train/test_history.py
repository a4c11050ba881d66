"""Stopping and the best step, worked out by hand."""

import json

import pytest

from psyllm.train.history import best_step, dev_losses, metric_lines, should_stop, write_metrics


def logged(*losses):
    return [{"step": 10 * (n + 1), "dev_loss": loss, "epoch": 0.5} for n, loss in enumerate(losses)]


@pytest.mark.parametrize(
    ("losses", "patience", "expected"),
    [
        ((), 1, False),
        ((3.0,), 1, False),
        ((3.0, 2.0), 1, False),
        ((3.0, 3.5), 1, True),
        ((3.0, 3.0), 1, True),
        ((3.0, 3.5), 2, False),
        ((3.0, 3.5, 3.2), 2, True),
        ((3.0, 3.5, 2.9, 3.0), 2, False),
        ((3.0, 2.9, 3.1, 3.2, 3.3), 3, True),
    ],
)
def test_training_stops_when_patience_is_used_up(losses, patience, expected):
    assert should_stop(logged(*losses), patience) is expected


def test_the_best_step_is_the_earliest_lowest():
    assert best_step(logged(3.0, 2.0, 2.5, 2.0)) == 20
    assert best_step([{"step": 5, "loss": 1.0}]) is None
    assert dev_losses(logged(3.0)) == [(10, 3.0)]


def test_a_loss_that_is_no_number_is_never_the_best():
    nan = float("nan")
    assert best_step(logged(nan, 3.0, float("-inf"), 2.0)) == 40
    assert best_step(logged(nan, nan)) is None


def test_lines_name_stage_and_step_and_leave_times_out(tmp_path):
    log = [
        {"step": 5, "loss": 2.5, "grad_norm": 0.5, "learning_rate": 1e-3, "epoch": 0.1},
        {"step": 5, "dev_loss": 2.25, "epoch": 0.1},
        {"step": 5, "train_runtime": 12.5, "total_flos": 1.0, "epoch": 0.1},
    ]
    lines = metric_lines("adapt", log)
    assert lines == [
        {"stage": "adapt", "step": 5, "loss": 2.5, "learning_rate": 1e-3, "grad_norm": 0.5},
        {"stage": "adapt", "step": 5, "dev_loss": 2.25},
    ]
    write_metrics(tmp_path / "metrics.jsonl", lines)
    assert [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()] == lines
