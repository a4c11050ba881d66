"""What transformers' Trainer is told about a stage.

In: a stage's plan. Out: the arguments of one process's Trainer. Rates, early
stopping and the exchange with other processes are not Trainer's: `schedule`,
`watch` and `together` do them.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import TrainingArguments

from psyllm.train.optimizers import BETAS
from psyllm.train.parts import goes
from psyllm.train.prefer_table import PreferPlan
from psyllm.train.watch import Plan

MOST_STEPS_A_LINE = 10  # of metrics.jsonl
GRADIENT_NORM = 1.0


class OneDevice(TrainingArguments):
    """Arguments of a process that computes on one device, or leaves the model to be moved there shard by shard."""

    leaves_model: bool = False

    @property
    def n_gpu(self) -> int:
        """One device: transformers would share a batch out among all of a machine's."""
        return min(1, int(super().n_gpu))

    @property
    def place_model_on_device(self) -> bool | None:
        """Whether Trainer moves the whole model to the card; None lets it decide."""
        return False if self.leaves_model else None


def arguments_for(plan: Plan, *, has_dev: bool) -> TrainingArguments:
    """Return the arguments of each of the plan's processes."""
    part = goes(plan.settings, plan.sharing.team.count)
    arguments = OneDevice(
        per_device_train_batch_size=part.rows,
        per_device_eval_batch_size=part.rows,
        gradient_accumulation_steps=part.times,
        **alike(plan, has_dev=has_dev),
    )
    arguments.leaves_model = plan.sharing.way == "fsdp"
    return arguments


def alike(plan: Plan | PreferPlan, *, has_dev: bool) -> dict[str, Any]:
    """Return the arguments that are made from every plan in the same way, also for TRL's trainers."""
    stage = plan.settings
    return {
        "output_dir": str(plan.folder),
        "max_steps": stage.steps,
        "learning_rate": stage.learning_rate,
        "weight_decay": stage.weight_decay,
        "adam_beta1": BETAS[0],
        "adam_beta2": BETAS[1],
        "max_grad_norm": GRADIENT_NORM,
        "train_sampling_strategy": "sequential",  # the order is in the data; KTO's neighbours are fixed
        "eval_strategy": "steps" if has_dev else "no",
        "eval_steps": stage.evaluate_every_steps,
        "save_strategy": "steps",
        "save_steps": stage.evaluate_every_steps,
        "logging_steps": line_every(stage.evaluate_every_steps),
        "logging_nan_inf_filter": False,
        "seed": plan.seed % 2**32,
        "use_cpu": not torch.cuda.is_available(),
        "dataloader_pin_memory": False,
        "remove_unused_columns": False,
        "disable_tqdm": True,
        "report_to": "none",
        "log_level": "error",
    }


def line_every(evaluate_every_steps: int) -> int:
    """Return how many steps share a line of metrics: a divisor, so that no checkpoint falls inside one."""
    fits = (steps for steps in range(MOST_STEPS_A_LINE, 0, -1) if evaluate_every_steps % steps == 0)
    return next(fits)
