"""The stage `prefer`: the model leans towards answers that visitors rated well, and away from the others.

In: a model as the other stages left it, rated answers, settings, a folder. Out:
the same model with its best weights, by dev loss, and the log. It is resumed,
stopped early and marked whole as the other stages are. The reference is the model
as it comes in, so a run that goes on has to come in with the same weights. Whether
the model has become better for anybody is asked by `evaluate` on ratings that were
kept apart. Nothing here chooses what is learnt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from transformers import PreTrainedModel

from psyllm.core.errors import PsyError
from psyllm.core.progress import TRAINING, report
from psyllm.core.train_settings import PreferStage
from psyllm.lm.checkpoint import quiet_transformers
from psyllm.lm.tokenizer import Tokenizer
from psyllm.train import saved
from psyllm.train.adapters import restore
from psyllm.train.gauge import Teller
from psyllm.train.history import DEV_LOSS, FIGURES
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
from psyllm.train.prefer_table import PreferPlan
from psyllm.train.watch import BYTES_A_PARAMETER, Heard, Watch, go_through

NAME = "prefer"


class Preferred(NamedTuple):
    """How the stage went, as it stands in the manifest, and its log."""

    facts: dict[str, Any]
    logged: list[dict[str, Any]]


def learn_preferences(
    model: PreTrainedModel, tokenizer: Tokenizer, ratings: Ratings, plan: PreferPlan, heard: Heard
) -> Preferred:
    """Learn, or go on from the last whole checkpoint, and give the model its best weights.

    Raises:
        EmptyCorpus: too many answers are too long for the model.
        MemoryFull: a step does not fit; names the settings to change.
        LossNotFinite: a loss or a gradient is no number.
        DiskFull: a checkpoint does not fit; the ones before it stay.
    """
    train, dev = _examples(tokenizer, ratings, plan.context_tokens, plan.settings)
    ended = go_through(plan, heard, lambda resume: _run(model, train, dev, plan, heard, resume=resume))
    restore(model, saved.folder_of(plan.folder, ended.best))
    report(f"{TRAINING}{NAME}", ended.last, ended.last, f"best step {ended.best}", doing="done")
    # TRL counts tokens of this process only: what is told must not depend on where a run broke off.
    kept = [{name: entry[name] for name in ("step", *FIGURES) if name in entry} for entry in ended.logged]
    return Preferred(_facts(ratings, train, dev, ended.last, ended.best, kept), kept)


def _examples(
    tokenizer: Tokenizer, ratings: Ratings, context: int, settings: PreferStage
) -> tuple[Sequence[Rated] | Sequence[Pair], Sequence[Rated] | Sequence[Pair]]:
    encode = encode_pairs if ratings.method == "dpo" else encode_all
    train, dev = encode(tokenizer, ratings.train, context), encode(tokenizer, ratings.dev, context)
    need_enough_that_fit(train, len(ratings.train), context, settings)
    # KTO compares neighbours: of a single answer nothing can be told.
    return train, dev if ratings.method == "dpo" or len(dev) > 1 else []


def _run(
    model: PreTrainedModel,
    train: Sequence[Any],
    dev: Sequence[Any],
    plan: PreferPlan,
    heard: Heard,
    *,
    resume: int | None,
) -> None:
    # late: TRL takes seconds to import
    from psyllm.train.prefer_trl import as_it_was, dpo_trainer, kto_trainer

    if plan.gradient_checkpointing:
        need_checkpointing(model)
    checkpoint_bytes = BYTES_A_PARAMETER * sum(weight.numel() for weight in model.parameters())
    watch = Watch(plan, heard, has_dev=bool(dev), checkpoint_bytes=checkpoint_bytes)
    make = dpo_trainer if isinstance(train[0], Pair) else kto_trainer
    try:
        with quiet_transformers(), as_it_was(model):
            trainer = make(model, train, dev, plan, [watch, Teller(NAME)])
            trainer.train(
                resume_from_checkpoint=None if resume is None else str(saved.folder_of(plan.folder, resume))
            )
    except PsyError:
        raise
    except Exception as error:
        if is_about_memory(error):
            checkpointing = plan.gradient_checkpointing
            raise memory_full(
                NAME, plan.settings, plan.context_tokens, checkpointing=checkpointing
            ) from error
        full = saved.disk_full(plan.folder, checkpoint_bytes)
        if full is None:
            raise
        raise full from error


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
