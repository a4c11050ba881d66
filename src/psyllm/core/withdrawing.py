"""Taking what nobody allows any more out of everything that was made from what was given back.

A visitor's consent has ended, or the visitor was erased: the ids of the records
come in, and their rows go out of `2_cleaned` and `3_corpus`, down to the bytes,
rated answers as well. Which ids these are, the rows themselves tell: each carries
its consent, in whatever run it stands. Reports and exports of a changed corpus go, too. Unlike
`forgetting.py` this leaves no tombstone: who consents again is heard again. What
still stands under an id comes back with the next `psyllm clean`. A model can't
forget; those trained on the words are named. `6_feedback` itself is `feedback`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from psyllm.core.begun_models import need_readable_runs
from psyllm.core.errors import StageBusy
from psyllm.core.forgetting import models_of, remove_copies
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
from psyllm.core.mended_manifests import mend_manifests
from psyllm.core.stages import Stage, locked, read_manifest, stage_folder

_HOLDING = (Stage.CLEANED, Stage.CORPUS)
_KEYS = ("id", "source", "consent_id")


class Withdrawn(NamedTuple):
    """How many rows went, and which models were trained on them."""

    rows: int
    models: tuple[str, ...]


def ended_records(data: Path, source: str, standing: Collection[str]) -> frozenset[str]:
    """Return the ids of what any run of cleaned data or of a corpus holds under a consent that stands no more.

    No run of before is asked what it gave back: what it no longer held may have been cleaned and split long since.
    A row without a consent never came from somebody's.

    Raises:
        MalformedInput: a file can't be read.
    """
    files = record_files(data, _HOLDING)
    return frozenset(
        row["id"]
        for row in (row for path in files for row in rows_of(path, _KEYS))
        if row["source"] == source and row.get("consent_id") and row["consent_id"] not in standing
    )


def remove_half_made(data: Path) -> None:
    """Remove cleanings and corpora that broke off: they were made from what is about to be replaced.

    Raises:
        StageBusy: one is being made; it would be complete with words that nobody looks for any more.
    """
    for stage in _HOLDING:
        if any(read_manifest(folder) is None for folder in run_folders(data, stage)):
            with locked(data, stage):
                remove_unfinished(data, [stage])


def withdraw(data: Path, ids: frozenset[str], remake: Callable[[Path], object] | None = None) -> Withdrawn:
    """Take the rows of these records out; doing it again changes nothing more.

    `remake` is called with the data folder at the end, while nobody else may write: it makes again what
    was made of the texts.

    Raises:
        StageBusy: cleaned data or a corpus is being written; nothing was changed.
        MalformedInput: what a run says of itself can't be read; nothing was changed.
        DiskFull: no space is left to write files again.
    """
    stages = [stage for stage in _HOLDING if stage_folder(data, stage).is_dir()]
    if not ids or not stages:
        return Withdrawn(0, ())
    with ExitStack() as opened:
        opened.enter_context(space_needed(data))
        for stage in stages:
            opened.enter_context(locked(data, stage))
        need_readable_runs(data)
        remove_unfinished(data, stages)
        held = [path for path in record_files(data, stages) if any(True for _ in rows_named(path, ids))]
        corpora = {path.parent.name for path in held if path.parent.parent.name == Stage.CORPUS.value}
        if held:
            remove_copies(data, corpora, unfinished_models=_free(data, opened))
        rows = sum(rewrite_file(path, ids, lambda row: _left(row, ids)) for path in held)
        if held:
            mend_manifests(data, stages)
        if held and remake is not None:
            remake(data)
            mend_manifests(data, stages)
        return Withdrawn(rows, models_of(data, corpora))


def _left(row: Row, ids: frozenset[str]) -> Row | None:
    if row["id"] in ids:
        return None
    return {**row, "duplicate_of": ""} if row.get("duplicate_of") in ids else row


def _free(data: Path, opened: ExitStack) -> bool:
    """Return whether no training runs; one that does has read the words already.

    It is named as a model, and `train` does not take it into use when it ends.
    """
    if not stage_folder(data, Stage.MODELS).is_dir():
        return False
    try:
        opened.enter_context(locked(data, Stage.MODELS))
    except StageBusy:
        return False
    return True
