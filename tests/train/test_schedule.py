"""The rate as a function of the step, against transformers' own; steps from epochs."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers.optimization import get_wsd_schedule

from psyllm.core.train_settings import TrainingStage
from psyllm.train.schedule import first_falling_step, planned_steps, rate_share


def stage(**said):
    return TrainingStage(**said)


@given(st.integers(1, 60), st.integers(0, 30), st.floats(0, 1), st.floats(0, 1))
def test_the_share_is_that_of_transformers_warmup_stable_decay(steps, warmup, steady, last):
    mine = stage(steps=steps, warmup_steps=warmup, steady_share=steady, last_rate_share=last)
    warmup = min(warmup, steps - 1)
    falling = steps - first_falling_step(mine)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
    theirs = get_wsd_schedule(
        optimizer,
        num_warmup_steps=warmup,
        num_stable_steps=steps - warmup - falling,
        num_decay_steps=falling,
        decay_type="linear",
        min_lr_ratio=last,
    ).lr_lambdas[0]
    shares = [rate_share(mine, done) for done in range(steps + 3)]
    assert shares == pytest.approx([theirs(done) for done in range(steps + 3)], abs=1e-12)
    assert all(0 <= share <= 1 for share in shares)


def test_a_longer_plan_of_a_steady_rate_has_the_same_rate_so_far():
    short, long = (stage(steps=steps, steady_share=1.0, warmup_steps=3) for steps in (10, 20))
    assert [rate_share(short, n) for n in range(10)] == [rate_share(long, n) for n in range(10)]


@pytest.mark.parametrize(
    ("said", "rows", "expected"),
    [
        ({"steps": 7}, 100, 7),
        ({"steps": 7, "epochs": 2, "batch_rows": 8}, 100, 25),
        ({"steps": 7, "epochs": 0.5, "batch_rows": 8}, 100, 7),
        ({"steps": 7, "epochs": 0.001, "batch_rows": 8}, 100, 1),
        ({"steps": 7, "epochs": 1, "batch_rows": 8}, 101, 13),
        ({"steps": 0, "epochs": 2}, 100, 0),
    ],
)
def test_epochs_are_passes_over_the_rows_rounded_up_and_a_stage_of_no_steps_stays_out(said, rows, expected):
    assert planned_steps(stage(**said), rows) == expected
