"""Feedback: consented answers in the casebook become the run `casebook` of `6_feedback`.

Beside the records stand the rated answers, good and bad ones, of which only preferences are learnt (`rated.py`).
What reviewers decided about cleaned records becomes the run `reviews` beside it
(`reviews.py`). The run `casebook` is the present state and replaces the one before: what is withdrawn or
erased in the casebook is gone here after the next run, and from all cleaned data and corpora. The new run is written
beside the old one and takes its place when it is complete. Without a single
answer there is no run, so that nothing downstream has to be made again because
of an empty one. Nothing is written to the casebook; of reviews of conversations
whose consent ended it is cleared.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path

from psyllm.casebook.consented import SOURCE, Consented, consented_answers
from psyllm.casebook.open import open_casebook
from psyllm.casebook.place import casebook_at, has_casebook
from psyllm.core.data_folder import need_data_folder
from psyllm.core.progress import report
from psyllm.core.rated_answers import RATINGS, read_rated, tally_of, write_rated
from psyllm.core.records import Record, read_records, write_records
from psyllm.core.settings import FeedbackSettings
from psyllm.core.stages import (
    Manifest,
    Stage,
    StageRun,
    fingerprint,
    locked,
    read_manifest,
    stage_folder,
    up_to_date,
    writing,
)
from psyllm.core.tombstones import read_tombstones
from psyllm.core.withdrawing import Withdrawn, ended_records, remove_half_made, withdraw
from psyllm.feedback.choosing import Chosen, choose
from psyllm.feedback.reviews import write_reviews

NAME = SOURCE
TASK = "feedback"
PARTIAL = ".casebook.partial"
OLD = ".casebook.old"


def run(
    settings: FeedbackSettings,
    data: Path,
    database: str = "",
    remake: Callable[[Path], object] | None = None,
) -> Manifest:
    """Write the consented answers as records, and what reviewers decided; unchanged runs stay as they are.

    What is allowed no more is first taken out of everything that was ever cleaned and split.
    `database` is the URL of the casebook where the settings name one (`serve.database`); `remake` makes
    again what a corpus shows of its texts.

    Raises:
        MissingFile: there is no such data folder; none is made.
        CasebookError: the casebook lies elsewhere or can't be opened.
        StageBusy: another process writes to the stage, or to one that holds what is allowed no more,
            or makes something from the run that is to be replaced.
        MalformedInput: a file of records can't be read, so nobody could say whose words it holds.
    """
    need_data_folder(data)
    report(TASK, 0, 1)
    write_reviews(data, database)
    consented = asyncio.run(_consented(data, database))
    chosen = choose(consented, settings).without(read_tombstones(data))
    lines = [one.model_dump_json() for one in (*chosen.records, *chosen.rated)]
    facts = {
        **settings.model_dump(mode="json"),
        "casebook": hashlib.sha256("\n".join(lines).encode()).hexdigest(),
        "drops": dict(sorted(chosen.drops.items())),
        "rated_drops": dict(sorted(chosen.rated_drops.items())),
    }
    mark = fingerprint(Stage.FEEDBACK, (), facts, rooms=["feedback", "core"])
    stage = stage_folder(data, Stage.FEEDBACK)
    before = list(chain(_records_of(stage / NAME), _records_of(stage / OLD)))
    gone = _take_back(data, before, {one.consent_id for one in consented}, remake)
    known = up_to_date(data, Stage.FEEDBACK, NAME)
    if known is not None and known.fingerprint == mark and not gone.rows:
        _remove_left_over(data)
        report(TASK, 1, 1)
        return known
    if before:
        remove_half_made(data)
    stage_run = StageRun(data, Stage.FEEDBACK, NAME, mark, (), settings.model_dump(mode="json"))
    stage_run.folder = stage / PARTIAL
    counts = {
        "records": len(chosen.records),
        "answers": sum(len(one.answers) for one in chosen.records),
        "turns": sum(len(one.turns) for one in chosen.records),
        RATINGS: len(chosen.rated),
    }
    details = {RATINGS: _figures(chosen), "withdrawn": {"rows": gone.rows, "models": list(gone.models)}}
    with writing(stage_run):
        write_records(chosen.records, stage_run.folder)
        write_rated(chosen.rated, stage_run.folder)
        manifest = stage_run.finish(counts=counts, drops=chosen.drops, details=details)
        _put_in_place(stage, keep=bool(chosen.records or chosen.rated))
    report(TASK, 1, 1)
    return manifest


def _records_of(run_folder: Path) -> Iterable[Record]:
    """Return the records of a complete run, those of its rated answers as well."""
    if read_manifest(run_folder) is None:
        return ()
    return chain(read_records(run_folder), (row.record for row in read_rated(run_folder)))


def _take_back(
    data: Path,
    before: Iterable[Record],
    standing: set[str],
    remake: Callable[[Path], object] | None,
) -> Withdrawn:
    """Take out what stands under a consent that ended: what was given back before, and whatever was made of it.

    The run before is asked as well: what is being cleaned just now is in no complete run, but withdrawing waits for it.
    """
    ended = {record.id for record in before if record.consent_id not in standing}
    return withdraw(data, ended_records(data, SOURCE, standing) | ended, remake)


def _remove_left_over(data: Path) -> None:
    """Remove what a kill left beside the run: it may hold words that are allowed no more."""
    stage = stage_folder(data, Stage.FEEDBACK)
    if (stage / OLD).exists() or (stage / PARTIAL).exists():
        with locked(data, Stage.FEEDBACK):
            shutil.rmtree(stage / OLD, ignore_errors=True)
            shutil.rmtree(stage / PARTIAL, ignore_errors=True)


def _figures(chosen: Chosen) -> dict[str, object]:
    """Return how many rated answers there are of which kind, of how many people, and what was left out."""
    return {**tally_of(chosen.rated)._asdict(), "left_out": dict(sorted(chosen.rated_drops.items()))}


async def _consented(data: Path, database: str) -> list[Consented]:
    if not has_casebook(data, database):
        return []
    book = await open_casebook(casebook_at(data, database))
    try:
        return await consented_answers(book)
    finally:
        await book.close()


def _put_in_place(stage: Path, *, keep: bool) -> None:
    """Let the new run take the old one's place; a kill in between leaves the old, the new or none."""
    old, new = stage / OLD, stage / NAME
    shutil.rmtree(old, ignore_errors=True)
    if new.exists():
        new.rename(old)
    if keep:
        (stage / PARTIAL).rename(new)
    shutil.rmtree(stage / PARTIAL, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
