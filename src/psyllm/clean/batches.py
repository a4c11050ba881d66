"""The cleaning steps over a batch: a RecordBatch in, what stays, what goes and why out.

Rows that no step changed are handed on as they are; only changed ones are
built again. This is a pure function of its input, so that it gives the same
bytes in one process, in many, and on a cluster.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from psyllm.clean.drop import Drop
from psyllm.clean.reviewed import NO_DECISIONS, Decisions
from psyllm.clean.step import Step
from psyllm.clean.tally import Tally
from psyllm.core.records import RECORD_SCHEMA, Record, batch_to_records, records_to_batch, to_row
from psyllm.core.tombstones import FORGOTTEN, NO_TOMBSTONES, Tombstones
from psyllm.text.pii import MARKS

MASKING = "mask_personal_data"
MEASURING = frozenset({"score_topic"})  # steps that note something about every record and mend none
NOTING = MEASURING | {"mark_minors", "mark_level"}  # steps that change nothing but the fields NOTED
NOTED = ("flags", "topic_score")
DROPPED_SCHEMA = RECORD_SCHEMA.append(pa.field("reason", pa.string())).append(
    pa.field("duplicate_of", pa.string())
)


class Cleaned(NamedTuple):
    """What a batch became: `records` and `kept` are the same rows, `dropped` has DROPPED_SCHEMA.

    `apart` are the places of records that people keep beside their near duplicates.
    """

    records: tuple[Record, ...]
    kept: pa.RecordBatch
    dropped: pa.RecordBatch
    apart: tuple[int, ...] = ()


def clean_batch(
    batch: pa.RecordBatch,
    steps: Sequence[Step],
    tally: Tally,
    tombstones: Tombstones = NO_TOMBSTONES,
    decisions: Decisions = NO_DECISIONS,
) -> Cleaned:
    """Return the batch after all steps and what people decided; what happened is added to `tally`.

    What was forgotten is neither kept nor among the dropped: it is only counted.
    """
    read = batch_to_records(batch)
    hashes = batch.column("content_hash").to_pylist()
    left = [tombstones.left_of(record, words) for record, words in zip(read, hashes, strict=True)]
    tally.read.update(record.source for record in read)
    tally.drops.update(FORGOTTEN for record in left if record is None)
    places = [place for place, record in enumerate(left) if record is not None]
    taken = iter(_take_steps([record for record in left if record is not None], steps, tally))
    is_old = batch.schema.names != RECORD_SCHEMA.names
    kept = _Kept()
    dropped: list[dict[str, Any]] = []
    for place, (result, why, is_mended) in zip(places, taken, strict=True):
        found, reason, stays_apart = decisions.apply(result, why, steps, tally)
        if reason:
            tally.drops[reason] += 1
            tally.dropped_flags.update(f"{reason}/{flag}" for flag in found.flags)
            dropped.append({**to_row(found), "reason": reason, "duplicate_of": ""})
            continue
        is_built = is_mended or is_old or found is not result or left[place] is not read[place]
        kept.add(place, found, is_built=is_built, is_apart=stays_apart)
    return Cleaned(
        tuple(kept.records),
        _rows(batch, kept),
        pa.RecordBatch.from_pylist(dropped, schema=DROPPED_SCHEMA),
        tuple(kept.apart),
    )


class _Kept:
    """What stays, in order: records, their old places, and by their new places what is built again, what stands apart."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.places: list[int] = []
        self.built: list[int] = []
        self.apart: list[int] = []

    def add(self, place: int, record: Record, *, is_built: bool, is_apart: bool) -> None:
        new = len(self.records)
        self.built += [new] if is_built else []
        self.apart += [new] if is_apart else []
        self.records.append(record)
        self.places.append(place)


def _rows(batch: pa.RecordBatch, kept: _Kept) -> pa.RecordBatch:
    """Return the rows of what stays: those to be built again from their records, of others only what was noted."""
    built = records_to_batch([kept.records[new] for new in kept.built])
    if len(kept.built) == len(kept.records):
        return built
    is_built = set(kept.built)
    untouched = [new for new in range(len(kept.records)) if new not in is_built]
    taken = batch.take(pa.array([kept.places[new] for new in untouched]))
    rows = _with_notes(taken, [kept.records[new] for new in untouched])
    if not kept.built:
        return rows
    table = pa.Table.from_batches([rows, built], schema=RECORD_SCHEMA).combine_chunks()
    whole: pa.RecordBatch = table.to_batches()[0].take(pa.array(np.argsort([*untouched, *kept.built])))
    return whole


def _with_notes(rows: pa.RecordBatch, records: Sequence[Record]) -> pa.RecordBatch:
    """Return the rows with what steps noted about their records."""
    rows = rows.cast(RECORD_SCHEMA)
    for name in NOTED:
        place = RECORD_SCHEMA.get_field_index(name)
        field = RECORD_SCHEMA.field(place)
        values = pa.array([getattr(record, name) for record in records], field.type)
        rows = rows.set_column(place, field, values)
    return rows


class _Taken(NamedTuple):
    """A record after all steps and no reason, or as it was when dropped and the reason; whether steps mended it."""

    record: Record
    reason: str
    is_mended: bool


def _take_steps(records: Sequence[Record], steps: Sequence[Step], tally: Tally) -> list[_Taken]:
    """Take each step with all records that are still there."""
    now = list(records)
    reasons = [""] * len(now)
    mended: set[int] = set()
    there = list(range(len(now)))
    for step in steps:
        before = [now[place] for place in there]
        results = step.take(before)
        if all(map(operator.is_, results, before)):
            continue
        still = []
        for place, old, result in zip(there, before, results, strict=True):
            if isinstance(result, Drop):
                reasons[place] = result.reason
                continue
            still.append(place)
            if result is not old:
                now[place] = result
                mended.update([place] if step.name not in NOTING else [])
                _count(step, old, result, tally)
        there = still
    return [
        _Taken(record, reason, place in mended)
        for place, (record, reason) in enumerate(zip(now, reasons, strict=True))
    ]


def _count(step: Step, old: Record, new: Record, tally: Tally) -> None:
    if step.name not in MEASURING:
        tally.mended[step.name] += 1
    tally.other["answers_left_out"] += len(old.answers) - len(new.answers)
    if step.name == MASKING:
        tally.masked.update(_marks(new))
        tally.masked.subtract(_marks(old))


def _marks(record: Record) -> Counter[str]:
    texts = "\n".join(record.texts())
    return Counter({kind: texts.count(mark) for kind, mark in MARKS.items()})
