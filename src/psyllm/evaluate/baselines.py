"""Answers that need no model, so that the model's figures mean something.

In: the questions measured and those of the training split. Out: for each
question measured, a training answer drawn at random, and the answer to the
nearest training question. A test record is never looked up. Neither says
anything of what a visitor is shown: `serve` looks in the bundled texts only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from psyllm.core.progress import report
from psyllm.evaluate.questions import Asked
from psyllm.text.nearest import Entry, NearestTexts


class Found(NamedTuple):
    """An answer taken from a training record; `match` is 0 to 1, None for a random one."""

    text: str
    record: str
    match: float | None


def random_answers(asked: Sequence[Asked], training: Sequence[Asked], seed: int) -> list[Found]:
    """Return one training answer for each question, drawn evenly with return."""
    places = np.random.default_rng(seed).integers(len(training), size=len(asked))
    chosen = [training[place] for place in places.tolist()]
    return [Found(question.references[0], question.id, None) for question in chosen]


def nearest_answers(asked: Sequence[Asked], training: Sequence[Asked]) -> list[Found]:
    """Return for each question the first answer to the nearest training question; empty if none matches."""
    report("index training questions", 0, 1)
    by_key = {question.id: question for question in training}
    nearest = NearestTexts([Entry(question.id, question.question()) for question in training])
    report("index training questions", 1, 1)
    return [_nearest(question, nearest, by_key) for question in asked]


def _nearest(question: Asked, nearest: NearestTexts, by_key: dict[str, Asked]) -> Found:
    matches = nearest.find(question.question(), k=1)
    if not matches:
        return Found("", "", 0.0)
    return Found(by_key[matches[0].key].references[0], matches[0].key, matches[0].score)
