"""The one loop of both stages: transformers' Trainer, thinly wrapped.

In: a model, rows, settings, a folder. Out: the model with its best weights,
and the log. What differs from a plain Trainer: rows are prepared and their
order is a function of the seed and the step, so a resumed run sees what an
uninterrupted one sees; the loss is a sum over learnt tokens divided by their
number in the whole step; dev loss is nats a token; stopping and the best step
come from the log; a torn checkpoint is never resumed. One device a process;
what several processes change stands in `together`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch.utils.data import Dataset
from transformers import PreTrainedModel, PrinterCallback, TrainingArguments

from psyllm.core.progress import report
from psyllm.lm.checkpoint import load_weights, quiet_transformers
from psyllm.lm.loss import to_batch, token_losses
from psyllm.lm.pack import Rows
from psyllm.train import saved
from psyllm.train.history import DEV_LOSS, best_step, should_stop
from psyllm.train.parts import Part, goes, part_to_measure
from psyllm.train.sharded import is_sharded, read_whole_weights
from psyllm.train.together import SpreadArguments, Together
from psyllm.train.watch import BYTES_A_PARAMETER, Heard, Plan, Watch

MOST_STEPS_A_LINE = 10  # of metrics.jsonl
BETA_2 = 0.95  # as the trial in the design; 0.999 forgets too slowly for a few hundred steps
GRADIENT_NORM = 1.0


class Trained(NamedTuple):
    """How a stage went; `best` is the step whose weights the model now has; speed of this process only."""

    steps: int
    best: int
    logged: list[dict[str, Any]]
    tokens_per_s: float


class Ordered(Dataset[dict[str, torch.Tensor]]):
    """Rows in the order of training: epoch after epoch, each shuffled by seed and number."""

    def __init__(self, rows: Rows, length: int, seed: int) -> None:
        self._rows = rows
        self._length = length
        self._seed = seed
        self._epoch = -1
        self._order = np.empty(0, dtype=np.int64)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        epoch, place = divmod(index, len(self._rows.ids))
        if epoch != self._epoch:
            self._order = np.random.default_rng([self._seed, epoch]).permutation(len(self._rows.ids))
            self._epoch = epoch
        row = self._order[place]
        return {name: tensor[0] for name, tensor in to_batch(self._rows.take([row])).items()}


class _Arguments(SpreadArguments):
    @property
    def n_gpu(self) -> int:
        """One device: transformers would share a batch out among all of a machine's."""
        return min(1, int(super().n_gpu))


class _Loop(Together):
    """Trainer with our loss and our dev loss."""

    def __init__(self, *, precision: str, dev: Rows, **named: Any) -> None:  # noqa: ANN401 - handed on
        super().__init__(precision=precision, losses=token_losses, **named)
        self._precision = precision
        self._dev = dev
        self.loss_is_scaled_for_ga = True

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: Mapping[str, torch.Tensor],
        return_outputs: bool = False,  # noqa: FBT001, FBT002 - the base class's signature
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """Return the sum of the losses over the learnt tokens, divided by their number in the whole step."""
        if return_outputs:
            message = "this loop gives losses only"
            raise NotImplementedError(message)
        del model
        losses = self._losses(inputs)
        return self.share_of_step(
            losses, losses.numel() if num_items_in_batch is None else num_items_in_batch
        )

    def evaluate(self, *_arguments: object, **_named: object) -> dict[str, float]:
        """Log and return the dev loss in nats a token."""
        model = self._plain_model()
        model.train(mode=False)
        total = torch.zeros((), dtype=torch.float64)
        size = self.args.per_device_eval_batch_size
        dev = part_to_measure(self._dev, self._team.rank, self._team.count)
        with torch.no_grad():
            for start in range(0, len(dev.ids), size):
                batch = to_batch(dev.take(range(start, min(start + size, len(dev.ids)))))
                batch = {name: tensor.to(self.args.device) for name, tensor in batch.items()}
                total += self._losses(batch).double().sum().cpu()
        metrics = {DEV_LOSS: self._team.sum(total).item() / self._dev.learnt_tokens}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        self.agree()
        return metrics

    def _plain_model(self) -> torch.nn.Module:
        if self.model is None:
            message = "the loop has no model"
            raise RuntimeError(message)
        return self.model

    def _losses(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        with torch.autocast(self.args.device.type, dtype=torch.bfloat16, enabled=self._precision == "bf16"):
            return cast("torch.Tensor", self.learner(batch))


def train_stage(model: PreTrainedModel, rows: Rows, dev: Rows, plan: Plan, heard: Heard) -> Trained:
    """Train, or go on from the last whole checkpoint, and give the model its best weights.

    Without dev rows all steps are taken and the last weights stay.

    Raises:
        OSError: ENOSPC, the disk is full.
    """
    team = plan.sharing.team
    if team.is_first:
        plan.folder.mkdir(parents=True, exist_ok=True)
        saved.drop_torn(plan.folder)
    team.wait()
    steps = saved.whole_steps(plan.folder)
    speed = 0.0
    if not (steps and _is_over(plan, steps[-1])):
        speed = _run(model, rows, dev, plan, heard, resume=steps[-1] if steps else None)
    team.wait()  # until the first has marked and cleared
    last = saved.whole_steps(plan.folder)[-1]
    logged = saved.history(plan.folder, last)
    heard(logged)
    best = best_step(logged) or last
    _take_weights(model, saved.folder_of(plan.folder, best))
    team.wait()  # until all have read, for the first deletes
    report(f"training: {plan.name}", last, last, f"best step {best}")
    return Trained(last, best, logged, speed)


def _take_weights(model: PreTrainedModel, folder: Path) -> None:
    if is_sharded(folder):
        read_whole_weights(folder, model)
    else:
        model.load_state_dict(load_weights(folder).state_dict())


def _is_over(plan: Plan, step: int) -> bool:
    logged = saved.history(plan.folder, step)
    return step >= plan.settings.steps or should_stop(logged, plan.settings.patience)


def _run(
    model: PreTrainedModel, rows: Rows, dev: Rows, plan: Plan, heard: Heard, *, resume: int | None
) -> float:
    stage = plan.settings
    parameters = sum(weight.numel() for weight in model.parameters())
    watch = Watch(
        plan,
        heard,
        has_dev=len(dev.ids) > 0,
        tokens_a_step=stage.batch_rows * rows.ids.shape[1],
        parameters=parameters,
    )
    ordered = Ordered(rows, stage.steps * stage.batch_rows, plan.seed)
    sharing = plan.sharing
    team = sharing.team
    mine = Part(ordered, stage.batch_rows, team.rank, team.count)
    try:
        with quiet_transformers(), sharing.stop.listening() if sharing.way != "one" else nullcontext():
            loop = _Loop(
                precision=plan.precision,
                dev=dev,
                sharing=sharing,
                # shards never become a whole model again: the caller's stays as it is
                model=deepcopy(model) if sharing.way == "fsdp" else model,
                args=_arguments(plan, has_dev=len(dev.ids) > 0),
                train_dataset=mine,
                eval_dataset=mine,  # asked for by Trainer, never read: see evaluate
                callbacks=[watch] if team.is_first else [],
            )
            loop.remove_callback(PrinterCallback)
            loop.train(
                resume_from_checkpoint=None if resume is None else str(saved.folder_of(plan.folder, resume))
            )
    except Exception:
        # torch and safetensors hide a full disk behind errors of their own
        if team.is_first:
            saved.need_room(plan.folder, parameters * BYTES_A_PARAMETER)
        raise
    if loop.was_stopped:
        raise KeyboardInterrupt
    return watch.tokens_per_s


def _arguments(plan: Plan, *, has_dev: bool) -> TrainingArguments:
    stage = plan.settings
    part = goes(stage, plan.sharing.team.count)
    warmup = min(stage.warmup_steps, max(stage.steps - 1, 0))
    falling = min(int(stage.steps * (1 - stage.steady_share)), stage.steps - warmup)
    arguments = _Arguments(
        output_dir=str(plan.folder),
        max_steps=stage.steps,
        per_device_train_batch_size=part.rows,
        per_device_eval_batch_size=part.rows,
        gradient_accumulation_steps=part.times,
        learning_rate=stage.learning_rate,
        lr_scheduler_type="warmup_stable_decay",
        lr_scheduler_kwargs={
            "num_decay_steps": falling,
            "decay_type": "linear",
            "min_lr_ratio": stage.last_rate_share,
        },
        warmup_steps=warmup,
        weight_decay=stage.weight_decay,
        adam_beta2=BETA_2,
        max_grad_norm=GRADIENT_NORM,
        train_sampling_strategy="sequential",
        eval_strategy="steps" if has_dev else "no",
        eval_steps=stage.evaluate_every_steps,
        save_strategy="steps",
        save_steps=stage.evaluate_every_steps,
        logging_steps=line_every(stage.evaluate_every_steps),
        logging_nan_inf_filter=False,
        seed=plan.seed % 2**32,
        use_cpu=not torch.cuda.is_available(),
        dataloader_pin_memory=False,
        remove_unused_columns=False,
        disable_tqdm=True,
        report_to="none",
        log_level="error",
    )
    arguments.leaves_model = plan.sharing.way == "fsdp"
    return arguments


def line_every(evaluate_every_steps: int) -> int:
    """Return how many steps share a line of metrics: a divisor, so that no checkpoint falls inside one."""
    fits = (steps for steps in range(MOST_STEPS_A_LINE, 0, -1) if evaluate_every_steps % steps == 0)
    return next(fits)
