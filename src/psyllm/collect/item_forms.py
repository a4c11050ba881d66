"""Which importer fits an object of a JSON or Parquet file, told by its first one.

An object comes in, the form that reads it and its kin goes out, or None. The
first form that fits is taken, so special forms stand before general ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from psyllm.collect import chats, dialogues_json, psyqa, tables
from psyllm.collect.encodings import Decoding
from psyllm.collect.json_items import Item, whole_items
from psyllm.collect.source import Source
from psyllm.core.collect_settings import ColumnSettings
from psyllm.core.errors import UnknownFormat
from psyllm.core.records import Record

Begin = Callable[[Decoding], Iterator[Item]]


class ItemForm(NamedTuple):
    """A form's name and the importer that reads its objects; `Begin` starts the file anew."""

    name: str
    read: Callable[[Begin, Path, Source], Iterator[Record]]


def form_of(value: object, said: ColumnSettings) -> ItemForm | None:
    """Return the form of an object."""
    if any(said.model_dump().values()):
        return _table(value, said)
    fitting = (form for fits, form in _FORMS if fits(value))
    return next(fitting, None) or _table(value, said)


def unknown_fields(path: Path, value: object, next_step: str) -> UnknownFormat:
    """Return the error that names an object's fields, as far as they may be shown."""
    found = "no object"
    if isinstance(value, dict):
        found = f"the fields {tables.shown(sorted(map(str, value)))}"
    step = f"{next_step}; or name its fields: add --set collect.columns.question=NAME and so on"
    return UnknownFormat(f"the first record of {path} has {found}, which fits no importer", step)


def _once(
    read: Callable[[Iterable[Item], Path, Source], Iterator[Record]],
) -> Callable[[Begin, Path, Source], Iterator[Record]]:
    return lambda begin, path, source: read(begin(source.decoding), path, source)


def _table(value: object, said: ColumnSettings) -> ItemForm | None:
    columns = tables.columns_of([str(key) for key in value], said) if isinstance(value, dict) else None
    if columns is None:
        return None
    return ItemForm(
        "table as objects",
        lambda begin, _, source: tables.records(
            tables.rows_of(whole_items(begin(source.decoding), source), source), columns, source
        ),
    )


_FORMS: tuple[tuple[Callable[[object], bool], ItemForm], ...] = (
    (psyqa.is_psyqa, ItemForm("PsyQA JSON", psyqa.records)),
    (dialogues_json.is_dialogue, ItemForm("dialogues as JSON", _once(dialogues_json.records))),
    (chats.is_messages, ItemForm("chats as JSON (messages or ShareGPT)", _once(chats.records))),
    (chats.is_pairs, ItemForm("chats as JSON (EmoLLM)", _once(chats.records))),
    (chats.is_alpaca, ItemForm("alpaca JSON", _once(chats.records))),
    (chats.is_chatml, ItemForm("ChatML in JSON", _once(chats.records))),
)
