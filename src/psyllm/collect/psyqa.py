"""Questions with their answers in PsyQA's form, whole and flattened, as records.

Comes in: objects with `question`, `description`, `keywords`, `questionID` and
either `answers` (a list of `answer_text` with `labels_sequence`) or one
`answer` with `label_sequence`; flattened rows of one question that follow each
other become one record. Goes out: question records whose strategy spans have
exclusive ends. Whether a span's end is the first character after it or the last
one in it is decided over the file, by how spans of one answer meet: a single
answer can't tell. PsyQA's last span ends at the text's length in one half of
the answers and one character before it in the other: both are taken. Spans that
leave gaps or reach beyond the text are left out and counted. The text itself is
not touched.
Source: Sun et al. 2021, PsyQA, arXiv 2106.01702, and the published examples.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from psyllm.collect.encodings import Decoding
from psyllm.collect.json_items import Item, checked, whole_items
from psyllm.collect.source import Source
from psyllm.core.records import Answer, Record, Span


def _named(span: object) -> object:
    """Return a span given as a row of three as an object."""
    return dict(zip(("start", "end", "type"), span, strict=False)) if isinstance(span, list) else span


class _Span(BaseModel):
    start: int
    end: int
    type: str


_Spans = list[Annotated[_Span, BeforeValidator(_named)]] | None


# Where spans of one answer meet, in the file's first answers that have several: enough to decide.
MOST_JOINTS = 10_000
# PsyQA has 22,341 questions; larger files without spans are not read twice to the end.
MOST_ROWS_LOOKED_AT = 100_000


class _Answer(BaseModel):
    answer_text: str
    has_label: bool = False
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
    has_label: bool = False
    label_sequence: _Spans = None
    labels_sequence: _Spans = None


def is_psyqa(value: object) -> bool:
    """Return whether an object has PsyQA's form, whole or flattened."""
    return isinstance(value, dict) and "question" in value and ("answers" in value or "answer" in value)


def records(read: Callable[[Decoding], Iterator[Item]], path: Path, source: Source) -> Iterator[Record]:
    """Yield one record a question; `read` begins the file anew.

    Raises:
        MalformedInput: an object has another form; names the field.
    """
    source.facts["span_ends"] = (
        "inclusive" if ends_are_inclusive(read(source.decoding.apart())) else "exclusive"
    )
    parsed = (_parse(item, path, source) for item in whole_items(read(source.decoding), source))
    for key, group in itertools.groupby(parsed, key=lambda entry: entry[0]):
        rows = [question for _, question in group]
        flat = isinstance(rows[0], _Flat)
        source.joined += len(rows) - 1 if flat else 0
        for same in [rows] if flat else [[row] for row in rows]:
            yield _record(key, same, source)


def ends_are_inclusive(items: Iterable[Item]) -> bool:
    """Return whether spans end at their last character, told by where the next one starts."""
    joints: Counter[int] = Counter()
    for item in itertools.islice(items, MOST_ROWS_LOOKED_AT):
        for spans in _given_spans(item.value):
            joints.update(after - before for before, after in _joints(spans))
        if joints.total() >= MOST_JOINTS:
            break
    return joints[1] > joints[0]


def _given_spans(value: object) -> Iterator[list[object]]:
    if not isinstance(value, dict):
        return
    answers = value.get("answers")
    for holder in answers if isinstance(answers, list) else [value]:
        if isinstance(holder, dict):
            spans = holder.get("labels_sequence") or holder.get("label_sequence")
            if isinstance(spans, list):
                yield spans


def _joints(spans: list[object]) -> Iterator[tuple[int, int]]:
    """Yield the end of each span with the start of the next."""
    for before, after in itertools.pairwise(map(_named, spans)):
        if isinstance(before, dict) and isinstance(after, dict):
            end, start = before.get("end"), after.get("start")
            if isinstance(end, int) and isinstance(start, int):
                yield end, start


def _parse(item: Item, path: Path, source: Source) -> tuple[str, _Whole | _Flat]:
    is_flat = isinstance(item.value, dict) and "answer" in item.value and "answers" not in item.value
    question: _Whole | _Flat = checked(_Flat, item, path) if is_flat else checked(_Whole, item, path)
    if question.question_id is not None:
        return str(question.question_id), question
    return source.key_of(f"{question.question}\n{question.description or ''}".encode()), question


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
        found = [(answer.answer_text, answer.labels_sequence, answer.has_label) for answer in row.answers]
    else:
        found = [(row.answer, row.label_sequence or row.labels_sequence, row.has_label)]
    more = 1 if source.facts["span_ends"] == "inclusive" else 0
    for text, given, has_label in found:
        spans = [Span(start=s.start, end=s.end, type=s.type) for s in given or ()]
        fitting = exclusive_spans(_with_later_ends(spans, more), len(text))
        if fitting is None:
            source.cut("spans_that_do_not_fit")
        if has_label and not spans:
            source.cut("spans_announced_but_missing")
        yield Answer(text=text, spans=fitting or ())


def _with_later_ends(spans: list[Span], more: int) -> list[Span]:
    """Return the spans with all ends but the last so many characters later; the last is settled by the text."""
    return [span.model_copy(update={"end": span.end + more}) for span in spans[:-1]] + spans[-1:]


def exclusive_spans(spans: Sequence[Span], length: int) -> tuple[Span, ...] | None:
    """Return the spans with the last one ending at `length`, or None if they do not cover the text."""
    if not spans:
        return ()
    if spans[-1].end not in {length, length - 1}:
        return None
    settled = (*spans[:-1], spans[-1].model_copy(update={"end": length}))
    edges = [0, *(span.end for span in settled)]
    fits = all(
        span.start == edge and span.end > span.start for span, edge in zip(settled, edges, strict=False)
    )
    return settled if fits else None


def _keywords(given: str | list[str] | None) -> tuple[str, ...]:
    words = given.replace("，", ",").split(",") if isinstance(given, str) else given or []
    return tuple(word.strip() for word in words if word.strip())
