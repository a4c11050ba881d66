"""How much a text is about people's troubles and minds: a number from 0 to 1.

A record comes in; the same with `topic_score` goes out, from a learnt score of
character pairs and triples (`topic.npz`, made by `bench/topic.py`). It knows counselling
and articles on mental health from newspapers and reviews of goods; it does not know what a text says. Sources of
general text, wanted as such, are left alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from psyllm.clean.drop import Drop
from psyllm.clean.linear_score import load_score
from psyllm.core.records import Record

REASON = "off_topic"
WEIGHTS = Path(__file__).parent / "topic.npz"
GENERAL = "general"  # the name of the source that `train.general_share` takes from


def score_topic(record: Record, *, least: float) -> Record | Drop:
    """Do `score_topics` with one record."""
    return score_topics([record], least=least)[0]


def score_topics(records: Sequence[Record], *, least: float) -> list[Record | Drop]:
    """Put the topic score on each record; drop a document below the floor, and nothing else."""
    scores = load_score(WEIGHTS).of_all(["\n".join(record.texts()) for record in records])
    return [_scored(record, as_share(score), least) for record, score in zip(records, scores, strict=True)]


def _scored(record: Record, score: float, least: float) -> Record | Drop:
    if record.source == GENERAL:
        return record
    if record.kind == "document" and score < least:
        return Drop(REASON)
    return record if score == record.topic_score else record.model_copy(update={"topic_score": score})


def as_share(score: float) -> float:
    """Return a score, which has no bounds, as a number from 0 to 1, to three digits."""
    return round(1 / (1 + math.exp(-max(-60.0, min(60.0, score)))), 3)
