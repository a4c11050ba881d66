"""How much a text is about people's troubles and minds: a number from 0 to 1.

A record comes in; the same with `topic_score` goes out, from a learnt score of
character pairs and triples (`topic.npz`, made by `bench/topic.py`). It knows counselling
and articles on mental health from newspapers and reviews of goods; it does not know what a text says. Sources of
general text, wanted as such, are left alone.
"""

from __future__ import annotations

import math
from pathlib import Path

from psyllm.clean.drop import Drop
from psyllm.clean.linear_score import load_score
from psyllm.core.records import Record

REASON = "off_topic"
WEIGHTS = Path(__file__).parent / "topic.npz"
GENERAL = "general"  # the name of the source that `train.general_share` takes from


def score_topic(record: Record, *, least: float) -> Record | Drop:
    """Put the topic score on the record; drop a document below the floor, and nothing else."""
    if record.source == GENERAL:
        return record
    score = topic_score("\n".join(record.texts()))
    if record.kind == "document" and score < least:
        return Drop(REASON)
    return record if score == record.topic_score else record.model_copy(update={"topic_score": score})


def topic_score(text: str) -> float:
    """Return how much a text is about troubles and minds, 0 to 1, to three digits."""
    return as_share(load_score(WEIGHTS).of(text))


def as_share(score: float) -> float:
    """Return a score, which has no bounds, as a number from 0 to 1."""
    return round(1 / (1 + math.exp(-max(-60.0, min(60.0, score)))), 3)
