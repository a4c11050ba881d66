"""Runs: answers in the making, with numbered events that outlive the server.

Whatever a run publishes is checked in the same transaction: the run is still
going, the bot still owns the conversation, nobody wrote meanwhile, and the
level allows it. A run that lost any of these publishes nothing more.
Nothing here knows how an answer is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from psyllm.casebook.kinds import (
    UNFINISHED,
    MessageAuthor,
    Owner,
    ReplacedBecause,
    RunKind,
    RunState,
)
from psyllm.casebook.messages import (
    Draft,
    Source,
    add_message,
    last_visitor_message,
    no_such,
    own_conversation,
    touch,
)
from psyllm.casebook.open import Casebook
from psyllm.casebook.tables import Conversation, Message, Run, RunEvent, new_id
from psyllm.core.errors import StaleVersion, WrongState
from psyllm.core.language import Language
from psyllm.core.private import Private
from psyllm.safety.levels import Level


class Work(NamedTuple):
    """What a run needs to know: the turns so far, which library answers were shown, the page's language."""

    run_id: str
    kind: RunKind
    turns: list[tuple[MessageAuthor, Private]]
    shown: frozenset[str]
    language: Language = Language.ZH


class Following(NamedTuple):
    """Events of a run with the whole messages that they name."""

    events: list[RunEvent]
    messages: dict[str, Message]


class Outcome(NamedTuple):
    """How far a run is, and its conversation's version by now."""

    state: RunState
    version: int


def start_run(
    session: AsyncSession,
    conversation: Conversation,
    kind: RunKind,
    message: Message,
    now: datetime,
    request_key: str | None = None,
) -> Run:
    """Add a run that answers `message`; a library answer starts at once, a generated one queues."""
    run = Run(
        id=new_id(),
        conversation_id=conversation.id,
        for_message_id=message.id,
        request_key=request_key,
        kind=kind,
        expected_version=conversation.version,
        last_event=0,
        created_at=now,
    )
    session.add(run)
    _move(session, run, RunState.RUNNING if kind is RunKind.LIBRARY else RunState.QUEUED, now)
    return run


async def another_view(
    book: Casebook,
    *,
    visitor_id: str,
    conversation_id: str,
    request_key: str,
    kind: RunKind,
    language: Language = Language.ZH,
    can_generate: Callable[[Private], bool] | None = None,
) -> Run:
    """Start a run for another view of the visitor's newest message; notices of it are in `language`.

    The library answers a message for which `can_generate` says no.

    Raises:
        WrongState: a person owns the conversation, its level forbids answers
            of the bot, another answer is in the making, or a counsellor judged the newest message a false alarm.
    """
    async with book.writing() as session:
        conversation = await own_conversation(session, visitor_id, conversation_id)
        earlier = await session.scalar(
            select(Run).where(Run.conversation_id == conversation_id, Run.request_key == request_key)
        )
        if earlier is not None:
            return earlier
        newest = await last_visitor_message(session, conversation_id)
        _need_view(conversation, newest.seq)
        if await _unfinished_runs(session, conversation_id):
            message = "an answer is in the making already"
            raise WrongState(message, "wait for it, or stop it first")
        conversation.language = language
        if can_generate is not None and not can_generate(newest.text):
            kind = RunKind.LIBRARY
        return start_run(session, conversation, kind, newest, book.now(), request_key)


def may_view(conversation: Conversation) -> bool:
    """Whether `another_view` would start a run once none is in the making; the messages must be loaded."""
    newest = max(one.seq for one in conversation.messages if one.author is MessageAuthor.VISITOR)
    try:
        _need_view(conversation, newest)
    except WrongState:
        return False
    return True


async def own_run(book: Casebook, visitor_id: str, run_id: str) -> Run:
    """Return a run in one of the visitor's own conversations.

    Raises:
        NotFound: there is none of this id, or it is somebody else's.
    """
    query = (
        select(Run)
        .join(Conversation, Conversation.id == Run.conversation_id)
        .where(Run.id == run_id, Conversation.visitor_id == visitor_id)
    )
    async with book.reading() as session:
        run = await session.scalar(query)
    if run is None:
        raise no_such("run")
    return run


async def outcome(book: Casebook, run_id: str) -> Outcome:
    """Return how far a run is.

    Raises:
        NotFound: it was erased.
    """
    query = (
        select(Run.state, Conversation.version)
        .join(Conversation, Conversation.id == Run.conversation_id)
        .where(Run.id == run_id)
    )
    async with book.reading() as session:
        found = (await session.execute(query)).one_or_none()
    if found is None:
        raise no_such("run")
    return Outcome(*found)


async def begin(book: Casebook, run_id: str) -> Work:
    """Take a run up: return the dialogue up to the message that it answers.

    Raises:
        WrongState: it was stopped before it began.
    """
    async with book.writing() as session:
        run, conversation = await _publishable(session, run_id)
        if run.state is RunState.QUEUED:
            _move(session, run, RunState.RUNNING, book.now())
        answered = await session.get_one(Message, run.for_message_id)
        query = (
            select(Message)
            .where(Message.conversation_id == conversation.id, ~Message.withdrawn)
            .order_by(Message.seq)
        )
        messages = list(await session.scalars(query))
    # What a counsellor has judged a false alarm is not answered again, and not searched with.
    told = range(conversation.screened_from_seq + 1, answered.seq + 1)
    turns = [(message.author, message.text) for message in messages if message.seq in told]
    shown = frozenset(message.source_key for message in messages if message.source_key)
    return Work(run_id, run.kind, turns, shown, conversation.language)


async def publish_whole(book: Casebook, run_id: str, draft: Draft) -> None:
    """Publish a whole message and end the run as done."""
    async with book.writing() as session:
        run, conversation = await _publishable(session, run_id)
        message = _add_answer(session, run, conversation, draft, book.now())
        _event(session, run, RunEvent(name="message", at=book.now(), message_id=message.id))
        _end(session, run, conversation, RunState.DONE, book.now())


async def publish_sentence(book: Casebook, run_id: str, sentence: Private, source: Source) -> None:
    """Publish one more sentence of a generated answer."""
    async with book.writing() as session:
        run, conversation = await _publishable(session, run_id)
        now = book.now()
        if run.message_id is None:
            draft = Draft(MessageAuthor.MODEL, sentence, source)
            message = _add_answer(session, run, conversation, draft, now)
        else:
            message = await session.get_one(Message, run.message_id)
            message.text = Private(message.text.reveal() + sentence.reveal())
            touch(conversation, now)
            run.expected_version = conversation.version
        _event(session, run, RunEvent(name="sentence", at=now, text=sentence, message_id=message.id))


async def finish(book: Casebook, run_id: str) -> None:
    """End a run whose answer is complete."""
    async with book.writing() as session:
        run, conversation = await _publishable(session, run_id)
        _end(session, run, conversation, RunState.DONE, book.now())


async def replace(book: Casebook, run_id: str, reason: ReplacedBecause, draft: Draft) -> None:
    """Withdraw what a run has released, publish `draft` in its place and end the run."""
    async with book.writing() as session:
        run, conversation = await _publishable(session, run_id)
        if run.message_id is not None:
            withdrawn = await session.get_one(Message, run.message_id)
            withdrawn.withdrawn = True
        message = _add_answer(session, run, conversation, draft, book.now())
        _event(session, run, RunEvent(name="replaced", at=book.now(), message_id=message.id, reason=reason))
        _end(session, run, conversation, RunState.REPLACED, book.now())


async def stop(book: Casebook, run_id: str) -> Run:
    """Stop a run; what it released stays. A finished run stays as it is."""
    async with book.writing() as session:
        run = await session.get(Run, run_id, with_for_update=True)
        if run is None:
            raise no_such("run")
        if run.state in UNFINISHED:
            conversation = await session.get_one(Conversation, run.conversation_id)
            _end(session, run, conversation, RunState.STOPPED, book.now())
        return run


async def stop_runs(session: AsyncSession, conversation: Conversation, now: datetime) -> list[str]:
    """Stop every unfinished run of a conversation inside the caller's transaction; return their ids."""
    runs = await _unfinished_runs(session, conversation.id)
    for run in runs:
        _end(session, run, conversation, RunState.STOPPED, now)
    return [run.id for run in runs]


async def running_of(book: Casebook, visitor_id: str) -> list[str]:
    """Return the ids of a visitor's unfinished runs."""
    query = (
        select(Run.id)
        .join(Conversation, Conversation.id == Run.conversation_id)
        .where(Conversation.visitor_id == visitor_id, Run.state.in_(UNFINISHED))
    )
    async with book.reading() as session:
        return list(await session.scalars(query))


async def fail(book: Casebook, run_id: str, notices: Mapping[Language, Private]) -> None:
    """End a run that broke, with a notice where the bot may still speak."""
    async with book.writing() as session:
        run = await session.get(Run, run_id, with_for_update=True)
        if run is not None and run.state in UNFINISHED:
            await _fail(session, run, notices, book.now())


async def fail_unfinished(book: Casebook, notices: Mapping[Language, Private]) -> int:
    """End all runs that an earlier server left unfinished; return how many."""
    async with book.writing() as session:
        runs = list(await session.scalars(select(Run).where(Run.state.in_(UNFINISHED))))
        for run in runs:
            await _fail(session, run, notices, book.now())
    return len(runs)


async def events_after(book: Casebook, run_id: str, seq: int) -> Following:
    """Return the events with a greater number, in order, and the messages that they name whole."""
    query = select(RunEvent).where(RunEvent.run_id == run_id, RunEvent.seq > seq).order_by(RunEvent.seq)
    async with book.reading() as session:
        events = list(await session.scalars(query))
        named = {event.message_id for event in events if event.name in {"message", "replaced"}}
        found = await session.scalars(
            select(Message).where(Message.id.in_(named)).options(selectinload(Message.rating))
        )
        return Following(events, {message.id: message for message in found})


async def _publishable(session: AsyncSession, run_id: str) -> tuple[Run, Conversation]:
    run = await session.get(Run, run_id, with_for_update=True)
    if run is None:
        raise no_such("run")
    if run.state not in UNFINISHED:
        message = "this answer was stopped"
        raise WrongState(message, "ask again for another view")
    conversation = await session.get_one(Conversation, run.conversation_id, with_for_update=True)
    _need_bot(conversation)
    if conversation.version != run.expected_version:
        message = "the conversation moved on while this answer was made"
        raise StaleVersion(message, "read the conversation again")
    return run, conversation


def _need_bot(conversation: Conversation) -> None:
    if conversation.owner is not Owner.BOT:
        message = "a person answers in this conversation now"
        raise WrongState(message, "wait for the person's answer")
    if conversation.level >= Level.RISK:
        message = "no automatic answers are given in this conversation any more"
        raise WrongState(message, "call one of the help lines, or wait for a person")


def _need_view(conversation: Conversation, newest_seq: int) -> None:
    """Refuse another view of the visitor's newest message where the bot may not answer it."""
    _need_bot(conversation)
    if newest_seq <= conversation.screened_from_seq:
        message = "a counsellor has dealt with the newest message, so it is not answered again"
        raise WrongState(message, "write a new message; it is answered")


async def _unfinished_runs(session: AsyncSession, conversation_id: str) -> list[Run]:
    query = select(Run).where(Run.conversation_id == conversation_id, Run.state.in_(UNFINISHED))
    return list(await session.scalars(query))


async def _fail(session: AsyncSession, run: Run, notices: Mapping[Language, Private], now: datetime) -> None:
    conversation = await session.get_one(Conversation, run.conversation_id, with_for_update=True)
    if conversation.owner is Owner.BOT and conversation.version == run.expected_version:
        draft = Draft(MessageAuthor.NOTICE, notices[conversation.language], run_id=run.id)
        message = add_message(session, conversation, draft, now)
        _event(session, run, RunEvent(name="message", at=now, message_id=message.id))
    _end(session, run, conversation, RunState.FAILED, now)


def _add_answer(
    session: AsyncSession, run: Run, conversation: Conversation, draft: Draft, now: datetime
) -> Message:
    message = add_message(session, conversation, draft._replace(run_id=run.id), now)
    run.message_id = message.id
    run.expected_version = conversation.version
    return message


def _end(session: AsyncSession, run: Run, conversation: Conversation, state: RunState, now: datetime) -> None:
    _move(session, run, state, now)
    run.finished_at = now
    _event(
        session, run, RunEvent(name="done", at=now, message_id=run.message_id, version=conversation.version)
    )


def _move(session: AsyncSession, run: Run, state: RunState, now: datetime) -> None:
    run.state = state
    _event(session, run, RunEvent(name="state", at=now, state=state))


def _event(session: AsyncSession, run: Run, event: RunEvent) -> None:
    run.last_event += 1
    event.run_id = run.id
    event.seq = run.last_event
    session.add(event)
