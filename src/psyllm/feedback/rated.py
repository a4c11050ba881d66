"""What a rated answer is as an example of a preference: a good or a bad one, with who rated.

In: a consented answer and its rating. Out: one row if it was clearly well or clearly
badly rated, or why there is none. Nothing is unlearnt that a counsellor wrote: a
person's judgement isn't outvoted by a mark. Comments stay in the casebook. Of which
conversations nothing is taken is `choosing.py`'s; masking is `clean`'s work.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from psyllm.casebook.consented import Consented
from psyllm.casebook.kinds import MessageAuthor
from psyllm.casebook.tables import Message, Rating
from psyllm.core.rated_answers import RatedAnswer
from psyllm.core.records import Answer, Record
from psyllm.core.settings import FeedbackSettings
from psyllm.feedback.conversation_record import AUTHORS, as_question, bare_record, turn_of
from psyllm.feedback.judging import MIXED, is_good, is_mixed, marks_of, mean_of

BETWEEN = "rated_between"
COUNSELLORS = "counsellor_rated_low"
ANSWERS_NOTHING = "answers_nothing"


def rated_answer(one: Consented, rating: Rating, settings: FeedbackSettings) -> RatedAnswer | str:
    """Return the row of a rated answer, or the reason why there is none."""
    if is_mixed(rating, settings):
        return MIXED
    desirable = is_good(rating, settings)
    if not desirable and mean_of(rating) > settings.most_mean_of_bad:
        return BETWEEN
    if not desirable and one.answer.author is MessageAuthor.COUNSELLOR:
        return COUNSELLORS
    prompt = _prompt(one)
    if not prompt or not one.answer.text.reveal().strip():
        return ANSWERS_NOTHING
    return RatedAnswer(
        record=_record(one, prompt, mean_of(rating), settings),
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
    record = bare_record(one, [one.answer.author], settings, may_train=False)
    if len(prompt) == 1:
        answer = Answer(text=one.answer.text.reveal(), author=AUTHORS[one.answer.author], mean_rating=mean)
        return as_question(record, prompt[0], (answer,))
    return record.model_copy(update={"turns": tuple(map(turn_of, (*prompt, one.answer)))})


def _hash(kind: str, message_id: str) -> str:
    return hashlib.sha256(f"{kind} {message_id}".encode()).hexdigest()[:16]
