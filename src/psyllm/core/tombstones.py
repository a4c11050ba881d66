"""What was forgotten, so that it is never taken in again.

Lines of `data/tombstones.jsonl` come in; the question whether a record may stay,
and what of it, goes out. A tombstone holds hashes only: the list must not say
who asked for what. Lines are appended and never changed. Who removes what is
there already is `core/forgetting.py`.

What was forgotten whole leaves marks of its parts, too: a thread that comes back
with one more answer, or an answer that comes back under a copy of the question,
has another content hash. Short texts leave none: many people wrote the same.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Literal, NamedTuple, Self

from pydantic import ValidationError

from psyllm.core.addresses import meant_by
from psyllm.core.errors import MalformedInput
from psyllm.core.records import NORMALISER_VERSION, Answer, Frozen, Record

MarkKind = Literal["url", "author", "content", "question", "answer", "id"]
# Fewer characters, white space aside, are anybody's words ("抱抱你"): others would lose theirs.
FEWEST_MARKED_CHARS = 8
FORGOTTEN = "forgotten"  # the reason by which it is counted wherever something is left out


class Tombstone(Frozen):
    """One thing that stays out: a hash of an address, an author, a text or an id; when it was said."""

    kind: MarkKind
    mark: str
    at: str = ""


class Tombstones(NamedTuple):
    """All marks by kind."""

    urls: frozenset[str] = frozenset()
    authors: frozenset[str] = frozenset()
    contents: frozenset[str] = frozenset()
    questions: frozenset[str] = frozenset()
    answers: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()

    @classmethod
    def of(cls, marks: Iterable[Tombstone]) -> Self:
        """Return the marks by kind."""
        marks = list(marks)
        return cls(*(frozenset(one.mark for one in marks if one.kind == kind) for kind in _KINDS))

    def with_more(self, more: Tombstones) -> Tombstones:
        """Return these marks and others."""
        return Tombstones(*(mine | others for mine, others in zip(self, more, strict=True)))

    @property
    def is_empty(self) -> bool:
        """Whether nothing was forgotten."""
        return not any(self)

    def has_url(self, url: str) -> bool:
        """Return whether an address was forgotten."""
        return is_marked_url(url, self.urls)

    def names_text(self, record: Record, content_hash: str = "") -> bool:
        """Return whether a record is forgotten whole, by its address, words or id."""
        return (
            (bool(record.url) and self.has_url(record.url))
            or (bool(self.contents) and (content_hash or record.content_hash) in self.contents)
            or (bool(self.questions) and question_mark(record) in self.questions)
            or (bool(self.ids) and id_mark(record.id) in self.ids)
        )

    def names_answer(self, answer: Answer) -> bool:
        """Return whether one answer is forgotten, by who wrote it or by its words."""
        return answer.author_hash in self.authors or (
            bool(self.answers) and answer_mark(answer.text) in self.answers
        )

    def left_of(self, record: Record, content_hash: str = "") -> Record | None:
        """Return what may stay: the record, the record without some answers, or None.

        `content_hash` spares computing it again.
        """
        if self.is_empty:
            return record
        if record.author_hash in self.authors or self.names_text(record, content_hash):
            return None
        answers = tuple(answer for answer in record.answers if not self.names_answer(answer))
        if len(answers) == len(record.answers):
            return record
        left = record.model_copy(update={"answers": answers})
        # What was left may have been forgotten by its own hash later.
        return left if answers and left.content_hash not in self.contents else None


_KINDS: tuple[MarkKind, ...] = ("url", "author", "content", "question", "answer", "id")
NO_TOMBSTONES = Tombstones()


def tombstones_path(data: Path) -> Path:
    """Return where a data folder keeps its tombstones."""
    return data / "tombstones.jsonl"


def url_mark(url: str) -> str:
    """Return the hash by which an address is remembered, the same for every spelling of it."""
    return hashlib.sha256(meant_by(url).encode()).hexdigest()


def is_marked_url(url: str, marks: Collection[str]) -> bool:
    """Return whether an address is among the marks; older lists hold the hash of its one spelling."""
    if not marks:
        return False
    return url_mark(url) in marks or hashlib.sha256(url.strip().encode()).hexdigest() in marks


def question_mark(record: Record) -> str:
    """Return the hash of a record's title and text, white space folded; empty for one too short to be one person's."""
    return _mark_of_words("question", record.title, record.text)


def answer_mark(text: str) -> str:
    """Return the hash of an answer, white space folded; empty for one too short to be one person's."""
    return _mark_of_words("answer", text)


def id_mark(key: str) -> str:
    """Return the hash by which a record's id is remembered."""
    return hashlib.sha256(f"id\x1f{key}".encode()).hexdigest()


def _mark_of_words(kind: str, *texts: str) -> str:
    words = [text.split() for text in texts if text]
    if sum(len(word) for text in words for word in text) < FEWEST_MARKED_CHARS:
        return ""
    folded = "\x1e".join(" ".join(text) for text in words)
    return hashlib.sha256(f"{NORMALISER_VERSION}\x1f{kind}\x1f{folded}".encode()).hexdigest()


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
    before = path.stat().st_size if path.exists() else 0
    try:
        with path.open("a", encoding="utf-8") as file:
            file.writelines(f"{mark.model_dump_json()}\n" for mark in marks)
            file.flush()
            os.fsync(file.fileno())
    except OSError:  # half a line would stop everything that reads the list
        if path.exists():
            os.truncate(path, before)
        raise
