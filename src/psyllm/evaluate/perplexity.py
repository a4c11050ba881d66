"""How well a model foretells what counsellors said: perplexity and its kin.

In: test questions with their people's answers, and a model folder. Out: for
each record the negative log-likelihood of the last counsellor's turn, and from
all of them the figures with intervals. Token perplexities of models with
different vocabularies can't be compared; nats and bits per character and bits
per byte can. The mark that ends the answer is foretold too and counts as a
token, but it has no characters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from psyllm.evaluate.intervals import Interval, ratio_interval
from psyllm.evaluate.questions import Asked
from psyllm.lm.score import score


class Surprise(NamedTuple):
    """What a model makes of one record's answers, added up."""

    nll_nats: float
    tokens: int
    chars: int
    bytes: int


def surprises(model: Path, asked: Sequence[Asked], threads: int) -> list[Surprise]:
    """Return the surprise of each record; a question with several answers counts them all."""
    dialogues = [dialogue for question in asked for dialogue in question.dialogues()]
    scores = iter(score(model, dialogues, threads=threads))
    found = []
    for question in asked:
        of_answers = [next(scores) for _ in question.references]
        found.append(
            Surprise(
                nll_nats=math.fsum(one.nll_nats for one in of_answers),
                tokens=sum(one.tokens for one in of_answers),
                chars=sum(one.chars for one in of_answers),
                bytes=sum(
                    len(text[: one.chars].encode())
                    for text, one in zip(question.references, of_answers, strict=True)
                ),
            )
        )
    return found


def perplexity_figures(found: Sequence[Surprise], *, samples: int, seed: int) -> dict[str, Interval]:
    """Return perplexity per token, nats and bits per character and bits per byte, over all records."""
    nats = [one.nll_nats for one in found]

    def per(counts: list[int]) -> Interval:
        return ratio_interval(nats, counts, samples=samples, seed=seed)

    per_char = per([one.chars for one in found])
    return {
        "perplexity_tokens": per([one.tokens for one in found]).exponential(),
        "nats_per_char": per_char,
        "bits_per_char": per_char.scaled(1 / math.log(2)),
        "bits_per_byte": per([one.bytes for one in found]).scaled(1 / math.log(2)),
    }
