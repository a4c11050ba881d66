"""The desk: sign in, see cases, take one, answer in it, close it."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, HTTPException, Response

from psyllm.casebook import cases, staff
from psyllm.casebook.kinds import CaseState
from psyllm.core.errors import BadInput
from psyllm.core.private import Private
from psyllm.serve import schema, shape
from psyllm.serve.sessions import (
    STAFF_COOKIE,
    Counsellor,
    PartsDep,
    StaffSecret,
    give_cookie,
    take_cookie,
)

router = APIRouter(prefix="/api/staff", tags=["staff"])


@router.post("/login")
async def login(parts: PartsDep, body: schema.Login, response: Response) -> schema.StaffMe:
    """Sign in; ten failures in ten minutes for one name answer 429."""
    name = body.name.strip()
    if not parts.throttle.allows(name):
        raise HTTPException(429, "too many failed tries for this name")
    parts.throttle.note(name)  # before the slow check, so that tries side by side count too
    life_s = parts.settings.staff_session_s
    found = await staff.sign_in(parts.book, name, body.password, life_s)
    if found is None:
        raise HTTPException(401, "name and password don't fit")
    parts.throttle.clear(name)
    person, secret = found
    parts.presence.see(person.id)
    give_cookie(response, parts, STAFF_COOKIE, secret, life_s)
    return schema.StaffMe(name=person.name, role=person.role)


@router.post("/logout", status_code=204)
async def logout(parts: PartsDep, person: Counsellor, response: Response, secret: StaffSecret = "") -> None:
    """Sign out and forget the session."""
    await staff.sign_out(parts.book, secret)
    parts.presence.leave(person.id)
    take_cookie(response, parts, STAFF_COOKIE)


@router.get("/me")
async def me(person: Counsellor) -> schema.StaffMe:
    """Tell who is signed in."""
    return schema.StaffMe(name=person.name, role=person.role)


@router.get("/cases")
async def list_cases(
    parts: PartsDep, _person: Counsellor, state: Literal["open", "taken", "closed", "all"] = "all"
) -> list[schema.CaseSummary]:
    """List cases by level, then age."""
    rows = await cases.list_cases(parts.book, None if state == "all" else CaseState(state))
    return [shape.case_summary(row, parts.book.now()) for row in rows]


@router.get("/cases/{case_id}")
async def read_case(parts: PartsDep, person: Counsellor, case_id: str) -> schema.CaseDetail:
    """Read a case with its conversation, screenings and history."""
    return shape.case_detail(*await cases.read_case(parts.book, case_id, person), parts.book.now())


@router.post("/cases/{case_id}/take")
async def take(parts: PartsDep, person: Counsellor, case_id: str) -> schema.CaseDetail:
    """Take a case: a person owns the conversation from here, the bot stops."""
    row, screenings, stopped = await cases.take(parts.book, case_id, person)
    await parts.runner.stopped(stopped)
    return shape.case_detail(row, screenings, parts.book.now())


@router.post("/cases/{case_id}/messages", status_code=201)
async def answer(
    parts: PartsDep, person: Counsellor, case_id: str, body: schema.CounsellorSay
) -> schema.Message:
    """Answer in the visitor's chat; refused when the visitor wrote meanwhile."""
    text = Private(body.text.reveal().strip())
    if not len(text):
        message = "the message is empty"
        raise BadInput(message, "write something first")
    row = await cases.answer(
        parts.book,
        case_id=case_id,
        staff=person,
        text=text,
        base_version=body.base_version,
        request_key=body.request_key,
    )
    return shape.message(row, to_visitor=False)


@router.post("/cases/{case_id}/close")
async def close(
    parts: PartsDep, person: Counsellor, case_id: str, body: schema.CloseCase
) -> schema.CaseDetail:
    """Close a case with a reason; the conversation goes back to the bot."""
    row, screenings = await cases.close(
        parts.book,
        case_id=case_id,
        staff=person,
        reason=body.reason,
        note=body.note,
        base_version=body.base_version,
    )
    return shape.case_detail(row, screenings, parts.book.now())
