"""Which consented answers become records and which become rated answers: one pass over the conversations.

In: what the casebook holds under a standing consent. Out: one record for each
conversation, the rated answers beside them (`rated.py` says which), and for both a
count of what was left out, by reason. An answer is taken into a record
when its visitor rated it good (`judging.py`), or when a counsellor wrote it and it is
covered by the consent. Dangerous conversations are left out whole: what a visitor
thinks of an answer says nothing of whether it was right in danger. Masking of
names and numbers is `clean`'s work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from psyllm.casebook.consented import Consented
from psyllm.casebook.kinds import MessageAuthor
from psyllm.casebook.tables import Message
from psyllm.core.rated_answers import RatedAnswer
from psyllm.core.records import Answer, Record, Turn
from psyllm.core.settings import FeedbackSettings
from psyllm.core.tombstones import FORGOTTEN, Tombstones
from psyllm.feedback.conversation_record import AUTHORS, as_question, bare_record, turn_of
from psyllm.feedback.judging import MIXED, is_good, is_mixed, mean_of
from psyllm.feedback.rated import rated_answer
from psyllm.safety.levels import Level

DANGEROUS = "dangerous_conversation"
RATED_LOW = "rated_too_low"


class Chosen(NamedTuple):
    """Records and rated answers, and how many answers were left out of each for which reason."""

    records: list[Record]
    rated: list[RatedAnswer]
    drops: dict[str, int]
    rated_drops: dict[str, int]

    def without(self, forgotten: Tombstones) -> Chosen:
        """Leave out what was forgotten, which may still lie in the casebook."""
        left = (forgotten.left_of(record) for record in self.records)
        records = [record for record in left if record is not None]
        rated = [row for row in self.rated if forgotten.left_of(row.record) is not None]
        return Chosen(
            records,
            rated,
            _counted(self.drops, {FORGOTTEN: len(self.records) - len(records)}),
            _counted(self.rated_drops, {FORGOTTEN: len(self.rated) - len(rated)}),
        )


def choose(consented: Iterable[Consented], settings: FeedbackSettings) -> Chosen:
    """Return records and rated answers in the order of their ids; `consented` has a conversation's answers together."""
    records: list[Record] = []
    rated: list[RatedAnswer] = []
    drops: Counter[str] = Counter()
    rated_drops: Counter[str] = Counter()
    for _, group in groupby(consented, key=lambda one: one.conversation_id):
        answers = list(group)
        if answers[-1].level >= Level.RISK:
            drops[DANGEROUS] += len(answers)
            rated_drops[DANGEROUS] += sum(one.answer.rating is not None for one in answers)
            continue
        drops.update(
            MIXED if is_mixed(one.answer.rating, settings) else RATED_LOW
            for one in answers
            if not is_good(one.answer.rating, settings)
        )
        taken = _taken(answers, settings)
        if taken:
            records.append(_record(answers[-1], taken, settings))
        for one in answers:
            if one.answer.rating is not None:
                row = rated_answer(one, one.answer.rating, settings)
                if isinstance(row, str):
                    rated_drops[row] += 1
                else:
                    rated.append(row)
    return Chosen(
        sorted(records, key=lambda record: record.id),
        sorted(rated, key=lambda row: (row.record.id, row.rating)),
        _counted(drops),
        _counted(rated_drops),
    )


def _counted(*drops: Mapping[str, int]) -> dict[str, int]:
    return {reason: count for each in drops for reason, count in each.items() if count}


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
    until = taken[-1].seq
    dialogue = [
        message
        for message in last.messages
        if message.seq <= until and (message.author is MessageAuthor.VISITOR or message in taken)
    ]
    record = bare_record(last, (message.author for message in taken), settings, may_train=True)
    asked = [message for message in dialogue if message.author is MessageAuthor.VISITOR]
    if len(asked) == 1:
        return as_question(record, asked[0], tuple(_answer(message) for message in taken))
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
            yield from map(turn_of, messages)
            continue
        by_person = [one for one in messages if one.author is MessageAuthor.COUNSELLOR]
        yield from map(turn_of, by_person or [max(messages, key=_mean)])
