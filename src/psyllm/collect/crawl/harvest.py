"""Pages as fetched become records: the pages of a thread are read together.

The acknowledged pages of a crawl come in by their places; records with URL, time,
permission and robots.txt go out. Only one thread's pages are in memory at a time.
Markup that is not as the adapter expects, walls and pages gone from the disk are
counted, never passed over in silence. Records that an earlier harvest made of pages
that are gone now stay. Mending and dropping texts is `clean`'s.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple

from psyllm.collect.crawl.segments import StoredPage, read_page
from psyllm.collect.crawl.watched import names_page
from psyllm.collect.sites.authors import Authors
from psyllm.collect.sites.contract import Adapter, Draft, Page, Reading
from psyllm.collect.source import Source
from psyllm.core.errors import MalformedInput
from psyllm.core.records import Record, read_records
from psyllm.core.stages import Stage, stage_folder
from psyllm.core.tombstones import FORGOTTEN, NO_TOMBSTONES, Tombstones

NO_NAMES: frozenset[str] = frozenset()


class Stored(NamedTuple):
    """A stored page as the frontier remembers it."""

    url: str
    kind: str
    where: str

    @property
    def segment(self) -> str:
        """The name of the file that it lies in."""
        return self.where.partition(":")[0]


class Harvest:
    """Makes the records of one crawl; each page becomes one, joins one, or is left out for a counted reason.

    Pages in the segments of `expired` were removed when their time was over; `torn` are the
    ids of records that lack such a page, known when they have been yielded. So are the places in
    `forgotten`: pages that show what was forgotten and can still be read.
    """

    def __init__(
        self,
        segments: Path,
        adapter_for: Callable[[str], Adapter],
        authors: Authors,
        source: Source,
        tombstones: Tombstones = NO_TOMBSTONES,
        expired: AbstractSet[str] = NO_NAMES,
    ) -> None:
        self._tombstones = tombstones
        self._expired = expired
        self._torn_threads: set[tuple[str, str]] = set()
        self.torn: set[str] = set()
        self.forgotten: list[str] = []
        self._segments = segments
        self._adapter_for = adapter_for
        self._authors = authors
        self._source = source

    def records(self, stored: Iterable[Stored]) -> Iterator[Record]:
        """Yield the records of all threads, in the order of their keys."""
        for (*_, thread), pages in sorted(self._threads(stored).items()):
            yield from self._thread(thread, pages)

    def _threads(self, stored: Iterable[Stored]) -> dict[tuple[str, tuple[str, ...], str], list[Stored]]:
        """Group pages by site and thread, by their URLs alone where that is enough."""
        threads: dict[tuple[str, tuple[str, ...], str], list[Stored]] = defaultdict(list)
        for page in self._source.each(stored):
            if names_page(page.url, self._tombstones, self._adapter_for):
                self._source.leave_out(FORGOTTEN)
                self.forgotten.append(page.where)
                continue
            adapter = self._adapter_for(page.url)
            kind = adapter.kind_of(page.url)
            thread = adapter.thread_of(page.url)
            if page.segment in self._expired:
                self._source.leave_out("page_expired")
                if thread or kind == "answers":
                    self._torn_threads.add((adapter.name, thread))
                continue
            if not thread and kind == "answers":
                thread = self._thread_on_page(adapter, page)
            if not thread or kind in {"list", "other"}:
                self._source.leave_out("page_of_no_thread")
            else:
                threads[adapter.name, adapter.hosts, thread].append(page)
        return threads

    def _thread_on_page(self, adapter: Adapter, page: Stored) -> str:
        """Return the thread that stands on a page only, as on Yixinli's mobile answers."""
        found = self._fetched(page)
        pieces = () if found is None else adapter.read(_as_page(found), self._authors).pieces
        return next((piece.thread for piece in pieces), "")

    def _thread(self, thread: str, pages: Sequence[Stored]) -> Iterator[Record]:
        adapter = self._adapter_for(pages[0].url)
        seen: list[StoredPage] = []
        readings: list[Reading] = []
        for page in pages:
            found = self._fetched(page)
            if found is None:
                self._source.leave_out("page_unreadable")
                self._torn_threads.add(
                    (adapter.name, thread)
                )  # what stood on it may stand in an earlier record
                continue
            seen.append(found._replace(body=b""))
            readings.append(self._reading(adapter, found))
        drafts = list(adapter.assemble(thread, readings))
        useful = sum(_says_something(reading) for reading in readings)
        if drafts:
            self._source.joined += useful - len(drafts)
        else:
            for _ in range(useful):
                self._source.leave_out("thread_without_its_question")
        for draft in drafts:
            record = self._record(draft, seen)
            left = self._tombstones.left_of(record)
            if left is not record:
                self.forgotten += [page.where for page in pages]
            if left is None:
                self._source.leave_out(FORGOTTEN)
                continue
            # An answer whose thread stood on its page only may have been any thread's.
            if not self._torn_threads.isdisjoint({(adapter.name, thread), (adapter.name, "")}):
                self.torn.add(left.id)
            yield left

    def _reading(self, adapter: Adapter, page: StoredPage) -> Reading:
        """Return what a page says; a page that says nothing is counted here."""
        reading = adapter.read(_as_page(page), self._authors)
        for reason in reading.left_out:
            self._source.cut(reason)
        if not _says_something(reading):
            self._source.leave_out(f"page_{reading.stop}" if reading.stop else "page_without_text")
        elif reading.stop:
            self._source.cut(f"page_{reading.stop}")
        return reading

    def _fetched(self, page: Stored) -> StoredPage | None:
        try:
            return read_page(self._segments, page.where)
        except MalformedInput:
            return None

    def _record(self, draft: Draft, seen: Sequence[StoredPage]) -> Record:
        page = next((page for page in seen if page.url == draft.url), seen[0])
        return draft.record(self._source, permission_id=page.permission_id, robots_hash=page.robots_hash)


class Kept:
    """Records of an earlier harvest whose pages are gone since: overwritten by `psyllm forget`, or expired."""

    def __init__(
        self, tombstones: Tombstones, torn: AbstractSet[str] = NO_NAMES, *, pages_expired: bool = False
    ) -> None:
        """Prepare; `torn` is a harvest's, `pages_expired` whether some of its pages were removed."""
        self._tombstones = tombstones
        self._torn = torn
        self._pages_are_gone = pages_expired or not tombstones.is_empty
        self.carried_over = 0

    def with_earlier(self, records: Iterable[Record], data: Path, source: str) -> Iterator[Record]:
        """Yield the records, then what only the earlier run has; a page that can't be read takes none along.

        A torn record gets back the answers that stood on pages that are gone.
        """
        made: set[str] = set()
        torn: dict[str, Record] = {}
        for record in records:
            made.add(record.id)
            if record.id in self._torn:
                torn[record.id] = record
            else:
                yield record
        earlier = stage_folder(data, Stage.COLLECTED) / source
        for record in read_records(earlier) if self._pages_are_gone and earlier.is_dir() else ():
            left = self._tombstones.left_of(record)
            if left is None:
                continue
            if left.id in torn:
                yield _mended(torn.pop(left.id), left)
            elif left.id not in made:
                self.carried_over += 1
                yield left
        yield from torn.values()


def _mended(torn: Record, earlier: Record) -> Record:
    """Return a record with the answers that only its earlier form has, in front of those it has itself."""
    known = {(answer.author_hash, answer.text) for answer in torn.answers}
    lost = (answer for answer in earlier.answers if (answer.author_hash, answer.text) not in known)
    return torn.model_copy(update={"answers": (*lost, *torn.answers)})


def _says_something(reading: Reading) -> bool:
    return any(piece.kind != "gone" for piece in reading.pieces)


def _as_page(page: StoredPage) -> Page:
    return Page(page.url, page.body, page.content_type, page.fetched_at)
