"""What becomes of every cleaned record: a split, or the reason why it is left out.

The files of the cleaned run, the terms of its sources and the settings come in;
one word for each record goes out, in order. Reasons are looked for in this
order: the source's agreement has ended, the source has its cap, nothing allows
training on it where its group stands, it holds what is measured on (training
what dev and test ask, dev, which chooses the model, what test asks). Each record
has exactly one word, so that the counts add up. Crises are looked at while the
records are written (`splitting.py`), because some of them change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from psyllm.core.errors import EmptyCorpus
from psyllm.core.rated_answers import RatedAnswer
from psyllm.core.records import RECORD_SCHEMA, Record, batch_to_records
from psyllm.core.settings import CorpusSettings
from psyllm.corpus.caps import above_cap, most_of_each
from psyllm.corpus.columns import batches, runs_of
from psyllm.corpus.decontaminate import (
    HOLDS_ITEM,
    SHARED,
    Limits,
    Questions,
    contaminated,
    item_runs,
    training_batches,
)
from psyllm.corpus.evaluation_items import Item, need_items, read_items, set_names
from psyllm.corpus.grouping import Grouping, group_records, opening_texts
from psyllm.corpus.rated import leave_out_measured, sides_of_rated, without_rated
from psyllm.corpus.split import split
from psyllm.text.hashed_ngrams import Hashes

EXPIRED, ABOVE_CAP, MAY_NOT_TRAIN = "agreement_ended", "above_cap", "may_not_train"
# What each side must not hold. Dev first: what it loses is measured on no more.
_MEASURED_BY: dict[str, tuple[str, ...]] = {"dev": ("test",), "train": ("dev", "test")}


class Plan(NamedTuple):
    """One word for each record, how records belong together, and how many items of others were looked for.

    `rated` has one word for each rated answer (`rated.py`).
    """

    fates: list[str]
    grouping: Grouping
    evaluation_items: dict[str, int]
    rated: list[str]


def make_plan(
    paths: Sequence[Path],
    over: dict[str, str],
    settings: CorpusSettings,
    rated: Sequence[RatedAnswer] = (),
) -> Plan:
    """Return what becomes of the records of the cleaned files; `over` names ended agreements and their last day.

    Raises:
        EmptyCorpus: too little is there to split, or all of a side holds what is measured on.
        BadSetting: a cap names no source, or shares leave nothing.
        BadInput: an evaluation set can't be read.
    """
    fates = _before_grouping(paths, over, settings)
    asked = [row.record for row in rated]
    with_rated = group_records(lambda: chain(records_with(paths, fates, [""]), asked), settings)
    grouping = without_rated(with_rated, len(rated))
    found = split(grouping, settings)
    of_rated = sides_of_rated(with_rated, found, settings)
    sides = iter(found)
    fates = [fate or next(sides) or MAY_NOT_TRAIN for fate in fates]
    items = {name: _items(path) for name, path in set_names(settings.evaluation_sets).items()}
    before = set(fates)
    for side, measured in _MEASURED_BY.items():
        _leave_out_contaminated(paths, fates, side, measured, items, settings)
    _refuse_emptied(fates, before)
    outside = Questions([item.opening for each in items.values() for item in each])
    for side, measured in _MEASURED_BY.items():
        runs = partial(_measured_runs, paths, fates, measured, items)
        leave_out_measured(rated, of_rated, side, runs, outside, settings)
    of_rated = [
        EXPIRED if row.record.source in over else word for row, word in zip(rated, of_rated, strict=True)
    ]
    return Plan(fates, grouping, {name: len(each) for name, each in items.items()}, of_rated)


def records_with(paths: Sequence[Path], fates: Sequence[str], wanted: Sequence[str]) -> Iterator[Record]:
    """Yield the records that have one of the wanted words."""
    start = 0
    for batch in batches(paths, RECORD_SCHEMA.names):
        mask = [fate in wanted for fate in fates[start : start + batch.num_rows]]
        start += batch.num_rows
        rows = batch if all(mask) else batch.filter(pa.array(mask))
        yield from batch_to_records(rows)


def _before_grouping(paths: Sequence[Path], over: dict[str, str], settings: CorpusSettings) -> list[str]:
    ids: list[str] = []
    sources: list[str] = []
    for batch in batches(paths, ("id", "source")):
        ids += batch.column("id").to_pylist()
        sources += batch.column("source").to_pylist()
    fates = [EXPIRED if source in over else "" for source in sources]
    if ids and all(fates):
        ends = ", ".join(f"{source} on {day}" for source, day in over.items())
        message = f"the agreements of all sources have ended ({ends})"
        raise EmptyCorpus(
            message,
            "import a renewed one: psyllm collect import PATH --expires DATE --replace, then psyllm clean",
        )
    counts = Counter(source for source, fate in zip(sources, fates, strict=True) if not fate)
    # A cap may outlive its source: what has ended is no source any more, and no mistake of who wrote the cap.
    caps = {name: cap for name, cap in settings.caps.items() if name not in over}
    for source, most in most_of_each(counts, caps).items():
        if most == counts[source]:
            continue
        places = [place for place, name in enumerate(sources) if name == source and not fates[place]]
        for index in above_cap([ids[place] for place in places], most, settings.seed):
            fates[places[index]] = ABOVE_CAP
    return fates


def _items(path: Path) -> list[Item]:
    items = list(read_items(path))
    need_items(items, path)
    return items


def _leave_out_contaminated(
    paths: Sequence[Path],
    fates: list[str],
    side: str,
    measured: Sequence[str],
    items: dict[str, list[Item]],
    settings: CorpusSettings,
) -> None:
    """Change the words of a side's records that hold what is measured on: these sides and the items of others."""
    taken = np.array([fate == side for fate in fates])
    if not taken.any():
        return
    asked = (item.opening for each in items.values() for item in each)
    reasons = contaminated(
        training_batches(paths, taken),
        lambda: _measured_runs(paths, fates, measured, items),
        Questions([*_own_questions(paths, fates, measured), *asked]),
        Limits(settings.most_shared_13grams, settings.most_of_an_item),
        int(taken.sum()),
    )
    for place, among_all in enumerate(np.flatnonzero(taken)):
        if place in reasons:
            fates[among_all] = reasons[place]


def _refuse_emptied(fates: Sequence[str], before: set[str]) -> None:
    empty = [side for side in _MEASURED_BY if side in before and side not in fates]
    if empty:
        counts = Counter(fates)
        found = " and ".join(f"{counts[why]:,} ({why})" for why in (SHARED, HOLDS_ITEM) if counts[why])
        message = f"leaving out records that hold what is measured on, {found}, leaves nothing for: {', '.join(empty)}"
        raise EmptyCorpus(
            message,
            "collect more records; where all share one text, take it out or allow more: "
            "--set corpus.most_shared_13grams=0.5",
        )


def _measured_runs(
    paths: Sequence[Path], fates: Sequence[str], measured: Sequence[str], items: dict[str, list[Item]]
) -> Iterator[Hashes]:
    held_out = np.array([fate in measured for fate in fates])
    for batch in training_batches(paths, held_out)():
        yield runs_of(batch).hashes
    for each in items.values():
        yield from item_runs(each)


def _own_questions(paths: Sequence[Path], fates: Sequence[str], measured: Sequence[str]) -> Iterator[str]:
    for record in records_with(paths, fates, measured):
        if record.kind != "document":
            yield from opening_texts(record)
