"""Rated answers that were made up, for tests of several rooms."""

import random

from made_up import text
from psyllm.core.rated_answers import RatedAnswer
from psyllm.core.records import Answer, Record, Turn

# Sense that the guard lets through.
ADVICE = (
    "可以先把这几天的睡眠记下来，看看哪一天好一些。",
    "晚上睡前一小时，把手机放到另一个房间试试看。",
    "和一位信得过的朋友说说这件事，也许会轻松一点。",
    "先给自己倒一杯温水，慢慢呼吸几次再往下想。",
    "今天只做一件小事就够了，其他的明天再说。",
    "出门走十分钟，看看路边的树和天上的云。",
    "把最担心的事写成三行，再看看哪一行能先动手。",
    "周末留半天给自己，做一件从前喜欢的事情。",
)
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
    advice = "".join(random.Random(number).sample(ADVICE, 2))
    words = answer or (GOOD_WORDS if desirable else BAD_WORDS) + advice
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


def rated_dialogue(number: int, *, desirable: bool = True, answer: str = "") -> RatedAnswer:
    """One rated answer after two exchanges."""
    row = rated(number, desirable=desirable, answer=answer)
    chance = random.Random(9000 + number)
    roles = ("visitor", "counsellor", "visitor", "counsellor")
    turns = [Turn(role=role, text=text(chance, 1)) for role in roles]
    turns[-1] = Turn(role="counsellor", text=row.answer())
    fields = {"kind": "dialogue", "title": "", "answers": (), "turns": tuple(turns)}
    return row.model_copy(update={"record": row.record.model_copy(update=fields)})
