"""What the record of a conversation says, whichever of its answers are learnt.

In: a consented answer, messages of its conversation. Out: parts of a record. Under
one id stand the record of a conversation and every rated answer of it, so that the
one is never forgotten without the others. What is taken is decided in `choosing.py`
and `rated.py`.
"""

from __future__ import annotations

from collections.abc import Iterable

from psyllm.casebook.consented import SOURCE, Consented, record_id
from psyllm.casebook.kinds import MessageAuthor
from psyllm.casebook.tables import Message
from psyllm.core.records import Answer, Author, Record, Turn
from psyllm.core.settings import FeedbackSettings

AUTHORS: dict[MessageAuthor, Author] = {
    MessageAuthor.LIBRARY: "project",
    MessageAuthor.MODEL: "model",
    MessageAuthor.COUNSELLOR: "counsellor",
}


def bare_record(
    one: Consented, answered_by: Iterable[MessageAuthor], settings: FeedbackSettings, *, may_train: bool
) -> Record:
    """Return the record without any words: a dialogue under the consent of this answer."""
    key = record_id(one.conversation_id)
    return Record(
        id=key,
        kind="dialogue",
        group=key,
        source=SOURCE,
        licence=settings.licence,
        may_train=may_train,
        may_show=False,
        consent_id=one.consent_id,
        flags=tuple(sorted({f"answered_by_{AUTHORS[author]}" for author in answered_by})),
    )


def as_question(record: Record, asked: Message, answers: tuple[Answer, ...]) -> Record:
    """Return the record as a question: the first line of what was asked is its title."""
    title, _, details = asked.text.reveal().partition("\n")
    return record.model_copy(update={"kind": "question", "title": title, "text": details, "answers": answers})


def turn_of(message: Message) -> Turn:
    """Return a message as a turn: the visitor's, or that of whoever answered."""
    role = "visitor" if message.author is MessageAuthor.VISITOR else "counsellor"
    return Turn(role=role, text=message.text.reveal())
