"""Taking out of every stage what somebody wants forgotten, down to the bytes.

Marks (an address, an author's hash, a content hash) come in; every file of
records in `1_collected` to `6_feedback` is written again without what they
name, manifests are put right, and a tombstone is left first, so that neither a
crash nor a later import brings it back. The same words under other ids go, too:
duplicates that cleaning found, records made from them, an equal answer in any
record; but not what somebody else is known to have written in the same words.
What others wrote in a thread stays, unless the thread itself is named.
An answer that was changed since, if only a little, is found only in records
that go whole. Reports of a changed corpus, and every file that an export of it
names, are removed: they can be made again. What others put beside an export
stays, and its folder is named. An export that no longer says what it is goes
whole, and so does a reviewers' decision that can't be read: either may hold the words. A model can't forget; those
trained on the words, and those trained further from one of them, are named. Pages that were fetched are `collect`'s, people's conversations the
casebook's.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from psyllm.core.begun_models import begun_models, need_readable_runs
from psyllm.core.errors import MalformedInput
from psyllm.core.forgotten_files import (
    Row,
    record_files,
    remove_unfinished,
    rewrite_file,
    rows_named,
    rows_of,
    run_folders,
    space_needed,
)
from psyllm.core.forgotten_words import ToGo, tombstones_of, words_to_go
from psyllm.core.mended_manifests import mend_manifests
from psyllm.core.permits import BASE
from psyllm.core.private import Private
from psyllm.core.progress import track
from psyllm.core.records import Record, record_within, to_row
from psyllm.core.settled_reviews import reviews_folder, unreadable_decisions, without_decisions
from psyllm.core.stages import (
    Manifest,
    Stage,
    complete_runs,
    locked,
    read_manifest,
    stage_folder,
    write_text_atomically,
)
from psyllm.core.tombstones import (
    Tombstone,
    Tombstones,
    append_tombstones,
    read_tombstones,
    url_mark,
)

EXPORTS = "exports"
EXPORT_FACTS = "export.json"
RAW = "raw"  # pages as fetched, which become records of the first stage
# Names the corpora whose models are to be told, until everything is taken out.
UNFINISHED = "forgetting.unfinished"
# What a corpus shows and keeps of texts besides its records; `corpus/refresh.py` makes it again.
CORPUS_PAGES = ("samples.json", "card.html")
CORPUS_FINGERPRINTS = "fingerprints"
# How much of a text is looked for on pages; shorter means too many.
FEWEST_PASSAGE_CHARS, MOST_PASSAGE_CHARS = 8, 60


class Traces(NamedTuple):
    """Where else the words may lie: addresses of pages, passages to look for, ids of the records."""

    urls: set[str]
    passages: set[Private]
    ids: set[str]


class Forgotten(NamedTuple):
    """What was done: rows taken out by `stage/run`, ids that went, reports and exports removed, models named.

    `whole` are traces of records that went, `partly` of answers taken out of records that stay; `beside`
    names folders of removed exports in which files of others stay. `unreadable` counts lines of decisions.
    """

    rows: dict[str, int]
    ids: frozenset[str]
    removed: tuple[str, ...]
    models: tuple[str, ...]
    whole: Traces
    partly: Traces
    beside: tuple[str, ...] = ()
    unreadable: int = 0


def marks_of(urls: Sequence[str], authors: Sequence[str], contents: Sequence[str]) -> list[Tombstone]:
    """Return what is to be forgotten as tombstones of now."""
    marks = tombstones_of("url", map(url_mark, urls))
    return marks + tombstones_of("author", authors) + tombstones_of("content", contents)


def forget(
    data: Path,
    marks: Sequence[Tombstone],
    erase: Callable[[frozenset[str]], object] | None = None,
    remake: Callable[[Path], object] | None = None,
    overwrite: Callable[[Traces, Traces], object] | None = None,
    means: Callable[[str], bool] = lambda _: False,
) -> Forgotten:
    """Take out everything that the marks name; doing it again changes nothing more.

    `erase` is called with the ids of all records that go or change, before anything is rewritten:
    what people wrote about them elsewhere must go, too, and can be found again after a crash. So is
    `overwrite` with the traces of records that go whole, and of those that lose an answer.
    `means` says whether an address is another one of what was asked for. `remake` is called with the data folder at the end, while nobody else may write: it makes again
    what was made of the texts.

    Raises:
        StageBusy: a stage is being written; nothing was changed.
        MalformedInput: what has to be read of a complete run can't be; nothing was taken out.
        DiskFull: no space is left to write files again.
    """
    with ExitStack() as opened:
        opened.enter_context(space_needed(data))
        stages = [stage for stage in Stage if stage_folder(data, stage).is_dir() or _is_coming(data, stage)]
        for stage in stages:
            opened.enter_context(locked(data, stage))
        known = read_tombstones(data).with_more(Tombstones.of(marks))
        append_tombstones(data, marks)
        need_readable_runs(data)
        remove_unfinished(data, [stage for stage in stages if stage is not Stage.MODELS])
        files = list(record_files(data, stages))
        asked = Tombstones.of(marks)
        done = _take_out(data, asked, words_to_go(asked, known, files, means), files, erase, overwrite)
        mend_manifests(data, stages)
        if remake is not None:
            remake(data)
            mend_manifests(data, stages)
        (data / UNFINISHED).unlink(missing_ok=True)
        return done


def _is_coming(data: Path, stage: Stage) -> bool:
    """Return whether a crawl may be about to make its first records."""
    return stage is Stage.COLLECTED and (data / RAW).is_dir()


def _take_out(
    data: Path,
    asked: Tombstones,
    found: ToGo,
    files: Sequence[Path],
    erase: Callable[[frozenset[str]], object] | None,
    overwrite: Callable[[Traces, Traces], object] | None,
) -> Forgotten:
    """Note the marks of what goes, remove copies, then write the files again."""
    parts, ids, _, known = found
    whole, partly = Traces(set(), set(), set()), Traces(set(), set(), set())
    held = _held(files, found, whole, partly)
    touched = frozenset(ids | partly.ids)
    also = {content for one in held.values() for content in one}
    nobodys = sorted(also - _others_say(files, also, ids))
    append_tombstones(data, [*parts, *tombstones_of("content", nobodys)])
    if erase is not None:
        erase(touched)
    if overwrite is not None:
        overwrite(whole, partly)
    corpora = {path.parent.name for path in held if path.parent.parent.name == Stage.CORPUS.value}
    ever = corpora | _unfinished(data)
    if ever:
        write_text_atomically(data / UNFINISHED, "".join(f"{name}\n" for name in sorted(ever)))
    # Copies first: after a crash the records are still there to tell which they are.
    removed, beside = remove_copies(data, corpora) if held else ((), ())
    unreadable = unreadable_decisions(reviews_folder(data))
    without_decisions(reviews_folder(data), touched, (*asked.contents, *also))
    changed: Counter[str] = Counter()
    for path in track(list(held), "take it out", len(held)):
        rows = rewrite_file(path, touched, lambda row: _left(row, known, ids))
        changed[f"{path.parent.parent.name}/{path.parent.name}"] += rows
    models = models_of(data, ever)
    return Forgotten(dict(changed), frozenset(ids), removed, models, whole, partly, beside, unreadable)


def exported_files(folder: Path) -> list[str]:
    """Return the names of the files that an export wrote into its folder, without its facts; [] if it names none."""
    files = _export_facts(folder).get("files")
    names = files if isinstance(files, dict) else ()
    return sorted({Path(name).name for name in names} - {"", EXPORT_FACTS})


def _export_facts(folder: Path) -> dict[str, Any]:
    """Return what an export says of itself, nothing where that can't be read."""
    try:
        facts = json.loads((folder / EXPORT_FACTS).read_text("utf-8"))
    except (ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}


def containing(data: Path, text: str) -> Iterator[tuple[str, str]]:
    """Yield (id, content hash) of the records of all stages in which the text stands, white space aside."""
    wanted = "".join(text.split())
    seen: set[tuple[str, str]] = set()
    for path in record_files(data):
        for row in rows_of(path):
            if any(wanted in "".join(one.split()) for one in record_within(row).texts()):
                found = (row["id"], row["content_hash"])
                if found not in seen:
                    seen.add(found)
                    yield found


def _held(files: Sequence[Path], found: ToGo, whole: Traces, partly: Traces) -> dict[Path, set[str]]:
    """Return the files in which something goes, and the content hashes of whole records in them; note traces."""
    held: dict[Path, set[str]] = {}
    ids, known = found.ids, found.known
    for path in files:
        for row in rows_named(path, ids | found.partly):
            if row["id"] in ids:
                held.setdefault(path, set()).add(row["content_hash"])
                _trace(record_within(row), None, whole)
            else:
                record = record_within(row)
                left = known.left_of(record, row["content_hash"])
                if left is not record:
                    _trace(record, left, partly)
                if left is not record or row.get("duplicate_of") in ids:
                    held.setdefault(path, set())
    return held


def _others_say(files: Sequence[Path], contents: set[str], ids: set[str]) -> set[str]:
    """Return the hashes that a record which stays has, too: no mark without an author may take its words."""
    return {
        row["content_hash"]
        for path in (files if contents else ())
        for row in rows_of(path, ("id", "content_hash"))
        if row["content_hash"] in contents and row["id"] not in ids
    }


def _trace(record: Record, left: Record | None, traces: Traces) -> None:
    """Note a record's id and address, and the beginning of every text of it that goes."""
    traces.ids.add(record.id)
    if record.url:
        traces.urls.add(record.url)
    stays = set(left.texts()) if left is not None else set()
    traces.passages.update(passages_of(text for text in record.texts() if text not in stays))


def passages_of(texts: Iterable[str]) -> set[Private]:
    """Return the beginning of each text's longest line, by which a page is found that shows it; not of short texts."""
    lines = (max(text.splitlines(), key=len, default="") for text in texts)
    return {Private(line[:MOST_PASSAGE_CHARS]) for line in lines if len(line) >= FEWEST_PASSAGE_CHARS}


def _left(row: Row, known: Tombstones, ids: set[str]) -> Row | None:
    if row["id"] in ids:
        return None
    record = record_within(row)
    left = known.left_of(record, row["content_hash"])
    # What goes may be another's words, too: theirs stay, and no longer say of which text they were a copy.
    copy = {"duplicate_of": ""} if row.get("duplicate_of") in ids else {}
    if left is record:
        return {**row, **copy} if copy else row
    return None if left is None else {**row, **to_row(left), **copy}


def remove_copies(
    data: Path, corpora: set[str], *, unfinished_models: bool = True
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Remove reports and exports made from these corpora, return both and where files of others stay.

    Trainings that broke off are removed only by who holds their lock.
    """
    removed = []
    for report in run_folders(data, Stage.REPORTS):
        if _may_show(report, corpora):
            shutil.rmtree(report)
            removed.append(f"{Stage.REPORTS.value}/{report.name}")
    exports, beside = _remove_exports(data, corpora)
    for folder in run_folders(data, Stage.CORPUS):
        for page in CORPUS_PAGES:  # of any corpus: what was dropped before it is shown there, too
            (folder / page).unlink(missing_ok=True)
        if folder.name in corpora:
            shutil.rmtree(folder / CORPUS_FINGERPRINTS, ignore_errors=True)
    # A training that broke off would go on with another corpus, and holds a tokenizer of its words.
    if corpora and unfinished_models:
        remove_unfinished(data, [Stage.MODELS])
    return (*removed, *exports), beside


def _may_show(report: Path, corpora: set[str]) -> bool:
    """Return whether a complete report was made from one of these corpora, or can't say from which."""
    try:
        manifest = read_manifest(report)
    except MalformedInput:
        return True
    return manifest is not None and any(parent.run in corpora for parent in manifest.parents)


def _remove_exports(data: Path, corpora: set[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    removed, beside = [], []
    for facts in sorted((data / EXPORTS).glob(f"*/{EXPORT_FACTS}")):
        said = _export_facts(facts.parent)
        if not said or str(said.get("corpus")) in corpora:
            removed.append(f"{EXPORTS}/{facts.parent.name}")
            if not _remove_export(facts.parent):
                beside.append(removed[-1])
    for torn in (data / EXPORTS).glob(".*.new"):  # an export that was stopped half way
        shutil.rmtree(torn)
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


def _unfinished(data: Path) -> set[str]:
    """Return the corpora that a run of before began to change: their models are told, though nothing else is found."""
    try:
        return set((data / UNFINISHED).read_text("utf-8").split())
    except FileNotFoundError:
        return set()


def models_of(data: Path, corpora: set[str]) -> tuple[str, ...]:
    """Return the models trained on one of these corpora, and those trained further from one of them.

    Trainings that have not ended are named as well.
    """
    models = [*complete_runs(data, Stage.MODELS), *begun_models(data)]
    found = {model.run for model in models if any(parent.run in corpora for parent in model.parents)}
    before: set[str] = set()
    while found != before:
        before = set(found)
        found |= {model.run for model in models if _is_based_on(model, before)}
    return tuple(model.run for model in models if model.run in found)


def _is_based_on(model: Manifest, others: set[str]) -> bool:
    """Return whether a model was trained further from one of others, or from a folder inside its run."""
    named = {parent.run for parent in model.parents if parent.stage == BASE}
    return not others.isdisjoint({*named, *Path(str(model.settings.get("base") or "")).parts})
