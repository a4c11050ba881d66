"""Writing the splits: each record into the files of its side, a crisis looked at on the way.

Cleaned files and a word for each record come in; `train-*`, `dev-*` and
`test-*` go out, one for each cleaned file, rows in their order and as they are,
but for those that `crisis.py` answers anew or leaves out: their word changes.
A batch of rows is in memory at a time.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from psyllm.core.progress import report
from psyllm.core.records import RECORD_SCHEMA, from_row, to_row
from psyllm.corpus.columns import batches
from psyllm.corpus.crisis import Policy, is_crisis, treat
from psyllm.corpus.split import SPLITS

CRISIS_IGNORED = "crisis_passed_over"


class Written(NamedTuple):
    """The words after writing, rows of each side, and what became of crises, by side and outcome."""

    fates: list[str]
    rows: Counter[str]
    crises: dict[str, Counter[str]]


def write_splits(paths: Sequence[Path], fates: Sequence[str], folder: Path, policy: Policy) -> Written:
    """Write the rows of each side; a row whose word is no side is written nowhere."""
    written = Written(list(fates), Counter(), {side: Counter() for side in SPLITS})
    start = 0
    for number, path in enumerate(paths):
        with contextlib.ExitStack() as open_files:
            writers: dict[str, pq.ParquetWriter] = {}
            for batch in batches([path], RECORD_SCHEMA.names):
                table = _treated(pa.Table.from_batches([batch]), start, written, policy)
                here = written.fates[start : start + batch.num_rows]
                start += batch.num_rows
                for side in SPLITS:
                    rows = table.filter(pa.array([fate == side for fate in here]))
                    if not rows.num_rows:
                        continue
                    if side not in writers:
                        target = folder / f"{side}-{number:05d}.parquet"
                        writers[side] = open_files.enter_context(
                            pq.ParquetWriter(target, RECORD_SCHEMA, compression="zstd", compression_level=3)
                        )
                    writers[side].write_table(rows)
                    written.rows[side] += rows.num_rows
                report("write splits", start, len(fates))
    return written


def _treated(table: pa.Table, start: int, written: Written, policy: Policy) -> pa.Table:
    """Return the rows with those of crises as they are to be written; words of what is left out change."""
    flags = table.column("flags").to_pylist()
    places = [
        place
        for place, row_flags in enumerate(flags)
        if written.fates[start + place] in SPLITS and is_crisis(row_flags or ())
    ]
    order = np.arange(table.num_rows)
    changed: list[dict[str, Any]] = []
    for place, row in zip(places, table.take(pa.array(places, pa.int64())).to_pylist(), strict=True):
        side = written.fates[start + place]
        record = from_row(row)
        treated = treat(record, policy)
        counts = written.crises[side]
        counts[treated.outcome] += 1
        counts["answers_left_out"] += treated.answers_left_out
        if treated.record is None:
            written.fates[start + place] = CRISIS_IGNORED
        elif treated.record is not record:
            order[place] = table.num_rows + len(changed)
            changed.append(to_row(treated.record))
    if not changed:
        return table
    table = table.cast(RECORD_SCHEMA)
    return pa.concat_tables([table, pa.Table.from_pylist(changed, schema=RECORD_SCHEMA)]).take(
        pa.array(order)
    )
