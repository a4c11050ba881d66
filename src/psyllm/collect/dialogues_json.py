"""Dialogues as JSON objects in SmileChat's form, as records.

Comes in: objects `{id, dialog: [{role, content}]}` with the roles client and
counselor. Goes out: dialogue records whose group is the dialogue's own id
(which dialogues grew out of one question is found later, by their openings).
Nothing is mended here: empty and doubled turns go on as they are.
Source: github.com/qiuhuachuan/smile.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from psyllm.collect.json_items import Item, checked, whole_items
from psyllm.collect.source import Source
from psyllm.core.records import Record, Role, Turn

_ROLES: dict[str, Role] = {
    "client": "visitor",
    "visitor": "visitor",
    "counselor": "counsellor",
    "counsellor": "counsellor",
}


class _Turn(BaseModel):
    role: Literal["client", "visitor", "counselor", "counsellor"]
    content: str


class _Dialogue(BaseModel):
    id: int | str | None = None
    dialog: list[_Turn]


def is_dialogue(value: object) -> bool:
    """Return whether an object has SmileChat's form."""
    return isinstance(value, dict) and isinstance(value.get("dialog"), list)


def records(items: Iterable[Item], path: Path, source: Source) -> Iterator[Record]:
    """Yield one record a dialogue.

    Raises:
        MalformedInput: an object has another form; names the field.
    """
    for item in whole_items(items, source):
        dialogue = checked(_Dialogue, item, path)
        key = source.key_of(item.raw) if dialogue.id is None else str(dialogue.id)
        turns = tuple(Turn(role=_ROLES[turn.role], text=turn.content) for turn in dialogue.dialog)
        yield Record(kind="dialogue", turns=turns, **source.provenance(key))
