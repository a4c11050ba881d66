"""The pages of a segment as the gzip members that they are: found, and overwritten where they lie.

An open segment comes in; its members go out with their places, damaged stretches
among them: one flipped bit hides the page that it stands in and none behind it.
What is overwritten holds nothing afterwards, and the file stays readable as a
whole, so that the places of all other pages stay right. What is to go is decided
elsewhere (`forgetting.py`).
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from typing import IO, NamedTuple

BLOCK_BYTES = 1 << 20
# A gzip member that holds nothing; its extra field takes up to 65,535 bytes (RFC 1952).
_EMPTY = zlib.compressobj(wbits=31).flush()
_MOST_EXTRA = 65_535
_BARE = len(_EMPTY) + 2
_HEAD = b"\x1f\x8b\x08"
_WARC = b"WARC/"
_LOOK_BYTES = 4096


class Member(NamedTuple):
    """One member unpacked, or a stretch of the file that can't be read (`raw` is empty then)."""

    start: int
    end: int
    raw: bytes
    is_whole: bool = True


def members(file: IO[bytes]) -> Iterator[Member]:
    """Yield the members of a file one after the other, and what lies between them; together they are all of it."""
    start = 0
    size = file.seek(0, os.SEEK_END)
    while start < size:
        member = _whole_at(file, start)
        if member is None:
            member = Member(start, _next_head(file, start + 1, size), b"", is_whole=False)
        yield member
        start = member.end


def overwrite(file: IO[bytes], start: int, end: int) -> None:
    """Fill a stretch with gzip members that hold nothing."""
    file.seek(start)
    left = end - start
    while left >= _BARE:
        length = min(left, _BARE + _MOST_EXTRA)
        if 0 < left - length < _BARE:
            length -= _BARE
        file.write(_nothing(length))
        left -= length
    file.write(bytes(left))  # too little for a member, between two that are whole


def _whole_at(file: IO[bytes], start: int) -> Member | None:
    """Return the member that begins at a place; None where none does, or where it is damaged or torn."""
    file.seek(start)
    unpacking = zlib.decompressobj(wbits=31)
    pieces: list[bytes] = []
    read = 0
    while not unpacking.eof:
        block = file.read(BLOCK_BYTES)
        read += len(block)
        if not block:
            return None
        try:
            pieces.append(unpacking.decompress(block))
        except zlib.error:
            return None
    return Member(start, start + read - len(unpacking.unused_data), b"".join(pieces))


def _next_head(file: IO[bytes], start: int, size: int) -> int:
    """Return where the next member begins that opens as a WARC record or holds nothing; the file's end if none does."""
    while start < size:
        file.seek(start)
        block = file.read(BLOCK_BYTES)
        found = block.find(_HEAD)
        while found >= 0:
            if _opens(file, start + found):
                return start + found
            found = block.find(_HEAD, found + 1)
        if len(block) < len(_HEAD):
            break
        start += len(block) - len(_HEAD) + 1
    return size


def _opens(file: IO[bytes], start: int) -> bool:
    """Return whether a member of ours begins there: three bytes alone stand in packed pages, too."""
    file.seek(start)
    unpacking = zlib.decompressobj(wbits=31)
    seen = b""
    looked = 0
    while len(seen) < len(_WARC) and not unpacking.eof and looked <= _MOST_EXTRA + _LOOK_BYTES:
        block = file.read(_LOOK_BYTES)
        looked += len(block)
        try:
            seen += unpacking.decompress(block)
        except zlib.error:
            return False
        if not block:
            break
    return seen.startswith(_WARC) or (unpacking.eof and not seen)


def _nothing(length: int) -> bytes:
    extra = length - _BARE
    flags = 4  # FEXTRA
    return (
        _EMPTY[:3] + bytes([flags]) + _EMPTY[4:10] + extra.to_bytes(2, "little") + bytes(extra) + _EMPTY[10:]
    )
