"""What models have learnt from, and whether that holds the records of a split.

In: the manifests of the models, the corpus whose split is measured, the data
folder. Out: for a comparison the names of bases of which nobody here can say
what they have read, or a refusal where a model has learnt from the split; for
one model the corpora that can be looked into, and the records of the split that
they hold. They are known again record by record: ids, groups, and openings, long answers and whole dialogues word for
word (white space aside). Near copies are not found here; `psyllm corpus
leak-check` is for that. Nothing is measured.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
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


class Look(NamedTuple):
    """Other corpora that a model has learnt from: `here` as they were, `gone`; `unchecked` names what nobody can look into.

    What came with fingerprints is gone, and still not unchecked: `seen_before` looks into these.
    """

    here: list[Parent]
    gone: list[Parent]
    unchecked: list[str]


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
    stage = stage_folder(data, Stage.CORPUS)
    records = list(read_records(stage / corpus.run, prefix=split))
    unchecked: dict[str, None] = {}
    clean: set[str] = set()
    for model in models:
        look = look_of(model, corpus, data)
        gone = [parent for parent in look.gone if parent in learnt_from(model).own]
        if gone:
            _refuse_gone(model.run, stage / gone[0].run, corpus, data)
        unchecked |= dict.fromkeys(look.unchecked)
        for parent in look.here:
            if parent.content_hash in clean:
                continue
            seen = held_by(stage / parent.run, records)
            if seen:
                _refuse_seen(model.run, parent.run, (len(seen), len(records), split), corpus, data)
            clean.add(parent.content_hash)
    return list(unchecked)


def look_of(model: Manifest, corpus: Manifest, data: Path) -> Look:
    """Return what a model and its bases have learnt from beside this corpus, which keeps its own split from them."""
    learnt = learnt_from(model)
    look = Look([], [], list(dict.fromkeys(learnt.unknown)))
    for parent in dict.fromkeys((*learnt.own, *learnt.of_bases)):
        if parent.content_hash == corpus.content_hash:
            continue
        found = read_manifest(stage_folder(data, Stage.CORPUS) / parent.run)
        if found is not None and found.content_hash == parent.content_hash:
            look.here.append(parent)
            continue
        look.gone.append(parent)
        if not embedded.has_read(parent) and parent.run not in look.unchecked:
            look.unchecked.append(parent.run)
    return look


def held_by(corpus: Path, records: Iterable[Record]) -> set[str]:
    """Return the ids of those records that the corpus has in what is learnt from."""
    known: dict[str, set[str]] = {}
    for record in records:
        for mark in marks_of(record):
            known.setdefault(mark, set()).add(record.id)
    return {record_id for mark in _marks_learnt(corpus) for record_id in known.get(mark, ())}


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
