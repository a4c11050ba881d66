"""The desk: sign in, see cases, take one, answer in it, close it."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter

from psyllm.serve import schema

router = APIRouter(prefix="/api/staff", tags=["staff"])


@router.post("/login")
async def login(body: schema.Login) -> schema.StaffMe:
    """Sign in; ten failures in ten minutes for one name answer 429."""
    raise NotImplementedError


@router.post("/logout", status_code=204)
async def logout() -> None:
    """Sign out and forget the session."""
    raise NotImplementedError


@router.get("/me")
async def me() -> schema.StaffMe:
    """Tell who is signed in."""
    raise NotImplementedError


@router.get("/cases")
async def list_cases(state: Literal["open", "taken", "closed", "all"] = "all") -> list[schema.CaseSummary]:
    """List cases by level, then age."""
    raise NotImplementedError


@router.get("/cases/{case_id}")
async def read_case(case_id: str) -> schema.CaseDetail:
    """Read a case with its conversation, screenings and history."""
    raise NotImplementedError


@router.post("/cases/{case_id}/take")
async def take(case_id: str) -> schema.CaseDetail:
    """Take a case: a person owns the conversation from here, the bot stops."""
    raise NotImplementedError


@router.post("/cases/{case_id}/messages", status_code=201)
async def answer(case_id: str, body: schema.CounsellorSay) -> schema.Message:
    """Answer in the visitor's chat; refused when the visitor wrote meanwhile."""
    raise NotImplementedError


@router.post("/cases/{case_id}/close")
async def close(case_id: str, body: schema.CloseCase) -> schema.CaseDetail:
    """Close a case with a reason; the conversation goes back to the bot."""
    raise NotImplementedError
