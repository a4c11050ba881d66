"""What stands beside every stage: early stopping, whole checkpoints, the log handed on, going on where it broke off.

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
from psyllm.train.prefer_table import PreferPlan
from psyllm.train.processes import ALONE, BY_ITSELF, Sharing, Team

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


class Ended(NamedTuple):
    """How a stage went: its last step, the step with the best weights, the log."""

    last: int
    best: int
    logged: list[dict[str, Any]]


def go_through(
    plan: Plan | PreferPlan, heard: Heard, go: Callable[[int | None], object], team: Team = ALONE
) -> Ended:
    """Let a stage run to its end unless it is there already.

    `go` is given the step of the last whole checkpoint, None where there is none yet. Without a dev loss the last
    step counts as the best.
    """
    if team.is_first:
        plan.folder.mkdir(parents=True, exist_ok=True)
        saved.drop_torn(plan.folder)
    team.wait()
    steps = saved.whole_steps(plan.folder)
    if not (steps and _is_over(plan, steps[-1])):
        go(steps[-1] if steps else None)
    team.wait()  # until the first has marked and cleared
    last = saved.whole_steps(plan.folder)[-1]
    logged = saved.history(plan.folder, last)
    heard(logged)
    return Ended(last, best_step(logged) or last, logged)


def _is_over(plan: Plan | PreferPlan, step: int) -> bool:
    logged = saved.history(plan.folder, step)
    return step >= plan.settings.steps or should_stop(logged, plan.settings.patience)


class Watch(TrainerCallback):
    """Stops early, marks checkpoints whole, deletes old ones."""

    def __init__(
        self, plan: Plan | PreferPlan, heard: Heard, *, has_dev: bool, checkpoint_bytes: int
    ) -> None:
        self._plan = plan
        self._heard = heard
        self._has_dev = has_dev
        self._checkpoint_bytes = checkpoint_bytes
        self._written_at = 0.0

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Let the last step always be measured and saved."""
        del kwargs
        if state.global_step >= args.max_steps:
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
