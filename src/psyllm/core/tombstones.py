"""What was forgotten, so that it is never taken in again.

Lines of `data/tombstones.jsonl` come in; the question whether a record may stay,
and what of it, goes out. A tombstone holds hashes only: the list must not say
who asked for what. Lines are appended and never changed. Who removes what is
there already is `core/forgetting.py`.

What was forgotten whole leaves marks of its parts, too: a thread that comes back
with one more answer, or an answer that comes back under a copy of the question,
has another content hash; a dialogue that comes back with one more turn has, too.
Whose words they are counts: a mark names the texts of the same author and, of
texts without an author, those too long to be anybody's. Very short texts leave none:
many people wrote the same. Ids are given by files, and another file gives them to
other texts: an id counts only where a text is the same as well.
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
from psyllm.core.private import Private
from psyllm.core.records import NORMALISER_VERSION, Answer, Frozen, Record

MarkKind = Literal["url", "author", "content", "question", "answer", "id", "turn", "thread"]
# Fewer characters, white space aside, are anybody's words ("抱抱你"): others would lose theirs.
FEWEST_MARKED_CHARS = 8
# Where nobody says who wrote it, the same words may be another's; so many were hardly chosen twice. Guesses by hand.
FEWEST_NAMELESS_CHARS = 20
# The turns that tell a dialogue of short turns from others.
OPENING_TURNS = 2
# Stands for an author where a text without one was forgotten: it stays out whoever is said to have written it.
_ANYBODY = "*"
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
    turns: frozenset[str] = frozenset()
    threads: frozenset[str] = frozenset()

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

    def has_thread(self, key: str) -> bool:
        """Return whether a thread was forgotten; its key is the site's name and the site's own key."""
        return bool(self.threads) and bool(key) and thread_mark(key) in self.threads

    def names_text(self, record: Record, content_hash: str = "") -> bool:
        """Return whether a record is forgotten whole, by its address, words or id."""
        return (
            (bool(record.url) and self.has_url(record.url))
            or self.has_thread(_site_key(record.id))
            or (bool(self.contents) and (content_hash or record.content_hash) in self.contents)
            or (
                bool(self.questions)
                and self._names(self.questions, question_words(record), record.author_hash)
            )
            or self._names_turns(record)
            or (bool(self.ids) and id_mark(record.id) in self.ids and self._shares_words(record))
        )

    def names_answer(self, answer: Answer) -> bool:
        """Return whether one answer is forgotten, by who wrote it or by its words."""
        return answer.author_hash in self.authors or (
            bool(self.answers) and self._names(self.answers, answer_words(answer.text), answer.author_hash)
        )

    def _names_turns(self, record: Record) -> bool:
        return bool(self.turns) and any(
            self._names(self.turns, words, record.author_hash) for words in turns_words(record)
        )

    def _names(self, marks: frozenset[str], words: Words, author: str) -> bool:
        """Return whether a text is marked as this author's, or long enough to be the marked one."""
        if words.chars < FEWEST_MARKED_CHARS:
            return False
        if author in self.authors:
            return words.mark() in marks
        if not author:
            return words.chars >= FEWEST_NAMELESS_CHARS and words.mark() in marks
        return words.mark(author) in marks or words.mark(_ANYBODY) in marks

    def _shares_words(self, record: Record) -> bool:
        """Return whether any text of a record is marked, whoever wrote it."""
        return (
            question_words(record).mark() in self.questions
            or any(answer_words(answer.text).mark() in self.answers for answer in record.answers)
            or any(words.mark() in self.turns for words in turns_words(record))
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


_KINDS: tuple[MarkKind, ...] = ("url", "author", "content", "question", "answer", "id", "turn", "thread")
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


def thread_mark(key: str) -> str:
    """Return the hash by which a thread of a site is remembered, whichever of its addresses was given."""
    return hashlib.sha256(f"thread\x1f{key}".encode()).hexdigest()


def _site_key(key: str) -> str:
    """Return a record's key in its source, which for a page of a site is that of its thread."""
    return key.partition(":")[2].rpartition("/")[2].partition("#")[0]


class Words(NamedTuple):
    """What is remembered of a text: a hash of it with white space folded can be made, the text is not shown.

    `chars` are its characters, white space aside.
    """

    kind: str
    folded: Private
    chars: int

    def mark(self, author: str = "") -> str:
        """Return the hash by which it is remembered as an author's; empty for what is too short for one."""
        if self.chars < FEWEST_MARKED_CHARS:
            return ""
        said = f"{NORMALISER_VERSION}\x1f{self.kind}\x1f{self.folded.reveal()}"
        return hashlib.sha256((f"{said}\x1f{author}" if author else said).encode()).hexdigest()

    def marks(self, author: str) -> set[str]:
        """Return all hashes by which it is to be found again, once it is forgotten."""
        return {self.mark(), self.mark(author or _ANYBODY)} - {""}


def question_words(record: Record) -> Words:
    """Return what is remembered of a record's title and text."""
    return _words("question", record.title, record.text)


def answer_words(text: str) -> Words:
    """Return what is remembered of an answer."""
    return _words("answer", text)


def turns_words(record: Record) -> list[Words]:
    """Return what is remembered of a dialogue: each longer turn of the visitor, and how it opens."""
    spoken = [_words("turn", turn.text) for turn in record.turns if turn.role == "visitor"]
    longer = [words for words in spoken if words.chars >= FEWEST_NAMELESS_CHARS]
    opening = [turn.text for turn in record.turns[:OPENING_TURNS]]
    return [*longer, _words("opening", *opening)] if len(opening) == OPENING_TURNS else longer


def id_mark(key: str) -> str:
    """Return the hash by which a record's id is remembered."""
    return hashlib.sha256(f"id\x1f{key}".encode()).hexdigest()


def _words(kind: str, *texts: str) -> Words:
    parts = [text.split() for text in texts if text]
    folded = "\x1e".join(" ".join(part) for part in parts)
    return Words(kind, Private(folded), sum(len(word) for part in parts for word in part))


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
