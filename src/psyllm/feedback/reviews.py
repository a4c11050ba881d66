"""What reviewers decided about cleaned records, as the run `reviews` of `6_feedback`.

Decisions in the casebook and the sample that was drawn come in; the settled
decisions go out as lines that `clean` applies, and beside them the figures for
the data card: coverage, agreement, and how many records cleaning judged wrongly.
People are pseudonyms. The run holds no records, and is the present state: it
replaces the one before, and without a decision there is none. What was decided
about a conversation whose consent ended is left out, and writing the run erases
it from the casebook, for an edit may hold the visitor's words.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from psyllm.casebook.admin import erase_reviews
from psyllm.casebook.consented import SOURCE, consented_records, last_withdrawals
from psyllm.casebook.kinds import ReviewState, ReviewVerdict
from psyllm.casebook.open import open_casebook
from psyllm.casebook.place import casebook_at, has_casebook
from psyllm.casebook.reviews import BLIND, all_decisions, settling, state_of
from psyllm.casebook.tables import ReviewDecision
from psyllm.core.review_sample import Sample, Side, read_sample
from psyllm.core.settled_reviews import (
    FIGURES,
    REVIEWS_RUN,
    EditedTexts,
    SettledReview,
    are_written,
    reviews_folder,
    write_settled,
)
from psyllm.core.stages import (
    Manifest,
    Stage,
    StageRun,
    fingerprint,
    locked,
    up_to_date,
    write_text_atomically,
    writing,
)
from psyllm.core.tombstones import read_tombstones
from psyllm.feedback.agreement import Share, alpha_interval, raw_agreement, weighted_share

Decisions = Mapping[str, Sequence[ReviewDecision]]
_PSEUDONYM_CHARS = 12


def write_reviews(data: Path, database: str = "") -> Manifest | None:
    """Write what is settled and the figures; unchanged decisions leave the run as it is, none remove it.

    Raises:
        CasebookError: the casebook lies elsewhere or can't be opened, or readers hold what was erased.
        MalformedInput: the sample can't be read.
        StageBusy: another process writes to the stage.
    """
    decisions, ended = _decisions(data, database)
    if ended:
        erase_reviews(data, ended, database)
    folder = reviews_folder(data)
    if not decisions:
        if folder.is_dir():
            with locked(data, Stage.FEEDBACK):
                shutil.rmtree(folder)
        return None
    settled = settled_reviews(decisions.values())
    found = figures(decisions, read_sample(data))
    lines = "\n".join(one.model_dump_json() for one in settled)
    facts = {"decisions": hashlib.sha256(lines.encode()).hexdigest(), "figures": found}
    mark = fingerprint(Stage.FEEDBACK, (), facts, rooms=["feedback", "core"])
    known = up_to_date(data, Stage.FEEDBACK, REVIEWS_RUN)
    if known is not None and known.fingerprint == mark and are_written(folder, settled):
        return known
    with writing(StageRun(data, Stage.FEEDBACK, REVIEWS_RUN, mark, (), {}), beside=True) as stage_run:
        write_settled(stage_run.folder, settled)
        text = json.dumps(found, ensure_ascii=False, indent=1, sort_keys=True)
        write_text_atomically(stage_run.folder / FIGURES, text + "\n")
        return stage_run.finish(counts={"records": 0, "decisions": len(settled)}, details=found)


def present_figures(data: Path) -> dict[str, Any]:
    """Return the figures of this moment, without writing anything.

    Raises:
        CasebookError: the casebook lies elsewhere or can't be opened.
    """
    return figures(_decisions(data, "")[0], read_sample(data))


def settled_reviews(decisions: Iterable[Sequence[ReviewDecision]]) -> list[SettledReview]:
    """Return the settled ones as they go into the data folder, each with those who decided so and no other."""
    found = []
    for known in decisions:
        stands = settling(known)
        if stands is None:
            continue
        agreeing = [one for one in known if (one.verdict, one.edited) == (stands.verdict, stands.edited)]
        found.append(
            SettledReview(
                id=stands.record_id,
                words=stands.words,
                verdict=stands.verdict.value,
                reasons=tuple(sorted({one.reason.value for one in agreeing if one.reason is not None})),
                dropped_for=stands.dropped_for,
                edited=None
                if stands.edited is None
                else EditedTexts.model_validate_json(stands.edited.reveal()),
                reviewers=tuple(sorted(_pseudonym(one.staff_id) for one in agreeing)),
                date=max(one.decided_at for one in known).date().isoformat(),
            )
        )
    return found


def figures(decisions: Decisions, sample: Sample | None) -> dict[str, Any]:
    """Return coverage, agreement and what the sample says of the cleaned run, as plain values."""
    # Blind judgements only: the third has seen the others.
    units = [[one.verdict.value for one in known[:BLIND]] for known in decisions.values()]
    states = [state_of(known) for known in decisions.values()]
    return {
        "run": sample.run if sample is not None else "",
        "items": len(sample.items) if sample is not None else 0,
        "decided_by_two": sum(len(known) >= BLIND for known in decisions.values()),
        "disputed": states.count(ReviewState.DISPUTED),
        "reviewers": len({one.staff_id for known in decisions.values() for one in known}),
        "alpha": alpha_interval(units)._asdict(),
        "agreement": raw_agreement(units)._asdict(),
        "coverage": [] if sample is None else _coverage(decisions, sample),
        "estimates": {} if sample is None else _estimates(decisions, sample),
    }


def _coverage(decisions: Decisions, sample: Sample) -> list[dict[str, Any]]:
    rows = []
    for stratum in sample.strata:
        drawn = [one for one in sample.of_its_run() if one.stratum == stratum.key]
        verdicts = [_verdict(decisions.get(one.item, ())) for one in drawn]
        read = [verdict for verdict in verdicts if verdict is not None]
        counts = {verdict.value: read.count(verdict) for verdict in ReviewVerdict}
        about = {"stratum": stratum.key, **stratum.model_dump(exclude_defaults=True)}
        rows.append({**about, "drawn": len(drawn), "settled": len(read), **counts})
    return rows


def _estimates(decisions: Decisions, sample: Sample) -> dict[str, Any]:
    rejected, wrong = frozenset({ReviewVerdict.REJECT}), frozenset({ReviewVerdict.REJECT, ReviewVerdict.EDIT})
    kept_after_all = frozenset({ReviewVerdict.ACCEPT, ReviewVerdict.EDIT})
    asked: dict[str, tuple[Side, frozenset[ReviewVerdict]]] = {
        "kept_rejected": ("kept", rejected),
        "kept_rejected_or_edited": ("kept", wrong),
        "dropped_wrongly": ("dropped", kept_after_all),
    }
    return {name: _estimate(decisions, sample, *which) for name, which in asked.items()}


def _estimate(
    decisions: Decisions, sample: Sample, side: Side, counted: frozenset[ReviewVerdict]
) -> dict[str, Any]:
    shares = []
    for stratum in sample.strata:
        if stratum.side == side:
            drawn = (one for one in sample.of_its_run() if one.stratum == stratum.key)
            verdicts = [_verdict(decisions.get(one.item, ())) for one in drawn]
            read = [verdict for verdict in verdicts if verdict is not None]
            shares.append(Share(sum(one in counted for one in read), len(read), stratum.population))
    return {
        **weighted_share(shares)._asdict(),
        "population": sum(one.population for one in shares),
        "covered": sum(one.population for one in shares if one.read),
    }


def _verdict(known: Sequence[ReviewDecision]) -> ReviewVerdict | None:
    stands = settling(known)
    return None if stands is None else stands.verdict


def _pseudonym(staff_id: str) -> str:
    return hashlib.sha256(f"reviewer {staff_id}".encode()).hexdigest()[:_PSEUDONYM_CHARS]


def _decisions(data: Path, database: str) -> tuple[Decisions, frozenset[str]]:
    """Return the decisions that count, and the records whose decisions nobody may keep: their consent ended.

    Decisions on words that were forgotten don't count either.
    """
    if not has_casebook(data, database):
        return {}, frozenset()
    forgotten = read_tombstones(data).contents
    found = asyncio.run(_all(data, database))
    ended = frozenset(known[0].record_id for known in found.decisions.values() if found.is_ended(known))
    counting = {
        item: known
        for item, known in found.decisions.items()
        if known[0].words not in forgotten and known[0].record_id not in ended
    }
    return counting, ended


class _InCasebook(NamedTuple):
    """All decisions, the records over which a consent stands, and when one was last taken back."""

    decisions: Decisions
    consented: frozenset[str]
    withdrawn: Mapping[str, datetime]

    def is_ended(self, known: Sequence[ReviewDecision]) -> bool:
        """Whether no consent stands, or one was taken back after the words were read and given again."""
        record_id = known[0].record_id
        if not record_id.startswith(f"{SOURCE}:"):
            return False
        at = self.withdrawn.get(record_id)
        was_ended = at is not None and at >= min(one.decided_at for one in known)
        return was_ended or record_id not in self.consented


async def _all(data: Path, database: str) -> _InCasebook:
    book = await open_casebook(casebook_at(data, database))
    try:
        return _InCasebook(
            await all_decisions(book), await consented_records(book), await last_withdrawals(book)
        )
    finally:
        await book.close()
