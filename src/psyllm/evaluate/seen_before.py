"""Which records of a split a model's base may have read, where only fingerprints of its texts are here.

In: the manifests of models, the corpus that is measured on, its split. Out: the
ids of records that open as something the base has read, or share many of their
runs with it: they are left out of the measuring, and their number is said. The
texts that other bases have read lie in this data folder, or nobody knows them;
`learnt_from` looks into those. A record too short for a sample of runs is found
by its opening alone. Nothing is measured here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from psyllm.core import embedded
from psyllm.core.fingerprints import FOLDER, INDEX, read_index, read_openings, read_runs
from psyllm.core.progress import track
from psyllm.core.records import read_records
from psyllm.core.stages import Manifest, Parent, file_hash
from psyllm.evaluate.learnt_from import learnt_from
from psyllm.text.known_text import comparable, measured, opening_alike, sharing

# Of the runs of a record or of its opening, as the sample has them. 555 records of the starter corpus: none
# is taken by chance; of 4,854 dialogues kept out of the training of the same source 1.3 % are, at 0.1 it
# were 9.6 % (python bench/leaks.py --fingerprints).
LEAST_SHARE = 0.2


class Seen(NamedTuple):
    """The base that was looked into and the ids of records it may have read; no base, nothing to look into.

    `too_short` are records that could be found by their opening only.
    """

    base: str = ""
    ids: frozenset[str] = frozenset()
    too_short: int = 0


NOTHING_SEEN = Seen()


def prints_to_look_into(models: Sequence[Manifest], corpus: Manifest) -> Parent | None:
    """Return the corpus that a base has read and whose fingerprints came with it, None where there is none.

    The split of that very corpus was kept from the base: it needs no looking.
    """
    read = {parent for model in models for parent in learnt_from(model).of_bases}
    found = (parent for parent in read if parent.content_hash != corpus.content_hash)
    return next((parent for parent in found if embedded.has_read(parent)), None)


def mark_of(prints: Parent | None) -> dict[str, str]:
    """Return what tells a report made with these fingerprints from one made without."""
    if prints is None:
        return {}
    return {"left_out_by": file_hash(embedded.folder() / FOLDER / INDEX)}


def seen_before(prints: Parent | None, corpus: Path, split: str) -> Seen:
    """Return which records of the split the base may have read."""
    if prints is None:
        return NOTHING_SEEN
    folder = embedded.folder()
    records = list(read_records(corpus, prefix=split))
    items = measured([record.opening() for record in records], [list(record.texts()) for record in records])
    seen = np.zeros(len(records), dtype=bool)
    short = np.zeros(len(records), dtype=bool)
    index = read_index(folder) or {}
    for source, counts in track(index.items(), "what the base has read", len(index)):
        bits = counts["sample_bits"]
        opens, begins = opening_alike(items, read_openings(folder, source), counts["opening_chars"])
        seen |= sharing(items, read_runs(folder, source, bits), LEAST_SHARE, bits) | opens | begins
        short |= ~comparable(items, bits)
    ids = frozenset(records[place].id for place in np.flatnonzero(seen))
    return Seen(embedded.NAME, ids, int((short & ~seen).sum()))


def said_of_seen(seen: Seen) -> dict[str, str]:
    """Return what `metrics.json` says of the base whose texts were looked for in the split, if any were."""
    return {"left_out_as_read_by": seen.base} if seen.base else {}
