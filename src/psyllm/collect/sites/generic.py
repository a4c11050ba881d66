"""Any page of any other site, as a document.

Comes in: a page. Goes out: its main text and title, found by trafilatura in a
process with a hard limit of time (`extraction.py`), and the links to pages of
the same host. Who said what is not known here, so threads of forums come out as
one text; no author is kept. Pages that ask robots not to index them are left out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser

from psyllm.collect.sites.addresses import canonical, host_of, split
from psyllm.collect.sites.authors import Authors
from psyllm.collect.sites.content import without_names
from psyllm.collect.sites.contract import Draft, Link, Page, PageKind, Piece, Reading, Stop
from psyllm.collect.sites.decoding import decoded
from psyllm.collect.sites.extraction import Extract, Extraction
from psyllm.collect.sites.merging import merged
from psyllm.collect.sites.parsing import nests_too_deeply, parsed
from psyllm.collect.sites.times import utc
from psyllm.collect.sites.walls import wall_in, wall_of

SHORT_CHARS = 200  # a wall's own words are fewer than this
_NO_PAGE = re.compile(
    r"\.(?:jpe?g|png|gif|webp|svg|ico|bmp|css|js|json|xml|rss|pdf|docx?|xlsx?|pptx?|zip|rar|7z|gz|tar|apk|exe|dmg"
    r"|mp[34]|m4a|wav|flv|avi|mov|wmv|swf|woff2?|ttf)$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Generic:
    """The adapter; holds one worker process from its first page until `close`."""

    extraction: Extraction = field(default_factory=Extraction)
    name: str = "generic"
    hosts: tuple[str, ...] = ()

    def kind_of(self, url: str) -> PageKind:
        """Return article for every address that may be a page."""
        parts = split(url)
        return "article" if parts and not _NO_PAGE.search(parts.path) else "other"

    def thread_of(self, url: str) -> str:
        """Return a hash of the canonical URL: each page is a thread of its own."""
        address = canonical(url)
        return f"page-{hashlib.sha256(address.encode()).hexdigest()[:16]}" if address else ""

    def links(self, page: Page) -> tuple[Link, ...]:
        """Return the pages of the same host that a page links to."""
        tree = parsed(decoded(page.body, page.content_type).markup)
        return () if _asks(tree, "nofollow") else self._links(page, tree)

    def read(self, page: Page, authors: Authors) -> Reading:
        """Return the page's text as one article; authors are not looked for."""
        del authors
        markup = decoded(page.body, page.content_type)
        if nests_too_deeply(markup.markup):
            return Reading(left_out=("page_nests_too_deeply",))
        tree = parsed(markup.markup)
        links = () if _asks(tree, "nofollow") else self._links(page, tree)
        if _asks(tree, "noindex"):
            return Reading(links=links, left_out=("page_asks_not_to_be_indexed",))
        found = self.extraction.extract(markup.text(), page.url)
        stop = _wall(found, page)
        if stop:
            return Reading(self._gone(page) if stop == "deleted" else (), links, stop)
        if found.failure:
            return Reading(links=links, left_out=(found.failure,))
        thread = self.thread_of(page.url)
        piece = Piece(
            key=thread,
            kind="article",
            thread=thread,
            title=without_names(found.title),
            text=without_names(found.text),
            written_at=utc(found.date, page.fetched_at),
            url=canonical(page.url),
            fetched_at=page.fetched_at,
        )
        return Reading((piece,), links)

    def assemble(self, thread: str, readings: Iterable[Reading]) -> Iterator[Draft]:
        """Yield the document, from the newest copy of its page."""
        return merged(self.name, thread, readings)

    def close(self) -> None:
        """End the worker process."""
        self.extraction.close()

    def _gone(self, page: Page) -> tuple[Piece, ...]:
        thread = self.thread_of(page.url)
        return (Piece(thread, "gone", thread, url=page.url, fetched_at=page.fetched_at),)

    def _links(self, page: Page, tree: LexborHTMLParser) -> tuple[Link, ...]:
        own = split(page.url)
        if own is None:
            return ()
        nodes = (node for node in tree.css("a[href]") if "nofollow" not in (node.attributes.get("rel") or ""))
        urls = dict.fromkeys(canonical(node.attributes.get("href") or "", page.url) for node in nodes)
        kept = (url for url in urls if (parts := split(url)) and host_of(parts) == host_of(own))
        return tuple(
            Link(url, "article")
            for url in kept
            if url != canonical(page.url) and self.kind_of(url) == "article"
        )


def _wall(found: Extract, page: Page) -> Stop:
    """Return the wall that a page is; a text is a wall's only when no word of it can be a person's."""
    if found.failure == "no_text_found":
        stop = wall_of(page)
        return "" if stop == "changed" else stop
    return wall_in(found.text, page) if not found.failure and len(found.text) < SHORT_CHARS else ""


def _asks(tree: LexborHTMLParser, wish: str) -> bool:
    """Return whether a page's robots meta asks for this (`none` means both)."""
    contents = (node.attributes.get("content") or "" for node in tree.css("meta[name='robots' i]"))
    words = {word.strip().lower() for content in contents for word in content.split(",")}
    return wish in words or "none" in words
