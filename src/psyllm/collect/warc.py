"""WARC archives as records: what a crawl or a library kept of sites, also of those that are gone.

Comes in: a .warc or .warc.gz file (one gzip member a record), or a folder of
them. Goes out: questions and documents by the adapters of `sites`, with the URL
and the time of fetching. The archive is read twice: once to learn where the
pages of each thread lie, then by thread. Only responses are taken, HTML and
JSON, chunks and gzip undone. An archive that breaks off is refused with the
place; copies of one page become one, and what was gone at a later fetching is
left out.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import IO

from warcio.archiveiterator import ArchiveIterator
from warcio.bufferedreaders import ChunkedDataReader
from warcio.exceptions import ArchiveLoadFailed
from warcio.recordloader import ArcWarcRecord

from psyllm.collect import reading
from psyllm.collect.page_threads import Loaded, PageArchive
from psyllm.collect.sites.contract import Page
from psyllm.collect.sites.times import fetched
from psyllm.collect.source import Source
from psyllm.core.errors import MalformedInput
from psyllm.core.progress import report
from psyllm.core.records import Record

MARK = b"WARC/1."
MOST_PAGE_BYTES = 1 << 24  # the largest pages of forums have about 2 MB
_BLOCK_BYTES = 1 << 16
_OFFSET_BITS = 44  # a place is the file's number and an offset below 16 TiB
_PACKED = {"gzip", "x-gzip", "deflate"}
_GZIP = b"\x1f\x8b"
_REFETCH = "fetch the archive again, or mend it: warcio recompress OLD NEW"


def is_archive(path: Path) -> bool:
    """Return whether a file, or the first file of a folder, is a WARC archive."""
    return any(_is_warc(file) for file in (reading.walk(path)[:1] if path.is_dir() else [path]))


def records(path: Path, source: Source) -> Iterator[Record]:
    """Yield one record for each thread whose question or article is in the archive.

    Raises:
        MalformedInput: an archive breaks off, is damaged, or is packed so that its records can't be found again.
    """
    files = reading.walk(path) if path.is_dir() else [path]
    archive = PageArchive(source, lambda place: _load(files, place))
    for number, file in enumerate(files):
        for url, offset in _responses(file, source):
            archive.add(url, number << _OFFSET_BITS | offset)
    yield from archive.records()


def _is_warc(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(_BLOCK_BYTES)
    if head.startswith(_GZIP):
        try:
            head = zlib.decompressobj(31).decompress(head, len(MARK))
        except zlib.error:
            return False
    return head.startswith(MARK)


def _responses(path: Path, source: Source) -> Iterator[tuple[str, int]]:
    """Yield URL and offset of each response; the whole archive is read and found whole."""
    last = 0
    with path.open("rb") as file:
        if not _is_warc(path):
            raise _refused(path, 0, "does not begin as a WARC archive", "unpack it first, then import that")
        size = path.stat().st_size
        archive = ArchiveIterator(file, no_record_parse=True)
        try:
            for record in archive:
                missing_bytes = _missing_bytes(record)
                last = archive.get_record_offset()  # only now: it reads what is left of the record
                if missing_bytes:
                    found = f"breaks off: {missing_bytes:,} bytes are missing in its record"
                    raise _refused(path, last, found, _REFETCH)
                report("read", last, size)
                if record.rec_type == "response":
                    yield (record.rec_headers.get_header("WARC-Target-URI") or "").strip("<> "), last
                elif record.rec_type in {"revisit", "resource", "conversion"}:
                    source.read += 1
                    source.leave_out(f"warc_{record.rec_type}")
        except ArchiveLoadFailed as error:
            raise _damaged(path, archive.fh.tell() if "Invalid" in str(error) else last, str(error)) from None
        except (zlib.error, ValueError, EOFError):
            raise _refused(path, last, "is damaged after its record", _REFETCH) from None
    _need_whole_end(path, last)


def _missing_bytes(record: ArcWarcRecord) -> int:
    """Read a record to its end and return how many bytes it is shorter than it says."""
    left = int(record.rec_headers.get_header("Content-Length") or 0)
    while block := record.raw_stream.read(_BLOCK_BYTES):
        left -= len(block)
    return max(left, 0)


def _need_whole_end(path: Path, last: int) -> None:
    """Refuse an archive whose end is missing: behind its last record must be nothing."""
    with path.open("rb") as file:
        file.seek(last)
        whole = _ends_with_a_member(file) if file.peek(2)[:2] == _GZIP else _ends_with_a_record(file)
    if not whole:
        raise _refused(path, last, "breaks off in or behind its record", _REFETCH)


def _ends_with_a_member(file: IO[bytes]) -> bool:
    member = zlib.decompressobj(31)
    while block := member.unused_data or file.read(_BLOCK_BYTES):
        if member.eof:
            member = zlib.decompressobj(31)
        try:
            member.decompress(block)
        except zlib.error:
            return False
    return member.eof


def _ends_with_a_record(file: IO[bytes]) -> bool:
    length = 0
    while (line := file.readline(_BLOCK_BYTES)).strip():
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            length = int(value)
    if not line:
        return False
    file.seek(length, 1)
    return file.read(_BLOCK_BYTES) == b"\r\n\r\n"


def _damaged(path: Path, offset: int, said: str) -> MalformedInput:
    if "non-chunked" in said:
        found = "is one gzip stream, so that no record can be found again"
        return _refused(path, offset, found, "pack it anew: warcio recompress OLD NEW; then import NEW")
    return _refused(path, offset, "is damaged at or before its record", _REFETCH)


def _refused(path: Path, offset: int, found: str, next_step: str) -> MalformedInput:
    return MalformedInput(f"{path} {found} at byte {offset:,}", next_step)


def _load(files: list[Path], place: int) -> Loaded:
    with files[place >> _OFFSET_BITS].open("rb") as file:
        file.seek(place & ((1 << _OFFSET_BITS) - 1))
        record = next(ArchiveIterator(file))
        page = Page(
            url=(record.rec_headers.get_header("WARC-Target-URI") or "").strip("<> "),
            body=b"",
            fetched_at=fetched(record.rec_headers.get_header("WARC-Date") or ""),
        )
        headers = record.http_headers
        status = headers.get_statuscode() if headers is not None else ""
        if not status.isdecimal():
            return Loaded(page, failure="page_without_http_status")
        kind = headers.get_header("Content-Type") or ""
        if int(status) != 200:
            return Loaded(page, int(status))
        body = _body(record)
    if body is None:
        return Loaded(page, failure="page_too_large_or_packed_unknown")
    if not _is_text(kind, body):
        return Loaded(page, failure="page_is_no_html_or_json")
    return Loaded(page._replace(body=body, content_type=kind))


def _is_text(content_type: str, body: bytes) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    if kind:
        return kind in {"text/html", "application/xhtml+xml"} or kind.endswith(("/json", "+json"))
    return body.lstrip()[:1] in {b"<", b"{", b"["}


def _body(record: ArcWarcRecord) -> bytes | None:
    """Return the body without transfer and content encoding; None when it is too large or packed otherwise."""
    raw: bytes = record.raw_stream.read(MOST_PAGE_BYTES + 1)
    if (record.http_headers.get_header("Transfer-Encoding") or "").lower() == "chunked":
        raw = _without_chunks(raw)
    packing = (record.http_headers.get_header("Content-Encoding") or "identity").strip().lower()
    if packing in _PACKED:
        raw = _unpacked(raw)
    elif packing not in {"identity", ""} and not _is_utf8(raw):
        return None
    return raw if len(raw) <= MOST_PAGE_BYTES else None


def _is_utf8(raw: bytes) -> bool:
    """Return whether bytes are text: archives often keep the header of a packing that they have undone."""
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _without_chunks(raw: bytes) -> bytes:
    stream = ChunkedDataReader(BytesIO(raw))
    blocks: list[bytes] = []
    while block := stream.read(_BLOCK_BYTES):
        blocks.append(block)
    return b"".join(blocks)


def _unpacked(raw: bytes) -> bytes:
    """Return unpacked bytes, never many more than a page may have; as they are when they are not packed."""
    for window in (47, -15):  # gzip or zlib by their heads, then bare deflate
        try:
            return zlib.decompressobj(window).decompress(raw, MOST_PAGE_BYTES + 1)
        except zlib.error:
            continue
    return raw
