"""What anybody may read without a cookie: the status and the help lines."""

from __future__ import annotations

from fastapi import APIRouter

from psyllm.serve import schema

router = APIRouter(prefix="/api", tags=["open"])


@router.get("/status")
async def status() -> schema.Status:
    """Tell whether the service is on trial, who is there and whether the model speaks."""
    raise NotImplementedError


@router.get("/help")
async def help_directory() -> schema.HelpDirectory:
    """Give the help lines, the set region first."""
    raise NotImplementedError
