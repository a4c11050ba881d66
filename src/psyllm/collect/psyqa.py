"""Questions with their answers in PsyQA's form, whole and flattened, as records.

Comes in: objects with `question`, `description`, `keywords`, `questionID` and
either `answers` (a list of `answer_text` with `labels_sequence`) or one
`answer` with `label_sequence`; flattened rows of one question that follow each
other become one record. Goes out: question records whose strategy spans have
exclusive ends. PsyQA's last span ends at the text's length in one half of the
answers and one character before it in the other: both are taken; spans that
leave gaps are left out and counted. The text itself is not touched.
Source: Sun et al. 2021, PsyQA, arXiv 2106.01702, and the published examples.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from psyllm.collect.json_items import Item, checked
from psyllm.collect.source import Source, key_of
from psyllm.core.records import Answer, Record, Span


def _named(span: object) -> object:
    """Return a span given as a row of three as an object."""
    return dict(zip(("start", "end", "type"), span, strict=False)) if isinstance(span, list) else span


class _Span(BaseModel):
    start: int
    end: int
    type: str


_Spans = list[Annotated[_Span, BeforeValidator(_named)]] | None


class _Answer(BaseModel):
    answer_text: str
    labels_sequence: _Spans = None


class _Question(BaseModel):
    question: str
    description: str | None = None
    keywords: str | list[str] | None = None
    question_id: int | str | None = Field(None, alias="questionID")


class _Whole(_Question):
    answers: list[_Answer]


class _Flat(_Question):
    answer: str
    label_sequence: _Spans = None
    labels_sequence: _Spans = None


def is_psyqa(value: object) -> bool:
    """Return whether an object has PsyQA's form, whole or flattened."""
    return isinstance(value, dict) and "question" in value and ("answers" in value or "answer" in value)


def records(items: Iterable[Item], path: Path, source: Source) -> Iterator[Record]:
    """Yield one record a question.

    Raises:
        MalformedInput: an object has another form; names the field.
    """
    parsed = (_parse(item, path) for item in items)
    for key, group in itertools.groupby(parsed, key=lambda entry: entry[0]):
        rows = [question for _, question in group]
        flat = isinstance(rows[0], _Flat)
        for same in [rows] if flat else [[row] for row in rows]:
            yield _record(key, same, source)


def _parse(item: Item, path: Path) -> tuple[str, _Whole | _Flat]:
    is_flat = isinstance(item.value, dict) and "answer" in item.value and "answers" not in item.value
    question: _Whole | _Flat = checked(_Flat, item, path) if is_flat else checked(_Whole, item, path)
    if question.question_id is not None:
        return str(question.question_id), question
    return key_of(f"{question.question}\n{question.description or ''}".encode()), question


def _record(key: str, rows: Sequence[_Whole | _Flat], source: Source) -> Record:
    first = rows[0]
    answers = [answer for row in rows for answer in _answers(row, source)]
    keywords = _keywords(first.keywords)
    return Record(
        kind="question",
        title=first.question,
        text=first.description or "",
        topic=keywords[0] if keywords else "",
        keywords=keywords,
        answers=tuple(answers),
        **source.provenance(key),
    )


def _answers(row: _Whole | _Flat, source: Source) -> Iterator[Answer]:
    if isinstance(row, _Whole):
        pairs = [(answer.answer_text, answer.labels_sequence) for answer in row.answers]
    else:
        pairs = [(row.answer, row.label_sequence or row.labels_sequence)]
    for text, given in pairs:
        spans = exclusive_spans([Span(start=s.start, end=s.end, type=s.type) for s in given or ()], len(text))
        if spans is None:
            source.left_out["spans_not_contiguous"] += 1
        yield Answer(text=text, spans=spans or ())


def exclusive_spans(spans: Sequence[Span], length: int) -> tuple[Span, ...] | None:
    """Return the spans with the last one ending at `length`, or None if they do not cover the text."""
    if not spans:
        return ()
    edges = [0, *(span.end for span in spans)]
    fits = all(span.start == edge and span.end > span.start for span, edge in zip(spans, edges, strict=False))
    if not fits or spans[-1].end not in {length, length - 1}:
        return None
    return (*spans[:-1], spans[-1].model_copy(update={"end": length}))


def _keywords(given: str | list[str] | None) -> tuple[str, ...]:
    words = given.replace("，", ",").split(",") if isinstance(given, str) else given or []
    return tuple(word.strip() for word in words if word.strip())
