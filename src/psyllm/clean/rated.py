"""Rated answers, cleaned beside the records: mended and masked like these, and left out where a mark is no guide.

The `ratings-*` files of `6_feedback` come in; what stays goes out as a file of the
cleaned run, what does not is only counted, by reason: its words are needed nowhere.
Danger and minors are looked for anew, with today's rules. An answer that is called
good must also be one that could be learnt as it is: whole, in nobody's voice but a
counsellor's, and let through by the guard. Where people rejected or changed the
conversation's record, its ratings hold the words that they did not want.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from psyllm.clean.drop import Drop
from psyllm.clean.minors import FLAGS
from psyllm.clean.step import Step
from psyllm.clean.steps import LEVEL_FLAG, steps
from psyllm.core.errors import LostRecords
from psyllm.core.progress import track
from psyllm.core.rated_answers import RATINGS, RatedAnswer, read_rated, write_rated
from psyllm.core.records import Record
from psyllm.core.settings import CleanSettings
from psyllm.core.settled_reviews import SettledReviews
from psyllm.core.stages import Manifest, Stage, stage_folder
from psyllm.core.tombstones import FORGOTTEN, Tombstones
from psyllm.safety.guard import check
from psyllm.safety.levels import Level

DANGER, EMPTY, REVIEWED, GUARDED = (
    "dangerous",
    "empty",
    "rejected_or_edited",
    "good_but_stopped_by_the_guard",
)
MENDING = frozenset(
    {"mend_markup", "even_out_text", "simplify", "mask_personal_data", "mark_minors", "mark_level"}
)
# What every answer must be that is learnt; the floors of length are not among them: short may be good.
OF_GOOD = frozenset({"need_whole_text", "leave_out_model_voice", "leave_out_personas"})


class CleanedRatings(NamedTuple):
    """How many rows stay, and what happened to the others."""

    kept: int
    read: int
    drops: dict[str, int]

    def as_details(self) -> dict[str, object]:
        """Return it for the manifest; nothing where there was none."""
        return {RATINGS: {"read": self.read, "left_out": self.drops}} if self.read else {}


def clean_rated(
    data: Path,
    sources: Sequence[Manifest],
    folder: Path,
    settings: CleanSettings,
    tombstones: Tombstones,
    reviews: SettledReviews,
) -> CleanedRatings:
    """Write what stays of the rated answers of all sources into a run's folder.

    Raises:
        MalformedInput: a file is damaged.
        LostRecords: fewer rows are there than were given back.
    """
    rows = [
        row
        for source in sources
        if source.counts.get(RATINGS)
        for row in read_rated(stage_folder(data, Stage(source.stage)) / source.run)
    ]
    expected = sum(source.counts.get(RATINGS, 0) for source in sources)
    if len(rows) != expected:
        message = f"{expected:,} rated answers were given back, {len(rows):,} are there"
        raise LostRecords(message, "write them again: psyllm feedback")
    taken = steps(settings)
    # A conversation by its id, whatever was read of it; equal words of others by their hash.
    unwanted = {review.id for review in reviews.values() if review.verdict != "accept"}
    unwanted |= {review.words for review in reviews.values() if review.verdict == "reject"}
    drops: Counter[str] = Counter()
    kept = []
    for row in track(rows, "clean ratings", len(rows)):
        found = _cleaned(row, taken, tombstones, unwanted)
        if isinstance(found, RatedAnswer):
            kept.append(found)
        else:
            drops[found] += 1
    return CleanedRatings(write_rated(kept, folder), len(rows), dict(sorted(drops.items())))


def _cleaned(
    row: RatedAnswer, taken: Sequence[Step], tombstones: Tombstones, unwanted: set[str]
) -> RatedAnswer | str:
    """Return the row as it stays, or why it goes."""
    if tombstones.left_of(row.record) is None:
        return FORGOTTEN
    if not unwanted.isdisjoint((row.record.id, row.record.content_hash)):
        return REVIEWED
    record = row.record
    for step in taken:
        if step.name in MENDING:
            result = step.apply(record)
            if isinstance(result, Drop):
                return result.reason
            record = result
    reason = _flagged(record)
    if reason:
        return reason
    cleaned = row.model_copy(update={"record": record})
    if not cleaned.answer().strip() or not record.opening().strip():
        return EMPTY
    return _not_good(cleaned, taken) or cleaned


def _flagged(record: Record) -> str:
    levels = [flag.removeprefix(LEVEL_FLAG) for flag in record.flags if flag.startswith(LEVEL_FLAG)]
    if any(Level.of(level) >= Level.RISK for level in levels):
        return DANGER
    return next((flag for flag in FLAGS if flag in record.flags), "")


def _not_good(row: RatedAnswer, taken: Sequence[Step]) -> str:
    """Return why an answer that is called good can't be learnt."""
    if not row.desirable:
        return ""
    for step in taken:
        result = step.apply(row.record) if step.name in OF_GOOD else None
        if isinstance(result, Drop):
            return result.reason
    return "" if check(row.answer(), final=True, asked=row.asked()).passed else GUARDED
