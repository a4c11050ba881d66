"""What reviewers decided about cleaned records, as the run `reviews` of `6_feedback`.

Decisions in the casebook and the sample that was drawn come in; the settled
decisions go out as lines that `clean` applies, and beside them the figures for
the data card: coverage, agreement, and how many records cleaning judged wrongly.
People are pseudonyms. The run holds no records, and is the present state: it
replaces the one before, and without a decision there is none.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from psyllm.casebook.consented import last_withdrawals
from psyllm.casebook.kinds import ReviewState, ReviewVerdict
from psyllm.casebook.open import casebook_path, casebook_url, open_casebook
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


def write_reviews(data: Path) -> Manifest | None:
    """Write what is settled and the figures; unchanged decisions leave the run as it is, none remove it.

    Raises:
        CasebookError: the casebook can't be opened.
        MalformedInput: the sample can't be read.
        StageBusy: another process writes to the stage.
    """
    decisions = _decisions(data)
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
    """Return the figures of this moment, without writing anything."""
    return figures(_decisions(data), read_sample(data))


def settled_reviews(decisions: Iterable[Sequence[ReviewDecision]]) -> list[SettledReview]:
    """Return the settled ones as they go into the data folder."""
    found = []
    for known in decisions:
        stands = settling(known)
        if stands is None:
            continue
        agreeing = [one for one in known if one.verdict is stands.verdict]
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
                reviewers=tuple(sorted(_pseudonym(one.staff_id) for one in known)),
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


def _decisions(data: Path) -> Decisions:
    """Return the decisions of the casebook but those on words that were forgotten or whose consent ended."""
    if not casebook_path(data).exists():
        return {}
    forgotten = read_tombstones(data).contents
    found, withdrawn = asyncio.run(_all_decisions(data))
    return {
        item: known
        for item, known in found.items()
        if known[0].words not in forgotten and not _is_withdrawn(known, withdrawn)
    }


def _is_withdrawn(known: Sequence[ReviewDecision], withdrawn: Mapping[str, datetime]) -> bool:
    """Whether a visitor took consent back after the words were read: an edit may hold what it covered."""
    at = withdrawn.get(known[0].record_id)
    return at is not None and at >= min(one.decided_at for one in known)


async def _all_decisions(data: Path) -> tuple[Decisions, Mapping[str, datetime]]:
    book = await open_casebook(casebook_url(data))
    try:
        return await all_decisions(book), await last_withdrawals(book)
    finally:
        await book.close()
