"""The closed sets of values that the casebook keeps: owners, authors, states, reasons."""

from __future__ import annotations

from enum import StrEnum


class Owner(StrEnum):
    """Who answers in a conversation."""

    BOT = "bot"
    PERSON = "person"


class MessageAuthor(StrEnum):
    """Who wrote a message; `notice` is the service's own fixed text."""

    VISITOR = "visitor"
    LIBRARY = "library"
    MODEL = "model"
    COUNSELLOR = "counsellor"
    NOTICE = "notice"


class CaseState(StrEnum):
    """How far a case is."""

    OPEN = "open"
    TAKEN = "taken"
    CLOSED = "closed"


class CloseReason(StrEnum):
    """Why a case ended; only `false_alarm` lowers the conversation's level."""

    RESOLVED = "resolved"
    REFERRED = "referred"
    EMERGENCY_HANDED_OVER = "emergency_handed_over"
    VISITOR_LEFT = "visitor_left"
    FALSE_ALARM = "false_alarm"


class RunKind(StrEnum):
    """What makes an answer."""

    LIBRARY = "library"
    GENERATED = "generated"


class RunState(StrEnum):
    """How far an answer is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    REPLACED = "replaced"
    STOPPED = "stopped"
    FAILED = "failed"


UNFINISHED = (RunState.QUEUED, RunState.RUNNING)


class ReplacedBecause(StrEnum):
    """Why a generated answer was withdrawn."""

    GUARD = "guard"
    TIMEOUT = "timeout"
    ENGINE = "engine"


class Role(StrEnum):
    """What a member of staff may do."""

    COUNSELLOR = "counsellor"
    SUPERVISOR = "supervisor"


class ReviewVerdict(StrEnum):
    """What somebody decided about a cleaned record."""

    ACCEPT = "accept"
    REJECT = "reject"
    EDIT = "edit"


class ReviewReason(StrEnum):
    """Why somebody rejected a record."""

    HARMFUL = "harmful"
    IGNORES_CRISIS = "ignores_crisis"
    PERSONAL_DATA = "personal_data"
    NOT_COUNSELLING = "not_counselling"
    ADVERTISEMENT = "advertisement"
    BROKEN = "broken"
    OTHER = "other"


class ReviewState(StrEnum):
    """How far the review of one item is."""

    OPEN = "open"
    DISPUTED = "disputed"
    SETTLED = "settled"
