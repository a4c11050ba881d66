"""Tars whose every file is found, or which are refused.

Comes in: the bytes of a tar. Goes out: Python's own reader, made strict. By
itself that takes a damaged header behind the first, or a missing end, for the
end: the files behind it are lost and nobody is told. Here an end is two blocks
of zeros with nothing but zeros behind them (POSIX, pax), and all else is an
error with its place. A link brings nothing of its own when it leads to another file
of the tar, and is refused when it leads anywhere else. What the files hold is not looked at.
"""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import IO, Literal, Self

from psyllm.core.errors import MalformedInput

_READ_BYTES = 1 << 20


class BrokenTar(tarfile.ReadError):
    """A tar is damaged or breaks off at a byte of its unpacked form."""


class _NoHeader(tarfile.ReadError):
    """What stands in a header's place is none."""


class _Header(tarfile.TarInfo):
    """A header that must be good; zeros in its place must be the tar's end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError:
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):
                raise
            found = "breaks off" if len(buf) < tarfile.BLOCKSIZE else "is damaged"
            raise _NoHeader(found) from None

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tar)
        except _NoHeader as error:
            found = str(error)
        except tarfile.HeaderError:
            found = _found_behind(tar)
            if not found:
                raise
        message = f"{found} at byte {tar.offset:,}"
        raise BrokenTar(message) from None


def opened(file: IO[bytes], mode: Literal["r:", "r|"]) -> tarfile.TarFile:
    """Return a tar to read, `r|` as a stream; reading it raises `tarfile.ReadError` unless it is whole."""
    return tarfile.open(fileobj=file, mode=mode, tarinfo=_Header)


def refused(path: Path, error: tarfile.ReadError) -> MalformedInput:
    """Return what to tell of a tar that could not be read to its end."""
    found = f"{error}: files are missing" if isinstance(error, BrokenTar) else "breaks off"
    message = f"{path} {found}: the tar is not complete"
    return MalformedInput(message, f"check it with: tar -tf {path}; then fetch it again")


def is_link(entry: tarfile.TarInfo) -> bool:
    """Return whether an entry only names another file."""
    return entry.issym() or entry.islnk()


def target_of(entry: tarfile.TarInfo) -> str:
    """Return where a link leads: a hard link from the top of the tar, another from the folder that it lies in."""
    folder = posixpath.dirname(entry.name) if entry.issym() else ""
    return posixpath.normpath(posixpath.join(folder, entry.linkname))


def need_files_behind(linked: Collection[str], entries: Iterable[tarfile.TarInfo], path: Path) -> None:
    """Refuse a tar with a link that leads to none of its files, folders and other links.

    Raises:
        MalformedInput: there is one.
    """
    missing = set(linked)
    for entry in entries:
        place = posixpath.normpath(entry.name)
        while place and place not in {".", "/", "//"}:
            missing.discard(place)
            place = posixpath.dirname(place)
    missing.discard(".")
    if missing:
        message = f"{path} holds a link that leads to none of its files"
        raise MalformedInput(message, f"see: tar -tvf {path} | grep '^[hl]'; unpack it and import the folder")


def _found_behind(tar: tarfile.TarFile) -> str:
    """Return what is wrong with what follows a block of zeros, or nothing."""
    file = tar.fileobj
    if file.tell() != tar.offset + tarfile.BLOCKSIZE:
        return "is damaged"  # a header's own data, not the place of a header
    block = file.read(tarfile.BLOCKSIZE)
    if len(block) < tarfile.BLOCKSIZE:
        return "breaks off"
    while block:
        if block.strip(b"\0"):
            return "is damaged"
        block = file.read(_READ_BYTES)
    return ""
