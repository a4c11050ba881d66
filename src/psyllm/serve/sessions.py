"""Who asks: the visitor's and the staff's cookie, as dependencies of the routes.

A cookie holds a random secret and nothing else; the casebook knows its hash.
Every route names one of these dependencies or is open on purpose, which a test
checks against the table of routes.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Cookie, Depends, HTTPException, Request, Response

from psyllm.casebook import staff as staff_book
from psyllm.casebook.kinds import Role
from psyllm.casebook.messages import no_such
from psyllm.casebook.tables import Staff
from psyllm.casebook.visitors import find_visitor
from psyllm.core.errors import NotAllowed
from psyllm.serve.parts import Parts

VISITOR_COOKIE = "psy_visitor"
STAFF_COOKIE = "psy_staff"
VISITOR_LIFE_S = 90 * 24 * 3600
LONGEST_SECRET_CHARS = 128


def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


PartsDep = Annotated[Parts, Depends(_parts)]
Secret = Annotated[str, Cookie(alias=VISITOR_COOKIE, include_in_schema=False)]
StaffSecret = Annotated[str, Cookie(alias=STAFF_COOKIE, include_in_schema=False)]


async def maybe_visitor(parts: PartsDep, secret: Secret = "") -> str | None:
    """Return the visitor's id, None for a browser that has asked nothing yet."""
    if not secret or len(secret) > LONGEST_SECRET_CHARS:
        return None
    return await find_visitor(parts.book, secret)


async def need_visitor(visitor: Annotated[str | None, Depends(maybe_visitor)]) -> str:
    """Return the visitor's id.

    Raises:
        NotFound: nothing belongs to this browser.
    """
    if visitor is None:
        raise no_such("conversation")
    return visitor


async def need_staff(parts: PartsDep, secret: StaffSecret = "") -> Staff:
    """Return who is signed in, and note the presence.

    Raises:
        HTTPException: 401, nobody is.
    """
    staff = None
    if secret and len(secret) <= LONGEST_SECRET_CHARS:
        staff = await staff_book.signed_in(parts.book, secret)
    if staff is None:
        raise HTTPException(401, "nobody is signed in")
    parts.presence.see(staff.id)
    return staff


async def need_supervisor(staff: Annotated[Staff, Depends(need_staff)]) -> Staff:
    """Return who is signed in, if a supervisor.

    Raises:
        NotAllowed: it is somebody else of the staff.
    """
    if staff.role is not Role.SUPERVISOR:
        message = "this page is for supervisors"
        raise NotAllowed(message, "go back to the cases, or ask a supervisor")
    return staff


MaybeVisitor = Annotated[str | None, Depends(maybe_visitor)]
Visitor = Annotated[str, Depends(need_visitor)]
Counsellor = Annotated[Staff, Depends(need_staff)]
Supervisor = Annotated[Staff, Depends(need_supervisor)]


def give_cookie(response: Response, parts: Parts, name: str, secret: str, life_s: int) -> None:
    """Put a secret into the browser, out of reach of scripts."""
    response.set_cookie(
        name,
        secret,
        max_age=life_s,
        path="/",
        httponly=True,
        samesite="lax",
        secure=parts.settings.secure_cookies,
    )


def take_cookie(response: Response, parts: Parts, name: str) -> None:
    """Take a secret out of the browser."""
    response.delete_cookie(
        name, path="/", httponly=True, samesite="lax", secure=parts.settings.secure_cookies
    )
