"""Which records of a split a model's bases have read, or may have read: they are left out of the measuring.

In: the manifests of models, the corpus that is measured on, its split. Out: the
ids of records that stand in the training or dev split of another corpus of this
data folder from which a base has learnt, word for word (`learnt_from`); and of
those that open as something the package's base has read, or share many runs
with it, where only fingerprints of its texts are here. Also rated answers are
looked for. Their number is said, and which bases could not be looked into. A
record too short for a sample of runs is found by its opening alone. Nothing is
measured here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from psyllm.core import embedded
from psyllm.core.fingerprints import FOLDER, INDEX, read_index, read_openings, read_runs
from psyllm.core.progress import track
from psyllm.core.rated_answers import rated_prefix, read_rated
from psyllm.core.records import read_records
from psyllm.core.stages import Manifest, Parent, file_hash
from psyllm.evaluate.learnt_from import Look, held_by, learnt_from
from psyllm.text.known_text import comparable, measured, opening_alike, sharing

# Of the runs of a record or of its opening, as the sample has them. 555 records of the starter corpus: none
# is taken by chance; of 4,854 dialogues kept out of the training of the same source 1.3 % are, at 0.1 it
# were 9.6 % (python bench/leaks.py --fingerprints).
LEAST_SHARE = 0.2


class Seen(NamedTuple):
    """The ids of records that a base has read or may have read, rated ones as well, and what was looked into.

    `base` is the one whose fingerprints were, or empty; `too_short` are records that could be found by
    their opening only. `corpora` are those of bases that lie here, each with how many records of the
    split it holds. Of `unchecked` nobody can say what they hold.
    """

    base: str = ""
    ids: frozenset[str] = frozenset()
    too_short: int = 0
    corpora: Mapping[str, int] = MappingProxyType({})
    unchecked: Sequence[str] = ()


NOTHING_SEEN = Seen()


def prints_to_look_into(models: Sequence[Manifest], corpus: Manifest) -> Parent | None:
    """Return the corpus that a base has read and whose fingerprints came with it, None where there is none.

    The split of that very corpus was kept from the base: it needs no looking.
    """
    read = {parent for model in models for parent in learnt_from(model).of_bases}
    found = (parent for parent in read if parent.content_hash != corpus.content_hash)
    return next((parent for parent in found if embedded.has_read(parent)), None)


def mark_of(prints: Parent | None, look: Look | None = None) -> dict[str, object]:
    """Return what tells a report made with these fingerprints and corpora from one made without."""
    mark: dict[str, object] = {}
    if prints is not None:
        mark["left_out_by"] = file_hash(embedded.folder() / FOLDER / INDEX)
    if look is not None and look.here:
        mark["looked_into"] = [parent.content_hash for parent in look.here]
    if look is not None and look.unchecked:
        mark["not_looked_into"] = list(look.unchecked)
    return mark


def seen_by_bases(prints: Parent | None, look: Look, corpus: Path, split: str) -> Seen:
    """Return which records of the split any base has read or may have read; other corpora lie beside this one."""
    seen = seen_before(prints, corpus, split)._replace(unchecked=look.unchecked)
    if not look.here:
        return seen
    records = list(read_records(corpus, prefix=split))
    of_split = {record.id for record in records}
    records += [row.record for row in read_rated(corpus, prefix=rated_prefix(split))]
    held = {parent.run: held_by(corpus.parent / parent.run, records) for parent in look.here}
    return seen._replace(
        ids=seen.ids.union(*held.values()),
        corpora={run: len(ids & of_split) for run, ids in held.items()},
    )


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


def said_of_seen(seen: Seen) -> dict[str, object]:
    """Return what `metrics.json` says of the bases whose texts were looked for in the split, if any were."""
    said: dict[str, object] = {"left_out_as_read_by": seen.base} if seen.base else {}
    if seen.corpora:
        said["left_out_as_held_by_corpora"] = dict(seen.corpora)
    return {**said, "bases_not_checked_for_leaks": list(seen.unchecked)}
