"""What visitors allowed training on: the dialogue up to each answer that carries a standing consent.

Whole answers are read by `feedback` only; `serve` asks whether a consent stands.
Nothing here chooses by rating or level; the level is given, so that the reader
can leave dangerous conversations out.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from psyllm.casebook.open import Casebook
from psyllm.casebook.tables import Consent, Conversation, Message, Screening
from psyllm.safety.levels import Level

SOURCE = "casebook"


def record_id(conversation_id: str) -> str:
    """Return the id of the record that a conversation becomes; it does not lead back to it."""
    return f"{SOURCE}:{hashlib.sha256(conversation_id.encode()).hexdigest()[:16]}"


async def last_withdrawals(book: Casebook) -> dict[str, datetime]:
    """Return when consent was last withdrawn, by the record that the conversation became."""
    query = select(Consent).where(Consent.withdrawn_at.is_not(None)).order_by(Consent.withdrawn_at)
    async with book.reading() as session:
        ended = await session.scalars(query)
        return {record_id(one.conversation_id): one.withdrawn_at for one in ended if one.withdrawn_at}


async def consent_stands(session: AsyncSession, consent_id: str) -> bool:
    """Return whether a consent is there and was not taken back; of an erased visitor none is there."""
    consent = await session.get(Consent, consent_id)
    return consent is not None and consent.withdrawn_at is None


async def consented_records(book: Casebook) -> frozenset[str]:
    """Return the records of all conversations over which a consent stands."""
    query = select(Consent.conversation_id).where(Consent.withdrawn_at.is_(None)).distinct()
    async with book.reading() as session:
        return frozenset(record_id(one) for one in await session.scalars(query))


class Consented(NamedTuple):
    """One consented answer: `messages` run from the first to the rated one; no withdrawn ones.

    `rater` is who rated it, as a pseudonym that only somebody with the casebook could find again.

    `level` is the highest that screening ever gave, also where a counsellor lowered it since.
    """

    consent_id: str
    conversation_id: str
    rater: str
    level: Level
    messages: list[Message]
    answer: Message


async def consented_answers(book: Casebook) -> list[Consented]:
    """Return all consented answers with their ratings, in the order of conversations and messages."""
    consents = select(Consent).where(Consent.withdrawn_at.is_(None))
    async with book.reading() as session:
        given = {consent.message_id: consent for consent in await session.scalars(consents)}
        wanted = {consent.conversation_id for consent in given.values()}
        query = (
            select(Conversation)
            .where(Conversation.id.in_(wanted))
            .options(selectinload(Conversation.messages).selectinload(Message.rating))
            .order_by(Conversation.id)
        )
        conversations = list(await session.scalars(query))
        highest = await _highest_levels(session, wanted)
    return [
        Consented(
            consent_id=given[answer.id].id,
            conversation_id=conversation.id,
            rater=_pseudonym(conversation.visitor_id),
            level=max(conversation.level, highest.get(conversation.id, Level.NONE)),
            messages=[one for one in shown if one.seq <= answer.seq],
            answer=answer,
        )
        for conversation in conversations
        for shown in [[one for one in conversation.messages if not one.withdrawn]]
        for answer in shown
        if answer.id in given
    ]


def _pseudonym(visitor_id: str) -> str:
    """Return a name for a visitor; the id it is made of is random, so nobody can try out all of them."""
    return hashlib.sha256(f"rater {visitor_id}".encode()).hexdigest()[:16]


async def _highest_levels(session: AsyncSession, conversations: set[str]) -> dict[str, Level]:
    """Return the highest level that screening ever gave; a false alarm may be a mistake."""
    highest: dict[str, Level] = {}
    query = select(Screening).where(Screening.conversation_id.in_(conversations))
    for screening in await session.scalars(query):
        known = highest.get(screening.conversation_id, Level.NONE)
        highest[screening.conversation_id] = max(known, screening.level, screening.message_level)
    return highest
