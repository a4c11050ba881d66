"""Cleaning steps for dialogues: whose turn it is, loops, stage directions.

A record comes in; the same, a mended record or a Drop goes out. Records of
other kinds come back untouched. The order of the steps is in `steps.py`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from psyllm.clean.drop import Drop
from psyllm.clean.rewriting import change_turns, without_parts
from psyllm.core.records import Record, Span, Turn
from psyllm.text.fold import Folded
from psyllm.text.han import han_count
from psyllm.text.offsets import Offsets

# A turn of fewer Chinese characters ("好的，谢谢你。") may well be said twice.
LOOP_TURN_CHARS = 10
FEWEST_REPEATS_OF_A_LOOP = 2
# A line that is nothing but a bracket: （一段时间后）, （对话结束）.
_DIRECTION = re.compile(r"^[ \t]*[（(][^（）()\n]{1,120}[）)][ \t]*(?:\n\s*|\Z)", re.MULTILINE)


def without_stage_directions(record: Record) -> Record:
    """Take out lines that only say what happens between the words."""
    return change_turns(record, _without_directions)


def may_hold_directions(records: Sequence[Record]) -> list[bool]:
    """Return which records `without_stage_directions` has to look at."""
    return [any(map("".join([turn.text for turn in record.turns]).count, "（(")) for record in records]


def without_empty_turns(record: Record) -> Record:
    """Take out turns in which nothing is said."""
    turns = tuple(turn for turn in record.turns if _says_something(turn.text))
    return record if len(turns) == len(record.turns) else record.model_copy(update={"turns": turns})


def with_turns_merged(record: Record) -> Record:
    """Join turns of one role that follow each other: they are one longer turn, and no word is lost."""
    turns = record.turns
    if all(left.role != right.role for left, right in itertools.pairwise(turns)):
        return record
    groups = itertools.groupby(turns, key=lambda turn: turn.role)
    return record.model_copy(update={"turns": tuple(_joined(list(same)) for _, same in groups)})


def cut_at_loop(record: Record) -> Record:
    """End a dialogue that goes round in circles before its first repeated turn, on a counsellor's turn."""
    repeats = _repeats(record.turns)
    if len(repeats) < FEWEST_REPEATS_OF_A_LOOP:
        return record
    end = repeats[0]
    while end and record.turns[end - 1].role != "counsellor":
        end -= 1
    return record.model_copy(update={"turns": record.turns[:end]})


def need_both_voices(record: Record) -> Record | Drop:
    """Drop a dialogue in which the visitor or the counsellor never speaks."""
    if record.kind != "dialogue":
        return record
    roles = {turn.role for turn in record.turns}
    for role in ("counsellor", "visitor"):
        if role not in roles:
            return Drop(f"no_{role}")
    return record


def _says_something(text: str) -> bool:
    return text[:1].isalnum() or any(map(str.isalnum, text))


def _without_directions(text: str) -> Folded:
    if "（" not in text and "(" not in text:
        return Folded(text, Offsets())
    return without_parts(text, [match.span() for match in _DIRECTION.finditer(text)])


def _joined(turns: list[Turn]) -> Turn:
    if len(turns) == 1:
        return turns[0]
    spans: list[Span] = []
    start = 0
    for turn in turns:
        spans += [
            span.model_copy(update={"start": span.start + start, "end": span.end + start})
            for span in turn.spans
        ]
        start += len(turn.text) + 1
    return Turn(role=turns[0].role, text="\n".join(turn.text for turn in turns), spans=tuple(spans))


def _repeats(turns: tuple[Turn, ...]) -> list[int]:
    """Return the places of longer turns that the same voice has said word for word before."""
    seen: set[tuple[str, str]] = set()
    repeats: list[int] = []
    for place, turn in enumerate(turns):
        said = (turn.role, turn.text)
        if said in seen and han_count(turn.text) >= LOOP_TURN_CHARS:
            repeats.append(place)
        seen.add(said)
    return repeats
