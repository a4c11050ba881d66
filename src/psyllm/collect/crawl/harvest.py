"""Pages as fetched become records: the pages of a thread are read together.

The acknowledged pages of a crawl come in by their places; records with URL, time,
permission and robots.txt go out. Only one thread's pages are in memory at a time.
Markup that is not as the adapter expects, walls and pages gone from the disk are
counted, never passed over in silence. Mending and dropping texts is `clean`'s.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from psyllm.collect.crawl.segments import StoredPage, read_page
from psyllm.collect.sites.authors import Authors
from psyllm.collect.sites.contract import Adapter, Draft, Page, Reading
from psyllm.collect.source import Source
from psyllm.core.errors import MalformedInput
from psyllm.core.records import Record


class Stored(NamedTuple):
    """A stored page as the frontier remembers it."""

    url: str
    kind: str
    where: str


class Harvest:
    """Makes the records of one crawl; `pages` counts those that were read."""

    def __init__(
        self, segments: Path, adapter_for: Callable[[str], Adapter], authors: Authors, source: Source
    ) -> None:
        self._segments = segments
        self._adapter_for = adapter_for
        self._authors = authors
        self._source = source
        self.pages = 0

    def records(self, stored: Iterable[Stored]) -> Iterator[Record]:
        """Yield the records of all threads, in the order of their keys."""
        for (*_, thread), pages in sorted(self._threads(stored).items()):
            adapter = self._adapter_for(pages[0].url)
            seen: list[StoredPage] = []
            for draft in adapter.assemble(thread, self._readings(adapter, pages, seen)):
                yield self._record(draft, seen)

    def _threads(self, stored: Iterable[Stored]) -> dict[tuple[str, tuple[str, ...], str], list[Stored]]:
        """Group pages by site and thread, by their URLs alone where that is enough."""
        threads: dict[tuple[str, tuple[str, ...], str], list[Stored]] = defaultdict(list)
        for page in stored:
            adapter = self._adapter_for(page.url)
            for thread in self._thread_names(adapter, page):
                threads[adapter.name, adapter.hosts, thread].append(page)
        return threads

    def _thread_names(self, adapter: Adapter, page: Stored) -> set[str]:
        thread = adapter.thread_of(page.url)
        if thread:
            return {thread}
        if adapter.kind_of(page.url) in {"list", "other"}:
            self._source.left_out["page_of_no_thread"] += 1
            return set()
        # Its thread stands on the page only, as on Yixinli's mobile answers.
        found = self._fetched(page)
        pieces = () if found is None else adapter.read(_as_page(found), self._authors).pieces
        return {piece.thread for piece in pieces if piece.thread}

    def _readings(
        self, adapter: Adapter, pages: Iterable[Stored], seen: list[StoredPage]
    ) -> Iterator[Reading]:
        for page in pages:
            found = self._fetched(page)
            if found is None:
                continue
            reading = adapter.read(_as_page(found), self._authors)
            if reading.stop:
                self._source.left_out[f"page_{reading.stop}"] += 1
            self._source.left_out.update(reading.left_out)
            self.pages += 1
            seen.append(found._replace(body=b""))
            yield reading

    def _fetched(self, page: Stored) -> StoredPage | None:
        try:
            return read_page(self._segments, page.where)
        except MalformedInput:
            self._source.left_out["page_unreadable"] += 1
            return None

    def _record(self, draft: Draft, seen: list[StoredPage]) -> Record:
        page = next((page for page in seen if page.url == draft.url), seen[0])
        return draft.record(self._source, permission_id=page.permission_id, robots_hash=page.robots_hash)


def _as_page(page: StoredPage) -> Page:
    return Page(page.url, page.body, page.content_type, page.fetched_at)
