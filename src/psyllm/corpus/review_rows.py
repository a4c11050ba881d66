"""A filled-in review sheet, opened and read: who reviews, and the rows as text.

A path comes in; the reviewer and rows with a decision or a fault go out.
Spreadsheets are written by people with three programs: dates in several forms,
merged cells, sorted and copied rows. What can't be understood for certain is a
fault with its row, never a guess. What a decision means is `review_take.py`'s.
"""

from __future__ import annotations

import datetime as dt
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.workbook import Workbook

from psyllm.core.errors import MalformedInput, MissingFile, UnknownFormat
from psyllm.corpus.review_sheet import ABOUT, COLUMNS, DATE_CELL, LICENCE_CELL, NAME_CELL, ROWS

MOST_ROWS = 20_000
LONGEST_NAME_CHARS = 40
NEEDED = ("编号", "要审的文字", "决定", "修改后的全文", "意见", "指纹")
# Where the reviewer sits it may be tomorrow already.
_DAY = dt.timedelta(days=1)
_DATE = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?")


class Reviewer(NamedTuple):
    """Who puts a name to the decisions."""

    name: str
    licence: str
    date: dt.date


class Row(NamedTuple):
    """One row as text; `number` is the spreadsheet's own."""

    number: int
    key: str
    shown: str
    decision: str
    new: str
    note: str
    words: str


def open_sheet(path: Path) -> Workbook:
    """Open a review sheet.

    Raises:
        MissingFile: there is no such file.
        UnknownFormat: it is no spreadsheet made by `review_sheet`.
    """
    if not path.exists():
        message = f"{path} does not exist"
        raise MissingFile(
            message, "check the path, or make a sheet: psyllm corpus review-sheet --out review.xlsx"
        )
    try:
        book = load_workbook(path, data_only=True)
    except (
        BadZipFile,
        InvalidFileException,
        ParseError,
        zlib.error,
        KeyError,
        OSError,
        ValueError,
        TypeError,
    ):
        message = f"{path} is no .xlsx file, or is damaged"
        raise UnknownFormat(message, "save the sheet as .xlsx again and take that in") from None
    if ABOUT not in book.sheetnames or ROWS not in book.sheetnames:
        message = f"{path} has no pages {ABOUT} and {ROWS}"
        raise UnknownFormat(message, "take in the file that psyllm corpus review-sheet made, filled in")
    return book


def reviewer_of(book: Workbook, path: Path, today: dt.date) -> Reviewer:
    """Return who filled in the sheet.

    Raises:
        MalformedInput: name, licence or date is missing, or none of them.
    """
    page = book[ABOUT]
    name, licence = (_text(page[cell].value) for cell in (NAME_CELL, LICENCE_CELL))
    date = _date(page[DATE_CELL].value)
    faults = {
        f"the name in {NAME_CELL} is missing": not name,
        # It stands under every text: nothing else must get there with it.
        f"the name in {NAME_CELL} is no name": re.search(r"[\d\n@]", name) or len(name) > LONGEST_NAME_CHARS,
        f"the licence in {LICENCE_CELL} is missing": not licence,
        f"the date in {DATE_CELL} is missing or no date": date is None,
        f"the date in {DATE_CELL} lies in the future": date is not None and date > today + _DAY,
    }
    found = [fault for fault, is_found in faults.items() if is_found]
    if found or date is None:
        message = f"{path}, page {ABOUT}: {'; '.join(found)}; nothing was taken"
        raise MalformedInput(
            message, f"fill in cells {NAME_CELL}, {LICENCE_CELL} and {DATE_CELL} (2026-11-30)"
        )
    return Reviewer(name, licence, date)


def rows_of(book: Workbook, path: Path) -> list[Row]:
    """Return the rows that name a record or hold a decision.

    Raises:
        MalformedInput: columns are missing, cells are merged, or a record stands there twice.
    """
    page = book[ROWS]
    merged = [str(cells) for cells in page.merged_cells.ranges]
    if merged:
        message = f"{path}, page {ROWS}: cells are merged ({', '.join(merged[:5])}); nothing was taken"
        raise MalformedInput(message, "take the merging back and decide row by row")
    rows = list(_rows(book, path))
    twice = [key for key, count in Counter(row.key for row in rows).items() if key and count > 1]
    if twice:
        message = (
            f"{path}, page {ROWS}: {', '.join(twice[:5])} stands there more than once; nothing was taken"
        )
        raise MalformedInput(message, "keep one row of each, then take the sheet in again")
    return rows


def _rows(book: Workbook, path: Path) -> Iterator[Row]:
    page = book[ROWS]
    lines = page.iter_rows(max_row=min(page.max_row, MOST_ROWS), values_only=True)
    headings = [_text(heading) for heading in next(lines, ())]
    missing = [heading for heading in NEEDED if heading not in headings]
    if missing:
        message = f"{path}, page {ROWS}: the columns {', '.join(missing)} are missing; nothing was taken"
        raise MalformedInput(
            message, f"put the headings back: {', '.join(column.heading for column in COLUMNS)}"
        )
    places = [headings.index(heading) for heading in NEEDED]
    for number, line in enumerate(lines, 2):
        row = Row(number, *(_text(line[place]) for place in places))
        if row.key or row.decision or row.new:
            yield row


def _text(value: object) -> str:
    # Spreadsheets write their own line ends.
    return "" if value is None else str(value).replace("_x000D_", "").replace("\r\n", "\n").strip()


def _date(value: object) -> dt.date | None:
    if isinstance(value, dt.datetime):
        return value.date()
    found = _DATE.fullmatch(_text(value))
    if found is None:
        return None
    try:
        return dt.date(*map(int, found.groups()))
    except ValueError:
        return None
