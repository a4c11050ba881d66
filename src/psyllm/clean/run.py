"""The door of `clean`: everything collected and given back becomes one run of `2_cleaned`.

All complete runs of `1_collected` and `6_feedback` come in. Records go out
mended or dropped: the kept ones as `part-*`, the dropped ones as `dropped-*`
with their reason, both counted in the manifest. A crisis in what a visitor
says becomes a flag and never a drop. Splitting is `corpus`'s.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from psyllm.clean.drop import Drop
from psyllm.clean.duplicates import DuplicateFinder
from psyllm.clean.rows import DROPPED_SCHEMA, RowFiles, read_rows
from psyllm.clean.steps import LEVEL_FLAG, Step, steps
from psyllm.core.errors import EmptyCorpus, MissingStage
from psyllm.core.progress import track
from psyllm.core.records import Record, read_records, to_row
from psyllm.core.settings import CleanSettings
from psyllm.core.stages import (
    Manifest,
    Stage,
    StageRun,
    command_for,
    complete_runs,
    fingerprint,
    stage_folder,
    up_to_date,
    writing,
)
from psyllm.text.minhash import SEED
from psyllm.text.pii import MARKS

_MENDED = "mended"  # rows between the two passes


@dataclass
class Tally:
    """What happened, counted."""

    read: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    drops: Counter[str] = field(default_factory=Counter)
    mended: Counter[str] = field(default_factory=Counter)
    masked: Counter[str] = field(default_factory=Counter)
    levels: Counter[str] = field(default_factory=Counter)
    answers_left_out: int = 0


def run(settings: CleanSettings, data: Path) -> Manifest:
    """Clean all that was collected; a result that is there already is left as it is.

    Raises:
        MissingStage: nothing was collected yet.
        EmptyCorpus: every record was dropped.
        DiskFull: no space is left; earlier runs stay as they were.
    """
    sources = [*complete_runs(data, Stage.COLLECTED), *complete_runs(data, Stage.FEEDBACK)]
    if not sources:
        message = f"nothing was collected in {data} yet"
        raise MissingStage(
            message,
            f"run: psyllm collect starter --data {shlex.quote(str(data))}; or: {command_for(Stage.COLLECTED, data)}",
        )
    parents = tuple(source.as_parent() for source in sources)
    said = settings.model_dump(mode="json")
    mark = fingerprint(Stage.CLEANED, parents, said, ["clean", "safety", "text", "core"])
    name = f"cleaned-{mark[:12]}"
    done = up_to_date(data, Stage.CLEANED, name)
    if done is not None:
        return done
    with writing(StageRun(data, Stage.CLEANED, name, mark, parents, said)) as stage_run:
        tally = _clean(sources, settings, stage_run.folder, data)
        kept = tally.kept.total()
        if kept == 0:
            raise _nothing_left(tally)
        return stage_run.finish(
            counts={"records": kept, "read": tally.read.total(), "dropped": tally.drops.total()},
            drops=dict(sorted(tally.drops.items())),
            seeds={"minhash": SEED},
            details=_details(tally),
        )


def _clean(sources: list[Manifest], settings: CleanSettings, folder: Path, data: Path) -> Tally:
    tally = Tally()
    total = sum(source.counts.get("records", 0) for source in sources)
    with (
        RowFiles(folder, "dropped", DROPPED_SCHEMA) as dropped,
        DuplicateFinder(folder / "ngrams.work", settings.near_duplicate_jaccard) as finder,
    ):
        taken = steps(settings)
        ids: list[str] = []
        with RowFiles(folder, _MENDED) as mended:
            for record in track(_records(sources, data), "clean", total):
                tally.read[record.source] += 1
                found, reason = _take_steps(record, taken, tally)
                row = to_row(found)
                if reason:
                    tally.drops[reason] += 1
                    dropped.add({**row, "reason": reason, "duplicate_of": ""})
                else:
                    ids.append(found.id)
                    finder.add(found, row["content_hash"])
                    mended.add(row)
        left_out = finder.find()
        with RowFiles(folder, "part") as kept:
            rows = read_rows(folder, _MENDED)
            for place, row in enumerate(track(rows, "leave out duplicates", len(ids))):
                duplicate = left_out.get(place)
                if duplicate is None:
                    kept.add(row)
                    _count_kept(row, tally)
                else:
                    tally.drops[duplicate.reason] += 1
                    of = ids[duplicate.kept]
                    dropped.add({**row, "reason": duplicate.reason, "duplicate_of": of})
    for path in folder.glob(f"{_MENDED}-*.parquet"):
        path.unlink()
    return tally


def _records(sources: list[Manifest], data: Path) -> Iterator[Record]:
    for source in sources:
        yield from read_records(stage_folder(data, Stage(source.stage)) / source.run)


def _take_steps(record: Record, taken: tuple[Step, ...], tally: Tally) -> tuple[Record, str]:
    """Return the record after all steps and no reason, or as it was when dropped and the reason."""
    for step in taken:
        result = step.apply(record)
        if isinstance(result, Drop):
            return record, result.reason
        if result is not record:
            tally.mended[step.name] += 1
            tally.answers_left_out += len(record.answers) - len(result.answers)
            if step.name == "mask_personal_data":
                tally.masked.update(_marks(result))
                tally.masked.subtract(_marks(record))
        record = result
    return record, ""


def _marks(record: Record) -> Counter[str]:
    texts = "\n".join(record.texts())
    return Counter({kind: texts.count(mark) for kind, mark in MARKS.items()})


def _count_kept(row: dict[str, object], tally: Tally) -> None:
    tally.kept[str(row["source"])] += 1
    flags = row["flags"]
    for flag in flags if isinstance(flags, list) else []:
        if flag.startswith(LEVEL_FLAG):
            tally.levels[flag.removeprefix(LEVEL_FLAG)] += 1


def _details(tally: Tally) -> dict[str, object]:
    return {
        "sources": {
            name: {"read": count, "kept": tally.kept[name]} for name, count in sorted(tally.read.items())
        },
        "mended": dict(sorted(tally.mended.items())),
        "answers_left_out": tally.answers_left_out,
        "personal_data_masked": {kind: count for kind, count in sorted(tally.masked.items()) if count},
        "levels": dict(sorted(tally.levels.items())),
    }


def _nothing_left(tally: Tally) -> EmptyCorpus:
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in tally.drops.most_common())
    message = f"cleaning left none of {tally.read.total():,} records ({reasons or 'there were none'})"
    return EmptyCorpus(
        message, "lower a floor, for example --set clean.shortest_answer_chars=20, or collect more"
    )
