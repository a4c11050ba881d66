"""The one loop of both stages: transformers' Trainer, thinly wrapped.

In: a model, rows, settings, a folder. Out: the model with its best weights,
and the log. What differs from a plain Trainer: rows are prepared and their
order is a function of the seed and the step, so a resumed run sees what an
uninterrupted one sees; the loss is a sum over learnt tokens divided by their
number in the whole step; dev loss is nats a token; stopping and the best step
come from the log; a torn checkpoint is never resumed; the rate is a function of
the step. One device a process; what several processes change stands in
`together`, what is looked at before a step is taken in `checked_steps`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch.utils.data import Dataset
from transformers import PreTrainedModel, PrinterCallback

from psyllm.core.errors import BadSetting, PsyError
from psyllm.core.progress import TRAINING, report
from psyllm.lm.checkpoint import quiet_transformers
from psyllm.lm.loss import Batch, learnt_tokens, summed_loss, to_batch
from psyllm.lm.number_types import TYPES
from psyllm.lm.pack import Rows
from psyllm.train import saved
from psyllm.train.adapters import is_adapted, read_adapter, restore, write_adapter
from psyllm.train.arguments import arguments_for
from psyllm.train.checked_steps import CheckedSteps
from psyllm.train.compiled import compiled, wants_compiling
from psyllm.train.gauge import Gauge
from psyllm.train.history import DEV_LOSS
from psyllm.train.memory_full import is_about_memory, memory_full
from psyllm.train.optimizers import build_optimizer
from psyllm.train.parts import Part, part_to_measure
from psyllm.train.schedule import rate_share
from psyllm.train.sharded import is_sharded, read_whole_weights
from psyllm.train.together import Together
from psyllm.train.watch import BYTES_A_PARAMETER, Heard, Plan, Watch, go_through


class Trained(NamedTuple):
    """How a stage went; `best` is the step whose weights the model now has.

    `tokens_per_s` counts whole steps, those of all processes, with padding, dev losses and checkpoints; it is 0
    where no step was taken since the process began.
    """

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


class _Loop(CheckedSteps, Together):
    """Trainer with our loss, our dev loss and our rate."""

    def __init__(
        self,
        *,
        plan: Plan,
        dev: Rows,
        is_compiled: bool,
        **named: Any,  # noqa: ANN401 - handed on
    ) -> None:
        def loss(inside: PreTrainedModel, batch: Batch) -> torch.Tensor:
            return summed_loss(inside, batch, plan.loss)

        super().__init__(
            stage=plan.name,
            stage_settings=plan.settings,
            precision=plan.precision,
            sharing=plan.sharing,
            loss=loss,
            spread_in=plan.precision,
            **named,
        )
        self._plan = plan
        self._dev = dev
        self._is_compiled = is_compiled
        self.loss_is_scaled_for_ga = True

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
        return self.share_of_step(
            self._summed(inputs), learnt_tokens(inputs) if num_items_in_batch is None else num_items_in_batch
        )

    def evaluate(self, *_arguments: object, **_named: object) -> dict[str, float]:
        """Log and return the dev loss in nats a token."""
        self.finite.look()
        model = self._plain_model()
        model.train(mode=False)
        total = torch.zeros((), dtype=torch.float64)
        size = self.args.per_device_eval_batch_size
        dev = part_to_measure(self._dev, self._team.rank, self._team.count)
        # the last batch has another size, for which a compiled model would be compiled anew
        with (
            torch.no_grad(),
            torch.compiler.set_stance("force_eager") if self._is_compiled else nullcontext(),
        ):
            for start in range(0, len(dev.ids), size):
                batch = to_batch(dev.take(range(start, min(start + size, len(dev.ids)))))
                batch = {name: tensor.to(self.args.device) for name, tensor in batch.items()}
                total += self._summed(batch).double().cpu()
        metrics = {DEV_LOSS: self._team.sum(total).item() / self._dev.learnt_tokens}
        self.finite.check_dev_loss(self.state.global_step, metrics[DEV_LOSS])
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        self.agree()
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

    def _summed(self, batch: Batch) -> torch.Tensor:
        precision = self._plan.precision
        with torch.autocast(self.args.device.type, dtype=TYPES[precision], enabled=precision != "fp32"):
            return cast("torch.Tensor", self.learner(batch))


def train_stage(model: PreTrainedModel, rows: Rows, dev: Rows, plan: Plan, heard: Heard) -> Trained:
    """Train, or go on from the last whole checkpoint, and give the model its best weights.

    Without dev rows all steps are taken and the last weights stay.

    Raises:
        DiskFull: a checkpoint does not fit; the ones before it stay.
        MemoryFull: a step does not fit; names the settings to change.
        LossNotFinite: a loss or a gradient is no number.
    """
    team = plan.sharing.team
    tokens_per_s = 0.0

    def go(resume: int | None) -> None:
        nonlocal tokens_per_s
        tokens_per_s = _run(model, rows, dev, plan, heard, resume=resume)

    ended = go_through(plan, heard, go, team)
    _take_weights(model, saved.folder_of(plan.folder, ended.best))
    team.wait()  # until all have read, for the first deletes
    report(f"{TRAINING}{plan.name}", ended.last, ended.last, f"best step {ended.best}", doing="done")
    return Trained(*ended, tokens_per_s)


def _take_weights(model: PreTrainedModel, folder: Path) -> None:
    if is_sharded(folder):
        read_whole_weights(folder, model)
    else:
        restore(model, folder)


def _run(
    model: PreTrainedModel, rows: Rows, dev: Rows, plan: Plan, heard: Heard, *, resume: int | None
) -> float:
    """Take the steps; return the tokens a second, see `Trained`."""
    stage = plan.settings
    checkpoint_bytes = BYTES_A_PARAMETER * sum(
        weight.numel() for weight in model.parameters() if weight.requires_grad
    )
    sharing, has_dev = plan.sharing, dev.learnt_tokens > 0
    watch = Watch(plan, heard, has_dev=has_dev, checkpoint_bytes=checkpoint_bytes)
    team = sharing.team
    ordered = Ordered(rows, stage.steps * stage.batch_rows, plan.seed)
    mine = Part(ordered, stage.batch_rows, team.rank, team.count)
    listening = nullcontext() if sharing.way == "one" else sharing.stop.listening()
    try:
        with quiet_transformers(), _as_planned(model, plan) as is_compiled, listening:
            # shards never become a whole model again: the caller's stays as it is
            trained = deepcopy(model) if sharing.way == "fsdp" else model
            loop = _Loop(
                plan=plan,
                dev=dev,
                is_compiled=is_compiled,
                model=trained,
                args=arguments_for(plan, has_dev=has_dev),
                train_dataset=mine,
                eval_dataset=mine,  # asked for by Trainer, never read: see evaluate
                callbacks=[watch, Gauge(plan, rows)] if team.is_first else [],
                optimizers=(build_optimizer(trained, stage), None),
            )
            loop.remove_callback(PrinterCallback)
            began = time.monotonic()
            loop.train(
                resume_from_checkpoint=None if resume is None else str(saved.folder_of(plan.folder, resume))
            )
    except PsyError:
        raise
    except Exception as error:
        explained = _explained(error, plan, rows.ids.shape[1], checkpoint_bytes)
        if explained is None:
            raise
        raise explained from error
    if loop.was_stopped:
        raise KeyboardInterrupt
    tokens: int = (loop.state.global_step - (resume or 0)) * stage.batch_rows * rows.ids.shape[1]
    return tokens / max(time.monotonic() - began, 1e-9)


def _explained(error: Exception, plan: Plan, length: int, checkpoint_bytes: int) -> PsyError | None:
    """Return what an exception means that torch or safetensors raised; None for one that nobody expected."""
    if is_about_memory(error):
        return memory_full(
            plan.name,
            plan.settings,
            length,
            checkpointing=plan.gradient_checkpointing,
            processes=plan.sharing.team.count,
            may_adapt=plan.may_adapt,
        )
    return saved.disk_full(plan.folder, checkpoint_bytes) if plan.sharing.team.is_first else None


def need_checkpointing(model: PreTrainedModel) -> None:
    """Refuse gradient checkpointing where the model has none.

    Raises:
        BadSetting: it can't compute its activations again.
    """
    if not model.supports_gradient_checkpointing:
        message = f"{type(model).__name__} can't compute its activations again"
        raise BadSetting(message, "set train.gradient_checkpointing=false")


@contextmanager
def _as_planned(model: PreTrainedModel, plan: Plan) -> Iterator[bool]:
    """Compute the model inside the block as the plan says, and as before after it; yield whether it is compiled."""
    # what is wrapped around the model when several processes share the work would be compiled past
    wanted = plan.sharing.way == "one" and wants_compiling(
        plan.compile, model, on_card=torch.cuda.is_available(), steps=plan.settings.steps
    )
    if plan.gradient_checkpointing:
        need_checkpointing(model)
        model.activation_checkpointing_enable()
    try:
        with compiled(model, wanted=wanted) as is_compiled:
            yield is_compiled
    finally:
        if plan.gradient_checkpointing:
            keep_activations: Callable[[], None] = model.activation_checkpointing_disable
            keep_activations()
