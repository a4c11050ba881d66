"""What a training is made from: its corpus, its base, the run before it, and what they permit.

In: parents as a manifest names them, folders. Out: folders that are still what
they were, or a refusal; a base's name and hash; the one permit of all. Nothing
here loads a model.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from psyllm.core.base_models import base_hash
from psyllm.core.descent import mark_of_descent
from psyllm.core.errors import MissingFile, MissingStage, StageBusy
from psyllm.core.permits import BASE, permit_of_base, read_permit, refuse_ended, together
from psyllm.core.stages import Manifest, Parent, Stage, StageRun, locked, read_manifest, stage_folder

MODEL = "model"
LOOK_AGAIN_S = 0.2


def base_parent(base: Path | None) -> tuple[Parent, ...]:
    """Name a base checkpoint by the content of its files; a model of ours by its run.

    Raises:
        MissingFile: it is not there.
    """
    if base is None:
        return ()
    if not base.is_dir():
        message = f"the base checkpoint {base} does not exist"
        raise MissingFile(message, "name a local checkpoint folder: --set train.base=FOLDER")
    return (Parent(stage=BASE, run=base_name(base), content_hash=base_hash(base)),)


def base_name(base: Path) -> str:
    """Return what a base is called: `4_models/<run>/model` by its run, any other folder by its name."""
    is_ours = base.name == MODEL and read_manifest(base.parent) is not None
    return base.parent.name if is_ours else base.name


def inherited(base: Path | None, corpus: Manifest) -> dict[str, Any]:
    """Return the one permit of corpus and base, and what the base says of itself: none where it says nothing.

    A base's own terms and the texts that it has seen bind this model as well, and whether it comes from the
    model in the package, which must have passed before any model made from it speaks (`core/descent.py`); who asks later
    (`psyllm corpus leak-check --model`) must be able to tell "nothing" from "unknown". Of a model
    fetched from the hub the licence is known, and no more (`base_permit`).
    What has ended is refused, also where the model was made before it ended.
    """
    today = dt.datetime.now(dt.UTC).date()
    permit = read_permit(corpus.details.get("permit"), f"corpus {corpus.run}")
    refuse_ended(permit, corpus.run, "make a corpus without it: psyllm corpus", today)
    if base is None:
        return {"permit": permit._asdict(), "base_lineage": None}
    # late: what reads a card knows tokenizers, and most runs have no base
    from psyllm.lm.hub import fetched_permit
    from psyllm.lm.model_card import read_card

    card = read_card(base)
    lineage = None if card is None else card.lineage
    published = fetched_permit(base) if card is None else None
    of_base = published or permit_of_base(lineage, base_name(base))
    refuse_ended(of_base, f"the base {base}", "take another base: --set train.base=FOLDER", today)
    return {
        "permit": together([permit, of_base])._asdict(),
        "base_lineage": lineage,
        **mark_of_descent(base, base_name(base), lineage),
        **({} if published is None else {"base_permit": published._asdict()}),
    }


def corpus_of(parents: tuple[Parent, ...], data: Path, next_step: str) -> tuple[Path, Manifest]:
    """Return the corpus among the parents, if it is still what it was; `next_step` is what else can be done.

    Raises:
        MissingStage: it is not.
    """
    parent = next(parent for parent in parents if parent.stage == Stage.CORPUS.value)
    folder = stage_folder(data, Stage.CORPUS) / parent.run
    manifest = read_manifest(folder)
    if manifest is None or manifest.content_hash != parent.content_hash:
        message = f"the corpus {parent.run} that it learnt from is no longer there as it was"
        raise MissingStage(message, next_step)
    return folder, manifest


def earlier_run(data: Path, name: str, parents: tuple[Parent, ...]) -> Path | None:
    """Return the finished run that another goes on from, if it is still what it was.

    Raises:
        MissingStage: it is not.
    """
    if not name:
        return None
    folder = stage_folder(data, Stage.MODELS) / name
    manifest = read_manifest(folder)
    if manifest is None or manifest.content_hash not in {parent.content_hash for parent in parents}:
        message = f"the run {name} that it goes on from is no longer there as it was"
        raise MissingStage(message, "begin anew: psyllm train")
    return folder


@contextmanager
def words_held(run: StageRun, wait_s: float) -> Iterator[None]:
    """Let nobody change the corpus inside the block, in which a model is taken into use; refuse if it was changed.

    Words are taken back from a corpus also while a training runs that has read them: its model must not
    be talked with. Where the corpus is being written, waits as long as told.

    Raises:
        MissingStage: the corpus is no longer what the run learnt from.
        StageBusy: it is still being written.
    """
    with ExitStack() as held:
        until = time.monotonic() + wait_s
        while not _held(held, run):
            if time.monotonic() > until:
                message = f"{run.name} has learnt to its end, but another process still writes the corpus"
                next_step = f"wait for that to end, then run: psyllm train resume {run.name}"
                raise StageBusy(message, next_step)
            time.sleep(min(LOOK_AGAIN_S, wait_s))
        try:
            corpus_of(run.parents, run.data, "")
        except MissingStage as error:
            message = (
                f"words of the corpus were taken back or changed while {run.name} learnt from them: "
                "it is not taken into use"
            )
            next_step = f"train anew, without them: psyllm train; and delete the folder {run.folder}"
            raise MissingStage(message, next_step) from error
        yield


def _held(held: ExitStack, run: StageRun) -> bool:
    try:
        held.enter_context(locked(run.data, Stage.CORPUS))
    except StageBusy:
        return False
    return True
