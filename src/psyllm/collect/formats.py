"""Which importer fits a file, a folder or a tar: told by content, never by name.

A path comes in, an importer goes out, or an error that lists the known forms.
To add a form, write an importer with a function that recognises it and one
that yields records, and name both here.
"""

from __future__ import annotations

import contextlib
import itertools
import shlex
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import orjson
from pydantic import ValidationError

from psyllm.collect import (
    dialogues_json,
    dialogues_text,
    html_dump,
    json_items,
    markdown,
    psyqa,
    reading,
    warc,
)
from psyllm.collect.source import Source
from psyllm.core.errors import EmptyCorpus, MalformedInput, PsyError, UnknownFormat
from psyllm.core.records import Record
from psyllm.core.starter import records_of

FILES_TRIED = 50
MOST_STARTER_BYTES = 1 << 26
KNOWN = (
    "PsyQA JSON, dialogues as JSON Lines ({id, dialog: [{role, content}]}), "
    "text files with 来访者：/心理咨询师：, Markdown files, WARC archives, HTML pages, the starter corpus's JSON; "
    "plain, .gz, .xz, .bz2, as a folder or a tar"
)

NEXT = f"write it in a known form, then import again; known are: {KNOWN}"


class Format(NamedTuple):
    """A form's name and the importer that reads it."""

    name: str
    read: Callable[[Path, Source], Iterator[Record]]


def recognise(path: Path) -> Format:
    """Return the format of a file, folder or tar.

    Raises:
        MissingFile: there is nothing at the path.
        UnknownFormat: no importer fits.
        WrongEncoding: the text is not UTF-8.
        MalformedInput: the beginning is broken.
        EmptyCorpus: there is no text in it.
    """
    reading.need(path)
    return _of_pages(path) or _of_texts(path)


def _of_pages(path: Path) -> Format | None:
    """Return the format of what holds pages of sites."""
    if warc.is_archive(path):
        return Format("WARC archive", warc.records)
    return Format("HTML pages", html_dump.records) if html_dump.is_dump(path) else None


def _of_texts(path: Path) -> Format:
    if path.is_dir():
        return _of_members(path)
    first = reading.head(path)
    if reading.is_tar(first):
        return _of_members(path)
    text = reading.decode_head(first, path).lstrip()
    if not text:
        raise _empty(path)
    if text.startswith("["):
        return _of_item(path, json_items.array)
    if text.startswith("{"):
        return _of_object(path)
    return _of_members(path)


def _of_members(path: Path) -> Format:
    """Return the format that most of the first files have."""
    found: Counter[str] = Counter()
    for member in itertools.islice(reading.members(path), FILES_TRIED):
        if reading.looks_binary(member.raw):
            continue
        text = reading.decode(member.raw, path, member.name).replace("\r\n", "\n")
        found["text"] += bool(text.strip())
        found["dialogue"] += dialogues_text.is_dialogue_text(text)
        found["markdown"] += markdown.is_markdown(text)
    if found["dialogue"] and found["dialogue"] >= found["markdown"]:
        return Format("dialogue text files", _members_with(dialogues_text.records))
    if found["markdown"]:
        return Format("Markdown files", _members_with(markdown.records))
    raise _no_members(path, has_text=bool(found["text"]))


def _no_members(path: Path, *, has_text: bool) -> PsyError:
    """Return the error for files none of which is a dialogue or Markdown."""
    alone = _file_to_name(path) if path.is_dir() else None
    if alone is not None:
        message = f"{path} is a folder; what can be imported in it has to be named itself"
        command = f"psyllm collect import {shlex.quote(str(alone))} --name NAME --licence LICENCE"
        return UnknownFormat(message, f"run: {command}")
    if not has_text:
        return _empty(path)
    message = f"the first {FILES_TRIED} files of {path} are neither dialogues nor Markdown"
    if path.is_file() and not reading.is_tar(reading.head(path)):
        message = f"{path} is text, but neither JSON nor a dialogue nor Markdown"
    return UnknownFormat(message, NEXT)


def _file_to_name(folder: Path) -> Path | None:
    """Return the first file of a folder that can be imported by its own name: JSON or packed."""
    for member in itertools.islice(reading.members(folder), FILES_TRIED):
        with contextlib.suppress(PsyError):
            recognise(folder / member.name)
            return folder / member.name
    return None


def _of_object(path: Path) -> Format:
    """Return the format of a file that begins with an object: JSON Lines, or the starter's one object."""
    try:
        first = next(json_items.lines(path)).value
    except MalformedInput:
        first = None
    if first is not None and not _is_starter(first):
        return _of_item(path, json_items.lines)
    with reading.unpacked(path) as stream:
        whole = stream.read(MOST_STARTER_BYTES)
    try:
        content = orjson.loads(whole)
    except orjson.JSONDecodeError as error:
        reading.decode(whole, path)
        message = f"{path} is not valid JSON: line {error.lineno:,}, column {error.colno:,}"
        raise MalformedInput(message, "mend that line, then import again") from None
    if not _is_starter(content):
        raise _unknown_fields(path, content)
    return Format("starter corpus", _starter)


def _of_item(path: Path, items: Callable[[Path], Iterator[json_items.Item]]) -> Format:
    first = next(items(path), None)
    if first is None:
        raise _empty(path)
    if psyqa.is_psyqa(first.value):
        return Format("PsyQA JSON", lambda path, source: psyqa.records(items(path), path, source))
    if dialogues_json.is_dialogue(first.value):
        return Format(
            "dialogues as JSON", lambda path, source: dialogues_json.records(items(path), path, source)
        )
    raise _unknown_fields(path, first.value)


def _members_with(
    read: Callable[[Iterator[reading.Member], Path, Source], Iterator[Record]],
) -> Callable[[Path, Source], Iterator[Record]]:
    return lambda path, source: read(reading.members(path), path, source)


def _is_starter(value: object) -> bool:
    return isinstance(value, dict) and {"licence", "questions", "articles"} <= value.keys()


def _starter(path: Path, source: Source) -> Iterator[Record]:
    with reading.unpacked(path) as stream:
        content = orjson.loads(stream.read())
    permissions = {"licence": source.licence, "may_train": source.may_train, "may_show": source.may_show}
    try:
        for record in records_of(content, source.name):
            yield record.model_copy(update=permissions)
    except (KeyError, TypeError, AttributeError, ValidationError):
        message = f"{path} has the starter corpus's form, but a question or article lacks a field"
        raise MalformedInput(message, "compare it with psyllm/starter/starter.json") from None


def _unknown_fields(path: Path, value: object) -> UnknownFormat:
    found = "no object"
    if isinstance(value, dict):
        found = "the fields " + ", ".join(sorted(str(key)[:20] for key in value)[:8])
    return UnknownFormat(f"the first record of {path} has {found}, which fits no importer", NEXT)


def _empty(path: Path) -> EmptyCorpus:
    return EmptyCorpus(f"{path} holds no text", "check that it is the file you mean, then import again")
