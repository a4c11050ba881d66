"""What the API takes and gives where the staff review cleaned records.

Part of the API's description like `schema.py`. Words of records are `Words`:
people wrote them. No rule of reviewing lives here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from psyllm.casebook.kinds import ReviewReason, ReviewState, ReviewVerdict
from psyllm.core.records import Kind, Role
from psyllm.serve.schema import Api, Level
from psyllm.serve.words import Words

ItemName = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ReviewTurn(Api):
    """One turn of a dialogue."""

    role: Role
    text: Words


class ReviewTexts(Api):
    """New texts, each in the place of the old one; an emptied turn or answer is taken out."""

    title: Words
    text: Words
    turns: list[Words]
    answers: list[Words]


class ReviewDecisionIn(Api):
    """What a reviewer decides; a rejection needs a reason, an edit its texts. The note stays with the staff."""

    verdict: ReviewVerdict
    reason: ReviewReason | None
    note: Words
    edited: ReviewTexts | None


class ReviewOpinion(ReviewDecisionIn):
    """A decision as kept; nobody's name stands with it."""

    decided_at: datetime


class ReviewItem(Api):
    """One cleaned record to review; `dropped_for` is why cleaning left it out, empty when it is kept.

    `dropped_because` is the reason in a sentence of English where the run has one.

    `has_spans` says that strategy spans lie over its texts; `stays` is the record that stays for a
    near duplicate; `others` is empty while reviewing is blind.
    """

    item: ItemName
    kind: Kind
    source: str
    level: Level
    minor: bool
    dropped_for: str
    dropped_because: str
    title: Words
    text: Words
    turns: list[ReviewTurn]
    answers: list[Words]
    has_spans: bool
    stays: ReviewTexts | None
    state: ReviewState
    own: ReviewOpinion | None
    others: list[ReviewOpinion]


class ReviewOwn(Api):
    """An own decision that can still be changed, for nobody else has decided yet."""

    item: ItemName
    verdict: ReviewVerdict
    decided_at: datetime


class ReviewProgress(Api):
    """How far the sample is; `for_me` is how many wait for who asks, `total` is 0 while none is drawn."""

    total: int
    settled: int
    disputed: int
    half: int
    mine: int
    for_me: int
    changeable: list[ReviewOwn]


class ReviewNext(Api):
    """The next item for who asks, none when all is done; `gone` counts those passed over on the way."""

    item: ReviewItem | None
    gone: int
    progress: ReviewProgress
