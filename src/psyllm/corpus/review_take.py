"""A filled-in review sheet becomes reviews: everything in it, or nothing and what is wrong with it.

A spreadsheet and the records as they stand now come in; the new reviews go out
and are appended to a file. Rows without a decision wait; rows whose words have
changed since the sheet was made are told and left out. A number that is not in
the directory of help lines is refused, whoever writes it.
"""

from __future__ import annotations

import datetime as dt
import difflib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.workbook import Workbook

from psyllm.core.errors import MalformedInput, MissingFile, UnknownFormat
from psyllm.core.records import Record, Role, Span, Turn
from psyllm.core.reviews import Review, append_reviews, read_reviews
from psyllm.corpus.review_sheet import (
    ABOUT,
    COLUMNS,
    DATE_CELL,
    DECISIONS,
    LICENCE_CELL,
    NAME_CELL,
    ROLES,
    ROWS,
    words_of,
)
from psyllm.safety.guard import names_unknown_number
from psyllm.text.offsets import Edit, Offsets

MOST_FAULTS_TOLD = 8
NEEDED = ("编号", "决定", "修改后的全文", "意见", "指纹")


class Taken(NamedTuple):
    """What a sheet brought: decisions by kind, rows still open, rows about words that have changed since."""

    decisions: Counter[str]
    known: int
    still_open: int
    changed_since: tuple[str, ...]


class _Reviewer(NamedTuple):
    name: str
    licence: str
    date: dt.date


def take_sheet(path: Path, records: Iterable[Record], into: Path) -> Taken:
    """Append the decisions of a sheet to the file `into` and say what it brought.

    Raises:
        MissingFile: there is no such sheet.
        UnknownFormat: it is no spreadsheet made by `review_sheet`.
        MalformedInput: a cell can't be used; nothing was taken.
    """
    book = _open(path)
    reviewer = _reviewer(book, path)
    current = {record.id: record for record in records}
    rows = list(_rows(book, path))
    judged = [(number, row["编号"], _fault(row, current.get(row["编号"]))) for number, row in rows]
    faults = [f"row {number} ({key}): {fault}" for number, key, fault in judged if fault]
    if faults:
        raise _refused(path, faults)
    earlier = read_reviews([into])
    taken_before = {(review.key, review.words) for review in earlier if review.decision == "change"}
    found: list[Review] = []
    changed_since: list[str] = []
    known = 0
    for row in (row for _, row in rows if row["决定"]):
        record = current.get(row["编号"])
        if record is not None and row["指纹"] == record.content_hash:
            found.append(_review(row, record, reviewer))
        elif (row["编号"], row["指纹"]) in taken_before:
            known += 1  # its new words are the present ones
        else:
            changed_since.append(row["编号"])
    new = [review for review in found if review not in earlier]
    append_reviews(into, new)
    still_open = sum(1 for _, row in rows if not row["决定"])
    return Taken(
        decisions=Counter(review.decision for review in new),
        known=known + len(found) - len(new),
        still_open=still_open,
        changed_since=tuple(changed_since),
    )


def _open(path: Path) -> Workbook:
    if not path.exists():
        message = f"{path} does not exist"
        raise MissingFile(
            message, "check the path, or make a sheet: psyllm corpus review-sheet --out review.xlsx"
        )
    try:
        book = load_workbook(path, data_only=True)
    except (BadZipFile, InvalidFileException, KeyError, OSError, ValueError):
        message = f"{path} is no .xlsx file"
        raise UnknownFormat(message, "save the sheet as .xlsx and take it in again") from None
    if ABOUT not in book.sheetnames or ROWS not in book.sheetnames:
        message = f"{path} has no pages {ABOUT} and {ROWS}"
        raise UnknownFormat(message, "take in the file that psyllm corpus review-sheet made, filled in")
    return book


def _reviewer(book: Workbook, path: Path) -> _Reviewer:
    page = book[ABOUT]
    name, licence, date = (page[cell].value for cell in (NAME_CELL, LICENCE_CELL, DATE_CELL))
    if isinstance(date, dt.datetime):
        date = date.date()
    if isinstance(date, str):
        try:
            date = dt.date.fromisoformat(date.strip().replace("/", "-"))
        except ValueError:
            date = None
    said = (str(name or "").strip(), str(licence or "").strip())
    if not all(said) or not isinstance(date, dt.date):
        message = f"{path}, page {ABOUT}: name, licence or date is missing or no date; nothing was taken"
        raise MalformedInput(
            message, f"fill in cells {NAME_CELL}, {LICENCE_CELL} and {DATE_CELL} (2026-11-30)"
        )
    return _Reviewer(*said, date)


def _rows(book: Workbook, path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    rows = book[ROWS].iter_rows(values_only=True)
    headings = [str(heading or "") for heading in next(rows, ())]
    missing = [heading for heading in NEEDED if heading not in headings]
    if missing:
        message = f"{path}, page {ROWS}: the columns {', '.join(missing)} are missing; nothing was taken"
        raise MalformedInput(
            message, f"put the headings back: {', '.join(column.heading for column in COLUMNS)}"
        )
    for number, row in enumerate(rows, 2):
        cells = dict(zip(headings, map(_text, row), strict=False))
        if cells["编号"]:
            yield number, cells


def _text(value: object) -> str:
    # Spreadsheets write their own line ends.
    return "" if value is None else str(value).replace("_x000D_", "").replace("\r\n", "\n").strip()


def _fault(row: Mapping[str, str], record: Record | None) -> str:
    """Return what is wrong with a row, empty when it can be used (or waits)."""
    decision, new = row["决定"], row["修改后的全文"]
    broken_dialogue = record is not None and record.kind == "dialogue" and not _turns(new)
    faults = {
        "words were changed, but no decision says so (choose 修改)": not decision and new,
        f"the decision is none of {', '.join(DECISIONS)}": decision and decision not in DECISIONS,
        "the decision is 修改, but the new words are missing": decision == "修改" and not new,
        "there are new words, but the decision is not 修改 (choose it, or clear them)": (
            new and decision in DECISIONS and decision != "修改"
        ),
        "the decision is 不用, but no note says why": decision == "不用" and not row["意见"],
        "the new words name a number that is not in the directory of help lines": names_unknown_number(new),
        "a paragraph of the dialogue begins with neither 来访者： nor 咨询师：": new and broken_dialogue,
    }
    return next((fault for fault, found in faults.items() if found), "")


def _refused(path: Path, faults: Sequence[str]) -> MalformedInput:
    told = "; ".join(faults[:MOST_FAULTS_TOLD])
    more = f"; and {len(faults) - MOST_FAULTS_TOLD} more" if len(faults) > MOST_FAULTS_TOLD else ""
    message = f"{path}, page {ROWS}: {told}{more}; nothing was taken"
    return MalformedInput(message, "mend these rows in the sheet, then take it in again")


def _review(row: Mapping[str, str], record: Record, reviewer: _Reviewer) -> Review:
    review = Review(
        key=record.id,
        words=record.content_hash,
        decision=DECISIONS[row["决定"]],
        reviewer=reviewer.name,
        licence=reviewer.licence,
        date=reviewer.date,
        note=row["意见"],
    )
    if review.decision != "change":
        return review
    new = row["修改后的全文"]
    if record.kind == "dialogue":
        return review.model_copy(update={"turns": _turns(new)})
    spans = _moved_spans(record.answers[0].spans, words_of(record), new) if record.kind == "question" else ()
    return review.model_copy(update={"text": new, "spans": spans})


def _turns(text: str) -> tuple[Turn, ...]:
    """Return the turns of a dialogue written as text; none when a paragraph has no role."""
    turns: list[Turn] = []
    for paragraph in filter(None, (part.strip() for part in text.split("\n"))):
        role = _role(paragraph)
        if role is None:
            return ()
        turns.append(Turn(role=role[0], text=paragraph[role[1] :].strip()))
    return tuple(turns)


def _role(paragraph: str) -> tuple[Role, int] | None:
    roles: Mapping[Role, str] = {"visitor": ROLES["visitor"], "counsellor": ROLES["counsellor"]}
    for role, name in roles.items():
        if paragraph.startswith((f"{name}：", f"{name}:")):
            return role, len(name) + 1
    return None


def _moved_spans(spans: Sequence[Span], old: str, new: str) -> tuple[Span, ...]:
    """Return the strategy spans over the new words, contiguous as before; a part that went takes its span along."""
    blocks = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    edits = tuple(Edit(a, b, c, d) for kind, a, b, c, d in blocks if kind != "equal")
    offsets = Offsets((edits,)) if edits else Offsets()
    moved: list[Span] = []
    for span in spans:
        place = offsets.span(span.start, span.end)
        start = moved[-1].end if moved else 0
        if place is not None and place[1] > start:
            moved.append(Span(start=start, end=place[1], type=span.type))
    if moved:
        moved[-1] = moved[-1].model_copy(update={"end": len(new)})
    return tuple(moved)
