"""A corpus from which something was forgotten: what was made of its texts is made again.

The data folder comes in; pages with samples of dropped texts, and fingerprints,
that `core/forgetting.py` has removed are written anew from the records that are
left. It also puts the manifests right afterwards.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from psyllm.core.fingerprints import FOLDER
from psyllm.core.mended_manifests import RECOUNTED
from psyllm.core.rated_answers import RATINGS, rated_files, rated_prefix, read_rated
from psyllm.core.records import read_records
from psyllm.core.stages import (
    Manifest,
    Stage,
    complete_runs,
    read_manifest,
    stage_folder,
    write_text_atomically,
)
from psyllm.corpus.card import as_markdown, count_split
from psyllm.corpus.card_html import as_html
from psyllm.corpus.crisis import outcome_as_written
from psyllm.corpus.drop_samples import Sample, drop_samples
from psyllm.corpus.fingerprints import OpeningPrints, write_fingerprints
from psyllm.corpus.rated import count_rated
from psyllm.corpus.split import SPLITS

SAMPLES = "samples.json"
PAGE = "card.html"
# What became of crises that stand in the files; others were left out, unless the policy keeps them.
_STANDING: frozenset[str] = frozenset({"attended", "no_reply", "reanswered"})
_STANDING_IF_KEPT: frozenset[str] = frozenset({"ignored", "not_found"})


def write_page(folder: Path, samples: dict[str, list[Sample]]) -> None:
    """Write the samples and the page of a run that has its card."""
    card = json.loads((folder / "card.json").read_text("utf-8"))
    told = {reason: [one._asdict() for one in some] for reason, some in samples.items()}
    write_text_atomically(folder / SAMPLES, json.dumps(told, ensure_ascii=False, indent=1) + "\n")
    write_text_atomically(folder / PAGE, as_html(card, samples, folder.name))


def refresh(data: Path) -> None:
    """Make again what is missing of every corpus: the page with its samples, and the fingerprints."""
    for manifest in complete_runs(data, Stage.CORPUS):
        folder = stage_folder(data, Stage.CORPUS) / manifest.run
        if not (folder / PAGE).exists() and (folder / "card.json").exists():
            _count_again(folder, manifest, data)
            cleaned = [parent.run for parent in manifest.parents if parent.stage == Stage.CLEANED.value]
            runs = [stage_folder(data, Stage.CLEANED) / run for run in cleaned]
            write_page(folder, drop_samples(runs[0]) if runs else {})
        if not (folder / FOLDER).is_dir():
            _write_fingerprints(folder, int(manifest.settings["opening_chars"]))


def _count_again(folder: Path, manifest: Manifest, data: Path) -> None:
    """Put the card's counts right; what compares texts (overlaps, words of a stage) stays as it was found.

    So do counts of crises that stand in no file: of those left out, which were forgotten is not known.
    """
    card = json.loads((folder / "card.json").read_text("utf-8"))
    if "crises" in card:
        policy = manifest.settings.get("crisis_replies")
        card["crises"] = {
            side: _crises_again(folder, side, found, policy) for side, found in card["crises"].items()
        }
    card["splits"] = {side: count_split(read_records(folder, prefix=side)) for side in SPLITS}
    card["left_out"] = manifest.drops
    ratings = count_rated(folder, card.pop(RATINGS, {}).get("left_out", {}))
    card |= {RATINGS: ratings} if ratings else {}
    for parent in manifest.parents:
        cleaned = read_manifest(stage_folder(data, Stage(parent.stage)) / parent.run)
        if cleaned is not None and parent.run == card["cleaning"]["run"]:
            details = {name: cleaned.details[name] for name in RECOUNTED if name in cleaned.details}
            card["cleaning"] |= {"counts": cleaned.counts, "drops": cleaned.drops, **details}
    write_text_atomically(folder / "card.json", json.dumps(card, ensure_ascii=False, indent=1) + "\n")
    write_text_atomically(folder / "card.md", as_markdown(card))


def _crises_again(folder: Path, side: str, found: dict[str, int], policy: object) -> dict[str, int]:
    """Return what became of a side's crises, those that stand in its files counted again."""
    standing = _STANDING | (_STANDING_IF_KEPT if policy == "keep" else frozenset())
    now: Counter[str] = Counter(
        outcome
        for record in read_records(folder, prefix=side)
        if (outcome := outcome_as_written(record)) is not None
    )
    return {name: now[name] if name in standing else count for name, count in found.items()}


def _write_fingerprints(folder: Path, opening_chars: int) -> None:
    prints = OpeningPrints(opening_chars)
    rated = rated_prefix("train")
    for record in read_records(folder, prefix="train"):
        prints.add(record)
    for row in read_rated(folder, prefix=rated):
        prints.add(row.record)
    training = [*sorted(folder.glob("train-*.parquet")), *rated_files(folder, prefix=rated)]
    write_fingerprints(folder, training, prints, opening_chars)
