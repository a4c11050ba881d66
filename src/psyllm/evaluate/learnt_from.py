"""May these models be measured on one test split? Only if none of them has learnt from it.

In: the manifests of the models, the corpus whose split is measured, the data
folder. Out: the names of bases of which nobody here can say what they have
read, or a refusal. A model that was trained on another corpus is checked record
by record: ids, groups, and openings, long answers and whole dialogues word for
word (white space aside). Near copies are not found here; `psyllm corpus
leak-check` is for that. Nothing is measured.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from psyllm.core import embedded
from psyllm.core.errors import BadSetting, MissingStage
from psyllm.core.permits import BASE
from psyllm.core.progress import track
from psyllm.core.rated_answers import rated_prefix, read_rated
from psyllm.core.records import Record, read_records
from psyllm.core.stages import Manifest, Parent, Stage, read_manifest, stage_folder

# dev is learnt from as well: it chooses the checkpoint
LEARNT_FROM = ("train", "dev")
LEAST_ANSWER_CHARS = 50  # shorter answers are said by many people in the same words


class Learnt(NamedTuple):
    """The corpora a model was trained on, its own and those of its bases, and the bases of which nothing is known."""

    own: list[Parent]
    of_bases: list[Parent]
    unknown: list[str]


def refuse_learnt_split(split: str) -> None:
    """Refuse to compare models on a split that they have learnt from, their own corpus's as well.

    Raises:
        BadSetting: it is one of `LEARNT_FROM`.
    """
    if split in LEARNT_FROM:
        message = f"the {split} split chose the checkpoint of each model: a comparison on it favours the one it fits"
        raise BadSetting(message, "compare on records kept for measuring: --set evaluate.split=test")


def check_unseen(models: Sequence[Manifest], corpus: Manifest, split: str, data: Path) -> list[str]:
    """Return what can't be checked, by name, if no model is known to have learnt from the split.

    Raises:
        MissingStage: one has, or the corpus that it was trained on is no longer there to be looked into.
    """
    marks: dict[str, str] = {}
    records = 0
    for record in read_records(stage_folder(data, Stage.CORPUS) / corpus.run, prefix=split):
        records += 1
        marks |= dict.fromkeys(marks_of(record), record.id)
    unchecked: dict[str, None] = {}
    clean = {corpus.content_hash}
    for model in models:
        learnt = learnt_from(model)
        unchecked |= dict.fromkeys(learnt.unknown)
        for parent in (*learnt.own, *learnt.of_bases):
            if parent.content_hash in clean:
                continue
            folder = stage_folder(data, Stage.CORPUS) / parent.run
            found = read_manifest(folder)
            if found is None or found.content_hash != parent.content_hash:
                if parent in learnt.own:
                    _refuse_gone(model.run, folder, corpus, data)
                if not embedded.has_read(parent):  # else `seen_before` leaves out what it has read
                    unchecked[parent.run] = None
                continue
            seen = {marks[mark] for mark in _marks_learnt(folder) if mark in marks}
            if seen:
                _refuse_seen(model.run, parent.run, (len(seen), records, split), corpus, data)
            clean.add(parent.content_hash)
    return list(unchecked)


def learnt_from(model: Manifest) -> Learnt:
    """Return what a model's manifest says it learnt from, down the line of its bases."""
    own = [parent for parent in model.parents if parent.stage == Stage.CORPUS.value]
    bases = [parent.run for parent in model.parents if parent.stage == BASE]
    of_bases: list[Parent] = []
    unknown: list[str] = []
    lineage: object = model.details.get("lineage")
    while bases and isinstance(lineage, Mapping):
        below: object = lineage.get("base_lineage")
        if not isinstance(below, Mapping) or not below.get("parents"):
            unknown += bases
            break
        unknown += below.get("unknown", ())  # adapters from elsewhere that were merged in
        parents = [Parent.model_validate(parent) for parent in below["parents"]]
        of_bases += [parent for parent in parents if parent.stage == Stage.CORPUS.value]
        bases = [parent.run for parent in parents if parent.stage == BASE]
        lineage = below
    else:
        unknown += bases
    return Learnt(own, of_bases, unknown)


def marks_of(record: Record) -> Iterator[str]:
    """Yield by what a record is known again: its id, its group, and hashes of its words."""
    yield f"id {record.id}"
    yield f"group {record.group}"
    texts = [answer.text for answer in record.answers if len(answer.text) >= LEAST_ANSWER_CHARS]
    if record.kind == "dialogue":
        texts.append("".join(turn.text for turn in record.turns))
    else:
        texts.append(record.opening())
    for text in texts:
        folded = "".join(text.split())
        if folded:
            yield f"text {hashlib.sha256(folded.encode()).hexdigest()}"


def _marks_learnt(corpus: Path) -> Iterator[str]:
    for split in LEARNT_FROM:
        for record in track(read_records(corpus, prefix=split), f"looking into {split} of {corpus.name}"):
            if record.may_train:
                yield from marks_of(record)
        for row in read_rated(corpus, prefix=rated_prefix(split)):
            yield from marks_of(row.record)


def _again(corpus: Manifest, data: Path) -> str:
    here: Any = shlex.quote(str(data))
    return (
        f"train it on {corpus.run}: make that the corpus in use (psyllm corpus --data {here}), "
        f"then psyllm train --data {here}; or compare models of one corpus"
    )


def _refuse_gone(run: str, folder: Path, corpus: Manifest, data: Path) -> None:
    message = (
        f"model {run} was trained on {folder}, which is no longer there as it was: nobody can say whether "
        f"it has learnt from the records that {corpus.run} keeps for measuring"
    )
    raise MissingStage(message, _again(corpus, data))


def _refuse_seen(run: str, learnt: str, found: tuple[int, int, str], corpus: Manifest, data: Path) -> None:
    seen, records, split = found
    message = (
        f"model {run} has learnt from {seen:,} of the {records:,} {split} records of {corpus.run}: "
        f"they stand in the training or dev split of {learnt}, which it was trained on"
    )
    raise MissingStage(message, _again(corpus, data))
