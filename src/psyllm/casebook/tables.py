"""The tables of the casebook, one class each.

Words of a person are `Private`. Secrets of visitors and sessions are kept as
hashes only. Everything about a visitor hangs on the visitor's row by ON DELETE
CASCADE, so erasing is one deletion. Loading is always explicit
(`lazy="raise"`). No rule of the service lives here.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import uuid4

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Enum,
    ForeignKey,
    Index,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from psyllm.casebook.columns import LevelColumn, MomentColumn, WordsColumn
from psyllm.casebook.kinds import (
    CaseState,
    CloseReason,
    MessageAuthor,
    Owner,
    ReplacedBecause,
    ReviewReason,
    ReviewVerdict,
    Role,
    RunKind,
    RunState,
)
from psyllm.core.language import Language
from psyllm.core.private import Private
from psyllm.safety.levels import Level


def new_id() -> str:
    """Return a fresh random identifier of 32 hexadecimal digits."""
    return uuid4().hex


def _choice(values: type[StrEnum]) -> Enum:
    return Enum(
        values, native_enum=False, length=24, values_callable=lambda kind: [one.value for one in kind]
    )


class Table(DeclarativeBase):
    """Root of all tables: how constraints are named and types are stored."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: String(64),
        Private: WordsColumn(),
        datetime: MomentColumn(),
        Level: LevelColumn(),
        list[str]: JSON(),
        **{
            kind: _choice(kind)
            for kind in (
                Owner,
                MessageAuthor,
                CaseState,
                CloseReason,
                RunKind,
                RunState,
                ReplacedBecause,
                Role,
                Language,
                ReviewVerdict,
                ReviewReason,
            )
        },
    }


class Visitor(Table):
    """A browser that was given a secret; only the secret's hash is kept."""

    __tablename__ = "visitors"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    secret_hash: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]


class Conversation(Table):
    """One conversation; `version` counts every change that somebody could see.

    `level` never falls by itself. Screening looks at turns after
    `screened_from_seq`, which only a counsellor's "false alarm" moves.
    `language` is that of the visitor's page at the newest message.
    """

    __tablename__ = "conversations"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    visitor_id: Mapped[str] = mapped_column(ForeignKey("visitors.id", ondelete="CASCADE"), index=True)
    title: Mapped[Private]
    owner: Mapped[Owner] = mapped_column(default=Owner.BOT)
    version: Mapped[int] = mapped_column(default=0)
    level: Mapped[Level] = mapped_column(default=Level.NONE)
    language: Mapped[Language] = mapped_column(default=Language.ZH, server_default=Language.ZH.value)
    last_seq: Mapped[int] = mapped_column(default=0)
    seen_seq: Mapped[int] = mapped_column(default=0)
    screened_from_seq: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    messages: Mapped[list[Message]] = relationship(lazy="raise", order_by="Message.seq", viewonly=True)
    cases: Mapped[list[Case]] = relationship(lazy="raise", order_by="Case.opened_at", viewonly=True)
    runs: Mapped[list[Run]] = relationship(lazy="raise", order_by="Run.created_at", viewonly=True)


class Message(Table):
    """One message; `sender_id` and `request_key` make a retry find what it wrote before.

    A withdrawn message (its generated answer failed the guard) is kept for
    review and shown to nobody. `source_*` say where an answer comes from.
    """

    __tablename__ = "messages"
    __table_args__ = (
        UniqueConstraint("conversation_id", "seq"),
        UniqueConstraint("sender_id", "request_key"),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    seq: Mapped[int]
    author: Mapped[MessageAuthor]
    text: Mapped[Private]
    created_at: Mapped[datetime]
    sender_id: Mapped[str | None]
    request_key: Mapped[str | None]
    reply_to_id: Mapped[str | None] = mapped_column(index=True)
    run_id: Mapped[str | None]
    withdrawn: Mapped[bool] = mapped_column(default=False)
    source_key: Mapped[str | None] = mapped_column(String(200))
    source_title: Mapped[str | None] = mapped_column(String(400))
    source_written_here: Mapped[bool] = mapped_column(default=False)
    source_reviewed_by: Mapped[str] = mapped_column(String(200), default="")
    source_match: Mapped[float | None]
    source_model: Mapped[str | None] = mapped_column(String(200))

    rating: Mapped[Rating | None] = relationship(lazy="raise", viewonly=True)


class Screening(Table):
    """What screening said of one message: levels and rule names, never words."""

    __tablename__ = "screenings"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    conversation_id: Mapped[str] = mapped_column(
        ForeignKey("conversations.id", ondelete="CASCADE"), index=True
    )
    message_id: Mapped[str] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"))
    level: Mapped[Level]
    message_level: Mapped[Level]
    rules: Mapped[list[str]]
    lexicon_version: Mapped[str]
    created_at: Mapped[datetime]


class Case(Table):
    """What a counsellor works on; a conversation has at most one that is not closed."""

    __tablename__ = "cases"
    __table_args__ = (
        Index(
            "uq_cases_one_not_closed",
            "conversation_id",
            unique=True,
            sqlite_where=text("state != 'closed'"),
            postgresql_where=text("state != 'closed'"),
        ),
        Index("ix_cases_state", "state", "level", "opened_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    conversation_id: Mapped[str] = mapped_column(
        ForeignKey("conversations.id", ondelete="CASCADE"), index=True
    )
    level: Mapped[Level]
    state: Mapped[CaseState] = mapped_column(default=CaseState.OPEN)
    opened_at: Mapped[datetime]
    waiting_since: Mapped[datetime | None]
    assignee_id: Mapped[str | None] = mapped_column(ForeignKey("staff.id"))
    closed_at: Mapped[datetime | None]
    close_reason: Mapped[CloseReason | None]
    note: Mapped[Private | None]

    assignee: Mapped[Staff | None] = relationship(lazy="raise", viewonly=True)
    conversation: Mapped[Conversation] = relationship(lazy="raise", viewonly=True)
    history: Mapped[list[CaseEvent]] = relationship(lazy="raise", order_by="CaseEvent.number", viewonly=True)


class CaseEvent(Table):
    """One line of a case's history: who did what, in fixed words."""

    __tablename__ = "case_events"

    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    who: Mapped[str]
    what: Mapped[str] = mapped_column(String(200))


class Run(Table):
    """An answer in the making; it may publish only while `expected_version` still holds."""

    __tablename__ = "runs"
    __table_args__ = (UniqueConstraint("conversation_id", "request_key"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    for_message_id: Mapped[str] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), index=True)
    request_key: Mapped[str | None]
    kind: Mapped[RunKind]
    state: Mapped[RunState] = mapped_column(default=RunState.QUEUED, index=True)
    expected_version: Mapped[int]
    message_id: Mapped[str | None]
    last_event: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class RunEvent(Table):
    """One numbered event of a run; a whole message is named, not copied."""

    __tablename__ = "run_events"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    state: Mapped[RunState | None]
    text: Mapped[Private | None]
    message_id: Mapped[str | None]
    reason: Mapped[ReplacedBecause | None]
    version: Mapped[int | None]
    at: Mapped[datetime]


class Rating(Table):
    """Four marks from 1 to 5 and a comment on one answer."""

    __tablename__ = "ratings"
    __table_args__ = tuple(
        CheckConstraint(f"{axis} BETWEEN 1 AND 5", name=axis)
        for axis in ("helpfulness", "fluency", "relevance", "logic")
    )

    message_id: Mapped[str] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True)
    helpfulness: Mapped[int]
    fluency: Mapped[int]
    relevance: Mapped[int]
    logic: Mapped[int]
    comment: Mapped[Private]
    training_consent: Mapped[bool]
    run_id: Mapped[str | None]
    updated_at: Mapped[datetime]


class Consent(Table):
    """A visitor's yes to training use of a conversation up to one answer."""

    __tablename__ = "consents"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    conversation_id: Mapped[str] = mapped_column(
        ForeignKey("conversations.id", ondelete="CASCADE"), index=True
    )
    message_id: Mapped[str] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), index=True)
    given_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]


class Staff(Table):
    """Somebody who may sign in to the desk."""

    __tablename__ = "staff"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(unique=True)
    role: Mapped[Role]
    password_hash: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class StaffSession(Table):
    """A signed-in browser of the staff; only the token's hash is kept."""

    __tablename__ = "staff_sessions"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    staff_id: Mapped[str] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class ReviewDecision(Table):
    """What one person decided about some words of a cleaned record.

    `item` is the hash that names record and words (`core/review_sample.py`). Places 1 and 2 are
    blind, place 3 has seen both. `edited` is the new texts as JSON.
    """

    __tablename__ = "review_decisions"
    __table_args__ = (UniqueConstraint("item", "place"),)

    item: Mapped[str] = mapped_column(primary_key=True)
    staff_id: Mapped[str] = mapped_column(ForeignKey("staff.id"), primary_key=True)
    place: Mapped[int]
    record_id: Mapped[str] = mapped_column(Text, index=True)
    words: Mapped[str]
    dropped_for: Mapped[str] = mapped_column(String(100))
    verdict: Mapped[ReviewVerdict]
    reason: Mapped[ReviewReason | None]
    note: Mapped[Private]
    edited: Mapped[Private | None]
    decided_at: Mapped[datetime]


class ReviewSkip(Table):
    """Somebody does not want to read an item today."""

    __tablename__ = "review_skips"

    item: Mapped[str] = mapped_column(primary_key=True)
    staff_id: Mapped[str] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"), primary_key=True)
    record_id: Mapped[str] = mapped_column(Text, index=True)
    at: Mapped[datetime]


class Audit(Table):
    """Who did what to which thing and when; names and ids, never text."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime]
    who: Mapped[str]
    what: Mapped[str]
    which: Mapped[str]
