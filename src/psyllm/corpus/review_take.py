"""A filled-in review sheet becomes reviews: everything in it, or nothing and what is wrong with it.

A spreadsheet and the records as they stand now come in; the new reviews go out
and are appended to a file. Rows without a decision wait; rows whose words have
changed since the sheet was made are told and left out. A number that is not in
the directory of help lines is refused, whoever writes it.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from psyllm.core.errors import MalformedInput
from psyllm.core.records import Record, Role, Span, Turn
from psyllm.core.reviews import Review, append_reviews
from psyllm.corpus.review_rows import Reviewer, Row, open_sheet, reviewer_of, rows_of
from psyllm.corpus.review_sheet import DECISIONS, ROLES, ROWS, words_of
from psyllm.safety.guard import names_contact
from psyllm.text.han import han_count
from psyllm.text.offsets import aligned

MOST_FAULTS_TOLD = 8
# "See above" and a spreadsheet's #NAME? are no answer to anybody.
FEWEST_HAN = 30


class Taken(NamedTuple):
    """What a sheet brought: decisions by kind, those known before, rows still open, and rows left out.

    Left out is what is about words that have changed since, and what a later decision has overtaken.
    """

    decisions: Counter[str]
    known: int
    still_open: int
    changed_since: tuple[str, ...]
    overtaken: tuple[str, ...]


def take_sheet(
    path: Path,
    records: Iterable[Record],
    earlier: Sequence[Review],
    into: Path,
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
) -> Taken:
    """Append the decisions of a sheet to the file `into` and say what it brought.

    `records` are as they stand now, rejected ones among them; `earlier` are all reviews that
    count already, in order. Of the same words the later decision wins.

    Raises:
        MissingFile: there is no such sheet.
        UnknownFormat: it is no spreadsheet made by `review_sheet`.
        MalformedInput: a cell can't be used; nothing was taken.
    """
    book = open_sheet(path)
    reviewer = reviewer_of(book, path, now().date())
    current = {record.id: record for record in records}
    rows = rows_of(book, path)
    faults = [(row, _fault(row, current.get(row.key))) for row in rows]
    told = [f"row {row.number} ({row.key or 'no 编号'}): {fault}" for row, fault in faults if fault]
    if told:
        raise _refused(path, told)
    undated = [review.model_copy(update={"taken_at": ""}) for review in earlier]
    newest = {(review.key, review.words): review for review in earlier}
    decided = [row for row in rows if row.decision]
    new: list[Review] = []
    changed_since: list[str] = []
    overtaken: list[str] = []
    for row in decided:
        record = current.get(row.key)
        before = newest.get((row.key, row.words))
        if _says_the_same(before, row):
            continue
        if record is None or row.words != record.content_hash:
            changed_since.append(row.key)
        elif (review := _review(row, record, reviewer)) in undated:
            overtaken.append(row.key)  # an old sheet taken in again must not undo what came after it
        else:
            new.append(review.model_copy(update={"taken_at": now().isoformat()}))
    append_reviews(into, new)
    return Taken(
        decisions=Counter(review.decision for review in new),
        known=len(decided) - len(new) - len(changed_since) - len(overtaken),
        still_open=len(rows) - len(decided),
        changed_since=tuple(changed_since),
        overtaken=tuple(overtaken),
    )


def _fault(row: Row, record: Record | None) -> str:
    """Return what is wrong with a row, empty when it can be used (or waits)."""
    decision, new = row.decision, row.new
    turns = _turns(new) if record is not None and record.kind == "dialogue" else None
    faults = {
        "there is a decision, but the 编号 was cleared": not row.key,
        "the words in 要审的文字 were changed; put the new words into 修改后的全文": _edited_in_place(
            row, record
        ),
        "words were changed, but no decision says so (choose 修改)": not decision and new,
        f"the decision is none of {', '.join(DECISIONS)}": decision and decision not in DECISIONS,
        "the decision is 修改, but the new words are missing": decision == "修改" and not new,
        "there are new words, but the decision is not 修改 (choose it, or clear them)": (
            new and decision in DECISIONS and decision != "修改"
        ),
        "the decision is 不用, but no note says why": decision == "不用" and not row.note,
        "the new words name a number or contact that is not in the directory of help lines": (
            # Two of the texts speak of payment codes themselves.
            names_contact(new) and not (record is not None and names_contact(words_of(record)))
        ),
        "the new words are too short to be the whole text": new and han_count(new) < FEWEST_HAN,
        "a dialogue's paragraphs must begin with 来访者： or 咨询师：, hold words, and start with the visitor": (
            new and turns is not None and not _is_dialogue(turns)
        ),
    }
    return next((fault for fault, found in faults.items() if found), "")


def _edited_in_place(row: Row, record: Record | None) -> bool:
    if record is None or row.words != record.content_hash:
        return False
    return "".join(row.shown.split()) != "".join(words_of(record).split())


def _refused(path: Path, faults: Sequence[str]) -> MalformedInput:
    told = "; ".join(faults[:MOST_FAULTS_TOLD])
    more = f"; and {len(faults) - MOST_FAULTS_TOLD} more" if len(faults) > MOST_FAULTS_TOLD else ""
    message = f"{path}, page {ROWS}: {told}{more}; nothing was taken"
    return MalformedInput(message, "mend these rows in the sheet, then take it in again")


def _says_the_same(review: Review | None, row: Row) -> bool:
    """Whether the newest review of these words is what the row says, so that it was taken before."""
    if review is None or review.decision != DECISIONS[row.decision]:
        return False
    if review.decision != "change":
        return True
    return review.turns == _turns(row.new) if review.turns else review.text == row.new


def _review(row: Row, record: Record, reviewer: Reviewer) -> Review:
    review = Review(
        key=record.id,
        words=record.content_hash,
        decision=DECISIONS[row.decision],
        reviewer=reviewer.name,
        licence=reviewer.licence,
        date=reviewer.date,
        note=row.note,
    )
    if review.decision != "change":
        return review
    if record.kind == "dialogue":
        return review.model_copy(update={"turns": _turns(row.new)})
    is_answer = record.kind == "question"
    spans = _moved_spans(record.answers[0].spans, words_of(record), row.new) if is_answer else ()
    return review.model_copy(update={"text": row.new, "spans": spans})


def _turns(text: str) -> tuple[Turn, ...]:
    """Return the turns of a dialogue written as text; none when a paragraph has no role."""
    turns: list[Turn] = []
    for paragraph in filter(None, (part.strip() for part in text.split("\n"))):
        role = _role(paragraph)
        if role is None:
            return ()
        turns.append(Turn(role=role[0], text=paragraph[role[1] :].strip()))
    return tuple(turns)


def _is_dialogue(turns: Sequence[Turn]) -> bool:
    return bool(turns) and turns[0].role == "visitor" and all(turn.text for turn in turns)


def _role(paragraph: str) -> tuple[Role, int] | None:
    roles: Mapping[Role, str] = {"visitor": ROLES["visitor"], "counsellor": ROLES["counsellor"]}
    for role, name in roles.items():
        if paragraph.startswith((f"{name}：", f"{name}:")):
            return role, len(name) + 1
    return None


def _moved_spans(spans: Sequence[Span], old: str, new: str) -> tuple[Span, ...]:
    """Return the strategy spans over the new words, contiguous as before; a part that went takes its span along."""
    offsets = aligned(old, new)
    moved: list[Span] = []
    for span in spans:
        place = offsets.span(span.start, span.end)
        start = moved[-1].end if moved else 0
        if place is not None and place[1] > start:
            moved.append(Span(start=start, end=place[1], type=span.type))
    if moved:
        moved[-1] = moved[-1].model_copy(update={"end": len(new)})
    return tuple(moved)
