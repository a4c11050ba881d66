"""What the HTTP API takes and gives, as pydantic models.

The web app's types are generated from the OpenAPI description of these, so a
name here is a name there. A person's words are `Words`: hidden in every repr.
No rule of the service lives here.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from psyllm.casebook.kinds import (
    CaseState,
    CloseReason,
    MessageAuthor,
    Owner,
    ReplacedBecause,
    Role,
    RunKind,
    RunState,
)
from psyllm.core.language import Language
from psyllm.serve.words import Words

Generation = Literal["ready", "starting", "off", "failed"]
Mark = Annotated[int, Field(ge=1, le=5)]
RequestKey = Annotated[str, Field(min_length=8, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]


class Level(StrEnum):
    """Level of risk of a dialogue, by its label."""

    NONE = "none"
    DISTRESS = "distress"
    RISK = "risk"
    URGENT = "urgent"
    IN_PROGRESS = "in_progress"


class Api(BaseModel):
    """A model of the API: frozen, strict about names, never echoing its input in an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Problem(Api):
    """What went wrong (RFC 9457); `help` asks the page to show the help card."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    next: str
    help: bool = False


class Status(Api):
    """Whether the service is on trial, who is there, whether the model speaks."""

    mode: Literal["trial", "released"]
    counsellor_present: bool
    generation: Generation
    version: str


class HelpLine(Api):
    """One number to call, where it was seen and when."""

    number: str
    tel: str
    name: str
    name_en: str
    region: str
    hours: str
    hours_en: str
    kind: str
    source: str
    seen_on: date
    call_tested: date | None


class HelpDirectory(Api):
    """The help lines, the set region first; `checked_on` is the oldest date of them."""

    lines: list[HelpLine]
    checked_on: date


class Article(Api):
    """A bundled article, written for this project; `reviewed_by` is empty while nobody has reviewed it."""

    title: str
    topic: str
    text: str
    reviewed_by: str


class SourceNote(Api):
    """Where an answer comes from and what may be said of it; `match` is 0 to 1."""

    kind: Literal["library", "generated", "counsellor"]
    title: str
    written_for_this_project: bool
    reviewed_by: str
    match: float | None
    model: str | None


class RatingIn(Api):
    """Four marks, a comment, and the unticked box; consent covers the dialogue up to this answer."""

    helpfulness: Mark
    fluency: Mark
    relevance: Mark
    logic: Mark
    comment: Words
    training_consent: bool


class Rating(RatingIn):
    """A stored rating."""

    updated_at: datetime


class Message(Api):
    """One message of a conversation."""

    id: str
    seq: int
    author: MessageAuthor
    text: Words
    created_at: datetime
    run_id: str | None
    source: SourceNote | None
    rating: Rating | None
    can_rate: bool


class RunInfo(Api):
    """An answer in the making."""

    id: str
    kind: RunKind
    state: RunState


class Ask(Api):
    """A first question; at least one of title and details has words."""

    title: Words
    details: Words
    request_key: RequestKey


class Say(Api):
    """A further message of the visitor."""

    text: Words
    request_key: RequestKey


class Turn(Api):
    """What one message led to.

    `message` is the visitor's own; `notice` is the fixed reply when the level
    forbids an answer; `help_first` puts the help card above everything.
    """

    conversation_id: str
    version: int
    owner: Owner
    message: Message
    notice: Message | None
    level: Level
    help_first: bool
    help: bool
    case_open: bool
    run: RunInfo | None


class ConversationSummary(Api):
    """One line of the visitor's own list."""

    id: str
    title: Words
    updated_at: datetime
    owner: Owner
    unread: bool


class Conversation(Api):
    """A conversation with its messages.

    `case` is the state of its newest case; `may_view` tells whether another
    view of the newest message may be asked for once no answer is in the making.
    """

    id: str
    version: int
    owner: Owner
    title: Words
    level: Level
    help: bool
    case: CaseState | None
    messages: list[Message]
    running: RunInfo | None
    may_view: bool


class AskView(Api):
    """A wish for another view of the last message."""

    kind: Literal["another_view"]
    request_key: RequestKey


class PersonAsked(Api):
    """A person was asked for."""

    case_open: bool
    counsellor_present: bool


class StateEvent(Api):
    """Event `state`: the run's state changed."""

    state: RunState


class SentenceEvent(Api):
    """Event `sentence`: one more sentence of a generated answer, already stored."""

    text: Words
    message_id: str


class MessageEvent(Api):
    """Event `message`: a whole library answer or notice."""

    message: Message


class ReplacedEvent(Api):
    """Event `replaced`: the generated answer is withdrawn; this message takes its place."""

    message: Message
    reason: ReplacedBecause


class DoneEvent(Api):
    """Event `done`: the last of every run."""

    message_id: str | None
    version: int


class ExportedConsent(Api):
    """A consent to training use, as given."""

    id: str
    conversation_id: str
    message_id: str
    given_at: datetime
    withdrawn_at: datetime | None


class Export(Api):
    """Everything kept about one visitor."""

    exported_at: datetime
    label: str
    conversations: list[Conversation]
    consents: list[ExportedConsent]


class Login(Api):
    """Name and password of a counsellor."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    password: Words


class StaffMe(Api):
    """Who is signed in."""

    name: str
    role: Role


class CaseSummary(Api):
    """One line of the desk; `waiting_s` counts from the visitor's oldest unanswered message.

    `language` is that of the visitor's page.
    """

    id: str
    conversation_id: str
    level: Level
    state: CaseState
    opened_at: datetime
    waiting_s: int
    assignee: str | None
    language: Language
    last_message_at: datetime


class CaseScreening(Api):
    """Which rules fired on which message; never words."""

    message_id: str
    level: Level
    rules: list[str]


class CaseEvent(Api):
    """One line of a case's history."""

    at: datetime
    who: str
    what: str


class CaseDetail(Api):
    """A case with its conversation, screenings and history."""

    case: CaseSummary
    conversation: Conversation
    screenings: list[CaseScreening]
    history: list[CaseEvent]


class CounsellorSay(Api):
    """A counsellor's message, written while `base_version` was on the screen."""

    text: Words
    base_version: int
    request_key: RequestKey


class CloseCase(Api):
    """Why a case ends; the note stays with the staff."""

    reason: CloseReason
    note: Words
    base_version: int
