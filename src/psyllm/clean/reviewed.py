"""What people decided about cleaned records, applied as the last thing before duplicates.

A record after the steps, or dropped by one of them, comes in; the record as
people want it goes out, or the reason for which it is out. A decision binds to
the hash of the words that were read: a record that says something else by now
keeps what cleaning made of it, and is counted as stale. A rejected record is
dropped; an accepted or edited one carries who reviewed it and stays, also where
a step or a near duplicate had dropped it. Another record with the same words is
rejected or edited with it, or they would come back through it; it is not called
reviewed, for who speaks in it nobody has read. What was forgotten never comes here,
and equal words stay one record. Near duplicates of what was rejected go with the
other duplicates (`rejected.py`). Who decides and when is settled is not known here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from psyllm.clean.drop import Drop
from psyllm.clean.rewriting import moved
from psyllm.clean.step import Step
from psyllm.clean.tally import Tally
from psyllm.core.records import Answer, Record, Span, Turn
from psyllm.core.settled_reviews import EditedTexts, SettledReview, SettledReviews
from psyllm.text.offsets import aligned

REASON = "rejected_in_review"
NEAR_DUPLICATE = "near_duplicate"
APPLIED, STALE, KEPT_AGAIN = "decisions_applied", "decisions_stale", "wrong_drops_kept"
EQUAL = "equal_records_decided"
_NUMBERS = {1: "one reviewer", 2: "two reviewers", 3: "three reviewers"}
# Aligning takes quadratic time; spans over longer texts fall away when these are edited.
MOST_ALIGNED_CHARS = 20_000


class Outcome(NamedTuple):
    """The record as people want it, the reason it is out (or none), and whether it stays beside near ones."""

    record: Record
    reason: str = ""
    apart: bool = False


class Decisions:
    """Settled decisions, ready to be applied to record after record."""

    def __init__(self, reviews: SettledReviews) -> None:
        self._reviews = reviews
        self._ids = frozenset(record_id for record_id, _ in reviews)
        self._of_words = _of_words(reviews.values())

    def apply(self, record: Record, reason: str, steps: Sequence[Step], tally: Tally) -> Outcome:
        """Return what people decided about a record, `reason` being why a step dropped it (or empty)."""
        outcome = Outcome(record, reason)
        if not self._of_words and record.id not in self._ids:
            return outcome
        seen: set[str] = set()
        is_own = False
        # An edited record may have been drawn and read again.
        while (words := outcome.record.content_hash) not in seen:
            own = self._reviews.get((record.id, words))
            review = own or self._of_equal_words(outcome.record, words)
            if review is None:
                break
            seen.add(words)
            is_own |= own is not None
            outcome = _applied(outcome, review, steps, is_own=own is not None)
        if record.id in self._ids:
            tally.other[APPLIED if is_own else STALE] += 1
        if seen and not is_own:
            tally.other[EQUAL] += 1
        if reason and seen and not outcome.reason:
            tally.other[KEPT_AGAIN] += 1
        return outcome

    def _of_equal_words(self, record: Record, words: str) -> SettledReview | None:
        """Return what was decided about the same words of another record; an edit has to have its shape."""
        review = self._of_words.get(words)
        if review is None or review.edited is None:
            return review
        shapes = [(len(one.turns), len(one.answers)) for one in (record, review.edited)]
        return review if shapes[0] == shapes[1] else None


def _of_words(reviews: Iterable[SettledReview]) -> dict[str, SettledReview]:
    """Return by words the decisions that change or reject them: of several a rejection, then the last."""
    found: dict[str, SettledReview] = {}
    for review in sorted(reviews, key=lambda one: (one.verdict == "reject", one.date, one.id)):
        if review.verdict == "reject" or review.edited is not None:
            found[review.words] = review
    return found


NO_DECISIONS = Decisions({})


def _applied(outcome: Outcome, review: SettledReview, steps: Sequence[Step], *, is_own: bool) -> Outcome:
    record = outcome.record
    if review.verdict == "reject":
        return outcome if outcome.reason else outcome._replace(reason=REASON)
    if review.verdict == "edit" and review.edited is not None:
        record = _mended(edited(record, review.edited), steps)
    else:
        record = _marked(record, steps)
    apart = outcome.apart or review.dropped_for == NEAR_DUPLICATE
    return Outcome(_signed(record, len(review.reviewers)) if is_own else record, "", apart)


def edited(record: Record, texts: EditedTexts) -> Record:
    """Return the record with new words in place of the old; an emptied turn or answer goes, spans move along."""
    turns = [turn for turn in map(_turn, record.turns, texts.turns) if turn.text]
    answers = [answer for answer in map(_answer, record.answers, texts.answers) if answer.text]
    return record.model_copy(
        update={
            "title": texts.title,
            "text": texts.text,
            "turns": tuple(turns),
            "answers": tuple(answers),
        }
    )


def moved_spans(spans: tuple[Span, ...], old: str, new: str) -> tuple[Span, ...]:
    """Return the spans over the new text by aligning it with the old; what has nothing left falls away."""
    if not spans or old == new:
        return spans
    if max(len(old), len(new)) > MOST_ALIGNED_CHARS:
        return ()
    return moved(spans, aligned(old, new))


def _turn(turn: Turn, text: str) -> Turn:
    new = text.strip()
    return turn.model_copy(update={"text": new, "spans": moved_spans(turn.spans, turn.text, new)})


def _answer(answer: Answer, text: str) -> Answer:
    new = text.strip()
    return answer.model_copy(update={"text": new, "spans": moved_spans(answer.spans, answer.text, new)})


def _mended(record: Record, steps: Sequence[Step]) -> Record:
    """Take the steps with words that a person wrote: they are masked and marked like all others, never dropped."""
    for step in steps:
        result = step.apply(record)
        record = record if isinstance(result, Drop) else result
    return record


def _marked(record: Record, steps: Sequence[Step]) -> Record:
    """Take of the steps only what changes no word: whoever was dropped early has no level yet."""
    words = record.content_hash
    for step in steps:
        result = step.apply(record)
        if not isinstance(result, Drop) and result is not record and result.content_hash == words:
            record = result
    return record


def _signed(record: Record, reviewers: int) -> Record:
    name = _NUMBERS.get(reviewers, f"{reviewers} reviewers")
    answers = tuple(answer.model_copy(update={"reviewed_by": name}) for answer in record.answers)
    return record.model_copy(update={"answers": answers, "reviewed_by": name})
