"""A number that is none is told at its step."""

import pytest
import torch

from psyllm.core.errors import LossNotFinite
from psyllm.core.train_settings import TrainingStage
from psyllm.train.finite import Finite

NONE = [float("nan"), float("inf"), float("-inf")]


def finite(**more):
    return Finite("answer", TrainingStage(learning_rate=2e-3, warmup_steps=7), **{"scaled": False, **more})


@pytest.mark.parametrize("value", NONE)
def test_a_loss_in_any_part_of_a_step_is_told_with_the_step_and_what_to_lower(value):
    look = finite()
    look.add_loss(torch.tensor(1.0))
    look.end_step(3, torch.tensor(1.0))
    look.add_loss(torch.tensor(value))
    look.add_loss(torch.tensor(1.0))
    with pytest.raises(LossNotFinite, match=r"the loss of answer .* at step 4") as caught:
        look.end_step(4, torch.tensor(1.0))
    assert "train.answer.learning_rate (now 0.002)" in caught.value.next_step
    assert "train.answer.warmup_steps (now 7)" in caught.value.next_step


@pytest.mark.parametrize("value", NONE)
def test_a_gradient_is_told_unless_a_scaler_skips_the_step(value):
    scaled = finite(scaled=True)
    scaled.add_loss(torch.tensor(1.0))
    scaled.end_step(1, torch.tensor(value))
    look = finite()
    look.add_loss(torch.tensor(1.0))
    with pytest.raises(LossNotFinite, match="gradient"):
        look.end_step(1, torch.tensor(value))


@pytest.mark.parametrize("value", NONE)
def test_a_dev_loss_is_told(value):
    finite().check_dev_loss(4, 1.0)
    with pytest.raises(LossNotFinite, match=r"dev loss of answer .* step 4"):
        finite().check_dev_loss(4, value)


def test_on_a_card_the_newest_step_is_looked_at_one_step_later_and_all_before_a_checkpoint():
    class OnCard(torch.Tensor):
        """Stands for a number that lies on a card."""

        @property
        def device(self):
            return torch.device("cuda")

    bad = torch.tensor(float("nan")).as_subclass(OnCard)
    good = torch.tensor(1.0).as_subclass(OnCard)
    look = finite()
    look.add_loss(torch.tensor(float("nan")))
    look.end_step(1, good)
    look.add_loss(torch.tensor(1.0))
    with pytest.raises(LossNotFinite, match="step 1"):
        look.end_step(2, good)
    look = finite()
    look.add_loss(torch.tensor(1.0))
    look.end_step(1, bad)
    with pytest.raises(LossNotFinite, match=r"gradient .* step 1"):
        look.look()
