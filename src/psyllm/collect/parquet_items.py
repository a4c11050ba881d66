"""Rows of a Parquet file.

Comes in: a Parquet file, ours or another's. Goes out: records, if it has our
own schema; else the rows as objects, so that the importers of JSON take them.
Row groups are streamed. What others wrote is validated like any input.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from psyllm.collect.json_items import Item
from psyllm.collect.source import Source
from psyllm.core.errors import MalformedInput, WrongEncoding
from psyllm.core.records import Record, from_row

MAGIC = b"PAR1"
ROWS_AT_ONCE = 256
_OURS = frozenset(["id", "kind", "group", "source", "licence"])


def is_ours(path: Path) -> bool:
    """Return whether a file has the columns of our own records."""
    with _opened(path) as file:
        return set(file.schema_arrow.names) >= _OURS


def column_names(path: Path) -> list[str]:
    """Return the names of the columns."""
    with _opened(path) as file:
        return list(file.schema_arrow.names)


def items(path: Path) -> Iterator[Item]:
    """Yield the rows as objects.

    Raises:
        MalformedInput: the file breaks off or is damaged.
        WrongEncoding: a text is not UTF-8.
    """
    with _opened(path) as file:
        number = 0
        for batch in file.iter_batches(batch_size=ROWS_AT_ONCE):
            for row in batch.to_pylist():
                number += 1
                yield Item(row, orjson.dumps(row, default=str), f"row {number:,}")


def records(path: Path, source: Source) -> Iterator[Record]:
    """Yield our own records under the name, licence and permissions of the source; none is widened.

    Raises:
        MalformedInput: a row is no record of ours.
    """
    for item in source.each(items(path)):
        row = item.value
        try:
            record = from_row(row if isinstance(row, dict) else {})
        except ValidationError as error:
            field = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
            message = f"{path}, {item.where}: {field or 'the row'} is not as in a record of this version"
            raise MalformedInput(message, "write the records again with this version of psyllm") from None
        said = source.provenance(record.id)
        said["group"] = (
            f"{source.name}:{source.without_person(source.inside)}{source.without_person(record.group)}"
        )
        said["may_train"] = source.may_train and record.may_train
        said["may_show"] = source.may_show and record.may_show
        yield record.model_copy(update=said)


@contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except UnicodeDecodeError:
        message = f"{path} is Parquet, but a text in it is not UTF-8"
        raise WrongEncoding(message, "write it again with texts in UTF-8, then import that") from None
    except (pa.ArrowInvalid, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        message = f"{path} breaks off or is damaged: its Parquet data can't be read"
        raise MalformedInput(message, "fetch it again, then import") from None
