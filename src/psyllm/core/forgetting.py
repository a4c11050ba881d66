"""Taking out of every stage what somebody wants forgotten, down to the bytes.

Marks (an address, an author's hash, a content hash) come in; every file of
records in `1_collected` to `6_feedback` is written again without what they
name, manifests are put right, and a tombstone is left first, so that neither a
crash nor a later import brings it back. The same words under other ids
(duplicates that cleaning found) and records made from them go, too. Reports of
a changed corpus, and every file that an export of it names, are removed: they
can be made again. What others put beside an export stays, and its folder is
named. A model can't forget; those trained on the words are named. Pages that
were fetched are `collect`'s, people's conversations the casebook's.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from psyllm.core.private import Private
from psyllm.core.progress import track
from psyllm.core.records import RECORD_SCHEMA, Record, from_row, to_row
from psyllm.core.settled_reviews import reviews_folder, without_decisions
from psyllm.core.stages import (
    Manifest,
    Stage,
    complete_runs,
    hashed_files,
    locked,
    read_manifest,
    stage_folder,
    write_manifest,
)
from psyllm.core.tombstones import FORGOTTEN, Tombstone, Tombstones, append_tombstones, url_mark

ROWS_AT_ONCE = 256
EXPORTS = "exports"
EXPORT_FACTS = "export.json"
# What a corpus shows and keeps of texts besides its records; `corpus/refresh.py` makes it again.
CORPUS_PAGES = ("samples.json", "card.html")
CORPUS_FINGERPRINTS = "fingerprints"
_SIDES = ("train", "dev", "test")
# How much of a text is looked for on pages that no thread's address leads to; shorter means too many.
FEWEST_PASSAGE_CHARS, MOST_PASSAGE_CHARS = 8, 24


class Traces(NamedTuple):
    """Where else the words may lie: addresses of pages, passages to look for, ids of the records."""

    urls: set[str]
    passages: set[Private]
    ids: set[str]


class Forgotten(NamedTuple):
    """What was done: rows taken out by `stage/run`, ids that went, reports and exports removed, models named.

    `whole` are traces of records that went, `partly` of answers taken out of records that stay; `beside`
    names folders of removed exports in which files of others stay.
    """

    rows: dict[str, int]
    ids: frozenset[str]
    removed: tuple[str, ...]
    models: tuple[str, ...]
    whole: Traces
    partly: Traces
    beside: tuple[str, ...] = ()


def marks_of(urls: Sequence[str], authors: Sequence[str], contents: Sequence[str]) -> list[Tombstone]:
    """Return what is to be forgotten as tombstones of now."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    marks = [Tombstone(kind="url", mark=url_mark(url), at=now) for url in urls]
    marks += [Tombstone(kind="author", mark=author, at=now) for author in authors]
    return marks + [Tombstone(kind="content", mark=content, at=now) for content in contents]


def forget(
    data: Path, marks: Sequence[Tombstone], erase: Callable[[frozenset[str]], object] | None = None
) -> Forgotten:
    """Take out everything that the marks name; doing it again changes nothing more.

    `erase` is called with the ids of all records that go or change, before anything is rewritten:
    what people wrote about them elsewhere must go, too, and can be found again after a crash.

    Raises:
        StageBusy: a stage is being written; nothing was changed.
    """
    with ExitStack() as locks:
        for stage in Stage:
            if stage_folder(data, stage).is_dir():
                locks.enter_context(locked(data, stage))
        append_tombstones(data, marks)
        asked = Tombstones.of(marks)
        ids = _ids_named(data, asked)
        whole, partly = Traces(set(), set(), set()), Traces(set(), set(), set())
        held = _held(data, asked, ids, whole, partly)
        touched = frozenset(ids | partly.ids)
        if erase is not None:
            erase(touched)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        also = sorted({content for one in held.values() for content in one})
        append_tombstones(data, [Tombstone(kind="content", mark=content, at=now) for content in also])
        corpora = {path.parent.name for path in held if path.parent.parent.name == Stage.CORPUS.value}
        # Copies first: after a crash the records are still there to tell which they are.
        removed, beside = _remove_copies(data, corpora) if held else ((), ())
        without_decisions(reviews_folder(data), touched, (*asked.contents, *also))
        rows = _rewrite(data, asked, ids, list(held))
        return Forgotten(rows, frozenset(ids), removed, _models_of(data, corpora), whole, partly, beside)


def exported_files(folder: Path) -> list[str]:
    """Return the names of the files that an export wrote into its folder, without its facts; [] if it names none."""
    facts = json.loads((folder / EXPORT_FACTS).read_text("utf-8"))
    return sorted({Path(name).name for name in facts.get("files", {})} - {"", EXPORT_FACTS})


def containing(data: Path, text: str) -> Iterator[tuple[str, str]]:
    """Yield (id, content hash) of the records of all stages in which the text stands, white space aside."""
    wanted = "".join(text.split())
    seen: set[tuple[str, str]] = set()
    for path in _record_files(data):
        for row in _rows(path):
            if any(wanted in "".join(one.split()) for one in from_record_row(row).texts()):
                found = (row["id"], row["content_hash"])
                if found not in seen:
                    seen.add(found)
                    yield found


def from_record_row(row: dict[str, Any]) -> Record:
    """Return the record of a row that may carry a reason for its drop."""
    return from_row({name: row[name] for name in row if name in RECORD_SCHEMA.names})


def _ids_named(data: Path, asked: Tombstones) -> set[str]:
    """Return the ids of records that go whole."""
    ids: set[str] = set()
    ties: list[tuple[str, str]] = []
    files = list(_record_files(data))
    for path in track(files, "look for it", len(files)):
        for row in _rows(path):
            record = from_record_row(row)
            if asked.left_of(record, row["content_hash"]) is None:
                ids.add(record.id)
            ties += [(parent, record.id) for parent in record.parents]
            kept = row.get("duplicate_of")
            if kept:  # the same words: each leads to the other
                ties += [(kept, record.id), (record.id, kept)]
    while more := {to for source, to in ties if source in ids} - ids:
        ids |= more
    return ids


def _held(
    data: Path, asked: Tombstones, ids: set[str], whole: Traces, partly: Traces
) -> dict[Path, set[str]]:
    """Return the files in which something goes, and the content hashes of whole records in them; note traces."""
    held: dict[Path, set[str]] = {}
    for path in _record_files(data):
        for row in _rows(path):
            if row["id"] in ids:
                held.setdefault(path, set()).add(row["content_hash"])
                _trace(from_record_row(row), None, whole)
            else:
                left = _left(row, asked, ids)
                if left is not row:
                    held.setdefault(path, set())
                    _trace(from_record_row(row), from_record_row(left) if left is not None else None, partly)
    return held


def _trace(record: Record, left: Record | None, traces: Traces) -> None:
    """Note a record's id and address, and the beginning of every text of it that goes."""
    traces.ids.add(record.id)
    if record.url:
        traces.urls.add(record.url)
    stays = set(left.texts()) if left is not None else set()
    for text in record.texts():
        line = max(text.splitlines(), key=len, default="") if text not in stays else ""
        if len(line) >= FEWEST_PASSAGE_CHARS:
            traces.passages.add(Private(line[:MOST_PASSAGE_CHARS]))


def _rewrite(data: Path, asked: Tombstones, ids: set[str], files: Sequence[Path]) -> dict[str, int]:
    changed: Counter[str] = Counter()
    for path in track(files, "take it out", len(files)):
        changed[f"{path.parent.parent.name}/{path.parent.name}"] += _rewrite_file(path, asked, ids)
    mend_manifests(data)
    return dict(changed)


def mend_manifests(data: Path) -> None:
    """Put the manifests of records right after files of theirs changed, the parents' hashes among them.

    What was cleaned, and split, has lost the same as what it was made from and is not stale; a model is.
    """
    now: dict[tuple[str, str, str], str] = {}
    for stage in (Stage.COLLECTED, Stage.FEEDBACK, Stage.CLEANED, Stage.CORPUS):
        for folder in _run_folders(data, stage):
            shutil.rmtree(folder / "work", ignore_errors=True)
            for torn in folder.glob(".*.forgetting"):
                torn.unlink()
            _mend_manifest(folder, now)


def _rewrite_file(path: Path, asked: Tombstones, ids: set[str]) -> int:
    """Write a file again without what goes; return how many rows changed or went."""
    changed = kept = 0
    beside = path.with_name(f".{path.name}.forgetting")
    with pq.ParquetFile(path) as file, pq.ParquetWriter(beside, file.schema_arrow, compression="zstd") as new:
        for batch in file.iter_batches(batch_size=ROWS_AT_ONCE, use_threads=False):
            rows = batch.to_pylist()
            left = [_left(row, asked, ids) for row in rows]
            stay = [row for row in left if row is not None]
            here = sum(now is not before for now, before in zip(left, rows, strict=True))
            changed += here
            kept += len(stay)
            new.write_batch(pa.RecordBatch.from_pylist(stay, schema=file.schema_arrow) if here else batch)
    if not changed:
        beside.unlink()
    elif kept:
        beside.replace(path)
    else:
        beside.unlink()
        path.unlink()
    return changed


def _left(row: dict[str, Any], asked: Tombstones, ids: set[str]) -> dict[str, Any] | None:
    if row["id"] in ids or row.get("duplicate_of") in ids:
        return None
    record = from_record_row(row)
    left = asked.left_of(record, row["content_hash"])
    if left is record:
        return row
    return None if left is None else {**row, **to_row(left)}


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
    if lost:
        drops[FORGOTTEN] = drops.get(FORGOTTEN, 0) + lost
    update = {"files": files, "content_hash": content, "counts": counts, "drops": drops, "parents": parents}
    now[manifest.stage, manifest.run, manifest.content_hash] = content
    write_manifest(folder, manifest.model_copy(update=update))


def _remove_copies(data: Path, corpora: set[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Remove reports and exports made from these corpora, return both and where files of others stay."""
    removed = []
    beside = []
    for report in complete_runs(data, Stage.REPORTS):
        if any(parent.run in corpora for parent in report.parents):
            shutil.rmtree(stage_folder(data, Stage.REPORTS) / report.run)
            removed.append(f"{Stage.REPORTS.value}/{report.run}")
    for facts in sorted((data / EXPORTS).glob(f"*/{EXPORT_FACTS}")):
        if json.loads(facts.read_text("utf-8")).get("corpus") in corpora:
            removed.append(f"{EXPORTS}/{facts.parent.name}")
            if not _remove_export(facts.parent):
                beside.append(removed[-1])
    for torn in (data / EXPORTS).glob(".*.new"):  # an export that was stopped half way
        shutil.rmtree(torn)
    for folder in _run_folders(data, Stage.CORPUS):
        for page in CORPUS_PAGES:  # of any corpus: what was dropped before it is shown there, too
            (folder / page).unlink(missing_ok=True)
        if folder.name in corpora:
            shutil.rmtree(folder / CORPUS_FINGERPRINTS, ignore_errors=True)
    return tuple(removed), tuple(beside)


def _remove_export(folder: Path) -> bool:
    """Remove what an export wrote, and the folder; return whether it is gone, files of others stay in it.

    Where it does not name its files nothing tells texts from other files, and all goes.
    """
    names = exported_files(folder)
    if not names:
        shutil.rmtree(folder)
        return True
    for name in [*names, EXPORT_FACTS]:  # the facts last: after a crash they still tell which files are meant
        (folder / name).unlink(missing_ok=True)
    if any(folder.iterdir()):
        return False
    folder.rmdir()
    return True


def _models_of(data: Path, corpora: set[str]) -> tuple[str, ...]:
    def is_from(model: Manifest) -> bool:
        return any(parent.run in corpora for parent in model.parents)

    return tuple(model.run for model in complete_runs(data, Stage.MODELS) if is_from(model))


def _record_files(data: Path) -> Iterator[Path]:
    for stage in Stage:
        for folder in _run_folders(data, stage):
            yield from (path for path in sorted(folder.glob("*.parquet")) if _is_of_records(path))


def _run_folders(data: Path, stage: Stage) -> list[Path]:
    """Return the folders of all runs, unfinished ones as well."""
    folder = stage_folder(data, stage)
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def _is_of_records(path: Path) -> bool:
    return {"id", "content_hash", "turns"} <= set(pq.read_schema(path).names)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=ROWS_AT_ONCE, use_threads=False):
            yield from batch.to_pylist()
