"""The door of `clean`: everything collected and given back becomes one run of `2_cleaned`.

All complete runs of `1_collected` and `6_feedback` come in. Records go out
mended or dropped: the kept ones as `part-*`, the dropped ones as `dropped-*`
with their reason, both counted in the manifest. Rated answers stand in a file of their own (`rated.py`). A crisis in what a visitor
says becomes a flag and never a drop. The work is cut into shards that all
cores share; a run that was stopped goes on where it was. Splitting is
`corpus`'s.
"""

from __future__ import annotations

import contextlib
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from psyllm.clean import shards as passes
from psyllm.clean.duplicates import DuplicateFinder, NgramFiles
from psyllm.clean.execute import Work, Workers, run_shards
from psyllm.clean.on_ray import run_shards_on_ray
from psyllm.clean.rated import clean_rated
from psyllm.clean.reasons import reasons
from psyllm.clean.rejected import rejected_shard
from psyllm.clean.reviewed import APPLIED, EQUAL, KEPT_AGAIN, STALE
from psyllm.clean.shards import CANDIDATES, CLUSTERS, FINISHED, Shard, work_folder
from psyllm.clean.tally import Tally
from psyllm.core.errors import DiskFull, EmptyCorpus, LostRecords, MissingStage
from psyllm.core.rated_answers import RATINGS
from psyllm.core.records import readable
from psyllm.core.settings import CleanSettings
from psyllm.core.settled_reviews import REVIEWS_RUN, read_settled
from psyllm.core.stages import (
    Manifest,
    Stage,
    StageRun,
    command_for,
    complete_runs,
    fingerprint,
    read_manifest,
    stage_folder,
    up_to_date,
    writing,
)
from psyllm.core.tombstones import Tombstones, read_tombstones
from psyllm.safety.levels import Level
from psyllm.text.minhash import SEED

# Where the work is done changes nothing of the result.
_WHERE = {"workers", "engine"}
_LEVELS = tuple(level.label for level in Level)
RunShards = Callable[[Work, list[Shard], str], None]


def run(settings: CleanSettings, data: Path) -> Manifest:
    """Clean all that was collected; a result that is there already is left as it is.

    Raises:
        MissingStage: nothing was collected yet.
        EmptyCorpus: every record was dropped.
        MalformedInput: a file of records, or the file of decisions, is damaged.
        DiskFull: no space is left; earlier runs stay as they were.
        WorkerLost: processes were killed; what is done is kept for the next try.
        MissingExtra: `clean.engine` is ray and Ray is not installed.
    """
    sources = [*complete_runs(data, Stage.COLLECTED), *complete_runs(data, Stage.FEEDBACK)]
    if not sources:
        message = f"nothing was collected in {data} yet"
        raise MissingStage(
            message,
            f"run: psyllm collect starter --data {shlex.quote(str(data))}; or: {command_for(Stage.COLLECTED, data)}",
        )
    parents = tuple(source.as_parent() for source in sources)
    said = settings.model_dump(mode="json", exclude=_WHERE)
    tombstones = read_tombstones(data)
    facts = {**said, "tombstones": [sorted(marks) for marks in tombstones]}
    mark = fingerprint(Stage.CLEANED, parents, facts, ["clean", "safety", "text", "core"])
    name = f"cleaned-{mark[:12]}"
    done = up_to_date(data, Stage.CLEANED, name)
    if done is not None:
        return done
    stage_run = StageRun(data, Stage.CLEANED, name, mark, parents, said)
    try:
        return _write(stage_run, sources, settings, tombstones)
    except DiskFull:  # others, the casebook among them, need the space more than the next try
        shutil.rmtree(stage_run.folder, ignore_errors=True)
        raise


def _write(
    stage_run: StageRun, sources: list[Manifest], settings: CleanSettings, tombstones: Tombstones
) -> Manifest:
    with writing(stage_run, keep_partial=True):
        _remove_unfinished(stage_run.folder)
        reviews = read_settled(stage_run.data)
        shards = [
            shard._replace(tombstones=tombstones, reviews=reviews)
            for shard in _shards(sources, stage_run, settings)
        ]
        tally = _clean(shards, stage_run.folder, settings)
        _need_all(tally, sources)
        kept = tally.kept.total()
        if kept == 0:
            shutil.rmtree(stage_run.folder)
            raise _nothing_left(tally)
        rated = clean_rated(stage_run.data, sources, stage_run.folder, settings, tombstones, reviews)
        shutil.rmtree(work_folder(stage_run.folder))
        counts = {"records": kept, "read": tally.read.total(), "dropped": tally.drops.total()}
        return stage_run.finish(
            counts=counts | ({RATINGS: rated.kept} if rated.read else {}),
            drops=dict(sorted(tally.drops.items())),
            seeds={"minhash": SEED},
            details={
                **_details(tally),
                **_reviews(sources, tally, len(reviews)),
                **rated.as_details(),
            },
        )


def _shards(sources: list[Manifest], stage_run: StageRun, settings: CleanSettings) -> list[Shard]:
    files = [
        path
        for source in sources
        for path in sorted(
            (stage_folder(stage_run.data, Stage(source.stage)) / source.run).glob("part-*.parquet")
        )
    ]
    return [
        Shard(number, path.absolute(), _rows_in(path), stage_run.folder.absolute(), settings)
        for number, path in enumerate(files)
    ]


def _rows_in(path: Path) -> int:
    with readable(path):
        return int(pq.read_metadata(path).num_rows)


def _clean(shards: list[Shard], folder: Path, settings: CleanSettings) -> Tally:
    work_folder(folder).mkdir(exist_ok=True)
    with _runner(settings) as do:
        return _clean_with(do, shards, folder, settings)


@contextlib.contextmanager
def _runner(settings: CleanSettings) -> Iterator[RunShards]:
    """Give what does a pass over shards where the settings want it done."""
    if settings.engine == "ray":
        yield lambda work, shards, task: run_shards_on_ray(work, shards, settings.workers, task)
        return
    with Workers(settings.workers) as workers:
        yield lambda work, shards, task: run_shards(work, shards, workers, task)


def _clean_with(do: RunShards, shards: list[Shard], folder: Path, settings: CleanSettings) -> Tally:
    do(passes.mend, shards, "clean")
    rejected = rejected_shard(shards)
    compared = [*shards, rejected] if rejected is not None else shards
    places = [shard.work for shard in compared]
    finder = DuplicateFinder(places, settings.near_duplicate_jaccard)
    with_candidates = []
    for shard, rows in zip(compared, finder.candidates(), strict=True):
        np.save(shard.work / CANDIDATES, rows)
        with_candidates += [shard] if len(rows) else []
    do(passes.store_ngrams, with_candidates, "compare")
    clusters = finder.find(NgramFiles(places, finder.borders).of)
    rejected_from = finder.borders[len(shards)]
    np.savez(
        work_folder(folder) / CLUSTERS,
        borders=finder.borders,
        rejected_from=rejected_from,
        **clusters._asdict(),
    )
    do(passes.finish, shards, "leave out duplicates")
    tally = Tally()
    for shard in shards:
        tally.add(Tally.load(shard.work / FINISHED))
    return tally


def _remove_unfinished(folder: Path) -> None:
    """Remove what other runs left half-way: other input, settings or code can't go on with it."""
    for other in folder.parent.iterdir():
        if other.is_dir() and other != folder and read_manifest(other) is None:
            shutil.rmtree(other)


def _need_all(tally: Tally, sources: list[Manifest]) -> None:
    collected = sum(source.counts.get("records", 0) for source in sources)
    read, kept, dropped = tally.read.total(), tally.kept.total(), tally.drops.total()
    if collected != read or read != kept + dropped:
        message = f"collected {collected:,}, read {read:,}, but kept {kept:,} and dropped {dropped:,} records"
        raise LostRecords(
            message, "this is a fault of psyllm: report it with these numbers; nothing was put in use"
        )


def _details(tally: Tally) -> dict[str, object]:
    return {
        "sources": {
            name: {"read": count, "kept": tally.kept[name]} for name, count in sorted(tally.read.items())
        },
        "mended": dict(sorted(tally.mended.items())),
        "answers_left_out": tally.other["answers_left_out"],
        "personal_data_masked": {kind: count for kind, count in sorted(tally.masked.items()) if count},
        "levels": {name: tally.flags[name] for name in _LEVELS if tally.flags[name]},
        "flags": {name: tally.flags[name] for name in sorted(set(tally.flags) - set(_LEVELS))},
        "flags_of_dropped": dict(sorted(tally.dropped_flags.items())),
        "reasons": {reason: told for reason, told in reasons().items() if reason in tally.drops},
    }


def _reviews(sources: list[Manifest], tally: Tally, settled: int) -> dict[str, object]:
    """Return what people decided and how far it went, for the data card; nothing where nobody decided."""
    found = next(
        (one for one in sources if one.run == REVIEWS_RUN and Stage(one.stage) is Stage.FEEDBACK), None
    )
    if found is None:
        return {}
    done = {name: tally.other[name] for name in (APPLIED, STALE, EQUAL, KEPT_AGAIN)}
    return {"reviews": {**found.details, "settled": settled, **done}}


def _nothing_left(tally: Tally) -> EmptyCorpus:
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in tally.drops.most_common())
    message = f"cleaning left none of {tally.read.total():,} records ({reasons or 'there were none'})"
    return EmptyCorpus(
        message, "lower a floor, for example --set clean.shortest_answer_chars=20, or collect more"
    )
