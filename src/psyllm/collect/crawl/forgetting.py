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
from typing import NamedTuple

from psyllm.collect.crawl.members import Member, members, overwrite
from psyllm.collect.crawl.noted import RAW, noted_adapters
from psyllm.collect.crawl.page_words import folded, words_on
from psyllm.collect.crawl.segments import StoredPage, page_of, place_of, read_page
from psyllm.collect.sites.authors import Authors, key_place
from psyllm.collect.sites.choose import choose, thread_key
from psyllm.collect.sites.contract import Adapter, Page, Piece
from psyllm.core.addresses import meant_by
from psyllm.core.errors import MalformedInput
from psyllm.core.forgetting import Traces, marks_of, passages_of
from psyllm.core.forgotten_words import tombstones_of
from psyllm.core.private import Private
from psyllm.core.progress import track
from psyllm.core.tombstones import Tombstone, append_tombstones, thread_mark

# A segment that was written to within this time may still be growing: its torn end is a page on its way.
STILL_WRITTEN_S = 3600
# On a page of another thread a passage of fewer characters is no copy: many open with the same words. A guess by hand.
FEWEST_COPIED_CHARS = 20
# A list shows how a text begins.
MOST_LISTED_CHARS = 24


_NOBODY = Authors(b"\x00" * 32)  # hashes that lead to nobody, where only the words are wanted


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
    """What goes of one segment, as it was at a time."""

    path: Path
    before: os.stat_result
    doomed: list[Member]
    damaged: list[Member]
    asked: set[str]


def forget_pages(data: Path, meant: Meant) -> ForgottenPages:
    """Overwrite the pages of all crawls that are meant.

    Raises:
        DiskFull: no space is left for the tombstones.
    """
    known = noted_adapters(data)
    paths = sorted((data / RAW).glob("*/segments/*.warc.gz"))
    wanted = _Wanted(meant, known)
    found = [_judged(path, wanted) for path in track(paths, "look through the pages", len(paths))]
    also: list[_Judged] = []
    if wanted.learnt:  # what no record holds yet may stand on other pages as well
        others = _Wanted(Meant(passages=wanted.learnt), known)
        also = [_judged(path, others) for path in track(paths, "look for copies on pages", len(paths))]
        also = [_without(one, first) for one, first in zip(also, found, strict=True)]
    growing = tuple(f"{one.path.parent.parent.name}/{one.path.name}" for one in found if _is_growing(one))
    found = [_without_torn_end(one) if _is_growing(one) else one for one in found]
    urls = {url for one in found for url in one.asked}
    if urls:
        append_tombstones(data, marks_of(sorted(urls), (), ()))
    # Copies first: after a crash the pages by which they are found are still there.
    for one in (*also, *found):
        _take_away(one)
    pages = sum(len(one.doomed) for one in (*also, *found))
    return ForgottenPages(pages, frozenset(urls), growing, sum(len(one.damaged) for one in found))


def _without(one: _Judged, first: _Judged) -> _Judged:
    return one._replace(doomed=[page for page in one.doomed if page not in first.doomed], damaged=[])


def _torn(one: _Judged) -> list[Member]:
    return [stretch for stretch in one.damaged if stretch.end >= one.before.st_size]


def _is_growing(one: _Judged) -> bool:
    return bool(_torn(one)) and time.time() - one.before.st_mtime < STILL_WRITTEN_S


def _without_torn_end(one: _Judged) -> _Judged:
    return one._replace(damaged=[stretch for stretch in one.damaged if stretch not in _torn(one)])


def overwrite_places(segments: Path, places: Iterable[str]) -> int:
    """Overwrite pages by their places, as a frontier remembers them; return how many could still be read."""
    done = 0
    for where in places:
        with suppress(MalformedInput):
            read_page(segments, where)
            place = place_of(segments, where)
            page = Member(place.offset, place.offset + place.length, b"")
            _take_away(_Judged(place.path, place.path.stat(), [page], [], set()))
            done += 1
    return done


def _judged(path: Path, wanted: _Wanted) -> _Judged:
    judged = _Judged(path, path.stat(), [], [], set())
    with path.open("rb") as file:
        for member in members(file):
            page = _page_in(member)
            place = member._replace(raw=b"")
            if not member.is_whole:
                judged.damaged.append(place)
            elif wanted.means(page):
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


def _take_away(one: _Judged) -> None:
    """Overwrite what goes; the time on the file stays that of its last page, by which it expires."""
    if not (one.doomed or one.damaged):
        return
    with one.path.open("r+b") as file:
        for member in one.doomed:
            overwrite(file, member.start, member.end)
        for member in one.damaged:
            if member.end >= one.before.st_size:
                file.truncate(member.start)
            else:
                overwrite(file, member.start, member.end)
        file.flush()
        os.fsync(file.fileno())
        if os.fstat(file.fileno()).st_size <= one.before.st_size:  # nobody wrote a page meanwhile
            os.utime(file.fileno(), ns=(one.before.st_atime_ns, one.before.st_mtime_ns))


class _Wanted:
    def __init__(self, meant: Meant, known: tuple[Adapter, ...]) -> None:
        self._known = known
        self._meant = meant
        self._urls, self._threads = self._places(meant.urls)
        self._partly, self._partly_threads = self._places(meant.partly)
        self._passages = {folded(passage.reveal()) for passage in meant.passages} - {""}
        self._copies = {passage for passage in self._passages if len(passage) >= FEWEST_COPIED_CHARS}
        self._listed = {passage[:MOST_LISTED_CHARS] for passage in self._passages}
        self._authors = frozenset(meant.authors) - {""}
        self.learnt: set[Private] = set()

    def means(self, page: StoredPage) -> bool:
        """Return whether a page is asked for by its address or its thread's."""
        is_meant = bool(page.url) and self._is_at(page.url, self._urls, self._threads)
        if is_meant:
            self._learn(piece for piece in self._pieces(page) if piece.kind in {"question", "article"})
        return is_meant

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
        if not self._authors or self._meant.hashes is None:
            return False
        signed = [piece for piece in self._pieces(page) if piece.author_hash in self._authors]
        self._learn(signed)
        return bool(signed)

    def _pieces(self, page: StoredPage) -> tuple[Piece, ...]:
        """Return what is said on a page of a site that we know."""
        adapter = choose(page.url, self._known)
        if adapter.hosts:
            with suppress(Exception):  # whatever a page does to its reader, the others are looked at
                read = Page(page.url, page.body, page.content_type, page.fetched_at)
                return adapter.read(read, self._meant.hashes or _NOBODY).pieces
        return ()

    def _learn(self, pieces: Iterable[Piece]) -> None:
        found = passages_of(text for piece in pieces for text in (piece.title, piece.text) if text)
        self.learnt |= {passage for passage in found if folded(passage.reveal()) not in self._passages}

    def _says(self, page: StoredPage) -> bool:
        # A page of a site that nobody knows may be anybody's text, which only quotes a common sentence.
        is_list = not page.url or (
            bool(choose(page.url, self._known).hosts) and not thread_key(page.url, self._known)
        )
        passages = self._listed if is_list else self._copies
        if not passages:
            return False
        words = words_on(page.body, page.content_type)
        return any(passage in words for passage in passages)
