"""Rows of the casebook as models of the API.

Rows come with what they need already loaded. Withdrawn messages are left out.
No rule is decided here but who may rate what: answers, by their visitor.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from fastapi.sse import ServerSentEvent

from psyllm.casebook import tables
from psyllm.casebook.kinds import UNFINISHED, CaseState, MessageAuthor, ReplacedBecause, RunState
from psyllm.casebook.ratings import RATED_AUTHORS
from psyllm.casebook.runs import Following, Outcome, may_view
from psyllm.casebook.talk import Taken
from psyllm.safety.levels import Level
from psyllm.serve import schema

SOURCE_KINDS = {
    MessageAuthor.LIBRARY: "library",
    MessageAuthor.MODEL: "generated",
    MessageAuthor.COUNSELLOR: "counsellor",
}


def level_name(level: Level) -> schema.Level:
    """Return the API's name of a level."""
    return schema.Level(level.label)


def message(row: tables.Message, *, to_visitor: bool = True) -> schema.Message:
    """Return one message; a rating counts only when it was loaded."""
    stored: tables.Rating | None = row.__dict__.get("rating")
    return schema.Message(
        id=row.id,
        seq=row.seq,
        author=row.author,
        text=row.text,
        created_at=row.created_at,
        run_id=row.run_id,
        source=_source(row),
        rating=None if stored is None else rating(stored),
        can_rate=to_visitor and row.author in RATED_AUTHORS,
    )


def rating(row: tables.Rating) -> schema.Rating:
    """Return one rating."""
    return schema.Rating(
        helpfulness=row.helpfulness,
        fluency=row.fluency,
        relevance=row.relevance,
        logic=row.logic,
        comment=row.comment,
        training_consent=row.training_consent,
        updated_at=row.updated_at,
    )


def run(row: tables.Run) -> schema.RunInfo:
    """Return what is told of a run."""
    return schema.RunInfo(id=row.id, kind=row.kind, state=row.state)


def turn(taken: Taken, outcome: Outcome | None = None) -> schema.Turn:
    """Return what a message led to; `outcome` is how far its run is by now."""
    conversation = taken.conversation
    info = None if taken.run is None else run(taken.run)
    version = conversation.version
    if info is not None and outcome is not None:
        info = info.model_copy(update={"state": outcome.state})
        version = outcome.version
    return schema.Turn(
        conversation_id=conversation.id,
        version=version,
        owner=conversation.owner,
        message=message(taken.message),
        notice=None if taken.notice is None else message(taken.notice),
        level=level_name(conversation.level),
        help_first=conversation.level >= Level.URGENT,
        help=conversation.level >= Level.RISK,
        case_open=taken.case_open,
        run=info,
    )


def summary(row: tables.Conversation) -> schema.ConversationSummary:
    """Return one line of the visitor's list."""
    return schema.ConversationSummary(
        id=row.id,
        title=row.title,
        updated_at=row.updated_at,
        owner=row.owner,
        unread=row.seen_seq < row.last_seq,
    )


def conversation(row: tables.Conversation, *, to_visitor: bool = True) -> schema.Conversation:
    """Return a whole conversation as its visitor or a counsellor sees it."""
    running = [one for one in row.runs if one.state in UNFINISHED]
    return schema.Conversation(
        id=row.id,
        version=row.version,
        owner=row.owner,
        title=row.title,
        level=level_name(row.level),
        help=row.level >= Level.RISK,
        case=row.cases[-1].state if row.cases else None,
        messages=[message(one, to_visitor=to_visitor) for one in row.messages if not one.withdrawn],
        running=run(running[-1]) if running else None,
        may_view=may_view(row),
    )


def case_summary(row: tables.Case, now: datetime) -> schema.CaseSummary:
    """Return one line of the desk."""
    waiting_s = 0
    if row.waiting_since is not None and row.state is not CaseState.CLOSED:
        waiting_s = max(0, int((now - row.waiting_since).total_seconds()))
    return schema.CaseSummary(
        id=row.id,
        conversation_id=row.conversation_id,
        level=level_name(row.level),
        state=row.state,
        opened_at=row.opened_at,
        waiting_s=waiting_s,
        assignee=None if row.assignee is None else row.assignee.name,
        language=row.conversation.language,
        last_message_at=row.conversation.updated_at,
    )


def case_detail(row: tables.Case, screenings: Iterable[tables.Screening], now: datetime) -> schema.CaseDetail:
    """Return a case as the desk shows it."""
    return schema.CaseDetail(
        case=case_summary(row, now),
        conversation=conversation(row.conversation, to_visitor=False),
        screenings=[
            schema.CaseScreening(message_id=one.message_id, level=level_name(one.level), rules=one.rules)
            for one in screenings
        ],
        history=[schema.CaseEvent(at=one.at, who=one.who, what=one.what) for one in row.history],
    )


def consent(row: tables.Consent) -> schema.ExportedConsent:
    """Return one consent as exported."""
    return schema.ExportedConsent(
        id=row.id,
        conversation_id=row.conversation_id,
        message_id=row.message_id,
        given_at=row.given_at,
        withdrawn_at=row.withdrawn_at,
    )


def server_event(event: tables.RunEvent, news: Following) -> ServerSentEvent:
    """Return one event of a run as it is sent."""
    return ServerSentEvent(data=_event_data(event, news), event=event.name, id=str(event.seq))


def _event_data(event: tables.RunEvent, news: Following) -> schema.Api:
    if event.name == "state":
        return schema.StateEvent(state=event.state or RunState.FAILED)
    if event.name == "done":
        return schema.DoneEvent(message_id=event.message_id, version=event.version or 0)
    if event.name == "sentence" and event.text is not None:
        return schema.SentenceEvent(text=event.text, message_id=event.message_id or "")
    whole = message(news.messages[event.message_id or ""])
    if event.name == "replaced":
        return schema.ReplacedEvent(message=whole, reason=event.reason or ReplacedBecause.ENGINE)
    return schema.MessageEvent(message=whole)


def _source(row: tables.Message) -> schema.SourceNote | None:
    kind = SOURCE_KINDS.get(row.author)
    if kind is None:
        return None
    return schema.SourceNote(
        kind=kind,
        title=row.source_title or "",
        written_for_this_project=row.source_written_here,
        reviewed_by=row.source_reviewed_by,
        match=row.source_match,
        model=row.source_model,
    )
