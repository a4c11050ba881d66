"""A Trainer that looks at its numbers before they do harm.

In: the losses and gradients of whatever it learns. Out: the steps of the Trainer
under it, fp16's with a gradient scaler, or an error that names the step: before
the weights change, and before a checkpoint is written. Stands before a loss and
a way of sharing the work among a class's bases. Nothing here computes a loss.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from transformers import Trainer

from psyllm.core.train_settings import PreferStage, TrainingStage
from psyllm.train.finite import Finite
from psyllm.train.precision import check_scale, scaler_for


class CheckedSteps(Trainer):
    """Looks at losses, gradients and the scale of fp16."""

    def __init__(
        self,
        *,
        stage: str,
        stage_settings: TrainingStage | PreferStage,
        precision: str,
        **named: Any,  # noqa: ANN401 - handed on
    ) -> None:
        self._stage = stage
        self.finite = Finite(stage, stage_settings, scaled=precision == "fp16")
        super().__init__(**named)
        # not by `args.fp16`: accelerate refuses it without a card, and the tests have none
        self.accelerator.scaler = scaler_for(precision, self.args.device.type)

    def training_step(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """Compute a part of a step and keep its loss to be looked at."""
        loss = super().training_step(model, inputs, num_items_in_batch)
        self.finite.add_loss(loss)
        return loss

    def _clip_grad_norm(self, model: torch.nn.Module) -> torch.Tensor:
        """Clip, and look whether loss and gradient are numbers, before the weights change."""
        scaler = self.accelerator.scaler
        step = self.state.global_step + 1
        if scaler is not None:
            check_scale(scaler, self._stage, step)
            scaler.unscale_(cast("Any", self.optimizer).optimizer)
        clip: Callable[[torch.nn.Module], torch.Tensor] = super()._clip_grad_norm
        norm = clip(model)
        self.finite.end_step(step, norm)
        return norm

    def _save_checkpoint(self, model: torch.nn.Module, trial: Any) -> None:  # noqa: ANN401 - the base class's
        """Write a checkpoint, once every loss before it is known to be a number."""
        self.finite.look()
        super()._save_checkpoint(model, trial)
