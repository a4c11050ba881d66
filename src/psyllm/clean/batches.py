"""The cleaning steps over a batch: a RecordBatch in, what stays, what goes and why out.

Rows that no step changed are handed on as they are; only changed ones are
built again. This is a pure function of its input, so that it gives the same
bytes in one process, in many, and on a cluster.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from psyllm.clean.drop import Drop
from psyllm.clean.reviewed import NO_DECISIONS, Decisions
from psyllm.clean.steps import Step
from psyllm.clean.tally import Tally
from psyllm.core.records import RECORD_SCHEMA, Record, from_row, to_row
from psyllm.core.tombstones import FORGOTTEN, NO_TOMBSTONES, Tombstones
from psyllm.text.pii import MARKS

MASKING = "mask_personal_data"
MEASURING = frozenset({"score_topic"})  # steps that note something about every record and mend none
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
    records: list[Record] = []
    places: list[int] = []
    changed: dict[int, Record] = {}
    dropped: list[dict[str, Any]] = []
    apart: list[int] = []
    is_old = batch.schema.names != RECORD_SCHEMA.names
    for place, row in enumerate(batch.to_pylist()):
        record = from_row(row)
        tally.read[record.source] += 1
        left = tombstones.left_of(record, row["content_hash"])
        if left is None:
            tally.drops[FORGOTTEN] += 1
            continue
        found, reason, stays_apart = decisions.apply(*_take_steps(left, steps, tally), steps, tally)
        if reason:
            tally.drops[reason] += 1
            tally.dropped_flags.update(f"{reason}/{flag}" for flag in found.flags)
            dropped.append({**to_row(found), "reason": reason, "duplicate_of": ""})
            continue
        if found is not record or is_old:
            changed[len(records)] = found
        if stays_apart:
            apart.append(len(records))
        places.append(place)
        records.append(found)
    return Cleaned(
        tuple(records),
        _rows(batch, places, changed),
        pa.RecordBatch.from_pylist(dropped, schema=DROPPED_SCHEMA),
        tuple(apart),
    )


def _rows(batch: pa.RecordBatch, places: Sequence[int], changed: dict[int, Record]) -> pa.RecordBatch:
    """Return the rows at `places` in order, those in `changed` (by their new place) built again."""
    built = pa.RecordBatch.from_pylist([to_row(record) for record in changed.values()], schema=RECORD_SCHEMA)
    if len(changed) == len(places):
        return built
    untouched = [place for new, place in enumerate(places) if new not in changed]
    if len(untouched) == batch.num_rows:
        return batch.replace_schema_metadata(RECORD_SCHEMA.metadata)
    parts = [batch.take(pa.array(untouched)).cast(RECORD_SCHEMA), built]
    order: list[int] = []
    next_untouched, next_built = 0, len(untouched)
    for new in range(len(places)):
        is_built = new in changed
        order.append(next_built if is_built else next_untouched)
        next_built += is_built
        next_untouched += not is_built
    table = pa.Table.from_batches(parts, schema=RECORD_SCHEMA).combine_chunks()
    whole: pa.RecordBatch = table.to_batches()[0].take(pa.array(order))
    return whole


def _take_steps(record: Record, steps: Sequence[Step], tally: Tally) -> tuple[Record, str]:
    """Return the record after all steps and no reason, or as it was when dropped and the reason."""
    for step in steps:
        result = step.apply(record)
        if isinstance(result, Drop):
            return record, result.reason
        if result is not record:
            if step.name not in MEASURING:
                tally.mended[step.name] += 1
            tally.other["answers_left_out"] += len(record.answers) - len(result.answers)
            if step.name == MASKING:
                tally.masked.update(_marks(result))
                tally.masked.subtract(_marks(record))
        record = result
    return record, ""


def _marks(record: Record) -> Counter[str]:
    texts = "\n".join(record.texts())
    return Counter({kind: texts.count(mark) for kind, mark in MARKS.items()})
