"""Drawing a sample of a cleaned run for people to review.

The run of `2_cleaned` in use comes in; a sample of its rows goes out, kept ones
by source, kind, level of danger and whether a minor speaks, dropped ones by
reason, and those of risk and of minors apart. Dangerous strata and small ones get more than their share, and each gets
at least one row, so weights must go with every figure made from it. Within a
stratum the rows with the smallest hashes are taken: the same seed draws the same
rows, and a larger sample holds the smaller one. What people read in an earlier
run is not drawn from again: the rejected have left since, and those that they
accepted would make all rows look better. No text is kept. Deciding is
done at the desk (`serve`), applying in `reviewed.py`.
"""

from __future__ import annotations

import hashlib
import heapq
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from psyllm.clean.reviewed import REASON
from psyllm.clean.steps import LEVEL_FLAG
from psyllm.core.errors import EmptyCorpus
from psyllm.core.progress import track
from psyllm.core.records import readable
from psyllm.core.review_sample import (
    MINOR_FLAGS,
    Sample,
    SampleItem,
    Side,
    Stratum,
    item_name,
    read_sample,
    write_sample,
)
from psyllm.core.stages import Stage, need_current
from psyllm.safety.levels import Level

DROPPED_SHARE = 0.25
_SIDES: tuple[Side, Side] = ("kept", "dropped")
# So much more than a harmless stratum of its size gets one in which a crisis or a minor may be.
RISK_WEIGHT = 3.0
_MINOR_RISK = 1  # read after every danger, before the rest
# People have read it, or read its words where they stay.
_NOT_DRAWN = frozenset({REASON, "exact_duplicate"})
_COLUMNS = ["id", "source", "kind", "flags", "content_hash"]
ROWS_AT_ONCE = 4096


class _Row(NamedTuple):
    """A row that may be drawn; `order` is its hash under the seed."""

    order: str
    file: str
    row: int
    id: str
    words: str


@dataclass
class _Found:
    """How many rows a stratum has so far, and those with the smallest hashes, the largest of them first."""

    stratum: Stratum
    rows: list[tuple[int, _Row]]
    population: int = 0


def draw(data: Path, size: int, seed: int, decided: Collection[str] = ()) -> Sample:
    """Draw about `size` rows of the run in use and write the sample; items named in `decided` stay in it.

    Raises:
        MissingStage: nothing was cleaned yet.
        EmptyCorpus: the run has no row.
        MalformedInput: the earlier sample can't be read, and decided items must not be lost.
    """
    folder, manifest = need_current(data, Stage.CLEANED)
    earlier = read_sample(data)
    found = _look_through(folder, size, seed, _read_before(manifest.run, earlier, decided))
    if not found:
        message = f"{folder} has no record to review"
        raise EmptyCorpus(message, f"run: psyllm clean --data {shlex.quote(str(data))}")
    drawn = [
        SampleItem(
            run=manifest.run,
            file=row.file,
            row=row.row,
            id=row.id,
            words=row.words,
            stratum=one.stratum.key,
            risk=_risk(one.stratum),
        )
        for one, count in zip(found, _shares([one.stratum for one in found], size), strict=True)
        for row in sorted(row for _, row in one.rows)[:count]
    ]
    sample = Sample(
        run=manifest.run,
        seed=seed,
        strata=tuple(one.stratum for one in found),
        items=_with_decided(drawn, earlier, decided),
    )
    write_sample(data, sample)
    return sample


def allocate(weights: Sequence[float], populations: Sequence[int], size: int) -> list[int]:
    """Return how many rows each stratum gives: at least one, at most all, the rest by weight.

    The sum is `size`, more where the strata are more, less where the rows are fewer.
    """
    given = [min(1, population) for population in populations]
    # The next row goes where it is most lacking (Sainte-Lague's divisors).
    waiting = [
        (-weight / (2 * given[place] + 1), place)
        for place, weight in enumerate(weights)
        if given[place] < populations[place]
    ]
    heapq.heapify(waiting)
    while waiting and sum(given) < size:
        _, place = heapq.heappop(waiting)
        given[place] += 1
        if given[place] < populations[place]:
            heapq.heappush(waiting, (-weights[place] / (2 * given[place] + 1), place))
    return given


def _shares(strata: Sequence[Stratum], size: int) -> list[int]:
    """Return how many rows each stratum gives; what one side can't fill goes to the other."""
    rows = {side: sum(one.population for one in strata if one.side == side) for side in _SIDES}
    dropped = min(max(round(size * DROPPED_SHARE), size - rows["kept"]), rows["dropped"])
    counts: dict[str, int] = {}
    for side, part in zip(_SIDES, (size - dropped, dropped), strict=True):
        own = [one for one in strata if one.side == side]
        given = allocate([_weight(one) for one in own], [one.population for one in own], part)
        counts |= {one.key: count for one, count in zip(own, given, strict=True)}
    return [counts[one.key] for one in strata]


def _weight(stratum: Stratum) -> float:
    # Between equal shares (best for the rare) and proportional ones (best for the whole).
    weight: float = stratum.population**0.5
    return weight * (RISK_WEIGHT if _risk(stratum) else 1.0)


def _risk(stratum: Stratum) -> int:
    level = int(Level.of(stratum.level)) if stratum.level else 0
    if level >= Level.RISK:
        return level
    return _MINOR_RISK if stratum.minor else 0


def _read_before(run: str, earlier: Sample | None, decided: Collection[str]) -> frozenset[str]:
    """Return the items of other runs on which somebody has decided."""
    items = earlier.items if earlier is not None else ()
    return frozenset(one.item for one in items if one.run != run and one.item in decided)


def _look_through(folder: Path, most: int, seed: int, passed_over: Collection[str]) -> list[_Found]:
    """Return every stratum of a run with its `most` first rows by hash, in the order of their names."""
    found: dict[str, _Found] = {}
    paths = sorted(folder.glob("part-*.parquet")) + sorted(folder.glob("dropped-*.parquet"))
    for path in track(paths, "draw", len(paths)):
        for place, row in enumerate(_rows(path)):
            stratum = _stratum_of(row)
            if stratum.reason in _NOT_DRAWN:
                continue
            if passed_over and item_name(row["id"], row["content_hash"]) in passed_over:
                continue
            one = found.setdefault(stratum.key, _Found(stratum, []))
            one.population += 1
            order = hashlib.sha256(f"{seed}\x1f{row['id']}\x1f{row['content_hash']}".encode()).hexdigest()
            drawn = _Row(order, path.name, place, row["id"], row["content_hash"])
            entry = (-int(order, 16), drawn)
            if len(one.rows) < most:
                heapq.heappush(one.rows, entry)
            else:
                heapq.heappushpop(one.rows, entry)
    for one in found.values():
        one.stratum = one.stratum.model_copy(update={"population": one.population})
    return [found[key] for key in sorted(found)]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with readable(path), pq.ParquetFile(path) as file:
        names = [*_COLUMNS, *(["reason"] if "reason" in file.schema_arrow.names else [])]
        for batch in file.iter_batches(batch_size=ROWS_AT_ONCE, columns=names, use_threads=False):
            yield from batch.to_pylist()


def _stratum_of(row: Mapping[str, Any]) -> Stratum:
    reason = row.get("reason") or ""
    flags = row["flags"] or ()
    level = next((flag.removeprefix(LEVEL_FLAG) for flag in flags if flag.startswith(LEVEL_FLAG)), "")
    minor = not MINOR_FLAGS.isdisjoint(flags)
    if reason:
        # Reasons are many, and every stratum gives a row: distress is no stratum of its own here.
        is_risk = bool(level) and Level.of(level) >= Level.RISK
        return Stratum(side="dropped", level=level if is_risk else "", minor=minor, reason=reason)
    return Stratum(side="kept", source=row["source"], kind=row["kind"], level=level, minor=minor)


def _with_decided(
    drawn: Sequence[SampleItem], earlier: Sample | None, decided: Collection[str]
) -> tuple[SampleItem, ...]:
    """Return the drawn items and, of an earlier sample, those on which somebody has decided."""
    items = {item_name(one.id, one.words): one for one in drawn}
    for one in earlier.items if earlier is not None else ():
        if one.item in decided:
            items.setdefault(one.item, one)
    return tuple(sorted(items.values(), key=lambda one: (-one.risk, one.stratum, one.item)))
