"""What belongs to the visitor as a whole: a copy of everything, and erasure."""

from __future__ import annotations

from fastapi import APIRouter

from psyllm.serve import schema

router = APIRouter(prefix="/api", tags=["me"])


@router.get("/me/export")
async def export() -> schema.Export:
    """Download everything kept about this visitor."""
    raise NotImplementedError


@router.delete("/me", status_code=204)
async def erase() -> None:
    """Erase everything kept about this visitor and clear the cookie."""
    raise NotImplementedError
