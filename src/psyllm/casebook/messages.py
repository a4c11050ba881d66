"""Adding a message to a conversation and finding a conversation that is one's own.

Works inside the caller's transaction. Every message moves the conversation's
`version`, so whoever wrote against an older one is refused.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.base import ExecutableOption

from psyllm.casebook.kinds import MessageAuthor
from psyllm.casebook.tables import Conversation, Message, new_id
from psyllm.core.errors import BadInput, NotFound
from psyllm.core.private import Private


class Source(NamedTuple):
    """Where an answer comes from; `match` is 0 to 1, `model` names the model's run."""

    key: str | None = None
    title: str | None = None
    written_here: bool = False
    reviewed_by: str = ""
    match: float | None = None
    model: str | None = None


class Draft(NamedTuple):
    """A message before it is stored."""

    author: MessageAuthor
    text: Private
    source: Source = Source()
    sender_id: str | None = None
    request_key: str | None = None
    reply_to_id: str | None = None
    run_id: str | None = None


def add_message(session: AsyncSession, conversation: Conversation, draft: Draft, now: datetime) -> Message:
    """Add a message at the end and move the version."""
    conversation.last_seq += 1
    touch(conversation, now)
    message = Message(
        id=new_id(),
        conversation_id=conversation.id,
        seq=conversation.last_seq,
        author=draft.author,
        text=draft.text,
        created_at=now,
        sender_id=draft.sender_id,
        request_key=draft.request_key,
        reply_to_id=draft.reply_to_id,
        run_id=draft.run_id,
        withdrawn=False,
        source_key=draft.source.key,
        source_title=draft.source.title,
        source_written_here=draft.source.written_here,
        source_reviewed_by=draft.source.reviewed_by,
        source_match=draft.source.match,
        source_model=draft.source.model,
    )
    session.add(message)
    return message


def touch(conversation: Conversation, now: datetime) -> None:
    """Count one more change that somebody could see."""
    conversation.version += 1
    conversation.updated_at = now


async def own_conversation(
    session: AsyncSession, visitor_id: str, conversation_id: str, *options: ExecutableOption
) -> Conversation:
    """Return a conversation of this visitor, locked where the database locks rows.

    Raises:
        NotFound: there is none of this id, or it is somebody else's.
    """
    query = select(Conversation).where(
        Conversation.id == conversation_id, Conversation.visitor_id == visitor_id
    )
    conversation = await session.scalar(query.options(*options).with_for_update())
    if conversation is None:
        raise no_such("conversation")
    return conversation


async def earlier_message(
    session: AsyncSession, sender_id: str, request_key: str, text: Private, conversation_id: str | None = None
) -> Message | None:
    """Return what a request of this key wrote before, None if it is new.

    Raises:
        BadInput: it wrote other words, or wrote in another conversation than the one named.
    """
    query = select(Message).where(Message.sender_id == sender_id, Message.request_key == request_key)
    earlier = await session.scalar(query)
    if earlier is None:
        return None
    # Other words would be lost without anybody having read them.
    if earlier.text != text or conversation_id not in {None, earlier.conversation_id}:
        message = "this request key was used for other words"
        raise BadInput(message, "send it again with a new request_key")
    return earlier


async def last_visitor_message(session: AsyncSession, conversation_id: str) -> Message:
    """Return the visitor's newest message; every conversation begins with one."""
    query = (
        select(Message)
        .where(Message.conversation_id == conversation_id, Message.author == MessageAuthor.VISITOR)
        .order_by(Message.seq.desc())
        .limit(1)
    )
    return (await session.scalars(query)).one()


def no_such(thing: str) -> NotFound:
    """Return the one answer to "not there" and "not yours"."""
    return NotFound(f"there is no such {thing} here", "go back to the list and open one that is in it")
