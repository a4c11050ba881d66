"""What was forgotten, so that it is never taken in again.

Lines of `data/tombstones.jsonl` come in; the question whether a record may stay,
and what of it, goes out. A tombstone holds hashes only: the list must not say
who asked for what. Lines are appended and never changed. Who removes what is
there already is `core/forgetting.py`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple, Self

from pydantic import ValidationError

from psyllm.core.errors import MalformedInput
from psyllm.core.records import Frozen, Record

MarkKind = Literal["url", "author", "content"]
FORGOTTEN = "forgotten"  # the reason by which it is counted wherever something is left out


class Tombstone(Frozen):
    """One thing that stays out: the hash of an address, an author's or a content hash; when it was said."""

    kind: MarkKind
    mark: str
    at: str = ""


class Tombstones(NamedTuple):
    """All marks by kind."""

    urls: frozenset[str] = frozenset()
    authors: frozenset[str] = frozenset()
    contents: frozenset[str] = frozenset()

    @classmethod
    def of(cls, marks: Iterable[Tombstone]) -> Self:
        """Return the marks by kind."""
        marks = list(marks)
        by_kind = {kind: frozenset(one.mark for one in marks if one.kind == kind) for kind in _KINDS}
        return cls(by_kind["url"], by_kind["author"], by_kind["content"])

    @property
    def is_empty(self) -> bool:
        """Whether nothing was forgotten."""
        return not any(self)

    def has_url(self, url: str) -> bool:
        """Return whether an address was forgotten."""
        return bool(self.urls) and url_mark(url) in self.urls

    def left_of(self, record: Record, content_hash: str = "") -> Record | None:
        """Return what may stay: the record, the record without some answers, or None.

        `content_hash` spares computing it again.
        """
        if self.is_empty:
            return record
        if record.author_hash in self.authors or (record.url and self.has_url(record.url)):
            return None
        if self.contents and (content_hash or record.content_hash) in self.contents:
            return None
        answers = tuple(answer for answer in record.answers if answer.author_hash not in self.authors)
        if len(answers) == len(record.answers):
            return record
        return record.model_copy(update={"answers": answers}) if answers else None


_KINDS: tuple[MarkKind, ...] = ("url", "author", "content")
NO_TOMBSTONES = Tombstones()


def tombstones_path(data: Path) -> Path:
    """Return where a data folder keeps its tombstones."""
    return data / "tombstones.jsonl"


def url_mark(url: str) -> str:
    """Return the hash by which an address is remembered."""
    return hashlib.sha256(url.strip().encode()).hexdigest()


def read_tombstones(data: Path) -> Tombstones:
    """Return all tombstones of a data folder.

    Raises:
        MalformedInput: a line is no tombstone; what was forgotten must not come back for it.
    """
    path = tombstones_path(data)
    if not path.exists():
        return NO_TOMBSTONES
    marks = []
    for number, line in enumerate(path.read_text("utf-8").split("\n"), 1):
        if line.strip():
            try:
                marks.append(Tombstone.model_validate_json(line))
            except ValidationError:
                message = f"{path}, line {number}: this is no tombstone"
                raise MalformedInput(message, "put the file back as it was before you go on") from None
    return Tombstones.of(marks)


def append_tombstones(data: Path, marks: Iterable[Tombstone]) -> None:
    """Add tombstones and wait until the disk has them."""
    path = tombstones_path(data)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.writelines(f"{mark.model_dump_json()}\n" for mark in marks)
        file.flush()
        os.fsync(file.fileno())
