"""What a site adapter is: from one page to pieces, from all pages of a thread to drafts.

Comes in: pages as they were fetched or lay in an archive. Goes out: pieces (a
question, an answer, an article, a post), links, and drafts, which an importer
or the crawler turns into records with `Draft.record`. An adapter opens no
connection, keeps no state and never sees a cookie. Names, pictures and places
of authors stop here: of an author only a keyed hash goes on (`authors.py`).

A thread is a question with all of its answers, however many pages they fill,
or an article. Its key can be told from a URL alone, so that pages of one thread
can be brought together before any of them is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, Protocol

from psyllm.collect.sites.authors import Authors
from psyllm.collect.source import Source
from psyllm.core.records import Answer, Record

PageKind = Literal["question", "answers", "article", "list", "other"]
PieceKind = Literal["question", "answer", "article", "post", "gone"]
# Why a page gives less than it should. `changed`: the markup is not as expected; what could
# be read is in the pieces all the same. The others are hard stops for a crawler.
Stop = Literal["", "login", "captcha", "waf", "overload", "deleted", "changed"]


class Page(NamedTuple):
    """A page as it came: `body` without transfer or content encoding, `fetched_at` ISO 8601 in UTC."""

    url: str
    body: bytes
    content_type: str = ""
    fetched_at: str = ""


class Link(NamedTuple):
    """An absolute, canonical URL and the kind of page behind it."""

    url: str
    kind: PageKind


class Piece(NamedTuple):
    """What one person wrote at one place, without markup.

    `key` is the site's own (`answer-123`), `thread` the key of what it belongs to.
    A piece of kind `gone` says that what had this key was taken down: earlier
    copies of it are not used either.
    """

    key: str
    kind: PieceKind
    thread: str
    text: str = ""
    title: str = ""
    keywords: tuple[str, ...] = ()
    author_hash: str = ""
    votes: int | None = None
    written_at: str = ""
    url: str = ""
    fetched_at: str = ""


class Reading(NamedTuple):
    """What one page says; `left_out` names by reason what was seen and not taken, once for each."""

    pieces: tuple[Piece, ...] = ()
    links: tuple[Link, ...] = ()
    stop: Stop = ""
    page: int = 1
    left_out: tuple[str, ...] = ()


class Draft(NamedTuple):
    """A question with its answers, or a document: a record without source, licence and permission.

    `key` is the site's name and the thread's key: one source may hold several sites.
    """

    key: str
    kind: Literal["question", "document"]
    title: str = ""
    text: str = ""
    keywords: tuple[str, ...] = ()
    answers: tuple[Answer, ...] = ()
    author_hash: str = ""
    written_at: str = ""
    url: str = ""
    fetched_at: str = ""
    flags: tuple[str, ...] = ()

    def record(self, source: Source, *, permission_id: str = "", robots_hash: str = "") -> Record:
        """Return the record of this draft, named and licensed as its source says."""
        values = self._asdict()
        key = values.pop("key")
        permissions = {"permission_id": permission_id, "robots_hash": robots_hash}
        return Record(**values, **permissions, **source.provenance(key))


class Adapter(Protocol):
    """One site's shapes; `hosts` are host names, with the port where a fixture has one."""

    @property
    def name(self) -> str:
        """The site's name, as it enters an author's hash."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts that this adapter reads; none means any."""

    def kind_of(self, url: str) -> PageKind:
        """Return what a URL leads to; `other` for what no thread needs."""

    def thread_of(self, url: str) -> str:
        """Return the key of the thread that a URL's page belongs to, or an empty string."""

    def links(self, page: Page) -> tuple[Link, ...]:
        """Return the links of `read` alone, quickly."""

    def read(self, page: Page, authors: Authors) -> Reading:
        """Return what a page says; never raises for what a page holds."""

    def assemble(self, thread: str, readings: Iterable[Reading]) -> Iterator[Draft]:
        """Yield the drafts of one thread: none when its question was not seen or was taken down."""
