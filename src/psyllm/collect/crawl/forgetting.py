"""Pages as fetched lose what somebody wants forgotten: their bytes are overwritten in place.

Addresses, and passages of what was forgotten, come in; every page of `raw/` that
has such an address or belongs to the same thread, and every page of no thread
that holds such a passage, is
overwritten where it lies, so that the places of all other pages stay right. Copies
that no frontier has acknowledged are pages like any other. The addresses that were
asked for come out, so that they get tombstones and are not fetched again. What
else stands on such a page goes with it, but stays in the records that were made.
"""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Collection, Iterator
from io import BytesIO
from pathlib import Path
from typing import IO, NamedTuple

from warcio.archiveiterator import ArchiveIterator

from psyllm.collect.sites.choose import adapters, choose
from psyllm.core.addresses import meant_by
from psyllm.core.private import Private

BLOCK_BYTES = 1 << 20
# A segment that was written to within this time may still be growing: its torn end is a page on its way.
STILL_WRITTEN_S = 3600
_ADAPTERS = adapters()
# A gzip member that holds nothing; its extra field takes up to 65,535 bytes (RFC 1952).
_EMPTY = zlib.compressobj(wbits=31).flush()
_MOST_EXTRA = 65_535
_BARE = len(_EMPTY) + 2


class ForgottenPages(NamedTuple):
    """How many pages were overwritten, the addresses that were asked for, and segments that still grow."""

    pages: int
    urls: frozenset[str]
    growing: tuple[str, ...]


class _Member(NamedTuple):
    start: int
    end: int
    raw: bytes


def forget_pages(data: Path, urls: Collection[str], passages: Collection[Private]) -> ForgottenPages:
    """Overwrite the pages of all crawls that are meant."""
    wanted = _Wanted(urls, passages)
    pages = 0
    found: set[str] = set()
    growing: list[str] = []
    for segment in sorted((data / "raw").glob("*/segments/*.warc.gz")):
        with segment.open("r+b") as file:
            end = 0
            for member in _members(file):
                end = member.end
                url, body = _page(member.raw)
                is_asked = wanted.means(url)
                if is_asked or wanted.stands_on(url, body):
                    _overwrite(file, member.start, member.end)
                    pages += 1
                    found |= {url} if is_asked else set()
            size = segment.stat().st_size
            if end < size and time.time() - segment.stat().st_mtime < STILL_WRITTEN_S:
                growing.append(segment.name)
            elif end < size:  # a torn end may hold a page's words and can't be read any more
                file.truncate(end)
            file.flush()
            os.fsync(file.fileno())
    return ForgottenPages(pages, frozenset(found), tuple(growing))


class _Wanted:
    def __init__(self, urls: Collection[str], passages: Collection[Private]) -> None:
        self._urls = {meant_by(url) for url in urls}
        # As it was given, which may lack the scheme or end in a slash, no adapter may know it.
        spellings = {spelling for url in urls for spelling in (url, f"https://{meant_by(url)}")}
        self._threads = {thread for url in spellings if (thread := _thread(url)) is not None}
        self._passages = [_encoded(passage.reveal()) for passage in passages]

    def means(self, url: str) -> bool:
        """Return whether a page is asked for by its address or its thread's."""
        if not url:
            return False
        return meant_by(url) in self._urls or (bool(self._threads) and _thread(url) in self._threads)

    def stands_on(self, url: str, body: bytes) -> bool:
        """Return whether a passage stands on a page of no thread: a list, a copy for small screens."""
        return (
            bool(url)
            and _thread(url) is None
            and any(form in body for forms in self._passages for form in forms)
        )


def _thread(url: str) -> tuple[str, str] | None:
    adapter = choose(url, _ADAPTERS)
    thread = adapter.thread_of(url)
    return (adapter.name, thread) if thread else None


def _encoded(passage: str) -> tuple[bytes, ...]:
    """Return a passage as it may stand in a page: in the encodings of Chinese sites, and as JSON escapes it."""
    escaped = "".join(f"\\u{ord(character):04x}" for character in passage)
    forms = [passage.encode("utf-8"), escaped.encode("ascii")]
    for encoding in ("gb18030", "big5"):
        try:
            forms.append(passage.encode(encoding))
        except UnicodeEncodeError:
            continue
    return tuple(forms)


def _members(file: IO[bytes]) -> Iterator[_Member]:
    """Yield the whole gzip members of a file; a torn one at the end is left out."""
    start = 0
    while True:
        file.seek(start)
        unpacking = zlib.decompressobj(wbits=31)
        pieces: list[bytes] = []
        read = 0
        while not unpacking.eof:
            block = file.read(BLOCK_BYTES)
            if not block:
                return
            read += len(block)
            try:
                pieces.append(unpacking.decompress(block))
            except zlib.error:
                return
        end = start + read - len(unpacking.unused_data)
        yield _Member(start, end, b"".join(pieces))
        start = end


def _page(raw: bytes) -> tuple[str, bytes]:
    for record in ArchiveIterator(BytesIO(raw)) if raw else ():
        return record.rec_headers.get_header("WARC-Target-URI") or "", record.content_stream().read()
    return "", b""


def _overwrite(file: IO[bytes], start: int, end: int) -> None:
    """Fill a stretch with gzip members that hold nothing, so that the file stays readable as a whole."""
    file.seek(start)
    left = end - start
    while left:
        length = min(left, _BARE + _MOST_EXTRA)
        if 0 < left - length < _BARE:
            length -= _BARE
        file.write(_nothing(length))
        left -= length


def _nothing(length: int) -> bytes:
    extra = length - _BARE
    flags = 4  # FEXTRA
    return (
        _EMPTY[:3] + bytes([flags]) + _EMPTY[4:10] + extra.to_bytes(2, "little") + bytes(extra) + _EMPTY[10:]
    )
