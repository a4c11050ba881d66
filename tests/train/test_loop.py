"""The loop: order by seed, steps by tokens, stopping and resuming as if nothing had happened."""

import shutil

import numpy as np
import pytest
import torch

from psyllm.core.progress import listening
from psyllm.core.train_settings import TrainingStage
from psyllm.lm.checkpoint import build
from psyllm.lm.loss import to_batch, token_losses
from psyllm.lm.pack import Rows
from psyllm.lm.template import NOT_LEARNT
from psyllm.train import saved
from psyllm.train.arguments import line_every
from psyllm.train.history import dev_losses, metric_lines
from psyllm.train.loop import Ordered
from train.stage_runs import DEV, NO_DEV, SHAPE, STAGE, TOKENIZER, TRAIN, figures, train


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def stopped_after(folder, step, tmp_path, **more):
    """Train to the end, then put back what lay on the disk after some step."""
    shots = tmp_path / "shots"

    def shoot(progress):
        if progress.done == step + 1 and not shots.exists():
            shutil.copytree(folder, shots)

    with listening(shoot):
        whole = train(folder, **more)
    shutil.rmtree(folder)
    shots.rename(folder)
    return whole


def test_the_order_is_a_function_of_seed_and_step_and_every_epoch_holds_every_row():
    ordered = Ordered(TRAIN, 60, seed=1)
    seen = [tuple(ordered[index]["input_ids"].tolist()) for index in range(60)]
    epochs = [seen[start : start + 20] for start in (0, 20, 40)]
    assert all(sorted(epoch) == sorted(epochs[0]) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    again = Ordered(TRAIN, 60, seed=1)
    assert tuple(again[45]["input_ids"].tolist()) == seen[45]
    assert tuple(Ordered(TRAIN, 60, seed=2)[0]["input_ids"].tolist()) != seen[0]


@pytest.mark.parametrize("step", [4, 7, 10])
def test_a_resumed_stage_is_the_uninterrupted_one_bit_by_bit(step, tmp_path):
    whole, weights = stopped_after(tmp_path / "a", step, tmp_path)
    assert saved.whole_steps(tmp_path / "a")[-1] == step // 3 * 3
    resumed, again = train(tmp_path / "a")
    assert same(weights, again)
    assert figures(resumed) == figures(whole)
    assert (resumed.steps, resumed.best) == (whole.steps, whole.best)


def test_a_resumed_stage_with_muon_is_the_uninterrupted_one_bit_by_bit(tmp_path):
    muon = STAGE.model_copy(update={"optimizer": "muon"})
    whole, weights = stopped_after(tmp_path / "a", 7, tmp_path, stage=muon)
    resumed, again = train(tmp_path / "a", stage=muon)
    assert same(weights, again)
    assert figures(resumed) == figures(whole)
    assert not same(weights, train(tmp_path / "b")[1])  # and it is not AdamW under another name


def test_a_torn_checkpoint_is_never_resumed(tmp_path):
    _, weights = stopped_after(tmp_path / "a", 7, tmp_path)
    newest = saved.folder_of(tmp_path / "a", 6)
    (newest / "optimizer.pt").write_bytes((newest / "optimizer.pt").read_bytes()[:100])
    _, again = train(tmp_path / "a")
    assert same(weights, again)


RISING = TrainingStage(
    steps=40, batch_rows=4, learning_rate=3e-2, warmup_steps=1, evaluate_every_steps=3, patience=2
)


def test_early_stopping_is_the_same_over_a_resume_and_gives_the_best_weights(tmp_path):
    whole, weights = stopped_after(tmp_path / "a", 10, tmp_path, stage=RISING)
    assert whole.steps < 40
    assert whole.best == whole.steps - 2 * 3
    resumed, again = train(tmp_path / "a", stage=RISING)
    assert (resumed.steps, resumed.best) == (whole.steps, whole.best)
    assert figures(resumed) == figures(whole)
    assert same(weights, again)
    model = build(SHAPE, TOKENIZER, seed=3)
    model.load_state_dict(weights)
    lowest = min(loss for _, loss in dev_losses(whole.logged))
    assert token_losses(model, to_batch(DEV)).mean().item() == pytest.approx(lowest, rel=1e-5)


def test_a_stage_killed_after_its_last_checkpoint_takes_no_further_step(tmp_path):
    whole, weights = train(tmp_path / "a", stage=RISING)
    seen = []
    with listening(seen.append):
        again, restored = train(tmp_path / "a", stage=RISING)
    assert len(seen) == 1
    assert again.steps == whole.steps
    assert same(weights, restored)


def test_the_best_and_the_newest_checkpoints_stay(tmp_path):
    trained, _ = train(tmp_path / "a", stage=RISING, keep=1)
    assert saved.whole_steps(tmp_path / "a") == sorted({trained.best, trained.steps})


def test_a_step_of_which_nothing_is_learnt_has_the_loss_0_and_a_dev_split_without_labels_is_none(tmp_path):
    blank = Rows(TRAIN.ids, np.full_like(TRAIN.labels, NOT_LEARNT), TRAIN.positions)
    trained, weights = train(
        tmp_path / "stage", STAGE.model_copy(update={"steps": 3}), blank.take([0]), blank.take([0, 1])
    )
    assert not dev_losses(trained.logged)
    assert {entry["loss"] for entry in trained.logged if "loss" in entry} == {0.0}
    assert all(weight.isfinite().all() for weight in weights.values())


def test_without_a_dev_split_all_steps_are_taken_and_the_last_weights_stay(tmp_path):
    trained, _ = train(tmp_path / "a", stage=RISING.model_copy(update={"steps": 9}), dev=NO_DEV)
    assert (trained.steps, trained.best) == (9, 9)
    assert not any("dev_loss" in entry for entry in trained.logged)


def uneven():
    """Rows that learn very different numbers of tokens."""
    labels = TRAIN.labels.copy()
    labels[::2, 3:] = NOT_LEARNT
    return Rows(TRAIN.ids, labels, TRAIN.positions)


def test_a_step_in_parts_is_the_step_at_once_however_uneven_the_rows(tmp_path):
    at_once, weights = train(tmp_path / "a", rows=uneven())
    parts = STAGE.model_copy(update={"rows_at_once": 1})
    in_parts, again = train(tmp_path / "b", rows=uneven(), stage=parts)
    for one, other in zip(figures(at_once), figures(in_parts), strict=True):
        assert one == pytest.approx(other, rel=1e-4)
    assert all(torch.allclose(weights[name], again[name], atol=1e-4) for name in weights)


def test_the_first_loss_is_nats_over_the_learnt_tokens_of_the_step(tmp_path):
    stage = STAGE.model_copy(update={"steps": 1, "evaluate_every_steps": 1, "learning_rate": 1e-12})
    trained, _ = train(tmp_path / "a", rows=uneven(), stage=stage)
    ordered = Ordered(uneven(), 4, seed=5)
    batch = {name: torch.stack([ordered[index][name] for index in range(4)]) for name in ordered[0]}
    losses = token_losses(build(SHAPE, TOKENIZER, seed=3), batch)
    assert figures(trained)[0]["loss"] == pytest.approx(losses.mean().item(), rel=1e-5)
    dev = token_losses(build(SHAPE, TOKENIZER, seed=3), to_batch(DEV))
    assert figures(trained)[1]["dev_loss"] == pytest.approx(dev.mean().item(), rel=1e-5)


def test_the_rate_warms_up_stays_and_falls(tmp_path):
    stage = STAGE.model_copy(update={"evaluate_every_steps": 1})
    trained, _ = train(tmp_path / "a", stage=stage)
    rates = [line["learning_rate"] for line in figures(trained) if "loss" in line]
    assert rates[0] < rates[2] == max(rates) == pytest.approx(1e-2)
    assert rates[-1] < rates[6] <= rates[5]


def test_progress_names_loss_and_speed(tmp_path):
    seen = []
    with listening(seen.append):
        train(tmp_path / "a")
    steps = [progress for progress in seen if "tokens/s" in progress.note]
    assert [progress.done for progress in steps] == list(range(1, 13))
    assert all(progress.total == 12 and progress.task == "training: adapt" for progress in steps)
    assert "loss" in steps[-1].note


def test_the_log_is_handed_on_while_training(tmp_path):
    heard = []
    # not Trainer's own summary, which a slow machine hears as well
    train(tmp_path / "a", heard=lambda logged: heard.append(len(metric_lines("adapt", logged))))
    assert len(heard) >= 2
    assert heard == sorted(heard)


@pytest.mark.parametrize(("every", "line"), [(25, 5), (20, 10), (7, 7), (11, 1), (13, 1), (4, 4)])
def test_no_checkpoint_falls_inside_a_line_of_metrics(every, line):
    assert line_every(every) == line
