"""Which rated answers preferences may be learnt from: the good and the bad ones, with who rated.

In: what the casebook holds under a standing consent. Out: one row for each answer
that was clearly well or clearly badly rated, and a count of what was left out, by
reason. What a visitor thinks of an answer says nothing of whether it was right in
danger: of dangerous conversations nothing is taken, whoever answered and however it
was rated. Nor is anything unlearnt that a counsellor wrote: a person's judgement
isn't outvoted by a mark. Comments stay in the casebook. Masking is `clean`'s work.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from psyllm.casebook.consented import SOURCE, Consented, record_id
from psyllm.casebook.kinds import MessageAuthor
from psyllm.casebook.tables import Message, Rating
from psyllm.core.rated_answers import RatedAnswer
from psyllm.core.records import Answer, Record, Turn
from psyllm.core.settings import FeedbackSettings
from psyllm.feedback.choosing import AUTHORS, DANGEROUS
from psyllm.feedback.judging import MIXED, is_good, is_mixed, marks_of, mean_of
from psyllm.safety.levels import Level

BETWEEN = "rated_between"
COUNSELLORS = "counsellor_rated_low"
ANSWERS_NOTHING = "answers_nothing"


class Rated(NamedTuple):
    """The rows in the order of conversations, and how many rated answers were left out for which reason."""

    rows: list[RatedAnswer]
    drops: dict[str, int]


def choose_rated(consented: Iterable[Consented], settings: FeedbackSettings) -> Rated:
    """Return the rated answers that say something, in a fixed order."""
    rows: list[RatedAnswer] = []
    drops: Counter[str] = Counter()
    for _, group in groupby(consented, key=lambda one: one.conversation_id):
        answers = list(group)
        is_dangerous = answers[-1].level >= Level.RISK
        for one in answers:
            if one.answer.rating is None:
                continue
            found = DANGEROUS if is_dangerous else _rated(one, one.answer.rating, settings)
            if isinstance(found, str):
                drops[found] += 1
            else:
                rows.append(found)
    return Rated(sorted(rows, key=lambda row: (row.record.id, row.rating)), dict(drops))


def _rated(one: Consented, rating: Rating, settings: FeedbackSettings) -> RatedAnswer | str:
    """Return the row of an answer, or why there is none."""
    mean = mean_of(rating)
    desirable = is_good(rating, settings)
    if is_mixed(rating, settings):
        return MIXED
    if not desirable and mean > settings.most_mean_of_bad:
        return BETWEEN
    if not desirable and one.answer.author is MessageAuthor.COUNSELLOR:
        return COUNSELLORS
    prompt = _prompt(one)
    if not prompt or not one.answer.text.reveal().strip():
        return ANSWERS_NOTHING
    return RatedAnswer(
        record=_record(one, prompt, mean, settings),
        rating=_hash("rating", one.answer.id),
        prompt=_hash("prompt", prompt[-1].id),
        rater=one.rater,
        answered_by=AUTHORS[one.answer.author],
        made_by=one.answer.source_model or one.answer.source_key or "",
        **marks_of(rating),
        desirable=desirable,
    )


def _prompt(one: Consented) -> list[Message]:
    """Return what had been said when the answer was given; it ends in the visitor's words that it answers.

    Another answer to the same words is left out: who wrote this one had not read it.
    """
    before = [
        message
        for message in one.messages
        if message.seq < one.answer.seq
        and (message.author is MessageAuthor.VISITOR or message.author in AUTHORS)
    ]
    asked = [place for place, message in enumerate(before) if message.author is MessageAuthor.VISITOR]
    return before[: asked[-1] + 1] if asked else []


def _record(one: Consented, prompt: Sequence[Message], mean: float, settings: FeedbackSettings) -> Record:
    key = record_id(one.conversation_id)
    record = Record(
        id=key,
        kind="dialogue",
        group=key,
        source=SOURCE,
        licence=settings.licence,
        may_train=False,
        may_show=False,
        consent_id=one.consent_id,
        flags=(f"answered_by_{AUTHORS[one.answer.author]}",),
    )
    words = one.answer.text.reveal()
    if len(prompt) == 1:
        title, _, details = prompt[0].text.reveal().partition("\n")
        answer = Answer(text=words, author=AUTHORS[one.answer.author], mean_rating=mean)
        fields = {"kind": "question", "title": title, "text": details, "answers": (answer,)}
        return record.model_copy(update=fields)
    turns = [
        Turn(
            role="visitor" if message.author is MessageAuthor.VISITOR else "counsellor",
            text=message.text.reveal(),
        )
        for message in prompt
    ]
    return record.model_copy(update={"turns": (*turns, Turn(role="counsellor", text=words))})


def _hash(kind: str, message_id: str) -> str:
    return hashlib.sha256(f"{kind} {message_id}".encode()).hexdigest()[:16]
