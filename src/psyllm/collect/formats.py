"""Which importer fits a file, a folder or an archive: told by content, never by name.

A path comes in, an importer goes out, or an error that lists the known forms.
To add a form, write an importer with a function that recognises it and one
that yields records, and name both here (objects: `item_forms.py`) and in
`known.toml`. A folder or archive is either texts of one form, one record each,
or files of data, each of which is recognised by itself.
"""

from __future__ import annotations

import codecs
import itertools
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import orjson
from pydantic import ValidationError

from psyllm.collect import (
    chat_texts,
    chatml,
    csv_rows,
    dialogues_text,
    html_dump,
    item_forms,
    json_items,
    markdown,
    parquet_items,
    reading,
    tables,
    warc,
    xlsx_rows,
    zips,
)
from psyllm.collect.encodings import Decoding, decode, looks_binary
from psyllm.collect.file_names import told
from psyllm.collect.source import Source
from psyllm.core.collect_settings import ColumnSettings
from psyllm.core.errors import BadInput, EmptyCorpus, MalformedInput, PsyError, UnknownFormat
from psyllm.core.records import Record
from psyllm.core.starter import records_of

FILES_TRIED = 50
# The first object may be an odd one, an empty chat for example.
ITEMS_TRIED = 3
MOST_NAMES_KEPT = 20
SAMPLE_BYTES = 1 << 20
MOST_STARTER_BYTES = 1 << 26
_KNOWN_TABLE = Path(__file__).parent / "known.toml"
_FOREIGN = {b"%PDF": ("a PDF file", "write its text as Markdown, then import")}
_BEGINS_DATA = ("[", "{")


class KnownForm(NamedTuple):
    """A form as it is listed for people."""

    name: str
    example: str
    note: str


class Format(NamedTuple):
    """A form's name and the importer that reads it; `is_data` tells a file of many records from a lone text."""

    name: str
    read: Callable[[Path, Source], Iterator[Record]]
    is_data: bool = True


def known_forms() -> list[KnownForm]:
    """Return the forms that can be imported, each with an example."""
    return [KnownForm(**form) for form in tomllib.loads(_KNOWN_TABLE.read_text("utf-8"))["form"]]


def known() -> str:
    """Return the names of the known forms and packings."""
    names = ", ".join(form.name for form in known_forms())
    return f"{names}; plain or packed (gzip, xz, bzip2, zstd), alone, in a folder, tar or zip"


def recognise(path: Path, decoding: Decoding | None = None, columns: ColumnSettings | None = None) -> Format:
    """Return the format of a file, folder or archive.

    Raises:
        MissingFile: there is nothing at the path.
        UnknownFormat: no importer fits, or it is unclear what a table's columns hold.
        WrongEncoding: bytes are damaged or their encoding can't be told.
        MalformedInput: the beginning is broken.
        EmptyCorpus: there is no text in it.
    """
    look = _Look((decoding or Decoding()).apart(), columns or ColumnSettings())
    reading.need(path)
    pages = _of_pages(path)
    if pages is not None:
        return pages
    if reading.is_archive(path):
        return look.archive(path)
    first = reading.head(path)
    if first.startswith(parquet_items.MAGIC):
        return look.parquet(path)
    if zips.begins_as_zip(path):
        return look.office(path)
    for magic, (what, next_step) in _FOREIGN.items():
        if first.startswith(magic):
            message = f"{path} is {what}"
            raise UnknownFormat(message, next_step)
    return look.text_file(path)


def _of_pages(path: Path) -> Format | None:
    """Return the format of what holds pages of sites."""
    if warc.is_archive(path):
        return Format("WARC archive", warc.records)
    return Format("HTML pages", html_dump.records) if html_dump.is_dump(path) else None


class _Look:
    """One look at a path, with what is said of its encoding and columns."""

    def __init__(self, decoding: Decoding, columns: ColumnSettings) -> None:
        self._decoding = decoding
        self._said = columns

    def text_file(self, path: Path) -> Format:
        """Return the format of a file of text."""
        with reading.text(path, self._decoding) as stream:
            raw = stream.read(SAMPLE_BYTES)
        sample = codecs.getincrementaldecoder("utf-8")().decode(raw).replace("\r\n", "\n")
        if not sample.strip():
            raise _empty(path)
        if sample.lstrip().startswith("["):
            return self._items(path, json_items.array)
        if sample.lstrip().startswith("{"):
            return self._objects(path)
        return self._plain(path, sample)

    def _plain(self, path: Path, sample: str) -> Format:
        if chatml.is_chatml(sample):
            return Format("ChatML text", chat_texts.records)
        table = csv_rows.sniff(sample, self._said)
        if table is not None and table.columns is not None:
            return Format("CSV table", partial(_csv, dialect=table))
        if dialogues_text.is_dialogue_text(sample):
            return _TEXT_FORMS["dialogue"]
        if markdown.is_markdown(sample):
            return _TEXT_FORMS["markdown"]
        if table is not None:
            raise tables.unclear(table.header, str(path))
        message = f"{path} is text, but neither JSON nor a table, a dialogue or Markdown"
        raise UnknownFormat(message, _next())

    def parquet(self, path: Path) -> Format:
        """Return the format of a Parquet file."""
        if reading.is_packed(path):
            message = f"{path} is a packed Parquet file"
            raise UnknownFormat(message, "unpack it, then import")
        if parquet_items.is_ours(path):
            return Format("psyllm records", parquet_items.records)
        return self._items(path, lambda path, _: parquet_items.items(path))

    def office(self, path: Path) -> Format:
        """Return the format of an Office file."""
        if not xlsx_rows.is_workbook(path):
            message = f"{path} is an Office file, but no Excel workbook"
            raise UnknownFormat(message, "save its text as Markdown or its table as CSV; then import that")
        columns = xlsx_rows.columns_in(path, self._said)
        if columns is None:
            headers = xlsx_rows.headers(path)
            raise tables.unclear(headers[0], str(path)) if headers else _empty(path)
        return Format("Excel table", partial(_workbook, columns=columns, said=self._said))

    def _objects(self, path: Path) -> Format:
        """Return the format of a file that begins with an object: JSON Lines, or the starter's one object."""
        try:
            first = next(json_items.lines(path, self._decoding.apart())).value
        except MalformedInput:
            first = None
        if first is not None and not _is_starter(first):
            return self._items(path, json_items.lines)
        content = _loaded(path, self._decoding)
        if not _is_starter(content):
            raise item_forms.unknown_fields(path, content, _next())
        return Format("starter corpus", _starter)

    def _items(self, path: Path, items: Callable[[Path, Decoding], Iterator[json_items.Item]]) -> Format:
        first = [item.value for item in itertools.islice(items(path, self._decoding.apart()), ITEMS_TRIED)]
        if not first:
            raise _empty(path)
        forms = (item_forms.form_of(value, self._said) for value in first)
        form = next((form for form in forms if form is not None), None)
        if form is None:
            raise item_forms.unknown_fields(path, first[0], _next())
        return Format(
            form.name, lambda path, source: form.read(lambda decoding: items(path, decoding), path, source)
        )

    def archive(self, path: Path) -> Format:
        """Return the format that most of the first files have."""
        found: Counter[str] = Counter()
        heads = itertools.islice(reading.heads(path, SAMPLE_BYTES), FILES_TRIED)
        for number, (name, raw) in enumerate(heads, 1):
            found[self._kind(raw, f"{path}, {told(name, number)}")] += 1
        text = max(_TEXT_FORMS, key=lambda kind: found[kind])
        if found["data"] and found["data"] >= found[text]:
            return Format("files of data", partial(_files, said=self._said))
        if found[text]:
            return _TEXT_FORMS[text]
        if not found["text"]:
            raise _empty(path)
        message = f"the first {FILES_TRIED} files of {path} are neither dialogues, Markdown nor data"
        raise UnknownFormat(message, _next())

    def _kind(self, raw: bytes, place: str) -> str:
        """Return what a file of an archive is, by its beginning."""
        if raw.startswith(reading.DATA_BEGINS):
            return "data"
        if looks_binary(raw):
            return "binary"
        rules = Decoding(self._decoding.encoding, "leave_out")
        text = decode(raw, place, rules).replace("\r\n", "\n").lstrip()
        table = csv_rows.sniff(text, self._said)
        tests = (
            ("empty", not text),
            ("data", text.startswith(_BEGINS_DATA)),
            ("chatml", chatml.is_chatml(text)),
            ("data", table is not None and table.columns is not None),
            ("dialogue", dialogues_text.is_dialogue_text(text)),
            ("markdown", markdown.is_markdown(text)),
        )
        return next((kind for kind, fits in tests if fits), "text")


def _files(path: Path, source: Source, said: ColumnSettings) -> Iterator[Record]:
    """Yield the records of every file of data; other files are counted and the first of them named."""
    names: list[str] = []
    for number, file in enumerate(reading.files(path), 1):
        form = None
        try:
            if not reading.is_archive(file.path):
                form = recognise(file.path, source.decoding, said)
        except (UnknownFormat, EmptyCorpus):
            form = None
        except BadInput as error:
            raise _inside(error, file, number, path) from None
        if form is None or not form.is_data:
            source.read += 1
            source.leave_out("file_is_no_data")
            names.append(source.without_person(file.name))
            continue
        source.inside = f"{file.name}/"
        try:
            yield from form.read(file.path, source)
        except BadInput as error:
            raise _inside(error, file, number, path) from None
    source.inside = ""
    if names:
        source.facts["files_left_out"] = ", ".join(names[:MOST_NAMES_KEPT])


def _inside(error: BadInput, file: reading.File, number: int, path: Path) -> BadInput:
    """Return the error with the archive and the name or number inside it in place of the copy's path."""
    place, shown = str(file.path), f"{path}, {told(file.name, number)}"
    return type(error)(error.message.replace(place, shown), error.next_step.replace(place, shown))


def _csv(path: Path, source: Source, dialect: csv_rows.Dialect) -> Iterator[Record]:
    columns = dialect.columns or tables.Columns("", {}, ())
    return tables.records(csv_rows.rows(path, dialect, source), columns, source)


def _workbook(path: Path, source: Source, columns: tables.Columns, said: ColumnSettings) -> Iterator[Record]:
    return tables.records(xlsx_rows.rows(path, columns, said, source), columns, source)


def _is_starter(value: object) -> bool:
    return isinstance(value, dict) and {"licence", "questions", "articles"} <= value.keys()


def _loaded(path: Path, decoding: Decoding) -> object:
    with reading.text(path, decoding) as stream:
        whole = stream.read(MOST_STARTER_BYTES)
    try:
        return orjson.loads(whole)
    except orjson.JSONDecodeError as error:
        message = f"{path} is not valid JSON: line {error.lineno:,}, column {error.colno:,}"
        raise MalformedInput(message, "mend that line, then import again") from None


def _starter(path: Path, source: Source) -> Iterator[Record]:
    content = _loaded(path, source.decoding)
    permissions = {"licence": source.licence, "may_train": source.may_train, "may_show": source.may_show}
    try:
        for record in source.each(records_of(content if isinstance(content, dict) else {}, source.name)):
            yield record.model_copy(update=permissions)
    except (KeyError, TypeError, AttributeError, ValidationError):
        message = f"{path} has the starter corpus's form, but a question or article lacks a field"
        raise MalformedInput(message, "compare it with psyllm/starter/starter.json") from None


def _next() -> str:
    return f"write it in a known form (psyllm collect formats shows them), then import again; known are: {known()}"


def _empty(path: Path) -> PsyError:
    return EmptyCorpus(f"{path} holds no text", "check that it is the file you mean, then import again")


def _members_with(
    read: Callable[[Iterator[reading.Member], Path, Source], Iterator[Record]],
) -> Callable[[Path, Source], Iterator[Record]]:
    return lambda path, source: read(reading.members(path), path, source)


_TEXT_FORMS = {
    "dialogue": Format("dialogue text files", _members_with(dialogues_text.records), is_data=False),
    "markdown": Format("Markdown files", _members_with(markdown.records), is_data=False),
    "chatml": Format("ChatML text", _members_with(chat_texts.member_records)),
}
