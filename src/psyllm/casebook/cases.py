"""Cases: what a counsellor works on, and who may speak in the conversation.

Taking a case makes a person the owner of its conversation and stops the bot in
the same transaction; closing it gives the conversation back. A counsellor's
answer is refused when the visitor wrote meanwhile. Only a close for a false
alarm lowers the conversation's level, and the history says who did it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from psyllm.casebook.audit import note_down, noted_since
from psyllm.casebook.kinds import CaseState, CloseReason, MessageAuthor, Owner
from psyllm.casebook.messages import (
    Draft,
    add_message,
    earlier_message,
    no_such,
    own_conversation,
    touch,
)
from psyllm.casebook.open import Casebook
from psyllm.casebook.runs import stop_runs
from psyllm.casebook.tables import Case, CaseEvent, Conversation, Message, Screening, Staff, new_id
from psyllm.core.errors import StaleVersion, WrongState
from psyllm.core.private import Private
from psyllm.safety.levels import Level

BY_VISITOR = "visitor"
BY_SCREENING = "screening"
MOST_LISTED = 500
READ = "read case"
AUDIT_READING_AGAIN = timedelta(hours=1)  # the desk reads an open case every few seconds


async def open_or_raise(
    session: AsyncSession, conversation: Conversation, level: Level, who: str, now: datetime
) -> Case:
    """Open a case, or raise the level of the one that is not closed, inside the caller's transaction."""
    case = await standing_case(session, conversation.id)
    if case is None:
        case = Case(
            id=new_id(),
            conversation_id=conversation.id,
            level=level,
            state=CaseState.OPEN,
            opened_at=now,
            waiting_since=now,
        )
        session.add(case)
        await session.flush()
        await _write_history(session, case, who, f"opened at level {level.label}", now)
    elif level > case.level:
        case.level = level
        await _write_history(session, case, who, f"level raised to {level.label}", now)
    case.waiting_since = case.waiting_since or now
    return case


async def standing_case(session: AsyncSession, conversation_id: str) -> Case | None:
    """Return the conversation's case that is not closed."""
    query = select(Case).where(Case.conversation_id == conversation_id, Case.state != CaseState.CLOSED)
    return await session.scalar(query)


async def was_closed_before(session: AsyncSession, conversation_id: str) -> bool:
    """Return whether a person has closed a case of this conversation."""
    query = select(func.count()).where(
        Case.conversation_id == conversation_id, Case.state == CaseState.CLOSED
    )
    return bool(await session.scalar(query))


async def ask_for_person(book: Casebook, visitor_id: str, conversation_id: str) -> None:
    """Open a case because the visitor asks for a person; asking again changes nothing."""
    async with book.writing() as session:
        conversation = await own_conversation(session, visitor_id, conversation_id)
        await open_or_raise(session, conversation, conversation.level, BY_VISITOR, book.now())


async def list_cases(book: Casebook, state: CaseState | None) -> list[Case]:
    """Return the cases of a state (None: of every state), highest level first, then oldest first."""
    query = (
        select(Case)
        .options(selectinload(Case.assignee), selectinload(Case.conversation))
        .order_by(Case.level.desc(), Case.opened_at)
        .limit(MOST_LISTED)
    )
    if state is not None:
        query = query.where(Case.state == state)
    async with book.reading() as session:
        return list(await session.scalars(query))


async def read_case(book: Casebook, case_id: str, staff: Staff) -> tuple[Case, list[Screening]]:
    """Return a case with assignee, history and conversation, and its screenings; reading is audited.

    Raises:
        NotFound: there is none of this id.
    """
    async with book.reading() as session:
        found = await _whole_case(session, case_id)
        known = await noted_since(session, staff.name, READ, case_id, book.now() - AUDIT_READING_AGAIN)
    if not known:
        async with book.writing() as session:
            note_down(session, staff.name, READ, case_id, book.now())
    return found


async def take(book: Casebook, case_id: str, staff: Staff) -> tuple[Case, list[Screening], list[str]]:
    """Give a case to a counsellor and its conversation to a person; also return the runs it stopped.

    Raises:
        WrongState: it is closed, or another counsellor has it.
    """
    stopped: list[str] = []
    async with book.writing() as session:
        case, conversation = await _case_and_conversation(session, case_id)
        if case.state is CaseState.CLOSED:
            message = "this case is closed"
            raise WrongState(message, "choose an open case in the list")
        if case.state is CaseState.TAKEN and case.assignee_id != staff.id:
            message = "another counsellor has taken this case"
            raise WrongState(message, "choose an open case in the list")
        if case.state is CaseState.OPEN:
            now = book.now()
            case.state = CaseState.TAKEN
            case.assignee_id = staff.id
            stopped = await stop_runs(session, conversation, now)
            conversation.owner = Owner.PERSON
            touch(conversation, now)
            await _write_history(session, case, staff.name, "taken", now)
            note_down(session, staff.name, "took case", case_id, now)
        return *await _whole_case(session, case_id), stopped


async def answer(
    book: Casebook, *, case_id: str, staff: Staff, text: Private, base_version: int, request_key: str
) -> Message:
    """Publish a counsellor's message; the same key again returns the same message.

    Raises:
        WrongState: the case is not this counsellor's.
        StaleVersion: the visitor wrote meanwhile.
        BadInput: the key belongs to other words, or to another case.
    """
    async with book.writing() as session:
        case, conversation = await _case_and_conversation(session, case_id)
        earlier = await earlier_message(session, staff.id, request_key, text, conversation.id)
        if earlier is not None:
            return earlier
        _need_own(case, staff)
        _need_version(conversation, base_version)
        now = book.now()
        draft = Draft(MessageAuthor.COUNSELLOR, text, sender_id=staff.id, request_key=request_key)
        message = add_message(session, conversation, draft, now)
        case.waiting_since = None
        note_down(session, staff.name, "answered in case", case_id, now)
        return message


async def close(
    book: Casebook, *, case_id: str, staff: Staff, reason: CloseReason, note: Private, base_version: int
) -> tuple[Case, list[Screening]]:
    """Close a case; the conversation goes back to the bot.

    Raises:
        WrongState: the case is not this counsellor's.
        StaleVersion: the visitor wrote meanwhile.
    """
    async with book.writing() as session:
        case, conversation = await _own_case(session, case_id, staff)
        _need_version(conversation, base_version)
        now = book.now()
        case.state = CaseState.CLOSED
        case.closed_at = now
        case.close_reason = reason
        case.note = note
        case.waiting_since = None
        await _write_history(session, case, staff.name, f"closed: {reason.value}", now)
        if reason is CloseReason.FALSE_ALARM and conversation.level > Level.NONE:
            what = f"level lowered from {conversation.level.label} to none"
            await _write_history(session, case, staff.name, what, now)
            conversation.level = Level.NONE
            conversation.screened_from_seq = conversation.last_seq
        conversation.owner = Owner.BOT
        touch(conversation, now)
        note_down(session, staff.name, f"closed case: {reason.value}", case_id, now)
        return await _whole_case(session, case_id)


async def give_back_cases(session: AsyncSession, staff: Staff, now: datetime) -> None:
    """Open the cases of somebody who may not work any more, so that another can take them."""
    query = select(Case).where(Case.assignee_id == staff.id, Case.state == CaseState.TAKEN)
    for case in list(await session.scalars(query)):
        case.state = CaseState.OPEN
        case.assignee_id = None
        case.waiting_since = case.waiting_since or now
        await _write_history(session, case, "service", "given back: the counsellor was disabled", now)
        conversation = await session.get_one(Conversation, case.conversation_id, with_for_update=True)
        conversation.owner = Owner.BOT
        touch(conversation, now)


async def _case_and_conversation(session: AsyncSession, case_id: str) -> tuple[Case, Conversation]:
    case = await session.get(Case, case_id, with_for_update=True)
    if case is None:
        raise no_such("case")
    return case, await session.get_one(Conversation, case.conversation_id, with_for_update=True)


async def _own_case(session: AsyncSession, case_id: str, staff: Staff) -> tuple[Case, Conversation]:
    case, conversation = await _case_and_conversation(session, case_id)
    _need_own(case, staff)
    return case, conversation


def _need_own(case: Case, staff: Staff) -> None:
    if case.state is not CaseState.TAKEN or case.assignee_id != staff.id:
        message = f"this case is {case.state.value} and not with you"
        raise WrongState(message, "take the case first")


def _need_version(conversation: Conversation, base_version: int) -> None:
    if conversation.version != base_version:
        message = f"the conversation is at version {conversation.version}, this was written at {base_version}"
        raise StaleVersion(message, "read the new messages, then send again")


async def _whole_case(session: AsyncSession, case_id: str) -> tuple[Case, list[Screening]]:
    await session.flush()
    session.expunge_all()  # what was changed above is read again as a whole
    query = (
        select(Case)
        .where(Case.id == case_id)
        .options(
            selectinload(Case.assignee),
            selectinload(Case.history),
            selectinload(Case.conversation).options(
                selectinload(Conversation.messages).selectinload(Message.rating),
                selectinload(Conversation.cases),
                selectinload(Conversation.runs),
            ),
        )
    )
    case = (await session.scalars(query)).one_or_none()
    if case is None:
        raise no_such("case")
    screenings = select(Screening).where(Screening.conversation_id == case.conversation_id)
    return case, list(await session.scalars(screenings.order_by(Screening.created_at)))


async def _write_history(session: AsyncSession, case: Case, who: str, what: str, now: datetime) -> None:
    query = select(func.coalesce(func.max(CaseEvent.number), 0)).where(CaseEvent.case_id == case.id)
    number = 1 + (await session.scalar(query) or 0)
    session.add(CaseEvent(case_id=case.id, number=number, at=now, who=who, what=what))
    await session.flush()
