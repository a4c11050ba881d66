"""Loss curves come back as they were written."""

import json

from psyllm.evaluate.losses import Curves, read_losses


def write(folder, lines):
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "metrics.jsonl").write_text(text, "utf-8")


def test_stages_come_in_the_order_of_training(tmp_path):
    write(
        tmp_path,
        [
            {"stage": "adapt", "step": 5, "loss": 7.5, "learning_rate": 0.001},
            {"stage": "adapt", "step": 10, "dev_loss": 7.25},
            {"stage": "answer", "step": 5, "loss": 6.5},
            {"stage": "adapt", "step": 10, "loss": 7.0},
        ],
    )
    assert read_losses(tmp_path) == [
        Curves("adapt", ((5, 7.5), (10, 7.0)), ((10, 7.25),)),
        Curves("answer", ((5, 6.5),), ()),
    ]


def test_a_step_written_twice_keeps_the_later_loss(tmp_path):
    written = [(5, 7.5), (10, 7.0), (5, 7.4)]
    write(tmp_path, [{"stage": "adapt", "step": step, "loss": loss} for step, loss in written])
    assert read_losses(tmp_path)[0].train == ((5, 7.4), (10, 7.0))
    write(tmp_path, [{"stage": "adapt", "step": step, "loss": 7.0} for step in (10, 5)])
    assert read_losses(tmp_path)[0].train == ((5, 7.0), (10, 7.0))


def test_the_best_is_the_first_of_equal_dev_losses():
    curves = Curves("answer", (), ((10, 3.0), (20, 2.5), (30, 2.5), (40, 2.6)))
    assert curves.best() == (20, 2.5)
    assert Curves("answer", ((1, 2.0),), ()).best() is None


def test_a_model_from_elsewhere_has_no_curves(tmp_path):
    assert read_losses(tmp_path) == []
