"""The examples of the stage `prefer` in their fixed order, as TRL's collators take them.

In: examples in tokens, what the stage runs with. Out: tables of examples and
batches. KTO's row of each answer has a companion, its prompt with a neighbour's
answer: where that one is longer than the context, both rows get the prompt that
leaves room for the longer answer, cut as the template cuts. Nothing here knows TRL.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from psyllm.core.train_settings import PreferStage
from psyllm.train.prefer_material import Pair, Rated, batches_of, dev_batches

Example: TypeAlias = dict[str, Any]


class PreferPlan(NamedTuple):
    """What the stage runs with; equal ones on equal examples and weights give equal weights."""

    settings: PreferStage
    folder: Path
    seed: int
    keep_checkpoints: int
    precision: str
    pad: int
    context_tokens: int
    gradient_checkpointing: bool = False

    @property
    def at_once(self) -> int:
        """Examples computed together."""
        return self.settings.rows_at_once or self.settings.batch_rows


class Table:
    """Examples by number, and the order in which they are learnt or measured."""

    def __init__(
        self, examples: Sequence[Example], batches: Sequence[Sequence[int]], context_tokens: int
    ) -> None:
        self.examples = list(examples)
        self.batches = [list(batch) for batch in batches]
        self._context_tokens = context_tokens

    def starts(self) -> Iterator[int]:
        """Yield the place at which each batch begins."""
        start = 0
        for batch in self.batches:
            yield start
            start += len(batch)

    def batch(self, places: Sequence[int]) -> list[Example]:
        """Return the examples of one batch; each answer's neighbour stands beside it."""
        chosen = [self.examples[place] for place in places]
        if "completion_ids" not in chosen[0]:
            return chosen
        before = [*chosen[-1:], *chosen[:-1]]
        return [self._beside(one, other) for one, other in zip(chosen, before, strict=True)]

    def _beside(self, one: Example, neighbour: Example) -> Example:
        rated: Rated = one["rated"]
        others = neighbour["completion_ids"]
        room = self._context_tokens - max(len(rated.answer), len(others))
        return {
            "prompt_ids": rated.prompt_within(room),
            "completion_ids": rated.answer,
            "KL_completion_ids": others,
            "label": rated.desirable,
        }


def of_rated(example: Rated) -> Example:
    """Return an answer with its thumb, as KTO's table holds it."""
    return {"completion_ids": example.answer, "rated": example}


def of_pair(example: Pair) -> Example:
    """Return a pair, as DPO's table holds it."""
    return {"prompt_ids": example.prompt, "chosen_ids": example.chosen, "rejected_ids": example.rejected}


def tables_of(train: Sequence[Example], dev: Sequence[Example], plan: PreferPlan) -> dict[str, Table]:
    """Return the tables to learn from, `train`, and to measure on, `eval` where there is any."""
    size, context = plan.at_once, plan.context_tokens
    tables = {"train": Table(train, batches_of(len(train), size, plan.seed), context)}
    return tables | ({"eval": Table(dev, dev_batches(len(dev), size), context)} if dev else {})
