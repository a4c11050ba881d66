"""Rated answers that were made up, for tests of several rooms."""

import random

from made_up import text
from psyllm.core.rated_answers import RatedAnswer
from psyllm.core.records import Answer, Record, Turn

GOOD_WORDS, BAD_WORDS = "你愿意的话，我们可以慢慢说。", "这没什么大不了的，别想太多。"


def rated(
    number: int,
    *,
    desirable: bool = True,
    conversation: int | None = None,
    rater: str = "",
    prompt: str = "",
    asked: str = "",
    answer: str = "",
    **record_fields,
) -> RatedAnswer:
    """One rated answer to one question; numbers make everything different."""
    of = number if conversation is None else conversation
    key = f"casebook:{of:016x}"
    words = answer or (GOOD_WORDS if desirable else BAD_WORDS) + text(random.Random(number), 1)
    record = Record(
        id=key,
        kind="question",
        group=key,
        source="casebook",
        licence="consented-feedback",
        title=asked or text(random.Random(5000 + of), 1),
        answers=(Answer(text=words, author="model"),),
        may_train=False,
        may_show=False,
        consent_id=f"consent-{number}",
    )
    mark = 5 if desirable else 1
    return RatedAnswer(
        record=record.model_copy(update=record_fields),
        rating=f"{number:016x}",
        prompt=prompt or f"prompt-{of}",
        rater=rater or f"rater-{number % 4}",
        answered_by="model",
        made_by="model-abc",
        helpfulness=mark,
        fluency=mark,
        relevance=mark,
        logic=mark,
        desirable=desirable,
    )


def rated_dialogue(number: int, *, desirable: bool = True) -> RatedAnswer:
    """One rated answer after two exchanges."""
    row = rated(number, desirable=desirable)
    chance = random.Random(9000 + number)
    roles = ("visitor", "counsellor", "visitor", "counsellor")
    turns = [Turn(role=role, text=text(chance, 1)) for role in roles]
    turns[-1] = Turn(role="counsellor", text=row.answer())
    fields = {"kind": "dialogue", "title": "", "answers": (), "turns": tuple(turns)}
    return row.model_copy(update={"record": row.record.model_copy(update=fields)})
