"""What a visitor may do: ask, say more, read, ask for a person, rate.

Every route checks that the conversation belongs to the secret in the cookie;
whatever does not is "not found". A message is screened first, then taken in by
one transaction, then answered.
"""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Response

from psyllm.casebook import cases, ratings, runs, talk
from psyllm.casebook.talk import Said, Taken
from psyllm.casebook.visitors import new_secret
from psyllm.core.errors import BadInput
from psyllm.core.language import Language
from psyllm.core.private import Private
from psyllm.serve import schema, shape
from psyllm.serve.language import AskedIn
from psyllm.serve.parts import Parts
from psyllm.serve.sessions import (
    VISITOR_COOKIE,
    VISITOR_LIFE_S,
    MaybeVisitor,
    PartsDep,
    Visitor,
    give_cookie,
)

router = APIRouter(prefix="/api", tags=["visitor"])


@router.get("/conversations")
async def list_conversations(parts: PartsDep, visitor: MaybeVisitor) -> list[schema.ConversationSummary]:
    """List the visitor's own conversations, newest first."""
    if visitor is None:
        return []
    return [shape.summary(row) for row in await talk.list_conversations(parts.book, visitor)]


@router.post("/conversations", status_code=201)
async def ask(
    parts: PartsDep, visitor: MaybeVisitor, language: AskedIn, body: schema.Ask, response: Response
) -> schema.Turn:
    """Start a conversation with a question; a new visitor gets the cookie here."""
    text = "\n".join(part for part in (body.title.reveal().strip(), body.details.reveal().strip()) if part)
    said = await _said(parts, [], Private(text), body.request_key, language)
    secret = new_secret()
    title = Private(text.split("\n", 1)[0][: talk.TITLE_CHARS])
    taken = await talk.ask(parts.book, visitor_id=visitor, secret=secret, title=title, said=said)
    if visitor is None:
        give_cookie(response, parts, VISITOR_COOKIE, secret, VISITOR_LIFE_S)
    return await _turn(parts, taken)


@router.get(
    "/conversations/{conversation_id}",
    response_model=schema.Conversation,
    responses={304: {"description": "Not modified"}},
)
async def read_conversation(
    parts: PartsDep,
    visitor: Visitor,
    conversation_id: str,
    response: Response,
    if_none_match: Annotated[str, Header(include_in_schema=False)] = "",
) -> schema.Conversation | Response:
    """Read one conversation; answers 304 to a matching If-None-Match."""
    row = await talk.read_conversation(parts.book, visitor, conversation_id)
    found = shape.conversation(row)
    mark = f'"{hashlib.sha256(found.model_dump_json().encode()).hexdigest()[:32]}"'
    if if_none_match == mark:
        return Response(status_code=304, headers={"ETag": mark})
    response.headers["ETag"] = mark
    return found


@router.post("/conversations/{conversation_id}/messages", status_code=201)
async def say(
    parts: PartsDep, visitor: Visitor, language: AskedIn, conversation_id: str, body: schema.Say
) -> schema.Turn:
    """Add a message; the same `request_key` again gives the same turn."""
    before = await talk.turns_to_screen(parts.book, visitor, conversation_id)
    said = await _said(parts, before, Private(body.text.reveal().strip()), body.request_key, language)
    taken = await talk.say(parts.book, visitor_id=visitor, conversation_id=conversation_id, said=said)
    return await _turn(parts, taken)


@router.post("/conversations/{conversation_id}/person", status_code=201)
async def ask_for_person(parts: PartsDep, visitor: Visitor, conversation_id: str) -> schema.PersonAsked:
    """Ask for a person: opens a case at the present level."""
    await cases.ask_for_person(parts.book, visitor, conversation_id)
    return schema.PersonAsked(case_open=True, counsellor_present=parts.presence.anybody())


@router.post("/messages/{message_id}/rating", status_code=201)
async def rate(parts: PartsDep, visitor: Visitor, message_id: str, body: schema.RatingIn) -> schema.Rating:
    """Rate an answer; again replaces."""
    _need_length(parts, body.comment)
    row = await ratings.rate(
        parts.book,
        visitor_id=visitor,
        message_id=message_id,
        marks=ratings.Marks(body.helpfulness, body.fluency, body.relevance, body.logic),
        comment=body.comment,
        training_consent=body.training_consent,
    )
    return shape.rating(row)


async def _said(
    parts: Parts, before: list[Private], text: Private, request_key: str, language: Language
) -> Said:
    if not len(text):
        message = "the message is empty"
        raise BadInput(message, "write something first")
    _need_length(parts, text)
    return Said(
        text=text,
        request_key=request_key,
        judgement=await parts.screener.judge([*before, text], language),
        counsellor_present=parts.presence.anybody(),
        language=language,
    )


def _need_length(parts: Parts, text: Private) -> None:
    most = parts.settings.most_message_chars
    if len(text) > most:
        raise HTTPException(413, f"the text has {len(text)} characters, {most} can be taken")


async def _turn(parts: Parts, taken: Taken) -> schema.Turn:
    """Answer from the library before the response goes out, so that the page has it at once."""
    await parts.runner.stopped(taken.stopped)
    if taken.run is None:
        return shape.turn(taken)
    await parts.runner.launch(taken.run.id)
    return shape.turn(taken, await runs.outcome(parts.book, taken.run.id))
