"""The one loop of both stages: transformers' Trainer, thinly wrapped.

In: a model, rows, settings, a folder. Out: the model with its best weights,
and the log. What differs from a plain Trainer: rows are prepared and their
order is a function of the seed and the step, so a resumed run sees what an
uninterrupted one sees; the loss is a sum over learnt tokens divided by their
number in the whole step; dev loss is nats a token; stopping and the best step
come from the log; a torn checkpoint is never resumed; the rate is a function of
the step; a loss that is no number stops at once, before it is saved; fp16 has
a gradient scaler, whose state is in the checkpoints. One process, one device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
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

from psyllm.core.errors import BadSetting, DiskFull, PsyError
from psyllm.core.progress import report
from psyllm.lm.checkpoint import quiet_transformers
from psyllm.lm.loss import learnt_tokens, summed_loss, to_batch
from psyllm.lm.pack import Rows
from psyllm.train import saved
from psyllm.train.adapters import is_adapted, read_adapter, restore, write_adapter
from psyllm.train.compiled import compiled, wants_compiling
from psyllm.train.finite import Finite
from psyllm.train.gauge import Gauge
from psyllm.train.history import DEV_LOSS, best_step, should_stop
from psyllm.train.memory_full import is_about_memory, memory_full
from psyllm.train.optimizers import BETAS, build_optimizer
from psyllm.train.precision import TYPES, check_scale, scaler_for
from psyllm.train.schedule import rate_share
from psyllm.train.watch import BYTES_A_PARAMETER, Heard, Plan, Watch

MOST_STEPS_A_LINE = 10  # of metrics.jsonl
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
    """Trainer with our loss, our dev loss and our rate."""

    def __init__(
        self,
        *,
        plan: Plan,
        dev: Rows,
        is_compiled: bool,
        **named: Any,  # noqa: ANN401 - handed on
    ) -> None:
        super().__init__(**named)
        self._plan = plan
        self._dev = dev
        self._is_compiled = is_compiled
        self.loss_is_scaled_for_ga = True
        # not by `args.fp16`: accelerate refuses it without a card, and the tests have none
        self.accelerator.scaler = scaler_for(plan.precision, self.args.device.type)
        self._finite = Finite(plan.name, plan.settings, scaled=self.accelerator.scaler is not None)

    def create_scheduler(
        self,
        num_training_steps: int,
        optimizer: torch.optim.Optimizer | None = None,
    ) -> torch.optim.lr_scheduler.LRScheduler:
        """Return the scheduler of the stage's rate, see `schedule`."""
        del num_training_steps
        if self.lr_scheduler is None:
            stage = self._plan.settings
            of = cast("torch.optim.Optimizer", self.optimizer if optimizer is None else optimizer)
            self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(of, lambda done: rate_share(stage, done))
            self._created_lr_scheduler = True
        return self.lr_scheduler

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        """Take up the states; the next step's rate is this plan's, also where a shorter plan was saved."""
        super()._load_optimizer_and_scheduler(checkpoint)
        scheduler = self.lr_scheduler
        if checkpoint is None or scheduler is None:
            return
        share = rate_share(self._plan.settings, scheduler.last_epoch)
        for group, peak in zip(scheduler.optimizer.param_groups, scheduler.base_lrs, strict=True):
            group["lr"] = peak * share

    def training_step(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """Compute a part of a step and keep its loss to be looked at."""
        loss = super().training_step(model, inputs, num_items_in_batch)
        self._finite.add_loss(loss)
        return loss

    def _clip_grad_norm(self, model: torch.nn.Module) -> torch.Tensor:
        """Clip, and look whether loss and gradient are numbers, before the weights change."""
        scaler = self.accelerator.scaler
        step = self.state.global_step + 1
        if scaler is not None:
            check_scale(scaler, self._plan.name, step)
            scaler.unscale_(cast("Any", self.optimizer).optimizer)
        clip: Callable[[torch.nn.Module], torch.Tensor] = super()._clip_grad_norm
        norm = clip(model)
        self._finite.end_step(step, norm)
        return norm

    def _save_checkpoint(self, model: torch.nn.Module, trial: Any) -> None:  # noqa: ANN401 - the base class's
        """Write a checkpoint, once every loss before it is known to be a number."""
        self._finite.look()
        super()._save_checkpoint(model, trial)

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
        total = self._summed(model, inputs)
        return total / (learnt_tokens(inputs) if num_items_in_batch is None else num_items_in_batch)

    def evaluate(self, *_arguments: object, **_named: object) -> dict[str, float]:
        """Log and return the dev loss in nats a token."""
        self._finite.look()
        model = self._plain_model()
        model.train(mode=False)
        total = torch.zeros((), dtype=torch.float64)
        size = self.args.per_device_eval_batch_size
        # the last batch has another size, for which a compiled model would be compiled anew
        with (
            torch.no_grad(),
            torch.compiler.set_stance("force_eager") if self._is_compiled else nullcontext(),
        ):
            for start in range(0, len(self._dev.ids), size):
                batch = to_batch(self._dev.take(range(start, min(start + size, len(self._dev.ids)))))
                batch = {name: tensor.to(self.args.device) for name, tensor in batch.items()}
                total += self._summed(model, batch).double().cpu()
        metrics = {DEV_LOSS: total.item() / self._dev.learnt_tokens}
        self._finite.check_dev_loss(self.state.global_step, metrics[DEV_LOSS])
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

    def _summed(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        precision = self._plan.precision
        with torch.autocast(self.args.device.type, dtype=TYPES[precision], enabled=precision != "fp32"):
            return summed_loss(cast("PreTrainedModel", model), batch, self._plan.loss)


def train_stage(model: PreTrainedModel, rows: Rows, dev: Rows, plan: Plan, heard: Heard) -> Trained:
    """Train, or go on from the last whole checkpoint, and give the model its best weights.

    Without dev rows all steps are taken and the last weights stay.

    Raises:
        DiskFull: a checkpoint does not fit; the ones before it stay.
        MemoryFull: a step does not fit; names the settings to change.
        LossNotFinite: a loss or a gradient is no number.
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
    report(f"training: {plan.name}", last, last, f"best step {best}", doing="done")
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
        with quiet_transformers(), _as_planned(model, plan) as is_compiled:
            loop = _Loop(
                plan=plan,
                dev=dev,
                is_compiled=is_compiled,
                model=model,
                args=_arguments(plan, has_dev=len(dev.ids) > 0),
                train_dataset=ordered,
                eval_dataset=ordered,  # asked for by Trainer, never read: see evaluate
                callbacks=[watch, Gauge(plan, rows)],
                optimizers=(build_optimizer(model, stage), None),
            )
            loop.remove_callback(PrinterCallback)
            loop.train(
                resume_from_checkpoint=None if resume is None else str(saved.folder_of(plan.folder, resume))
            )
    except PsyError:
        raise
    except Exception as error:
        explained = _explained(error, plan, rows.ids.shape[1], parameters * BYTES_A_PARAMETER)
        if explained is None:
            raise
        raise explained from error
    return watch.tokens_per_s


def _explained(error: Exception, plan: Plan, length: int, checkpoint_bytes: int) -> PsyError | None:
    """Return what an exception means that torch or safetensors raised; None for one that nobody expected."""
    if is_about_memory(error):
        return memory_full(plan.name, plan.settings, length, checkpointing=plan.gradient_checkpointing)
    # they hide a full disk behind errors of their own
    if saved.has_room(plan.folder, checkpoint_bytes):
        return None
    message = f"no space left on the disk that holds {plan.folder}: a checkpoint takes {checkpoint_bytes / 1e6:,.0f} MB"
    next_step = (
        "free some space or name another folder with --data, then run the command again; "
        "train.keep_checkpoints=1 keeps fewer, and the run goes on with it"
    )
    return DiskFull(message, next_step)


@contextmanager
def _as_planned(model: PreTrainedModel, plan: Plan) -> Iterator[bool]:
    """Compute the model inside the block as the plan says, and as before after it; yield whether it is compiled."""
    wanted = wants_compiling(
        plan.compile, model, on_card=torch.cuda.is_available(), steps=plan.settings.steps
    )
    if plan.gradient_checkpointing:
        if not model.supports_gradient_checkpointing:
            message = f"{type(model).__name__} can't compute its activations again"
            raise BadSetting(message, "set train.gradient_checkpointing=false")
        model.activation_checkpointing_enable()
    try:
        with compiled(model, wanted=wanted) as is_compiled:
            yield is_compiled
    finally:
        if plan.gradient_checkpointing:
            keep_activations: Callable[[], None] = model.activation_checkpointing_disable
            keep_activations()


def _arguments(plan: Plan, *, has_dev: bool) -> TrainingArguments:
    stage = plan.settings
    return _Arguments(
        output_dir=str(plan.folder),
        max_steps=stage.steps,
        per_device_train_batch_size=stage.rows_at_once or stage.batch_rows,
        per_device_eval_batch_size=stage.rows_at_once or stage.batch_rows,
        gradient_accumulation_steps=stage.batch_rows // (stage.rows_at_once or stage.batch_rows),
        learning_rate=stage.learning_rate,
        weight_decay=stage.weight_decay,
        adam_beta1=BETAS[0],
        adam_beta2=BETAS[1],
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
