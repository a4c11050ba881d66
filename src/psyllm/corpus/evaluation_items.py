"""What models are measured on elsewhere, read from files of several kinds.

A file or folder comes in: our own record files, JSON, JSON Lines (both also as
.gz or .xz) or plain text with one item a line. Items go out: how each opens
(what is asked) and all of its texts. Of JSON every string is a text, whatever
its key, and the first with Chinese in it is the opening: in PsyQA, alpaca,
sharegpt, messages and SmileChat that is the question. Nothing is judged here.
"""

from __future__ import annotations

import gzip
import json
import lzma
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from psyllm.core.errors import BadInput, MalformedInput, MissingFile, UnknownFormat
from psyllm.core.records import from_row
from psyllm.text.han import han_count

FEWEST_HAN = 5  # of a string that counts as a text: names of fields and ids are shorter
_UNPACK: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.decompress, ".xz": lzma.decompress}
_PARQUET = ".parquet"
_KNOWN = (".json", ".jsonl", ".txt")


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
        except (OSError, EOFError, lzma.LZMAError, UnicodeDecodeError) as error:
            message = f"{file} can't be read to its end as UTF-8"
            raise MalformedInput(message, "check the file, or give it as UTF-8 text") from error


def files_of(path: Path) -> list[Path]:
    """Return the files that hold the items, in order.

    Raises:
        MissingFile: there is no such path.
        UnknownFormat: nothing in it is of a known kind.
    """
    if not path.exists():
        message = f"the evaluation set {path} does not exist"
        raise MissingFile(message, "check the path")
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    known = [file for file in files if file.suffix == _PARQUET or _kind(file) in _KNOWN]
    known = [file for file in known if file.name != "manifest.json" and not file.name.startswith("card.")]
    if not known:
        message = f"{path} holds no Parquet, JSON, JSON Lines or text file"
        raise UnknownFormat(message, "give the items as one of these")
    return known


def _kind(path: Path) -> str:
    return path.with_suffix("").suffix if path.suffix in _UNPACK else path.suffix


def _records(path: Path) -> Iterator[Item]:
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1024):
                for record in map(from_row, batch.to_pylist()):
                    yield Item(record.opening(), tuple(record.texts()))
    except (pa.ArrowException, ValueError, KeyError) as error:
        message = f"{path} does not hold records of psyllm"
        raise UnknownFormat(
            message, "import it first: psyllm collect import, and give that folder"
        ) from error


def _text(path: Path) -> str:
    unpack = _UNPACK.get(path.suffix)
    raw = path.read_bytes()
    return (raw if unpack is None else unpack(raw)).decode("utf-8-sig")


def _items(text: str, path: Path) -> Iterator[Item]:
    if _kind(path) == ".txt":
        yield from (Item(line, (line,)) for line in text.splitlines() if line.strip())
        return
    for value in _values(text, path):
        texts = tuple(_strings(value))
        if texts:
            yield Item(texts[0], texts)


def _values(text: str, path: Path) -> Iterator[Any]:
    try:
        if text.lstrip()[:1] != "[":
            lines = [line for line in text.splitlines() if line.strip()]
            try:
                yield from [json.loads(line) for line in lines]
            except json.JSONDecodeError:
                yield json.loads(text)  # one object over many lines
            return
        yield from json.loads(text)
    except json.JSONDecodeError as error:
        message = f"{path} is not valid JSON (line {error.lineno})"
        raise MalformedInput(message, "mend the file, or give one JSON object a line") from error


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        if han_count(value) >= FEWEST_HAN:
            yield value
    elif isinstance(value, dict):
        for inner in value.values():
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
