"""Pages of an archive become records: the pages of a thread meet, though they lie far apart.

Comes in: an index of where the pages of each thread lie, and a function that
loads one. Goes out: records. Memory: sixteen bytes a page for the index, and the
pieces of one thread. Each page becomes a record, joins one, or is left out for a
reason that is counted. Who wrote is kept as a keyed hash only.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import NamedTuple

import numpy as np

from psyllm.collect.sites.choose import adapters, choose
from psyllm.collect.sites.contract import Adapter, Draft, Page, Piece, Reading
from psyllm.collect.sites.generic import Generic
from psyllm.collect.source import Source
from psyllm.core.records import Record

GONE = frozenset({404, 410})
NOT_FOUND = b"<title>404 Not Found</title>"  # what a server says in other words, each in its own


class Loaded(NamedTuple):
    """A page of an archive with its HTTP status, or why there is none."""

    page: Page
    status: int = 200
    failure: str = ""


class Index:
    """Where the pages of each thread lie; a place is any number below 2^63."""

    def __init__(self) -> None:
        self._threads = array("Q")
        self._places = array("q")

    def add(self, thread: str, place: int) -> None:
        """Remember a page of a thread."""
        digest = hashlib.blake2b(thread.encode(), digest_size=8).digest()
        self._threads.append(int.from_bytes(digest, "little"))
        self._places.append(place)

    def threads(self) -> Iterator[list[int]]:
        """Yield the places of each thread, threads and places in the order in which they came."""
        threads, places = np.frombuffer(self._threads, np.uint64), np.frombuffer(self._places, np.int64)
        if not len(threads):
            return
        _, first, member = np.unique(threads, return_index=True, return_inverse=True)
        order = np.lexsort((np.arange(len(threads)), first[member]))
        borders = np.flatnonzero(np.diff(first[member][order])) + 1
        for thread in np.split(order, borders):
            yield places[thread].tolist()


class PageArchive:
    """Reads the pages of an archive by thread."""

    def __init__(self, source: Source, load: Callable[[int], Loaded]) -> None:
        self._source = source
        self._load = load
        self._adapters = adapters()
        self._index = Index()

    def add(self, url: str, place: int) -> None:
        """Take up a page by its URL, or leave it out when it belongs to no thread."""
        self._source.read += 1
        adapter = choose(url, self._adapters)
        thread = adapter.thread_of(url)
        kind = adapter.kind_of(url)
        if not thread and kind == "answers":
            thread = self._thread_on_page(adapter, place)
        if not thread or kind in {"list", "other"}:
            self._source.leave_out("page_of_no_thread")
            return
        self._index.add(f"{adapter.name}\x1f{thread}", place)

    def records(self) -> Iterator[Record]:
        """Yield one record for each thread whose question or article was seen."""
        generic = next(adapter for adapter in self._adapters if isinstance(adapter, Generic))
        with closing(generic):
            for places in self._index.threads():
                yield from self._thread(places)

    def _thread_on_page(self, adapter: Adapter, place: int) -> str:
        loaded = self._load(place)
        pieces = () if loaded.failure else adapter.read(loaded.page, self._source.authors).pieces
        return next((piece.thread for piece in pieces), "")

    def _thread(self, places: list[int]) -> Iterator[Record]:
        readings: list[Reading] = []
        for place in places:
            loaded = self._load(place)
            adapter = choose(loaded.page.url, self._adapters)
            readings.append(self._reading(adapter, loaded))
        pieces = [piece for reading in readings for piece in reading.pieces]
        useful = sum(any(piece.kind != "gone" for piece in reading.pieces) for reading in readings)
        drafts = list(adapter.assemble(pieces[0].thread, readings)) if pieces else []
        others = _of_other_text(pieces, drafts) if isinstance(adapter, Generic) else 0
        for _ in range(others):
            self._source.leave_out("same_address_other_text")
        self._count(useful - others, len(drafts), gone=any(piece.kind == "gone" for piece in pieces))
        for draft in drafts:
            yield draft.record(self._source)

    def _count(self, pages: int, drafts: int, *, gone: bool) -> None:
        if drafts:
            self._source.joined += pages - drafts
            return
        reason = "thread_was_taken_down" if gone else "thread_without_its_question"
        for _ in range(pages):
            self._source.leave_out(reason)

    def _reading(self, adapter: Adapter, loaded: Loaded) -> Reading:
        """Return what a page says; a page that says nothing is counted here."""
        page = loaded.page
        if loaded.failure:
            self._source.leave_out(loaded.failure)
            return Reading()
        if loaded.status in GONE:
            page = page._replace(body=NOT_FOUND)
        elif loaded.status != 200:
            self._source.leave_out(f"http_status_{loaded.status}")
            return Reading()
        reading = adapter.read(page, self._source.authors)
        for reason in reading.left_out:
            self._source.cut(reason)
        if not any(piece.kind != "gone" for piece in reading.pieces):
            self._source.leave_out(f"page_{reading.stop}" if reading.stop else "page_without_text")
        elif reading.stop:
            self._source.cut(f"page_{reading.stop}")
        return reading


def _of_other_text(pieces: list[Piece], drafts: list[Draft]) -> int:
    """Return how many pages of one address say something else than the one that was taken."""
    texts = {draft.text for draft in drafts}
    return sum(piece.kind != "gone" and piece.text not in texts for piece in pieces) if drafts else 0
