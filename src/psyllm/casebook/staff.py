"""Who may sign in to the desk: names, Argon2 hashes, server-side sessions.

A session is a random secret in a cookie, its hash here, ended by time, by
signing out or by disabling the person. Throttling of guesses is the server's.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from pwdlib import PasswordHash
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from psyllm.casebook.audit import note_down
from psyllm.casebook.cases import give_back_cases
from psyllm.casebook.kinds import Role
from psyllm.casebook.open import Casebook
from psyllm.casebook.tables import Staff, StaffSession
from psyllm.casebook.visitors import new_secret, secret_hash
from psyllm.core.errors import BadInput, NotFound
from psyllm.core.private import Private

SHORTEST_PASSWORD_CHARS = 10
LONGEST_NAME_CHARS = 64
_ARGON2 = PasswordHash.recommended()
# Checked when the name is unknown, so that an unknown name takes as long as a wrong password.
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$4TKgtbtfZTZAVkMwSTbm1DgMoPBhNyEWoVNIJYUP2rM"


async def add(book: Casebook, name: str, role: Role, password: Private) -> None:
    """Add somebody, or give somebody who is disabled access again with a new password.

    Raises:
        BadInput: the name is taken or empty, or the password is too short.
    """
    name = name.strip()
    if not name or len(name) > LONGEST_NAME_CHARS:
        message = f"a name has 1 to {LONGEST_NAME_CHARS} characters"
        raise BadInput(message, "run: psyllm serve staff add NAME")
    if len(password) < SHORTEST_PASSWORD_CHARS:
        message = f"the password has {len(password)} characters, expected {SHORTEST_PASSWORD_CHARS} or more"
        raise BadInput(message, "choose a longer password")
    digest = await asyncio.to_thread(_ARGON2.hash, password.reveal())
    async with book.writing() as session:
        staff = await _named(session, name)
        if staff is not None and staff.disabled_at is None:
            message = f"there is somebody named {name} already"
            raise BadInput(message, "run: psyllm serve staff list")
        if staff is None:
            staff = Staff(name=name, created_at=book.now())
            session.add(staff)
        staff.role = role
        staff.password_hash = digest
        staff.disabled_at = None
        note_down(session, "operator", "added staff", name, book.now())


async def everybody(book: Casebook) -> list[Staff]:
    """Return all staff by name."""
    async with book.reading() as session:
        return list(await session.scalars(select(Staff).order_by(Staff.name)))


async def disable(book: Casebook, name: str) -> None:
    """Take somebody's access away, end the sessions, open the cases for others.

    Raises:
        NotFound: nobody has this name.
    """
    async with book.writing() as session:
        staff = await _named(session, name)
        if staff is None:
            message = f"nobody is named {name}"
            raise NotFound(message, "run: psyllm serve staff list")
        staff.disabled_at = staff.disabled_at or book.now()
        await session.execute(delete(StaffSession).where(StaffSession.staff_id == staff.id))
        await give_back_cases(session, staff, book.now())
        note_down(session, "operator", "disabled staff", name, book.now())


async def sign_in(book: Casebook, name: str, password: Private, life_s: int) -> tuple[Staff, str] | None:
    """Return the person and the secret of a new session, None if name and password don't fit."""
    async with book.reading() as session:
        staff = await _named(session, name.strip())
    digest = _NOBODY if staff is None else staff.password_hash
    fits = await asyncio.to_thread(_ARGON2.verify, password.reveal(), digest)
    if staff is None or not fits or staff.disabled_at is not None:
        return None
    secret = new_secret()
    async with book.writing() as session:
        now = book.now()
        await session.execute(delete(StaffSession).where(StaffSession.expires_at < now))
        session.add(
            StaffSession(
                token_hash=secret_hash(secret),
                staff_id=staff.id,
                created_at=now,
                expires_at=now + timedelta(seconds=life_s),
            )
        )
        note_down(session, staff.name, "signed in", staff.id, now)
    return staff, secret


async def signed_in(book: Casebook, secret: str) -> Staff | None:
    """Return whose session this is, None if it is unknown, over, or of somebody disabled."""
    query = (
        select(Staff)
        .join(StaffSession, StaffSession.staff_id == Staff.id)
        .where(
            StaffSession.token_hash == secret_hash(secret),
            StaffSession.expires_at > book.now(),
            Staff.disabled_at.is_(None),
        )
    )
    async with book.reading() as session:
        return await session.scalar(query)


async def sign_out(book: Casebook, secret: str) -> None:
    """End a session."""
    async with book.writing() as session:
        ended = update(StaffSession).where(StaffSession.token_hash == secret_hash(secret))
        await session.execute(ended.values(expires_at=book.now()))


async def _named(session: AsyncSession, name: str) -> Staff | None:
    return await session.scalar(select(Staff).where(Staff.name == name))
