"""Answers in the making: start another view, follow its events, stop it."""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import Annotated

from fastapi import APIRouter, Depends, Header
from fastapi.sse import EventSourceResponse, ServerSentEvent

from psyllm.casebook import runs
from psyllm.casebook.kinds import RunKind
from psyllm.casebook.tables import Run
from psyllm.serve import schema, shape
from psyllm.serve.language import AskedIn
from psyllm.serve.reply import is_for_the_model
from psyllm.serve.sessions import PartsDep, Visitor

router = APIRouter(prefix="/api", tags=["runs"])
MOST_EVENTS = 1_000_000_000  # a greater number is no event's, and no database would take it


async def _own_run(parts: PartsDep, visitor: Visitor, run_id: str) -> Run:
    return await runs.own_run(parts.book, visitor, run_id)


# A dependency runs before the stream begins, so "not yours" is still a 404.
OwnRun = Annotated[Run, Depends(_own_run)]


@router.post("/conversations/{conversation_id}/runs", status_code=201)
async def another_view(
    parts: PartsDep, visitor: Visitor, language: AskedIn, conversation_id: str, body: schema.AskView
) -> schema.RunInfo:
    """Ask for another view of the last message."""
    # Without a model that is ready and writes the visitor's language, the library's next answer is the other view.
    ready = await parts.speaker.state() == "ready"
    run = await runs.another_view(
        parts.book,
        visitor_id=visitor,
        conversation_id=conversation_id,
        request_key=body.request_key,
        kind=RunKind.GENERATED if ready else RunKind.LIBRARY,
        language=language,
        can_generate=is_for_the_model,
    )
    parts.runner.launch(run.id)
    return shape.run(run)


@router.get("/runs/{run_id}/events", response_class=EventSourceResponse)
async def follow(
    parts: PartsDep,
    visitor: Visitor,
    run: OwnRun,
    after: int = 0,
    last_event_id: Annotated[str, Header()] = "",
) -> AsyncIterable[ServerSentEvent]:
    """Stream the run's events after the given number: state, sentence, message, replaced, done."""
    seen = min(after, MOST_EVENTS)
    if last_event_id.isdecimal() and len(last_event_id) <= len(str(MOST_EVENTS)):
        seen = int(last_event_id)
    async for news in parts.runner.follow(visitor, run.id, seen):
        for event in news.events:
            yield shape.server_event(event, news)


@router.post("/runs/{run_id}/stop", status_code=202)
async def stop(parts: PartsDep, run: OwnRun) -> schema.RunInfo:
    """Stop an answer in the making; what was released stays."""
    stopped = await runs.stop(parts.book, run.id)
    await parts.runner.stopped([run.id])
    return shape.run(stopped)
