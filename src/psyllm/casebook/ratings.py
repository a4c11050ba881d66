"""Ratings of answers, and the consent that the unticked box asks for.

Consent covers the conversation up to and including the rated answer. Rating
again without the tick withdraws it. Nothing here decides what is trained on.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from psyllm.casebook.kinds import MessageAuthor
from psyllm.casebook.messages import no_such
from psyllm.casebook.open import Casebook
from psyllm.casebook.tables import Consent, Conversation, Message, Rating
from psyllm.core.errors import WrongState
from psyllm.core.private import Private

RATED_AUTHORS = frozenset({MessageAuthor.LIBRARY, MessageAuthor.MODEL, MessageAuthor.COUNSELLOR})


class Marks(NamedTuple):
    """Four marks from 1 to 5."""

    helpfulness: int
    fluency: int
    relevance: int
    logic: int


async def rate(
    book: Casebook,
    *,
    visitor_id: str,
    message_id: str,
    marks: Marks,
    comment: Private,
    training_consent: bool,
) -> Rating:
    """Store or replace a visitor's rating of an answer, and give or withdraw consent with it.

    Raises:
        NotFound: the message is not in one of the visitor's conversations.
        WrongState: the message is no answer.
    """
    async with book.writing() as session:
        message = await _own_message(session, visitor_id, message_id)
        if message.author not in RATED_AUTHORS:
            text = "only answers can be rated"
            raise WrongState(text, "rate an answer of the library, the model or a counsellor")
        now = book.now()
        rating = await session.get(Rating, message_id) or Rating(message_id=message_id)
        for axis, mark in marks._asdict().items():
            setattr(rating, axis, mark)
        rating.comment = comment
        rating.training_consent = training_consent
        rating.run_id = message.run_id
        rating.updated_at = now
        session.add(rating)
        await _keep_consent(session, message, given=training_consent, now=now)
        return rating


async def list_consents(book: Casebook, visitor_id: str) -> list[Consent]:
    """Return every consent that a visitor ever gave, withdrawn ones too."""
    query = (
        select(Consent)
        .join(Conversation, Conversation.id == Consent.conversation_id)
        .where(Conversation.visitor_id == visitor_id)
        .order_by(Consent.given_at)
    )
    async with book.reading() as session:
        return list(await session.scalars(query))


async def _own_message(session: AsyncSession, visitor_id: str, message_id: str) -> Message:
    query = (
        select(Message)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(Message.id == message_id, Conversation.visitor_id == visitor_id, ~Message.withdrawn)
    )
    message = await session.scalar(query)
    if message is None:
        raise no_such("message")
    return message


async def _keep_consent(session: AsyncSession, message: Message, *, given: bool, now: datetime) -> None:
    query = select(Consent).where(Consent.message_id == message.id, Consent.withdrawn_at.is_(None))
    standing = await session.scalar(query)
    if given and standing is None:
        session.add(Consent(conversation_id=message.conversation_id, message_id=message.id, given_at=now))
    if not given and standing is not None:
        standing.withdrawn_at = now
