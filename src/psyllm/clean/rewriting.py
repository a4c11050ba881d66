"""Changing the texts of a record without losing its strategy spans.

A record and a change of one text come in, the changed record goes out: spans
are moved along and fall away where nothing of them is left. A record that
nothing changed comes back as the same object, so that changes can be counted.
What is changed is decided in `steps.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from psyllm.core.records import Answer, Record, Span, Turn
from psyllm.text.fold import Folded
from psyllm.text.offsets import Edit, Offsets

Change = Callable[[str], Folded]
Part = TypeVar("Part", Turn, Answer)


def change_texts(record: Record, change: Change) -> Record:
    """Return the record with every text changed."""
    update: dict[str, Any] = {}
    for field in ("title", "text"):
        old = getattr(record, field)
        new = change(old).text if old else old
        if new != old:
            update[field] = new
    turns = tuple(_changed(turn, change) for turn in record.turns)
    answers = tuple(_changed(answer, change) for answer in record.answers)
    if turns != record.turns:
        update["turns"] = turns
    if answers != record.answers:
        update["answers"] = answers
    return record.model_copy(update=update) if update else record


def change_replies(record: Record, change: Change) -> Record:
    """Return the record with what counsellors wrote changed: their turns and the answers."""
    turns = tuple(_changed(turn, change) if turn.role == "counsellor" else turn for turn in record.turns)
    answers = tuple(_changed(answer, change) for answer in record.answers)
    if turns == record.turns and answers == record.answers:
        return record
    return record.model_copy(update={"turns": turns, "answers": answers})


def change_turns(record: Record, change: Change) -> Record:
    """Return the record with every turn of its dialogue changed."""
    turns = tuple(_changed(turn, change) for turn in record.turns)
    return record if turns == record.turns else record.model_copy(update={"turns": turns})


def without_parts(text: str, parts: Iterable[tuple[int, int]]) -> Folded:
    """Return the text without these stretches (in order), and without white space left at its ends."""
    pieces: list[str] = []
    edits: list[Edit] = []
    last = kept = 0
    for start, end in parts:
        pieces.append(text[last:start])
        kept += start - last
        edits.append(Edit(start, end, kept, kept))
        last = end
    if not edits:
        return Folded(text, Offsets())
    offsets = Offsets((tuple(edits),))
    rest = "".join([*pieces, text[last:]])
    bare = rest.rstrip()
    if len(bare) < len(rest):
        offsets = offsets.then(Offsets(((Edit(len(bare), len(rest), len(bare), len(bare)),),)))
    lead = len(bare) - len(bare.lstrip())
    if lead:
        offsets = offsets.then(Offsets(((Edit(0, lead, 0, 0),),)))
    return Folded(bare[lead:], offsets)


def _changed(part: Part, change: Change) -> Part:
    folded = change(part.text)
    if folded.text == part.text:
        return part
    return part.model_copy(update={"text": folded.text, "spans": moved(part.spans, folded.offsets)})


def moved(spans: tuple[Span, ...], offsets: Offsets) -> tuple[Span, ...]:
    """Return the spans over the new text; those of which nothing is left fall away."""
    places = ((span, offsets.span(span.start, span.end)) for span in spans)
    return tuple(
        span.model_copy(update={"start": new[0], "end": new[1]}) for span, new in places if new is not None
    )
