"""What stands around people's words in a prompt: one wording for each family of models.

In: nothing but names. Out: strings made of the tokenizer's marks and fixed
text. `turns` is ours, with marks of its own; `pangu` and `wenzhong` are those
their publishers fine-tuned with; `chat` is read from a model's own chat template
(see `chat`). A person's words are never part of a wording. Nothing here knows a
tokenizer.

PanGu was published with single questions. A dialogue goes on after <eot> with
the next question, without a new <s>: one question reads exactly as published,
each answer is learnt once in one row, and every answer ends in the mark that the
model knows. Pre-training never looked past <eot>, so this is learnt here.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from psyllm.core.records import Frozen
from psyllm.lm.template import COUNSELLOR, END, VISITOR

Family: TypeAlias = Literal["turns", "pangu", "wenzhong", "chat"]


class Wording(Frozen):
    """The text before and after people's words; `end` is one mark of the tokenizer."""

    family: Family
    first: str  # before the visitor's words that open a row
    following: str  # before the visitor's words that follow an answer
    again: str  # before the visitor's words that follow the visitor's
    unasked: str  # before an answer that opens a row
    answer: str  # before the answer that is learnt or drawn
    past_answer: str  # before an answer that others follow: a chat template may drop what it thought
    end: str

    @property
    def version(self) -> str:
        """What the model card calls it."""
        return f"{self.family}-1"


TURNS = Wording(
    family="turns",
    first=VISITOR,
    following=VISITOR,
    again=VISITOR,
    unasked="",
    answer=COUNSELLOR,
    past_answer=COUNSELLOR,
    end=END,
)
# [S] of the models' specification: <s> prompt <sep> 回答：label <eot>; the <s> also where it answers.
PANGU = Wording(
    family="pangu",
    first="<s>",
    following="",
    again="\n",
    unasked="<s>",
    answer="<sep>回答：",
    past_answer="<sep>回答：",
    end="<eot>",
)
# Fengshenbang's question answering: "Question:{question} answer:"; they never learnt the end, we do.
WENZHONG = Wording(
    family="wenzhong",
    first="Question:",
    following="Question:",
    again="\n",
    unasked="Question:",
    answer=" answer:",
    past_answer=" answer:",
    end="<|endoftext|>",
)
FIXED = {wording.family: wording for wording in (TURNS, PANGU, WENZHONG)}
