"""Pages as they were fetched, in WARC files of one worker each.

Pages come in by the batch and are on disk when `append` returns, with the place
of each ("file:offset:length"); a place gives its page back. One gzip member a
record, so that a torn end harms nothing before it and any WARC tool can read a
whole file. A page counts only when the frontier has acknowledged its place: what
lies in a file beside that is a copy that nobody reads. Cookies and what else a
server says of the visitor are not kept. Files are for their owner alone (0600).
"""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import secrets
import shlex
import time
import zlib
from collections.abc import Sequence
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import IO, NamedTuple

from warcio.archiveiterator import ArchiveIterator
from warcio.exceptions import ArchiveLoadFailed
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from psyllm.core.errors import DiskFull, MalformedInput, PsyError, UnusablePath
from psyllm.core.stages import NO_SPACE

# 42 KB of Chinese HTML, one core: level 1 0.44 ms and 11.3 KB, 3 0.83 ms and 9.7 KB, 9 (warcio's own) 5.8 ms and 8.2 KB.
COMPRESSION = 1
SEGMENT_BYTES = 1 << 30
# A file spans no more than a day, so that pages can be removed by the day (`retention`).
SEGMENT_AGE = timedelta(days=1)
PERMISSION_HEADER = "Psyllm-Permission"
ROBOTS_HEADER = "Psyllm-Robots-SHA256"
KEPT_HEADERS = ("last-modified", "etag")
_WHERE = re.compile(r"([a-z0-9][a-z0-9.-]*\.warc\.gz):([0-9]+):([0-9]+)")


class StoredPage(NamedTuple):
    """A page with what it was fetched under; `body` is without transfer or content encoding."""

    url: str
    status: int
    content_type: str
    body: bytes
    fetched_at: str
    permission_id: str
    robots_hash: str
    headers: tuple[tuple[str, str], ...] = ()


class Place(NamedTuple):
    """Where a page lies."""

    path: Path
    offset: int
    length: int


class Segments:
    """The segment files that one worker writes; a new worker never writes into an old file."""

    def __init__(self, folder: Path, worker: str, most_bytes: int = SEGMENT_BYTES) -> None:
        self._folder = folder
        self._name = f"{worker}-{secrets.token_hex(4)}"
        self._most_bytes = most_bytes
        self._number = 0
        self._begun = 0.0
        self._file: IO[bytes] | None = None

    def append(self, pages: Sequence[StoredPage]) -> list[str]:
        """Write pages and return the place of each, once all of them are on disk.

        Raises:
            DiskFull: no space is left; none of the pages counts.
            UnusablePath: the system refuses to write there.
        """
        if not pages:
            return []
        try:
            return self._written(pages)
        except OSError as error:
            with contextlib.suppress(OSError):  # it tries to write once more
                self.close()
            raise _refused(self._folder, error) from error

    def _written(self, pages: Sequence[StoredPage]) -> list[str]:
        file, name = self._opened()
        places = []
        for page in pages:
            block = gzip.compress(_record(page), COMPRESSION, mtime=0)
            places.append(f"{name}:{file.tell()}:{len(block)}")
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
        return places

    def close(self) -> None:
        """Close the file in use."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _opened(self) -> tuple[IO[bytes], str]:
        if self._file is not None and (self._file.tell() >= self._most_bytes or self._is_old()):
            self.close()
        if self._file is None:
            self._number += 1
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = self._folder / f"{self._name}-{self._number:05d}.warc.gz"
            self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
            self._begun = time.monotonic()
            _fsync_folder(self._folder)
        return self._file, f"{self._name}-{self._number:05d}.warc.gz"

    def _is_old(self) -> bool:
        return time.monotonic() - self._begun > SEGMENT_AGE.total_seconds()


def place_of(folder: Path, where: str) -> Place:
    """Return the place that a frontier remembers.

    Raises:
        MalformedInput: it is none.
    """
    found = _WHERE.fullmatch(where)
    if found is None:
        message = f"{folder}: the place of a page is not readable"
        raise MalformedInput(message, "make the crawl again, in another folder")
    return Place(folder / found[1], int(found[2]), int(found[3]))


def read_page(folder: Path, where: str) -> StoredPage:
    """Return the page that lies at a place.

    Raises:
        MalformedInput: the place is none, or its bytes are damaged or gone.
    """
    place = place_of(folder, where)
    try:
        with place.path.open("rb") as file:
            file.seek(place.offset)
            block = file.read(place.length)
        return _page(gzip.decompress(block))  # which checks that all of it is there
    except (OSError, EOFError, zlib.error, ArchiveLoadFailed, ValueError):
        message = f"{place.path} can't be read at byte {place.offset:,}"
        raise MalformedInput(message, f"check it with: gzip -t {place.path}") from None


def page_of(record: bytes) -> StoredPage:
    """Return the page of one unpacked record of a segment.

    Raises:
        MalformedInput: it is none.
    """
    try:
        return _page(record)
    except (EOFError, ArchiveLoadFailed, ValueError, AttributeError):
        raise MalformedInput("a record of a segment is no page", "make the crawl again") from None


def _refused(folder: Path, error: OSError) -> PsyError:
    if error.errno in NO_SPACE:
        message = f"no space is left for pages in {folder}"
        return DiskFull(message, "make room, then run the same command again; it goes on where it stopped")
    message = f"pages can't be written in {folder}: {(error.strerror or 'the system refuses').lower()}"
    return UnusablePath(
        message, f"check who may write there and that the disk works: ls -ld {shlex.quote(str(folder))}"
    )


def _record(page: StoredPage) -> bytes:
    """Return a page as one WARC response record, not compressed."""
    out = BytesIO()
    writer = WARCWriter(out, gzip=False)
    http = StatusAndHeaders(
        f"{page.status} -", [("Content-Type", page.content_type), *page.headers], protocol="HTTP/1.1"
    )
    said = {
        "WARC-Date": page.fetched_at,
        PERMISSION_HEADER: page.permission_id,
        ROBOTS_HEADER: page.robots_hash,
    }
    record = writer.create_warc_record(
        page.url,
        "response",
        payload=BytesIO(page.body),
        length=len(page.body),
        http_headers=http,
        warc_headers_dict=said,
    )
    writer.write_record(record)
    return out.getvalue()


def _page(record_bytes: bytes) -> StoredPage:
    for record in ArchiveIterator(BytesIO(record_bytes)):
        headers = record.rec_headers
        return StoredPage(
            headers.get_header("WARC-Target-URI"),
            int(record.http_headers.get_statuscode()),
            record.http_headers.get_header("Content-Type") or "",
            record.content_stream().read(),
            headers.get_header("WARC-Date"),
            headers.get_header(PERMISSION_HEADER) or "",
            headers.get_header(ROBOTS_HEADER) or "",
            tuple(
                (name, value)
                for name in KEPT_HEADERS
                if (value := record.http_headers.get_header(name)) is not None
            ),
        )
    raise EOFError


def _fsync_folder(folder: Path) -> None:
    """Make a new file's name last too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
