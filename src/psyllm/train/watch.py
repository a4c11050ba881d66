"""What stands beside the loop: stopping, whole checkpoints, the log handed on.

In: Trainer's callbacks. Out: `whole.json` in every checkpoint, the log handed
on, a stop when the dev loss no longer falls (`gauge.py` tells how far it is). Everything that is
decided here is computed from Trainer's log, which travels in the checkpoints,
so nothing is lost over a resume. Nothing here touches weights.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from psyllm.core.train_settings import TrainingStage
from psyllm.lm.loss import LossWay
from psyllm.train import saved
from psyllm.train.history import best_step, should_stop
from psyllm.train.processes import BY_ITSELF, Sharing

BYTES_A_PARAMETER = 12  # of a checkpoint: weights and two moments of AdamW, fp32
BETWEEN_WRITINGS_S = 1.0  # of the log, which is written whole each time

Heard = Callable[[list[dict[str, Any]]], None]


class Plan(NamedTuple):
    """What a stage runs with; equal plans on equal rows give equal weights."""

    name: str
    settings: TrainingStage
    folder: Path
    seed: int
    keep_checkpoints: int
    precision: str
    loss: LossWay = "auto"
    gradient_checkpointing: bool = False
    compile: Literal["auto", "on", "off"] = "off"
    sharing: Sharing = BY_ITSELF
    may_adapt: bool = False  # a base is trained in all its weights


class Watch(TrainerCallback):
    """Stops early, marks checkpoints whole, deletes old ones, notes the speed."""

    def __init__(
        self, plan: Plan, heard: Heard, *, has_dev: bool, tokens_a_step: int, parameters: int
    ) -> None:
        self._plan = plan
        self._heard = heard
        self._has_dev = has_dev
        self._tokens_a_step = tokens_a_step
        self._checkpoint_bytes = parameters * BYTES_A_PARAMETER
        self._started = time.monotonic()
        self._first_step = 0
        self._written_at = 0.0
        self.tokens_per_s = 0.0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Start the clock."""
        del args, control, kwargs
        self._started = time.monotonic()
        self._first_step = state.global_step

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Note the speed; the last step is always measured and saved."""
        del kwargs
        done = state.global_step
        tokens = (done - self._first_step) * self._tokens_a_step
        self.tokens_per_s = tokens / max(time.monotonic() - self._started, 1e-9)
        if done >= args.max_steps:
            control.should_evaluate = self._has_dev
            control.should_save = True
        if control.should_save:
            saved.need_room(self._plan.folder, self._checkpoint_bytes)

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Pass the log on."""
        del args, control, kwargs
        if time.monotonic() - self._written_at > BETWEEN_WRITINGS_S:
            self._heard(state.log_history)
            self._written_at = time.monotonic()

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Stop when the dev loss no longer falls."""
        del args, kwargs
        if should_stop(state.log_history, self._plan.settings.patience):
            control.should_training_stop = True
            control.should_save = True

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Mark the checkpoint whole, then delete what is no longer needed."""
        del args, control, kwargs
        saved.mark_whole(saved.folder_of(self._plan.folder, state.global_step))
        best = best_step(state.log_history)
        saved.drop_old(self._plan.folder, keep=self._plan.keep_checkpoints, best=best)
