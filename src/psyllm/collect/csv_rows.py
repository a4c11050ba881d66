"""Rows of a CSV or TSV file.

Comes in: a text file whose first row is a header. Goes out: rows by column
name. The delimiter is the one of `, ; tab |` that splits the first rows into
the same number of cells and fits the header best. Cells may hold lines. A row
of another width is left out and counted, as nobody can say which cell is which;
a quote that is never closed is malformed.
"""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from psyllm.collect.reading import text
from psyllm.collect.source import Source
from psyllm.collect.tables import Columns, Row, columns_of, need_own_names
from psyllm.core.collect_settings import ColumnSettings
from psyllm.core.errors import MalformedInput

DELIMITERS = ",\t;|"
MOST_CELL_CHARS = 1 << 26
ROWS_COMPARED = 20
FEWEST_ROWS = 2


class Dialect(NamedTuple):
    """How a table is written; `columns` is None where it is unclear what they hold."""

    delimiter: str
    header: tuple[str, ...]
    columns: Columns | None


def sniff(first: str, said: ColumnSettings) -> Dialect | None:
    """Return how a text that begins so is written as a table, None if it is none."""
    found = [dialect for mark in DELIMITERS if (dialect := _dialect(first, mark, said)) is not None]
    known = [dialect for dialect in found if dialect.columns is not None]
    return max(known or found, key=lambda dialect: len(dialect.header), default=None)


def _dialect(first: str, delimiter: str, said: ColumnSettings) -> Dialect | None:
    rows: list[list[str]] = []
    try:
        reader = csv.reader(io.StringIO(first, newline=""), delimiter=delimiter, strict=True)
        rows.extend(itertools.islice(reader, ROWS_COMPARED))
    except csv.Error:
        if not rows:  # the sample may end inside a cell, but the header is whole
            return None
    rows = [row for row in rows if row]
    if not rows or len(rows[0]) < 2:
        return None
    columns = columns_of(rows[0], said)
    of_one_width = sum(len(row) == len(rows[0]) for row in rows[:-1]) == len(rows) - 1
    if columns is None and (len(rows) < FEWEST_ROWS or not of_one_width):
        return None
    return Dialect(delimiter, tuple(rows[0]), columns)


def rows(path: Path, dialect: Dialect, source: Source) -> Iterator[Row]:
    """Yield the rows behind the header; empty lines are passed over.

    Raises:
        MalformedInput: a quote is not closed, a cell is too large, or two columns that are read have one name.
    """
    if dialect.columns is not None:
        need_own_names(dialect.header, dialect.columns, str(path))
    limit = csv.field_size_limit(MOST_CELL_CHARS)
    try:
        with io.TextIOWrapper(text(path, source.decoding), "utf-8", newline="") as stream:
            reader = csv.reader(stream, delimiter=dialect.delimiter, strict=True)
            try:
                next(reader)
                yield from _rows(reader, dialect.header, source)
            except csv.Error:
                message = f"{path}, line {reader.line_num:,}: a quote is not closed where it should be"
                raise MalformedInput(message, "mend that row, then import again") from None
    finally:
        csv.field_size_limit(limit)


def _rows(reader: Iterator[list[str]], header: tuple[str, ...], source: Source) -> Iterator[Row]:
    width = len(header)
    for cells in reader:
        if not cells:
            continue
        source.read += 1
        if len(cells) < width or any(cells[width:]):
            source.leave_out("row_of_other_width")
            continue
        yield dict(zip(header, cells[:width], strict=True))
