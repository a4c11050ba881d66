"""What professionals decided about bundled records, and records with these decisions applied.

A review names a record and the hash of the words that were read: once the
words change, it says nothing about them any more. Reviews are lines of JSON,
appended and never changed; a later one of the same words wins. Where the
decisions come from is not known here (`corpus/review_take.py` reads a sheet).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from psyllm.core.errors import MalformedInput
from psyllm.core.records import Frozen, Record, Span, Turn

Decision = Literal["accept", "change", "reject"]


class Review(Frozen):
    """One decision of one person; a change carries the new words in its reader's place.

    `text` replaces the text of a question's answer or of an article, `turns` a
    dialogue's; `spans` are the strategy spans of the new answer. `date` is the reviewer's,
    `taken_at` (ISO 8601, UTC) says in which order decisions came in.
    """

    key: str
    words: str
    decision: Decision
    reviewer: str
    licence: str
    date: dt.date
    taken_at: str = ""
    note: str = ""
    text: str = ""
    spans: tuple[Span, ...] = ()
    turns: tuple[Turn, ...] = ()


def reviews_path(data: Path) -> Path:
    """Return where a data folder keeps the reviews of the bundled corpus."""
    return data / "reviews" / "starter.jsonl"


def read_reviews(paths: Iterable[Path]) -> list[Review]:
    """Return the reviews of all files that exist, in the order in which they were taken in.

    Raises:
        MalformedInput: a line is no review.
    """
    found = [review for path in paths if path.exists() for review in _lines(path)]
    return sorted(found, key=lambda review: review.taken_at)


def append_reviews(path: Path, reviews: Sequence[Review]) -> None:
    """Add reviews at the end of a file; it is made when it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A write that was cut off must not swallow the next line.
    torn = path.exists() and not path.read_bytes().endswith(b"\n") and path.stat().st_size > 0
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" if torn else "")
        file.writelines(f"{review.model_dump_json(exclude_defaults=True)}\n" for review in reviews)


def reviewed(
    records: Iterable[Record], reviews: Sequence[Review], *, rejected_too: bool = False
) -> Iterator[Record]:
    """Yield the records with the reviews applied; a rejected one is left out, or unsigned if asked for."""
    by_key: dict[str, list[Review]] = {}
    for review in reviews:
        by_key.setdefault(review.key, []).append(review)
    for record in records:
        current, standing = _apply(record, by_key.get(record.id, ()))
        if standing or rejected_too:
            yield current if standing else _signed(current, "")


def _apply(record: Record, reviews: Iterable[Review]) -> tuple[Record, bool]:
    current, standing = record, True
    for review in reviews:
        # The reviewer's name is no part of the words, so an accepted record can be read again.
        if review.words != current.content_hash:
            continue
        standing = review.decision != "reject"
        if standing:
            current = _signed(_changed(current, review), review.reviewer)
    return current, standing


def _changed(record: Record, review: Review) -> Record:
    if review.decision != "change":
        return record
    if record.kind == "dialogue":
        return record.model_copy(update={"turns": review.turns})
    if record.kind == "document":
        return record.model_copy(update={"text": review.text})
    answer = record.answers[0].model_copy(update={"text": review.text, "spans": review.spans})
    return record.model_copy(update={"answers": (answer, *record.answers[1:])})


def _signed(record: Record, name: str) -> Record:
    answers = tuple(answer.model_copy(update={"reviewed_by": name}) for answer in record.answers)
    return record.model_copy(update={"answers": answers, "reviewed_by": name})


def _lines(path: Path) -> Iterator[Review]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"{path} breaks off or is no UTF-8 at byte {error.start:,}"
        raise MalformedInput(message, "put the file back as it was, or delete the broken line") from None
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield Review.model_validate_json(line)
            except ValidationError:
                message = f"{path}, line {number}: this is no review"
                raise MalformedInput(
                    message, "put the file back as it was, or delete that line and take its sheet in again"
                ) from None
