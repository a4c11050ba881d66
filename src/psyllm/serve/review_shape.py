"""What an item to review looks like in the API, and whether a decision on it is complete.

A found record and the decisions on it come in, the API's model for one person
goes out: others' decisions only when they can't sway any more. A decision from
the API comes in, the casebook's form goes out. Nothing is read or kept here.
"""

from __future__ import annotations

from collections.abc import Sequence

from psyllm.casebook.kinds import ReviewState, ReviewVerdict, Role
from psyllm.casebook.reviews import BLIND, Judged, state_of
from psyllm.casebook.tables import ReviewDecision, Staff
from psyllm.core.errors import BadInput
from psyllm.core.private import Private
from psyllm.core.records import Record
from psyllm.core.review_sample import MINOR_FLAGS
from psyllm.core.settled_reviews import EditedTexts
from psyllm.serve import review_schema, schema
from psyllm.serve.review_items import Found
from psyllm.serve.words import Words

LEVEL_FLAG = "level:"
MOST_NOTE_CHARS = 2000


def shown(found: Found, decisions: Sequence[ReviewDecision], person: Staff) -> review_schema.ReviewItem:
    """Return an item as somebody may see it: others' decisions only when they can't sway any more."""
    record = found.record
    own = next((one for one in decisions if one.staff_id == person.id), None)
    state = state_of(decisions)
    is_third = own is None and state is ReviewState.DISPUTED and person.role is Role.SUPERVISOR
    sees_others = is_third or (own is not None and len(decisions) >= BLIND)
    others = [one for one in decisions if one is not own] if sees_others else []
    return review_schema.ReviewItem(
        item=found.item,
        kind=record.kind,
        source=record.source,
        level=_level(record),
        minor=not MINOR_FLAGS.isdisjoint(record.flags),
        dropped_for=found.dropped_for,
        dropped_because=found.dropped_because,
        title=Private(record.title),
        text=Private(record.text),
        turns=[review_schema.ReviewTurn(role=turn.role, text=Private(turn.text)) for turn in record.turns],
        answers=[Private(answer.text) for answer in record.answers],
        has_spans=any(turn.spans for turn in record.turns) or any(answer.spans for answer in record.answers),
        stays=None if found.stays is None else _shown_texts(_texts_of(found.stays)),
        state=state,
        own=None if own is None else opinion(own),
        others=[opinion(one) for one in others],
    )


def opinion(row: ReviewDecision) -> review_schema.ReviewOpinion:
    """Return a decision without whose it is."""
    edited = None
    if row.edited is not None:
        edited = _shown_texts(EditedTexts.model_validate_json(row.edited.reveal()))
    return review_schema.ReviewOpinion(
        verdict=row.verdict, reason=row.reason, note=row.note, edited=edited, decided_at=row.decided_at
    )


def judged(body: review_schema.ReviewDecisionIn, found: Found) -> Judged:
    """Return what was decided, in the casebook's form; a drop that was right needs no other reason.

    Raises:
        BadInput: a rejection without a reason, a note too long, or texts that don't fit the record.
    """
    if body.verdict is ReviewVerdict.REJECT and body.reason is None and not found.dropped_for:
        raise BadInput("a rejection needs a reason", "choose one of the list")
    if len(body.note) > MOST_NOTE_CHARS:
        message = f"the note has {len(body.note)} characters, at most {MOST_NOTE_CHARS} are kept"
        raise BadInput(message, "shorten it")
    reason = body.reason if body.verdict is ReviewVerdict.REJECT else None
    edited = None
    if body.verdict is ReviewVerdict.EDIT:
        edited = Private(_fitting(body.edited, found.record).model_dump_json())
    return Judged(body.verdict, reason, body.note, edited)


def _fitting(given: review_schema.ReviewTexts | None, record: Record) -> EditedTexts:
    if given is None:
        raise BadInput("an edit needs its new texts", "edit the text, or accept it as it is")
    texts = EditedTexts(
        title=_plain(given.title),
        text=_plain(given.text),
        turns=tuple(_plain(turn) for turn in given.turns),
        answers=tuple(_plain(answer) for answer in given.answers),
    )
    if (len(texts.turns), len(texts.answers)) != (len(record.turns), len(record.answers)):
        raise BadInput(
            "the new texts have another number of turns or answers than the record",
            "empty a turn or an answer to take it out",
        )
    if texts == _texts_of(record):
        raise BadInput("nothing was changed", "accept it as it is")
    if not _is_whole(texts, record):
        raise BadInput(
            "too little is left: a question needs an answer, a dialogue both voices, an article its text",
            "reject it instead",
        )
    return texts


def _texts_of(record: Record) -> EditedTexts:
    return EditedTexts(
        title=record.title.strip(),
        text=record.text.strip(),
        turns=tuple(turn.text.strip() for turn in record.turns),
        answers=tuple(answer.text.strip() for answer in record.answers),
    )


def _shown_texts(texts: EditedTexts) -> review_schema.ReviewTexts:
    return review_schema.ReviewTexts(
        title=Private(texts.title),
        text=Private(texts.text),
        turns=[Private(text) for text in texts.turns],
        answers=[Private(text) for text in texts.answers],
    )


def _is_whole(texts: EditedTexts, record: Record) -> bool:
    if record.kind == "document":
        return bool(texts.text)
    if record.kind == "question":
        return bool(texts.title or texts.text) and any(texts.answers)
    voices = {turn.role for turn, text in zip(record.turns, texts.turns, strict=True) if text}
    return voices == {turn.role for turn in record.turns}


def _plain(words: Words) -> str:
    return words.reveal().strip()


def _level(record: Record) -> schema.Level:
    label = next(
        (flag.removeprefix(LEVEL_FLAG) for flag in record.flags if flag.startswith(LEVEL_FLAG)), "none"
    )
    return schema.Level(label)
