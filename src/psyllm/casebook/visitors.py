"""Visitors: a random secret in the browser, its hash here, nothing else about a person."""

from __future__ import annotations

import hashlib
import secrets

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from psyllm.casebook.open import Casebook
from psyllm.casebook.tables import Visitor

SECRET_BYTES = 32


def new_secret() -> str:
    """Return a fresh random secret of 256 bits for a cookie."""
    return secrets.token_urlsafe(SECRET_BYTES)


def secret_hash(secret: str) -> str:
    """Return what is stored of a secret; it is long and random, so one round is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


async def find_visitor(book: Casebook, secret: str) -> str | None:
    """Return the visitor's id, None for an unknown secret."""
    query = select(Visitor.id).where(Visitor.secret_hash == secret_hash(secret))
    async with book.reading() as session:
        return await session.scalar(query)


async def add_visitor(book: Casebook, session: AsyncSession, secret: str) -> Visitor:
    """Add a visitor to the transaction."""
    visitor = Visitor(secret_hash=secret_hash(secret), created_at=book.now())
    session.add(visitor)
    await session.flush()
    return visitor
