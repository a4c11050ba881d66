"""Rows of an Excel workbook.

Comes in: an .xlsx file; each sheet's first row that is not empty is its header.
Goes out: rows of every sheet whose columns are known, by column name. Sheets
of other columns are passed over and counted, rows with cells beyond the header
are left out and counted. Rows are streamed; the workbook's
table of strings is held by openpyxl as a whole.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from psyllm.collect import zips
from psyllm.collect.source import Source
from psyllm.collect.tables import Columns, Row, columns_of, need_own_names
from psyllm.core.collect_settings import ColumnSettings
from psyllm.core.errors import MalformedInput


def is_workbook(path: Path) -> bool:
    """Return whether a zip is an Excel workbook."""
    with zips.zip_file(path) as archive:
        return "xl/workbook.xml" in archive.namelist()


def headers(path: Path) -> list[tuple[str, ...]]:
    """Return the header of each sheet that is not empty."""
    with _workbook(path) as book:
        found = (_header(_cells(sheet)) for sheet in book.worksheets)
        return [header for header in found if header]


def columns_in(path: Path, said: ColumnSettings) -> Columns | None:
    """Return the columns of the first sheet whose columns are known, None if there is none."""
    found = (columns_of(header, said) for header in headers(path))
    return next((columns for columns in found if columns is not None), None)


def rows(path: Path, columns: Columns, said: ColumnSettings, source: Source) -> Iterator[Row]:
    """Yield the rows of all sheets that have the columns.

    Raises:
        MalformedInput: the workbook is damaged, or two columns that are read have one name.
    """
    with _workbook(path, is_read_whole=True) as book:
        for sheet in book.worksheets:
            cells = _cells(sheet)
            header = _header(cells)
            if not header:
                continue
            found = columns_of(header, said)
            if found is None or found.by_field != columns.by_field:
                source.cut("sheet_of_other_columns")
                continue
            need_own_names(header, found, str(path))
            for row in source.each(cells):
                if any(row[len(header) :]):
                    source.leave_out("row_of_other_width")
                    continue
                yield dict(zip(header, (*row, *[""] * (len(header) - len(row))), strict=False))


@contextmanager
def _workbook(path: Path, *, is_read_whole: bool = False) -> Iterator[Any]:
    import openpyxl

    with zips.zip_file(path) as archive, path.open("rb") as file, warnings.catch_warnings():
        if is_read_whole:
            zips.need_whole(archive)  # a flipped bit may end a sheet early in good XML
        warnings.simplefilter("ignore")  # of styles and print settings
        book = None
        try:
            book = openpyxl.load_workbook(file, read_only=True, data_only=True)
            yield book  # sheets are read as their rows are asked for, and may break off there
        except (KeyError, ValueError, TypeError, AttributeError, SyntaxError, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            message = f"{path} is no whole workbook ({type(error).__name__})"
            raise MalformedInput(message, "open it, save it as .xlsx or CSV, then import that") from None
        finally:
            if book is not None:
                book.close()


def _header(rows: Iterator[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the first row without the empty cells that pad it to the sheet's widest row."""
    cells = list(next(rows, ()))
    while cells and not cells[-1]:
        cells.pop()
    return tuple(cells)


class _Sheet(Protocol):
    def reset_dimensions(self) -> None: ...
    def iter_rows(self, **_how: bool) -> Iterator[tuple[object, ...]]: ...


def _cells(sheet: _Sheet) -> Iterator[tuple[str, ...]]:
    """Yield the rows that are not empty as texts."""
    sheet.reset_dimensions()  # what a sheet says of its size may be less than it holds
    for row in sheet.iter_rows(values_only=True):
        cells = tuple("" if value is None else str(value) for value in row)
        if any(cells):
            yield cells
