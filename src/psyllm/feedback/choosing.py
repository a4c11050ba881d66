"""Which consented answers become records, and in what form.

In: what the casebook holds under a standing consent. Out: one record for each
conversation and a count of what was left out, by reason. An answer is taken
when its visitor rated it good (`judging.py`), or when a counsellor wrote it and it is
covered by the consent. Dangerous conversations are left out whole. Masking of
names and numbers is `clean`'s work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from psyllm.casebook.consented import SOURCE, Consented, record_id
from psyllm.casebook.kinds import MessageAuthor
from psyllm.casebook.tables import Message
from psyllm.core.records import Answer, Author, Record, Turn
from psyllm.core.settings import FeedbackSettings
from psyllm.feedback.judging import MIXED, is_good, is_mixed, mean_of
from psyllm.safety.levels import Level

DANGEROUS = "dangerous_conversation"
RATED_LOW = "rated_too_low"
AUTHORS: dict[MessageAuthor, Author] = {
    MessageAuthor.LIBRARY: "project",
    MessageAuthor.MODEL: "model",
    MessageAuthor.COUNSELLOR: "counsellor",
}


class Chosen(NamedTuple):
    """The records, and how many consented answers were left out for which reason."""

    records: list[Record]
    drops: dict[str, int]


def choose(consented: Iterable[Consented], settings: FeedbackSettings) -> Chosen:
    """Return the records in the order of their ids."""
    records: list[Record] = []
    drops: Counter[str] = Counter()
    for _, group in groupby(consented, key=lambda one: one.conversation_id):
        answers = list(group)
        if answers[-1].level >= Level.RISK:
            drops[DANGEROUS] += len(answers)
            continue
        drops.update(
            MIXED if is_mixed(one.answer.rating, settings) else RATED_LOW
            for one in answers
            if not is_good(one.answer.rating, settings)
        )
        taken = _taken(answers, settings)
        if taken:
            records.append(_record(answers[-1], taken, settings))
    return Chosen(sorted(records, key=lambda record: record.id), {k: n for k, n in drops.items() if n})


def _taken(answers: Sequence[Consented], settings: FeedbackSettings) -> list[Message]:
    """Return the answers to learn from, all of them covered by the newest consent."""
    allowed = {one.answer.id for one in answers}
    return [
        message
        for message in answers[-1].messages
        if (message.author is MessageAuthor.COUNSELLOR or message.id in allowed)
        and message.author in AUTHORS
        and (message.rating is None or is_good(message.rating, settings))
    ]


def _mean(message: Message) -> float:
    return 0.0 if message.rating is None else mean_of(message.rating)


def _record(last: Consented, taken: Sequence[Message], settings: FeedbackSettings) -> Record:
    key = record_id(last.conversation_id)
    until = taken[-1].seq
    dialogue = [
        message
        for message in last.messages
        if message.seq <= until and (message.author is MessageAuthor.VISITOR or message in taken)
    ]
    record = Record(
        id=key,
        kind="dialogue",
        group=key,
        source=SOURCE,
        licence=settings.licence,
        may_train=True,
        may_show=False,
        consent_id=last.consent_id,
        flags=tuple(sorted({f"answered_by_{AUTHORS[message.author]}" for message in taken})),
    )
    asked = [message for message in dialogue if message.author is MessageAuthor.VISITOR]
    if len(asked) == 1:
        title, _, details = asked[0].text.reveal().partition("\n")
        answers = tuple(_answer(message) for message in taken)
        fields = {"kind": "question", "title": title, "text": details, "answers": answers}
        return record.model_copy(update=fields)
    return record.model_copy(update={"turns": tuple(_turns(dialogue))})


def _answer(message: Message) -> Answer:
    return Answer(
        text=message.text.reveal(),
        author=AUTHORS[message.author],
        written_for_this_project=message.source_written_here,
        reviewed_by=message.source_reviewed_by,
        mean_rating=_mean(message) or None,
    )


def _turns(dialogue: Sequence[Message]) -> Iterator[Turn]:
    """Yield the turns; of several answers to the same words the person's, else the best rated, is kept."""
    for is_visitor, group in groupby(dialogue, key=lambda one: one.author is MessageAuthor.VISITOR):
        messages = list(group)
        if is_visitor:
            yield from (Turn(role="visitor", text=one.text.reveal()) for one in messages)
            continue
        by_person = [one for one in messages if one.author is MessageAuthor.COUNSELLOR]
        for one in by_person or [max(messages, key=_mean)]:
            yield Turn(role="counsellor", text=one.text.reveal())
