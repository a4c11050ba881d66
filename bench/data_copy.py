"""A copy of a data folder in which visitors can be played: what the next model is made of, and no word of anybody.

In: a data folder. Out: a new one with what was collected, the list of what was forgotten (hashes), the corpus in use
and, where it is asked for, the model in use with the corpora that it and its bases learnt from, by which an
evaluation tells what they have read. Nothing else is copied: no casebook, no ratings, no decisions of reviewers, no
signature, no cleaned data (cleaning makes it anew), no reports, no steps of a training. A folder that
holds what people gave back, or records made of it, is refused: corpora and models are made of such records. So is a
model that names the casebook in its line, or learnt from a corpus that is not there to be looked at. What a base
from elsewhere has read nobody here can say.
"""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

from psyllm.casebook.consented import SOURCE
from psyllm.core import embedded
from psyllm.core.forgotten_files import record_files, rows_of
from psyllm.core.permits import permit_of_model
from psyllm.core.stages import (
    MANIFEST,
    Manifest,
    Parent,
    Stage,
    complete_runs,
    current_run,
    need_current,
    read_manifest,
    set_current,
    stage_folder,
)
from psyllm.core.tombstones import tombstones_path
from psyllm.evaluate.learnt_from import learnt_from

MODEL = "model"
LOCK = ".lock"
NEXT_STEP = "give a data folder without people's ratings, e.g. one made by: runs/circle.sh --data NEW"
HOLDING = (Stage.COLLECTED, Stage.CLEANED, Stage.CORPUS)


def need_nobodys_words(data: Path) -> None:
    """Do nothing if a data folder holds nothing that people gave back and no record made of it.

    Raises:
        SystemExit: it does.
    """
    given_back = stage_folder(data, Stage.FEEDBACK)
    if any(path.is_file() and path.name != LOCK for path in given_back.rglob("*")):
        message = f"{given_back} is not empty: it holds what people gave back; {NEXT_STEP}"
        raise SystemExit(message)
    for path in record_files(data, HOLDING):
        rows = rows_of(path, ("source", "consent_id"))
        count = sum(row["source"] == SOURCE or bool(row.get("consent_id")) for row in rows)
        if count:
            message = f"{path} holds {count:,} records made of people's conversations; {NEXT_STEP}"
            raise SystemExit(message)


def need_model_of_nobodys_words(data: Path) -> None:
    """Do nothing if the model in use learnt from nothing that people gave back, as far as its line tells.

    `need_nobodys_words` looks at the corpora that are there. The package's own model is known by its fingerprints.

    Raises:
        SystemExit: its line names the casebook, or a corpus that is not there as it was.
        MissingStage: there is no model.
    """
    folder, manifest = need_current(data, Stage.MODELS)
    if any(row["source"] == SOURCE for row in permit_of_model(manifest).sources):
        message = f"{folder} has learnt from people's conversations: its line names the {SOURCE}; {NEXT_STEP}"
        raise SystemExit(message)
    for parent in _learnt(manifest):
        if not _is_there(data, parent) and not embedded.has_read(parent):
            message = (
                f"{folder} has learnt from {parent.run}, which is not there as it was: nobody can tell whether it held"
                f" people's conversations; train it anew: psyllm train --data {shlex.quote(str(data))}; or {NEXT_STEP}"
            )
            raise SystemExit(message)


def copy_data(data: Path, into: Path, *, with_model: bool) -> None:
    """Make the copy in a new folder.

    Raises:
        SystemExit: the folder holds people's words, or the model may have learnt them.
        MissingStage: the model was asked for, and there is none.
    """
    need_nobodys_words(data)
    if with_model:
        need_model_of_nobodys_words(data)
    into.mkdir(parents=True)
    for manifest in complete_runs(data, Stage.COLLECTED):
        _copy_run(data, into, Stage.COLLECTED, manifest.run)
    forgotten = tombstones_path(data)
    if forgotten.is_file():
        shutil.copyfile(forgotten, tombstones_path(into))
    corpus = current_run(data, Stage.CORPUS)
    if corpus is not None:
        _copy_run(data, into, Stage.CORPUS, corpus.name)
        set_current(into, Stage.CORPUS, corpus.name)
    if with_model:
        _copy_model(data, into)


def _copy_model(data: Path, into: Path) -> None:
    folder, manifest = need_current(data, Stage.MODELS)
    new = stage_folder(into, Stage.MODELS) / folder.name
    shutil.copytree(folder / MODEL, new / MODEL)
    shutil.copyfile(folder / MANIFEST, new / MANIFEST)
    set_current(into, Stage.MODELS, folder.name)
    for parent in _learnt(manifest):
        if _is_there(data, parent):
            _copy_run(data, into, Stage.CORPUS, parent.run)


def _learnt(model: Manifest) -> tuple[Parent, ...]:
    learnt = learnt_from(model)
    return (*learnt.own, *learnt.of_bases)


def _is_there(data: Path, corpus: Parent) -> bool:
    there = read_manifest(stage_folder(data, Stage.CORPUS) / corpus.run)
    return there is not None and there.content_hash == corpus.content_hash


def _copy_run(data: Path, into: Path, stage: Stage, run: str) -> None:
    shutil.copytree(stage_folder(data, stage) / run, stage_folder(into, stage) / run, dirs_exist_ok=True)
