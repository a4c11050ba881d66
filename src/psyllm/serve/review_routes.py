"""The desk's review of cleaned records: what is next, decide, change, put aside."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, NamedTuple

from fastapi import APIRouter
from fastapi import Path as InPath

from psyllm.casebook import reviews
from psyllm.casebook.kinds import ReviewState
from psyllm.casebook.tables import ReviewDecision, Staff
from psyllm.core.errors import NotFound
from psyllm.core.review_sample import SampleItem, read_sample
from psyllm.serve import review_items, review_schema, review_shape
from psyllm.serve.parts import Parts
from psyllm.serve.review_items import Found
from psyllm.serve.sessions import Counsellor, PartsDep

router = APIRouter(prefix="/api/staff/reviews", tags=["reviews"])
ItemName = Annotated[str, InPath(pattern=r"^[0-9a-f]{64}$")]
MOST_CHANGEABLE = 20


class _Desk(NamedTuple):
    """The sample and all that is decided, as one person finds it."""

    items: Mapping[str, SampleItem]
    decisions: Mapping[str, Sequence[ReviewDecision]]
    waiting: list[str]


@router.get("")
async def progress(parts: PartsDep, person: Counsellor) -> review_schema.ReviewProgress:
    """Tell how far the sample is, and which own decisions can still be changed."""
    return _progress(await _desk(parts, person), person)


@router.get("/next")
async def read_next(parts: PartsDep, person: Counsellor) -> review_schema.ReviewNext:
    """Read what waits for who asks: the most dangerous first, for a supervisor differences before it."""
    desk = await _desk(parts, person)
    gone = 0
    for item in desk.waiting:
        found = await review_items.find(parts.book, parts.data, desk.items[item])
        if found is not None:
            one = review_shape.shown(found, desk.decisions.get(item, ()), person)
            return review_schema.ReviewNext(item=one, gone=gone, progress=_progress(desk, person))
        gone += 1
    return review_schema.ReviewNext(item=None, gone=gone, progress=_progress(desk, person))


@router.get("/{item}")
async def read_item(parts: PartsDep, person: Counsellor, item: ItemName) -> review_schema.ReviewItem:
    """Read one item, with the own decision and, when they can't sway any more, those of others."""
    found = await _found(parts, item)
    return review_shape.shown(found, await reviews.decisions_on(parts.book, item), person)


@router.put("/{item}/decision")
async def decide(
    parts: PartsDep, person: Counsellor, item: ItemName, body: review_schema.ReviewDecisionIn
) -> review_schema.ReviewProgress:
    """Accept, reject or edit; an own decision may be changed while it is the only one."""
    found = await _found(parts, item)
    judged = review_shape.judged(body, found)
    await reviews.decide(parts.book, person, found.reviewed, judged)
    return _progress(await _desk(parts, person), person)


@router.post("/{item}/skip", status_code=204)
async def skip(parts: PartsDep, person: Counsellor, item: ItemName) -> None:
    """Put an item aside until tomorrow; nobody asks why."""
    found = await _found(parts, item)
    await reviews.skip(parts.book, person, found.reviewed)


async def _desk(parts: Parts, person: Staff) -> _Desk:
    sample = await asyncio.to_thread(read_sample, parts.data)
    items = {one.item: one for one in sample.items} if sample is not None else {}
    decisions = await reviews.all_decisions(parts.book)
    skipped = await reviews.skipped_today(parts.book, person)
    return _Desk(items, decisions, reviews.waiting_for(person, list(items), decisions, skipped))


async def _found(parts: Parts, item: str) -> Found:
    sample = await asyncio.to_thread(read_sample, parts.data)
    named = next((one for one in sample.items if one.item == item), None) if sample is not None else None
    found = None if named is None else await review_items.find(parts.book, parts.data, named)
    if found is None:
        raise _gone()
    return found


def _gone() -> NotFound:
    return NotFound(
        "this text was forgotten or cleaned anew, or its consent ended", "go on with the next one"
    )


def _progress(desk: _Desk, person: Staff) -> review_schema.ReviewProgress:
    known = {item: desk.decisions.get(item, ()) for item in desk.items}
    states = [reviews.state_of(one) for one in known.values()]
    own = [
        (item, one, len(all_of))
        for item, all_of in known.items()
        for one in all_of
        if one.staff_id == person.id
    ]
    changeable = sorted((one for one in own if one[2] == 1), key=lambda one: one[1].decided_at, reverse=True)
    return review_schema.ReviewProgress(
        total=len(desk.items),
        settled=states.count(ReviewState.SETTLED),
        disputed=states.count(ReviewState.DISPUTED),
        half=sum(len(one) == 1 for one in known.values()),
        mine=len(own),
        for_me=len(desk.waiting),
        changeable=[
            review_schema.ReviewOwn(item=item, verdict=one.verdict, decided_at=one.decided_at)
            for item, one, _ in changeable[:MOST_CHANGEABLE]
        ],
    )
