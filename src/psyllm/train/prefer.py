"""The stage `prefer`: the model leans towards answers that visitors rated well, and away from the others.

In: a model as the other stages left it, rated answers, settings, a folder. Out:
the same model with its best weights, by dev loss, and the log. It is resumed,
stopped early and marked whole as the other stages are. The reference is the model
as it comes in, so a run that goes on has to come in with the same weights. Whether
the model has become better for anybody is asked by `evaluate` on ratings that were
kept apart. Nothing here chooses what is learnt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from transformers import PreTrainedModel, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from psyllm.core.errors import PsyError
from psyllm.core.progress import report
from psyllm.core.train_settings import PreferStage
from psyllm.lm.checkpoint import quiet_transformers
from psyllm.lm.template import PAD
from psyllm.lm.tokenizer import Tokenizer
from psyllm.train import saved
from psyllm.train.adapters import restore
from psyllm.train.history import DEV_LOSS, KEPT, best_step, should_stop
from psyllm.train.loop import need_checkpointing
from psyllm.train.memory_full import is_about_memory, memory_full
from psyllm.train.prefer_material import (
    Pair,
    Rated,
    Ratings,
    encode_all,
    encode_pairs,
    need_enough_that_fit,
)
from psyllm.train.watch import BYTES_A_PARAMETER

NAME = "prefer"
Heard = Callable[[list[dict[str, Any]]], None]


class PreferPlan(NamedTuple):
    """What the stage runs with; equal ones on equal ratings and weights give equal weights."""

    settings: PreferStage
    folder: Path
    seed: int
    keep_checkpoints: int
    precision: str
    context_tokens: int
    gradient_checkpointing: bool = False


class Preferred(NamedTuple):
    """How the stage went, as it stands in the manifest, and its log."""

    facts: dict[str, Any]
    logged: list[dict[str, Any]]


def learn_preferences(
    model: PreTrainedModel, tokenizer: Tokenizer, ratings: Ratings, task: PreferPlan, heard: Heard
) -> Preferred:
    """Learn, or go on from the last whole checkpoint, and give the model its best weights.

    Raises:
        EmptyCorpus: too many answers are too long for the model.
        MemoryFull: a step does not fit; names the settings to change.
        LossNotFinite: a loss or a gradient is no number.
        OSError: ENOSPC, the disk is full.
    """
    train, dev = _examples(tokenizer, ratings, task.context_tokens, task.settings)
    task.folder.mkdir(parents=True, exist_ok=True)
    saved.drop_torn(task.folder)
    steps = saved.whole_steps(task.folder)
    if not (steps and _is_over(task, steps[-1])):
        _run(model, train, dev, (tokenizer.mark(PAD), task), heard, resume=steps[-1] if steps else None)
    last = saved.whole_steps(task.folder)[-1]
    logged = saved.history(task.folder, last)
    heard(logged)
    best = best_step(logged) or last
    restore(model, saved.folder_of(task.folder, best))
    report(f"training: {NAME}", last, last, f"best step {best}")
    # TRL counts tokens of this process only: what is told must not depend on where a run broke off.
    kept = [{name: entry[name] for name in ("step", *KEPT) if name in entry} for entry in logged]
    return Preferred(_facts(ratings, train, dev, last, best, kept), kept)


def _examples(
    tokenizer: Tokenizer, ratings: Ratings, context: int, settings: PreferStage
) -> tuple[Sequence[Rated] | Sequence[Pair], Sequence[Rated] | Sequence[Pair]]:
    encode = encode_pairs if ratings.method == "dpo" else encode_all
    train, dev = encode(tokenizer, ratings.train, context), encode(tokenizer, ratings.dev, context)
    need_enough_that_fit(train, len(ratings.train), context, settings)
    # KTO compares neighbours: of a single answer nothing can be told.
    return train, dev if ratings.method == "dpo" or len(dev) > 1 else []


def _is_over(task: PreferPlan, step: int) -> bool:
    logged = saved.history(task.folder, step)
    return step >= task.settings.steps or should_stop(logged, task.settings.patience)


def _run(
    model: PreTrainedModel,
    train: Sequence[Any],
    dev: Sequence[Any],
    how: tuple[int, PreferPlan],
    heard: Heard,
    *,
    resume: int | None,
) -> None:
    # late: TRL takes seconds to import
    from psyllm.train.prefer_table import Course
    from psyllm.train.prefer_trl import as_it_was, dpo_trainer, kto_trainer

    pad, task = how
    if task.gradient_checkpointing:
        need_checkpointing(model)
    course = Course(
        task.settings,
        str(task.folder),
        task.seed,
        task.precision,
        pad,
        task.context_tokens,
        task.gradient_checkpointing,
    )
    parameters = sum(weight.numel() for weight in model.parameters())
    watch = _Watch(task, heard, has_dev=bool(dev), checkpoint_bytes=parameters * BYTES_A_PARAMETER)
    make = dpo_trainer if isinstance(train[0], Pair) else kto_trainer
    try:
        with quiet_transformers(), as_it_was(model):
            trainer = make(model, train, dev, course, [watch])
            trainer.train(
                resume_from_checkpoint=None if resume is None else str(saved.folder_of(task.folder, resume))
            )
    except PsyError:
        raise
    except Exception as error:
        if is_about_memory(error):
            checkpointing = task.gradient_checkpointing
            raise memory_full(
                NAME, task.settings, task.context_tokens, checkpointing=checkpointing
            ) from error
        # torch and safetensors hide a full disk behind errors of their own
        saved.need_room(task.folder, parameters * BYTES_A_PARAMETER)
        raise


def _facts(
    ratings: Ratings,
    train: Sequence[Any],
    dev: Sequence[Any],
    last: int,
    best: int,
    logged: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    good = sum(row.desirable for row in ratings.train)
    at_best = next((entry for entry in logged if entry["step"] == best and DEV_LOSS in entry), {})
    return {
        "steps": last,
        "best_step": best,
        "rows": len(train),
        "dev_rows": len(dev),
        "method": ratings.method,
        "desirable": good,
        "undesirable": len(ratings.train) - good,
        "raters": len({row.rater for row in ratings.train}),
        "above_most_of_a_rater": ratings.above_most,
        **{name: at_best.get(name) for name in (DEV_LOSS, "dev_margin", "dev_accuracy")},
    }


class _Watch(TrainerCallback):
    """Stops early, marks checkpoints whole, deletes old ones, tells how far it is."""

    def __init__(self, task: PreferPlan, heard: Heard, *, has_dev: bool, checkpoint_bytes: int) -> None:
        self._task = task
        self._heard = heard
        self._has_dev = has_dev
        self._checkpoint_bytes = checkpoint_bytes
        self._told = ""

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Report; the last step is always measured and saved."""
        del kwargs
        report(f"training: {NAME}", state.global_step, args.max_steps, self._told)
        if state.global_step >= args.max_steps:
            control.should_evaluate = self._has_dev
            control.should_save = True
        if control.should_save:
            saved.need_room(self._task.folder, self._checkpoint_bytes)

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Pass the log on."""
        del args, control, kwargs
        last = state.log_history[-1]
        self._told = ", ".join(
            f"{name.replace('_', ' ')} {last[name]:.3f}"
            for name in ("loss", DEV_LOSS, "dev_accuracy")
            if name in last
        )
        self._heard(state.log_history)

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Stop when the dev loss no longer falls."""
        del args, kwargs
        if should_stop(state.log_history, self._task.settings.patience):
            control.should_training_stop = True
            control.should_save = True

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Mark the checkpoint whole, then delete what is no longer needed."""
        del args, control, kwargs
        saved.mark_whole(saved.folder_of(self._task.folder, state.global_step))
        saved.drop_old(self._task.folder, keep=self._task.keep_checkpoints, best=best_step(state.log_history))
