"""What many processes change in a Trainer: who computes, who decides, who writes.

In: a team, how it shares the work, when to stop. Out: a Trainer of one process
whose step is the step of all: its loss over the learnt tokens of the whole team,
gradients exchanged once, decisions of the first process, one checkpoint. Alone
it is a plain Trainer. Nothing here chooses rows or a loss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from torch.distributed.tensor import DTensor
from transformers import PreTrainedModel, Trainer

from psyllm.lm.loss import learnt_tokens
from psyllm.train import saved
from psyllm.train.processes import Sharing
from psyllm.train.sharded import Learner, Loss, accumulating, read_shards, spread, write_shards

RANDOM_STATES = "random_states.pt"
SCHEDULE = "schedule.pt"  # of a sharded checkpoint: the scheduler, and the optimiser's settings
DECISIONS = (
    "should_log",
    "should_evaluate",
    "should_save",
    "should_epoch_stop",
    "should_training_stop",
)


class Together(Trainer):
    """A Trainer that is one of a team."""

    def __init__(self, *, sharing: Sharing, loss: Loss, spread_in: str, **named: Any) -> None:  # noqa: ANN401 - handed on
        super().__init__(**named)
        self._team = sharing.team
        self._stop = sharing.stop
        self._in_shards = sharing.way == "fsdp"
        self.was_stopped = False
        self.learner = spread(Learner(self.trained, loss), sharing.way, self._team, spread_in)
        if self._team.count > 1:
            torch.manual_seed(self.args.seed + self._team.rank)  # dropout differs from process to process

    @property
    def trained(self) -> PreTrainedModel:
        """The model, without what wraps it."""
        return cast("PreTrainedModel", self.model)

    def get_batch_samples(
        self,
        epoch_iterator: Iterator[dict[str, torch.Tensor]],
        num_batches: int,
        device: torch.device,
    ) -> tuple[list[dict[str, torch.Tensor]], torch.Tensor]:
        """Return a step's batches, and how many tokens the whole team learns in it."""
        found: tuple[list[dict[str, torch.Tensor]], Any] = super().get_batch_samples(
            epoch_iterator, num_batches, device
        )
        batches = found[0]
        learnt = sum(map(learnt_tokens, batches))
        return batches, self._team.sum(torch.tensor(learnt)).to(device)

    def training_step(
        self,
        model: nn.Module,
        inputs: dict[str, torch.Tensor],
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """Compute a part of a step; gradients are exchanged after the last part."""
        with accumulating(self.learner, is_last=bool(self.accelerator.sync_gradients)):
            loss: torch.Tensor = super().training_step(model, inputs, num_items_in_batch)
        return loss

    def share_of_step(self, summed: torch.Tensor, learnt_by_all: torch.Tensor | int) -> torch.Tensor:
        """Return this process's part of a step's loss, such that the mean over the team is the loss."""
        # a step of which nothing is learnt has the loss 0
        return summed * self._team.count / torch.as_tensor(learnt_by_all).clamp(min=1)

    def _clip_grad_norm(self, model: nn.Module) -> torch.Tensor:
        """Clip by the norm of the whole gradient, and return it, in every process."""
        clip: Callable[[nn.Module], torch.Tensor] = super()._clip_grad_norm
        norm = clip(model)
        return norm.full_tensor() if isinstance(norm, DTensor) else norm

    def _maybe_log_save_evaluate(self, tr_loss: torch.Tensor, *rest: Any, **named: Any) -> None:  # noqa: ANN401 - handed on
        self._agree(may_stop=True)
        if self.control.should_log and self.state.global_step > self._globalstep_last_logged:
            tr_loss.copy_(self._team.sum(tr_loss) / self._team.count)
        super()._maybe_log_save_evaluate(tr_loss, *rest, **named)

    def agree(self) -> None:
        """Let all do what the first process has decided."""
        self._agree(may_stop=False)

    def _agree(self, *, may_stop: bool) -> None:
        mine = [getattr(self.control, name) and self._team.is_first for name in DECISIONS]
        agreed = self._team.sum(torch.tensor([*mine, self._stop.is_asked()], dtype=torch.int64)).tolist()
        for name, value in zip(DECISIONS, agreed, strict=False):
            setattr(self.control, name, bool(value))
        # only between two lines of the log: what a line has summed up is not in a checkpoint
        between_lines = self.state.global_step % self.args.logging_steps == 0
        if may_stop and agreed[-1] and between_lines and not self.control.should_training_stop:
            self.was_stopped = True
            self.control.should_save = self.control.should_training_stop = True

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:  # noqa: ANN401 - handed on
        folder = saved.folder_of(Path(str(self.args.output_dir)), self.state.global_step)
        if self._in_shards:
            if self._team.is_first:
                folder.mkdir(parents=True, exist_ok=True)
            self._team.wait()
            write_shards(folder, self.learner, self._plain_optimizer())
        states = self._team.gather(_random_states())
        if self._team.is_first:
            super()._save_checkpoint(model, trial)
            if self._team.count > 1:
                torch.save(states, folder / RANDOM_STATES)

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:  # noqa: FBT001, FBT002 - the base class's signature
        """Write the whole model; of a sharded one only its shape, for its weights lie in shards."""
        if self._in_shards:
            self.trained.config.save_pretrained(str(output_dir))
        else:
            super().save_model(output_dir, _internal_call)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        if self._in_shards:
            groups = [
                {name: value for name, value in group.items() if name != "params"}
                for group in self._plain_optimizer().param_groups
            ]
            torch.save((self._schedule.state_dict(), groups), Path(output_dir) / SCHEDULE)
        else:
            super()._save_optimizer_and_scheduler(output_dir)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        if not self._in_shards:  # shards are read with the optimiser, once it is made
            super()._load_from_checkpoint(resume_from_checkpoint, model)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if not self._in_shards or checkpoint is None:
            super()._load_optimizer_and_scheduler(checkpoint)
            return
        optimizer = self._plain_optimizer()
        read_shards(Path(checkpoint), self.trained, optimizer)
        schedule, groups = torch.load(Path(checkpoint) / SCHEDULE, weights_only=True)
        self._schedule.load_state_dict(schedule)
        for group, kept in zip(optimizer.param_groups, groups, strict=True):
            group.update(kept)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        super()._load_rng_state(checkpoint)
        if self._team.count == 1 or checkpoint is None:
            return
        file = Path(checkpoint) / RANDOM_STATES
        states = torch.load(file, weights_only=True) if file.is_file() else []
        if len(states) == self._team.count:
            _take_random_states(states[self._team.rank])
        else:  # another number of processes: no stream goes on, so each begins one of its own
            torch.manual_seed(self.args.seed + self.state.global_step * self._team.count + self._team.rank)

    def _plain_optimizer(self) -> torch.optim.Optimizer:
        """Return the optimiser without accelerate's wrapper."""
        wrapped: Any = self.optimizer
        optimizer: torch.optim.Optimizer = getattr(wrapped, "optimizer", wrapped)
        return optimizer

    @property
    def _schedule(self) -> torch.optim.lr_scheduler.LRScheduler:
        schedule: Any = self.lr_scheduler
        made: torch.optim.lr_scheduler.LRScheduler = schedule
        return made


def _random_states() -> dict[str, torch.Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def _take_random_states(states: dict[str, torch.Tensor]) -> None:
    torch.set_rng_state(states["cpu"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
