"""Answers in the making: start another view, follow its events, stop it."""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.sse import EventSourceResponse, ServerSentEvent

from psyllm.serve import schema

router = APIRouter(prefix="/api", tags=["runs"])


@router.post("/conversations/{conversation_id}/runs", status_code=201)
async def another_view(conversation_id: str, body: schema.AskView) -> schema.RunInfo:
    """Ask for another view of the last message."""
    raise NotImplementedError


@router.get("/runs/{run_id}/events", response_class=EventSourceResponse)
async def follow(
    run_id: str, after: int = 0, last_event_id: Annotated[str, Header()] = ""
) -> AsyncIterable[ServerSentEvent]:
    """Stream the run's events after the given number: state, sentence, message, replaced, done."""
    raise NotImplementedError
    yield ServerSentEvent()


@router.post("/runs/{run_id}/stop", status_code=202)
async def stop(run_id: str) -> schema.RunInfo:
    """Stop an answer in the making; what was released stays."""
    raise NotImplementedError
