"""Pages as fetched lose what somebody wants forgotten: their bytes are overwritten in place.

Addresses, passages of what was forgotten and authors' hashes come in; every page
of `raw/` that has such an address or belongs to the same thread, is signed by such
an author or holds such a passage, is overwritten where it lies, so that the places
of all other pages stay right. A short passage counts on pages of no thread only:
many people write the same. Copies that no frontier has acknowledged are pages like
any other. The addresses that were asked for get tombstones first, so that they are
not fetched again. What else stands on such a page goes with it, but stays in the
records that were made. A damaged page may hold anybody's words and can't be read by
us: it goes, the pages behind it stay.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

from psyllm.collect.crawl.members import Member, members, overwrite
from psyllm.collect.crawl.noted import RAW, noted_adapters
from psyllm.collect.crawl.page_words import folded, words_on
from psyllm.collect.crawl.segments import StoredPage, page_of, place_of, read_page
from psyllm.collect.sites.authors import Authors, key_place
from psyllm.collect.sites.choose import choose, thread_key
from psyllm.collect.sites.contract import Adapter, Page
from psyllm.core.addresses import meant_by
from psyllm.core.errors import MalformedInput
from psyllm.core.forgetting import Traces, marks_of
from psyllm.core.forgotten_words import tombstones_of
from psyllm.core.private import Private
from psyllm.core.progress import track
from psyllm.core.tombstones import Tombstone, append_tombstones, thread_mark

# A segment that was written to within this time may still be growing: its torn end is a page on its way.
STILL_WRITTEN_S = 3600
# So many characters in a row on a page of another thread are a copy: fewer stand on too many. A guess by hand.
FEWEST_COPIED_CHARS = 20


class ForgottenPages(NamedTuple):
    """How many pages were overwritten, the addresses asked for, segments that still grow, damaged stretches."""

    pages: int
    urls: frozenset[str]
    growing: tuple[str, ...]
    damaged: int = 0


class Meant(NamedTuple):
    """Which pages go: by address (`urls`, whose addresses stay out; `partly`, whose do not), words or author."""

    urls: Collection[str] = ()
    partly: Collection[str] = ()
    passages: Collection[Private] = ()
    authors: Collection[str] = ()
    hashes: Authors | None = None  # without the key nobody's name on a page leads to a hash


class AtPages:
    """What one `forget` does with the pages: the threads of its addresses, and what it overwrote."""

    def __init__(self, data: Path, urls: Collection[str], authors: Collection[str]) -> None:
        self._data = data
        self._urls = urls
        self._authors = authors
        self._known = noted_adapters(data)
        self._threads = {key for url in urls if (key := thread_key(url, self._known))}
        self.done = ForgottenPages(0, frozenset(), ())
        # A new key would give hashes that no record has.
        self.lacks_key = bool(authors) and (data / RAW).is_dir() and not key_place().exists()

    def marks(self) -> list[Tombstone]:
        """Return tombstones of the threads, so that no other address of theirs brings one back."""
        return tombstones_of("thread", sorted(map(thread_mark, self._threads)))

    def means(self, url: str) -> bool:
        """Return whether an address is another one of the threads."""
        return bool(self._threads) and thread_key(url, self._known) in self._threads

    def overwrite(self, whole: Traces, partly: Traces) -> None:
        """Overwrite the pages of what goes from the records, and those that no record was made of yet."""
        hashes = Authors.from_key_file(self._data) if self._authors and key_place().exists() else None
        passages = whole.passages | partly.passages
        meant = Meant({*whole.urls, *self._urls}, partly.urls, passages, self._authors, hashes)
        self.done = forget_pages(self._data, meant)


class _Judged(NamedTuple):
    doomed: list[Member]
    damaged: list[Member]
    asked: set[str]


def forget_pages(data: Path, meant: Meant) -> ForgottenPages:
    """Overwrite the pages of all crawls that are meant.

    Raises:
        DiskFull: no space is left for the tombstones.
    """
    wanted = _Wanted(meant, noted_adapters(data))
    pages = damaged = 0
    urls: set[str] = set()
    growing: list[str] = []
    paths = sorted((data / RAW).glob("*/segments/*.warc.gz"))
    for path in track(paths, "look through the pages", len(paths)):
        before = path.stat()
        with path.open("rb") as file:
            judged = _judged(file, wanted)
        torn = [one for one in judged.damaged if one.end >= before.st_size]
        if torn and time.time() - before.st_mtime < STILL_WRITTEN_S:
            growing.append(path.name)
            judged = judged._replace(damaged=[one for one in judged.damaged if one not in torn])
        if judged.asked - urls:
            append_tombstones(data, marks_of(sorted(judged.asked - urls), (), ()))
        if judged.doomed or judged.damaged:
            with path.open("r+b") as file:
                _take_away(file, judged, before)
        urls |= judged.asked
        pages += len(judged.doomed)
        damaged += len(judged.damaged)
    return ForgottenPages(pages, frozenset(urls), tuple(growing), damaged)


def overwrite_places(segments: Path, places: Iterable[str]) -> int:
    """Overwrite pages by their places, as a frontier remembers them; return how many could still be read."""
    done = 0
    for where in places:
        with suppress(MalformedInput):
            read_page(segments, where)
            place = place_of(segments, where)
            with place.path.open("r+b") as file:
                before = place.path.stat()
                page = Member(place.offset, place.offset + place.length, b"")
                _take_away(file, _Judged([page], [], set()), before)
            done += 1
    return done


def _judged(file: IO[bytes], wanted: _Wanted) -> _Judged:
    judged = _Judged([], [], set())
    for member in members(file):
        page = _page_in(member)
        place = member._replace(raw=b"")
        if not member.is_whole:
            judged.damaged.append(place)
        elif wanted.means(page.url):
            judged.doomed.append(place)
            judged.asked.add(page.url)
        elif wanted.stands_on(page):
            judged.doomed.append(place)
    return judged


def _page_in(member: Member) -> StoredPage:
    """Return the page of a member; what is none of ours has no address, and only its words are looked at."""
    with suppress(MalformedInput):
        return page_of(member.raw)
    return StoredPage("", 0, "", member.raw, "", "", "")


def _take_away(file: IO[bytes], judged: _Judged, before: os.stat_result) -> None:
    """Overwrite what goes; the time on the file stays that of its last page, by which it expires."""
    for member in judged.doomed:
        overwrite(file, member.start, member.end)
    for member in judged.damaged:
        if member.end >= before.st_size:
            file.truncate(member.start)
        else:
            overwrite(file, member.start, member.end)
    file.flush()
    os.fsync(file.fileno())
    if os.fstat(file.fileno()).st_size <= before.st_size:  # nobody wrote a page meanwhile
        os.utime(file.fileno(), ns=(before.st_atime_ns, before.st_mtime_ns))


class _Wanted:
    def __init__(self, meant: Meant, known: tuple[Adapter, ...]) -> None:
        self._known = known
        self._meant = meant
        self._urls, self._threads = self._places(meant.urls)
        self._partly, self._partly_threads = self._places(meant.partly)
        self._passages = {folded(passage.reveal()) for passage in meant.passages} - {""}
        self._copies = {passage for passage in self._passages if len(passage) >= FEWEST_COPIED_CHARS}
        self._authors = frozenset(meant.authors) - {""}

    def means(self, url: str) -> bool:
        """Return whether a page is asked for by its address or its thread's."""
        return bool(url) and self._is_at(url, self._urls, self._threads)

    def stands_on(self, page: StoredPage) -> bool:
        """Return whether a page shows what is forgotten: its thread lost an answer, it names the author, holds the words."""
        if not page.url:
            return self._says(page)
        return (
            self._is_at(page.url, self._partly, self._partly_threads)
            or self._is_signed(page)
            or self._says(page)
        )

    def _places(self, urls: Collection[str]) -> tuple[set[str], set[str]]:
        return {meant_by(url) for url in urls}, {key for url in urls if (key := thread_key(url, self._known))}

    def _is_at(self, url: str, urls: set[str], threads: set[str]) -> bool:
        return meant_by(url) in urls or (bool(threads) and thread_key(url, self._known) in threads)

    def _is_signed(self, page: StoredPage) -> bool:
        hashes = self._meant.hashes
        adapter = choose(page.url, self._known)
        if not self._authors or hashes is None or not adapter.hosts:
            return False
        with suppress(Exception):  # whatever a page does to its reader, the others are looked at
            read = adapter.read(Page(page.url, page.body, page.content_type, page.fetched_at), hashes)
            return any(piece.author_hash in self._authors for piece in read.pieces)
        return False

    def _says(self, page: StoredPage) -> bool:
        passages = self._copies if thread_key(page.url, self._known) else self._passages
        if not passages:
            return False
        words = words_on(page.body, page.content_type)
        return any(passage in words for passage in passages)
