"""Reviews of cleaned records: who decided what about which words, and what is to be read next.

Two people decide about an item without seeing each other's decision; when they
differ, a supervisor who is neither of them sees both and decides. An own
decision may be changed until the second is in. Items are named by hashes; whose
words they are stands in the data folder, which is not known here. Edited words
are `Private` like all words of people.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from psyllm.casebook.audit import note_down
from psyllm.casebook.consented import consent_stands
from psyllm.casebook.kinds import ReviewReason, ReviewState, ReviewVerdict, Role
from psyllm.casebook.open import Casebook
from psyllm.casebook.tables import ReviewDecision, ReviewSkip, Staff
from psyllm.core.errors import NotAllowed, NotFound, WrongState
from psyllm.core.private import Private
from psyllm.core.review_sample import item_name

BLIND = 2
THIRD = 3
# "Not today": long enough for an evening off, over by the next morning.
SKIPPED_FOR = timedelta(hours=12)
_IDS_AT_ONCE = 500  # below the most parameters of a statement, everywhere


class Reviewed(NamedTuple):
    """The words that were read, why cleaning had dropped them (or nothing), and the consent they hang on (or none)."""

    record_id: str
    words: str
    dropped_for: str = ""
    consent_id: str = ""

    @property
    def item(self) -> str:
        """The name under which decisions on them are kept."""
        return item_name(self.record_id, self.words)


class Judged(NamedTuple):
    """What somebody decides; `edited` are the new texts as JSON where the verdict is an edit."""

    verdict: ReviewVerdict
    reason: ReviewReason | None = None
    note: Private = Private("")
    edited: Private | None = None


def state_of(decisions: Sequence[ReviewDecision]) -> ReviewState:
    """Return how far an item is; `decisions` in the order of their places."""
    if any(one.place == THIRD for one in decisions):
        return ReviewState.SETTLED
    if len(decisions) < BLIND:
        return ReviewState.OPEN
    first, second = decisions
    agree = (first.verdict, first.edited) == (second.verdict, second.edited)
    return ReviewState.SETTLED if agree else ReviewState.DISPUTED


def settling(decisions: Sequence[ReviewDecision]) -> ReviewDecision | None:
    """Return the decision that stands for a settled item: the third one, else the first of two equal ones."""
    if state_of(decisions) is not ReviewState.SETTLED:
        return None
    return next((one for one in decisions if one.place == THIRD), decisions[0])


async def decide(book: Casebook, staff: Staff, what: Reviewed, judged: Judged) -> ReviewDecision:
    """Keep somebody's decision, or change an own one while it is the only one.

    Raises:
        NotFound: the consent that the words hang on stands no more; nobody may write about them.
        WrongState: two others have decided already, or the second decision is in.
        NotAllowed: the decisions differ, and who asks is no supervisor.
    """
    try:
        async with book.writing() as session:
            if what.consent_id and not await consent_stands(session, what.consent_id):
                raise NotFound("the consent for this text ended", "go on with the next one")
            known = await _decisions(session, what.item, for_update=True)
            own = next((one for one in known if one.staff_id == staff.id), None)
            if own is not None and len(known) > 1:
                message = "the other decisions on this text are in; yours stands"
                raise WrongState(message, "go on with the next one")
            decision = own or _added(session, staff, what, known)
            decision.verdict = judged.verdict
            decision.reason = judged.reason
            decision.note = judged.note
            decision.edited = judged.edited if judged.verdict is ReviewVerdict.EDIT else None
            decision.decided_at = book.now()
            note_down(session, staff.name, f"reviewed: {judged.verdict.value}", what.item, book.now())
            return decision
    except IntegrityError:  # on a server, two decided at the same moment
        raise _taken() from None


def _added(
    session: AsyncSession, staff: Staff, what: Reviewed, known: Sequence[ReviewDecision]
) -> ReviewDecision:
    if len(known) >= BLIND:
        if state_of(known) is ReviewState.SETTLED:
            raise _taken()
        if staff.role is not Role.SUPERVISOR:
            message = "two decisions on this text differ; a supervisor decides"
            raise NotAllowed(message, "go on with the next one")
    decision = ReviewDecision(
        item=what.item,
        staff_id=staff.id,
        place=len(known) + 1,
        record_id=what.record_id,
        words=what.words,
        dropped_for=what.dropped_for,
    )
    session.add(decision)
    return decision


async def skip(book: Casebook, staff: Staff, what: Reviewed) -> None:
    """Put an item aside for somebody until tomorrow; nobody asks why."""
    async with book.writing() as session:
        found = await session.get(ReviewSkip, (what.item, staff.id))
        if found is None:
            found = ReviewSkip(item=what.item, staff_id=staff.id, record_id=what.record_id)
            session.add(found)
        found.at = book.now()


async def decisions_on(book: Casebook, item: str) -> list[ReviewDecision]:
    """Return the decisions on an item in the order of their places."""
    async with book.reading() as session:
        return await _decisions(session, item)


async def may_be_read(book: Casebook, consent_id: str) -> bool:
    """Return whether words under this consent (none for what needs none) may be shown to a reviewer."""
    if not consent_id:
        return True
    async with book.reading() as session:
        return await consent_stands(session, consent_id)


async def all_decisions(book: Casebook) -> Mapping[str, list[ReviewDecision]]:
    """Return all decisions by item, in the order of items and places."""
    query = select(ReviewDecision).order_by(ReviewDecision.item, ReviewDecision.place)
    async with book.reading() as session:
        return by_item(await session.scalars(query))


def by_item(decisions: Iterable[ReviewDecision]) -> dict[str, list[ReviewDecision]]:
    """Return decisions by item."""
    found: dict[str, list[ReviewDecision]] = defaultdict(list)
    for decision in decisions:
        found[decision.item].append(decision)
    return dict(found)


async def skipped_today(book: Casebook, staff: Staff) -> frozenset[str]:
    """Return the items that somebody does not want to read today."""
    since = book.now() - SKIPPED_FOR
    query = select(ReviewSkip.item).where(ReviewSkip.staff_id == staff.id, ReviewSkip.at > since)
    async with book.reading() as session:
        return frozenset(await session.scalars(query))


def waiting_for(
    staff: Staff,
    items: Sequence[str],
    decisions: Mapping[str, Sequence[ReviewDecision]],
    skipped: Collection[str],
) -> list[str]:
    """Return what somebody is to read next, in the order of `items`; differences first for a supervisor."""
    own = {item for item, known in decisions.items() if any(one.staff_id == staff.id for one in known)}
    left = [item for item in items if item not in own and item not in skipped]
    states = {item: state_of(decisions.get(item, ())) for item in left}
    disputed = [item for item in left if states[item] is ReviewState.DISPUTED]
    still_open = [item for item in left if states[item] is ReviewState.OPEN]
    return [*(disputed if staff.role is Role.SUPERVISOR else ()), *still_open]


async def erase_reviews(book: Casebook, record_ids: Collection[str]) -> int:
    """Erase what was decided about these records, edited words and notes with it; return how many decisions.

    Raises:
        CasebookError: the rows are deleted, but the write-ahead log still holds them.
    """
    async with book.writing() as session:
        erased = await erase_decisions(session, record_ids)
        if erased:
            note_down(session, "operator", "erased reviews", "", book.now())
    await book.forget()
    return erased


async def erase_decisions(session: AsyncSession, record_ids: Collection[str]) -> int:
    """Delete, inside the caller's transaction, what was decided about these records; return how many decisions."""
    ids = sorted(record_ids)
    erased = 0
    for start in range(0, len(ids), _IDS_AT_ONCE):
        some = ids[start : start + _IDS_AT_ONCE]
        found = select(func.count()).where(ReviewDecision.record_id.in_(some))
        erased += await session.scalar(found) or 0
        for table in (ReviewDecision, ReviewSkip):
            await session.execute(delete(table).where(table.record_id.in_(some)))
    return erased


async def _decisions(session: AsyncSession, item: str, *, for_update: bool = False) -> list[ReviewDecision]:
    query = select(ReviewDecision).where(ReviewDecision.item == item).order_by(ReviewDecision.place)
    return list(await session.scalars(query.with_for_update() if for_update else query))


def _taken() -> WrongState:
    return WrongState("others have decided about this text already", "go on with the next one")
