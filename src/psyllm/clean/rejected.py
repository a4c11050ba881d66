"""What people rejected, among the records that are compared, so that nothing nearly the same stays for it.

The shards after mending come in; one more shard of the work goes out, with the
records that were dropped as rejected and their signatures. It stands for its
near duplicates before every record that nobody reviewed, and is written nowhere.
Equal words are rejected in `reviewed.py` already.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from psyllm.clean.reviewed import REASON
from psyllm.clean.rows import BatchFile
from psyllm.clean.shards import DROPPED, MENDED, Shard
from psyllm.clean.signatures import REJECTED_WORTH, save, sign
from psyllm.core.records import RECORD_SCHEMA, from_row


def rejected_shard(shards: Sequence[Shard]) -> Shard | None:
    """Write the shard of what was rejected, None where nothing was; its number follows the last."""
    if not any(review.verdict == "reject" for shard in shards[:1] for review in shard.reviews.values()):
        return None
    tables = [_rejected_of(shard) for shard in shards if (shard.work / DROPPED).exists()]
    table = pa.concat_tables(tables) if tables else RECORD_SCHEMA.empty_table()
    if not table.num_rows:
        return None
    shard = shards[0]._replace(number=len(shards), rows=table.num_rows)
    shutil.rmtree(shard.work, ignore_errors=True)  # of a run that was stopped
    shard.work.mkdir()
    with BatchFile(shard.work / MENDED, RECORD_SCHEMA) as file:
        for batch in table.to_batches():
            file.write(batch)
    records = [from_row(row) for row in table.to_pylist()]
    signatures = sign(records, table.column("content_hash").to_pylist())
    worths = np.full(len(records), REJECTED_WORTH, dtype=np.uint64)
    save(shard.work, signatures._replace(worths=worths))
    return shard


def _rejected_of(shard: Shard) -> pa.Table:
    dropped = pq.read_table(shard.work / DROPPED)
    found: pa.Table = dropped.filter(pc.equal(dropped.column("reason"), REASON)).select(RECORD_SCHEMA.names)
    return found.cast(RECORD_SCHEMA)
