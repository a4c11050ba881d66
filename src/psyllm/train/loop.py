"""The one loop of both stages: transformers' Trainer, thinly wrapped.

In: a model, rows, settings, a folder. Out: the model with its best weights,
and the log. What differs from a plain Trainer: rows are prepared and their
order is a function of the seed and the step, so a resumed run sees what an
uninterrupted one sees; the loss is a sum over learnt tokens divided by their
number in the whole step; dev loss is nats a token; stopping and the best step
come from the log; a torn checkpoint is never resumed. One process, one device.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch.utils.data import Dataset
from transformers import (
    PreTrainedModel,
    PrinterCallback,
    Trainer,
    TrainingArguments,
)

from psyllm.core.progress import report
from psyllm.lm.checkpoint import quiet_transformers
from psyllm.lm.loss import to_batch, token_losses
from psyllm.lm.pack import Rows
from psyllm.train import saved
from psyllm.train.adapters import is_adapted, read_adapter, restore, write_adapter
from psyllm.train.history import DEV_LOSS, best_step, should_stop
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


class _Arguments(TrainingArguments):
    @property
    def n_gpu(self) -> int:
        """One device: transformers would share a batch out among all of a machine's."""
        return min(1, int(super().n_gpu))


class _Loop(Trainer):
    """Trainer with our loss and our dev loss."""

    def __init__(self, *, precision: str, dev: Rows, **named: Any) -> None:  # noqa: ANN401 - handed on
        super().__init__(**named)
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
        losses = self._losses(model, inputs)
        return losses.sum() / (losses.numel() if num_items_in_batch is None else num_items_in_batch)

    def evaluate(self, *_arguments: object, **_named: object) -> dict[str, float]:
        """Log and return the dev loss in nats a token."""
        model = self._plain_model()
        model.train(mode=False)
        total = torch.zeros((), dtype=torch.float64)
        size = self.args.per_device_eval_batch_size
        with torch.no_grad():
            for start in range(0, len(self._dev.ids), size):
                batch = to_batch(self._dev.take(range(start, min(start + size, len(self._dev.ids)))))
                batch = {name: tensor.to(self.args.device) for name, tensor in batch.items()}
                total += self._losses(model, batch).double().sum().cpu()
        metrics = {DEV_LOSS: total.item() / self._dev.learnt_tokens}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        """Write an adapter alone where one is trained: the base does not change."""
        model = self._plain_model()
        if output_dir is None or not is_adapted(model):
            super()._save(output_dir, state_dict)
        else:
            write_adapter(Path(output_dir), cast("PreTrainedModel", model))

    def _load_from_checkpoint(
        self, resume_from_checkpoint: str, model: torch.nn.Module | None = None
    ) -> None:
        found = self._plain_model() if model is None else model
        if is_adapted(found):
            read_adapter(Path(resume_from_checkpoint), cast("PreTrainedModel", found))
        else:
            super()._load_from_checkpoint(resume_from_checkpoint, model)

    def _plain_model(self) -> torch.nn.Module:
        if self.model is None:
            message = "the loop has no model"
            raise RuntimeError(message)
        return self.model

    def _losses(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        with torch.autocast(self.args.device.type, dtype=torch.bfloat16, enabled=self._precision == "bf16"):
            return token_losses(cast("PreTrainedModel", model), batch)


def train_stage(model: PreTrainedModel, rows: Rows, dev: Rows, plan: Plan, heard: Heard) -> Trained:
    """Train, or go on from the last whole checkpoint, and give the model its best weights.

    Without dev rows all steps are taken and the last weights stay.

    Raises:
        OSError: ENOSPC, the disk is full.
    """
    plan.folder.mkdir(parents=True, exist_ok=True)
    saved.drop_torn(plan.folder)
    steps = saved.whole_steps(plan.folder)
    speed = 0.0
    if not (steps and _is_over(plan, steps[-1])):
        speed = _run(model, rows, dev, plan, heard, resume=steps[-1] if steps else None)
    last = saved.whole_steps(plan.folder)[-1]
    logged = saved.history(plan.folder, last)
    heard(logged)
    best = best_step(logged) or last
    restore(model, saved.folder_of(plan.folder, best))
    report(f"training: {plan.name}", last, last, f"best step {best}")
    return Trained(last, best, logged, speed)


def _is_over(plan: Plan, step: int) -> bool:
    logged = saved.history(plan.folder, step)
    return step >= plan.settings.steps or should_stop(logged, plan.settings.patience)


def _run(
    model: PreTrainedModel, rows: Rows, dev: Rows, plan: Plan, heard: Heard, *, resume: int | None
) -> float:
    stage = plan.settings
    parameters = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    watch = Watch(
        plan,
        heard,
        has_dev=len(dev.ids) > 0,
        tokens_a_step=stage.batch_rows * rows.ids.shape[1],
        parameters=parameters,
    )
    ordered = Ordered(rows, stage.steps * stage.batch_rows, plan.seed)
    try:
        with quiet_transformers():
            loop = _Loop(
                precision=plan.precision,
                dev=dev,
                model=model,
                args=_arguments(plan, has_dev=len(dev.ids) > 0),
                train_dataset=ordered,
                eval_dataset=ordered,  # asked for by Trainer, never read: see evaluate
                callbacks=[watch],
            )
            loop.remove_callback(PrinterCallback)
            loop.train(
                resume_from_checkpoint=None if resume is None else str(saved.folder_of(plan.folder, resume))
            )
    except Exception:
        # torch and safetensors hide a full disk behind errors of their own
        saved.need_room(plan.folder, parameters * BYTES_A_PARAMETER)
        raise
    return watch.tokens_per_s


def _arguments(plan: Plan, *, has_dev: bool) -> TrainingArguments:
    stage = plan.settings
    warmup = min(stage.warmup_steps, max(stage.steps - 1, 0))
    falling = min(int(stage.steps * (1 - stage.steady_share)), stage.steps - warmup)
    return _Arguments(
        output_dir=str(plan.folder),
        max_steps=stage.steps,
        per_device_train_batch_size=stage.rows_at_once or stage.batch_rows,
        per_device_eval_batch_size=stage.rows_at_once or stage.batch_rows,
        gradient_accumulation_steps=stage.batch_rows // (stage.rows_at_once or stage.batch_rows),
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


def line_every(evaluate_every_steps: int) -> int:
    """Return how many steps share a line of metrics: a divisor, so that no checkpoint falls inside one."""
    fits = (steps for steps in range(MOST_STEPS_A_LINE, 0, -1) if evaluate_every_steps % steps == 0)
    return next(fits)
