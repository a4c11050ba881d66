"""What models are measured on elsewhere, read from files of several kinds.

A file or folder comes in: our own record files, JSON, JSON Lines (both also as
.gz or .xz) or plain text with one item a line. Items go out: how each opens
(what is asked) and all of its texts. Of JSON every string is a text, whatever
its key, and so is a key that is long enough to be a question. The opening is what a visitor says, or what stands under the name of a
question, in PsyQA, alpaca, sharegpt, messages and SmileChat alike; where
nothing tells it, the first text is. A folder with files of other kinds is
refused, and so are records with columns of others or without a text, so that
nothing goes unlooked for. Nothing is judged here.
"""

from __future__ import annotations

import gzip
import json
import lzma
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from psyllm.core.errors import BadInput, MalformedInput, MissingFile, UnknownFormat
from psyllm.core.fingerprints import FOLDER as PRINTS
from psyllm.core.fingerprints import RUN_CHARS
from psyllm.core.rated_answers import RATED_SCHEMA
from psyllm.core.records import Record, record_within
from psyllm.text.han import han_count

FEWEST_HAN = 5  # of a string that counts as a text: names of fields and ids are shorter
_UNPACK: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.decompress, ".xz": lzma.decompress}
_PARQUET = ".parquet"
_KNOWN = (".json", ".jsonl", ".txt")
# Beside items these are no items: what our own folders say of themselves, and what people add to data.
_NO_ITEMS = ("manifest.json", "export.json", "samples.json")
_NO_ITEMS_BEGIN = (".", "card.", "readme", "license", "licence", "notice", "citation")
_ROLE_KEYS = ("role", "from", "speaker")
_ASKERS = frozenset(
    ["user", "human", "client", "visitor", "seeker", "patient", "来访者", "求助者", "用户", "患者"]
)
# "input" before "instruction": where both have text, the instruction is the same for all items.
_ASKED_KEYS = (
    *("question", "query", "ask", "q", "input", "human", "user", "instruction", "prompt", "description"),
    *("问题", "问", "提问", "咨询", "求助", "描述", "问题描述"),
)
_SYSTEM = "system"
# Of records, and of rated answers beside them.
_COLUMNS = frozenset(RATED_SCHEMA.names)
_AS_LINES = "give the same as JSON Lines, of which every text is looked for, whatever its name"


class Item(NamedTuple):
    """One item to be measured on."""

    opening: str
    texts: tuple[str, ...]


def read_items(path: Path) -> Iterator[Item]:
    """Yield the items of a file or folder.

    Raises:
        MissingFile: there is no such path.
        UnknownFormat: it is none of the kinds above.
        MalformedInput: it breaks its own format.
    """
    for file in files_of(path):
        if file.suffix == _PARQUET:
            yield from _records(file)
            continue
        try:
            yield from _items(_text(file), file)
        except (OSError, EOFError, lzma.LZMAError, zlib.error, UnicodeDecodeError) as error:
            message = f"{file} can't be read to its end as UTF-8"
            raise MalformedInput(message, "check the file, or give it as UTF-8 text") from error
        except RecursionError as error:
            message = f"{file} holds JSON that is nested too deeply"
            raise MalformedInput(message, "give one plain JSON object a line") from error


def set_names(paths: Sequence[Path]) -> dict[str, Path]:
    """Return each set once by a name of its own: the end of its path, as long as tells it from the others."""
    sets = list({path.resolve(): path for path in reversed(paths)}.values())[::-1]
    named: dict[str, Path] = {}
    for path in sets:
        length = 1
        while sum(_end(other, length) == _end(path, length) for other in sets) > 1:
            length += 1
        named[str(Path(*_end(path, length)))] = path
    return named


def _end(path: Path, length: int) -> tuple[str, ...]:
    return path.absolute().parts[-length:]


def files_of(path: Path) -> list[Path]:
    """Return the files that hold the items, in order.

    Raises:
        MissingFile: there is no such path.
        UnknownFormat: nothing in it is of a known kind, or something is of none.
    """
    if not path.exists():
        message = f"the evaluation set {path} does not exist"
        raise MissingFile(message, "check the path")
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    files = [file for file in files if _may_hold_items(file, path)]
    known = [file for file in files if file.suffix == _PARQUET or _kind(file) in _KNOWN]
    if not known:
        message = f"{path} holds no Parquet, JSON, JSON Lines or text file"
        raise UnknownFormat(message, "give the items as one of these")
    if len(known) < len(files):
        unread = [str(file.relative_to(path)) for file in files if file not in known]
        message = f"{path} holds {len(unread)} files that can't be read as items: {', '.join(unread[:5])}"
        raise UnknownFormat(
            message, "give them as Parquet, JSON, JSON Lines or text, or name the files that count one by one"
        )
    return known


def _may_hold_items(file: Path, given: Path) -> bool:
    if file == given:
        return True
    inside = file.relative_to(given)
    hidden = any(part.startswith(".") or part == PRINTS for part in inside.parts)
    return not hidden and file.name not in _NO_ITEMS and not file.name.casefold().startswith(_NO_ITEMS_BEGIN)


def _kind(path: Path) -> str:
    return path.with_suffix("").suffix if path.suffix in _UNPACK else path.suffix


def _records(path: Path) -> Iterator[Item]:
    try:
        with pq.ParquetFile(path) as file:
            _need_known_columns(file.schema_arrow.names, path)
            batches = file.iter_batches(batch_size=1024)
            rows = chain.from_iterable(batch.to_pylist() for batch in batches)
            for number, record in enumerate(map(record_within, rows), 1):
                yield _item(record, path, number)
    except (pa.ArrowException, ValueError, KeyError) as error:
        message = f"{path} does not hold records of psyllm"
        raise UnknownFormat(
            message, "import it first: psyllm collect import, and give that folder"
        ) from error


def _need_known_columns(names: Sequence[str], path: Path) -> None:
    """Refuse columns that are no record's: texts in them would go unlooked for."""
    foreign = sorted(set(names) - _COLUMNS)
    if foreign:
        message = f"{path} has columns that no record of psyllm has: {', '.join(foreign[:5])}"
        raise UnknownFormat(message, f"{_AS_LINES}; of a folder name the files that count one by one")


def _item(record: Record, path: Path, number: int) -> Item:
    texts = tuple(text for text in record.texts() if text.strip())
    if not texts:  # else it would be looked for, not found, and called clean
        message = f"{path} holds a record without any text (row {number:,})"
        raise UnknownFormat(message, f"leave it out, or {_AS_LINES}")
    return Item(record.opening(), texts)


def _text(path: Path) -> str:
    unpack = _UNPACK.get(path.suffix)
    raw = path.read_bytes()
    return (raw if unpack is None else unpack(raw)).decode("utf-8-sig")


def _items(text: str, path: Path) -> Iterator[Item]:
    if _kind(path) == ".txt":
        yield from (Item(line, (line,)) for line in text.splitlines() if line.strip())
        return
    values = list(_values(text, path))
    for value in _unwrapped(values[0]) if len(values) == 1 else values:
        texts = tuple(_strings(value))
        if texts:
            yield Item(_opening(value, texts), texts)


def _values(text: str, path: Path) -> Iterator[Any]:
    try:
        if text.lstrip()[:1] == "[":
            yield from json.loads(text)
        else:
            yield from _objects(text)
    except ValueError as error:  # also a number with more digits than Python takes
        line = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        message = f"{path} is not valid JSON{line}"
        raise MalformedInput(message, "mend the file, or give one JSON object a line") from error


def _objects(text: str) -> list[Any]:
    """Return the objects of JSON Lines, or the one object that goes over many lines."""
    values: list[Any] = []
    start = 0
    for line in text.split("\n"):  # not splitlines: JSON texts may hold other ends of lines
        if line.strip():
            try:
                values.append(json.loads(line))
            except json.JSONDecodeError as error:
                if not values:
                    return [json.loads(text)]
                raise json.JSONDecodeError(error.msg, text, start + error.pos) from error
        start += len(line) + 1
    return values


def _unwrapped(value: object) -> list[Any]:
    """Return the items of a file's only object: those in its lists, or under its keys; else the object.

    What stands beside the lists is an item of its own: it may be the question to answers in a list.
    """
    if not isinstance(value, dict) or _asked_under(value):
        return [value]
    if 2 * sum(map(_is_question, value)) > len(value):
        return [{key: held} for key, held in value.items()]
    beside = {key: held for key, held in value.items() if isinstance(held, str) and _is_question(held)}
    inner = [each for held in value.values() if isinstance(held, list) for each in held]
    if not any(True for _ in _strings(inner)):
        dicts = [held for held in value.values() if isinstance(held, dict)]
        inner = [each for held in dicts for each in _unwrapped(held)]
    is_said = any(isinstance(each, dict) and _role(each) is not None for each in inner)
    if is_said or not any(True for _ in _strings(inner)):
        return [value]
    return [*inner, beside] if beside else inner


def _is_question(text: str) -> bool:
    """Return whether it is long enough to be looked for; names of fields are not."""
    return han_count(text) >= RUN_CHARS


def _opening(value: object, texts: tuple[str, ...]) -> str:
    """Return what is asked: the first that is long enough to be looked for, else the first."""
    asked = list(_asked(value)) or texts
    return next((text for text in asked if han_count(text) >= RUN_CHARS), asked[0])


def _asked(value: object) -> Iterator[str]:
    if isinstance(value, list):
        for inner in value:
            yield from _asked(inner)
    elif isinstance(value, dict):
        role = _role(value)
        if role is not None:
            yield from _strings(value) if role in _ASKERS else ()
        elif under := _asked_under(value):
            yield from under
        else:
            for key, inner in value.items():
                yield from (key,) if _is_question(key) else ()
                yield from () if key.casefold().startswith(_SYSTEM) else _asked(inner)


def _role(value: dict[str, Any]) -> str | None:
    """Return who speaks, None where it is no turn."""
    said = [value[key] for key in _ROLE_KEYS if isinstance(value.get(key), str)]
    return said[0].strip().casefold() if said else None


def _asked_under(value: dict[str, Any]) -> list[str]:
    return [text for key in _ASKED_KEYS if isinstance(value.get(key), str) for text in _strings(value[key])]


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        if han_count(value) >= FEWEST_HAN:
            yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from (key,) if _is_question(key) else ()
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def need_items(items: list[Item], path: Path) -> None:
    """Refuse a set without items.

    Raises:
        BadInput: there are none.
    """
    if not items:
        message = f"the evaluation set {path} holds no text with Chinese characters"
        raise BadInput(message, "check that it is the file you mean")
