"""Dialogues whose roles an import has mixed up: the counselling stands under the visitor's name.

A dialogue comes in; where both sides sound like the other one, it goes out
with the roles turned and a flag. The judge is a learnt score of character
pairs and triples (`roles.npz`, made by `bench/roles.py`); where it is not
sure of both sides, nothing is changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from psyllm.clean.linear_score import load_score
from psyllm.core.records import Record, Role, Turn

FLAG = "roles_swapped"
WEIGHTS = Path(__file__).parent / "roles.npz"
# At 1.0 none of 4,170 held-out real dialogues was turned, and 97 % of swapped ones (bench/roles.py).
LEAST_MARGIN = 1.0
LEAST_CHARS = 60  # a side that says less shows nothing


def turn_swapped_roles(record: Record) -> Record:
    """Turn the roles of a dialogue in which each side sounds like the other, and flag it."""
    if record.kind != "dialogue" or not are_swapped(record.turns):
        return record
    return record.model_copy(update={"turns": turned(record.turns), "flags": (*record.flags, FLAG)})


def may_be_swapped(records: Sequence[Record]) -> list[bool]:
    """Return which records `turn_swapped_roles` has to look at: one look at all of them at once."""
    sides = [_sides(record.turns) for record in records]
    visitors, counsellors = (load_score(WEIGHTS).of_all([one[at] for one in sides]) for at in (0, 1))
    return [
        first > LEAST_MARGIN and second < -LEAST_MARGIN
        for first, second in zip(visitors, counsellors, strict=True)
    ]


def are_swapped(turns: tuple[Turn, ...]) -> bool:
    """Return whether the visitor's side sounds like a counsellor's and the counsellor's like a visitor's."""
    visitor, counsellor = _sides(turns)
    if min(len(visitor), len(counsellor)) < LEAST_CHARS:
        return False
    table = load_score(WEIGHTS)
    return table.of(visitor) > LEAST_MARGIN and table.of(counsellor) < -LEAST_MARGIN


def _sides(turns: tuple[Turn, ...]) -> tuple[str, str]:
    """Return what the visitor says, and what the counsellor says."""
    visitor = [turn.text for turn in turns if turn.role == "visitor"]
    counsellor = [turn.text for turn in turns if turn.role == "counsellor"]
    return "\n".join(visitor), "\n".join(counsellor)


def turned(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """Return the turns with the other role each."""
    other: dict[Role, Role] = {"visitor": "counsellor", "counsellor": "visitor"}
    return tuple(turn.model_copy(update={"role": other[turn.role]}) for turn in turns)
