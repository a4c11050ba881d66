"""What a visitor writes, and reading it back.

One transaction takes a message in: the message, its screening, the case if one
is needed, level, owner and version, and the fixed reply or the run that will
answer. Whoever calls has screened the words before. The reply goes out only
after the transaction is on the disk.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from psyllm.casebook.cases import BY_SCREENING, open_or_raise, standing_case, was_closed_before
from psyllm.casebook.kinds import MessageAuthor, Owner, RunKind
from psyllm.casebook.messages import Draft, add_message, earlier_message, own_conversation
from psyllm.casebook.open import Casebook
from psyllm.casebook.runs import start_run, stop_runs
from psyllm.casebook.tables import Conversation, Message, Run, Screening, new_id
from psyllm.casebook.visitors import add_visitor
from psyllm.core.language import Language
from psyllm.core.private import Private
from psyllm.safety.levels import Level

TITLE_CHARS = 40
MOST_LISTED = 200


class Judgement(NamedTuple):
    """What screening says: the dialogue's level, the message's own, the rules that fired, the fixed reply."""

    level: Level
    message_level: Level
    rules: tuple[str, ...]
    lexicon_version: str
    notice: Private


class Said(NamedTuple):
    """A message with what is needed to take it in."""

    text: Private
    request_key: str
    judgement: Judgement
    counsellor_present: bool
    language: Language = Language.ZH


@dataclass(frozen=True)
class Taken:
    """What one message led to; `stopped` are the runs that it stopped."""

    conversation: Conversation
    message: Message
    notice: Message | None
    run: Run | None
    case_open: bool
    stopped: list[str] = field(default_factory=list)


async def ask(book: Casebook, *, visitor_id: str | None, secret: str, title: Private, said: Said) -> Taken:
    """Start a conversation; without a visitor one is added under `secret`."""
    async with book.writing() as session:
        if visitor_id is None:
            visitor_id = (await add_visitor(book, session, secret)).id
        else:
            earlier = await earlier_message(session, visitor_id, said.request_key, said.text)
            if earlier is not None:
                return await _taken_before(session, earlier)
        now = book.now()
        conversation = Conversation(
            id=new_id(),
            visitor_id=visitor_id,
            title=title,
            owner=Owner.BOT,
            version=0,
            level=Level.NONE,
            last_seq=0,
            seen_seq=0,
            screened_from_seq=0,
            created_at=now,
            updated_at=now,
        )
        session.add(conversation)
        await session.flush()
        return await _take_in(session, conversation, said, now)


async def say(book: Casebook, *, visitor_id: str, conversation_id: str, said: Said) -> Taken:
    """Add a message to a conversation; the same key again returns what it led to before.

    Raises:
        NotFound: the conversation is not this visitor's.
        BadInput: the key belongs to other words, or to another conversation.
    """
    async with book.writing() as session:
        conversation = await own_conversation(session, visitor_id, conversation_id)
        earlier = await earlier_message(session, visitor_id, said.request_key, said.text, conversation_id)
        if earlier is not None:
            return await _taken_before(session, earlier)
        return await _take_in(session, conversation, said, book.now())


async def turns_to_screen(book: Casebook, visitor_id: str, conversation_id: str) -> list[Private]:
    """Return the visitor's turns that screening looks at, oldest first.

    Raises:
        NotFound: the conversation is not this visitor's.
    """
    async with book.reading() as session:
        conversation = await own_conversation(session, visitor_id, conversation_id)
        query = (
            select(Message.text)
            .where(
                Message.conversation_id == conversation_id,
                Message.author == MessageAuthor.VISITOR,
                Message.seq > conversation.screened_from_seq,
            )
            .order_by(Message.seq)
        )
        return list(await session.scalars(query))


async def list_conversations(
    book: Casebook, visitor_id: str, *, most: int | None = MOST_LISTED
) -> list[Conversation]:
    """Return the visitor's conversations, newest first, at most `most` (None: all)."""
    query = (
        select(Conversation)
        .where(Conversation.visitor_id == visitor_id)
        .order_by(Conversation.updated_at.desc(), Conversation.id)
        .limit(most)
    )
    async with book.reading() as session:
        return list(await session.scalars(query))


async def read_conversation(book: Casebook, visitor_id: str, conversation_id: str) -> Conversation:
    """Return one conversation with messages, ratings, cases and runs, and count it as seen.

    Raises:
        NotFound: the conversation is not this visitor's.
    """
    async with book.reading() as session:
        conversation = await own_conversation(
            session,
            visitor_id,
            conversation_id,
            selectinload(Conversation.messages).selectinload(Message.rating),
            selectinload(Conversation.cases),
            selectinload(Conversation.runs),
        )
    if conversation.seen_seq < conversation.last_seq:
        async with book.writing() as session:
            seen = update(Conversation).where(Conversation.id == conversation_id)
            await session.execute(seen.values(seen_seq=conversation.last_seq))
    return conversation


async def _take_in(session: AsyncSession, conversation: Conversation, said: Said, now: datetime) -> Taken:
    stopped = await stop_runs(session, conversation, now)
    conversation.language = said.language
    draft = Draft(
        MessageAuthor.VISITOR,
        said.text,
        sender_id=conversation.visitor_id,
        request_key=said.request_key,
    )
    message = add_message(session, conversation, draft, now)
    conversation.seen_seq = conversation.last_seq
    await session.flush()
    _record_screening(session, conversation, message, said.judgement, now)
    raised = said.judgement.level > conversation.level
    conversation.level = max(conversation.level, said.judgement.level)
    await _care_for_case(session, conversation, said.judgement, raised=raised, now=now)
    notice = None
    if _wants_notice(conversation, said):
        fixed = Draft(MessageAuthor.NOTICE, said.judgement.notice, reply_to_id=message.id)
        notice = add_message(session, conversation, fixed, now)
    run = None
    if conversation.owner is Owner.BOT and conversation.level < Level.RISK:
        run = start_run(session, conversation, RunKind.LIBRARY, message, now)
    case = await standing_case(session, conversation.id)
    return Taken(conversation, message, notice, run, case is not None, stopped)


def _record_screening(
    session: AsyncSession,
    conversation: Conversation,
    message: Message,
    judgement: Judgement,
    now: datetime,
) -> None:
    session.add(
        Screening(
            conversation_id=conversation.id,
            message_id=message.id,
            level=judgement.level,
            message_level=judgement.message_level,
            rules=list(judgement.rules),
            lexicon_version=judgement.lexicon_version,
            created_at=now,
        )
    )


async def _care_for_case(
    session: AsyncSession,
    conversation: Conversation,
    judgement: Judgement,
    *,
    raised: bool,
    now: datetime,
) -> None:
    """Open or raise the case of a dangerous conversation; let an open one wait for an answer again.

    After a person has closed a case, only a new sign of danger opens another:
    a "thank you" must not bring the counsellor back.
    """
    standing = await standing_case(session, conversation.id)
    dangerous = conversation.level >= Level.RISK
    new_sign = raised or judgement.message_level >= Level.RISK
    if dangerous and (standing or new_sign or not await was_closed_before(session, conversation.id)):
        await open_or_raise(session, conversation, conversation.level, BY_SCREENING, now)
    elif standing is not None:
        standing.waiting_since = standing.waiting_since or now


def _wants_notice(conversation: Conversation, said: Said) -> bool:
    if conversation.level < Level.RISK:
        return False
    nobody_there = not said.counsellor_present and said.judgement.message_level >= Level.RISK
    return conversation.owner is Owner.BOT or nobody_there


async def _taken_before(session: AsyncSession, message: Message) -> Taken:
    conversation = await session.get_one(Conversation, message.conversation_id)
    notice = await session.scalar(select(Message).where(Message.reply_to_id == message.id))
    run = await session.scalar(select(Run).where(Run.for_message_id == message.id, Run.request_key.is_(None)))
    case = await standing_case(session, conversation.id)
    return Taken(conversation, message, notice, run, case is not None)
