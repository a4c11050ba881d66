"""Taking out of every stage what somebody wants forgotten, down to the bytes.

Marks (an address, an author's hash, a content hash) come in; every file of
records in `1_collected` to `6_feedback` is written again without what they
name, manifests are put right, and a tombstone is left first, so that neither a
crash nor a later import brings it back. The same words under other ids go, too:
duplicates that cleaning found, records made from them, an equal answer in any
record. What others wrote in a thread stays, unless the thread itself is named.
An answer that was changed since, if only a little, is found only in records
that go whole. Reports of a changed corpus, and every file that an export of it
names, are removed: they can be made again. What others put beside an export
stays, and its folder is named. An export that no longer says what it is goes
whole, and so does a reviewers' decision that can't be read: either may hold the words. A model can't forget; those trained on the words
are named. Pages that were fetched are `collect`'s, people's conversations the
casebook's.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

from psyllm.core.forgotten_files import (
    Row,
    record_files,
    record_of,
    remove_unfinished,
    rewrite_file,
    rows_of,
    run_folders,
    space_needed,
)
from psyllm.core.mended_manifests import mend_manifests
from psyllm.core.private import Private
from psyllm.core.progress import track
from psyllm.core.records import Record, to_row
from psyllm.core.settled_reviews import reviews_folder, unreadable_decisions, without_decisions
from psyllm.core.stages import (
    STAGES_WITH_ALL_RUNS_IN_USE,
    Manifest,
    Stage,
    complete_runs,
    locked,
    stage_folder,
)
from psyllm.core.tombstones import (
    MarkKind,
    Tombstone,
    Tombstones,
    answer_mark,
    append_tombstones,
    id_mark,
    question_mark,
    read_tombstones,
    url_mark,
)

EXPORTS = "exports"
EXPORT_FACTS = "export.json"
# What a corpus shows and keeps of texts besides its records; `corpus/refresh.py` makes it again.
CORPUS_PAGES = ("samples.json", "card.html")
CORPUS_FINGERPRINTS = "fingerprints"
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


class Reach(IntEnum):
    """How much of a record's words is to stay out, for whom it goes: what only its place takes, leaves less."""

    WHOLE = 1  # nothing but the very same record: all of its answers went, or its copy
    ASKED = 2  # its author's own words: the question
    EVERYTHING = 3  # named itself: the question and each answer


def marks_of(urls: Sequence[str], authors: Sequence[str], contents: Sequence[str]) -> list[Tombstone]:
    """Return what is to be forgotten as tombstones of now."""
    marks = _tombstones("url", map(url_mark, urls))
    return marks + _tombstones("author", authors) + _tombstones("content", contents)


def _tombstones(kind: MarkKind, marks: Iterable[str]) -> list[Tombstone]:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return [Tombstone(kind=kind, mark=mark, at=now) for mark in marks]


def forget(
    data: Path,
    marks: Sequence[Tombstone],
    erase: Callable[[frozenset[str]], object] | None = None,
    remake: Callable[[Path], object] | None = None,
) -> Forgotten:
    """Take out everything that the marks name; doing it again changes nothing more.

    `erase` is called with the ids of all records that go or change, before anything is rewritten:
    what people wrote about them elsewhere must go, too, and can be found again after a crash.
    `remake` is called with the data folder at the end, while nobody else may write: it makes again
    what was made of the texts.

    Raises:
        StageBusy: a stage is being written; nothing was changed.
        MalformedInput: a complete run has a file that can't be read; nothing was taken out.
        DiskFull: no space is left to write files again.
    """
    with ExitStack() as opened:
        opened.enter_context(space_needed(data))
        stages = [stage for stage in Stage if stage_folder(data, stage).is_dir()]
        for stage in stages:
            opened.enter_context(locked(data, stage))
        known = read_tombstones(data).with_more(Tombstones.of(marks))
        append_tombstones(data, marks)
        remove_unfinished(data, [stage for stage in stages if stage is not Stage.MODELS])
        done = _take_out(data, Tombstones.of(marks), known, list(record_files(data, stages)), erase)
        mend_manifests(data, stages)
        if remake is not None:
            remake(data)
            mend_manifests(data, stages)
        return done


def _take_out(
    data: Path,
    asked: Tombstones,
    known: Tombstones,
    files: Sequence[Path],
    erase: Callable[[frozenset[str]], object] | None,
) -> Forgotten:
    """Find what goes and note its marks, remove copies, then write the files again."""
    parts, ids, known = _found(asked, known, files)
    whole, partly = Traces(set(), set(), set()), Traces(set(), set(), set())
    held = _held(files, known, ids, whole, partly)
    touched = frozenset(ids | partly.ids)
    if erase is not None:
        erase(touched)
    also = sorted({content for one in held.values() for content in one})
    append_tombstones(data, [*parts, *_tombstones("content", also)])
    corpora = {path.parent.name for path in held if path.parent.parent.name == Stage.CORPUS.value}
    # Copies first: after a crash the records are still there to tell which they are.
    removed, beside = _remove_copies(data, corpora) if held else ((), ())
    unreadable = unreadable_decisions(reviews_folder(data))
    without_decisions(reviews_folder(data), touched, (*asked.contents, *also))
    changed: Counter[str] = Counter()
    for path in track(list(held), "take it out", len(held)):
        rows = rewrite_file(path, lambda row: _left(row, known, ids))
        changed[f"{path.parent.parent.name}/{path.parent.name}"] += rows
    models = _models_of(data, corpora)
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
            if any(wanted in "".join(one.split()) for one in record_of(row).texts()):
                found = (row["id"], row["content_hash"])
                if found not in seen:
                    seen.add(found)
                    yield found


def _found(
    asked: Tombstones, known: Tombstones, files: Sequence[Path]
) -> tuple[list[Tombstone], set[str], Tombstones]:
    """Return marks of the parts of what goes, the ids of records that go whole, and all marks."""
    reach: dict[str, Reach] = {}
    ties: list[tuple[str, str]] = []
    answers: set[str] = set()
    for path in track(files, "look for it", len(files)):
        for row in rows_of(path):
            record = record_of(row)
            _reach_at_least(reach, record.id, _reach_of(record, row["content_hash"], asked))
            answers |= {answer_mark(one.text) for one in record.answers if one.author_hash in asked.authors}
            ties += [(parent, record.id) for parent in record.parents]
            kept = row.get("duplicate_of")
            if kept:  # the same words: each leads to the other
                ties += [(kept, record.id), (record.id, kept)]
    _spread(reach, ties)
    parts = _marks_of_parts(files, reach, answers) if reach or answers else []
    known = known.with_more(Tombstones.of(parts))
    for path in track(files, "look for copies", len(files)):
        is_original = path.parent.parent.name in STAGES_WITH_ALL_RUNS_IN_USE
        for row in rows_of(path):
            if _goes_whole(record_of(row), row["content_hash"], known, is_original=is_original):
                _reach_at_least(reach, row["id"], Reach.WHOLE)
    _spread(reach, ties)
    return parts, set(reach), known


def _reach_of(record: Record, content_hash: str, asked: Tombstones) -> Reach | None:
    if asked.names_text(record, content_hash):
        return Reach.EVERYTHING
    return Reach.ASKED if record.author_hash in asked.authors else None


def _reach_at_least(reach: dict[str, Reach], key: str, least: Reach | None) -> bool:
    """Note how far it reaches for a record; return whether that is farther than before."""
    if least is None or reach.get(key, 0) >= least:
        return False
    reach[key] = least
    return True


def _spread(reach: dict[str, Reach], ties: Sequence[tuple[str, str]]) -> None:
    """Let copies, and records made from others, go as far as these."""
    while sum(_reach_at_least(reach, to, reach.get(source)) for source, to in ties):
        pass


def _goes_whole(record: Record, content_hash: str, known: Tombstones, *, is_original: bool) -> bool:
    """Return whether a record goes in all stages.

    That cleaning had left only the author's answers says nothing about what others wrote.
    """
    if record.author_hash in known.authors or known.names_text(record, content_hash):
        return True
    return is_original and known.left_of(record, content_hash) is None


def _marks_of_parts(files: Sequence[Path], reach: dict[str, Reach], answers: set[str]) -> list[Tombstone]:
    """Return marks of the questions, answers and ids of what was named, in every form that a stage has."""
    questions: set[str] = set()
    for row in (row for path in files for row in rows_of(path)):
        if reach.get(row["id"], Reach.WHOLE) > Reach.WHOLE:
            record = record_of(row)
            questions.add(question_mark(record))
            if reach[record.id] is Reach.EVERYTHING:
                answers |= {answer_mark(one.text) for one in record.answers}
    ids = {id_mark(key) for key, far in reach.items() if far > Reach.WHOLE}
    return [
        *_tombstones("question", sorted(questions - {""})),
        *_tombstones("answer", sorted(answers - {""})),
        *_tombstones("id", sorted(ids)),
    ]


def _held(
    files: Sequence[Path], known: Tombstones, ids: set[str], whole: Traces, partly: Traces
) -> dict[Path, set[str]]:
    """Return the files in which something goes, and the content hashes of whole records in them; note traces."""
    held: dict[Path, set[str]] = {}
    for path in files:
        for row in rows_of(path):
            if row["id"] in ids:
                held.setdefault(path, set()).add(row["content_hash"])
                _trace(record_of(row), None, whole)
            else:
                left = _left(row, known, ids)
                if left is not row:
                    held.setdefault(path, set())
                    _trace(record_of(row), record_of(left) if left is not None else None, partly)
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


def _left(row: Row, known: Tombstones, ids: set[str]) -> Row | None:
    if row["id"] in ids or row.get("duplicate_of") in ids:
        return None
    record = record_of(row)
    left = known.left_of(record, row["content_hash"])
    if left is record:
        return row
    return None if left is None else {**row, **to_row(left)}


def _remove_copies(data: Path, corpora: set[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Remove reports and exports made from these corpora, return both and where files of others stay."""
    removed = []
    for report in complete_runs(data, Stage.REPORTS):
        if any(parent.run in corpora for parent in report.parents):
            shutil.rmtree(stage_folder(data, Stage.REPORTS) / report.run)
            removed.append(f"{Stage.REPORTS.value}/{report.run}")
    exports, beside = _remove_exports(data, corpora)
    for folder in run_folders(data, Stage.CORPUS):
        for page in CORPUS_PAGES:  # of any corpus: what was dropped before it is shown there, too
            (folder / page).unlink(missing_ok=True)
        if folder.name in corpora:
            shutil.rmtree(folder / CORPUS_FINGERPRINTS, ignore_errors=True)
    if (
        corpora
    ):  # a training that broke off would go on with another corpus, and holds a tokenizer of its words
        remove_unfinished(data, [Stage.MODELS])
    return (*removed, *exports), beside


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


def _models_of(data: Path, corpora: set[str]) -> tuple[str, ...]:
    def is_from(model: Manifest) -> bool:
        return any(parent.run in corpora for parent in model.parents)

    return tuple(model.run for model in complete_runs(data, Stage.MODELS) if is_from(model))
