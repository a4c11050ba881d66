"""The files of a zip, one after the other, without unpacking it to the disk.

Comes in: the path of a zip. Goes out: names and streams. Zip bombs, encrypted
files and what breaks off are refused with the next command to type. Names
written by Chinese Windows (GBK without a mark) are read as such. Office files
are zips, too, but no archives: they are told apart.
"""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from psyllm.core.errors import MalformedInput

_BEGINNINGS = (b"PK\x03\x04", b"PK\x05\x06")
_NAME_IS_UTF8 = 0x800
_IS_ENCRYPTED = 0x1
# What reading a zip raises when it breaks off or is damaged.
_BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError)
# Texts pack to a tenth, tables full of repeats to a fiftieth; known bombs to less than a thousandth.
MOST_TIMES_ITS_SIZE = 200
HARMLESS_BYTES = 1 << 26


def begins_as_zip(path: Path) -> bool:
    """Return whether a file has a zip's first bytes."""
    with path.open("rb") as file:
        return file.read(4) in _BEGINNINGS


def is_zip(path: Path) -> bool:
    """Return whether a file is an archive of files, and not an Office file."""
    return begins_as_zip(path) and not is_office(path)


def is_office(path: Path) -> bool:
    """Return whether a zip is an Office file (a workbook, a document)."""
    with zip_file(path) as archive:
        return "[Content_Types].xml" in archive.namelist()


@contextmanager
def zip_file(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip and refuse what would harm.

    Raises:
        MalformedInput: it breaks off, is damaged, encrypted or packed in an unknown way, or unpacks to far
            more than its size.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _refuse_bomb(archive, path)
            yield archive
    except NotImplementedError:  # what zipfile says of a packing that it does not know
        message = f"{path} is packed in a way that is not known here"
        raise MalformedInput(
            message, f"unpack it with another program: 7z x {path}; then import that"
        ) from None
    except (*_BROKEN, OSError) as error:
        if not tells_of_damage(error):
            raise
        raise refused(path) from None


def tells_of_damage(error: Exception) -> bool:
    """Return whether an error means that a zip is broken; that of bzip2 is an OSError which no system call gave."""
    return isinstance(error, _BROKEN) or (isinstance(error, OSError) and error.errno is None)


def refused(path: Path) -> MalformedInput:
    """Return what to tell of a zip that could not be read to its end."""
    message = f"{path} breaks off or is damaged: the zip is not complete"
    return MalformedInput(message, f"check it with: unzip -t {path}; then fetch it again")


def need_whole(archive: zipfile.ZipFile) -> None:
    """Read every file once, as the checksum of each stands behind it.

    Raises:
        zipfile.BadZipFile: a checksum is not as said.
    """
    if archive.testzip() is not None:
        raise zipfile.BadZipFile


def opened(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield name and stream of each file; a stream is good until the next step.

    Raises:
        MalformedInput: as `zip_file`.
    """
    with zip_file(path) as archive:
        for entry in archive.infolist():
            if entry.is_dir():
                continue
            if entry.flag_bits & _IS_ENCRYPTED:
                message = f"{path} is encrypted"
                raise MalformedInput(message, f"unpack it with its password: unzip {path}; then import that")
            with archive.open(entry) as file:
                yield _name_of(entry), file


def _refuse_bomb(archive: zipfile.ZipFile, path: Path) -> None:
    unpacked_bytes = sum(entry.file_size for entry in archive.infolist())
    size = path.stat().st_size
    if unpacked_bytes > max(HARMLESS_BYTES, MOST_TIMES_ITS_SIZE * size):
        message = (
            f"{path} has {size:,} bytes and would unpack to {unpacked_bytes:,}: it looks like a zip bomb"
        )
        raise MalformedInput(message, "unpack it yourself if you trust it, then import the folder")


def _name_of(entry: zipfile.ZipInfo) -> str:
    if entry.flag_bits & _NAME_IS_UTF8 or entry.filename.isascii():
        return entry.filename
    raw = entry.filename.encode("cp437")
    for codec in ("utf-8", "gb18030"):
        try:
            return raw.decode(codec)
        except UnicodeDecodeError:
            continue
    return entry.filename
