"""Objects of a JSON array or of JSON Lines, one after the other.

Arrays are taken apart while they are read: memory holds one object and a
block, whatever the size of the file. What is not JSON is said with its line
or record number and never with its text. A line that damaged bytes made
unreadable is yielded without a value where damage is to be left out. What the
objects mean is not known here; `checked` compares one with the shape that an
importer expects.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from psyllm.collect.encodings import REPLACEMENT, Decoding
from psyllm.collect.reading import text
from psyllm.collect.source import Source
from psyllm.core.errors import MalformedInput

BLOCK_CHARS = 1 << 20
MOST_RECORD_CHARS = 1 << 26
MOST_LINE_BYTES = 1 << 28
_NEXT = "mend or remove that record, then import again"
_SPACE = " \t\r\n\ufeff"
_MARK = REPLACEMENT.encode()
Shape = TypeVar("Shape", bound=BaseModel)


class Item(NamedTuple):
    """One JSON value, its own bytes, and its place in words."""

    value: object
    raw: bytes
    where: str


def lines(path: Path, decoding: Decoding | None = None) -> Iterator[Item]:
    """Yield the value of each line that is not empty.

    Raises:
        MalformedInput: a line is no JSON, or too long for one record.
        WrongEncoding: bytes are damaged or their encoding can't be told.
    """
    with text(path, decoding) as stream:
        number = 0
        while line := stream.readline(MOST_LINE_BYTES):
            number += 1
            where = f"line {number:,}"
            if len(line) == MOST_LINE_BYTES:
                raise _too_large(path, where)
            raw = line.strip()
            if raw:
                yield _item(raw, path, where, decoding)


def array(path: Path, decoding: Decoding | None = None) -> Iterator[Item]:
    """Yield the values of a JSON array.

    Raises:
        MalformedInput: a value is no JSON, or the array breaks off.
        WrongEncoding: bytes are damaged or their encoding can't be told.
    """
    rest = _Text(path, decoding)
    decoder = json.JSONDecoder()
    number = 0
    rest.skip("[")
    while True:
        mark = rest.peek()
        if mark == "]":
            rest.end(number)
            return
        if number and mark != ",":
            raise _broken(path, f"record {number:,}", at_end=rest.at_end)
        if number:
            rest.skip(",")
        number += 1
        where = f"record {number:,}"
        raw = rest.take_value(decoder, where).encode("utf-8", "surrogatepass")
        yield _item(raw, path, where, decoding)


def checked(shape: type[Shape], item: Item, path: Path) -> Shape:
    """Return the item in the expected shape.

    Raises:
        MalformedInput: it has another; names the field and what was expected, never the text.
    """
    try:
        return shape.model_validate(item.value)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "the record"
        message = f"{path}, {item.where}: {field}: {first['msg'].lower()}"
        raise MalformedInput(message, _NEXT) from None


def whole_items(items: Iterable[Item], source: Source) -> Iterator[Item]:
    """Yield what is read, counted, without what holds damage where that is to be left out."""
    for item in source.each(items):
        if source.decoding.leaves_damage_out and _MARK in item.raw:
            source.leave_out("damaged_text")
        else:
            yield item


def _item(raw: bytes, path: Path, where: str, decoding: Decoding | None) -> Item:
    try:
        return Item(orjson.loads(raw), raw, where)
    except orjson.JSONDecodeError as error:
        if decoding is not None and decoding.leaves_damage_out and _MARK in raw:
            return Item(None, raw, where)
        message = f"{path}, {where} is not valid JSON (column {error.colno:,})"
        raise MalformedInput(message, _NEXT) from None


def _too_large(path: Path, where: str) -> MalformedInput:
    message = f"{path}, {where} is larger than one record can be: is this one array in one line, or no JSON Lines at all?"
    return MalformedInput(message, _NEXT)


def _broken(path: Path, where: str, *, at_end: bool) -> MalformedInput:
    found = "the array breaks off after" if at_end else "there is no comma or ] after"
    message = f"{path}: {found} {where}"
    return MalformedInput(message, "check the end of the file, fetch it again, then import")


class _Text:
    """The growing and shrinking stretch of a file that is being taken apart."""

    def __init__(self, path: Path, decoding: Decoding | None) -> None:
        self._path = path
        self._stream = text(path, decoding)
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._buffer = ""
        self._at = 0
        self.at_end = False

    def peek(self) -> str:
        """Return the next character that is no white space, or nothing at the end."""
        while True:
            while self._at < len(self._buffer) and self._buffer[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._more():
                return ""

    def skip(self, mark: str) -> None:
        """Step over the mark that `peek` has shown."""
        if self.peek() == mark:
            self._at += 1

    def end(self, number: int) -> None:
        """Step over the array's end; whatever follows it would be lost and is malformed."""
        self.skip("]")
        if self.peek():
            message = f"{self._path}: there is more text behind the array's end, after record {number:,}"
            raise MalformedInput(
                message, "write all records into one array, or as JSON Lines; then import again"
            )

    def take_value(self, decoder: json.JSONDecoder, where: str) -> str:
        """Return the text of the next JSON value and step over it."""
        self.peek()
        while True:
            try:
                _, end = decoder.raw_decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                if self._is_hopeless(error) or not self._more():
                    raise self._malformed(error, where) from None
                continue
            except RecursionError:
                message = f"{self._path}, {where} is nested too deeply"
                raise MalformedInput(message, _NEXT) from None
            value = self._buffer[self._at : end]
            self._at = end
            return value

    def _is_hopeless(self, error: json.JSONDecodeError) -> bool:
        """Return whether more text can't mend this: the fault lies well before the end of what is read."""
        if len(self._buffer) - self._at > MOST_RECORD_CHARS:
            return True
        return not error.msg.startswith("Unterminated string") and error.pos < len(self._buffer) - 16

    def _malformed(self, error: json.JSONDecodeError, where: str) -> MalformedInput:
        inside = error.pos - self._at
        cut = "; the file ends inside it" if self.at_end and not self._is_hopeless(error) else ""
        message = f"{self._path}, {where} is not valid JSON ({inside:,} characters after its start){cut}"
        return MalformedInput(message, _NEXT)

    def _more(self) -> bool:
        if self.at_end:
            return False
        # As much again as there is: a record of any size is begun anew only a few times.
        raw = self._stream.read(max(BLOCK_CHARS, len(self._buffer) - self._at))
        new = self._decoder.decode(raw, final=not raw)
        self._buffer = self._buffer[self._at :] + new
        self._at = 0
        if not raw:
            self.at_end = True
            self._stream.close()
        return bool(raw)
