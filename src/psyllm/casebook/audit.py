"""The audit: who did what to which thing and when; never text."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from psyllm.casebook.tables import Audit


def note_down(session: AsyncSession, who: str, what: str, which: str, now: datetime) -> None:
    """Add one row to the caller's transaction; `which` is an identifier."""
    session.add(Audit(who=who, what=what, which=which, at=now))


async def noted_since(session: AsyncSession, who: str, what: str, which: str, since: datetime) -> bool:
    """Return whether the same was noted down after `since`."""
    same = exists().where(Audit.who == who, Audit.what == what, Audit.which == which, Audit.at > since)
    return bool(await session.scalar(select(same)))
