"""Writing the splits: each record into the files of its side, a crisis looked at on the way.

Cleaned files and a word for each record come in; `train-*`, `dev-*` and
`test-*` go out, one for each cleaned file, rows in their order and as they are,
but for those that `crisis.py` answers anew or leaves out: their word changes.
Only training is answered anew, and only so often with one text: what a model is
measured by would else stand word for word in what it learns, and a handful of
texts would be learnt by heart. Training's crises are therefore looked at once
before, to know which reply each gets. A batch of rows is in memory at a time.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from psyllm.core.progress import report
from psyllm.core.records import RECORD_SCHEMA, Record, from_row, to_row
from psyllm.corpus.columns import batches
from psyllm.corpus.crisis import Policy, is_crisis, treat
from psyllm.corpus.split import SPLITS

CRISIS_IGNORED = "crisis_passed_over"
CRISIS_UNREVIEWED = "crisis_not_reviewed"
CRISIS_NOT_FOUND = "crisis_not_found"
REPLY_REPEATED = "crisis_reply_repeated"
_LEFT_OUT_AS = {"unreviewed": CRISIS_UNREVIEWED, "not_found": CRISIS_NOT_FOUND}
# Of all of SmileChat 1,596 training records (4.6 %) would end in one of seven texts; at most 280 do.
MOST_OF_ONE_REPLY = 40


class Written(NamedTuple):
    """The words after writing, rows of each side, what became of crises by side, places whose reply is common."""

    fates: list[str]
    rows: Counter[str]
    crises: dict[str, Counter[str]]
    repeated: frozenset[int]


def write_splits(paths: Sequence[Path], fates: Sequence[str], folder: Path, policy: Policy) -> Written:
    """Write the rows of each side; a row whose word is no side is written nowhere."""
    written = Written(
        list(fates), Counter(), {side: Counter() for side in SPLITS}, _repeated(paths, fates, policy)
    )
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
    order = np.arange(table.num_rows)
    changed: list[dict[str, Any]] = []
    for place, record in _crises(table, written.fates[start : start + table.num_rows], SPLITS):
        side = written.fates[start + place]
        counts = written.crises[side]
        if start + place in written.repeated:
            counts["reply_repeated"] += 1
            written.fates[start + place] = REPLY_REPEATED
            continue
        treated = treat(record, policy if side == "train" or policy == "keep" else "leave_out")
        counts[treated.outcome] += 1
        counts["answers_left_out"] += treated.answers_left_out
        if treated.record is None:
            written.fates[start + place] = _LEFT_OUT_AS.get(treated.outcome, CRISIS_IGNORED)
        elif treated.record is not record:
            order[place] = table.num_rows + len(changed)
            changed.append(to_row(treated.record))
    if not changed:
        return table
    table = table.cast(RECORD_SCHEMA)
    return pa.concat_tables([table, pa.Table.from_pylist(changed, schema=RECORD_SCHEMA)]).take(
        pa.array(order)
    )


def _crises(table: pa.Table, fates: Sequence[str], wanted: Sequence[str]) -> Iterator[tuple[int, Record]]:
    """Yield the place in the table and the record of each crisis that has one of the wanted words."""
    flags = table.column("flags").to_pylist()
    places = [place for place, found in enumerate(flags) if fates[place] in wanted and is_crisis(found or ())]
    rows = table.take(pa.array(places, pa.int64())).to_pylist()
    yield from zip(places, map(from_row, rows), strict=True)


def _repeated(paths: Sequence[Path], fates: Sequence[str], policy: Policy) -> frozenset[int]:
    """Return the places of records whose new reply enough others have already; which, their ids' hashes say."""
    if policy != "reanswer":
        return frozenset()
    places: dict[str, list[tuple[str, int]]] = defaultdict(list)
    start = 0
    for batch in batches(paths, RECORD_SCHEMA.names):
        here = fates[start : start + batch.num_rows]
        for place, record in _crises(pa.Table.from_batches([batch]), here, ["train"]):
            treated = treat(record, policy)
            if treated.record is not None and treated.outcome == "reanswered":
                mark = hashlib.sha256(record.id.encode()).hexdigest()
                places[_last_words(treated.record)].append((mark, start + place))
        start += batch.num_rows
    return frozenset(place for ranked in places.values() for _, place in sorted(ranked)[MOST_OF_ONE_REPLY:])


def _last_words(record: Record) -> str:
    return record.answers[-1].text if record.answers else record.turns[-1].text
