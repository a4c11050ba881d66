"""What a visitor may do: ask, say more, read, ask for a person, rate.

Every route checks that the conversation belongs to the secret in the cookie;
whatever does not is "not found". The rules lie in the modules called here.
"""

from __future__ import annotations

from fastapi import APIRouter, Response

from psyllm.serve import schema

router = APIRouter(prefix="/api", tags=["visitor"])


@router.get("/conversations")
async def list_conversations() -> list[schema.ConversationSummary]:
    """List the visitor's own conversations, newest first."""
    raise NotImplementedError


@router.post("/conversations", status_code=201)
async def ask(body: schema.Ask, response: Response) -> schema.Turn:
    """Start a conversation with a question; a new visitor gets the cookie here."""
    raise NotImplementedError


@router.get("/conversations/{conversation_id}", responses={304: {"description": "Not modified"}})
async def read_conversation(conversation_id: str) -> schema.Conversation:
    """Read one conversation; answers 304 to a matching If-None-Match."""
    raise NotImplementedError


@router.post("/conversations/{conversation_id}/messages", status_code=201)
async def say(conversation_id: str, body: schema.Say) -> schema.Turn:
    """Add a message; the same `request_key` again gives the same turn."""
    raise NotImplementedError


@router.post("/conversations/{conversation_id}/person", status_code=201)
async def ask_for_person(conversation_id: str) -> schema.PersonAsked:
    """Ask for a person: opens a case at the present level."""
    raise NotImplementedError


@router.post("/messages/{message_id}/rating", status_code=201)
async def rate(message_id: str, body: schema.RatingIn) -> schema.Rating:
    """Rate an answer; again replaces."""
    raise NotImplementedError
