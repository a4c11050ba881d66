"""A stop as soon as a loss or a gradient is no number any more.

In: the loss and the gradient's norm of each step. Out: nothing, or an error
that names the step and what to lower. On a card the newest step is looked at
one step later, when its numbers are there anyway: asking at once would let the
card wait. Everything is looked at before a checkpoint is written, so none ever
holds such weights. Nothing here mends a run.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from psyllm.core.errors import LossNotFinite
from psyllm.core.train_settings import PreferStage, TrainingStage


class _Seen(NamedTuple):
    step: int
    loss: torch.Tensor
    norm: torch.Tensor


class Finite:
    """Looks at the losses and norms of one stage."""

    def __init__(self, stage: str, settings: TrainingStage | PreferStage, *, scaled: bool) -> None:
        self._stage = stage
        self._settings = settings
        # a step whose gradient overflows is then skipped by the scaler, which is no fault
        self._scaled = scaled
        self._loss: torch.Tensor | None = None
        self._waiting: list[_Seen] = []

    def add_loss(self, loss: torch.Tensor) -> None:
        """Take the loss of a part of a step."""
        self._loss = loss if self._loss is None else self._loss + loss

    def end_step(self, step: int, norm: torch.Tensor) -> None:
        """Take the gradient's norm of a step whose losses are all added, and look at what can be looked at.

        Raises:
            LossNotFinite: a number is none.
        """
        if self._loss is None:
            return
        self._waiting.append(_Seen(step, self._loss, norm))
        self._loss = None
        self._look(len(self._waiting) if norm.device.type == "cpu" else len(self._waiting) - 1)

    def look(self) -> None:
        """Look at all steps.

        Raises:
            LossNotFinite: a number is none.
        """
        self._look(len(self._waiting))

    def check_dev_loss(self, step: int, loss: float) -> None:
        """Look at a dev loss.

        Raises:
            LossNotFinite: it is none.
        """
        if not math.isfinite(loss):
            raise self._error("dev loss", step)

    def _look(self, count: int) -> None:
        seen, self._waiting = self._waiting[:count], self._waiting[count:]
        for step, loss, norm in seen:
            if not math.isfinite(loss.item()):
                raise self._error("loss", step)
            if not self._scaled and not math.isfinite(norm.item()):
                raise self._error("gradient", step)

    def _error(self, what: str, step: int) -> LossNotFinite:
        name = f"train.{self._stage}"
        message = f"the {what} of {self._stage} is no number any more at step {step}; the checkpoints before it are kept"
        return LossNotFinite(
            message,
            f"lower {name}.learning_rate (now {self._settings.learning_rate:g}) or lengthen {name}.warmup_steps "
            f"(now {self._settings.warmup_steps}), and train anew; in fp16 try train.precision=fp32",
        )
