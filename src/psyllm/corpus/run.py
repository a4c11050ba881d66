"""The door of `corpus`: the cleaned records become train, dev and test in `3_corpus`.

The current run of `2_cleaned` comes in. Records that belong together go to one
side, so that no question is both learnt and asked; `train-*`, `dev-*`, `test-*`
and a data card go out. Records pass through as they are. Packing for a model
is `train`'s.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from psyllm.core.progress import report, track
from psyllm.core.records import Record, read_records
from psyllm.core.settings import CorpusSettings
from psyllm.core.stages import (
    Manifest,
    Stage,
    StageRun,
    fingerprint,
    need_current,
    up_to_date,
    write_text_atomically,
    writing,
)
from psyllm.corpus.card import as_markdown, count_split, make_card
from psyllm.corpus.grouping import Grouping, group_records
from psyllm.corpus.overlaps import Openings, Overlap
from psyllm.corpus.split import SPLITS, Split, largest_held_out, split

# In which side the openings of which others are looked for.
_LOOKED_IN: dict[Split, tuple[Split, ...]] = {"train": ("test", "dev"), "dev": ("test",)}


def run(settings: CorpusSettings, data: Path) -> Manifest:
    """Split what was cleaned; a result that is there already is left as it is.

    Raises:
        MissingStage: nothing was cleaned yet.
        EmptyCorpus: too little is there to split.
        BadSetting: dev and test would take everything.
        DiskFull: no space is left; earlier runs stay as they were.
    """
    cleaned_folder, cleaned = need_current(data, Stage.CLEANED)
    said = settings.model_dump(mode="json")
    parents = (cleaned.as_parent(),)
    mark = fingerprint(Stage.CORPUS, parents, said, ["corpus", "text", "core"])
    name = f"corpus-{mark[:12]}"
    done = up_to_date(data, Stage.CORPUS, name)
    if done is not None:
        return done
    grouping = group_records(lambda: read_records(cleaned_folder), settings)
    sides = split(grouping, settings)
    with writing(StageRun(data, Stage.CORPUS, name, mark, parents, said)) as stage_run:
        _write_splits(cleaned_folder, sides, stage_run.folder)
        card = _card(stage_run.folder, cleaned, grouping, sides, settings)
        write_text_atomically(
            stage_run.folder / "card.json", json.dumps(card, ensure_ascii=False, indent=1) + "\n"
        )
        write_text_atomically(stage_run.folder / "card.md", as_markdown(card))
        counts: dict[str, int] = {side: card["splits"][side]["records"] for side in SPLITS}
        return stage_run.finish(
            counts={"records": sum(counts.values()), **counts, "groups": len(grouping.groups)},
            drops={"may_not_train": card["groups"]["may_not_train"]},
            seeds={"split": settings.seed},
            details={"terms": card["terms"], "overlaps": card["overlaps"]},
        )


def _write_splits(cleaned: Path, sides: list[Split | None], folder: Path) -> None:
    """Copy the rows of each side to files of their own, one source file after the other."""
    start = 0
    for number, path in enumerate(sorted(cleaned.glob("part-*.parquet"))):
        table = pq.read_table(path)
        here = sides[start : start + table.num_rows]
        start += table.num_rows
        for side in SPLITS:
            rows = table.filter(pa.array([found == side for found in here]))
            if rows.num_rows:
                target = folder / f"{side}-{number:05d}.parquet"
                pq.write_table(rows, target, compression="zstd", compression_level=3)
        report("write splits", start, len(sides))


def _card(
    folder: Path, cleaned: Manifest, grouping: Grouping, sides: list[Split | None], settings: CorpusSettings
) -> dict[str, Any]:
    return make_card(
        splits={side: count_split(_side(folder, side)) for side in SPLITS},
        cleaned=cleaned,
        overlaps=_overlaps(folder, settings),
        groups={
            "groups": len(grouping.groups),
            "largest": max(len(group) for group in grouping.groups),
            "largest_held_out": largest_held_out(len(sides), settings),
            "may_not_train": sides.count(None),
        },
        settings=settings.model_dump(mode="json"),
    )


def _overlaps(folder: Path, settings: CorpusSettings) -> dict[str, Overlap]:
    found: dict[str, Overlap] = {}
    for known, asked in _LOOKED_IN.items():
        sides = {f"{side}_in_{known}": _side(folder, side) for side in asked}
        openings = Openings(sides, settings.opening_chars, settings.near_duplicate_jaccard)
        found |= openings.count_in(track(_side(folder, known), f"look for {' and '.join(asked)} in {known}"))
    return found


def _side(folder: Path, side: Split) -> Iterator[Record]:
    return read_records(folder, prefix=side)
