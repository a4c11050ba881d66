"""Counselling that gives itself away as a text model's: "as an AI …", refusals, slips of the tongue.

What the counselling side says comes in; a dialogue with such a sentence is
dropped, an answer with one is taken out of its question. A model trained on it would say the
same to somebody in need. Good and bad advice are not told apart here.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from psyllm.clean.drop import Drop
from psyllm.clean.rule_rows import RuleTable, read_table
from psyllm.core.records import Record

REASON = "model_voice"
TABLE = Path(__file__).parent / "model_voice.toml"


@functools.cache
def voices() -> RuleTable:
    """Return the rows of the table."""
    return read_table(TABLE, "voice")


def may_be_model_voice(records: Sequence[Record]) -> list[bool]:
    """Return which records `leave_out_model_voice` has to look at: one look at all of them at once."""
    return voices().may_match_any(["\n".join(record.replies()) for record in records])


def leave_out_model_voice(record: Record) -> Record | Drop:
    """Drop a dialogue in which the counselling side speaks as a model; take such answers out."""
    said = "\n".join(turn.text for turn in record.turns if turn.role == "counsellor")
    if said and voices().matching(said):
        return Drop(REASON)
    kept = tuple(answer for answer in record.answers if not voices().matching(answer.text))
    if len(kept) == len(record.answers):
        return record
    return record.model_copy(update={"answers": kept}) if kept else Drop(REASON)
