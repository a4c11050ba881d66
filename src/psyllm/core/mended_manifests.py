"""Manifests put right after something was taken out of the files that they describe.

The stages whose locks are held come in; counts, hashes and the parents' hashes
in their manifests tell the truth again. No text is read and none is changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from psyllm.core.forgotten_files import run_folders
from psyllm.core.rated_answers import RATINGS, rated_files
from psyllm.core.stages import Manifest, Stage, hashed_files, read_manifest, write_manifest
from psyllm.core.tombstones import FORGOTTEN

_SIDES = ("train", "dev", "test")
_LEVEL = "level:"
# Details of a cleaned run that tell of its records.
RECOUNTED = ("sources", "levels", "flags", "flags_of_dropped")
# What was made comes after what it was made from.
_IN_ORDER = (Stage.COLLECTED, Stage.FEEDBACK, Stage.CLEANED, Stage.CORPUS)


def mend_manifests(data: Path, stages: Sequence[Stage]) -> None:
    """Put the manifests of records right after files of theirs changed, the parents' hashes among them.

    What was cleaned, and split, has lost the same as what it was made from and is not stale; a model is.
    """
    now: dict[tuple[str, str, str], str] = {}
    for stage in _IN_ORDER:
        for folder in run_folders(data, stage) if stage in stages else ():
            _mend_manifest(folder, now)


def _mend_manifest(folder: Path, now: dict[tuple[str, str, str], str]) -> None:
    """Count what is missing as forgotten, hash changed files again, note the new hash for children."""
    manifest = read_manifest(folder)
    if manifest is None:
        return
    files, content = hashed_files(folder)
    parents = tuple(
        parent.model_copy(
            update={
                "content_hash": now.get((parent.stage, parent.run, parent.content_hash), parent.content_hash)
            }
        )
        for parent in manifest.parents
    )
    if files == manifest.files and parents == manifest.parents:
        return
    counts, drops = dict(manifest.counts), dict(manifest.drops)
    is_corpus = manifest.stage == Stage.CORPUS.value
    lost = 0
    for prefix in _SIDES if is_corpus else ("part",):
        name = prefix if is_corpus else "records"
        there = sum(pq.read_metadata(path).num_rows for path in folder.glob(f"{prefix}-*.parquet"))
        lost += counts.get(name, there) - there
        counts[name] = there
    if is_corpus and "records" in counts:
        counts["records"] -= lost
    if "dropped" in counts:
        counts["dropped"] += lost
    if RATINGS in counts:  # rows beside the records, of all sides
        counts[RATINGS] = sum(pq.read_metadata(path).num_rows for path in rated_files(folder))
    if lost:
        drops[FORGOTTEN] = drops.get(FORGOTTEN, 0) + lost
    update = {"files": files, "content_hash": content, "counts": counts, "drops": drops, "parents": parents}
    now[manifest.stage, manifest.run, manifest.content_hash] = content
    write_manifest(folder, manifest.model_copy(update={**update, "details": _details(folder, manifest)}))


def _details(folder: Path, manifest: Manifest) -> dict[str, Any]:
    """Return the details with what is kept of each source, and every flag, counted again."""
    if manifest.stage != Stage.CLEANED.value or not isinstance(manifest.details.get("sources"), dict):
        return manifest.details
    kept: Counter[str] = Counter()
    flags: Counter[str] = Counter()
    for path in folder.glob("part-*.parquet"):
        columns = pq.read_table(path, columns=["source", "flags"]).to_pydict()
        kept.update(columns["source"])
        flags.update(flag.removeprefix(_LEVEL) for some in columns["flags"] for flag in some or ())
    for path in folder.glob("dropped-*.parquet"):
        columns = pq.read_table(path, columns=["reason", "flags"]).to_pydict()
        pairs = zip(columns["reason"], columns["flags"], strict=True)
        flags.update(f"{reason}/{flag}" for reason, some in pairs for flag in some or ())
    again = {
        name: {flag: flags[flag] for flag in manifest.details[name] if flags[flag]}
        for name in RECOUNTED
        if name != "sources" and name in manifest.details
    }
    sources = {name: {**row, "kept": kept[name]} for name, row in manifest.details["sources"].items()}
    return {**manifest.details, **again, "sources": sources}
