"""Rows of a table as records, whatever file the table lies in.

Comes in: rows as names and values, and which column holds what: the settings'
names, else the usual headers (`columns.toml`). Goes out: question records
(rows of one question that follow each other are one) or documents. Columns
without a use stay behind and are told in the source's facts; the column of an
author is one of them. Where it is unclear which column is what, the error says
how to name them. Of columns nobody's words may be shown: a table without a
header begins with what somebody said, so that only the names of `columns.toml`
are told; others are counted.
"""

from __future__ import annotations

import functools
import itertools
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from psyllm.collect.json_items import Item
from psyllm.collect.source import Source
from psyllm.core.collect_settings import ColumnSettings
from psyllm.core.errors import MalformedInput, UnknownFormat
from psyllm.core.records import Answer, Record

_TABLE = Path(__file__).parent / "columns.toml"
MOST_COLUMNS_NAMED = 12

Row = dict[str, str]  # values by column


class Columns(NamedTuple):
    """Which column holds which field; `kind` is what a row becomes."""

    kind: str
    by_field: dict[str, str]
    unused: tuple[str, ...]


@functools.cache
def usual_headers() -> dict[str, str]:
    """Return the field of each usual header."""
    table = tomllib.loads(_TABLE.read_text("utf-8"))
    return {header: field["name"] for field in table["field"] for header in field["headers"]}


def columns_of(header: Sequence[str], said: ColumnSettings) -> Columns | None:
    """Return which column holds what, None if that is unclear."""
    by_field = {field: name for field, name in said.model_dump().items() if name}
    if any(name not in header for name in by_field.values()):
        return None
    for name in header:
        field = usual_headers().get(name.strip().lower())
        if field is not None and name not in by_field.values():
            by_field.setdefault(field, name)
    if "answer" in by_field and "question" not in by_field and "title" in by_field:
        by_field["question"] = by_field.pop("title")
    kind = _kind_of(by_field, said)
    if not kind:
        return None
    return Columns(kind, by_field, tuple(name for name in header if name not in by_field.values()))


def _kind_of(by_field: dict[str, str], said: ColumnSettings) -> str:
    if "question" in by_field and ("answer" in by_field or said.question):
        return "question"
    return "document" if "text" in by_field else ""


@functools.cache
def _known_names() -> frozenset[str]:
    table = tomllib.loads(_TABLE.read_text("utf-8"))
    return frozenset(usual_headers()) | frozenset(table["without_use"]["headers"])


def shown(names: Iterable[str]) -> str:
    """Return the names of columns or fields that hold nobody's words, and how many others there are."""
    bare = [name.strip() for name in names]
    named = [name for name in bare if name.lower() in _known_names()][:MOST_COLUMNS_NAMED]
    others = len(bare) - len(named)
    if not named:
        return f"{others}, none with a usual name"
    return ", ".join(named) + (f" and {others} more" if others else "")


def need_own_names(header: Sequence[str], columns: Columns, place: str) -> None:
    """Refuse a table with two columns of the name that holds a field: all but one would be lost.

    Raises:
        MalformedInput: there are two.
    """
    for field, name in columns.by_field.items():
        if header.count(name) > 1:
            message = f"{place} has {header.count(name)} columns of one name that hold the {field}"
            raise MalformedInput(
                message, "write each answer in a row of its own, or rename what is no answer"
            )


def unclear(header: Sequence[str], place: str) -> UnknownFormat:
    """Return the error that tells the columns, as far as they may be shown, and how to name them."""
    message = f"{place} is a table; which column holds what is unclear. Its columns: {shown(header)}"
    return UnknownFormat(
        message,
        "look at its first row and name them: add --set collect.columns.question=NAME "
        "--set collect.columns.answer=NAME, or --set collect.columns.text=NAME for articles",
    )


def records(rows: Iterable[Row], columns: Columns, source: Source) -> Iterator[Record]:
    """Yield one record a question or document; empty rows are left out and counted.

    The rows come counted as read.
    """
    if columns.unused:
        source.facts["columns_without_use"] = shown(sorted(columns.unused))
    found = (_fields(row, columns) for row in rows)
    if columns.kind == "document":
        for fields in found:
            if _is_usable(fields, ("text",), source):
                yield _document(fields, source)
        return
    needed = ("question", "answer") if "answer" in columns.by_field else ("question",)
    usable = (fields for fields in found if _is_usable(fields, needed, source))
    for key, same in itertools.groupby(usable, key=functools.partial(_question_key, source)):
        yield _question(key, list(same), source)


def rows_of(items: Iterable[Item], source: Source) -> Iterator[Row]:
    """Yield objects as rows: lists with commas, no value as no text; what is no object is left out."""
    for item in items:
        if isinstance(item.value, dict):
            yield {str(name): _as_text(value) for name, value in item.value.items()}
        else:
            source.leave_out("no_object")


def _as_text(value: object) -> str:
    if value is None:
        return ""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _fields(row: Row, columns: Columns) -> dict[str, str]:
    return {field: row.get(name, "").strip() for field, name in columns.by_field.items()}


def _is_usable(fields: dict[str, str], needed: tuple[str, ...], source: Source) -> bool:
    if source.is_damaged("".join(fields.values())):
        return False
    lacking = next((name for name in needed if not fields[name]), None)
    if lacking is not None:
        source.leave_out("empty_row" if not any(fields.values()) else f"row_without_{lacking}")
    return lacking is None


def _question_key(source: Source, fields: dict[str, str]) -> str:
    title, text = _asked(fields)
    return source.key_of(f"{title}\n{text}".encode())


def _asked(fields: dict[str, str]) -> tuple[str, str]:
    """Return a question's title and details; a title beside a question makes the question the details."""
    title, question, description = (fields.get(name, "") for name in ("title", "question", "description"))
    if title and title != question:
        return title, "\n".join(part for part in (question, description) if part)
    return question, description


def _question(key: str, rows: list[dict[str, str]], source: Source) -> Record:
    source.joined += len(rows) - 1
    first = rows[0]
    title, text = _asked(first)
    answers = tuple(Answer(text=row["answer"]) for row in rows if row.get("answer"))
    return Record(
        kind="question",
        title=title,
        text=text,
        answers=answers,
        **_said(first, first.get("id") or key, source),
    )


def _document(fields: dict[str, str], source: Source) -> Record:
    key = fields.get("id") or source.key_of("\n".join((fields.get("title", ""), fields["text"])).encode())
    return Record(
        kind="document", title=fields.get("title", ""), text=fields["text"], **_said(fields, key, source)
    )


def _said(fields: dict[str, str], key: str, source: Source) -> dict[str, Any]:
    words = fields.get("keywords", "").replace("，", ",").replace("、", ",").split(",")
    keywords = tuple(word.strip() for word in words if word.strip())
    return {
        **source.provenance(key),
        "topic": fields.get("topic") or (keywords[0] if keywords else ""),
        "keywords": keywords,
        "url": fields.get("url", ""),
        "written_at": fields.get("date", ""),
    }
